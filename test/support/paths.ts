// Paths on which every line must come to everybody exactly once and in one
// order, and how soon. In test/group, paths.test.ts has one, on each kind of
// hub; paths.slow.ts and pace.quiet.ts have the others, but for the first three
// each on one kind. Or choose, on all kinds:
//
//   ROWS=3 SEED=7 RUNS=20 npx tsx --test test/group/paths.slow.ts

import assert from "node:assert/strict";
import process from "node:process";
import type { TestContext } from "node:test";
import { quantile } from "./quantile.ts";
import { SEED } from "./random.ts";
import { ofEachKind, on, type Runtime } from "./runtimes.ts";
import { converse, inTime, type Plan, type Result } from "./conversation.ts";

const ROWS = process.env["ROWS"]?.split(",").map(Number);
const RUNS = Number(process.env["RUNS"] ?? 1);

interface Demand {
  /** s: of several runs, the median must not be over this. */
  median?: number;
  also?: (t: TestContext, result: Result, deliveries: number) => void;
}

type Row = [
  members: number,
  lines: number, // that each of them says
  pace: Plan["pace"],
  path: string,
  within: number, // s
  more?: Demand,
];

const each = (ms: number): [number, number] => [ms, ms];
const PERSON: Plan["pace"] = [1000, 2000];
const BAD = "--repeat 10 --latency 10 --jitter 10";
const FAR = "--latency 50 --jitter 5";
const SHAKY = "--drop 5 --repeat 2 --latency 100 --jitter 30";
const NARROW = "--latency 20 --rate 256 --queue 64000 --outage 20,5";

const ALL: Row[] = [
  [5, 100, each(5), "", 0.5],
  [5, 100, each(5), `--drop 30 ${BAD}`, 6, { median: 2.5 }],
  [3, 2000, "piped", FAR, 10],
  [5, 100, each(5), `--drop 50 ${BAD}`, 60],
  [3, 5000, "piped", "--drop 10 --repeat 5 --latency 25 --jitter 5", 25],
  [20, 2000, "piped", FAR, 40],
  [3, 2000, "piped", `--drop 2 ${FAR} --rate 1000 --queue 20000`, 20],
  [20, 60, each(200), "--latency 50 --rate 1000", 10, { also: settled }],
  [10, 20, each(500), SHAKY, 3, { also: cheap }],
  // A person's pace: as soon as with the first edition.
  [20, 10, PERSON, "--drop 5", 10, { also: soon(3, 480) }],
  [20, 10, PERSON, "--drop 30", 10, { also: soon(225, 1640) }],
  [20, 10, PERSON, "--latency 50 --jitter 15", 10, { also: soon(105, 220) }],
  // Nothing passes for 5 s, for 30 s, for 5 s on a narrow path.
  [5, 30, each(500), "--latency 20 --outage 10,5", 10],
  [5, 50, each(1000), "--latency 20 --outage 45,30", 35],
  [20, 20, PERSON, NARROW, 10, { also: thrifty }],
];

/** The delay does not grow: later lines are not slower than earlier ones. */
function settled(t: TestContext, { delays }: Result) {
  const quarter = Math.floor(delays.length / 4);
  const early = quantile(delays.slice(quarter, 2 * quarter), 0.5);
  const late = quantile(delays.slice(-quarter), 0.5);
  t.diagnostic(`median of the 2nd quarter ${early} ms, of the last ${late} ms`);
  assert(late < 1.5 * early + 50, "the delay grows");
}

function cheap(_: TestContext, { datagrams }: Result, deliveries: number) {
  assert(datagrams / deliveries <= 2, `${datagrams} datagrams`);
}

function thrifty(_: TestContext, { bytes }: Result, deliveries: number) {
  assert(bytes / deliveries <= 160, `${bytes / deliveries} bytes a delivery`);
}

/** The median and the 99th percentile of the delay are at most so many ms. */
function soon(median: number, most: number): NonNullable<Demand["also"]> {
  const machine = 30; // ms that a slow one and the network's program add
  return (_, { delays }) => {
    const [middle, last] = [quantile(delays, 0.5), quantile(delays, 0.99)];
    assert(middle <= median + machine, `median ${middle} ms`);
    assert(last <= most + machine, `99 %: ${last} ms`);
  };
}

type Kind = "quick" | "hurried" | "paced" | "broken";

function kindOf(number: number): Kind {
  if (number === 2) return "quick";
  return number < 8 ? "hurried" : number < 13 ? "paced" : "broken";
}

/** Test the rows of one kind, or those that are chosen. */
export function testPaths(kind: Kind) {
  for (const [i, row] of ALL.entries()) {
    const number = i + 1;
    if (ROWS ? !ROWS.includes(number) : kindOf(number) !== kind) continue;
    const [members, lines, pace, path, within, more = {}] = row;
    const plan = { members, lines, pace, path, within };
    on(
      number <= 3 || ROWS
        ? ofEachKind
        : [ofEachKind[number % ofEachKind.length]!],
      `${number}: ${members} members, ${lines} lines each, ${pace}, ` +
        `${path || "clean"}`,
      (t, runtime) => testPath(t, runtime, plan, more),
      RUNS * (within * 3 + 150) * 1000,
    );
  }
}

async function testPath(
  t: TestContext,
  runtime: Runtime,
  plan: Plan,
  { median, also }: Demand,
) {
  const deliveries = plan.members * plan.members * plan.lines;
  const times: number[] = [];
  let seed = SEED;
  for (let run = 0; run < RUNS; run++) {
    const { took } = await inTime(
      t,
      () => converse(t, runtime, ofEachKind, plan, seed++),
      (result) => {
        assert(result.took <= plan.within, `${result.took} s`);
        also?.(t, result, deliveries);
      },
      RUNS > 1 ? 1 : 3, // tries: where all are measured, none may be spoilt
    );
    times.push(took);
  }
  const [middle, longest] = [quantile(times, 0.5), Math.max(...times)];
  if (RUNS > 1) t.diagnostic(`median ${middle} s, at most ${longest} s`);
  if (RUNS >= 5 && median) assert(middle <= median, `median ${middle} s`);
}
