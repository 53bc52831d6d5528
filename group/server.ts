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
// A datagram is UTF-8 text of one or more lines:
//   from a stranger  /join COOKIE NAME  lets it in; all else gets /join COOKIE
//   from a member    TEXT, /name NEW, /who, /quit        said once, may be lost
//                    /say K TEXT        any of these as its line K, repeated
//                    /have N            has all up to N, wants what follows
//   to a member      /welcome N NAME    is in, gets all after N; or else: /full
//                    N TEXT             line N: NAME: TEXT or * NOTICE
//                    /said K            its lines up to K are taken
//                    /have N            N is the last line
//                    /gone N            the lines up to N are no longer kept
//                    * NOTICE           for this member alone

// @ts-ignore: for tsc; Deno has the types of Node built in
/// <reference types="node" />
import { Buffer } from "node:buffer";
import { createHmac, randomBytes } from "node:crypto";
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import process from "node:process";

// ---- Constants ----

const USAGE = "usage: server.ts [host] [port], by default 127.0.0.1 6001";
const HINTS: Record<string, string> = {
  EADDRINUSE: "the port is taken, stop its program or choose another",
  EADDRNOTAVAIL: "not an address of this machine, as 127.0.0.1 always is",
  ENOTFOUND: "unknown name, check the spelling or give an address",
};
const DATAGRAM = 1200; // bytes that any path carries whole (RFC 9000, 14)
const LINE = DATAGRAM - 17; // bytes of a line behind its number and a space
const KEPT = 1024; // lines that can still be asked for
const MEMBERS = 1000; // at the most
const SILENCE = 120_000; // ms until a mute member is dropped (RFC 4787, 4.3)
const NAME = /^(?:(?!\p{DI})[\p{L}\p{M}\p{Nd}_.-]){1,20}$/u; // DI: invisible
// What could move the cursor or turn text around on a reader's screen.
const UNSAFE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

// ---- State: nothing in it grows without bound ----

interface Member {
  address: string;
  port: number;
  name: string;
  since: number; // the last line before it joined
  said: number; // how many of its numbered lines we took
  heard: number; // when we last heard of it, ms
  owed: Set<string>; // what it alone gets at the end of this turn
}
const members = new Map<string, Member>(); // by address:port
const names = new Map<string, Member>(); // by folded name
const kept: string[] = []; // line N is kept[N % KEPT]
let last = 0; // number of the newest line
let news: string[] = []; // the lines of this turn
const owing = new Set<Member>(); // members to whom something is owed
let screen = ""; // what the console shows at the end of this turn
let turn: NodeJS.Immediate | undefined; // that end, if there is work for it
const key = randomBytes(32); // of this run: older cookies are worthless
let sk: Socket;

// ---- A datagram comes in ----

function receive(msg: Buffer, { address, port }: RemoteInfo): void {
  const id = `${address}:${port}`;
  for (const line of UTF8.decode(msg).replace(/\r?\n$/, "").split(/\r?\n/)) {
    const member = members.get(id);
    if (member) obey(member, line, msg.length);
    else if (port === 0 || !admit(id, address, port, line)) return;
  }
}

/** Let a stranger in that shows its cookie; any other gets one datagram. */
function admit(id: string, address: string, port: number, line: string) {
  const mac = createHmac("sha256", key).update(id).digest("hex").slice(0, 16);
  const [word, cookie, name = ""] = line.split(" ");
  const proven = word === "/join" && cookie === mac;
  if (!proven || members.size === MEMBERS) {
    sk.send(proven ? "/full" : `/join ${mac}`, port, address);
    return false;
  }
  const zero = { since: last, said: 0, heard: Date.now(), owed: new Set("") };
  const member: Member = { address, port, name: id, ...zero };
  members.set(id, member);
  rename(member, name);
  owe(member, `/welcome ${last} ${member.name}`);
  publish(`* ${member.name} joined (${members.size} here)`);
  return true;
}

function obey(member: Member, line: string, size: number): void {
  member.heard = Date.now();
  if (size > DATAGRAM) {
    return owe(member, "* not taken: over 1200 bytes at once");
  }
  const [, have] = /^\/have (\d{1,15})$/.exec(line) ?? [];
  if (have) return missing(member, Number(have));
  const [, k, text] = /^\/say (\d{1,15}) (.*)$/.exec(line) ?? [];
  if (text === undefined) return speak(member, line);
  const next = Number(k) === member.said + 1;
  // When its last command comes again, our answer was lost with our /said.
  const again = Number(k) === member.said && text.startsWith("/");
  if (next) member.said++;
  if (next || again) speak(member, text);
  owe(member);
}

/** Say text, or do what it commands. */
function speak(member: Member, raw: string): void {
  const { name, address, port, since } = member;
  const text = raw.replace(UNSAFE, visible);
  if (!text.startsWith("/")) {
    const line = `${name}: ${text}`;
    if (Buffer.byteLength(line) > LINE) {
      return owe(member, "* not said: too long");
    }
    screen += `来自[${address}:${port}]的消息: ${text}\n`;
    return say(line);
  }
  const [command, wanted = ""] = text.split(" ");
  if (command === "/name" && rename(member, wanted)) {
    if (name !== member.name) publish(`* ${name} is now ${member.name}`);
  } else if (command === "/name") {
    owe(member, "* this name is taken, or not 1 to 20 letters, digits, _ . -");
  } else if (command === "/who") {
    owe(member, who());
  } else if (command === "/join") {
    owe(member, `/welcome ${since} ${name}`); // the first one was lost
  } else if (command === "/quit") {
    leave(member, "left");
    admit(`${address}:${port}`, address, port, ""); // a stranger from now on
  } else {
    owe(member, "* no such command, only /name NEW, /who and /quit");
  }
}

