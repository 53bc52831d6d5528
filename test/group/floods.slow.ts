// Somebody floods, in each way that there is, while others talk: their lines
// come soon, newcomers get in, and the hub stays small.

import assert from "node:assert/strict";
import type { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { drained, memory, NOT_LINUX } from "../support/linux.ts";
import { kinds, on, thrice } from "../support/on.ts";
import { group } from "../support/play.ts";
import { type Program, type Test, until } from "../support/program.ts";
import { Hand, joinBy, openSocket } from "../support/wire.ts";

const SECONDS = 2;

/** A member that says it has all that it can have. */
class Flooder extends Hand {
  said = 0;
  have = 0;

  protected override take(bytes: Buffer) {
    super.take(bytes);
    for (const line of this.heard.splice(0)) {
      const [word, n] = line.split(" ");
      if (word === "/said") this.said = Number(n);
      if (Number(word) > this.have) this.have = Number(word);
    }
  }
}

const times = <One>(count: number, make: (i: number) => One) =>
  Array.from({ length: count }, (_, i) => make(i));
const lines = ({ have, said }: Flooder) => [
  `/have ${have}`,
  ...times(40, (i) => `/say ${said + 1 + i} flood`),
];
// Under how many names, and what each says again and again.
const FLOODS: Record<string, [number, (one: Flooder) => string[]]> = {
  "nothing": [0, () => []],
  "lines": [1, lines],
  "lines under fifty names": [50, lines],
  "all again": [1, ({ have }) => [`/have 0 ${have}`]],
  "commands again": [1, ({ have }) => [
    `/have ${have}`,
    ...times(20, (i) => `/say 0 /name x${i}`),
    ...times(50, () => "/say 0 /who"),
  ]],
  "garbage": [1, () => times(1150, () => "")],
  "strangers": [1, (one) => {
    one.token = randomBytes(8).toString("hex");
    return ["/join 0123456789abcdef mallory 0"];
  }],
};

/** Send that, as fast as the hub takes it out of its socket; then leave. */
async function flood(
  t: Test,
  hub: number,
  kind: string,
  isOver: () => boolean,
) {
  const [count, make] = FLOODS[kind]!;
  const flooders = await Promise.all(times(count, async () => {
    const socket = await openSocket(t, "127.0.0.2"); // an address of their own
    return await new Flooder(socket).joins(hub, "flooder");
  }));
  let sent = 0;
  while (!isOver()) {
    for (let i = 0; i < 20 && count > 0; i++) {
      const one = flooders[sent++ % count]!;
      await one.says(...make(one));
    }
    await pause(0);
    await drained(hub, 60_000);
  }
  if (kind === "strangers") return sent;
  await Promise.all(flooders.map(async (one) => {
    const quit = () => void one.says(`/have ${one.have}`, "/quit");
    const again = setInterval(quit, 100);
    await until(() => one.answer.includes("/goodbye"), () => "no /goodbye")
      .finally(() => clearInterval(again));
  }));
  return sent;
}

/** The 99th percentile of the ms from a line's saying to its showing. */
async function talk(members: [string, Program][]): Promise<number> {
  const saidAt = new Map<string, number>();
  for (let i = 0; i < SECONDS * 10; i++) {
    for (const [name, one] of members) {
      const now = performance.now();
      saidAt.set(`${name}: ${now}`, now);
      one.send(`${now}`);
      await pause(100 / members.length);
    }
  }
  const delays: number[] = [];
  for (const [, one] of members) {
    const shown = () =>
      one.stdout.split("\n").flatMap((line, i) =>
        saidAt.has(line) ? [one.times[i]! - saidAt.get(line)!] : []
      );
    await one.until(() => shown().length >= saidAt.size, 20_000);
    assert.equal(delays.push(...shown()) % saidAt.size, 0, "twice");
  }
  return delays.sort((a, b) => a - b)[Math.floor(delays.length * 0.99)]!;
}

on(kinds, "a flood", async (t, runtime) => {
  const { hub, ...cast } = await group(t, runtime, "alice", "bob", "carol");
  const { port, pid } = hub!;
  let quiet = 0; // ms, what this machine takes without a flood
  for (const kind of Object.keys(FLOODS)) {
    const measure = async () => {
      let isOver = false;
      const flooding = flood(t, port, kind, () => isOver);
      const talking = talk(Object.entries(cast));
      await pause(SECONDS * 500);
      const since = performance.now();
      const late = await joinBy(t, port, "late");
      const wait = performance.now() - since;
      await late.asks("/quit");
      const delay = await talking;
      isOver = true;
      const [sent, size] = [await flooding, memory(pid)];
      const story = `99 %: ${delay | 0} ms, a newcomer: ${wait | 0} ms, ` +
        `${size | 0} MB, ${sent} datagrams`;
      t.diagnostic(`${kind}: ${story}`);
      if (kind === "nothing") quiet = delay;
      assert(delay < quiet + 250 && size < 150, story);
      // Where strangers flood, strangers wait.
      assert(kind === "strangers" || wait < 1000, story);
    };
    await t.test(kind, () => thrice(t, measure));
  }
}, { timeout: 240_000, skip: NOT_LINUX });
