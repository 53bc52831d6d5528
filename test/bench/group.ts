// Part 3: the group. What the hub delivers beside plain relays, what a member
// costs in memory, and how long a typed line takes.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join as path } from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { join, startHub } from "../support/group.ts";
import { memory, NOT_LINUX, socketOf } from "../support/kernel.ts";
import { listening, type Server, start } from "../support/pair.ts";
import { Program, PROJECT } from "../support/processes.ts";
import { type Runtime, runtimes } from "../support/runtimes.ts";
import type { Counts } from "./load.ts";
import {
  bench,
  COMPILER,
  count,
  end,
  family,
  figure,
  median,
  MISSING,
  type Options,
  processorTime,
  progress,
  PYTHON,
  pythonScript,
  quantile,
  spread,
  sum,
  table,
  target,
} from "./tools.ts";

const TALKERS = 20;
const TIMES = 8; // the Python relay's lines per processor second
const MEMORY = 4; // KB a member
const there = runtimes.filter(({ version }) => version !== "");

interface Contestant {
  name: string;
  kind: "hub" | "relay";
  start: () => Promise<Server>;
}

/** The same runtime, its scripts' stdout thrown away. */
function silent(runtime: Runtime): Runtime {
  const command = ["sh", "-c", 'exec "$@" >/dev/null', "sh"];
  return { ...runtime, command: [...command, ...runtime.command] };
}

/** The C relay's program in a folder of its own; "" if there is no compiler. */
function compile(): string {
  if (!COMPILER) return "";
  const folder = mkdtempSync(path(tmpdir(), "bench-"));
  process.on("exit", () => rmSync(folder, { recursive: true }));
  const [source, program] = [
    path(PROJECT, "test/bench/relay.c"),
    path(folder, "relay"),
  ];
  const { status } = spawnSync(COMPILER, ["-O2", "-o", program, source]);
  return status === 0 ? program : "";
}

function contestants(): Contestant[] {
  const all: Contestant[] = there.map((runtime) => ({
    name: runtime.name,
    kind: "hub",
    start: () => startHub(bench, silent(runtime)),
  }));
  const relay = compile();
  const c = () => listening(new Program(bench, [relay]));
  if (relay) all.unshift({ name: "C relay", kind: "relay", start: c });
  const python = () => listening(pythonScript("relay.py"));
  if (PYTHON) {
    all.unshift({ name: "Python relay", kind: "relay", start: python });
  }
  return all;
}

// ---- The load ----

const LOADS = Math.min(Math.max(availableParallelism() - 1, 1), 4);

/** Its members are spread over some processes, one for each processor but one. */
class Load {
  readonly #programs: Program[];

  constructor(kind: string, port: number) {
    const runtime = there.findLast(({ name }) => name.includes("Node"))!;
    this.#programs = Array.from(
      { length: LOADS },
      () => start(bench, runtime, "test/bench/load.ts", kind, port),
    );
  }

  /** Let all of them do it; returns what each of them has counted then. */
  async ask(command: string, ...numbers: number[]): Promise<Counts[]> {
    const all = this.#programs;
    return await Promise.all(all.map(async (program, i) => {
      const shares = numbers.map((n) => Math.floor((n + i) / all.length));
      program.stdout = "";
      program.write([command, ...shares].join(" ") + "\n");
      await program.until(() => program.stdout.endsWith("\n"));
      return JSON.parse(program.stdout) as Counts;
    }));
  }

  end() {
    end(...this.#programs);
  }
}

// ---- Lines delivered ----

/** What was seen in a stretch of time. */
interface Stretch {
  perSecond: number; // lines delivered
  perProcessorSecond: number; // of the server
  perDatagram: number;
  server: number; // share of one processor that it used
  load: number; // the same of the busiest process of the load
}

interface Result {
  stretches: Stretch[];
  dropped: number; // by the server's socket
  lost: number; // by the members' sockets
  repeated: number; // lines said again
  missing: number; // lines that did not reach a member, for each member
}

