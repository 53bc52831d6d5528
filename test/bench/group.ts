// Parts 3 and 4: the group. What the hub delivers beside a plain relay and the
// brokers that people would use instead, and how long a typed line takes.

import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { join as path } from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { startHub } from "../support/group.ts";
import { memory, NOT_LINUX } from "../support/kernel.ts";
import { commandOf, listening, type Server, start } from "../support/pair.ts";
import { Program, PROJECT } from "../support/processes.ts";
import { type Runtime, runtimes } from "../support/runtimes.ts";
import type { Counts } from "./load.ts";
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
  quantile,
  ratios,
  silent,
  spread,
  sum,
  table,
  there,
  versionOf,
  wanted,
} from "./measure.ts";
import { plot } from "./plot.ts";

const TALKERS = 20;
/** What runs the load and the brokers' clients. */
const NODE = there.findLast(({ name }) => name.includes("Node"))!;
/** What the plot shows of the hub. */
const NEWEST = there.filter((one) =>
  one === NODE || !one.name.includes("Node")
);

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
  const folder = mkdtempSync(path(tmpdir(), "bench-"));
  process.on("exit", () => rmSync(folder, { recursive: true }));
  const port = await freePort();
  const file = path(folder, "mosquitto.conf");
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
const all = [relay, mosquitto, nats, ...runtimes.map(hub)];

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
  member: number; // of a client's processor, µs a line that it showed
  memory: number; // of the server, MB
  missing: number; // lines that did not reach a member, for each member
}

/** Let a group of this size be busy for a while. */
async function busy(
  { client }: Contestant,
  server: Server,
  load: Load,
  size: number,
  [warmUp, ms]: [number, number],
): Promise<Result> {
  await load.ask("join", size, TALKERS);
  const command = inFiles(client("zoe", server.port), "/dev/null");
  const screen = size === 200 ? new Program(bench, command) : undefined;
  await pause(screen ? 1000 : 0); // ms, until it has joined
  await load.ask("talk");
  await pause(warmUp);
  const before = await load.ask("count");
  const began = performance.now();
  const used = processorTime(server);
  const shown = screen ? processorTime(screen) : NaN;
  await pause(ms);
  const after = await load.ask("count");
  const took = performance.now() - began;
  /** What each process of the load counted in a second. */
  const rates = (which: keyof Counts) =>
    after.map((now, i) =>
      (now[which] - before[i]![which]) / (now.at - before[i]!.at) * 1000
    );
  const members = screen ? size + 1 : size;
  const perSecond = sum(rates("lines")) / size * members;
  const share = (processorTime(server) - used) / took;
  const member = screen ? (processorTime(screen) - shown) / took : NaN;
  if (screen) end(screen);
  const counts = await load.ask("stop");
  const total = (which: keyof Counts) => sum(counts.map((one) => one[which]));
  return {
    perSecond,
    cost: share * 1e6 / perSecond,
    server: share,
    load: Math.max(...rates("processor")) / 1000,
    member: member * 1e6 / (perSecond / members),
    memory: NOT_LINUX ? NaN : memory(server.pid).largest,
    missing: total("said") * total("members") - total("lines"),
  };
}

type Results = Map<string, Map<number, Result[]>>; // by name, by size

async function measure(sizes: number[], quick: boolean): Promise<Results> {
  const contestants = all.filter(({ there }) => there);
  const results: Results = new Map(
    contestants.map(({ name }) => [
      name,
      new Map(sizes.map((size) => [size, []])),
    ]),
  );
  const rounds = quick ? 1 : 3;
  const times: [number, number] = quick ? [400, 400] : [700, 1500];
  for (let round = 1; round <= rounds; round++) {
    for (const one of contestants) {
      progress(`group: round ${round} of ${rounds}, ${one.name}`);
      const server = await one.start();
      const load = new Load(one.protocol, server.port);
      for (const size of sizes) {
        const result = await busy(one, server, load, size, times);
        results.get(one.name)!.get(size)!.push(result);
      }
      load.end();
      end(server);
    }
  }
  return results;
}

function figures(
  results: Results,
  { name }: { name: string },
  size: number,
  which: keyof Result,
): number[] {
  return (results.get(name)?.get(size) ?? []).map((one) => one[which]);
}

function deliveryTable(results: Results, size: number): string {
  const rows = all.map((one) => {
    if (!results.has(one.name)) return [one.name, MISSING];
    const of = (which: keyof Result, other = one) =>
      figures(results, other, size, which);
    const percent = (all: number[]) => `${(median(all) * 100).toFixed(0)} %`;
    const than = (other: Contestant) =>
      one === other || !results.has(other.name)
        ? ""
        : spread(ratios(of("cost", other), of("cost")));
    return [
      one.name,
      spread(of("cost").map((cost) => 1000 / cost)),
      than(relay),
      than(nats),
      spread(of("perSecond").map((n) => n / 1000)),
      percent(of("server")),
      percent(of("load")),
      figure(median(of("memory"))),
      `${sum(of("missing"))}`,
      ...size === 200 ? [spread(of("member"))] : [],
    ];
  });
  const head = [
    `${figure(size)} members`,
    "1,000 lines per processor second",
    "/ plain relay",
    "/ nats-server",
    "1,000 lines per second",
    "server busy",
    "load busy",
    "MB",
    "missing",
    ...size === 200 ? ["a client: µs a line"] : [],
  ];
  return table(head, rows);
}

function costTable(results: Results, sizes: number[]): string {
  const rows = all.map((one) => {
    if (!results.has(one.name)) return [one.name, MISSING];
    const costs = sizes.map((size) => figures(results, one, size, "cost"));
    return [one.name, ...costs.map(spread)];
  });
  return table(["µs a delivery", ...sizes.map((n) => `at ${figure(n)}`)], rows);
}

