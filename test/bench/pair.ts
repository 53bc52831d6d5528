// Parts 1 and 2: a round trip of the pair and how long a script takes to start,
// beside the Python pair.

import { spawn } from "@lydell/node-pty";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { commandOf, listening, start, startServer } from "../support/pair.ts";
import {
  endWith,
  ENVIRONMENT,
  Program,
  PROJECT,
} from "../support/processes.ts";
import { type Runtime, runtimes } from "../support/runtimes.ts";
import {
  bench,
  end,
  figure,
  inFiles,
  median,
  MISSING,
  processorTime,
  progress,
  PYTHON,
  pythonCommand,
  ratios,
  spread,
  table,
  there,
  wanted,
} from "./measure.ts";

const LINES = 200_000; // more than anyone gets to
const LINE = "000000"; // what is said, there and back
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
  folder: string,
  { server, client }: Commands,
  shown = SHOWN,
): Promise<Pair> {
  const input = join(folder, "lines");
  const output = join(folder, `${performance.now()}`);
  const { port, pid } = await listening(
    new Program(bench, inFiles(server, "/dev/null", input)),
  );
  const pids = [
    pid,
    new Program(bench, inFiles(client(port), output, input)).pid,
  ];
  const signal = (name: NodeJS.Signals) =>
    pids.forEach((pid) => process.kill(-pid, name));
  const size = () => statSync(output, { throwIfNoEntry: false })?.size ?? 0;
  let before = 0;
  const run = async (trips: number) => {
    const wanted = before + trips * shown;
    signal("SIGCONT");
    while (size() < wanted) await pause(1);
    signal("SIGSTOP"); // until its next turn
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

async function cost(pair: Pair, trips: number): Promise<Cost> {
  const pids = pair.pids.map((pid) => ({ pid }));
  const [used, began] = [processorTime(...pids), performance.now()];
  const made = await pair.run(trips) / 1000;
  const wall = (performance.now() - began) / made;
  return { wall, processor: (processorTime(...pids) - used) / made };
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
  for (const { pids } of pairs.values()) end(...pids.map((pid) => ({ pid })));
  return costs;
}

const all = (costs: Cost[] | undefined, which: keyof Cost) =>
  costs?.map((one) => one[which]) ?? [];

function costTable(costs: Map<string, Cost[]>): string {
  const names = ["Python", "Python -u", ...runtimes.map(({ name }) => name)];
  const floors = costs.has(`floor of ${there[0]?.name}`);
  const rows = names.filter((name) => floors || name !== "Python -u")
    .map((name) => {
      const mine = costs.get(name);
      if (!mine) return [name, MISSING];
      const floor = costs.get(`floor of ${name}`);
      const to = (other: string, which: keyof Cost) =>
        costs.has(other) && name !== other
          ? spread(ratios(all(mine, which), all(costs.get(other), which)))
          : "";
      return [
        name,
        spread(all(mine, "wall")),
        to("Python", "wall"),
        spread(all(mine, "processor")),
        ...floors
          ? [
            to(`floor of ${name}`, "processor"),
            floor ? spread(all(floor, "wall")) : "",
            floor ? spread(all(floor, "processor")) : "",
          ]
          : [to("Python", "processor")],
      ];
    });
  const head = ["", "wall, µs", "wall / Python", "processor, µs"];
  const more = ["processor / floor", "floor: wall, µs", "floor: processor, µs"];
  return table([...head, ...floors ? more : ["processor / Python"]], rows);
}

const WALL: Record<string, number> = { Node: 1.2, Bun: 0.9, Deno: 1.7 };
const FLOOR = 1.6;

function goals(costs: Map<string, Cost[]>): string {
  return there.flatMap(({ name }) => {
    const to = (other: string, which: keyof Cost) =>
      median(ratios(all(costs.get(name), which), all(costs.get(other), which)));
    const most = WALL[Object.keys(WALL).find((one) => name.includes(one))!]!;
    return [
      wanted(`${name}, wall / Python`, to("Python", "wall"), `at most ${most}`),
      wanted(
        `${name}, processor / floor`,
        to(`floor of ${name}`, "processor"),
        `at most ${FLOOR}`,
      ),
    ];
  }).join("\n");
}

export async function roundTrips(quick: boolean): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  process.on("exit", () => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "lines"), `${LINE}\n`.repeat(LINES));
  const files = new Map<string, Pair>();
  const terminals = new Map<string, Pair>();
  if (PYTHON) {
    files.set("Python", await pairInFiles(folder, python()));
    files.set("Python -u", await pairInFiles(folder, python("-u")));
    terminals.set("Python", await pairInTerminals(python()));
  }
  for (const runtime of there) {
    const { name } = runtime;
    files.set(name, await pairInFiles(folder, chat(runtime)));
    files.set(
      `floor of ${name}`,
      await pairInFiles(folder, floor(runtime), 1 / 100),
    );
    terminals.set(name, await pairInTerminals(chat(runtime)));
  }
  const much = quick
    ? { rounds: 5, trips: 2000, warmUp: 5000 }
    : { rounds: 21, trips: 4000, warmUp: 10_000 };
  const costs = await takeTurns("round trips", files, much);
  const some = quick
    ? { rounds: 3, trips: 50, warmUp: 200 }
    : { rounds: 15, trips: 200, warmUp: 2000 };
  const shown = await takeTurns("in terminals", terminals, some);
  return `## 1. Round trips

${costTable(costs)}

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
a ratio is made within a round, then the median is taken.

${goals(costs)}

In two terminals, as a person has it: the next line is typed when the prompt is
there. The clock also counts the program that types and reads, which is the same
for all of them; ${some.rounds} rounds of ${some.trips} trips.

${costTable(shown)}
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
  const rounds = quick ? 3 : 15;
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
  const times = new Map<string, { bound: number[]; prompted: number[] }>();
  for (let round = 0; round <= rounds; round++) {
    progress(`start: round ${round} of ${rounds}`);
    for (const { name, server, client } of contestants) {
      const [toSocket, toPrompt] = [await timed(server), await timed(client)];
      if (round === 0) times.set(name, { bound: [], prompted: [] }); // from disk
      else times.get(name)!.bound.push(toSocket);
      if (round > 0) times.get(name)!.prompted.push(toPrompt);
    }
  }
  const first = times.get("Python")?.prompted ?? [];
  const rows = ["Python", ...runtimes.map(({ name }) => name)].map((name) => {
    const one = times.get(name);
    if (!one) return [name, MISSING];
    const ratio = median(one.prompted) / median(first);
    return [name, spread(one.bound), spread(one.prompted), figure(ratio)];
  });
  const head = ["", "bound, ms", "first prompt, ms", "prompt / Python"];
  return `## 2. Start

${table(head, rows)}

From the command to the server's bound socket (it names its port), and to the
client's first prompt, seen from the program that started them. ${rounds} rounds in
turn, after one that is not counted; median and quartiles.
`;
}
