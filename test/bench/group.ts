// Parts 3 and 4: the group. What the hub delivers beside a plain relay and the
// brokers that people would use instead, and how long a typed line takes.

import { once } from "node:events";
import { statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { availableParallelism } from "node:os";
import { join as path } from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { startHub } from "../support/group.ts";
import { memory, NOT_LINUX } from "../support/kernel.ts";
import { commandOf, listening, type Server, start } from "../support/pair.ts";
import { Program, PROJECT } from "../support/processes.ts";
import { median, quantile } from "../support/quantile.ts";
import { type Runtime, runtimes } from "../support/runtimes.ts";
import type { Counts } from "./load.ts";
import {
  bench,
  type Column,
  end,
  figure,
  inFiles,
  NODE,
  processorClock,
  progress,
  PYTHON,
  pythonCommand,
  ratios,
  scratch,
  silent,
  spread,
  sum,
  tableOf,
  versionOf,
} from "./measure.ts";
import { plot } from "./plot.ts";

const TALKERS = 20;

// ---- Who is compared ----

interface Contestant {
  name: string;
  protocol: string;
  there: boolean;
  start: () => Promise<Server>;
  /** The command of a member that shows all lines on its screen. */
  client: (name: string, port: number) => string[];
}

const hub = (runtime: Runtime): Contestant => ({
  name: runtime.name,
  protocol: "hub",
  there: runtime.version !== "",
  start: () => startHub(bench, silent(runtime)),
  client: (name, port) =>
    commandOf(runtime, "group/client.ts", name, "127.0.0.1", port),
});

const other = (
  name: string,
  protocol: string,
  there: string,
  start: () => Promise<Server>,
): Contestant => ({
  name,
  protocol,
  there: there !== "",
  start,
  client: (name, port) => {
    const args = [protocol, name, "127.0.0.1", port];
    return commandOf(NODE, "test/bench/plain-client.ts", ...args);
  },
});

async function startNats(): Promise<Server> {
  const command = ["nats-server", "--addr", "127.0.0.1", "--port", "-1"];
  const program = new Program(bench, command);
  await program.until(() => program.stderr.includes("Server is ready"));
  const [, port] = /connections on 127.0.0.1:(\d+)/.exec(program.stderr)!;
  return Object.assign(program, { port: Number(port) });
}

async function startMosquitto(): Promise<Server> {
  const port = await freePort();
  const file = scratch("mosquitto.conf");
  writeFileSync(
    file,
    `listener ${port} 127.0.0.1
allow_anonymous true
connection_messages false
log_dest stderr
`,
  );
  const program = new Program(bench, ["mosquitto", "-c", file]);
  await program.until(() => /version \S+ running/.test(program.stderr));
  return Object.assign(program, { port });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  await once(server.close(), "close");
  return port;
}

const relay = other("plain relay", "relay", PYTHON, () =>
  listening(
    new Program(
      bench,
      pythonCommand("test/bench/relay.py", "udp", "127.0.0.1"),
    ),
  ));
const nats = other(
  "nats-server",
  "NATS",
  versionOf("nats-server", "--version"),
  startNats,
);
const mosquitto = other(
  "mosquitto",
  "MQTT",
  versionOf("mosquitto", "-h"),
  startMosquitto,
);
const BROKERS = [relay, mosquitto, nats];
const HUBS = runtimes.map(hub);
/** What is shown in the plot, and measured in a hurry. */
const FEW_HUBS = HUBS.filter(({ name }) => /Node 24|Bun|Deno/.test(name));

// ---- The load ----

const LOADS = Math.min(Math.max(availableParallelism() - 1, 1), 4);

/** Its members are spread over some processes, one for each processor but one. */
class Load {
  readonly #programs: Program[];

  constructor(protocol: string, port: number) {
    const args = ["test/bench/load.ts", protocol, port] as const;
    this.#programs = Array.from(
      { length: LOADS },
      (_, i) => start(bench, NODE, ...args, i),
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

interface Result {
  perSecond: number; // lines delivered
  cost: number; // of the server's processor, µs a line delivered
  server: number; // share of one processor that it used
  load: number; // the same of the busiest process of the load
  client: number; // of a client's processor, µs a line shown
  memory: number; // of the server, MB
  missing: number; // lines that did not reach a member, for each member
}

const WITH_CLIENT = 200; // members, one of which is a whole program

/** A member, from when it shows that it has joined. */
async function startScreen(command: string[]): Promise<Program> {
  const file = scratch("screen");
  writeFileSync(file, "");
  const program = new Program(bench, inFiles(command, file));
  while (statSync(file).size === 0) await pause(10);
  return program;
}

/** Let a group of this size be busy for some stretches of time. */
async function busy(
  one: Contestant,
  server: Server,
  load: Load,
  size: number,
  [warmUp, ...stretches]: number[],
): Promise<Result[]> {
  await load.ask("join", size, TALKERS);
  const client = size === WITH_CLIENT
    ? await startScreen(one.client("zoe", server.port))
    : undefined;
  const results: Result[] = [];
  await load.ask("talk");
  await pause(warmUp);
  for (const ms of stretches) {
    const before = await load.ask("count");
    const [ofServer, ofClient] = [server, client].map((one) =>
      processorClock(...one ? [one.pid] : [])
    );
    await pause(ms);
    const after = await load.ask("count");
    const [serverUsed, clientUsed] = [ofServer!(), ofClient!()];

    /** What each process of the load counted in a ms. */
    const rates = (which: keyof Counts) =>
      after.map((now, i) =>
        (now[which] - before[i]![which]) / (now.at - before[i]!.at)
      );
    const took = after[0]!.at - before[0]!.at;
    const each = sum(rates("lines")) / size; // member, lines in a ms
    const perSecond = each * (client ? size + 1 : size) * 1000;
    results.push({
      perSecond,
      cost: serverUsed / took * 1e6 / perSecond,
      server: serverUsed / took,
      load: Math.max(...rates("processor")),
      client: client ? clientUsed / took * 1000 / each : NaN,
      memory: NOT_LINUX ? NaN : memory(server.pid).largest,
      missing: 0, // until we know
    });
  }
  const ended = await load.ask("stop");
  if (client) {
    process.kill(client.pid, "SIGTERM"); // it leaves, and makes room
    await client.exits();
  }
  const total = (which: keyof Counts) => sum(ended.map((one) => one[which]));
  results[0]!.missing = total("said") * total("members") - total("lines");
  return results;
}

/** The results of all rounds for a contestant's name and a size. */
type Results = Map<string, Map<number, Result[]>>;

async function measure(
  contestants: Contestant[],
  sizes: number[],
  quick: boolean,
): Promise<Results> {
  const results: Results = new Map(
    contestants.map(({ name }) => [
      name,
      new Map(sizes.map((size) => [size, []])),
    ]),
  );
  const rounds = quick ? 1 : 2;
  for (let round = 1; round <= rounds; round++) {
    for (const one of contestants) {
      progress(`group: round ${round} of ${rounds}, ${one.name}`);
      const server = await one.start();
      const load = new Load(one.protocol, server.port);
      for (const size of sizes) {
        const cold = size === sizes[0] && !quick; // a server runs for long
        const times = quick ? [400, 400] : [cold ? 2000 : 400, 500, 500];
        const more = await busy(one, server, load, size, times);
        results.get(one.name)!.get(size)!.push(...more);
      }
      load.end();
      end(server);
    }
  }
  return results;
}

export async function deliveries(quick: boolean, write: boolean) {
  const sizes = quick ? [20, 200] : [20, 200, 1000];
  const all = [...BROKERS, ...quick ? FEW_HUBS : HUBS];
  const here = all.filter(({ there }) => there);
  const results = await measure(here, sizes, quick);
  const of = (name: string, size: number, which: keyof Result) =>
    (results.get(name)?.get(size) ?? []).map((one) => one[which]);

  if (write) {
    const rows = [...BROKERS, ...FEW_HUBS]
      .filter(({ there }) => there)
      .map(({ name, protocol }) => ({
        name: protocol === "hub" ? `the hub, ${name}` : name,
        ours: protocol === "hub",
        costs: sizes.map((size) => median(of(name, size, "cost"))),
      }));
    writeFileSync(path(PROJECT, "test/bench/plot.svg"), plot(sizes, rows));
  }

  const columns = (size: number): Column[] => {
    const share = (which: keyof Result) => (name: string) =>
      `${(median(of(name, size, which)) * 100).toFixed(0)} %`;
    const thousands =
      (which: keyof Result, unit: (n: number) => number) => (name: string) =>
        spread(of(name, size, which).map((n) => unit(n) / 1000));
    const than = (other: Contestant) => (name: string) =>
      name === other.name
        ? ""
        : spread(ratios(of(other.name, size, "cost"), of(name, size, "cost")));
    return [
      ["1,000 lines per processor second", thousands("cost", (n) => 1e6 / n)],
      ["/ plain relay", than(relay)],
      ["/ nats-server", than(nats)],
      ["1,000 lines per second", thousands("perSecond", (n) => n)],
      ["server busy", share("server")],
      ["load busy", share("load")],
      ["MB", (name) => figure(median(of(name, size, "memory")))],
      ["missing", (name) => figure(sum(of(name, size, "missing")))],
    ];
  };
  const names = all.map(({ name }) => name);
  return `## 3. Group

![What a line costs the server for each member that gets it](plot.svg)

What a line costs the server for each member that gets it, and a client that gets
it and shows it, in µs of processor time:

${
    tableOf(names, results, [
      ...sizes.map((size): Column => [
        `${figure(size)} members`,
        (name) => spread(of(name, size, "cost")),
      ]),
      ["a client", (name) => spread(of(name, WITH_CLIENT, "client"))],
    ])
  }

${TALKERS} of the members talk all the time: each says 8 lines at once, and the next ones
when it has heard these. The load speaks each server's protocol itself
(test/bench/members.ts): the hub's with its requests and acknowledgements, NATS
and MQTT 3.1.1 (QoS 0) over TCP, and datagrams of a line each for the plain relay
(test/bench/relay.py), which has neither acknowledgements nor repetitions. It is
the same lines, not the same service: TCP and the hub make up for what a network
loses, and the brokers have much that the hub has not, such as subjects, accounts
and encryption. A client is a whole program, whose screen is a file:
group/client.ts on the hub's runtime; for the others the plainest that prints
lines, on ${NODE.name} (test/bench/plain-client.ts).

${
    sizes.map((size) =>
      `With ${figure(size)} members:\n\n${
        tableOf(names, results, columns(size))
      }`
    ).join("\n\n")
  }

Busy is the share of one processor, for the load that of the busiest of its
processes (${LOADS} here): where neither is near 100 %, they waited for each other. MB is
the server's memory then. Missing are lines that a member of the load did not
get, in all rounds together; unlike a client, it asks for none again. ${
    quick
      ? "1 round."
      : "2 rounds in turn, twice in each, median and quartiles."
  } Wanted, in lines per processor second: at
200 members at least 8 times the plain relay and twice nats-server (on Deno as
much as that), at 20 members 1.3 times nats-server; and a delivery at 1,000
members no dearer than at 200.
`;
}

// ---- The delay of a line ----

const SCREENS = ["ada", "ben", "cleo", "dan", "eve"];

interface Delays {
  ms: number[]; // from a line said to the moment when the last screen shows it
  others: number; // lines a second that are said meanwhile
}

async function delay(
  { start, client }: Contestant,
  lines: number,
  flooded: boolean,
): Promise<Delays> {
  const server = await start();
  // The benchmark must not be busy with reading the flood.
  const few = `"$@" | grep --line-buffered -e ' joined (' -e '^ada: '`;
  const filtered = ["sh", "-c", few, "sh"];
  const screens = SCREENS.map((name) =>
    new Program(bench, [...filtered, ...client(name, server.port)])
  );
  await Promise.all(
    screens.map((one, i) =>
      one.until(() => one.stdout.includes(`${SCREENS[i]} joined (`))
    ),
  );
  const said = "a line of the flood";
  const screen = scratch("flood");
  writeFileSync(screen, "");
  const flood = ["sh", "-c", `yes '${said}' | "$@" >>'${screen}'`, "sh"];
  const flo = flooded
    ? [new Program(bench, [...flood, ...client("flo", server.port)])]
    : [];
  await pause(flooded ? 2000 : 0); // ms
  const [before, first] = [statSync(screen).size, performance.now()];
  const ms: number[] = [];
  for (let i = 0; i < lines; i++) {
    await pause(5 + Math.random() * 10); // ms
    const began = performance.now();
    screens[0]!.write(`line ${i}\n`);
    const shown = `ada: line ${i}\n`;
    await Promise.all(
      screens.map((one) => one.until(() => one.stdout.endsWith(shown))),
    );
    ms.push(performance.now() - began);
  }
  const size = (statSync(screen).size - before) / `flo: ${said}\n`.length;
  const others = size / (performance.now() - first) * 1000;
  end(server, ...screens, ...flo);
  return { ms: ms.slice(Math.ceil(lines / 10)), others }; // the first warm up
}

export async function delays(quick: boolean): Promise<string> {
  const lines = quick ? 40 : 60;
  const contestants = [nats, ...quick ? FEW_HUBS : HUBS];
  const results = new Map<string, Record<"idle" | "flooded", Delays>>();
  for (const one of contestants.filter(({ there }) => there)) {
    progress(`delay: ${one.name}`);
    results.set(one.name, {
      idle: await delay(one, lines, false),
      flooded: await delay(one, lines, true),
    });
  }
  const names = contestants.map(({ name }) => name);
  const at = (which: "idle" | "flooded", share: number) => (name: string) =>
    figure(quantile(results.get(name)![which].ms, share));
  return `## 4. Delay

${
    tableOf(names, results, [
      ["idle: median, ms", at("idle", 0.5)],
      ["99th percentile, ms", at("idle", 0.99)],
      ["flood, 1,000 lines/s", (name) =>
        figure(results.get(name)!.flooded.others / 1000)],
      ["flooded: median, ms", at("flooded", 0.5)],
      ["99th percentile, ms", at("flooded", 0.99)],
    ])
  }

From a line written to one client's stdin to the moment when the last of ${SCREENS.length}
clients shows it: when nothing else happens, and while the program yes is piped
into a sixth client. ${lines} lines, of which the first tenth is not counted. All are
processes, of group/client.ts at the hub and of test/bench/plain-client.ts at
nats-server, which share the processors of this machine.
`;
}
