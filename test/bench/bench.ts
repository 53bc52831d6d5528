#!/usr/bin/env -S npx tsx
// The benchmark: what the scripts cost beside the same in Python and beside
// what the runtime itself costs. Each figure is measured side by side with what
// it is compared to, in turns: times alone say little on a shared machine.

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { arch, cpus, platform, release } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { group } from "./group.ts";
import { loss } from "./loss.ts";
import { roundTrips } from "./round-trips.ts";
import { startTimes } from "./start.ts";
import { COMPILER, MISSING, PYTHON } from "./tools.ts";
import { PROJECT } from "../support/processes.ts";
import { runtimes } from "../support/runtimes.ts";

const USAGE = `usage: npm run bench -- [--quick] [--part NAME]... [--write]
  --quick      a minute, with rougher figures, instead of nearly ten
  --part NAME  only this part: round-trips, start, group or loss
  --write      keep the result as test/bench/bench.md`;

const PARTS = { "round-trips": roundTrips, start: startTimes, group, loss };

function fail(why: string): never {
  console.error(`${why}; see --help`);
  process.exit(2);
}

function options() {
  try {
    return parseArgs({
      options: {
        help: { type: "boolean", short: "h" },
        quick: { type: "boolean", default: false },
        part: { type: "string", multiple: true, default: Object.keys(PARTS) },
        write: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    fail((error as Error).message.split(/[.\n]/, 1).join());
  }
}

function version(program: string, ...args: string[]): string {
  const { stdout } = spawnSync(program, args, { encoding: "utf8" });
  return stdout?.split("\n", 1)[0] || MISSING;
}

function header(command: string): string {
  const [cpu] = cpus();
  const versions = runtimes.map(({ name, version }) =>
    `${name}: ${version || MISSING}`
  );
  return `# Benchmark

Made by \`${command}\` on ${new Date().toISOString().slice(0, 10)}.

- Machine: ${cpu?.model ?? "unknown processor"}, ${cpus().length} cores, \
${platform()} ${release()} ${arch()}
${versions.map((one) => `- ${one}`).join("\n")}
- Python: ${PYTHON ? version(PYTHON, "--version") : MISSING}
- C compiler: ${COMPILER ? version(COMPILER, "--version") : MISSING}
`;
}

const { help, quick, part, write } = options();
if (help) {
  console.log(USAGE);
  process.exit();
}
const unknown = part.find((name) => !(name in PARTS));
if (unknown !== undefined) fail(`there is no part "${unknown}"`);

const chosen = Object.entries(PARTS).filter(([name]) => part.includes(name));
const all = chosen.length === Object.keys(PARTS).length;
const given = [
  ...(quick ? ["--quick"] : []),
  ...(all ? [] : part.map((name) => `--part ${name}`)),
].join(" ");
const pages = [header(`npm run bench${given && ` -- ${given}`}`)];
console.log(pages[0]);
for (const [, measure] of chosen) {
  const page = await measure({ quick });
  pages.push(page);
  console.log(page);
}
if (write) {
  const file = join(PROJECT, "test/bench/bench.md");
  writeFileSync(file, pages.join("\n"));
}
process.exit(); // ends all that still runs
