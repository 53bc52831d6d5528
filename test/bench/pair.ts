// Parts 1 and 2: a round trip of the pair and how long a script takes to start,
// beside the Python pair.

import { spawn } from "@lydell/node-pty";
import assert from "node:assert/strict";
import { statSync, writeFileSync } from "node:fs";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { commandOf, listening, start, startServer } from "../support/pair.ts";
import {
  endWith,
  ENVIRONMENT,
  Program,
  PROJECT,
} from "../support/processes.ts";
import { median } from "../support/quantile.ts";
import { type Runtime, runtimes } from "../support/runtimes.ts";
import {
  bench,
  end,
  figure,
  inFiles,
  processorClock,
  progress,
  PYTHON,
  pythonCommand,
  ratios,
  scratch,
  spread,
  tableOf,
  there,
} from "./measure.ts";

const LINES = 100_000; // more than anyone gets to
const LINE = "000000"; // what is said, there and back
const PATIENCE = 60_000; // ms for a turn of a pair
const INPUT = scratch("lines");
const SHOWN = LINE.length + "\n>>>".length; // bytes that a trip makes the client print

/** Microseconds of one round trip: on the clock, and of both processes. */
interface Cost {
  wall: number;
  processor: number;
}

/** Two programs that talk to each other when it is their turn. */
interface Pair {
  pids: number[];
  /** Let them make about so many round trips; returns how many they made. */
  run(trips: number): Promise<number>;
}

/** The commands of a server on a free port, and of a client for that port. */
interface Commands {
  server: string[];
  client: (port: number) => string[];
}

const chat = (runtime: Runtime): Commands => ({
  server: commandOf(runtime, "server.ts", "127.0.0.1", 0),
  client: (port) => commandOf(runtime, "client.ts", "127.0.0.1", port),
});

const floor = (runtime: Runtime): Commands => ({
  server: commandOf(runtime, "test/bench/floor.ts", "server"),
  client: (port) => commandOf(runtime, "test/bench/floor.ts", "client", port),
});

/** The Python pair, which with -u writes each piece of its output at once. */
const python = (...options: string[]): Commands => {
  const command = (...args: (string | number)[]) => {
    const [program = "", ...rest] = pythonCommand(
      "test/support/peer.py",
      ...args,
    );
    return [program, ...options, ...rest];
  };
  return {
    server: command("server", 0),
    client: (port) => command("client", port),
  };
};

// ---- Files: what the scripts cost, and nobody who reads them ----

async function pairInFiles(
  { server, client }: Commands,
  shown = SHOWN,
): Promise<Pair> {
  const output = scratch(`${performance.now()}`);
  const { port, pid } = await listening(
    new Program(bench, inFiles(server, "/dev/null", INPUT)),
  );
  const pids = [
    pid,
    new Program(bench, inFiles(client(port), output, INPUT)).pid,
  ];
  const signal = (name: NodeJS.Signals) =>
    pids.forEach((pid) => process.kill(-pid, name));
  signal("SIGSTOP"); // until its first turn
  const size = () => statSync(output, { throwIfNoEntry: false })?.size ?? 0;
  let before = 0;
  const run = async (trips: number) => {
    const [wanted, began] = [before + trips * shown, performance.now()];
    signal("SIGCONT");
    while (size() < wanted) {
      assert(performance.now() - began < PATIENCE, "a pair is stuck");
      await pause(1);
    }
    signal("SIGSTOP");
    const made = (size() - before) / shown;
    before = size();
    return made;
  };
  return { pids, run };
}

// ---- Terminals: as a person has it ----

/** A program in a terminal, and how to wait for what it shows next. */
function inTerminal(command: string[]) {
  const [file = "", ...args] = command;
  const pty = spawn(file, args, { cwd: PROJECT, env: ENVIRONMENT });
  endWith(bench, pty.pid);
  let shown = "";
  let look = () => {};
  pty.onData((data) => {
    shown += data;
    look();
  });
  return {
    pid: pty.pid,
    type: (text: string) => pty.write(text),
    shows: (pattern: RegExp) =>
      new Promise<string>((resolve) => {
        look = () => {
          const [found] = pattern.exec(shown) ?? [];
          if (found === undefined) return;
          look = () => {};
          shown = "";
          resolve(found);
        };
        look();
      }),
  };
}

