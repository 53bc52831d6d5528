// What is not lost is not sent twice, however long the way is; and a hub that
// is away is not asked all the time.

import assert from "node:assert/strict";
import process from "node:process";
import { describe, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { joinProgram, startHub } from "../support/group.ts";
import { startNetwork } from "../support/pair.ts";
import { endGroup } from "../support/processes.ts";
import { ofEachKind, on, type Runtime } from "../support/runtimes.ts";
import { agree, Member } from "../support/conversation.ts";
import { openRelay, type Relay, twice } from "../support/relay.ts";

const REPLY = "* 1 here: alice";

/** Two members behind a relay, before a path of so many ms each way. */
async function pair(t: TestContext, runtime: Runtime, latency: number) {
  const hub = await startHub(t, runtime);
  const path = await startNetwork(t, hub.port, "--latency", latency);
  const relay = await openRelay(t, path.port);
  const members: Member[] = [];
  for (const [i, on] of ofEachKind.entries()) {
    const member = new Member(t, on, `m${i + 1}`, relay.port);
    await member.until(() => member.joined, 30_000);
    members.push(member);
  }
  return { hub, relay, members };
}

/** All talk, and have it all; returns the lines that were sent twice. */
async function talk(
  t: TestContext,
  runtime: Runtime,
  latency: number,
): Promise<string[]> {
  const { relay, members } = await pair(t, runtime, latency);
  if (latency > 0) relay.copies = []; // by now all know how long the way is
  const slow = Array.from({ length: 20 }, (_, i) => `slow ${i}`);
  for (const text of slow) {
    for (const one of members) one.say(text);
    await pause(97);
  }
  const fast = Array.from({ length: 200 }, (_, i) => `fast ${i}`);
  for (const one of members) one.say(...fast);
  const all = members.length * (slow.length + fast.length);
  for (const one of members) {
    await one.until(() => one.shown.length >= all, 20_000);
  }
  await Promise.all(members.map((one) => one.leaves()));
  const texts = [...slow, ...fast];
  agree(members, new Map(members.map(({ name }) => [name, texts])));
  return twice(relay.copies);
}

async function once(t: TestContext, runtime: Runtime, latency: number) {
  let lines = await talk(t, runtime, latency);
  // Once more: who waits for the processor is late, as if the way were long.
  if (lines.length > 0) lines = await talk(t, runtime, latency);
  assert.deepEqual(lines.slice(0, 5), [], `${lines.length} lines twice`);
}

/** The datagrams that came from each member. */
function asked({ copies }: Relay): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { way, outside: { client } } of copies) {
    if (way === "says") counts.set(client, (counts.get(client) ?? 0) + 1);
  }
  return counts;
}

/** At most 15 datagrams of a member in 20 s without a hub. */
async function away(t: TestContext, runtime: Runtime) {
  const { hub, relay, members } = await pair(t, runtime, 0);
  // It stands still for some seconds, which does not mean that all gets lost.
  process.kill(-hub.pid, "SIGSTOP");
  for (const one of members) one.say("are you there?");
  await pause(3000);
  process.kill(-hub.pid, "SIGCONT");
  const all = members.length;
  const said = (one: Member) =>
    one.shown.filter((line) => line.endsWith("are you there?")).length;
  for (const one of members) await one.until(() => said(one) === all, 10_000);
  endGroup(hub.pid);
  relay.copies = [];
  for (const one of members) one.say("is anybody there?");
  await pause(20_000);
  const counts = asked(relay);
  t.diagnostic(`datagrams in 20 s: ${[...counts.values()]}`);
  assert.equal(counts.size, members.length);
  const most = Math.max(...counts.values());
  assert(most <= 15, `${most} in 20 s`);
}

on(ofEachKind, "nothing twice on a short way", (t, on) => once(t, on, 0));
describe("nothing twice, and not too often", { concurrency: 4 }, () => {
  on(ofEachKind, "a way of 300 ms", (t, runtime) => once(t, runtime, 300));
  on(ofEachKind.slice(0, 1), "the hub is away", away);
});

on(ofEachKind, "a reply that got lost comes again", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const alice = await joinProgram(t, hub.port, "alice");
  await alice.ask("/say 1 hello", "/say 2 /who");
  alice.forget();
  await alice.ask("/say 1 hello"); // there was no room for the second one
  assert.deepEqual(alice.heard.filter((line) => line === REPLY), [REPLY]);
  alice.forget();
  await alice.ask("/say 1 hello", "/say 2 /who");
  assert.deepEqual(alice.heard.filter((line) => line === REPLY), [REPLY]);
});
