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
import process from "node:process";

// ---- Constants ----

const USAGE = "usage: server.ts [host] [port], by default 127.0.0.1 6001";
const DATAGRAM = 1200; // bytes that any path carries whole (RFC 9000, 14)
const LINE = DATAGRAM - 18; // bytes of a line between its number and newline
const LINES = 150; // lines of a datagram: a /say is at least 8 bytes long
const KEPT = 1024; // lines that can still be asked for
const MEMBERS = 1000; // at the most
const SILENCE = 120_000; // ms until a mute member is dropped (RFC 4787, 4.3)
const NAME = /^(?!\p{M})(?:(?!\p{DI})[\p{L}\p{M}\p{Nd}_.-]){1,20}$/u; // DI: invisible
// What could move the cursor or turn text around on a reader's screen.
const UNSAFE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
// The same for all names that differ only in case or in Unicode spelling.
const fold = (name: string) =>
  name.toLowerCase().toUpperCase().normalize("NFKC");
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

// ---- State: nothing in it grows without bound ----

interface Member {
  id: string; // address:port
  address: string;
  port: number;
  name: string;
  since: number; // the last line before it joined
  said: number; // how many of its numbered lines we took
  heard: number; // when we last heard of it, ms
  owed: Set<string>; // what it alone gets at the end of this turn
}
const members = new Map<string, Member>(); // by id
const names = new Map<string, Member>(); // by folded name
const kept: string[] = []; // line N is kept[N % KEPT]
let last = 0; // number of the newest line
let news: string[] = []; // the lines of this turn
const owing = new Set<Member>(); // members that are owed something
let screen = ""; // what the console shows at the end of this turn
let turn: NodeJS.Immediate | undefined; // that end, if there is work for it
const key = randomBytes(32); // of this run: older cookies are worthless
let sk: Socket;

// ---- A datagram comes in ----

function receive(msg: Buffer, from: RemoteInfo): void {
  if (from.port === 0) return; // cannot be answered
  const id = `${from.address}:${from.port}`;
  const text = UTF8.decode(msg);
  (msg.buffer as ArrayBuffer).transfer?.(0); // Deno: 64 KiB, free it now
  const lines = text.replace(/\r?\n$/, "").split(/\r?\n/);
  for (const line of lines) {
    const member = members.get(id);
    if (!member) return admit(id, from, text);
    member.heard = Date.now();
    const much = from.size > DATAGRAM || lines.length > LINES;
    if (much) return owe(member, "* not taken, that was too much at once");
    obey(member, line);
  }
}

/** Let a stranger in that shows its cookie; any other gets one datagram. */
function admit(id: string, from: RemoteInfo, text: string): void {
  const mac = createHmac("sha256", key).update(id).digest("hex").slice(0, 16);
  const [word, cookie, name = ""] = text.split(/\s/);
  const proven = word === "/join" && cookie === mac;
  // So answers another such server: we would answer each other for ever.
  if (!proven && /^\/join [0-9a-f]{16}\n$/.test(text)) return;
  if (!proven || members.size === MEMBERS) {
    return sk.send(
      proven ? "/full\n" : `/join ${mac}\n`,
      from.port,
      from.address,
    );
  }
  const { address, port } = from;
  const fresh = {
    since: last,
    said: 0,
    heard: Date.now(),
    owed: new Set<string>(),
  };
  const member: Member = { id, address, port, name: id, ...fresh };
  members.set(id, member);
  rename(member, name);
  owe(member, `/welcome ${last} ${member.name}`);
  publish(`* ${member.name} joined (${members.size} here)`);
}

function obey(member: Member, line: string): void {
  const [, have] = /^\/have (\d{1,15})$/.exec(line) ?? [];
  if (have) return repeat(member, Number(have));
  const [, k, text] = /^\/say (\d{1,15}) (.*)$/s.exec(line) ?? [];
  if (text === undefined) return speak(member, line);
  const next = Number(k) === member.said + 1;
  // A command that comes again shows that our answer to it was lost.
  const renames = text.startsWith("/name") && Number(k) < member.said;
  const again = Number(k) <= member.said && text.startsWith("/") && !renames;
  if (next) member.said++;
  if (next || again) speak(member, text.replace(/^\/(quit|join)/, "/no-$1"));
  owe(member); // at least /said
}

/** Say text, or do what it commands. */
function speak(member: Member, raw: string): void {
  const visible = (c: string) => `\\u{${c.charCodeAt(0).toString(16)}}`;
  const text = raw.replace(UNSAFE, visible);
  const line = `${member.name}: ${text}`;
  if (text.startsWith("/")) command(member, text);
  else if (Buffer.byteLength(line) > LINE) owe(member, "* too long, not said");
  else {
    screen += `来自[${member.id}]的消息: ${text}\n`;
    say(line);
  }
}

