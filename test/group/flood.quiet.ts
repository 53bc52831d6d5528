// Somebody floods, in each way that there is, while others talk: their lines
// come soon, newcomers get in, and the hub stays small.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { drained, memory, NOT_LINUX } from "../support/linux.ts";
import { kinds, on, other, thrice } from "../support/on.ts";
import { type Program, type Test, until } from "../support/program.ts";
import { group } from "../support/play.ts";
import { Hand, joinBy, openSocket } from "../support/wire.ts";

/** A member that says it has all that it can have, and talks all the time. */
class Flooder extends Hand {
  said = 0;
  have = 0;

  protected override take(bytes: Buffer) {
    super.take(bytes);
    for (const line of this.heard.splice(0)) {
      const [word = "", n = ""] = line.split(" ");
      if (word === "/said") this.said = Number(n);
      if (Number(word) > this.have) this.have = Number(word);
    }
  }
}

const times = (count: number, line: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => line(i));
const lines = (one: Flooder) => [
  `/have ${one.have}`,
  ...times(40, (i) => `/say ${one.said + 1 + i} flood`),
];
const FLOODS: Record<string, [names: number, (one: Flooder) => string[]]> = {
  nothing: [0, () => []],
  lines: [1, lines],
  "lines under fifty names": [50, lines],
  "/have": [1, ({ have }) => [`/have 0 ${have}`]],
  "commands that come again": [1, ({ have }) => [
    `/have ${have}`,
    ...times(20, (i) => `/say 0 /name x${i}`),
    ...times(50, () => "/say 0 /who"),
  ]],
  newlines: [1, () => times(1150, () => "")],
  strangers: [1, (one) => {
    one.token = randomBytes(8).toString("hex");
    return ["/join 0123456789abcdef mallory 0"];
  }],
};
const SECONDS = 2;
const NAMES = ["alice", "bob", "carol"];

/** The 99th percentile of the time from a line's saying to its showing, ms. */
async function talk(members: Program[]): Promise<number> {
  const saidAt = new Map<string, number>();
  const from = members.map(({ times }) => times.length);
  for (let i = 0; i < SECONDS * 10; i++) {
    for (const [j, one] of members.entries()) {
      const now = performance.now();
      saidAt.set(`${NAMES[j]}: ${now}`, now);
      one.send(`${now}`);
      await pause(100 / members.length);
    }
  }
  const delays: number[] = [];
  for (const [j, one] of members.entries()) {
    const shown = () =>
      one.stdout.split("\n").filter((line) => saidAt.has(line));
    await one.until(() => shown().length === saidAt.size, 20_000);
    for (const [i, line] of one.stdout.split("\n").entries()) {
      const said = saidAt.get(line);
      if (said) delays.push(one.times[i]! - said);
    }
  }
  return delays.sort((a, b) => a - b)[Math.floor(delays.length * 0.99)]!;
}

async function flood(
  t: Test,
  port: number,
  kind: string,
  isDone: () => boolean,
) {
  const [count, make] = FLOODS[kind]!;
  const flooders = await Promise.all(
    times(count, () => "").map(async () => {
      const one = new Flooder(await openSocket(t, "127.0.0.2"));
      one.from = port;
      const [cookie] = await one.asks("/join 0");
      await one.asks(`${cookie} flooder 0`);
      return one;
    }),
  );
  let sent = 0;
  while (!isDone()) {
    for (let i = 0; i < 20 && count > 0; i++) {
      const one = flooders[sent++ % count]!;
      void one.says(...make(one));
    }
    await pause(0);
    await drained(port, 60_000);
  }
  for (const one of kind === "strangers" ? [] : flooders) {
    const quit = () => void one.says(`/have ${one.have}`, "/quit");
    const again = setInterval(quit, 100);
    await until(
      () => one.answer.includes("/goodbye"),
      () => `${kind}: ${one.answer}`,
    ).finally(() => clearInterval(again));
  }
  return sent;
}

on(kinds, "one floods, the others are heard", async (t, runtime) => {
  const { hub, ...cast } = await group(t, runtime, ...NAMES);
  let quiet = 0;
  for (const kind of Object.keys(FLOODS)) {
    await t.test(kind, () =>
      thrice(t, async () => {
        let done = false;
        const flooding = flood(t, hub!.port, kind, () => done);
        const talking = talk(Object.values(cast));
        await pause(SECONDS * 500);
        const since = performance.now();
        const late = await joinBy(t, hub!.port, "late");
        const took = performance.now() - since;
        await late.asks("/quit");
        const delay = await talking;
        done = true;
        const sent = await flooding;
        const size = memory(hub!.pid);
        t.diagnostic(
          `${kind}: ${delay | 0} ms, newcomer ${took | 0} ms, ${
            size | 0
          } MB, ${sent} sent`,
        );
        if (kind === "nothing") quiet = delay;
        assert(delay < quiet + 250, `${kind}: ${delay} ms, ${quiet} without`);
        assert(
          took < 1000 || kind === "strangers",
          `a newcomer waits ${took} ms`,
        );
        assert(size < 150, `${kind}: ${size} MB`);
      }));
  }
}, { timeout: 300_000, skip: NOT_LINUX });
