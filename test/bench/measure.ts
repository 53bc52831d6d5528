// The two measurements: what a line costs a server for each member that gets
// it, and what a round trip costs a pair.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join as path } from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { kinds, runtimes } from "../support/on.ts";
import * as support from "../support/program.ts";
import * as members from "./members.ts";

const { commandOf, HERE, kill, Program, PROJECT } = support;

export interface Extent {
  sizes: number[]; // members of the group
  warmUp: number; // ms
  ms: number; // of a sample
}
export interface Contestant {
  name: string;
  /** Returns samples, for each column of a table. */
  measure(extent: Extent): Promise<number[][]>;
}

/** The runtimes that the scripts are measured on. */
export const chosen = runtimes.filter((one) =>
  one.name === "tsx" || kinds.includes(one)
);

// ---- Programs, and what they cost ----

const bench = { after() {} }; // a Program ends with us, if not before
const atExit = (end: () => void) => void process.on("exit", end);
const folder = support.emptyFolder({ after: atExit });
const [INPUT, OUTPUT] = [path(folder, "input"), path(folder, "output")];

/** Start a program that writes into a file, and perhaps reads one. */
function start(command: string[], output: string, input = "/dev/null") {
  const script = `exec "$@" >'${output}' <'${input}'`;
  return new Program(bench, ["sh", "-c", script, "sh", ...command]);
}

/** The ns that each thread of a program has used, and of those it started. */
function threadTimes(pid: number): [thread: string, ns: number][] {
  return readdirSync(`/proc/${pid}/task`).flatMap((id) => {
    const read = (name: string) =>
      readFileSync(`/proc/${pid}/task/${id}/${name}`, "utf8");
    const children = read("children").match(/\d+/g) ?? [];
    const own: [string, number] = [id, parseInt(read("schedstat"))];
    return [own, ...children.map(Number).flatMap(threadTimes)];
  });
}

/** Returns what tells the µs of processor that programs use from now on. */
function processorClock(...pids: number[]): () => number {
  const before = new Map(pids.flatMap(threadTimes));
  const used = () =>
    pids.flatMap(threadTimes).map(([id, ns]) => ns - (before.get(id) ?? 0));
  return () => used().reduce((sum, ns) => sum + ns) / 1000;
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
const { joinHub, joinNats, joinRelay } = members;

/** What there is to compare with, as far as it is on this machine. */
export const others = [
  { name: "python3", args: ["-c", RELAY], join: joinRelay },
  { name: "nats-server", args: ["-a", HERE, "-p", "-1"], join: joinNats },
].flatMap((one) => {
  const { stdout } = spawnSync(one.name, ["--version"], { encoding: "utf8" });
  const version = /\d+\.\d+\.\d+/.exec(stdout ?? "")?.[0];
  return version ? [{ ...one, version }] : [];
});

export const servers: Contestant[] = [
  ...others.map(({ name, args, join }) => ({
    name: name.replace("python3", "plain relay"),
    measure: (extent: Extent) => measureGroup([name, ...args], join, extent),
  })),
  ...chosen.map((runtime) => ({
    name: `our hub, ${runtime.name}`,
    measure: (extent: Extent) => {
      const command = commandOf(runtime, "group/server.ts", HERE, 0);
      return measureGroup(command, joinHub, extent);
    },
  })),
];

export const TALKERS = 20;
export const WINDOW = 8; // lines of each of them that are on their way

/** µs of the processor for each line that a member gets, and lines lost, %. */
async function measureGroup(
  command: string[],
  join: members.Join,
  { sizes, warmUp, ms }: Extent,
): Promise<number[][]> {
  const server = start(command, "/dev/null");
  const ready = /listening.*?(\d+)\n/i;
  await server.until(() => ready.test(server.stderr));
  const port = Number(ready.exec(server.stderr)![1]);

  const all: members.Member[] = [];
  let [talking, said, heard] = [false, 0, 0]; // lines, of all members together
  const texts = (count: number) =>
    Array.from({ length: count }, () => `line ${++said} of who talks a lot`);
  const add = async (i: number) => {
    const name = `m${1000 + i}`;
    const from = `127.0.0.${1 + i % 8}`; // a hub takes 250 from one at the most
    const member = await join(name, port, from, (lines) => {
      heard += lines.length;
      if (!talking || i >= TALKERS) return;
      const own = lines.filter((line) => line.includes(`${name}: `)).length;
      if (own > 0) member.say(texts(own));
    });
    all.push(member);
  };
  const quiet = async () => {
    for (let before = -1; before !== heard; await pause(300)) before = heard;
  };

  const samples: number[][] = [];
  let lost = 0; // %, of the group that lost most
  for (const size of sizes) {
    while (all.length < size) await add(all.length);
    await quiet();
    [talking, said, heard] = [true, 0, 0];
    for (const one of all.slice(0, TALKERS)) one.say(texts(WINDOW));
    const costs: number[] = [];
    for (const time of [warmUp, ms, ms]) {
      const [before, used] = [heard, processorClock(server.pid)];
      await pause(time);
      costs.push(used() / (heard - before));
    }
    samples.push(costs.slice(1)); // without the warm-up
    talking = false;
    await quiet();
    lost = Math.max(lost, 100 * (1 - heard / (said * size)));
  }
  for (const one of all) one.close();
  kill(server.pid);
  assert(join !== joinHub || lost === 0, `our hub lost ${lost} % of the lines`);
  return [...samples, [lost]];
}

// ---- The pair ----

type Command = (role: "server" | "client", port: number) => string[];

/** The Python on the page. */
const python: Command = (role, port) => {
  const page = readFileSync(path(PROJECT, "README.md"), "utf8");
  const [, code = ""] = page.split("```python " + role + "\n");
  const script = code.split("```")[0]!.replace("6000", `${port}`);
  return ["python3", "-c", script];
};

const pair = (name: string, command: Command): Contestant => ({
  name,
  measure: (extent) => measurePair(command, extent),
});
export const pairs = [
  ...others.filter(({ name }) => name === "python3").map(() =>
    pair("Python", python)
  ),
  ...chosen.map((one) =>
    pair(
      one.name,
      (role, port) => commandOf(one, `${role}.ts`, HERE, port),
    )
  ),
];

const LINE = "000000"; // what is said, there and back
const SHOWN = `${LINE}\n>>>`.length; // bytes that a trip makes the client print

/** µs of a round trip: on the clock, and of the processor. */
async function measurePair(
  command: Command,
  { warmUp, ms }: Extent,
): Promise<number[][]> {
  writeFileSync(INPUT, `${LINE}\n`.repeat(500_000)); // more than anyone gets to
  writeFileSync(OUTPUT, "");
  const trips = () => statSync(OUTPUT).size / SHOWN;
  const port = await support.freePort();
  const server = start(command("server", port), "/dev/null", INPUT);
  await support.bound(server, port);
  const client = start(command("client", port), OUTPUT, INPUT);
  await client.until(() => trips() > 1);
  await pause(warmUp);
  const [before, began] = [trips(), performance.now()];
  const used = processorClock(server.pid, client.pid);
  await pause(ms);
  const made = trips() - before;
  const costs = [(performance.now() - began) * 1000, used()];
  for (const { pid } of [server, client]) kill(pid);
  return costs.map((us) => [us / made]);
}
