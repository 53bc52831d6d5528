#!/usr/bin/env -S npx tsx
// A bad network on demand: it stands between UDP clients and a server, and
// loses, repeats and delays datagrams, by dice that fall the same for a seed.
//
//   npx tsx test/lossy-network.ts LISTEN HOST:PORT [options]
//
// Start a server on HOST:PORT, let clients write to 127.0.0.1 LISTEN, and see.
// Ctrl+C ends it with a summary of what was done to how many datagrams.
import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import process from "node:process";
import { parseArgs } from "node:util";

const USAGE = `usage: lossy-network.ts LISTEN HOST:PORT [options]
  LISTEN             the port on 127.0.0.1 for the clients
  HOST:PORT          the server, such as 127.0.0.1:6000
  --drop PERCENT     so many get lost
  --repeat PERCENT   so many come twice
  --delay PERCENT    so many come up to 50 ms later, and so out of order
  --latency MS       all of them take so long
  --move SECONDS     so often each client gets a new address, as from a router
                     that starts anew: what is sent to the old one is lost
  --seed NUMBER      the same dice again
A value is for both ways, or TO,FROM: --drop 30,0 loses only what goes to the
server. (Not so --move and --seed.)`;

const LATE = 50; // ms
const FORMER = 60_000; // ms until a former address is given back

// ---- Arguments ----

function refuse(why: string): never {
  console.error(`${why}\n${USAGE}`);
  process.exit(2);
}

/** A whole number from 0 to this, or the end. */
function number(name: string, text: string, max: number): number {
  if (/^\d+$/.test(text) && Number(text) <= max) return Number(text);
  refuse(`${name} "${text}" is not from 0 to ${max}`);
}

function parse() {
  const text = (value = "0") => ({ type: "string", default: value } as const);
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        drop: text(),
        repeat: text(),
        delay: text(),
        latency: text(),
        move: text(),
        seed: text(`${Date.now() % 1e6}`),
      },
    });
  } catch (error) {
    refuse((error as Error).message);
  }
}

const { values, positionals: [listen = "", target = "", ...rest] } = parse();
const [, host = "", port = ""] = /^(.+):(\d+)$/.exec(target) ?? [];
if (host === "" || rest.length > 0) refuse("not LISTEN and HOST:PORT");
const seed = number("--seed", values.seed, 2 ** 32);
const move = number("--move", values.move, 86_400); // s

/** One of the two directions: what is done in it, and how often it was. */
function openWay(i: 0 | 1) {
  const option = (name: "drop" | "repeat" | "delay" | "latency", max = 100) => {
    const parts = values[name].split(",");
    return number(`--${name}`, parts[i] ?? parts[0]!, max);
  };
  return {
    drop: option("drop"), // percent
    repeat: option("repeat"),
    delay: option("delay"),
    latency: option("latency", 10_000), // ms
    counts: { datagrams: 0, dropped: 0, repeated: 0, delayed: 0 },
  };
}
const [there, back] = [openWay(0), openWay(1)];

// ---- The way of a datagram ----

let state = seed;
/** Random numbers from 0 to 1, the same ones for a seed (mulberry32). */
function random(): number {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}

/** Let a datagram pass, or not, or twice, or late. */
function pass(way: typeof there, deliver: () => void) {
  // Always the same number of throws, so that a seed means the same run.
  const isDropped = 100 * random() < way.drop;
  const isRepeated = 100 * random() < way.repeat;
  const isDelayed = 100 * random() < way.delay;
  const wait = random() * LATE;

  way.counts.datagrams++;
  if (isDropped) return void way.counts.dropped++;
  if (isDelayed) way.counts.delayed++;
  if (isRepeated) way.counts.repeated++;
  setTimeout(deliver, way.latency + (isDelayed ? wait : 0));
  if (isRepeated) setTimeout(deliver, way.latency);
}

// ---- The sockets: one for all clients, and one to the server for each ----

let address = ""; // of the server
const outward = new Map<string, Socket>(); // by the client's address and port

const front = createSocket("udp4", (msg, client) => {
  if (client.port === 0) return; // it is forged, and cannot be answered
  const id = `${client.address}:${client.port}`;
  const socket = outward.get(id) ??
    openOutward((reply) => front.send(reply, client.port, client.address));
  outward.set(id, socket);
  pass(there, () => socket.send(msg, Number(port), address));
});

/** An address for a client, as the server sees it. */
function openOutward(toClient: (reply: Uint8Array) => void): Socket {
  const socket = createSocket("udp4", (reply) => {
    pass(back, () => toClient(reply));
  });
  return socket.on("error", () => {}); // lost, as on any network
}

/** Give each client a new address, from its next datagram on. */
function moveAll() {
  for (const socket of outward.values()) {
    socket.removeAllListeners("message");
    setTimeout(() => socket.close(), FORMER); // what it sent is still under way
  }
  outward.clear();
}

// ---- Start and end ----

function end() {
  for (const [name, { counts }] of [["to", there], ["from", back]] as const) {
    const all = Object.entries(counts).map(([what, n]) => `${n} ${what}`);
    console.log(`${name} the server: ${all.join(", ")}`);
  }
  process.exit();
}
process.on("SIGINT", end).on("SIGTERM", end);

async function main() {
  ({ address } = await lookup(host, 4));
  front.bind(number("LISTEN", listen, 65535), "127.0.0.1");
  await once(front, "listening"); // fails if the port is taken
  front.on("error", () => {}); // see above
  console.error(`listening on port ${listen}, seed ${seed}`);
  if (move > 0) setInterval(moveAll, move * 1000);
}
main().catch(({ message }: Error) => {
  console.error(message);
  process.exit(1);
});
