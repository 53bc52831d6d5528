#!/usr/bin/env -S npx tsx
// A group chat over UDP, the server: everyone sends to it, and it passes each
// line on to everyone, in one order. Members run client.ts, or use netcat.
//   npx tsx group/server.ts [host] [port]                 Node 20 and later
//   node group/server.ts [host] [port]                    Node 22.18 and later
//   bun group/server.ts [host] [port]
//   deno run --allow-net group/server.ts [host] [port]
//
// A network promises nothing; three rules make the chat reliable all the same:
//   1. A stranger proves its address by sending back a cookie which only that
//      address can have read. Until then we keep nothing of it, and send it one
//      small datagram for each of its own: nobody can use us to flood others.
//   2. Lines are numbered. Who misses a number asks for it until it comes.
//   3. A member repeats what it said until we acknowledge it, and we take each
//      of its numbers once.
// The words of the protocol (/join, /say, /have ...) are a table in README.md.

// @ts-ignore: for tsc; Deno has the types of Node built in
/// <reference types="node" />
import { Buffer } from "node:buffer";
import { createHmac, randomBytes } from "node:crypto";
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import process from "node:process";
import * as timers from "node:timers/promises";

// ---- Constants ----

const USAGE = "usage: server.ts [host] [port], by default 127.0.0.1 6001";
const DATAGRAM = 1200; // bytes that any path carries whole (RFC 9000, 14)
const LINE = DATAGRAM - 18; // bytes of a line between its number and newline
const KEPT = 1024; // lines that can still be asked for
const MEMBERS = 1000; // at the most
const SILENCE = 120_000; // ms until a mute member is dropped (RFC 4787, 4.3)
const BURST = 50; // datagrams sent until we look what has come meanwhile
const REST = 10; // ms in which the lines of a busy group wait for each other
const NAME = /^(?!\p{M})(?:(?!\p{DI})[\p{L}\p{M}\p{Nd}_.-]){1,20}$/u; // DI: invisible
// What could move the cursor or turn text around on a reader's screen.
const UNSAFE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

// ---- State: nothing in it grows without bound ----

interface Member {
  id: string; // address:port
  to: [port: number, address: string];
  name: string;
  since: number; // the last line before it joined
  heard: number; // when we last heard of it, ms
  said: number; // how many of its numbered lines we took
  answer: string; // to the last of these, if it was a command
  waits: boolean; // for the acknowledgement that goes out with its lines
}
const members = new Map<string, Member>(); // by id
const names = new Map<string, Member>(); // by folded name
const kept: string[] = []; // line N is kept[N % KEPT]
let last = 0; // number of the newest line
let news: string[] = []; // numbered lines that go out next
let screen = ""; // what the console shows then
let unread = false; // nobody reads the console
let busy = false; // somebody is being told of them, or has just been
let told = 0; // the newest line that everybody should have by now
let dropped = 0; // datagrams that the kernel had no room for
const key = randomBytes(32); // of this run: older cookies are worthless
const run = randomBytes(2).toString("hex"); // its cookies begin with this
const { stdout } = process;
let sk: Socket;

// ---- A datagram comes in ----

function receive(msg: Buffer, { address, port, size }: RemoteInfo): void {
  const text = UTF8.decode(msg);
  (msg.buffer as ArrayBuffer).transfer?.(0); // Deno: 64 KiB, free it now
  const id = `${address}:${port}`;
  const member = members.get(id);
  if (!member) return admit(id, [port, address], text);
  member.heard = performance.now();
  if (news.length > KEPT) return; // more than we can pass on: as if it got lost
  const answers = new Set<string>();
  const lines = text.replace(/\r?\n$/, "").split(/\r?\n/);
  if (size > DATAGRAM) answers.add("* not taken, over 1200 bytes at once");
  else for (const line of lines) answers.add(obey(member, line));
  answers.delete("");
  // Lines are acknowledged as they go out to all; whatever else, at once.
  const atOnce = /^\/say /m.test(text) && (answers.size > 0 || !member.waits);
  const acks = atOnce ? [`/said ${member.said}`] : [];
  const some = pack([...acks, ...answers]).slice(0, 2); // a sender may be forged
  for (const datagram of some) sk.send(datagram, ...member.to);
}

