#!/usr/bin/env -S npx tsx
// A bad network on demand: it stands between UDP clients and a server, and
// loses, repeats and delays datagrams, by dice that fall the same for a seed.
//
//   npx tsx test/lossy-network.ts LISTEN HOST:PORT [options]
//
// Start a server on HOST:PORT, let clients write to 127.0.0.1 LISTEN, and see.
// Ctrl+C ends it with a summary of what was done to how many datagrams.
import { createSocket, type Socket } from "node:dgram";
import process from "node:process";
import { parseArgs } from "node:util";

const USAGE = `usage: lossy-network.ts LISTEN HOST:PORT [options]
  LISTEN             port on 127.0.0.1 for the clients (0: any free one)
  HOST:PORT          the server, such as 127.0.0.1:6000 or [::1]:6000
  --drop PERCENT     datagrams that get lost
  --repeat PERCENT   datagrams that come twice
  --delay PERCENT    datagrams that come late, and so out of order
  --late MS          how late at the most (50)
  --seed NUMBER      the same dice again
A PERCENT is for both ways, or TO,FROM: --drop 30,0 loses only what goes to the
server.`;

/** What happened in one direction. */
interface Way {
  drop: number; // probabilities, 0 to 1
  repeat: number;
  delay: number;
  counts: {
    arrived: number;
    dropped: number;
    repeated: number;
    delayed: number;
  };
}

function fail(why: string): never {
  console.error(`${why}; see --help`);
  process.exit(2);
}

/** Random numbers from 0 to 1 that are the same for a seed (mulberry32). */
function dice(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function options() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        help: { type: "boolean", short: "h" },
        drop: { type: "string", default: "0" },
        repeat: { type: "string", default: "0" },
        delay: { type: "string", default: "0" },
        late: { type: "string", default: "50" },
        seed: { type: "string" },
      },
    });
  } catch (error) {
    fail((error as Error).message.split("\n", 1).join());
  }
}

const { values, positionals: [listen = "", target = "", extra] } = options();
if (values.help) {
  console.log(USAGE);
  process.exit();
}

function number(name: string, text: string, max: number): number {
  const n = Number(text);
  if (text === "" || !(n >= 0 && n <= max)) {
    fail(`${name} "${text}" is not a number from 0 to ${max}`);
  }
  return n;
}

/** The probabilities of the two ways, from "30" or "30,0". */
function shares(name: "drop" | "repeat" | "delay"): [number, number] {
  const [to = "", from = to, more] = values[name].split(",");
  if (more !== undefined) {
    fail(`--${name} "${values[name]}" has too many parts`);
  }
  return [
    number(`--${name}`, to, 100) / 100,
    number(`--${name}`, from, 100) / 100,
  ];
}

const [, host, port] = /^\[?([^\]]+)\]?:(\d+)$/.exec(target) ?? [];
if (extra !== undefined) fail(`"${extra}" is one argument too many`);
if (!host || !port) fail(`"${target}" is not HOST:PORT`);
const listenPort = number("LISTEN", listen, 65535);
const late = number("--late", values.late, 60_000);
const seed = number("--seed", values.seed ?? `${Date.now() % 1e6}`, 2 ** 32);
const random = dice(seed);
const [drops, repeats, delays] = [
  shares("drop"),
  shares("repeat"),
  shares("delay"),
];
const way = (i: 0 | 1): Way => ({
  drop: drops[i],
  repeat: repeats[i],
  delay: delays[i],
  counts: { arrived: 0, dropped: 0, repeated: 0, delayed: 0 },
});
const [there, back] = [way(0), way(1)];

/** Let one datagram pass, or not, or twice, or late. */
function pass(way: Way, deliver: () => void): void {
  const { drop, repeat, delay, counts } = way;
  counts.arrived++;
  // Always the same number of throws, so that a seed means the same run.
  const [dropped, repeated, delayed] = [
    random() < drop,
    random() < repeat,
    random() < delay,
  ];
  const wait = random() * late;
  if (dropped) return void counts.dropped++;
  if (repeated) counts.repeated++;
  if (delayed) counts.delayed++;
  if (delayed) setTimeout(deliver, wait);
  else deliver();
  if (repeated) deliver();
}

const behind = new Map<string, Socket>(); // for each client, to the server
const front = createSocket("udp4", (msg, client) => {
  const id = `${client.address}:${client.port}`;
  const socket = behind.get(id) ??
    createSocket(host.includes(":") ? "udp6" : "udp4");
  if (!behind.has(id)) {
    behind.set(id, socket);
    socket.on("error", () => {}); // lost, as on any network
    socket.on("message", (reply) => {
      pass(back, () => front.send(reply, client.port, client.address));
    });
  }
  pass(there, () => socket.send(msg, Number(port), host));
});
front.on("error", (error) => fail(error.message));
front.bind(listenPort, "127.0.0.1", () => {
  console.error(`listening on port ${front.address().port}, seed ${seed}`);
});

function summary(): void {
  for (const [name, { counts }] of [["to", there], ["from", back]] as const) {
    const { arrived, dropped, repeated, delayed } = counts;
    console.log(
      `${name} the server: ${arrived} datagrams, ${dropped} dropped, ` +
        `${repeated} repeated, ${delayed} delayed`,
    );
  }
  process.exit();
}
process.on("SIGINT", summary);
process.on("SIGTERM", summary);