function stretch(
  before: Counts[],
  after: Counts[],
  ms: number,
  used: number,
): Stretch {
  const rate = (which: keyof Counts) =>
    sum(after.map((now, i) => {
      const then = before[i]!;
      return (now[which] - then[which]) / (now.at - then.at) * 1000;
    }));
  const load = after.map((now, i) => {
    const then = before[i]!;
    return (now.processor - then.processor) / (now.at - then.at);
  });
  const [perSecond, server] = [rate("lines"), used / ms];
  return {
    perSecond,
    perProcessorSecond: perSecond / server,
    perDatagram: perSecond / rate("datagrams"),
    server,
    load: Math.max(...load),
  };
}

/** Let a group of this size be busy for a while. */
async function busy(
  server: Server,
  load: Load,
  size: number,
  times: { warmUp: number; stretch: number; count: number },
): Promise<Result> {
  await load.ask("join", size, TALKERS);
  await load.ask("reset");
  const lost = () => NOT_LINUX ? NaN : socketOf(server.port).lost;
  const dropped = lost();
  await load.ask("talk");
  await pause(times.warmUp);
  const stretches: Stretch[] = [];
  for (let i = 0; i < times.count; i++) {
    const before = await load.ask("count");
    const [used, began] = [processorTime(server), performance.now()];
    await pause(times.stretch);
    const after = await load.ask("count");
    const took = performance.now() - began;
    stretches.push(stretch(before, after, took, processorTime(server) - used));
  }
  await load.ask("stop");
  const ends = await load.ask("count");
  const total = (which: keyof Counts) => sum(ends.map((one) => one[which]));
  return {
    stretches,
    dropped: lost() - dropped,
    lost: total("lost"),
    repeated: total("repeated"),
    missing: total("said") * total("members") - total("lines"),
  };
}

type Results = Map<string, Map<number, Result[]>>; // by name, by size

async function deliveries(sizes: number[], quick: boolean): Promise<Results> {
  const all = contestants();
  const results: Results = new Map(
    all.map(({ name }) => [name, new Map(sizes.map((size) => [size, []]))]),
  );
  const rounds = quick ? 1 : 3;
  const times = quick
    ? { warmUp: 400, stretch: 400, count: 1 }
    : { warmUp: 700, stretch: 500, count: 3 };
  for (let round = 1; round <= rounds; round++) {
    for (const { name, kind, start } of all) {
      progress(`group: round ${round} of ${rounds}, ${name}`);
      const server = await start();
      const load = new Load(kind, server.port);
      for (const size of sizes) {
        const result = await busy(server, load, size, times);
        results.get(name)!.get(size)!.push(result);
      }
      load.end();
      end(server);
    }
  }
  return results;
}

function ofSize(results: Results, name: string, size: number): Result[] {
  return results.get(name)?.get(size) ?? [];
}

/** The stretches' figures, of all rounds. */
function figures(results: Result[], which: keyof Stretch): number[] {
  return results.flatMap(({ stretches }) => stretches.map((one) => one[which]));
}

/** How many times more it delivers per processor second; for each round. */
function times(results: Result[], than: Result[]): number[] {
  return results.map((one, i) =>
    median(figures([one], "perProcessorSecond")) /
    median(figures(than.slice(i, i + 1), "perProcessorSecond"))
  );
}

const NAMES = ["Python relay", "C relay", ...runtimes.map(({ name }) => name)];

function deliveryTable(results: Results, size: number): string {
  const python = ofSize(results, "Python relay", size);
  const thousands = (all: number[]) => spread(all.map((n) => n / 1000));
  const percent = (all: number[]) => `${(median(all) * 100).toFixed(0)} %`;
  const rows = NAMES.map((name) => {
    const all = ofSize(results, name, size);
    if (all.length === 0) return [name, MISSING];
    const total = (which: "dropped" | "lost" | "repeated" | "missing") =>
      count(sum(all.map((one) => one[which])));
    return [
      name,
      thousands(figures(all, "perProcessorSecond")),
      all === python ? "" : spread(times(all, python)),
      thousands(figures(all, "perSecond")),
      percent(figures(all, "server")),
      percent(figures(all, "load")),
      figure(median(figures(all, "perDatagram"))),
      total("dropped"),
      total("lost"),
      total("repeated"),
      total("missing"),
    ];
  });
  const head = [
    `${count(size)} members`,
    "1,000 lines per processor second",
    "/ Python",
    "1,000 lines per second",
    "server busy",
    "load busy",
    "lines a datagram",
    "dropped by server",
    "by members",
    "repeated",
    "missing",
  ];
  return table(head, rows);
}

