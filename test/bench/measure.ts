// What the parts of the benchmark share: programs that are measured from
// outside, and figures that are put into tables.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import { endGroup, PROJECT } from "../support/processes.ts";
import { quantile } from "../support/quantile.ts";
import { type Runtime, runtimes } from "../support/runtimes.ts";

// ---- Programs ----

/** For programs that end with the benchmark, if nobody ends them before. */
export const bench = { after() {} } as unknown as TestContext;

/** A path in a folder that goes when the benchmark ends. */
export const scratch = (name: string) => join(FOLDER, name);
const FOLDER = mkdtempSync(join(tmpdir(), "udp-chat-"));
process.on("exit", () => rmSync(FOLDER, { recursive: true }));

/** Those of the runtimes that this machine has. */
export const there = runtimes.filter(({ version }) => version !== "");

/** What runs the load and the plain clients. */
export const NODE = there.findLast(({ name }) => name.includes("Node"))!;

/** The first line that a program prints about its version, or "". */
export function versionOf(program: string, ...args: string[]): string {
  const { stdout } = spawnSync(program, args, { encoding: "utf8" });
  return stdout?.split("\n", 1)[0] ?? "";
}

/** The Python that there is, or "". The name alone may be a script that looks for it. */
export const PYTHON = versionOf(
  "python3",
  "-c",
  "import sys; print(sys.executable)",
);

/** The command of a Python script, whatever the environment says. */
export function pythonCommand(script: string, ...args: (string | number)[]) {
  const file = join(PROJECT, script);
  return [PYTHON, "-E", "-X", "utf8", file, ...args.map(String)];
}

/** A command whose stdout nobody reads, and perhaps whose input is a file. */
export function inFiles(command: string[], output: string, input = "") {
  const files = `>'${output}'` + (input && ` <'${input}'`);
  return ["sh", "-c", `exec "$@" ${files}`, "sh", ...command];
}

/** The same runtime, with its scripts' stdout thrown away. */
export function silent(runtime: Runtime): Runtime {
  return { ...runtime, command: inFiles(runtime.command, "/dev/null") };
}

export function end(...programs: { pid: number }[]) {
  for (const { pid } of programs) endGroup(pid);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // it is not Linux, or the process has ended
  }
}

/** A process and those it started: tsx, for one, is two processes. */
function family(pid: number): number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`).split(" ");
  return [pid, ...children.filter(Boolean).map(Number).flatMap(family)];
}

/** Processor time until now of each thread of the programs, in ms. */
function threadTimes(pids: number[]): Map<string, number> {
  const times = new Map<string, number>();
  for (const pid of pids.flatMap(family)) {
    for (const id of readdirSync(`/proc/${pid}/task`)) {
      // Its first number is the thread's time in ns; stat has it by 10 ms only.
      const ns = parseInt(read(`/proc/${pid}/task/${id}/schedstat`));
      times.set(id, ns / 1e6 || 0);
    }
  }
  return times;
}

/** Returns what tells the processor time of programs from now on, in ms. */
export function processorClock(...pids: number[]): () => number {
  if (process.platform !== "linux") return () => NaN;
  const before = threadTimes(pids);
  return () =>
    sum(
      [...threadTimes(pids)].map(([id, ms]) => ms - (before.get(id) ?? 0)),
    );
}

// ---- Figures ----

export const sum = (all: number[]) => all.reduce((a, b) => a + b, 0);

/** "1,234", "12.3" or "1.23": three digits are enough. */
export function figure(n: number): string {
  if (Number.isNaN(n)) return "not measured";
  const digits = n >= 100 || n === Math.floor(n) ? 0 : n >= 10 ? 1 : 2;
  return n.toLocaleString("en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

/** The median and, where there are several, the two quartiles; "" of nothing. */
export function spread(all: number[]): string {
  if (all.length === 0) return "";
  const [low, middle, high] = [0.25, 0.5, 0.75].map((q) => quantile(all, q));
  if (all.length < 2 || Number.isNaN(middle)) return figure(middle!);
  return `${figure(middle!)} (${figure(low!)}–${figure(high!)})`;
}

/** For each round the ratio of two figures; nothing to itself or to nothing. */
export function ratios(all: number[], to: number[]): number[] {
  if (all === to || to.length === 0) return [];
  return all.map((one, round) => one / to[round]!);
}

export const MISSING = "not on this machine";

export type Column = [head: string, cell: (name: string) => string];

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

/** A table with a row for each name, if it was measured. */
export function tableOf(
  names: string[],
  measured: { has(name: string): boolean },
  columns: Column[],
): string {
  const row = (name: string) =>
    measured.has(name) ? columns.map(([, cell]) => cell(name)) : [MISSING];
  const head = columns.map(([head]) => head);
  return table(["", ...head], names.map((name) => [name, ...row(name)]));
}

export function progress(text: string) {
  process.stderr.write(`${text}\n`);
}
