#!/usr/bin/env -S npx tsx
// A group chat over UDP, the server: everyone sends to it, and it passes each
// line on to everyone, in one order. Members run client.ts, or use netcat.
//   npx tsx group/server.ts [host] [port]                 Node 20 and later
//   node group/server.ts [host] [port]                    Node 22.18 and later
//   bun group/server.ts [host] [port]
//   deno run --allow-net group/server.ts [host] [port]
//
// A network promises nothing; five ideas make the chat reliable all the same:
//   1. Prove your address: who sends back the cookie that only it can have read
//      is let in, so nobody can use us to flood others.
//   2. Number the lines: who misses a number asks for it until it comes.
//   3. Repeat until answered: a member has one request in flight, and says it
//      again until we answer; we take each of its lines once.
//   4. Know a member by a secret: by the token it made up, not by its address,
//      which changes, and which anybody can write on a datagram.
//   5. Never send more than there is room for: a member gets so many lines
//      beyond those it says it has, and we take new ones while all can follow.
// The words of the protocol (#, /join, /say, /have ...) are a table in README.md.

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

const USAGE = "usage: server.ts [host] [port], by default 127.0.0.1 6001";
const HINTS: Record<string, string> = {
  EADDRINUSE: "the port is taken, stop its program or choose another",
  EADDRNOTAVAIL: "not an address of this machine, as 127.0.0.1 always is",
  ENOTFOUND: "unknown name, check the spelling or give an address",
};
const [host = "127.0.0.1", port = "6001", extra] = process.argv.slice(2);
const { stdout } = process;
let sk: Socket;

/** The hub has two inputs, the socket and the clock. */
async function main(): Promise<void> {
  checkArguments();
  const { address, family } = await lookup(host);
  sk = createSocket(family === 6 ? "udp6" : "udp4", receive);
  sk.bind(Number(port), address);
  await once(sk, "listening");
  setInterval(() => void look(), 1000);

  sk.on("error", () => {}); // what cannot be sent is as good as lost
  raiseReceiveBuffer();
  if (port === "0") console.error(`listening on port ${sk.address().port}`);
  const signals = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };
  for (const [signal, number] of Object.entries(signals)) {
    process.on(signal, () => close(128 + number));
  }
}

// ---- Who is here ----

interface Member {
  token: string; // "": by hand, as with netcat, and known by its address
  id: string; // address:port
  to: [port: number, address: string];
  name: string;
  gone: string; // why it is no member any more, "" if it is
  since: number; // the last line before it joined
  time: number; // of its newest request, on its clock, ms
  silence: number; // since we heard from it, s
  said: number; // all its lines up to this one are taken
  reply: string; // to the last of these, if it was a command
  have: number; // it says that it has all our lines up to this one
  sent: number; // it was sent all lines up to this one
  next: number; // it misses the lines between have and this one, or 0
  budget: Budget;
}
const members = new Map<string, Member>(); // by token, or address:port
const gone = new Map<string, Member>(); // the last programs that are, by token
const names = new Map<string, Member>(); // by folded name
const MEMBERS = 1000; // at the most
const NEIGHBOURS = 250; // of them from one address
const SILENCE = 120; // s until a mute member is dropped (RFC 4787, 4.3)
const NAME = /^(?!\p{M})(?:(?!\p{DI})[\p{L}\p{M}\p{Nd}_.-]){1,20}$/u; // DI: invisible

const key = randomBytes(32); // of this run: older cookies are worthless
const RUN = randomBytes(4).toString("hex"); // tells our lines from an older run's

/** Let in who shows its cookie, or let it move; a stranger gets its cookie. */
function admit(
  sender: Pick<Member, "token" | "id" | "to" | "time">,
  line: string,
): Member | undefined {
  const { token, id, to, time } = sender;
  const ours = createHmac("sha256", key).update(`${id} ${token}`)
    .digest("hex").slice(0, 16);
  const answer = (text: string) => {
    const head = token && `#${token} ${RUN} ${time}\n`;
    if (unsent < MOST_UNSENT) void send(to, [Buffer.from(head + text)]);
    return undefined;
  };
  const [word, cookie = "", name = "", k = ""] = line.split(" ");
  // Other hubs and echoes say "/join COOKIE": never let two machines answer
  // each other, it would not end.
  if (word === "/join" && cookie && !name) return undefined;
  if (word !== "/join" && !token) return undefined;
  if (word !== "/join" || cookie !== ours) return answer(`/join ${ours}\n`);

  const here = [...members.values()];
  const rival = here.find((one) => one.id === id && one.token !== token);
  if (rival) leave(rival, "left"); // an address is one program's
  const known = members.get(token);
  if (known) return Object.assign(known, { id, to });
  const near = here.filter((one) => one.to[1] === to[1]).length;
  if (near >= NEIGHBOURS || members.size >= MEMBERS) return answer("/full\n");
  const { said = count(k) ?? 0, reply = "" } = gone.get(token) ?? {};
  gone.delete(token);
  const [since, have, sent] = [told, told, told];
  const lines = { since, said, reply, have, sent, next: 0 };
  const budget = { round, datagrams: 0, lines: 0, bytes: 0 };
  const rest = { name: id, gone: "", silence: 0, budget };
  const member: Member = { ...sender, ...lines, ...rest };
  members.set(token || id, member);
  rename(member, name);
  say(`* ${member.name} joined (${members.size} here)`);
  return member;
}