/** Let a stranger in that shows its cookie; any other gets one datagram. */
function admit(id: string, to: Member["to"], text: string): void {
  const hash = createHmac("sha256", key).update(id).digest("hex");
  const ours = run + hash.slice(0, 12);
  const [word, theirs, name = ""] = text.split(/\s/);
  const proven = word === "/join" && theirs === ours;
  // So answers another such server: we would answer each other for ever.
  const server = !proven && /^\/join [0-9a-f]{16}\n$/.test(text);
  if (server || to[0] === 0) return; // port 0 cannot be answered
  if (!proven) return sk.send(`/join ${ours}\n`, ...to);
  if (members.size === MEMBERS) return sk.send("/full\n", ...to);
  const since = last - news.length; // it gets what goes out next
  const nothing = { said: 0, answer: "", waits: false };
  const heard = performance.now();
  const member: Member = { id, to, name: id, since, heard, ...nothing };
  members.set(id, member);
  rename(member, name);
  sk.send(`/welcome ${since} ${member.name}\n`, ...to);
  say(`* ${member.name} joined (${members.size} here)`);
}

/** Do what a line asks for; returns what its member alone gets to know. */
function obey(member: Member, line: string): string {
  if (!members.has(member.id)) return ""; // it has just said /quit
  const [, have] = /^\/have (\d{1,15})$/.exec(line) ?? [];
  if (have) return repeat(Number(have));
  // Again, for the first was lost.
  if (/^\/join( |$)/.test(line)) {
    return `/welcome ${member.since} ${member.name}`;
  }
  const [, k, text = ""] = /^\/say (\d{1,15}) (.*)$/s.exec(line) ?? [];
  if (!k) return speak(member, line);
  if (Number(k) === member.said + 1) {
    member.said++;
    member.answer = speak(member, text);
    member.waits = news.length > 0 && member.answer === "";
  }
  return Number(k) === member.said ? member.answer : "";
}

/** Say text, or do what it commands. */
function speak(member: Member, raw: string): string {
  const visible = (c: string) => `\\u{${c.charCodeAt(0).toString(16)}}`;
  const text = raw.replace(UNSAFE, visible);
  const { id, name, to } = member;
  const [word, wanted = ""] = text.split(" ");
  if (!text.startsWith("/")) {
    const line = `${name}: ${text}`;
    if (Buffer.byteLength(line) > LINE) return "* too long, not said";
    say(line, `来自[${id}]的消息: ${text}`);
  } else if (word === "/name") {
    const free = rename(member, wanted);
    if (!free) return "* taken, or not 1 to 20 letters, digits, _ . -";
    if (member.name !== name) say(`* ${name} is now ${member.name}`);
  } else if (word === "/who") {
    const all = [...members.values()].map(({ name }) => name).join(", ");
    const list = all.length > 280 ? `${all.slice(0, 280)} ...` : all;
    return `* ${members.size} here: ${list}`;
  } else if (word === "/quit") {
    leave(member, "left");
    sk.send("* goodbye\n", ...to);
  } else return "* no such command, there are /name NEW, /who and /quit";
  return "";
}

/** The same for all names that differ only in case or in Unicode spelling. */
function fold(name: string): string {
  return name.toLowerCase().toUpperCase().normalize("NFKC");
}

/** Give a member a name, unless it is none or somebody else has it. */
function rename(member: Member, wanted: string): boolean {
  const name = wanted.normalize("NFKC");
  const owner = names.get(fold(name)) ?? member;
  if (!NAME.test(name) || owner !== member) return false;
  names.delete(fold(member.name));
  names.set(fold(name), member);
  member.name = name;
  return true;
}

function leave(member: Member, how: string): void {
  members.delete(member.id);
  names.delete(fold(member.name));
  say(`* ${member.name} ${how} (${members.size} here)`);
}

/** The lines after n, a datagram's worth, or that there are none. */
function repeat(n: number): string {
  if (n >= told) return `/have ${last}`; // the others are on their way
  const first = Math.max(n, last - KEPT) + 1;
  const lines = first > n + 1 ? [`/gone ${first - 1}`] : [];
  for (let i = first; i <= told && i < first + 100; i++) {
    lines.push(`${i} ${kept[i % KEPT]}`);
  }
  return String(pack(lines)[0]).slice(0, -1);
}