function command(member: Member, text: string): void {
  const [word, wanted = ""] = text.split(" ");
  const { name, since, port, address } = member;
  if (word === "/name" && rename(member, wanted)) {
    if (member.name !== name) publish(`* ${name} is now ${member.name}`);
  } else if (word === "/name") {
    owe(member, "* taken, or not 1 to 20 letters, digits, _ . -");
  } else if (word === "/who") {
    const all = [...members.values()].map(({ name }) => name).join(", ");
    const list = all.length > 280 ? `${all.slice(0, 280)} ...` : all;
    owe(member, `* ${members.size} here: ${list}`);
  } else if (word === "/quit") {
    leave(member, "left");
    sk.send("* goodbye\n", port, address);
  } else if (word === "/join") {
    owe(member, `/welcome ${since} ${name}`); // the first was lost
  } else {
    owe(member, "* no such command, there are /name NEW, /who and /quit");
  }
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
  publish(`* ${member.name} ${how} (${members.size} here)`);
}

/** A member has the lines up to n: it gets a datagram's worth of the next. */
function repeat(member: Member, n: number): void {
  const first = Math.max(n, last - KEPT) + 1;
  const newest = last - news.length; // this turn's lines go out anyway
  if (first > n + 1) owe(member, `/gone ${first - 1}`);
  if (first > newest) owe(member, `/have ${last}`);
  for (let i = first, room = DATAGRAM; i <= newest; i++) {
    const line = `${i} ${kept[i % KEPT]}`;
    room -= Buffer.byteLength(line) + 1;
    if (room < 0 && i > first) return;
    owe(member, line);
  }
}

// ---- What goes out, at the end of a turn of the event loop ----
// What came in together goes out together, in as few datagrams as hold it: the
// cost is in the system call for each, so a busy group is cheaper by the line.

function say(line: string): void {
  last++;
  kept[last % KEPT] = line;
  news.push(`${last} ${line}`);
  turn ??= setImmediate(endTurn);
}

function publish(notice: string): void {
  screen += notice + "\n";
  say(notice);
}

function owe(member: Member, line?: string): void {
  if (line) member.owed.add(line);
  owing.add(member);
  turn ??= setImmediate(endTurn);
}

function endTurn(): void {
  const shared = pack(news);
  for (const member of news.length > 0 ? members.values() : owing) {
    const { owed, said, port, address } = member;
    const acks = said > 0 ? [`/said ${said}`] : [];
    const own = owing.has(member) && pack([...acks, ...owed, ...news]);
    for (const one of own || shared) sk.send(one, port, address);
    owed.clear();
  }
  if (screen) process.stdout.write(screen);
  owing.clear();
  [news, screen, turn] = [[], "", undefined];
}

/** Join lines, each with its newline, into as few datagrams as hold them. */
function pack(lines: string[]): Buffer[] {
  const datagrams: string[] = [];
  let room = 0;
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

function exit(code: number, text: string): never {
  (code === 0 ? console.log : console.error)(text);
  process.exit(code);
}

function close(): void {
  const text = "* the server is closing\n";
  for (const { port, address } of members.values()) {
    sk.send(text, port, address);
  }
  if (process.stdout.isTTY) console.log(); // the shell's prompt on a new line
  setTimeout(() => process.exit(130), 100); // ms, for all to be on their way
}

function sweep(): void {
  for (const member of members.values()) {
    if (Date.now() - member.heard > SILENCE) leave(member, "timed out");
  }
}

async function main() {
  const [host = "127.0.0.1", port = "6001", extra] = process.argv.slice(2);
  if (host === "-h" || host === "--help") exit(0, USAGE);
  const odd = /^(-|$|\d+$)/.test(host) ? host : extra;
  if (odd !== undefined) exit(2, `"${odd}" is not understood, ${USAGE}`);
  const valid = /^(0|[1-9]\d{0,4})$/.test(port) && Number(port) <= 65535;
  if (!valid) exit(2, `port "${port}" is not a whole number from 0 to 65535`);
  const refuse = ({ message }: Error) =>
    exit(1, `cannot use ${host}:${port}, choose another: ${message}`);
  const { address, family } = await lookup(host).catch(refuse);
  sk = createSocket(family === 6 ? "udp6" : "udp4", receive);
  sk.once("error", refuse).bind(Number(port), address, () => {
    sk.off("error", refuse).on("error", () => {}); // lost, like any datagram
    if (port === "0") console.error(`listening on port ${sk.address().port}`);
  });
  process.on("SIGINT", close);
  process.stdout.on("error", () => process.exit()); // whoever read it has left
  setInterval(sweep, 5000);
}

main();
