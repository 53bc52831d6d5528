// The two measurements: what a line costs a server for each member that gets
// it, and what a round trip costs a pair.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join as path } from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { socketOf } from "../support/linux.ts";
import { runtimes } from "../support/on.ts";
import * as support from "../support/program.ts";
import { joinHub, joinNats, joinRelay, type Member } from "./members.ts";

const { commandOf, HERE, inShell, kill, ours, Program, python } = support;

export const quick = process.argv.length > 2;
/** How much to measure: sizes of the group; ms to warm up, and of a sample. */
export const { sizes, rounds, warmUp, ms } = quick
  ? { sizes: [20], rounds: 1, warmUp: 300, ms: 300 }
  : { sizes: [20, 200, 1000], rounds: 3, warmUp: 2000, ms: 500 };

const chosen = runtimes.filter(({ name }) => !/22|26/.test(name));
const others = ["python3", "nats-server"].map((name) => {
  const { stdout } = spawnSync(name, ["--version"], { encoding: "utf8" });
  return { name, version: /\d+\.\d+\.\d+/.exec(stdout ?? "")?.[0] ?? "" };
}).filter(({ version }) => version);
const isHere = (program = "") => others.some(({ name }) => name === program);
export const versions = [...chosen, ...others].map(({ name, version }) =>
  `${name.replace("tsx", "tsx on Node")} ${version}`
).join(", ");

// ---- Programs, and what they cost ----

const bench = { after() {} }; // a Program ends with us, if not before
const after = (end: () => void) => void process.on("exit", end);
const folder = support.emptyFolder({ after });
const [INPUT, OUTPUT] = [path(folder, "input"), path(folder, "output")];

/** Start a program that writes into a file, and perhaps reads one. */
function start(command: string[], output: string, input = "/dev/null") {
  const line = `exec "$@" >'${output}' <'${input}'`;
  return new Program(bench, inShell(line, command));
}

type Used = [thread: string, ns: number];

/** What each thread of a program has used, and of those that it started. */
function threads(pid: number): Used[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((id): Used[] => {
    const read = (name: string) =>
      readFileSync(`/proc/${pid}/task/${id}/${name}`, "utf8");
    const children = read("children").match(/\d+/g) ?? [];
    const own = parseInt(read("schedstat"));
    return [[id, own], ...children.map(Number).flatMap(threads)];
  });
}

/** Returns what tells the µs of processor that programs use from now on. */
function processorClock(...pids: number[]): () => number {
  const before = new Map(pids.flatMap(threads));
  const add = (sum: number, [id, ns]: Used) => sum + ns - (before.get(id) ?? 0);
  return () => pids.flatMap(threads).reduce(add, 0) / 1000;
}

// ---- The group ----

const RELAY = `
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", 0))
print("listening on", sock.getsockname()[1], file=sys.stderr, flush=True)
members = set()
while True:
    line, sender = sock.recvfrom(65535)
    if line:
        for member in members:
            sock.sendto(line, member)
    else:
        members.add(sender)
        sock.sendto(line, sender)
`;
const NATS = ["nats-server", "-a", HERE, "-p", "-1"];
const OTHERS = [
  { name: "plain relay", join: joinRelay, command: ["python3", "-c", RELAY] },
  { name: "nats-server", join: joinNats, command: NATS },
];
export const servers = [
  ...OTHERS.filter(({ command }) => isHere(command[0])),
  ...chosen.map((one) => ({
    name: `our hub, ${one.name}`,
    join: joinHub,
    command: commandOf(one, "group/server.ts", HERE, ""), // and a free port
  })),
];

export const TALKERS = 20;
export const WINDOW = 8; // lines of each of them that are on their way

/** µs of the processor for each line that a member gets, and lines lost, %. */
export async function measureGroup(
  { join, command }: typeof servers[number],
): Promise<number[][]> {
  const free = await support.freePort();
  const server = start(command.map((word) => word || `${free}`), "/dev/null");
  const told = () => /listening.*?(\d+)\n/i.exec(server.stderr);
  await server.until(() => told() ?? socketOf(free));
  const port = Number(told()?.[1] ?? free);

  const all: Member[] = [];
  let [talking, said, heard] = [false, 0, 0]; // lines, of all members together
  const texts = (count: number) =>
    Array.from({ length: count }, () => `line ${++said} of who talks a lot`);
  const add = async (i: number) => {
    const name = `m${1000 + i}`;
    const from = `127.0.0.${1 + i % 8}`; // a hub takes 250 from one at the most
    all[i] = await join(name, port, from, (lines) => {
      heard += lines.length;
      if (!talking || i >= TALKERS) return;
      const own = lines.filter((line) => line.includes(`${name}: `)).length;
      if (own > 0) all[i]!.say(texts(own));
    });
  };
  const quiet = async () => {
    for (let before = -1; before !== heard; await pause(300)) before = heard;
  };

  const samples: number[][] = [];
  let lost = 0; // %, of the group that lost most
  for (const size of sizes) {
    while (all.length < size) {
      const some = Array.from({ length: 20 }, (_, i) => all.length + i);
      await Promise.all(some.map(add));
    }
    await quiet();
    [talking, said, heard] = [true, 0, 0];
    for (const one of all.slice(0, TALKERS)) one.say(texts(WINDOW));
    const costs: number[] = [];
    for (const time of [warmUp, ms, ms]) {
      const [before, used] = [heard, processorClock(server.pid)];
      do await pause(time); while (heard === before);
      costs.push(used() / (heard - before));
    }
    samples.push(costs.slice(1)); // without the warm-up
    talking = false;
    await quiet();
    lost = Math.max(lost, 100 * (1 - heard / (said * size)));
  }
  all.forEach((one) => one.close());
  kill(server.pid);
  assert(join !== joinHub || lost === 0, `our hub lost ${lost} % of the lines`);
  return [...samples, [lost]];
}

// ---- The pair ----

export const pairs = [
  ...isHere("python3") ? [{ name: "Python", of: python }] : [],
  ...chosen.map((one) => ({ name: one.name, of: ours(one) })),
];

const SHOWN = "hello\n>>>".length; // bytes that a trip makes the client print

/** µs of a round trip: on the clock, and of the processor. */
export async function measurePair(
  { of }: typeof pairs[number],
): Promise<number[][]> {
  writeFileSync(INPUT, "hello\n".repeat(500_000)); // more than anyone gets to
  writeFileSync(OUTPUT, "");
  const trips = () => statSync(OUTPUT).size / SHOWN;
  const port = await support.freePort();
  const server = start(of("server", port), "/dev/null", INPUT);
  await support.bound(server, port);
  const client = start(of("client", port), OUTPUT, INPUT);
  await client.until(() => trips() > 1);
  await pause(warmUp);
  const [before, began] = [trips(), performance.now()];
  const used = processorClock(server.pid, client.pid);
  await pause(ms);
  const made = trips() - before;
  assert(made > 0, "the pair is stuck");
  const costs = [(performance.now() - began) * 1000, used()];
  for (const { pid } of [server, client]) kill(pid);
  return costs.map((us) => [us / made]);
}