async function pairInTerminals(commands: Commands): Promise<Pair> {
  const server = inTerminal(commands.server);
  const port = /\d+/.exec(await server.shows(/port \d+/))![0];
  const client = inTerminal(commands.client(Number(port)));
  await client.shows(/>>>/);
  const run = async (trips: number) => {
    for (let i = 0; i < trips; i++) {
      client.type(`c${LINE}\r`);
      await server.shows(new RegExp(`c${LINE}[^]*>>>`));
      server.type(`s${LINE}\r`);
      await client.shows(new RegExp(`s${LINE}[^]*>>>`));
    }
    return trips;
  };
  return { pids: [server.pid, client.pid], run };
}

// ---- The round trips ----

async function cost({ pids, run }: Pair, trips: number): Promise<Cost> {
  const [used, began] = [processorClock(...pids), performance.now()];
  const made = await run(trips) / 1000;
  const wall = performance.now() - began;
  return { wall: wall / made, processor: used() / made };
}

/** They take turns, so that what else the machine does hits all alike. */
async function takeTurns(
  title: string,
  pairs: Map<string, Pair>,
  { rounds, trips, warmUp }: Record<"rounds" | "trips" | "warmUp", number>,
): Promise<Map<string, Cost[]>> {
  const costs = new Map([...pairs.keys()].map((name) => [name, [] as Cost[]]));
  for (let round = 0; round <= rounds; round++) {
    progress(`${title}: round ${round} of ${rounds}`);
    for (const [name, pair] of pairs) {
      const one = await cost(pair, round === 0 ? warmUp : trips);
      if (round > 0) costs.get(name)!.push(one);
    }
  }
  for (const { pids } of pairs.values()) pids.forEach((pid) => end({ pid }));
  return costs;
}

const all = (costs: Cost[] = [], which: keyof Cost) =>
  costs.map((one) => one[which]);
const floorOf = (name: string) => `floor of ${name}`;

/** Columns of a table: a cost itself, and beside that of another pair. */
function columns(costs: Map<string, Cost[]>) {
  const of = (name: string, which: keyof Cost) => all(costs.get(name), which);
  return {
    cost:
      (which: keyof Cost, pair = (name: string) => name) => (name: string) =>
        spread(of(pair(name), which)),
    ratio: (
      which: keyof Cost,
      to: (name: string) => string,
      pair = (name: string) => name,
    ) =>
    (name: string) =>
      name === to(name)
        ? ""
        : spread(ratios(of(pair(name), which), of(to(name), which))),
  };
}

const NAMES = runtimes.map(({ name }) => name);

