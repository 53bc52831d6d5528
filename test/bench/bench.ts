#!/usr/bin/env -S npx tsx
// The benchmark: what a delivered line costs our hub, a plain relay and
// nats-server, and what a round trip costs the pair and the page's Python.
//   npm run bench               all of it, in some minutes
//   npm run bench -- --quick    20 members and one round, in seconds
//   npm run bench -- --write    all of it, kept as results.md and plot.svg

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import process from "node:process";
import * as measure from "./measure.ts";

const FULL = { sizes: [20, 200, 1000], warmUp: 1000, ms: 500, rounds: 5 };
const QUICK = { sizes: [20], warmUp: 300, ms: 300, rounds: 1 };

type Row = [name: string, columns: number[][]];

/** All have a turn in each round, so that what else happens hits all alike. */
async function takeTurns(
  all: measure.Contestant[],
  { rounds, ...extent }: typeof FULL,
): Promise<Row[]> {
  const rows = all.map(({ name }): Row => [name, []]);
  for (let round = 1; round <= rounds; round++) {
    for (const [i, { name, measure }] of all.entries()) {
      console.error(`round ${round} of ${rounds}: ${name}`);
      for (const [column, samples] of (await measure(extent)).entries()) {
        assert(samples.every(Number.isFinite), `${name} says nothing`);
        (rows[i]![1][column] ??= []).push(...samples);
      }
    }
  }
  return rows;
}

const figure = (n: number) =>
  n.toLocaleString("en", { maximumSignificantDigits: 3 });

const median = (samples: number[]) =>
  samples.toSorted((a, b) => a - b)[samples.length >> 1]!;

/** The median, and if they differ the lowest and the highest. */
function spread(samples: number[]): string {
  const [low, high] = [Math.min(...samples), Math.max(...samples)];
  if (low === high) return figure(low);
  return `${figure(median(samples))} (${figure(low)}–${figure(high)})`;
}

function table(head: string[], rows: Row[]): string {
  const line = (cells: string[]) => `| ${cells.join(" | ")} |\n`;
  const body = rows.map(([name, all]) => line([name, ...all.map(spread)]));
  return line(["", ...head]) + line(["---", ...head.map(() => "---")]) +
    body.join("");
}

// ---- The plot: a row for each server, a column for each size ----

const TITLE = "What a line costs the server for each member that gets it";
const [NAMES, COLUMN, BAR, ROW, TOP] = [150, 190, 130, 26, 80]; // pixels
const STYLE = `
    text { font: 13px system-ui, sans-serif; fill: #1f2328 }
    rect { fill: #afb8c1 }
    .our { fill: #0969da }
    .ground { fill: #ffffff }`;

function plot(sizes: number[], rows: Row[]): string {
  const [width, height] = [
    NAMES + sizes.length * COLUMN,
    TOP + rows.length * ROW,
  ];
  const costs = (i: number) => rows.map(([, columns]) => median(columns[i]!));
  const most = Math.max(...sizes.flatMap((_, i) => costs(i)));
  const text = (x: number, y: number, text: string) =>
    `  <text x="${x}" y="${y}">${text}</text>\n`;
  const names = rows.map(([name], row) => text(12, TOP + row * ROW, name));
  const column = (size: number, i: number) => {
    const x = NAMES + i * COLUMN;
    const bars = costs(i).map((cost, row) => {
      const [y, length] = [TOP + row * ROW, Math.ceil(BAR * cost / most)];
      return `  <rect x="${x}" y="${y - 15}" width="${length}" height="20" \
class="${rows[row]![0].split(" ")[0]}"/>\n${
        text(x + length + 6, y, figure(cost))
      }`;
    });
    return text(x, 50, `${figure(size)} members`) + bars.join("");
  };
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" \
height="${height}" role="img" aria-label="${TITLE}">
  <style>${STYLE}
  </style>
  <rect width="100%" height="100%" class="ground"/>
${text(12, 24, `${TITLE}, µs of processor time`)}${
    [...names, ...sizes.map(column)].join("")
  }</svg>
`;
}

// ---- All of it ----

async function main(option = "") {
  const extent = option === "--quick" ? QUICK : FULL;
  const { sizes, rounds, warmUp, ms } = extent;
  const [load, machine] = [loadavg()[0]!, cpus()];
  const group = await takeTurns(measure.servers, extent);
  const pair = await takeTurns(measure.pairs, extent);
  const heads = [...sizes.map((size) => `${figure(size)} members`), "lost, %"];
  const versions = [...measure.chosen, ...measure.others].map((one) =>
    `${one.name.replace("tsx", "tsx on Node")} ${one.version}`
  );
  const page = `# Benchmark

Made by \`npm run bench\` on ${
    new Date().toISOString().slice(0, 10)
  }, on Linux \
with ${machine.length} processors (${machine[0]!.model}), whose load was \
${load.toFixed(1)} before. ${versions.join(", ")}.

All have their turn in each of ${rounds} rounds, newly started, after ${warmUp} ms \
to warm up. A sample takes ${ms} ms. A figure is the median of all samples, and \
the lowest and the highest stand in brackets.

## A line in a group

![${TITLE}](plot.svg)

${TITLE}, in µs of processor time:

${table(heads, group)}
${measure.TALKERS} of the members talk all the time. Each says ${measure.WINDOW} \
lines, and another one whenever one comes back. All members are in one process, \
on Node ${process.versions.node}, and speak the server's protocol \
([members.ts](members.ts)). There are two samples in each round. A line is lost \
if a member has not got it when all is quiet again.

It is the same lines, not the same service. TCP and our hub make up for what a \
network loses; the plain relay, a few lines of Python ([measure.ts](measure.ts)), \
does not. nats-server has much that our hub has not, such as subjects, accounts \
and encryption.

## A round trip of the pair

A line goes from the client's input to the server's screen, and another one comes \
back. In µs, on the clock, and of the processor for both programs:

${table(["clock", "processor"], pair)}
The input comes from a file. What the client shows goes into one, whose size \
tells how many round trips it made. Nobody types or reads: this is what the \
programs cost. Python is the pair on the [first page](../../README.md).
`;
  console.log(page);
  if (option !== "--write") return;
  writeFileSync(new URL("results.md", import.meta.url), page);
  writeFileSync(new URL("plot.svg", import.meta.url), plot(sizes, group));
}

process.on("SIGINT", () => process.exit(130)); // which ends all that it started
main(process.argv[2]).then(() => process.exit(), (error: Error) => {
  console.error(error.message);
  process.exit(1);
});