function visible(c: string): string {
  return `\\u{${c.charCodeAt(0).toString(16)}}`;
}

/** Who is here, as far as it fits in a line. */
function who(): string {
  const list = [...members.values()].map((member) => member.name).join(", ");
  const start = `* ${members.size} here: `;
  const room = LINE - start.length;
  return start +
    (Buffer.byteLength(list) <= room
      ? list
      : UTF8.decode(Buffer.from(list).subarray(0, room - 10)) + " ...");
}

/** Give a member a name, unless it is none or somebody else has it. */
function rename(member: Member, wanted: string): boolean {
  const name = wanted.normalize("NFKC");
  const holder = names.get(fold(name)) ?? member;
  if (!NAME.test(name) || holder !== member) return false;
  names.delete(fold(member.name));
  names.set(fold(name), member);
  member.name = name;
  return true;
}

/** What must differ between two names: not case, nor Unicode spelling alone. */
function fold(name: string): string {
  return name.toUpperCase().normalize("NFKC");
}

function leave(member: Member, how: string): void {
  members.delete(`${member.address}:${member.port}`);
  names.delete(fold(member.name));
  publish(`* ${member.name} ${how} (${members.size} here)`);
}

/** A member has the lines up to n: it is owed those after it. */
function missing(member: Member, n: number): void {
  const sent = last - news.length; // the lines of this turn go out anyway
  const has = Math.max(n, member.since);
  const first = Math.max(has, last - KEPT) + 1;
  if (first > has + 1) owe(member, `/gone ${first - 1}`);
  if (first > sent) owe(member, `/have ${last}`);
  for (let n = first, size = 0; n <= sent && size < DATAGRAM; n++) {
    const line = `${n} ${kept[n % KEPT]}`;
    size += Buffer.byteLength(line) + 1;
    if (size <= DATAGRAM || n === first) owe(member, line);
  }
}

// ---- What goes out, at the end of a turn of the event loop ----
// What came in together goes out together, in as few datagrams as hold it: the
// cost is in the system call for each, so a busy group is cheaper by the line.

/** Give everyone a line, with the next number. */
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

/** Give one member a line; without one, just what it is owed in any case. */
function owe(member: Member, line?: string): void {
  if (line) member.owed.add(line);
  owing.add(member);
  turn ??= setImmediate(endTurn);
}

function endTurn(): void {
  const shared = pack(news);
  for (const member of news.length > 0 ? members.values() : owing) {
    const said = member.said > 0 ? [`/said ${member.said}`] : [];
    const datagrams = owing.has(member)
      ? pack([...said, ...member.owed, ...news])
      : shared;
    for (const one of datagrams) sk.send(one, member.port, member.address);
    member.owed.clear();
  }
  if (screen) process.stdout.write(screen);
  owing.clear();
  [news, screen, turn] = [[], "", undefined];
}

/** Lines, joined into datagrams. */
function pack(lines: string[]): Buffer[] {
  const datagrams: string[][] = [];
  let room = 0;
  for (const line of lines) {
    room -= Buffer.byteLength(line) + 1; // with a newline behind it,
    if (room < 0) {
      datagrams.push([]);
      room = DATAGRAM - Buffer.byteLength(line); // but not behind the last
    }
    datagrams.at(-1)?.push(line);
  }
  return datagrams.map((one) => Buffer.from(one.join("\n")));
}

// ---- Start and end ----

function exit(code: number, text: string): never {
  (code === 0 ? console.log : console.error)(text);
  process.exit(code);
}

async function main() {
  const [host = "127.0.0.1", port = "6001", extra] = process.argv.slice(2);
  if (host === "-h" || host === "--help") exit(0, USAGE);
  const odd = /^(-|$)/.test(host) ? host : extra;
  if (odd !== undefined) exit(2, `"${odd}" is not understood, ${USAGE}`);
  const valid = /^(0|[1-9]\d{0,4})$/.test(port) && Number(port) <= 65535;
  if (!valid) exit(2, `port "${port}" is not a whole number from 0 to 65535`);
  const refuse = ({ code, message }: NodeJS.ErrnoException) =>
    exit(1, `cannot use ${host}:${port}: ${HINTS[code ?? ""] ?? message}`);
  const { address, family } = await lookup(host).catch(refuse);
  sk = createSocket(family === 6 ? "udp6" : "udp4", receive);
  sk.once("error", refuse).bind(Number(port), address, () => {
    sk.off("error", refuse).on("error", () => {}); // lost like any datagram
    if (port === "0") console.error(`listening on port ${sk.address().port}`);
  });
  setInterval(() => {
    for (const member of members.values()) {
      if (Date.now() - member.heard > SILENCE) leave(member, "timed out");
    }
  }, 5000);
  process.stdout.on("error", () => process.exit()); // whoever read it has left
  process.on("SIGINT", async () => {
    for (const { port, address } of members.values()) {
      await new Promise((sent) =>
        sk.send("* the server is closing", port, address, sent)
      );
    }
    if (process.stdout.isTTY) console.log(); // the shell's prompt on a new line
    process.exit(130);
  });
}

main();