export async function roundTrips(quick: boolean): Promise<string> {
  writeFileSync(INPUT, `${LINE}\n`.repeat(LINES));
  const files = new Map<string, Pair>();
  const terminals = new Map<string, Pair>();
  if (PYTHON) {
    files.set("Python", await pairInFiles(python()));
    files.set("Python -u", await pairInFiles(python("-u")));
    terminals.set("Python", await pairInTerminals(python()));
  }
  for (const runtime of there) {
    const { name } = runtime;
    files.set(name, await pairInFiles(chat(runtime)));
    files.set(
      floorOf(name),
      await pairInFiles(floor(runtime), 1 / 100),
    );
    terminals.set(name, await pairInTerminals(chat(runtime)));
  }
  const much = quick
    ? { rounds: 5, trips: 2000, warmUp: 10_000 }
    : { rounds: 7, trips: 1500, warmUp: 15_000 };
  const costs = await takeTurns("round trips", files, much);
  const some = quick
    ? { rounds: 3, trips: 50, warmUp: 200 }
    : { rounds: 7, trips: 100, warmUp: 500 };
  const shown = await takeTurns("in terminals", terminals, some);
  const [bare, seen] = [columns(costs), columns(shown)];
  const toPython = () => "Python";
  return `## 1. Round trips

${
    tableOf(["Python", "Python -u", ...NAMES], costs, [
      ["wall, µs", bare.cost("wall")],
      ["wall / Python", bare.ratio("wall", toPython)],
      ["processor, µs", bare.cost("processor")],
      ["processor / floor", bare.ratio("processor", floorOf)],
      ["floor: wall, µs", bare.cost("wall", floorOf)],
      ["floor: wall / Python", bare.ratio("wall", toPython, floorOf)],
      ["floor: processor, µs", bare.cost("processor", floorOf)],
    ])
  }

One round trip of server and client in lock step: a line goes from the client's
stdin to the server's screen, another one comes back. Their input comes from
files, their output goes into files, and nobody reads it: this is what the
scripts cost. In each of ${much.rounds} rounds each pair has a turn of ${
    figure(much.trips)
  } trips, after ${figure(much.warmUp)}
to warm up, and is stopped while the others have theirs. Processor time is that
of both programs. The floor is what a bare exchange of datagrams costs on the same
runtime, without prompt, input and output (test/bench/floor.ts). With -u Python
writes each piece of its output at once, as the scripts do. Median and quartiles;
a ratio is made within a round, then the median is taken. Wanted: at most 1.2
(Node), 0.9 (Bun) and 1.7 (Deno) times Python's time on the clock, and 1.6 times
the floor's processor time.

In two terminals, as a person has it: the next line is typed when the prompt is
there.

${
    tableOf(["Python", ...NAMES], shown, [
      ["wall, µs", seen.cost("wall")],
      ["wall / Python", seen.ratio("wall", toPython)],
      ["processor, µs", seen.cost("processor")],
      ["processor / Python", seen.ratio("processor", toPython)],
    ])
  }

The clock also counts the program that types and reads, which is the same for all
of them. The scripts edit the line and redraw it, which the kernel does for
Python. ${some.rounds} rounds of ${some.trips} trips.
`;
}

// ---- The start ----

const NOBODY = 9; // a port: the client only gets as far as its first prompt

/** Milliseconds until a program is there, and then its end. */
async function timed(start: () => Promise<Program>): Promise<number> {
  const began = performance.now();
  const program = await start();
  const took = performance.now() - began;
  end(program);
  return took;
}

async function prompt(client: Program): Promise<Program> {
  await client.prints(">>>");
  return client;
}

export async function startTimes(quick: boolean): Promise<string> {
  const rounds = quick ? 3 : 7;
  const contestants = there.map((runtime) => ({
    name: runtime.name,
    server: () => startServer(bench, runtime),
    client: () =>
      prompt(start(bench, runtime, "client.ts", "127.0.0.1", NOBODY)),
  }));
  if (PYTHON) {
    const { server, client } = python();
    contestants.unshift({
      name: "Python",
      server: () => listening(new Program(bench, server)),
      client: () => prompt(new Program(bench, client(NOBODY))),
    });
  }
  const times = new Map(
    contestants.map(({ name }) => [
      name,
      { bound: [] as number[], prompted: [] as number[] },
    ]),
  );
  for (let round = 0; round <= rounds; round++) {
    progress(`start: round ${round} of ${rounds}`);
    for (const { name, server, client } of contestants) {
      const [toSocket, toPrompt] = [await timed(server), await timed(client)];
      if (round === 0) continue; // the files come from the disk
      times.get(name)!.bound.push(toSocket);
      times.get(name)!.prompted.push(toPrompt);
    }
  }
  const ratio = (name: string) =>
    median(times.get(name)!.prompted) / median(times.get("Python")!.prompted);
  return `## 2. Start

${
    tableOf(["Python", ...NAMES], times, [
      ["bound, ms", (name) => spread(times.get(name)!.bound)],
      ["first prompt, ms", (name) => spread(times.get(name)!.prompted)],
      ["prompt / Python", (name) => PYTHON ? figure(ratio(name)) : ""],
    ])
  }

From the command to the server's bound socket (it names its port), and to the
client's first prompt, seen from the program that started them. ${rounds} rounds in
turn, after one that is not counted; median and quartiles.
`;
}
