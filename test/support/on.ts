// The ways to run a script, and how to run one test on each of them. A variable
// (NODE20 to NODE26, BUN, DENO, ...) names a program, else PATH does. What is
// nowhere is left out, and transcript.test.ts says so.

import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

export interface Runtime {
  name: string;
  version: string; // "" where there is no such program
  command: string[]; // what stands before the script's path
}

const TSX = fileURLToPath(
  new URL("../../node_modules/tsx/dist/cli.mjs", import.meta.url),
);
const DENO = ["run", "--allow-net"];
const TABLE: [string, string, string, string[], RegExp][] = [
  ["tsx", "NODE20", "node", [TSX], /^[2-9]\d\./],
  ["Node 22", "NODE22", "node", [], /^22\.(1[89]|[2-9]\d)\./],
  ["Node 24", "NODE24", "node", [], /^24\./],
  ["Node 26", "NODE26", "node", [], /^26\./],
  ["Bun", "BUN", "bun", [], /^1\./],
  ["Deno", "DENO", "deno", DENO, /^2\./],
  ["Bun 1.2.12", "BUN1212", "bun", [], /^1\.2\.12$/],
  ["Bun 1.3.12", "BUN1312", "bun", [], /^1\.3\.12$/],
  ["Deno 2.7", "DENO27", "deno", DENO, /^2\.7\./],
];

const known = TABLE.map(
  ([name, variable, onPath, args, wanted]) => {
    const program = process.env[variable] || onPath;
    const { stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
    const found = /\d+\.\d+\.\d+/.exec(stdout ?? "")?.[0] ?? "";
    const version = wanted.test(found) ? found : "";
    return { name, variable, version, command: [program, ...args] };
  },
);

/** Such as "Bun (BUN)": that program is not on PATH, and not in this variable. */
export const missing = known.filter(({ version }) => version === "")
  .map(({ name, variable }) => `${name} (${variable})`);

/** All that are here: the six, and some older ones. */
export const all: Runtime[] = known.filter(({ version }) => version !== "");
export const runtimes = all.filter(({ name }) => !/\d\.\d/.test(name));

/** One of each kind, or what there is: for what all Nodes do alike. */
const some = runtimes.filter(({ name }) => /^(Node 24|Bun|Deno)$/.test(name));
export const kinds = some.length > 0 ? some : runtimes;
/** And tsx, which passes signals on: the script gets them twice. */
export const withTsx = all.filter((one) =>
  one.name === "tsx" || kinds.includes(one)
);

/** Another runtime that is here, to be the other end of a conversation. */
export function other(than: Runtime, n = 1): Runtime {
  const at = runtimes.findIndex(({ name }) => name === than.name) + n;
  return runtimes[at % runtimes.length]!;
}

/**
 * This runtime's share of a table, where one runtime is enough for a row. Who
 * has only one tries every fourth row, and leaves the others to CI.
 */
export function share<Row>(rows: Row[], runtime: Runtime, of: Runtime[]) {
  const parts = Math.max(of.length, 4);
  return rows.filter((_, i) => i % parts === of.indexOf(runtime));
}

/** Why a test is skipped, or false: this has failed, and no CI may do without. */
export function needed(what: string, { status }: SpawnSyncReturns<Buffer>) {
  return status === 0 || process.env["CI"] ? false : `needs ${what}`;
}

/** Run one test on each of these runtimes. */
export function on(
  these: Runtime[],
  title: string,
  body: (t: TestContext, runtime: Runtime) => Promise<unknown>,
  { timeout = 60_000, skip = false as string | false } = {},
) {
  for (const runtime of these) {
    const options = { timeout, skip };
    test(`${title}: ${runtime.name}`, options, (t) => body(t, runtime).then());
  }
}

/** What is too late on a busy machine may be in time when tried again. */
export async function thrice(t: TestContext, body: () => Promise<void>) {
  for (let left = 2; left > 0; left--) {
    try {
      return await body();
    } catch (error) {
      t.diagnostic(`once more: ${error}`);
    }
  }
  return await body();
}
