// The hub's way out carries 1 Mbit/s, and far more is asked for than fits: what
// the system does not take may not pile up in the hub, and as soon as the flood
// is over a newcomer is in. And where some must lose, all lose the same.

import assert from "node:assert/strict";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { joinRaw, openRaw, startHub } from "../support/group.ts";
import { memory } from "../support/kernel.ts";
import { commandOf, listening, startNetwork } from "../support/pair.ts";
import { PROJECT } from "../support/processes.ts";
import { ofEachKind, on } from "../support/runtimes.ts";
import { inTime, Member } from "../support/conversation.ts";
import {
  behindLink,
  NO_NAMESPACES,
  openNamespace,
} from "../support/namespace.ts";

const HUB = "10.0.0.2";
const RATE = 1000; // kbit/s
const SECONDS = 3; // of flood
const KINDS = ["strangers", "/who", "/have"];
const MOST = 150; // MB

on(ofEachKind, "a narrow way out", async (t, runtime) => {
  if (NO_NAMESPACES) return t.skip(NO_NAMESPACES);
  const here = await openNamespace(t);
  const there = await behindLink(t, here, RATE);
  const server = join(PROJECT, "group", "server.ts");
  const hub = await listening(there.run(...runtime.command, server, HUB, "0"));
  const [on] = ofEachKind;
  const alice = new Member(t, here.of(on!), "alice", hub.port, HUB);
  await alice.until(() => alice.joined, 30_000);
  const lines = Array.from({ length: 200 }, (_, i) => `line ${i}`);
  alice.say(...lines); // for others to ask for
  await alice.until(() => alice.shown.length >= lines.length, 30_000);

  /** A newcomer starts; returns in how many seconds it is in. */
  const comesIn = async (t: TestContext): Promise<number> => {
    const started = performance.now();
    const bob = new Member(t, here.of(on!), "bob", hub.port, HUB);
    await bob.until(() => bob.joined, 60_000);
    const took = (performance.now() - started) / 1000;
    bob.say(`hello at ${started}`);
    const heard = () => alice.shown.includes(`bob: hello at ${started}`);
    assert(await alice.until(heard, 10_000));
    await bob.leaves();
    return took;
  };
  /** Flood; returns how many seconds more it takes a newcomer to be in. */
  const flood = async (t: TestContext, kind: string): Promise<number> => {
    const before = await comesIn(t);
    const script = join("test", "support", "flooder.ts");
    const flooder = here.run(
      ...commandOf(on!, script, HUB, hub.port, kind, SECONDS),
    );
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, memory(hub.pid).all);
    }, 100);
    t.after(() => clearInterval(watch));
    await flooder.until(() => flooder.stdout.includes("sent"));
    const after = await comesIn(t);
    t.diagnostic(
      `${kind}, hub on ${runtime.name}: ${flooder.stdout.split("\n")[1]}, ` +
        `${most.toFixed(0)} MB, a newcomer started and was in ` +
        `${after.toFixed(2)} s after the flood, ${before.toFixed(2)} before`,
    );
    assert(most < MOST, `the hub took ${most} MB`);
    return after - before;
  };
  for (const kind of KINDS) {
    await t.test(`a flood of ${kind}`, async (t) => {
      await inTime(
        t,
        () => flood(t, kind),
        (late) => assert(late < 1, `a newcomer was in ${late} s later`),
      );
    });
  }
}, 180_000);

on(ofEachKind, "a way out for half of them", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  // Of ten datagrams at once some five have room, which takes 30 ms.
  const way = ["--rate", "0,64", "--queue", "200"];
  const path = await startNetwork(t, hub.port, ...way);
  const members = await Promise.all(Array.from({ length: 10 }, async (_, i) => {
    const member = await openRaw(t, path.port);
    const welcome = () => member.lines.some((line) => line.includes(`m${i}`));
    await member.repeats(`/join ${await member.cookie()} m${i}`, welcome);
    return member;
  }));
  const alice = await joinRaw(t, hub.port, "alice"); // on a way of her own
  for (let i = 0; i < 40; i++) {
    await alice.send(`line ${i}`);
    await alice.hears(`alice: line ${i}`);
    await pause(50);
  }
  for (const one of members) await one.settles();
  const counts = members.map(({ heard }) =>
    heard.filter((line) => line.startsWith("alice: ")).length
  );
  t.diagnostic(`lines heard, of 40: ${counts}`);
  assert(Math.min(...counts) >= 4);
  assert(Math.max(...counts) <= 36);
});
