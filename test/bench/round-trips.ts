// Part 1: a round trip of the pair in pipes, beside the Python pair and beside
// the runtime's own floor.

import { listening, start, startServer } from "../support/pair.ts";
import type { Program } from "../support/processes.ts";
import { type Runtime, runtimes } from "../support/runtimes.ts";
import {
  bench,
  end,
  median,
  MISSING,
  type Options,
  processorTime,
  progress,
  PYTHON,
  pythonScript,
  spread,
  table,
  target,
} from "./tools.ts";

const DIGITS = 6; // of a typed line, a number
const SHOWN = DIGITS + "\n>>>".length; // characters that a reply makes the client print

/** Microseconds of one round trip: on the clock, and of both processes. */
interface Cost {
  wall: number;
  processor: number;
}

/** Two programs that talk to each other when they are told to. */
interface Pair {
  server: Program;
  client: Program;
  /** Let them make so many round trips, and say what one of them cost. */
  run(trips: number): Promise<Cost>;
}

/** From one number of round trips, as soon as that is seen, to another one. */
async function measure(
  { server, client }: Omit<Pair, "run">,
  made: () => number,
  from: number,
  to: number,
): Promise<Cost> {
  await client.until(() => made() >= from);
  const began = performance.now();
  const used = processorTime(server, client);
  const before = made();
  await client.until(() => made() >= to);
  const wall = performance.now() - began;
  const processor = processorTime(server, client) - used;
  const trips = (made() - before) / 1000;
  return { wall: wall / trips, processor: processor / trips };
}

/** Both get all their lines at once; the lock step is in what they do. */
function chat(server: Program, client: Program): Pair {
  const programs = { server, client };
  const run = (trips: number) => {
    const lead = 50; // trips until both are surely under way
    const lines = Array.from(
      { length: lead + trips },
      (_, i) => `${i}`.padStart(DIGITS, "0") + "\n",
    ).join("");
    const before = client.stdout.length;
    server.write(lines);
    client.write(lines);
    const made = () => (client.stdout.length - before) / SHOWN;
    return measure(programs, made, lead, lead + trips);
  };
  return { ...programs, run };
}

/** The client makes as many trips as a line says, and then prints a dot. */
function bare(server: Program, client: Program): Pair {
  const programs = { server, client };
  const run = (trips: number) => {
    const before = client.stdout.length;
    client.write(`${trips}\n`);
    const made = () => (client.stdout.length - before) * trips;
    return measure(programs, made, 0, trips);
  };
  return { ...programs, run };
}

async function pythonPair(): Promise<Pair> {
  const server = await listening(pythonScript("peer.py", "server", 0));
  return chat(server, pythonScript("peer.py", "client", server.port));
}

async function pair(runtime: Runtime): Promise<Pair> {
  const server = await startServer(bench, runtime);
  const args = ["client.ts", "127.0.0.1", server.port] as const;
  return chat(server, start(bench, runtime, ...args));
}

async function floor(runtime: Runtime): Promise<Pair> {
  const script = "test/bench/floor.ts";
  const server = await listening(start(bench, runtime, script, "server"));
  return bare(server, start(bench, runtime, script, "client", server.port));
}

/** They take turns, so that what else the machine does hits all alike. */
async function takeTurns(
  pairs: Map<string, Pair>,
  rounds: number,
  trips: number,
  warmUp: number,
) {
  const costs = new Map<string, Cost[]>();
  for (const [name, pair] of pairs) {
    costs.set(name, []);
    await pair.run(warmUp);
  }
  for (let round = 1; round <= rounds; round++) {
    progress(`round trips: round ${round} of ${rounds}`);
    for (const [name, pair] of pairs) {
      costs.get(name)!.push(await pair.run(trips));
    }
  }
  for (const { server, client } of pairs.values()) end(server, client);
  return costs;
}

/** For each round the ratio of two figures. */
function ratios(a: Cost[], b: Cost[], which: keyof Cost): number[] {
  return a.map((one, round) => one[which] / b[round]![which]);
}

const WALL: Record<string, number> = { Node: 1.5, Bun: 1, Deno: 2.4 };
const FLOOR = 1.6;

export async function roundTrips({ quick }: Options): Promise<string> {
  const pairs = new Map<string, Pair>();
  if (PYTHON) pairs.set("Python", await pythonPair());
  for (const runtime of runtimes.filter(({ version }) => version !== "")) {
    pairs.set(runtime.name, await pair(runtime));
    pairs.set(`floor of ${runtime.name}`, await floor(runtime));
  }
  const [rounds, trips, warmUp] = quick ? [5, 500, 2000] : [25, 1000, 5000];
  const costs = await takeTurns(pairs, rounds, trips, warmUp);
  const python = costs.get("Python");
  const targets: string[] = [];
  const rows = runtimes.map(({ name }) => {
    const [chat, floor] = [costs.get(name), costs.get(`floor of ${name}`)];
    if (!chat || !floor) return [name, MISSING];
    const toPython = python ? ratios(chat, python, "wall") : [NaN];
    const toFloor = ratios(chat, floor, "processor");
    const most = WALL[name.split(" ").find((word) => word in WALL)!]!;
    targets.push(
      target(`${name}, wall / Python`, median(toPython), "at most", most),
      target(`${name}, processor / floor`, median(toFloor), "at most", FLOOR),
    );
    return [
      name,
      spread(chat.map(({ wall }) => wall)),
      spread(toPython),
      spread(chat.map(({ processor }) => processor)),
      spread(toFloor),
      spread(floor.map(({ wall }) => wall)),
      spread(floor.map(({ processor }) => processor)),
    ];
  });
  const first = [
    "Python",
    python ? spread(python.map(({ wall }) => wall)) : MISSING,
    "",
    python ? spread(python.map(({ processor }) => processor)) : "",
  ];
  const head = [
    "",
    "wall, µs",
    "wall / Python",
    "processor, µs",
    "processor / floor",
    "floor: wall, µs",
    "floor: processor, µs",
  ];
  return `## 1. Round trips

${table(head, [first, ...rows])}

One round trip of server and client in lock step: a line goes from the client's
stdin to the server's screen, another one comes back. All of them run and wait;
in each of ${rounds} rounds, each gets its turn of ${trips} lines through pipes, fed ahead,
after ${warmUp} to warm up. Processor time is that of both programs. The floor is
what a bare exchange of datagrams costs on the same runtime, without prompt,
input and output (test/bench/floor.ts). Median and quartiles; a ratio is made
within a round, then the median is taken.

${targets.join("\n")}
`;
}
