// One member floods, with everything that the hub reads, while 19 others talk
// at a person's pace: their lines are all there, and soon.

import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { startHub } from "../support/group.ts";
import { memory, socketOf } from "../support/kernel.ts";
import { commandOf, type Server } from "../support/pair.ts";
import { Program } from "../support/processes.ts";
import { gather, inTime, type Member } from "../support/conversation.ts";
import { quantile } from "../support/quantile.ts";
import { here, ofEachKind, on, share } from "../support/runtimes.ts";

const TALKERS = 19;
const SECONDS = 2; // of flood
const KINDS = [
  ...["unnumbered", "numbered", "nothing had", "/who", "/name", "/have"],
  ...["garbage", "newlines"],
];
const chosen = process.env["KINDS"]?.split(";"); // all of them on each hub

/** Flood while they talk; returns the 99th percentile of their delay, in ms. */
async function flood(
  t: TestContext,
  hub: Server,
  members: Member[],
  kind: string,
): Promise<number> {
  const script = join("test", "support", "flooder.ts");
  const command = commandOf(
    ofEachKind[0]!,
    script,
    "127.0.0.1",
    hub.port,
    kind,
    SECONDS,
  );
  const flooder = new Program(t, command);
  await flooder.prints("joined\n");

  const before = members[0]!.shown.length;
  const saidAt = new Map<string, number>();
  const talk = async () => {
    const end = performance.now() + SECONDS * 1000;
    await Promise.all(members.map(async (member) => {
      while (performance.now() < end) {
        await pause(500 + Math.random() * 500);
        const now = performance.now();
        saidAt.set(`${member.name}: ${now}`, now);
        member.say(`${now}`);
      }
    }));
  };
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, memory(hub.pid).all);
  }, 500);
  await talk();
  const all = () => saidAt.size;
  const talked = ({ shown }: { shown: string[] }) =>
    shown.reduce((n, line) => saidAt.has(line) ? n + 1 : n, 0);
  for (let i = 0; i < 50 && members.some((one) => talked(one) < all()); i++) {
    await pause(100);
  }
  clearInterval(watch);
  await flooder.exits();
  const delays: number[] = [];
  for (const { shown, times } of members) {
    for (const [i, line] of shown.entries()) {
      const said = saidAt.get(line);
      if (said !== undefined) delays.push(times[i]! - said);
    }
  }
  const flooded = members[0]!.shown.length - before - all();
  t.diagnostic(
    `${kind}: ${quantile(delays, 0.5).toFixed(0)} ms (median), ` +
      `${quantile(delays, 0.99).toFixed(0)} ms (99 %), ` +
      `${all()} lines, ${all() * TALKERS - delays.length} not shown, ` +
      `${flooded} lines of the flood, ${flooder.stdout.split("\n")[1]}, ` +
      `kernel dropped ${socketOf(hub.port).lost}, hub ${most.toFixed(0)} MB`,
  );
  for (const one of members) assert.equal(talked(one), all(), one.name);
  return quantile(delays, 0.99);
}

const LATE = 250; // ms
const lightest = here.find(({ name }) => name === "Bun") ?? here[0]!;

on(ofEachKind, "one floods", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const members = await gather(t, [lightest], TALKERS, hub.port);
  const kinds = chosen ?? share(KINDS, runtime, ofEachKind);
  for (const kind of kinds) {
    await t.test(kind, async (t) => {
      await inTime(
        t,
        () => flood(t, hub, members, kind),
        (late) => assert(late < LATE, `99th percentile: ${late} ms`),
      );
    });
  }
}, 180_000);
