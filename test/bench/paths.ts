// Part 5: long and lossy paths. How long the last line takes to be everywhere
// and what is sent for it, beside a plain relay over TCP on the same path.

import { spawnSync } from "node:child_process";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { commandOf, listening, type Server } from "../support/pair.ts";
import { Program } from "../support/processes.ts";
import { type Runtime } from "../support/runtimes.ts";
import {
  bench,
  end,
  figure,
  NODE,
  progress,
  PYTHON,
  pythonCommand,
  spread,
  sum,
  table,
  there,
} from "./measure.ts";

const PATIENCE = 15; // s after the last line, then it is no use

interface Conditions {
  title: string;
  members: number;
  lines: number; // that each of them says
  every: number; // ms, or 0: all at once
  drop: number; // percent
  delay: number; // ms, each way
}

const typed = { members: 5, lines: 100, every: 5, delay: 10 };
const piped = { members: 3, lines: 2000, every: 0, delay: 50 };
const CONDITIONS: Conditions[] = [
  ...[0, 10, 30, 50].map((drop) => ({
    title: `${drop} % lost, 10 ms`,
    drop,
    ...typed,
  })),
  ...[0, 2].map((drop) => ({
    title: `piped, ${drop} % lost, 50 ms`,
    drop,
    ...piped,
  })),
];

interface Contestant {
  name: string;
  server: string[];
  client: (name: string, port: number) => string[];
}

const hub = (runtime: Runtime): Contestant => ({
  name: `hub, ${runtime.name}`,
  server: commandOf(runtime, "group/server.ts", "10.0.0.1", 0),
  client: (name, port) =>
    commandOf(runtime, "group/client.ts", name, "10.0.0.2", port),
});

const relay: Contestant = {
  name: "plain relay over TCP",
  server: pythonCommand("test/bench/relay.py", "tcp", "10.0.0.1"),
  client: (name, port) => {
    const args = ["TCP relay", name, "10.0.0.2", port];
    return commandOf(NODE, "test/bench/plain-client.ts", ...args);
  },
};

const NOT_POSSIBLE = "it needs Linux with Python, ip, unshare and /dev/net/tun";
const NAMESPACE = ["unshare", "--user", "--map-root-user", "--net"];

/** A network of its own, and how to start programs in it. */
async function startPath(drop: number, delay: number, seed: number) {
  const args = pythonCommand("test/bench/path.py", drop, delay, seed);
  const path = new Program(bench, [...NAMESPACE, ...args]);
  await path.until(() => path.stderr.includes("ready"));
  const enter = ["nsenter", "--preserve-credentials", "--user", "--net"];
  const inside = (command: string[]) =>
    new Program(bench, [...enter, "--target", `${path.pid}`, ...command]);
  return { path, inside };
}

interface Result {
  took: number; // s, from the last line said to the last one shown
  packets: number; // a line delivered
  bytes: number;
  missing: number; // lines that somebody has not shown
}

/** The lines that were said, of those that a member shows. */
function shown(member: Program): number {
  return member.stdout.match(/^\w+: /gm)?.length ?? 0;
}

async function talk(
  { server: command, client }: Contestant,
  { members: count, lines, every, drop, delay }: Conditions,
  seed: number,
): Promise<Result> {
  const { path, inside } = await startPath(drop, delay, seed);
  const server: Server = await listening(inside(command));
  const names = Array.from({ length: count }, (_, i) => `m${i}`);
  const members = names.map((name) => inside(client(name, server.port)));
  await Promise.all(
    members.map((one, i) =>
      one.until(() => one.stdout.includes(`${names[i]} joined (`))
    ),
  );
  process.kill(path.pid, "SIGUSR1");
  for (let i = 1; i <= lines; i++) {
    for (const member of members) member.write(`line ${i}\n`);
    if (every > 0 && i < lines) await pause(every);
  }
  const said = performance.now();
  const each = count * lines;
  const everywhere = () => members.every((one) => shown(one) >= each);
  while (!everywhere() && performance.now() - said < PATIENCE * 1000) {
    await pause(20);
  }
  const took = (performance.now() - said) / 1000;
  process.kill(path.pid, "SIGTERM");
  await path.exits();
  const [packets = NaN, bytes = NaN] = path.stdout.split(" ").map(Number);
  const delivered = sum(members.map(shown));
  end(server, ...members);
  return {
    took,
    packets: packets / delivered,
    bytes: bytes / delivered,
    missing: each * count - delivered,
  };
}

/** Are there Python, namespaces, and devices that a program can be the path of? */
function possible(): boolean {
  const [program = "", ...args] = NAMESPACE;
  const tool = [...args, "ip", "tuntap", "add", "path", "mode", "tun"];
  return PYTHON !== "" && spawnSync(program, tool).status === 0;
}

/** All of them, for they differ much. */
function times(results: Result[]): string {
  const took = results.map(({ took, missing }) => missing ? Infinity : took);
  return took.sort((a, b) => a - b)
    .map((s) => s === Infinity ? `over ${PATIENCE}` : figure(s)).join(", ");
}

export async function paths(quick: boolean): Promise<string> {
  const title = "## 5. Paths";
  if (!possible()) return `${title}\n\nNot measured: ${NOT_POSSIBLE}.\n`;
  const rounds = quick ? 1 : 3;
  const conditions = quick ? CONDITIONS.slice(0, 2) : CONDITIONS;
  const hubs = there.filter(({ name }) => /Node 24|Bun|Deno/.test(name));
  const contestants = [relay, ...hubs.map(hub)];
  // Mostly they wait, so they do it at the same time.
  const results = await Promise.all(contestants.map(async (one) => {
    const all: Result[][] = [];
    for (const some of conditions) {
      progress(`paths: ${one.name}, ${some.title}`);
      const results: Result[] = [];
      for (let seed = 1; seed <= rounds; seed++) {
        results.push(await talk(one, some, seed));
      }
      all.push(results);
    }
    return all;
  }));
  const rows = conditions.flatMap(({ title }, i) =>
    contestants.map(({ name }, j) => {
      const all = results[j]![i]!;
      const of = (which: keyof Result) => all.map((one) => one[which]);
      return [
        title,
        name,
        times(all),
        spread(of("packets")),
        spread(of("bytes")),
        figure(sum(of("missing"))),
      ];
    })
  );
  const head = [
    "",
    "",
    "s until the last line is everywhere",
    "packets a line delivered",
    "bytes",
    "lines missing",
  ];
  return `${title}

${table(head, rows)}

The scripts and a plain relay over TCP, each in a network of its own, over a path
that delays each packet for so long, each way, and loses so many of them, both
ways, from when all have joined (test/bench/path.py). ${typed.members} clients say ${typed.lines} lines
each, one every ${typed.every} ms; where it says piped, ${piped.members} clients say ${
    figure(piped.lines)
  } lines each, all at
once. The time is from the last line said to the last one shown by the last
client${
    rounds === 1 ? "" : `, of ${rounds} rounds, each with its own dice`
  }. Packets and bytes are those of both directions with their headers of IP,
acknowledgements and what got lost included, over the lines that were shown.
`;
}
