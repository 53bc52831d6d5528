// Who is silent for two minutes is dropped, and nothing can shorten that from
// outside: so all tests that wait for long do so at the same time.

import assert from "node:assert/strict";
import process from "node:process";
import { describe, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { agree, gather } from "../support/conversation.ts";
import { join, joinRaw, others, startHub } from "../support/group.ts";
import { ofEachKind, on, type Runtime } from "../support/runtimes.ts";

const SILENCE = 120; // s; the hub looks every few seconds
const PACE = 100; // ms between two lines of a member

/**
 * A member's program stands still, as on a laptop that sleeps: it gets all that
 * was said meanwhile; after more than two minutes it is told how much that was.
 */
async function sleeps(t: TestContext, runtime: Runtime, seconds: number) {
  const hub = await startHub(t, runtime);
  const members = await gather(t, ofEachKind, 3, hub.port);
  const [one, two, sleeper] = members;
  const texts: string[] = [];
  const talk = async (s: number) => {
    for (let i = 0; i < s * 1000 / PACE; i++) {
      texts.push(`line ${texts.length + 1}`);
      one!.say(texts.at(-1)!);
      two!.say(texts.at(-1)!);
      await pause(PACE);
    }
  };
  await talk(1);
  process.kill(-sleeper!.pid, "SIGSTOP");
  sleeper!.say("good morning");
  await talk(seconds);
  process.kill(-sleeper!.pid, "SIGCONT");
  await talk(1);
  const all = 2 * texts.length + 1;
  for (const member of [one!, two!]) {
    await member.until(() => member.shown.length >= all, 5000);
  }
  const said = new Map([[one!.name, texts], [two!.name, texts]]);
  said.set(sleeper!.name, ["good morning"]);
  if (seconds < SILENCE) {
    await sleeper!.until(() => sleeper!.shown.length >= all, 5000);
    agree(members, said);
    assert.equal(hub.stdout.match(/ joined \(/g)?.length, 3, hub.stdout);
    return;
  }
  agree([one!, two!], said);
  const missed = () =>
    sleeper!.notices.map((one) => Number(/missed: (\d+)/.exec(one)?.[1] ?? 0))
      .reduce((sum, n) => sum + n, 0);
  await sleeper!.until(() => sleeper!.shown.at(-1) === one!.shown.at(-1), 5000);
  t.diagnostic(`shown ${sleeper!.shown.length}, missed ${missed()}, of ${all}`);
  // Notices are lines, too: that it timed out, and that it joined again.
  const known = sleeper!.shown.length + missed();
  assert(known >= all && known <= all + 2, `${known} of ${all}`);
  assert(one!.notices.includes(`* ${sleeper!.name} timed out (2 minutes)`));
  assert.equal(hub.stdout.match(/ joined \(/g)?.length, 4, hub.stdout);
}

describe("silence", { concurrency: 20 }, () => {
  for (const seconds of [3, 30, 130]) {
    on(
      ofEachKind,
      `a member stands still for ${seconds} s`,
      (t, runtime) => sleeps(t, runtime, seconds),
      (seconds + 60) * 1000,
    );
  }
  on(ofEachKind, "who says nothing is dropped", async (t, runtime) => {
    const hub = await startHub(t, runtime);
    const alice = await join(t, others(runtime)[0]!, "alice", hub.port);
    const since = performance.now();
    const bob = await joinRaw(t, hub.port, "bob");
    for (let dropped = false; !dropped;) { // in spans that until() waits for
      await alice.until(() =>
        alice.stdout.includes("* bob timed out (2 minutes)\n")
      )
        .then(() => dropped = true, (error) => {
          if ((performance.now() - since) / 1000 > SILENCE + 20) throw error;
        });
    }
    const took = (performance.now() - since) / 1000;
    t.diagnostic(`after ${took.toFixed()} s`);
    assert(took > SILENCE - 1, `after ${took} s`);
    await hub.until(() => hub.stdout.endsWith("* bob timed out (2 minutes)\n"));

    // The client has said nothing either, but kept in touch.
    bob.forget();
    await bob.send("hello?"); // to which a stranger gets no answer
    await bob.cookie();
    alice.end("still here");
    assert.equal(await alice.exits(), 0);
    assert.match(alice.stdout, /alice: still here\n$/);
    assert.equal(alice.stderr, "");
  }, 180_000);
});
