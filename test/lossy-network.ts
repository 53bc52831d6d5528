#!/usr/bin/env -S npx tsx
// A bad network on demand: it stands between UDP clients and a server, and
// loses, repeats and delays datagrams, by dice that fall the same for a seed.
// It can be a long way, too, and a narrow one, and move its clients about.
//
//   npx tsx test/lossy-network.ts LISTEN HOST:PORT [options]
//
// Start a server on HOST:PORT, let clients write to 127.0.0.1 LISTEN, and see.
// Ctrl+C ends it with a summary of what was done to how many datagrams.
//
// A datagram's way through it, in either direction:
//   1. pass:    the dice decide whether it is dropped, repeated, delayed
//   2. queue:   it waits until the narrow link has sent those before it
//   3. travel:  it takes its time, and who takes less may overtake
import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { readFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";

const USAGE = `usage: lossy-network.ts LISTEN HOST:PORT [options]
  LISTEN             port on 127.0.0.1 for the clients (0: any free one)
  HOST:PORT          the server, such as 127.0.0.1:6000 or [::1]:6000
What happens to some datagrams, as the dice fall:
  --drop PERCENT     they get lost
  --repeat PERCENT   they come twice
  --delay PERCENT    they come late, and so out of order
  --late MS          how late at the most (50)
  --seed NUMBER      the same dice again
What the path is like for all of them:
  --latency MS       each takes so long
  --jitter MS        or up to so much more or less: the next may overtake it
  --rate KBIT        a link on it carries so many thousand bits a second,
                     counting 28 bytes of headers a datagram (0: any number)
  --queue BYTES      so much waits for that link, the rest is lost (64000)
  --move SECONDS     so often each client gets a new address, as from a router
                     that starts anew: what is sent to the old one is lost
  --outage EVERY,S   every so many seconds, all is lost for S seconds
A value is for both ways, or TO,FROM: --drop 30,0 loses only what goes to the
server. (Not so --late, --seed, --move and --outage.)`;

const HEADERS = 20 + 8; // bytes that IPv4 and UDP put before each datagram
const BUFFER = 4 << 20; // bytes of room to ask for, to lose nothing here
const DENO = "deno" in process.versions;
const LINGER = 5000; // ms in which what a former address sent still arrives

/** One of the two directions. */
interface Way {
  drop: number; // probabilities, 0 to 1
  repeat: number;
  delay: number;
  latency: number; // ms
  jitter: number; // ms
  rate: number; // bits per ms, or 0 for a link that is never busy
  queue: number; // bytes
  free: number; // the time at which the link will have sent all, ms
  carried: number; // bytes, by the link
  counts: {
    arrived: number;
    dropped: number;
    repeated: number;
    delayed: number;
    full: number; // found no room in the queue
  };
}

// ---- Arguments ----

function fail(why: string): never {
  console.error(`${why}; see --help`);
  process.exit(2);
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
        latency: { type: "string", default: "0" },
        jitter: { type: "string", default: "0" },
        rate: { type: "string", default: "0" },
        queue: { type: "string", default: "64000" },
        move: { type: "string", default: "0" },
        outage: { type: "string", default: "0" },
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

/** An option's values for the two ways, from "30" or "30,0". */
function both(
  name: Exclude<keyof typeof values, "help" | "late" | "seed" | "move">,
  max: number,
): [number, number] {
  const [to = "", from = to, more] = values[name].split(",");
  if (more !== undefined) {
    fail(`--${name} "${values[name]}" has too many parts`);
  }
  return [number(`--${name}`, to, max), number(`--${name}`, from, max)];
}

const [, host, port] = /^\[?([^\]]+)\]?:(\d+)$/.exec(target) ?? [];
if (extra !== undefined) fail(`"${extra}" is one argument too many`);
if (!host || !port) fail(`"${target}" is not HOST:PORT`);
const listenPort = number("LISTEN", listen, 65535);
const late = number("--late", values.late, 60_000);
const seed = number("--seed", values.seed ?? `${Date.now() % 1e6}`, 2 ** 32);
const move = number("--move", values.move, 86_400);
const [outageEvery, outage] = both("outage", 86_400);
const given = {
  drop: both("drop", 100),
  repeat: both("repeat", 100),
  delay: both("delay", 100),
  latency: both("latency", 60_000),
  jitter: both("jitter", 60_000),
  rate: both("rate", 1e9),
  queue: both("queue", 1e9),
};
const way = (i: 0 | 1): Way => ({
  drop: given.drop[i] / 100,
  repeat: given.repeat[i] / 100,
  delay: given.delay[i] / 100,
  latency: given.latency[i],
  jitter: given.jitter[i],
  rate: given.rate[i],
  queue: given.queue[i],
  free: 0,
  carried: 0,
  counts: { arrived: 0, dropped: 0, repeated: 0, delayed: 0, full: 0 },
});
const [there, back] = [way(0), way(1)];

// ---- The way of a datagram ----

/** Random numbers from 0 to 1 that are the same for a seed (mulberry32). */
function dice(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
const random = dice(seed);
const shaking = dice(~seed); // its own, so that jitter loses no other datagrams

/** Nothing at all passes, for a while. */
function broken(): boolean {
  const seconds = performance.now() / 1000;
  return seconds > outageEvery && seconds % outageEvery < outage;
}

/** Let one datagram pass, or not, or twice, or late. */
function pass(way: Way, size: number, deliver: () => void): void {
  const { drop, repeat, delay, counts } = way;
  counts.arrived++;
  // Always the same number of throws, so that a seed means the same run.
  const [dropped, repeated, delayed] = [
    random() < drop,
    random() < repeat,
    random() < delay,
  ];
  const wait = random() * late;
  if (dropped || broken()) return void counts.dropped++;
  if (repeated) counts.repeated++;
  if (delayed) counts.delayed++;
  queue(way, size, delayed ? wait : 0, deliver);
  if (repeated) queue(way, size, 0, deliver);
}

/** Wait for the narrow link, unless too many wait already: "tail drop". */
function queue(
  way: Way,
  size: number,
  wait: number,
  deliver: () => void,
): void {
  const now = performance.now();
  const trip = way.latency + (2 * shaking() - 1) * way.jitter;
  if (way.rate === 0) return travel(now + Math.max(trip, 0) + wait, deliver);
  const busy = Math.max(way.free - now, 0); // ms, with those before this one
  const waiting = busy * way.rate / 8; // bytes
  if (busy > 0 && waiting + size > way.queue) return void way.counts.full++;
  way.carried += size + HEADERS;
  way.free = now + busy + (size + HEADERS) * 8 / way.rate;
  travel(way.free + Math.max(trip, 0) + wait, deliver);
}

// Those that are under way, the next to arrive first. One timer is enough for
// them all, and they arrive in order, as they would not with a timer for each.
const travelling: { due: number; deliver: () => void }[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;

function travel(due: number, deliver: () => void): void {
  if (due <= performance.now()) return deliver();
  let [low, high] = [0, travelling.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (travelling[middle]!.due > due) high = middle;
    else low = middle + 1;
  }
  travelling.splice(low, 0, { due, deliver });
  if (low === 0) arrive();
}

/** Deliver what is due, and come again for the next. */
function arrive(): void {
  const now = performance.now();
  const later = travelling.findIndex(({ due }) => due > now);
  const count = later < 0 ? travelling.length : later;
  for (const { deliver } of travelling.splice(0, count)) deliver();
  clearTimeout(timer);
  const [next] = travelling;
  if (next) timer = setTimeout(arrive, Math.ceil(next.due - now));
}

// ---- Sockets ----

const outward = new Map<string, Socket>(); // for each client, to the server
let server = { address: "", family: 4 };
const opened = new Set<Socket>();
let overrun = 0; // datagrams that closed sockets had no room for

const front = createSocket("udp4", (msg, client) => {
  const id = `${client.address}:${client.port}`;
  const socket = outward.get(id) ??
    open((reply) => front.send(reply, client.port, client.address));
  outward.set(id, socket);
  pass(there, msg.length, () => {
    try {
      socket.send(msg, Number(port), server.address);
    } catch { /* closed: this came from an address that is no more */ }
  });
});

/** A new address, as the server sees one client. */
function open(toClient: (reply: Uint8Array) => void): Socket {
  const socket = createSocket(server.family === 6 ? "udp6" : "udp4");
  socket.on("listening", () => enlarge(socket)); // at its first send
  socket.on("error", () => {}); // lost, as on any network
  socket.on("message", (reply) => {
    pass(back, reply.length, () => toClient(reply));
  });
  return socket;
}

/** Let the system keep what comes while we are busy, as much as it will. */
function enlarge(socket: Socket): void {
  opened.add(socket);
  if (DENO) return; // it would set so much memory aside for each datagram
  try {
    socket.setRecvBufferSize(BUFFER);
  } catch { /* it stays as large as it is */ }
}

/** Give each client a new address, from its next datagram on. */
function moveAll(): void {
  const former = [...outward.values()];
  outward.clear();
  for (const socket of former) socket.removeAllListeners("message");
  setTimeout(() => {
    overrun += lostBy(former);
    for (const socket of former) {
      opened.delete(socket);
      socket.close();
    }
  }, LINGER);
}

/** Datagrams that came to these sockets too fast; Linux alone tells. */
function lostBy(sockets: Iterable<Socket>): number {
  if (process.platform !== "linux" || DENO) return 0;
  const table = readFileSync("/proc/net/udp", "utf8") +
    readFileSync("/proc/net/udp6", "utf8");
  let lost = 0;
  for (const socket of sockets) {
    if (!opened.has(socket)) continue; // it has not sent yet
    const hex = socket.address().port.toString(16).toUpperCase();
    const row = RegExp(`: \\w+:${hex.padStart(4, "0")} .* (\\d+) *$`, "m");
    lost += Number(row.exec(table)?.[1] ?? 0);
  }
  return lost;
}

// ---- Start and end ----

function summary(): void {
  for (
    const [name, way] of [["to", there], ["from", back]] as const
  ) {
    const { arrived, dropped, repeated, delayed, full } = way.counts;
    console.log(
      `${name} the server: ${arrived} datagrams, ${dropped} dropped, ` +
        `${repeated} repeated, ${delayed} delayed` +
        (way.rate > 0
          ? `, ${full} found the queue full, ${way.carried} bytes`
          : ""),
    );
  }
  const lost = overrun + lostBy(opened);
  if (lost > 0) console.error(`${lost} more lost here: they came too fast`);
  process.exit();
}
process.on("SIGINT", summary);
process.on("SIGTERM", summary);

lookup(host).then((found) => {
  server = found;
  front.on("error", (error) => fail(error.message));
  front.bind(listenPort, "127.0.0.1", () => {
    enlarge(front);
    if (move > 0) setInterval(moveAll, move * 1000);
    console.error(`listening on port ${front.address().port}, seed ${seed}`);
  });
}, (error) => fail(error.message));
