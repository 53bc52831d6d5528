// Every line at everybody exactly once and in one order, on many paths. The
// rows marked long are run by hand:
//
//   ROWS=all npx tsx --test test/group/table.test.ts
//   ROWS=3 SEED=7 RUNS=20 npx tsx --test test/group/table.test.ts

import assert from "node:assert/strict";
import process from "node:process";
import type { TestContext } from "node:test";
import { onThese } from "../support/group.ts";
import {
  converse,
  type Plan,
  present,
  quantile,
  type Result,
  SEED,
} from "../support/conversation.ts";

const ROWS = process.env["ROWS"] ?? "quick";
const RUNS = Number(process.env["RUNS"] ?? 1);

interface Row extends Plan {
  /** s: of several runs, the median must not be over this. */
  median?: number;
  long?: boolean;
  also?: (t: TestContext, result: Result, deliveries: number) => void;
}

const lossy = "--repeat 10 --latency 10 --jitter 10";
const far = "--latency 50 --jitter 5";
const each = (ms: number): [number, number] => [ms, ms];

// deno-fmt-ignore
const TABLE: Row[] = [
  { members: 5, lines: 100, pace: each(5), path: "", within: 0.5 },
  { members: 5, lines: 100, pace: each(5), path: `--drop 30 ${lossy}`, within: 6, median: 2.5 },
  { members: 5, lines: 100, pace: each(5), path: `--drop 50 ${lossy}`, within: 60, long: true },
  { members: 3, lines: 2000, pace: "piped", path: far, within: 10 },
  { members: 3, lines: 5000, pace: "piped", path: "--drop 10 --repeat 5 --latency 25 --jitter 5", within: 25, long: true },
  { members: 20, lines: 2000, pace: "piped", path: far, within: 40, long: true },
  { members: 3, lines: 2000, pace: "piped", path: `--drop 2 ${far} --rate 1000 --queue 20000`, within: 20, long: true },
  { members: 20, lines: 100, pace: each(200), path: "--latency 50 --rate 1000", within: 10, long: true, also: settled },
  { members: 10, lines: 40, pace: each(500), path: "--drop 5 --repeat 2 --latency 100 --jitter 30", within: 3, long: true, also: cheap },
  // A person's pace: as soon as with the first edition.
  { members: 20, lines: 15, pace: [1000, 2000], path: "--drop 5", within: 10, long: true, also: soon(3, 480) },
  { members: 20, lines: 15, pace: [1000, 2000], path: "--drop 30", within: 10, long: true, also: soon(225, 1640) },
  { members: 20, lines: 15, pace: [1000, 2000], path: "--latency 50 --jitter 15", within: 10, long: true, also: soon(105, 220) },
  // Nothing passes for 5 s, for 30 s, for 5 s on a narrow path.
  { members: 5, lines: 30, pace: each(500), path: "--latency 20 --outage 10,5", within: 10, long: true },
  { members: 5, lines: 64, pace: each(1000), path: "--latency 20 --outage 60,30", within: 35, long: true },
  { members: 20, lines: 20, pace: [1000, 2000], path: "--latency 20 --rate 256 --queue 64000 --outage 20,5", within: 10, long: true, also: thrifty },
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
function soon(median: number, most: number): NonNullable<Row["also"]> {
  return (_, { delays }) => {
    assert(quantile(delays, 0.5) <= median, `median ${quantile(delays, 0.5)}`);
    assert(quantile(delays, 0.99) <= most, `99 % ${quantile(delays, 0.99)}`);
  };
}

for (const [i, row] of TABLE.entries()) {
  const chosen = ROWS === "all" || (ROWS === "quick" && !row.long) ||
    ROWS.split(",").includes(String(i + 1));
  if (!chosen) continue;
  const all = row.members * row.members * row.lines;
  const title = `${i + 1}: ${row.members} members, ${row.lines} lines each, ` +
    `${row.pace}, ${row.path || "clean"}`;
  onThese(["Node 24", "Bun", "Deno"], title, async (t, runtime) => {
    const others = present("Node 24", "Bun", "Deno");
    const times: number[] = [];
    for (let run = 0; run < RUNS; run++) {
      const result = await converse(t, runtime, others, row, SEED + run);
      times.push(result.took);
      row.also?.(t, result, all);
    }
    assert(Math.max(...times) <= row.within, `${Math.max(...times)} s`);
    if (RUNS >= 5 && row.median) {
      const median = quantile(times, 0.5);
      assert(median <= row.median, `median ${median} s`);
    }
  }, RUNS * (row.within * 3 + 60) * 1000);
}