/** Where the load was the bottleneck. */
function heldBack(results: Results, sizes: number[]): string {
  const all = NAMES.flatMap((name) =>
    sizes.filter((size) => {
      const result = ofSize(results, name, size);
      return median(figures(result, "load")) > 0.9 &&
        median(figures(result, "server")) < 0.9;
    }).map((size) => `${name} at ${count(size)}`)
  );
  return all.join(", ") || "none";
}

function costTable(results: Results, sizes: number[]): string {
  const rows = NAMES.map((name) => {
    if (!results.has(name)) return [name, MISSING];
    const costs = sizes.map((size) =>
      figures(ofSize(results, name, size), "perProcessorSecond")
        .map((lines) => 1e6 / lines)
    );
    const ratio = median(costs.at(-1)!) / median(costs[0]!);
    return [name, ...costs.map(spread), ratio.toFixed(2)];
  });
  const head = ["µs a delivery", ...sizes.map((size) => `at ${count(size)}`)];
  return table([...head, `${count(sizes.at(-1)!)} / ${sizes[0]}`], rows);
}

// ---- Memory ----

const MEMBERS = 1000;
const FILLINGS = 3;

/** What makes a runtime tell, at a signal, how much it has in use. */
function telling(runtime: Runtime): Runtime {
  const file = path(PROJECT, "test/bench/heap.ts");
  const flags: Record<string, string[]> = {
    Bun: ["--expose-gc", "--preload", file],
    Deno: ["--v8-flags=--expose-gc", "--preload", file],
  };
  const node = ["--expose-gc", "--import", file];
  const command = [...runtime.command, ...flags[runtime.name] ?? node];
  return { ...runtime, command };
}

/** What a program has in use, in KB, when its garbage has been thrown away. */
async function inUse(server: Server): Promise<number> {
  const pid = family(server.pid)[1] ?? server.pid; // tsx has one inside
  server.stderr = "";
  process.kill(pid, "SIGUSR2");
  await server.until(() => server.stderr.includes(" bytes in use\n"));
  return parseInt(server.stderr) / 1024;
}

interface Filling {
  inUse: number; // KB a member
  resident: number; // KB a member, at the first filling
  empty: number; // MB resident when the hub was new
  full: number; // MB resident at last
}

async function fill(runtime: Runtime): Promise<Filling> {
  const server = await startHub(bench, silent(telling(runtime)));
  const load = new Load("hub", server.port);
  const now = async () => {
    await pause(300); // ms, for what is on its way
    const resident = memory(server.pid).largest * 1024;
    return { resident, inUse: await inUse(server) };
  };
  const [empty, full] = [[await now()], [await now()]];
  for (let i = 0; i < FILLINGS; i++) {
    await load.ask("join", MEMBERS, 0);
    full[i] = await now();
    await load.ask("quit");
    empty.push(await now());
  }
  load.end();
  end(server);
  const grown = (which: "inUse" | "resident") =>
    full.map((one, i) => (one[which] - empty[i]![which]) / MEMBERS);
  return {
    inUse: Math.max(...grown("inUse").slice(1)),
    resident: grown("resident")[0]!,
    empty: empty[0]!.resident / 1024,
    full: full.at(-1)!.resident / 1024,
  };
}