/** The same for all names that differ only in case or in Unicode spelling. */
function fold(name: string): string {
  return name.toLowerCase().toUpperCase().normalize("NFKC");
}

/** Give a member a name, or tell why it cannot have it. */
function rename(member: Member, wanted: string): string {
  const name = wanted.length > 80 ? "" : wanted.normalize("NFKC");
  if (!NAME.test(name)) return "* not a name: 1 to 20 letters, digits, _ . -";
  const owner = names.get(fold(name)) ?? member;
  if (owner !== member) return `* ${name} is taken`;
  names.delete(fold(member.name));
  names.set(fold(name), member);
  member.name = name;
  return "";
}

function leave(member: Member, how: string): void {
  const { token, id, name } = member;
  member.gone = how;
  members.delete(token || id);
  names.delete(fold(name));
  if (token) gone.set(token, member);
  for (const first of gone.keys()) {
    if (gone.size > MEMBERS) gone.delete(first);
    else break;
  }
  const left = how === "left" ? ` (${members.size} here)` : "";
  say(`* ${name} ${how}${left}`);
}

// ---- A datagram comes in ----

const DATAGRAM = 1200; // bytes that any path carries whole (RFC 9000, 14)
const HEAD = /^#([0-9a-f]{16}) (\d{1,15})$/; // of a client: token and time
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });
// What could move the cursor or turn text around on a reader's screen.
const UNSAFE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** What one sender may still cost us in this round: the others come next. */
interface Budget {
  round: number;
  datagrams: number;
  lines: number;
  bytes: number;
}
const SHARE = { datagrams: 16, lines: 64, bytes: 16_384 };
const strangers: Budget = { round: 0, ...SHARE }; // one for all of them

function receive(msg: Buffer, { address, port }: RemoteInfo): void {
  startRounds();
  const id = `${address}:${port}`;
  const text = UTF8.decode(msg.subarray(0, DATAGRAM));
  const lines = text.replace(/\r?\n$/, "").split(/\r?\n/);
  const [, token = "", digits = ""] = HEAD.exec(lines[0] ?? "") ?? [];
  if (token) lines.shift();
  const time = Number(digits);
  const known = members.get(token || id) ?? gone.get(token);
  const proven = known?.id === id && known.gone !== TIMED_OUT;
  const budget = proven ? known.budget : strangers;
  if (budget.round !== round) Object.assign(budget, { round, ...SHARE });
  if (budget.datagrams-- <= 0 || port === 0) return; // 0 cannot be answered
  if (known && token && time <= known.time) return; // a late copy
  const sender = { token, id, to: [port, address] as Member["to"], time };
  const member = proven ? known : admit(sender, lines[0] ?? "");
  if (!member) return;
  member.time = time;
  member.silence = 0;
  const answer = asking.get(member) ?? new Set<string>();
  asking.set(member, answer);
  if (msg.length > DATAGRAM) answer.add("* not taken, over 1200 bytes at once");
  else for (const line of lines) answer.add(obey(member, line));
}

/** Do what a line asks for; returns what its member alone gets to know. */
function obey(member: Member, line: string): string {
  const [word, first = "", second = ""] = line.split(" ", 3);
  const n = count(first);
  if (word === "/join") return `/welcome ${member.since} ${member.name}`;
  if (!member.token || (word !== "/have" && word !== "/say")) {
    return mayspeak(member, line) ? speak(member, line) : "";
  }
  if (n === undefined) return "";
  if (word === "/have") {
    member.have = Math.min(n, member.sent);
    member.next = Math.min(count(second) ?? 0, member.sent + 1);
    return "";
  }
  const text = line.slice(`/say ${first} `.length);
  if (n === member.said + 1 && mayspeak(member, text)) {
    member.said = n;
    member.reply = speak(member, text);
  }
  return n === member.said ? member.reply : ""; // again, for it may be lost
}

/** A whole number, if it is written as one. */
function count(digits: string): number | undefined {
  return /^\d{1,15}$/.test(digits) ? Number(digits) : undefined;
}

/** Is there room for one more line of it, in its share and in all that is kept? */
function mayspeak({ budget, gone }: Member, text: string): boolean {
  if (gone || text === "" || full()) return text === "";
  budget.bytes -= text.length;
  return budget.lines-- > 0 && budget.bytes > 0;
}

