// Somebody sends as much as the hub takes: the others are heard all the same,
// and the hub stays small.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { memory, NOT_LINUX, socketOf } from "../support/linux.ts";
import { kinds, on } from "../support/on.ts";
import { group, play } from "../support/play.ts";
import { commandOf, HERE, Program, serve, start } from "../support/program.ts";
import { type Hand, joinBy } from "../support/wire.ts";

const SOON = 250; // ms, the page's promise
const TRIES = 3; // another program may have had the processor for a moment
const token = () => randomBytes(8).toString("hex");
let said = 0; // the flooder's lines that are taken
let have = 0; // the newest line that it has

const FLOODS: Record<string, () => string> = {
  "lines": () => {
    const numbers = Array.from({ length: 20 }, (_, i) => said + i + 1);
    return `/have ${have} 0\n` +
      numbers.map((n) => `/say ${n} flood\n`).join("");
  },
  "commands": () => `/say ${said + 1} /who\n`.repeat(20),
  "names": () => `/say ${said + 1} /name n${said}\n`,
  "wants all again": () => "/have 0 999999999999\n",
  "garbage": () => randomBytes(900).toString("latin1"),
  "empty lines": () => "\n".repeat(1160),
  "strangers": () => "",
};

/** Send that until it is over, as fast as the hub takes it out of its socket. */
async function flood(hand: Hand, make: () => string, isOver: () => boolean) {
  let time = 1e6; // of a request, ms
  while (!isOver()) {
    for (let i = 0; i < 20; i++) {
      const text = make();
      const head = `#${text === "" ? token() : hand.token} ${++time}\n`;
      const datagram = Buffer.from(head + (text || "/join 0 x 0\n"));
      await hand.send(datagram.subarray(0, 1200));
    }
    for (const line of hand.heard.splice(0)) {
      const [word, n] = line.split(" ");
      if (word === "/said") said = Math.max(said, Number(n));
      else have = Math.max(have, Number(word) || 0);
    }
    while (socketOf(hand.from)!.waiting > 60_000) await pause(0);
    await pause(0);
  }
}

for (const [name, make] of Object.entries(FLOODS)) {
  on(kinds, `a flood: ${name}`, async (t, runtime) => {
    const { hub, alice, bob } = await group(t, runtime, "alice", "bob");
    assert(hub && alice && bob);
    const flooder = await joinBy(t, hub.port, "flooder");
    [said, have] = [0, 0];
    let isOver = false;
    const flooding = flood(flooder, make, () => isOver);
    for (let tries = 1;; tries++) {
      const sent = new Map<string, number>(); // when, ms
      for (let i = 0; i < 100; i++) {
        const line = `line ${tries}.${i}`;
        sent.set(`alice: ${line}`, performance.now());
        alice.send(line);
        await pause(20);
      }
      const last = [...sent.keys()].at(-1)!;
      await bob.until(() => bob.shown.includes(last));
      const delays: number[] = bob.stdout.split("\n").flatMap((line, i) =>
        sent.has(line) ? [bob.times[i]! - sent.get(line)!] : []
      ).toSorted((a, b) => a - b);
      assert.equal(delays.length, 100);
      t.diagnostic(
        `${delays[50]!.toFixed()} ms, 99 %: ${delays[98]!.toFixed()}`,
      );
      if (delays[98]! < SOON) break;
      assert(tries < TRIES, `99 % of the lines take ${delays[98]} ms`);
    }
    isOver = true;
    await flooding;
    const size = memory(hub.pid);
    t.diagnostic(`${size.toFixed()} MB`);
    assert(size < 150, `the hub takes ${size} MB`);
  }, { skip: NOT_LINUX });
}

on(kinds, "250 from one address, and no more", async (t, runtime) => {
  const hub = await serve(t, runtime, "group/server.ts");
  for (let n = 0; n < 250; n += 25) {
    const some = Array.from({ length: 25 }, (_, i) => `n${n + i}`);
    await Promise.all(some.map((name) => joinBy(t, hub.port, name)));
  }
  const alice = start(t, runtime, "group/client.ts", "alice", HERE, hub.port);
  await play({ alice })`
    alice ! * the group is full, try later
    alice exits 1`;
});

on(kinds, "two million piped lines wait outside", async (t, runtime) => {
  const hub = await serve(t, runtime, "group/server.ts");
  const command = commandOf(
    runtime,
    "group/client.ts",
    "alice",
    HERE,
    hub.port,
  );
  const shell = ["sh", "-c", 'seq 2000000 | "$@"', "sh", ...command];
  const alice = new Program(t, shell);
  await alice.until(() => alice.stdout.includes("alice: 20000\n"), 30_000);
  const size = memory(alice.pid);
  t.diagnostic(`${size.toFixed()} MB`);
  assert(size < 150, `the member takes ${size} MB`);
}, { skip: NOT_LINUX });