async function memoryPage(): Promise<string> {
  if (NOT_LINUX) return `### Memory\n\nNot measured: ${NOT_LINUX}.\n`;
  const targets: string[] = [];
  const rows: string[][] = [];
  for (const runtime of runtimes) {
    progress(`memory: ${runtime.name}`);
    const { name, version } = runtime;
    if (version === "") {
      rows.push([name, MISSING]);
      continue;
    }
    const { inUse, resident, empty, full } = await fill(runtime);
    rows.push([name, ...[inUse, resident, empty, full].map(figure)]);
    targets.push(target(`${name}, KB a member`, inUse, "at most", MEMORY));
  }
  const head = [
    "",
    "in use, KB a member",
    "resident, KB a member",
    "resident when new, MB",
    "resident at last, MB",
  ];
  return `### Memory

${table(head, rows)}

The hub is filled with ${
    count(MEMBERS)
  } members ${FILLINGS} times and emptied again; their sockets
are in other processes. In use: what a full hub's heap holds more than an empty
one's, after garbage collection, divided by the members; the greater of the last
two fillings, as the first one also compiles code and fills the store of lines.
Resident: how much memory the system gave to the program for the first filling,
by members: with garbage and room for more, as each of the ${
    count(MEMBERS)
  } is announced to
all the others.

${targets.join("\n")}
`;
}

// ---- The delay of a line ----

const SCREENS = ["ada", "ben", "cleo", "dan", "eve"];

async function delays(runtime: Runtime, lines: number): Promise<number[]> {
  const hub = await startHub(bench, silent(runtime));
  const members = await Promise.all(
    SCREENS.map((name) => join(bench, runtime, name, hub.port)),
  );
  const all: number[] = [];
  for (let i = 0; i < lines; i++) {
    await pause(10 + Math.random() * 20); // ms, so that all are idle
    const began = performance.now();
    members[0]!.write(`line ${i}\n`);
    const shown = `ada: line ${i}\n`;
    await Promise.all(
      members.map((one) => one.until(() => one.stdout.endsWith(shown))),
    );
    all.push(performance.now() - began);
  }
  end(hub, ...members);
  return all.slice(Math.ceil(lines / 10)); // the first ones warm up
}

async function delayPage(lines: number): Promise<string> {
  const rows: string[][] = [];
  for (const runtime of runtimes) {
    progress(`delay: ${runtime.name}`);
    if (runtime.version === "") {
      rows.push([runtime.name, MISSING]);
      continue;
    }
    const all = await delays(runtime, lines);
    const [middle, most] = [0.5, 0.99].map((q) => quantile(all, q).toFixed(2));
    rows.push([runtime.name, middle!, most!]);
  }
  return `### Delay

${table(["", "median, ms", "99th percentile, ms"], rows)}

From a line written to one client's stdin to the moment when the last of ${SCREENS.length}
clients shows it, in a group where nothing else happens; ${lines} lines, of which the
first tenth is not counted. All of them are processes of group/client.ts.
`;
}

export async function group({ quick }: Options): Promise<string> {
  const sizes = quick ? [20, 200] : [20, 200, 1000];
  const results = await deliveries(sizes, quick);
  const python = ofSize(results, "Python relay", 200);
  const [least, most] = [sizes[0]!, sizes.at(-1)!];
  const targets = there.flatMap(({ name }) => {
    const more = median(times(ofSize(results, name, 200), python));
    const cost = (size: number) =>
      1 / median(figures(ofSize(results, name, size), "perProcessorSecond"));
    const grown = cost(most) / cost(least);
    return [
      target(`${name}, 200 members, / Python`, more, "at least", TIMES),
      target(`${name}, cost at ${most} / at ${least}`, grown, "at most", 1),
    ];
  });
  return `## 3. Group

${sizes.map((size) => deliveryTable(results, size)).join("\n\n")}

${TALKERS} of the members talk all the time, as group/client.ts does: each says 8 lines in
a datagram, and the next ones when these are taken. At a relay it has 8 lines in
flight, each in a datagram of its own, and says the next one when one came back. A
relay passes each line on in a datagram of its own, and has no acknowledgements,
numbers or repetitions. Nobody asks for a line again: what a socket dropped is
missing, and counted (in the last four columns, in all rounds together).

Processes of the load: ${LOADS}. Busy is the share of one processor, for the load
that of its busiest process. Where neither is near 100 %, they waited for each
other or for a processor that other programs had. Held back by the load, which
was over 90 % when the server was under it: ${heldBack(results, sizes)}.
That limits lines per second, not lines per processor second of the server. The
server's console goes to /dev/null.

${costTable(results, sizes)}

${targets.join("\n")}

${quick ? "" : await memoryPage()}
${await delayPage(quick ? 40 : 220)}`;
}