/** Say text, or do what it commands. */
function speak(member: Member, raw: string): string {
  const visible = (c: string) => `\\u{${c.charCodeAt(0).toString(16)}}`;
  const text = raw.replace(UNSAFE, visible);
  const { token, id, name } = member;
  const [word, wanted = "", more] = text.split(" ");
  if (text === "") return "";
  if (!text.startsWith("/")) {
    const line = `${name}: ${text}`;
    if (Buffer.byteLength(line) > LINE) return "* too long, not said";
    say(line, `来自[${id}]的消息: ${line}`);
  } else if (word === "/name") {
    if (more !== undefined) return "* a name has no spaces";
    const refusal = rename(member, wanted);
    if (refusal) return refusal;
    if (member.name !== name) say(`* ${name} is now ${member.name}`);
  } else if (word === "/who") {
    const all = [...members.values()].map(({ name }) => name).join(", ");
    const list = all.length > 280 ? `${all.slice(0, 280)} ...` : all;
    return `* ${members.size} here: ${list}`;
  } else if (word === "/quit") {
    leave(member, "left");
    return token ? "" : "* goodbye";
  } else return "* no such command, there are /name NEW, /who and /quit";
  return "";
}

// ---- Lines ----

const KEPT = 1024; // lines that can still be asked for
const WINDOW = 512; // lines sent beyond those that a member says it has
const kept: string[] = []; // line N is kept[N % KEPT]
let last = 0; // number of the newest line
let told = 0; // number of the newest line that has gone out
let floor = 0; // all who keep up have the lines up to this one, at least
let overdue = 0; // who lacks a line up to this one does not keep up
let printed = ""; // what the console shows next
let unread = false; // nobody reads the console

function say(line: string, shown = line): void {
  last++;
  kept[last % KEPT] = line;
  printed += shown + "\n";
}

/** Would one more line push out one that somebody who keeps up still needs? */
function full(): boolean {
  if (last - floor < KEPT) return false;
  floor = told;
  for (const { token, have } of members.values()) {
    if (token && have >= overdue) floor = Math.min(floor, have);
  }
  return last - floor >= KEPT;
}

/** The lines after one up to another, each behind its number. */
function numbered(after: number, upTo: number): string[] {
  const lines: string[] = [];
  for (let n = Math.max(after, last - KEPT) + 1; n <= upTo; n++) {
    lines.push(`${n} ${kept[n % KEPT]}\n`);
  }
  return lines;
}

// ---- What goes out ----
// What came in together goes out together, in as few datagrams as hold it: the
// cost is in the system call for each. A line in a quiet group goes out at once.

const REST = 10; // ms in which what comes to a busy group waits for each other
const BURST = 50; // datagrams until we look what has come meanwhile
const MOST_UNSENT = 256; // datagrams in the runtime's hands: then strangers wait
const ROOM = 1096; // bytes of lines in a datagram, beside head and answer
const LINE = ROOM - 10; // bytes of a line between its number and newline
let round = 0;
let busy = false; // there are rounds now
let unsent = 0; // datagrams that the runtime has not sent yet
const asking = new Map<Member, Set<string>>(); // to be answered in this round

function startRounds(): void {
  if (!busy) setImmediate(() => void makeRounds());
  busy = true;
}

/** Answer who asked, send all that is new to everyone, rest, and so on. */
async function makeRounds(): Promise<void> {
  do {
    round++;
    const former = told;
    told = last;
    print();
    const news = pack(numbered(former, told));
    const asked = new Map(asking);
    asking.clear();
    const everyone = news.length > 0 ? [...members.values()] : [];
    // On a narrow path the last to be sent to lose: begin elsewhere each time.
    const turn = everyone.splice(0, round % (everyone.length || 1));
    let sent = 0;
    for (const member of new Set([...asked.keys(), ...everyone, ...turn])) {
      const answer = asked.get(member);
      const datagrams = letters(member, former, news, answer);
      for (const datagram of datagrams) {
        const sending = send(member.to, datagram);
        if (++sent % BURST === 0) await sending;
      }
    }
    await timers.setTimeout(REST);
  } while (asking.size > 0 || last > told);
  busy = false;
}