function goals(results: Results, sizes: number[]): string {
  return there.flatMap(({ name }) => {
    const cost = (size: number, one: { name: string }) =>
      figures(results, one, size, "cost");
    const times = (size: number, other: Contestant) =>
      median(ratios(cost(size, other), cost(size, { name })));
    const [big, small] = name === "Deno" ? [1, NaN] : [2, 1.3];
    const at = (size: number) => `${name}, ${figure(size)} members`;
    const most = sizes.at(-1)!;
    const grown = median(cost(most, { name })) / median(cost(200, { name }));
    return [
      wanted(`${at(200)}, / plain relay`, times(200, relay), "at least 8"),
      wanted(`${at(200)}, / nats-server`, times(200, nats), `at least ${big}`),
      ...small
        ? [
          wanted(
            `${at(20)}, / nats-server`,
            times(20, nats),
            `at least ${small}`,
          ),
        ]
        : [],
      ...most > 200
        ? [
          wanted(
            `${name}, a delivery at ${figure(most)} / at 200`,
            grown,
            "at most 1",
          ),
        ]
        : [],
    ];
  }).join("\n");
}

export async function deliveries(quick: boolean, write: boolean) {
  const sizes = quick ? [20, 200] : [20, 200, 1000];
  const results = await measure(sizes, quick);
  if (write) {
    const rows = [relay, mosquitto, nats, ...NEWEST.map(hub)]
      .filter(({ name }) => results.has(name)).map((one) => ({
        name: one.protocol === "hub" ? `the hub, ${one.name}` : one.name,
        ours: one.protocol === "hub",
        costs: sizes.map((size) => median(figures(results, one, size, "cost"))),
      }));
    writeFileSync(path(PROJECT, "test/bench/plot.svg"), plot(sizes, rows));
  }
  return `## 3. Group

![What a delivery costs a server](plot.svg)

${costTable(results, sizes)}

${sizes.map((size) => deliveryTable(results, size)).join("\n\n")}

${TALKERS} of the members talk all the time: each says 8 lines at once, and the next ones
when it has heard these. The load speaks each server's protocol itself
(test/bench/members.ts): the hub's with its requests and acknowledgements, NATS
and MQTT 3.1.1 (QoS 0) over TCP, and datagrams of a line each for the plain relay
(test/bench/relay.py), which has neither acknowledgements nor repetitions.

It is the same lines, not the same service: TCP also takes care of networks that
lose packets, which is the hub's own work in its scripts, and the brokers have
much that the hub has not, such as subjects, sessions, accounts and encryption.

Busy is the share of one processor, for the load that of the busiest of its
processes, of which there ${
    LOADS === 1 ? "was 1" : `were ${LOADS}`
  }. Lines per second are limited by both, lines
per processor second of the server are not. MB is the server's resident memory
then. Missing are lines that a member did not get, in all rounds together. A
client is a whole program that shows all lines, into /dev/null: group/client.ts
on the hub's runtime, and the plainest one that prints them on ${NODE.name} for the
others (test/bench/plain-client.ts). The servers' own consoles go there too.
${quick ? "1 round" : "3 rounds in turn; median and quartiles"}.

${goals(results, sizes)}
`;
}

// ---- The delay of a line ----

const SCREENS = ["ada", "ben", "cleo", "dan", "eve"];

/** From a line said to the moment when the last screen shows it, in ms. */
async function delay(
  { start, client }: Contestant,
  lines: number,
  flooded: boolean,
): Promise<number[]> {
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
  const yes = ["sh", "-c", 'yes "a line of the flood" | "$@" >/dev/null', "sh"];
  const flood = flooded
    ? new Program(bench, [...yes, ...client("flo", server.port)])
    : undefined;
  await pause(flooded ? 2000 : 0); // ms
  const all: number[] = [];
  for (let i = 0; i < lines; i++) {
    await pause(10 + Math.random() * 20); // ms
    const began = performance.now();
    screens[0]!.write(`line ${i}\n`);
    const shown = `ada: line ${i}\n`;
    await Promise.all(
      screens.map((one) => one.until(() => one.stdout.endsWith(shown))),
    ).catch(() => {});
    all.push(performance.now() - began);
  }
  end(server, ...screens, ...flood ? [flood] : []);
  return all.slice(Math.ceil(lines / 10)); // the first ones warm up
}

export async function delays(quick: boolean): Promise<string> {
  const lines = quick ? 40 : 220;
  const rows: string[][] = [];
  for (const one of [nats, ...runtimes.map(hub)]) {
    if (!one.there) {
      rows.push([one.name, MISSING]);
      continue;
    }
    progress(`delay: ${one.name}`);
    const both = [
      await delay(one, lines, false),
      await delay(one, lines, true),
    ];
    const quantiles = both.flatMap((all) =>
      [0.5, 0.99].map((share) => figure(quantile(all, share)))
    );
    rows.push([one.name, ...quantiles]);
  }
  const head = [
    "",
    "idle: median, ms",
    "99th percentile, ms",
    "flooded: median, ms",
    "99th percentile, ms",
  ];
  return `## 4. Delay

${table(head, rows)}

From a line written to one client's stdin to the moment when the last of ${SCREENS.length}
clients shows it: when nothing else happens, and while the program yes is piped
into a sixth client. ${lines} lines, of which the first tenth is not counted. All are
processes, of group/client.ts at the hub and of test/bench/plain-client.ts at
nats-server, which share the processors of this machine.
`;
}
