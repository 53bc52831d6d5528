import assert from "node:assert/strict";
import process from "node:process";
import { describe, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { join, onThese, others, startHub } from "../support/group.ts";
import { startNetwork } from "../support/pair.ts";
import type { Program } from "../support/processes.ts";
import type { Runtime } from "../support/runtimes.ts";

const NAMES = ["ada", "ben", "cleo", "dan", "eve"];
const LINES = 100; // that each of them says
const PAUSE = 5; // ms between two lines, so that they fly separately

const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));

/** What the members said, as one of them shows it. */
function speech(member: Program): string[] {
  return member.stdout.split("\n").filter((line) => /^\w+: /.test(line));
}

async function quarrel(
  t: TestContext,
  runtime: Runtime,
  percent: number,
  seconds: number,
) {
  const hub = await startHub(t, runtime);
  t.diagnostic(`SEED=${seed} repeats the dice of this test`);
  const dice = ["--drop", percent, "--repeat", 10, "--delay", 10];
  const { port } = await startNetwork(t, hub.port, ...dice, "--seed", seed);
  const there = others(runtime);
  const members = await Promise.all(
    NAMES.map((name, i) => join(t, there[i % there.length]!, name, port)),
  );
  for (let i = 1; i <= LINES; i++) {
    for (const member of members) member.write(`line ${i}\n`);
    await pause(PAUSE);
  }
  const typed = performance.now();
  const all = NAMES.length * LINES;
  await Promise.all(
    members.map((one) => one.until(() => speech(one).length >= all)),
  );
  const took = (performance.now() - typed) / 1000;
  t.diagnostic(`all had all lines ${took.toFixed(1)} s after the last one`);

  for (const member of members) member.end();
  const codes = await Promise.all(members.map((one) => one.exits()));
  assert.deepEqual(codes, [0, 0, 0, 0, 0]);
  for (const name of NAMES) {
    assert.deepEqual(
      speech(members[0]!).filter((line) => line.startsWith(`${name}: `)),
      Array.from({ length: LINES }, (_, i) => `${name}: line ${i + 1}`),
    );
  }
  for (const member of members) {
    assert.deepEqual(speech(member), speech(members[0]!));
    // Where every second datagram is lost, all may be for five seconds.
    assert.match(
      member.stderr,
      /^(\* the server (is away, .*|was away and is back)\n)*$/,
    );
  }
  assert.equal(hub.stderr, "");
  assert(took < seconds, `it took ${took} s`);
}

// Mostly they wait: so these few tests run at the same time.
describe("five members on a bad network", { concurrency: 2 }, () => {
  onThese(["Node 24", "Bun", "Deno"], "30 % lost", (t, runtime) => {
    return quarrel(t, runtime, 30, 10);
  });
  onThese(
    ["Node 24"],
    "50 % lost",
    (t, runtime) => quarrel(t, runtime, 50, 30),
  );
});