/** The datagrams of this round for a member. */
function letters(
  member: Member,
  former: number,
  news: Buffer[],
  answer?: Set<string>,
): Buffer[][] {
  const { token, have, time } = member;
  const head = (time: number) => token && `#${token} ${RUN} ${time}\n`;
  let chunks: Buffer[] = [];
  const upTo = token ? Math.min(told, have + WINDOW) : told;
  if (member.gone === "") {
    if (member.sent === former && upTo === told) chunks = news;
    else if (answer) chunks = pack(numbered(member.sent, upTo));
    if (chunks.length > 0) member.sent = upTo;
  }
  const begin = Buffer.from(head(0));
  const datagrams = chunks.map((chunk) => [begin, chunk]);
  if (!answer) return datagrams;
  if (token) answer.add(`/said ${member.said}`).add(`/sent ${member.sent}`);
  answer.delete("");
  const lines = [...answer].map((line) => line + "\n");
  if (last - KEPT > have && member.next) lines.push(`/gone ${last - KEPT}\n`);
  lines.push(...numbered(have, member.next - 1));
  member.next = 0;
  const first = pack(lines, DATAGRAM - 42)[0];
  if (!first) return datagrams;
  const own = [Buffer.from(head(time)), first];
  const [chunk] = chunks;
  if (chunk && first.length + chunk.length < DATAGRAM - 42) {
    datagrams[0] = [...own, chunk];
  } else datagrams.unshift(own);
  return datagrams;
}

/** Join lines into as few datagrams as hold them. */
function pack(lines: string[], size = ROOM): Buffer[] {
  const datagrams: string[] = [];
  let room = 0; // bytes
  for (const line of lines) {
    const bytes = Buffer.byteLength(line);
    if (bytes > room) {
      datagrams.push("");
      room = size;
    }
    datagrams[datagrams.length - 1] += line;
    room -= bytes;
  }
  return datagrams.map((datagram) => Buffer.from(datagram));
}

/** Send a datagram; resolves when the runtime has passed it on. */
function send(to: Member["to"], parts: Buffer[]): Promise<void> {
  unsent++;
  return new Promise((resolve) => {
    sk.send(parts, ...to, (error) => {
      unsent--;
      // Bun: the error is of an earlier datagram, and this one did not go.
      if (error) sk.send(parts, ...to);
      resolve();
    });
  });
}

/** Show what was said, unless nobody reads it. */
function print(): void {
  if (printed === "") return;
  const next = unread ? "* lines are missing here\n" : "";
  if (!unread) unread = !stdout.write(printed);
  printed = next;
}

// ---- The clock ----

const TIMED_OUT = "timed out (2 minutes)";
const PATIENCE = 5; // s that everybody waits for who does not keep up
const history: number[] = Array<number>(PATIENCE).fill(0); // of `last`
let dropped = 0; // datagrams that the kernel had no room for

/** Each second: who is silent, who is slow, and what has the kernel dropped? */
async function look(): Promise<void> {
  startRounds();
  for (const member of members.values()) {
    if (++member.silence > SILENCE) leave(member, TIMED_OUT);
  }
  history.push(last);
  overdue = history.shift() ?? 0;
  if (process.versions["deno"]) return; // it would have to ask for permission
  const { port, family } = sk.address();
  const file = family === "IPv6" ? "/proc/net/udp6" : "/proc/net/udp"; // Linux
  const table = await readFile(file, "utf8").catch(() => "");
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const row = RegExp(`^ *\\d+: \\w+:${hex} .* (\\d+) *$`, "m").exec(table);
  const drops = Number(row?.[1] ?? 0);
  if (drops > dropped) {
    console.error(`${drops - dropped} datagrams lost: they came too fast`);
  }
  dropped = drops;
}

// ---- Start and end ----

function exit(code: number, text: string): never {
  (code === 0 ? console.log : console.error)(text);
  process.exit(code);
}

function checkArguments(): void {
  if (host === "-h" || host === "--help") exit(0, USAGE);
  const odd = /^(-|$|\d+$)/.test(host) ? host : extra;
  if (odd !== undefined) exit(2, `"${odd}" is not understood, ${USAGE}`);
  const isPort = /^(0|[1-9]\d{0,4})$/.test(port) && Number(port) <= 65535;
  if (!isPort) exit(2, `port "${port}" is not a whole number from 0 to 65535`);
}

/** A flood waits in the kernel, in as much room as the system allows. */
function raiseReceiveBuffer(): void {
  for (let bytes = 2 ** 23; bytes > 2 ** 16; bytes /= 2) {
    try {
      return sk.setRecvBufferSize(bytes);
    } catch { /* too much for this system */ }
  }
}

function close(code: number): void {
  if (stdout.isTTY) console.log(); // the shell's prompt on a new line
  say("* the server is closing");
  startRounds();
  setTimeout(() => process.exit(code), 100); // ms, for all to be on their way
}

stdout.on("drain", () => unread = false);
stdout.on("error", ({ code }: NodeJS.ErrnoException) => {
  if (code === "EPIPE") process.exit(); // whoever read it has left
  unread = true; // a full disk: go on without a console
});

main().catch(({ code = "", message }: NodeJS.ErrnoException) =>
  exit(1, `cannot use ${host}:${port}: ${HINTS[code] ?? message}`)
);
