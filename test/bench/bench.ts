#!/usr/bin/env -S npx tsx
// The benchmark: what the scripts cost beside what people would use instead, and
// beside what the runtime itself costs. Each figure is measured side by side with
// what it is compared to, in turns: times alone say little on a shared machine.

import { writeFileSync } from "node:fs";
import { arch, cpus, platform, release } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { delays, deliveries } from "./group.ts";
import { MISSING, PYTHON, versionOf } from "./measure.ts";
import { roundTrips, startTimes } from "./pair.ts";
import { paths } from "./paths.ts";
import { PROJECT } from "../support/processes.ts";
import { runtimes } from "../support/runtimes.ts";

const USAGE = `usage: npm run bench -- [--quick] [--part NAME]... [--write]
  --quick      a minute, with rougher figures, instead of nearly ten
  --part NAME  only this part: round-trips, start, group, delay or paths
  --write      keep the result as test/bench/results.md, and the plot there`;

const PARTS = {
  "round-trips": roundTrips,
  start: startTimes,
  group: deliveries,
  delay: delays,
  paths,
};

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

function header(command: string): string {
  const [cpu] = cpus();
  const versions = [
    ...runtimes.map(({ name, version }) => [name, version]),
    ["Python", PYTHON && versionOf(PYTHON, "--version")],
    ["nats-server", versionOf("nats-server", "--version")],
    ["mosquitto", versionOf("mosquitto", "-h")],
  ];
  return `# Benchmark

Made by \`${command}\` on ${new Date().toISOString().slice(0, 10)}.

- Machine: ${cpu?.model ?? "unknown processor"}, ${cpus().length} cores, \
${platform()} ${release()} ${arch()}
${versions.map(([name, one]) => `- ${name}: ${one || MISSING}`).join("\n")}
`;
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => process.exit(1)); // which ends all that it started
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
const page = [header(`npm run bench${given && ` -- ${given}`}`)];
console.log(page[0]);
for (const [, measure] of chosen) {
  const chapter = await measure(quick, write);
  page.push(chapter);
  console.log(chapter);
}
if (write) {
  writeFileSync(join(PROJECT, "test/bench/results.md"), page.join("\n"));
}
process.exit();
