#!/usr/bin/env -S npx tsx
// The benchmark: what a delivered line costs our hub, a plain relay and
// nats-server, and what a round trip costs the pair and the page's Python.
//   npm run bench               into results.md and plot.svg, in some minutes
//   npm run bench -- --quick    20 members and one round, in seconds

import { writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import process from "node:process";
import * as measure from "./measure.ts";

const { ms, rounds, sizes, TALKERS, warmUp, WINDOW } = measure;
type Row = [name: string, columns: number[][]]; // with all samples

/** All have a turn in each round, so that what else happens hits all alike. */
async function takeTurns<One extends { name: string }>(
  all: One[],
  measure: (one: One) => Promise<number[][]>,
): Promise<Row[]> {
  const rows = all.map(({ name }): Row => [name, []]);
  for (let round = 1; round <= rounds; round++) {
    for (const [i, one] of all.entries()) {
      console.error(`round ${round} of ${rounds}: ${one.name}`);
      const before = rows[i]![1];
      const columns = await measure(one);
      rows[i]![1] = columns.map((all, n) => all.concat(before[n] ?? []));
    }
  }
  return rows;
}

const figure = (n: number) =>
  n.toLocaleString("en", { maximumSignificantDigits: 3 });

const median = (samples: number[]) =>
  samples.toSorted((a, b) => a - b)[samples.length >> 1]!;

/** The median and, if they differ, the lowest and the highest. */
function spread(samples: number[]): string {
  const [low, high] = [Math.min(...samples), Math.max(...samples)];
  if (low === high) return figure(low);
  return `${figure(median(samples))} (${figure(low)}–${figure(high)})`;
}

function table(head: string[], rows: Row[]): string {
  const line = (cells: string[]) => `| ${cells.join(" | ")} |\n`;
  const body = rows.map(([name, all]) => line([name, ...all.map(spread)]));
  const rule = "| --- ".repeat(head.length + 1) + "|\n";
  return line(["", ...head]) + rule + body.join("");
}

// ---- The plot: a row for each server, a column for each size ----

const TITLE = "What a line costs the server for each member that gets it";

function plot(rows: Row[]): string {
  const marks: string[] = [];
  const text = (x: number, y: number, text: string) =>
    marks.push(`<text x="${x}" y="${y}">${text}</text>`);
  text(12, 24, `${TITLE}, µs of processor time`);
  rows.forEach(([name], row) => text(12, 80 + 26 * row, name));
  const costs = sizes.map((_, i) => rows.map(([, all]) => median(all[i]!)));
  const most = Math.max(...costs.flat());
  for (const [i, size] of sizes.entries()) {
    const x = 150 + 190 * i;
    text(x, 50, `${figure(size)} members`);
    for (const [row, cost] of costs[i]!.entries()) {
      const [y, width] = [80 + 26 * row, Math.ceil(130 * cost / most)];
      const color = rows[row]![0].startsWith("our") ? "#4493f8" : "#afb8c1";
      const bar = `x="${x}" y="${y - 15}" width="${width}" height="20"`;
      marks.push(`<rect ${bar} fill="${color}"/>`);
      text(x + width + 6, y, figure(cost));
    }
  }
  const [width, height] = [150 + 190 * sizes.length, 70 + 26 * rows.length];
  return `<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="${TITLE}" \
width="${width}" height="${height}" font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="white"/>
${marks.join("\n")}
</svg>
`;
}

// ---- All of it ----

async function main() {
  const [load, machine] = [loadavg()[0]!.toFixed(1), cpus()];
  const group = await takeTurns(measure.servers, measure.measureGroup);
  const pair = await takeTurns(measure.pairs, measure.measurePair);
  const heads = [...sizes.map((size) => `${figure(size)} members`), "lost, %"];
  const page = `# Benchmark

Made by \`npm run bench\` on Linux, on ${machine.length} processors \
(${machine[0]!.model}) with a load of ${load}: ${measure.versions}.

All have their turn in each of ${rounds} rounds, newly started, with samples of ${ms} ms \
after ${warmUp} ms to warm up. A figure is the median (the lowest–the highest).

## A line in a group

![${TITLE}](plot.svg)

${TITLE}, in µs of processor time:

${table(heads, group)}
${TALKERS} of the members talk all the time: each says ${WINDOW} lines, and another one \
whenever one comes back. All are in one process, on Node ${process.versions.node}, and \
speak the server's protocol ([members.ts](members.ts)). Two samples in a round. A \
line is lost if it has not reached a member when all is quiet again.

It is the same lines, not the same service. TCP and our hub make up for what a \
network loses. The plain relay, a few lines of Python ([measure.ts](measure.ts)), \
does not. nats-server also has subjects, accounts and encryption.

## A round trip of the pair

A line goes from the client's input to the server's screen, and one comes back. \
In µs, on the clock, and of the processor for both programs:

${table(["clock", "processor"], pair)}
Input and screen are files: nobody types or reads, so this is what the programs \
cost. Python is the pair on the [first page](../../README.md).
`;
  console.log(page);
  if (measure.quick) return;
  writeFileSync(new URL("results.md", import.meta.url), page);
  writeFileSync(new URL("plot.svg", import.meta.url), plot(group));
}

process.on("SIGINT", () => process.exit(130)); // which ends all that it started
main().then(() => process.exit());
