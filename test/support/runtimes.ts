// The six ways to run a script, and how to run one test on each of them.
// Where a runtime is, an environment variable says (NODE20, NODE22, NODE24,
// NODE26, BUN, DENO, BUN1212, BUN1312: the path of its program), else PATH
// does. The tests leave out what is nowhere, and runtimes.test.ts says once
// what that is.

import { spawnSync } from "node:child_process";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

export interface Runtime {
  name: string;
  /** The program's own version, or "" where there is no such program. */
  version: string;
  /** What stands on the command line before the script's path. */
  command: string[];
}

const TSX = fileURLToPath(
  new URL("../../node_modules/tsx/dist/cli.mjs", import.meta.url),
);

function find(variable: string, onPath: string): [string, string] {
  const program = process.env[variable] ?? onPath;
  const { stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
  return [program, /\d+\.\d+\.\d+/.exec(stdout ?? "")?.[0] ?? ""];
}

/** Node by itself: that major, from 22.18 on, where it began to strip types. */
function node(major: number): Runtime {
  const [program, version] = find(`NODE${major}`, "node");
  const [is = 0, minor = 0] = version.split(".").map(Number);
  const fits = is === major && (major > 22 || minor >= 18);
  return {
    name: `Node ${major}`,
    version: fits ? version : "",
    command: [program],
  };
}

function runtime(name: string, variable: string, args: string[]): Runtime {
  const [program, version] = find(variable, name.toLowerCase());
  return { name, version, command: [program, ...args] };
}

function tsx(): Runtime {
  const [program, version] = find("NODE20", "node");
  const major = version.split(".")[0];
  return { name: `tsx on Node ${major}`, version, command: [program, TSX] };
}

export const runtimes: Runtime[] = [
  tsx(),
  node(22),
  node(24),
  node(26),
  runtime("Bun", "BUN", []),
  runtime("Deno", "DENO", ["run", "--allow-net"]),
];

/** The oldest Bun that the page promises and one in between, and all the rest. */
export const withOlderBuns: Runtime[] = [
  ...runtimes,
  runtime("Bun 1.2.12", "BUN1212", []),
  runtime("Bun 1.3.12", "BUN1312", []),
];

export const here = runtimes.filter(({ version }) => version !== "");

const kinds = here.filter(({ name }) =>
  ["Node 24", "Bun", "Deno"].includes(name)
);

/**
 * One of each kind, or what there is: for what all Nodes do alike, and for what
 * takes too long on all six.
 */
export const ofEachKind = kinds.length > 0 ? kinds : here;

/** The next runtime that is there, to be the other end of a conversation. */
export function another(than: Runtime): Runtime {
  return here[(here.indexOf(than) + 1) % here.length] ?? than;
}

/** This runtime's share of a table, for rows that one runtime is enough for. */
export function share<Row>(
  rows: Row[],
  runtime: Runtime,
  these = runtimes,
): Row[] {
  const takers = these.filter(({ version }) => version !== "");
  return rows.filter((_, i) => takers[i % takers.length] === runtime);
}

/** Run one test on those of these runtimes that are here. */
export function on(
  these: Runtime[],
  title: string,
  body: (t: TestContext, runtime: Runtime) => Promise<void>,
  timeout = 60_000,
) {
  for (const runtime of these) {
    if (runtime.version === "") continue;
    test(`${title}: ${runtime.name}`, { timeout }, (t) => body(t, runtime));
  }
}

/** Run one test on every runtime that is here. */
export function onEveryRuntime(
  title: string,
  body: (t: TestContext, runtime: Runtime) => Promise<void>,
  timeout?: number,
) {
  on(runtimes, title, body, timeout);
}
