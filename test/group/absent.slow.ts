// A member whose program stands still for a while, as on a laptop that sleeps:
// it gets all that was said meanwhile; after more than two minutes it is told
// how much that was. The long ones are run by hand:
//
//   LONG=1 npx tsx --test test/group/absent.slow.ts

import assert from "node:assert/strict";
import process from "node:process";
import { describe, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { onThese, startHub } from "../support/group.ts";
import { HUBS, type Runtime } from "../support/runtimes.ts";
import { agree, gather, present } from "../support/conversation.ts";

const PACE = 100; // ms between two lines of a member
const TIMEOUT = 120; // s of silence until a member is dropped

async function sleeps(t: TestContext, runtime: Runtime, seconds: number) {
  const hub = await startHub(t, runtime);
  const there = present(...HUBS);
  const members = await gather(t, there, 3, hub.port);
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
  if (seconds < TIMEOUT) {
    await sleeper!.until(() => sleeper!.shown.length >= all, 5000);
    agree(members, said);
    assert.equal(hub.stdout.match(/ joined \(/g)?.length, 3, hub.stdout);
    return;
  }
  agree([one!, two!], said);
  const missed = () =>
    sleeper!.notices.map((one) => Number(/missed (\d+)/.exec(one)?.[1] ?? 0))
      .reduce((sum, n) => sum + n, 0);
  await sleeper!.until(() => sleeper!.shown.at(-1) === one!.shown.at(-1), 5000);
  t.diagnostic(`shown ${sleeper!.shown.length}, missed ${missed()}, of ${all}`);
  // Notices are lines, too: that it timed out, and that it joined again.
  const known = sleeper!.shown.length + missed();
  assert(known >= all && known <= all + 2, `${known} of ${all}`);
  assert(one!.notices.includes(`* ${sleeper!.name} timed out (2 minutes)`));
  assert.equal(hub.stdout.match(/ joined \(/g)?.length, 4, hub.stdout);
}

describe("a member stands still", { concurrency: 3 }, () => {
  for (const seconds of process.env["LONG"] ? [3, 30, 130] : [3]) {
    onThese(
      HUBS,
      `for ${seconds} s`,
      (t, runtime) => sleeps(t, runtime, seconds),
      (seconds + 60) * 1000,
    );
  }
});