// ---- What goes out ----
// What came in together goes out together, in as few datagrams as hold it: the
// cost is in the system call for each. A line in a quiet group goes out at once.

function say(line: string, shown = line): void {
  last++;
  kept[last % KEPT] = line;
  news.push(`${last} ${line}`);
  screen += shown + "\n";
  if (!busy) setImmediate(spread);
  busy = true;
}

/** Send all that is new to everyone; what is said meanwhile, after a rest. */
async function spread(): Promise<void> {
  while (news.length > 0) {
    const [lines, newest] = [news, last];
    const shown = unread ? "* lines are missing here\n" : "";
    if (!unread) unread = !stdout.write(screen);
    [news, screen] = [[], shown];
    const shared = pack(lines);
    let sent = 0;
    for (const member of [...members.values()]) {
      const { to } = member;
      const own = member.waits && pack([`/said ${member.said}`, ...lines]);
      member.waits = false;
      for (const datagram of own || shared) {
        // Bun: an error is of an earlier datagram, and this one did not go.
        const again = (error: unknown) => error && sk.send(datagram, ...to);
        sk.send(datagram, ...to, again);
        if (++sent % BURST === 0) await timers.setImmediate();
      }
    }
    await timers.setTimeout(REST);
    told = newest;
  }
  busy = false;
}

/** Join lines, each with its newline, into as few datagrams as hold them. */
function pack(lines: string[]): Buffer[] {
  const datagrams: string[] = [];
  let room = 0; // bytes
  for (const line of lines) {
    const size = Buffer.byteLength(line) + 1;
    if (size > room) {
      datagrams.push("");
      room = DATAGRAM;
    }
    datagrams[datagrams.length - 1] += line + "\n";
    room -= size;
  }
  return datagrams.map((datagram) => Buffer.from(datagram));
}

// ---- Start and end ----

const [host = "127.0.0.1", port = "6001", extra] = process.argv.slice(2);

function exit(code: number, text: string): never {
  (code === 0 ? console.log : console.error)(text);
  process.exit(code);
}

function close(): void {
  const text = "* the server is closing\n";
  for (const { to } of members.values()) sk.send(text, ...to);
  if (stdout.isTTY) console.log(); // the shell's prompt on a new line
  setTimeout(() => process.exit(130), 100); // ms, for all to be on their way
}

/** Every now and then: drop who is silent, tell what the kernel dropped. */
async function sweep() {
  for (const member of members.values()) {
    if (performance.now() - member.heard > SILENCE) leave(member, "timed out");
  }
  if (process.versions["deno"]) return; // it would have to ask for permission
  const { port, family } = sk.address();
  const file = family === "IPv6" ? "/proc/net/udp6" : "/proc/net/udp"; // Linux
  const table = await readFile(file, "utf8").catch(() => "");
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const row = RegExp(`^ *\\d+: \\w+:${hex} .* (\\d+) *$`, "m").exec(table);
  const count = Number(row?.[1] ?? 0); // of those that found our buffer full
  if (count > dropped) {
    console.error(`${count - dropped} datagrams lost: they came too fast`);
  }
  dropped = count;
}

async function main() {
  if (host === "-h" || host === "--help") exit(0, USAGE);
  const odd = /^(-|$|\d+$)/.test(host) ? host : extra;
  if (odd !== undefined) exit(2, `"${odd}" is not understood, ${USAGE}`);
  const valid = /^(0|[1-9]\d{0,4})$/.test(port) && Number(port) <= 65535;
  if (!valid) exit(2, `port "${port}" is not a whole number from 0 to 65535`);
  const { address, family } = await lookup(host);
  sk = createSocket(family === 6 ? "udp6" : "udp4", receive);
  sk.bind(Number(port), address);
  await once(sk, "listening");
  sk.on("error", () => {}); // an answer that cannot be sent is as good as lost
  if (port === "0") console.error(`listening on port ${sk.address().port}`);
  process.on("SIGINT", close);
  stdout.on("drain", () => unread = false);
  stdout.on("error", () => process.exit()); // whoever read it has left
  setInterval(sweep, 5000);
}

main().catch(({ message }) =>
  exit(1, `cannot use ${host}:${port}, choose another: ${message}`)
);
