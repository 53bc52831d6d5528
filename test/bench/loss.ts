// Part 4: the group on a network that loses datagrams, in both directions. How
// long the last line takes to be everywhere, and how many datagrams it all took.

import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { join, startHub } from "../support/group.ts";
import { startNetwork } from "../support/pair.ts";
import type { Program } from "../support/processes.ts";
import { type Runtime, runtimes } from "../support/runtimes.ts";
import {
  bench,
  end,
  MISSING,
  type Options,
  progress,
  spread,
  sum,
  table,
} from "./tools.ts";

const NAMES = ["ada", "ben", "cleo", "dan", "eve"];
const LINES = 100; // that each of them says
const PAUSE = 5; // ms between two lines, so that they fly separately

interface Result {
  took: number; // s, from the last line said to the last one shown
  datagrams: number; // per line delivered
  missing: number; // lines that somebody has not shown
}

/** The datagrams that were sent into it in either direction. */
async function summary(network: Program): Promise<number> {
  process.kill(network.pid, "SIGTERM");
  await network.exits();
  const both = network.stdout.matchAll(/server: (\d+) datagrams/g);
  return sum([...both].map(([, count]) => Number(count)));
}

/** The lines that were said, of those that a member shows. */
function shown(member: Program): number {
  return member.stdout.match(/^\w+: /gm)?.length ?? 0;
}

async function quarrel(
  runtime: Runtime,
  percent: number,
  seed: number,
): Promise<Result> {
  const hub = await startHub(bench, runtime);
  const dice = ["--drop", percent, "--seed", seed];
  const network = await startNetwork(bench, hub.port, ...dice);
  const members = await Promise.all(
    NAMES.map((name) => join(bench, runtime, name, network.port)),
  );
  for (let i = 1; i < LINES; i++) {
    for (const member of members) member.write(`line ${i}\n`);
    await pause(PAUSE);
  }
  const said = performance.now();
  for (const member of members) member.write(`line ${LINES}\n`);
  const all = NAMES.length * LINES;
  await Promise.all(
    members.map((one) => one.until(() => shown(one) >= all).catch(() => {})),
  );
  const took = (performance.now() - said) / 1000;
  const datagrams = await summary(network);
  const delivered = sum(members.map(shown));
  end(hub, network, ...members);
  return {
    took,
    datagrams: datagrams / delivered,
    missing: all * members.length - delivered,
  };
}

/** A table's rows: one runtime at each of these percentages. */
async function rows(name: string, percentages: number[], rounds: number) {
  const runtime = runtimes.find((one) => one.name === name)!;
  if (runtime.version === "") return [[name, MISSING]];
  const all: string[][] = [];
  for (const percent of percentages) {
    progress(`loss: ${name}, ${percent} %`);
    const results: Result[] = [];
    for (let seed = 1; seed <= rounds; seed++) {
      results.push(await quarrel(runtime, percent, seed));
    }
    all.push([
      name,
      `${percent} %`,
      spread(results.map(({ took }) => took)),
      spread(results.map(({ datagrams }) => datagrams)),
      `${sum(results.map(({ missing }) => missing))}`,
    ]);
  }
  return all;
}

export async function loss({ quick }: Options): Promise<string> {
  const names = quick ? ["Node 24"] : ["Node 24", "Bun", "Deno"];
  const rounds = quick ? 1 : 3;
  const percentages = quick ? [0, 30] : [0, 10, 30, 50];
  // Mostly they wait, so they do it at the same time.
  const all = await Promise.all(
    names.map((name) => rows(name, percentages, rounds)),
  );
  const head = [
    "",
    "lost each way",
    "s until the last line is everywhere",
    "datagrams per line delivered",
    "lines missing",
  ];
  return `## 4. Under loss

${table(head, all.flat())}

${NAMES.length} clients say ${LINES} lines each, one every ${PAUSE} ms, through test/lossy-network.ts.
The time is from the last line said to the last one shown by the last client; the
datagrams are all of both directions, joining and those that got lost included,
over the ${NAMES.length} × ${NAMES.length * LINES} lines to be shown. ${
    rounds === 1 ? "One round" : `${rounds} rounds, each with its own dice`
  }.
`;
}
