// What the parts of the benchmark share: processes that are measured from
// outside, and figures that are put into tables.

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import {
  endGroup,
  ENVIRONMENT,
  Program,
  PROJECT,
} from "../support/processes.ts";

export interface Options {
  quick: boolean;
}

// What this shell has set for its own use would be measured too.
for (const name of Object.keys(ENVIRONMENT)) {
  if (name.startsWith("NODE_")) Reflect.deleteProperty(ENVIRONMENT, name);
}

/** For programs that end with the benchmark, if nobody ends them before. */
export const bench = { after() {} } as unknown as TestContext;

/** The Python that there is, or "". The name alone may be a script that looks for it. */
export const PYTHON = spawnSync(
  "python3",
  ["-c", "import sys; print(sys.executable, end='')"],
  { encoding: "utf8" },
).stdout ?? "";

/** A script of this folder in Python, its stdout buffered as usual. */
export function pythonScript(
  script: string,
  ...args: (string | number)[]
): Program {
  const file = join(PROJECT, "test/bench", script);
  const options = ["-E", "-X", "utf8"]; // whatever the environment says
  return new Program(bench, [PYTHON, ...options, file, ...args.map(String)]);
}

export function end(...programs: Program[]) {
  for (const { pid } of programs) endGroup(pid);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // it is not Linux, or the process has ended
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // the process has ended
  }
}

/** A process and those it started: tsx, for one, is two processes. */
export function family(pid: number): number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`).split(" ");
  return [pid, ...children.filter(Boolean).map(Number).flatMap(family)];
}

/** Processor time of the programs until now, in ms; NaN where it is not Linux. */
export function processorTime(...programs: { pid: number }[]): number {
  if (process.platform !== "linux") return NaN;
  const processes = programs.flatMap(({ pid }) => family(pid));
  return sum(
    processes.flatMap((pid) =>
      list(`/proc/${pid}/task`).map((thread) =>
        // Its first number is the thread's time in ns; stat has it by 10 ms only.
        Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(" ")[0]) /
        1e6
      )
    ),
  );
}

export const sum = (all: number[]) => all.reduce((a, b) => a + b, 0);

export function quantile(all: number[], share: number): number {
  const sorted = [...all].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const [low = NaN, high = low] = sorted.slice(Math.floor(at));
  return low + (high - low) * (at % 1);
}

export const median = (all: number[]) => quantile(all, 0.5);

/** "1,234", "12.3" or "1.23": three digits are enough. */
export function figure(n: number): string {
  if (Number.isNaN(n)) return "n/a";
  const digits = Math.abs(n) >= 100 ? 0 : Math.abs(n) >= 10 ? 1 : 2;
  return n.toLocaleString("en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

/** A whole number. */
export function count(n: number): string {
  return Number.isNaN(n) ? "n/a" : n.toLocaleString("en");
}

/** The median and, where there are several, the two quartiles. */
export function spread(all: number[]): string {
  const [low, middle, high] = [0.25, 0.5, 0.75].map((q) => quantile(all, q));
  if (all.length < 2 || Number.isNaN(middle)) return figure(middle!);
  return `${figure(middle!)} (${figure(low!)}–${figure(high!)})`;
}

export const MISSING = "not on this machine";

/** A line about a figure to be reached: what it is, and whether it is so. */
export function target(
  what: string,
  is: number,
  bound: "at most" | "at least",
  wanted: number,
) {
  if (Number.isNaN(is)) return `- ${what}: not measured`;
  const reached = bound === "at most" ? is <= wanted : is >= wanted;
  const verdict = reached ? "reached" : "**missed**";
  return `- ${what}: ${figure(is)}, ${bound} ${wanted} wanted: ${verdict}`;
}

export function table(head: string[], rows: string[][]): string {
  const all = [head, ...rows];
  const widths = head.map((_, i) =>
    Math.max(...all.map((row) => row[i]?.length ?? 0))
  );
  const line = (cells: string[]) =>
    `| ${
      widths.map((width, i) => (cells[i] ?? "").padEnd(width)).join(" | ")
    } |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [line(head), rule, ...rows.map(line)].join("\n");
}

export function progress(text: string) {
  process.stderr.write(`${text}\n`);
}

/** The C compiler that there is, or "". */
export const COMPILER = spawnSync("cc", ["--version"]).status === 0 ? "cc" : "";
