#!/usr/bin/env -S npx tsx
// A group chat over UDP, the server: everyone sends to it, and it passes each
// line on to everyone, in one order. Members run client.ts, or use netcat.
//   npx tsx group/server.ts [host] [port]                 Node 20.6 and later
//   node group/server.ts [host] [port]                    Node 22.18 and later
//   bun group/server.ts [host] [port]
//   deno run --allow-net group/server.ts [host] [port]
//
// A network promises nothing; five ideas make the chat reliable all the same:
//   1. Prove your address: send back a cookie that only it can have received.
//   2. Number the lines: who misses a number asks for it until it comes.
//   3. Repeat until answered: each has one request in flight, and no second.
//   4. Know each other by a secret, for addresses change, and can be forged.
//   5. Never send more than the other side has room for.
// The protocol's words (#, /join, /say, /have ...) are a table in README.md.

/// <reference types="node" />
import { Buffer } from "node:buffer";
import { createHmac, randomBytes } from "node:crypto";
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import process from "node:process";
import * as timers from "node:timers/promises";

const [host = "127.0.0.1", port = "6001", extra] = process.argv.slice(2);
let sk: Socket;

/** The hub has two inputs: the socket and the clock. */
async function main() {
  const { address, family } = await lookup(host);
  sk = createSocket(family === 6 ? "udp6" : "udp4", receive);
  sk.bind(Number(port), address);
  await once(sk, "listening");
  setInterval(everySecond, 1000);

  sk.on("error", () => {}); // an answer that cannot be sent is as good as lost
  // Bytes, for floods; Deno sets so many aside for each datagram, else 64 KiB.
  sk.setRecvBufferSize("deno" in process.versions ? 2048 : 2 ** 22);
  if (port === "0") console.error(`listening on port ${sk.address().port}`);
}

// ---- Who is here ----

interface Sender {
  token: string; // the secret, or "": by hand, as with netcat
  id: string; // address:port
  to: [port: number, address: string];
  time: number; // of its newest request, ms on its clock
}
interface Member extends Sender {
  name: string;
  here: boolean;
  silence: number; // since that request, s
  since: number; // the last line before it joined
  have: number; // it says that it has our lines up to this one
  sent: number; // it was sent our lines up to this one
  said: number; // we have taken its lines up to this one
  reply: string; // to that one, if it was a command
  budget: number; // what it may still cost: bytes, and more for each line
  own: number; // so many of the lines that not everybody has are its own
}
const known = new Map<string, Member>(); // by token or id, here or lately gone
const here = new Map<string, Member>(); // by folded name
const MEMBERS = 1000; // at the most
const NEIGHBOURS = 250; // at the most, from one address
const NAME = /^(?!\p{M})(?:(?!\p{DI})[\p{L}\p{M}\p{Nd}_.-]){1,20}$/u; // DI: invisible
const RUN = randomBytes(4).toString("hex"); // tells our numbers from older ones
const key = randomBytes(32); // cookies of older runs are worthless

/** Let in who proves its address, or let it move there; others get a cookie. */
function admit(sender: Sender, line: string): Member | undefined {
  const { token, id, to, time } = sender;
  const hmac = createHmac("sha256", key).update(`${id} ${token}`);
  const cookie = hmac.digest("hex").slice(0, 16);
  const [word, theirs, name, k = ""] = line.split(" ");
  const proved = word === "/join" && theirs === cookie && name;
  const all = [...here.values()];
  const near = all.filter((one) => one.to[1] === to[1]).length;
  const full = all.length >= MEMBERS || near >= NEIGHBOURS;
  const former = known.get(token || id);
  const isNew = !former?.here;
  if (!proved || (full && isNew)) {
    // Hubs and echoes say "/join COOKIE": two of them would never stop.
    const isEcho = word === "/join" && theirs && !name;
    if (isEcho || (word !== "/join" && !token)) return undefined;
    const text = proved ? "/full\n" : `/join ${cookie}\n`;
    if (unsent < UNSENT) send(to, head(token, time), Buffer.from(text));
    return undefined;
  }
  const tenant = all.find((one) => one.id === id && one.token !== token);
  if ((isNew || tenant) && !isRoom()) return undefined;
  if (tenant) leave(tenant, "left"); // an address is one program's
  if (!isNew) return former;
  const { said = count(k), reply = "" } = former ?? {};
  const lines = { said, reply, since: out, have: out, sent: out };
  const taken = here.has(fold(id)); // by who had this address, and moved
  const alias = taken ? `${id}+${last}` : id;
  const rest = { name: alias, here: true, silence: 0, budget: SAVED, own: 0 };
  const member = { ...sender, ...lines, ...rest };
  known.set(token || id, member);
  here.set(fold(alias), member);
  rename(member, name);
  say(`* ${member.name} joined (${here.size} here)`);
  return member;
}

/** The same for all names that differ only in case or in Unicode spelling. */
function fold(name: string): string {
  return name.toLowerCase().toUpperCase().normalize("NFKC");
}

/** Give a member a name; returns why it cannot have it, or "". */
function rename(member: Member, wanted: string): string {
  const name = wanted.slice(0, 80).normalize("NFKC"); // longer takes too long
  if (name.includes(" ")) return "* a name has no spaces";
  if (!NAME.test(name)) return "* not a name: 1 to 20 letters, digits, _ . -";
  const owner = here.get(fold(name)) ?? member;
  if (owner !== member) return `* ${name} is taken`;
  here.delete(fold(member.name));
  here.set(fold(name), member);
  member.name = name;
  return "";
}

function leave(member: Member, how: string) {
  const place = member.token || member.id;
  here.delete(fold(member.name));
  member.here = false;
  known.delete(place);
  known.set(place, member); // the last to be forgotten, for late copies
  const oldest = [...known].find(([, one]) => !one.here);
  if (oldest && known.size > 2 * MEMBERS) known.delete(oldest[0]);
  const others = how === "left" ? ` (${here.size} here)` : "";
  say(`* ${member.name} ${how}${others}`);
}

// ---- A datagram comes in ----

const DATAGRAM = 1200; // bytes, what QUIC asks of a path (RFC 9000, 14)
const SHARE = 4096; // bytes of a member in a round, so that others come next
const STRANGERS = 4 * SHARE; // of all who are not members
const SAVED = 8 * SHARE; // of one that was quiet: netcat sends a paste at once
const HEAD = /^#([0-9a-f]{16}) (\d{1,15})(?:\n|$)/; // token and time
const GOODBYE = "* goodbye";
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });
// What could move the cursor or turn text around on a reader's screen
const UNSAFE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
const strangers = { budget: STRANGERS }; // one for all of them

function receive(msg: Buffer, { address, port }: RemoteInfo) {
  startRounds(); // they bring new budgets
  const text = UTF8.decode(msg.subarray(0, DATAGRAM));
  const [head = "", token = "", digits = ""] = HEAD.exec(text) ?? [];
  const [id, time] = [`${address}:${port}`, count(digits)];
  const former = known.get(token || id);
  const proved = former?.id === id && former.here;
  const payer = proved ? former : strangers;
  payer.budget -= 1000;
  if (payer.budget < 0 || port === 0) return; // port 0 cannot be answered
  if (token && former && time <= former.time) return; // a late copy
  const body = text.slice(head.length).replace(/\r?\n$/, "");
  const lines = body.split(/\r?\n/).map(visible);
  const sender: Sender = { token, id, to: [port, address], time };
  const left = token && former?.reply === GOODBYE; // which may have got lost
  const member = proved || left ? former : admit(sender, lines[0] ?? "");
  if (!member) return;
  Object.assign(member, sender, { silence: 0 });
  const answer = asking.get(member) ?? [];
  asking.set(member, answer);
  if (left) answer.push(GOODBYE); // no more: the address may be forged
  else if (msg.length > DATAGRAM) {
    answer.push("* not taken, over 1200 bytes at once");
  } else for (const line of lines) obey(member, line, answer);
}

function visible(text: string): string {
  return text.replace(UNSAFE, (c) => `\\u{${c.charCodeAt(0).toString(16)}}`);
}

/** A whole number, or 0. */
function count(digits: string): number {
  return /^\d{1,15}$/.test(digits) ? Number(digits) : 0;
}

/** Do what a line asks for; add to the answer what its member gets to know. */
function obey(member: Member, line: string, answer: string[]) {
  const [word = "", first = "", ...ranges] = line.split(" ");
  const n = count(first);
  if (word === "/join") answer.push(welcome(member));
  else if (word === "/have" && member.token) {
    member.have = Math.min(n, member.sent);
    const lost = last - KEPT;
    if (ranges.length > 0 && n < lost) {
      answer.push(`/gone ${lost}`);
      member.sent = Math.max(member.sent, lost); // it gets no more of these
    }
    for (const range of ranges) {
      const [from = 0, to = 0] = range.split("-").map(count);
      const begin = Math.max(from, lost + 1);
      const end = begin + 99 - answer.length; // an answer is one datagram
      answer.push(...numbered(begin, Math.min(to, out, end)));
    }
  } else if (word === "/say" && member.token) {
    const text = line.slice(word.length + first.length + 2);
    if (n === member.said + 1 && afford(member, text)) {
      member.reply = speak(member, text);
      member.said = n;
    }
    // Again, for it may be lost; first, for an answer is one datagram.
    const isThere = answer.includes(member.reply);
    if (n <= member.said && !isThere) answer.unshift(member.reply);
  } else if (afford(member, line)) answer.push(speak(member, line));
}

function welcome({ since, name }: Member): string {
  return `/welcome ${since} ${name}`;
}

/** Is there room for a line, in its member's share and in what is kept? */
function afford(member: Member, text: string): boolean {
  member.budget -= 100 + text.length;
  const behind = Math.max(last - floor, 2 * (last - member.have)); // lines
  // Who talks much leaves room for others (Choudhury and Hahne, 1998).
  const isFair = member.own < 2 * (KEPT - behind);
  const may = text === "/quit" ? isRoom() : isFair;
  return may && member.budget > 0 && member.here;
}

/** Is there room to tell who came and who left? */
function isRoom(): boolean {
  return last - floor < KEPT - 2;
}

/** Say text, or do what it commands; returns the reply. */
function speak(member: Member, text: string): string {
  const { id, name } = member;
  const command = /^\/\S*/.exec(text)?.[0];
  if (command === "/name") {
    const refusal = rename(member, text.slice(6));
    if (member.name !== name) say(`* ${name} is now ${member.name}`, member);
    return refusal || welcome(member);
  }
  if (command === "/who") {
    const all = [...here.values()].map(({ name }) => name).join(", ");
    return `* ${here.size} here: ${all.replace(/^(.{280}).+/, "$1 ...")}`;
  }
  if (command === "/quit") {
    leave(member, "left");
    return GOODBYE;
  }
  if (command) return "* no such command, there are /name NEW, /who and /quit";
  const line = `${name}: ${text}`;
  if (Buffer.byteLength(line) > LINE) return "* too long, not said";
  if (text) say(line, member, `来自[${id}]的消息: ${line}`);
  return "";
}

// ---- The lines ----

const KEPT = 1024; // lines that can still be asked for
const kept: string[] = []; // line N is kept[N % KEPT]
const speakers: (Member | undefined)[] = []; // whose line that is
let last = 0; // the newest line
let out = 0; // the newest line that has gone out
let floor = 0; // all who keep up have the lines up to this one
let overdue = 0; // who lacks one of the lines up to this one does not keep up
let screen = ""; // what the console shows next

function say(line: string, speaker?: Member, shown = line) {
  startRounds();
  last++;
  kept[last % KEPT] = line;
  speakers[last % KEPT] = speaker;
  if (speaker) speaker.own++;
  screen += `${shown}\n`;
}

/** Those lines that are still kept, each behind its number. */
function numbered(from: number, to: number): string[] {
  const lines: string[] = [];
  for (let n = Math.max(from, last - KEPT + 1); n <= to; n++) {
    lines.push(`${n} ${kept[n % KEPT]}`);
  }
  return lines;
}

// ---- What goes out ----
// What came in together goes out together, in as few datagrams as hold it, as
// each costs a system call. A line in a quiet group goes out at once.

const WINDOW = 512; // lines sent beyond those that a member says it has
const REST = 10; // ms in which the lines of a busy group wait for each other
const BURST = 30; // datagrams until we look what has come meanwhile
const UNSENT = 256; // such datagrams, then strangers get no answer
const ROOM = DATAGRAM - 43; // bytes beside the longest head
const LINE = ROOM - 61; // bytes of a line beside its number, /said and /sent
const asking = new Map<Member, string[]>(); // who gets an answer, and which
let unsent = 0; // datagrams in the runtime's hands
let busy = false; // there are rounds
let unread = false; // nobody reads the console

function startRounds() {
  if (!busy) setImmediate(() => void makeRounds());
  busy = true;
}

/** Answer who asked, send everyone what is new, rest, and so on. */
async function makeRounds() {
  do {
    if (unread) screen &&= "* lines are missing here\n";
    else [unread, screen] = [!print(screen), ""];
    out = last;
    const others = [...here.values()];
    // On a narrow path the last ones lose: begin elsewhere each time.
    const everyone = others.splice(last % (others.length || 1)).concat(others);
    for (const one of everyone) if (!one.token) one.have = out; // by hand
    const haves = everyone.map(({ have }) => have).filter((n) => n >= overdue);
    floor = Math.min(out, ...haves);
    for (const one of everyone) one.own = 0;
    for (let n = Math.max(floor, last - KEPT) + 1; n <= last; n++) {
      const speaker = speakers[n % KEPT];
      if (speaker) speaker.own++;
    }
    let [range, news]: [string, Buffer[]] = ["", []];
    for (const one of new Set([...everyone, ...asking.keys()])) {
      one.budget = Math.min(Math.max(one.budget, 0) + SHARE, SAVED);
      const upTo = Math.min(out, one.have + WINDOW);
      if (range !== `${one.here} ${one.sent} ${upTo}`) {
        range = `${one.here} ${one.sent} ${upTo}`;
        news = one.here ? pack(numbered(one.sent + 1, upTo)) : [];
      }
      one.sent = Math.max(one.sent, upTo);
      const answer = asking.get(one);
      asking.delete(one);
      const datagrams = answer ? addAnswer(news, one, answer) : news;
      for (const [i, datagram] of datagrams.entries()) {
        const isAnswer = answer && i === datagrams.length - 1;
        send(one.to, head(one.token, isAnswer ? one.time : 0), datagram);
      }
      while (unsent > BURST) await timers.setImmediate();
    }
    await timers.setTimeout(REST);
    strangers.budget = STRANGERS;
  } while (asking.size > 0 || last > out);
  busy = false;
}

/** Print on the console; false if it can take no more (Deno: it waits). */
function print(text: string): boolean {
  try {
    return process.stdout.write(text);
  } catch { // Deno, on a full disk
    return false;
  }
}

/** News and an answer, which goes before the last of them if there is room. */
function addAnswer(news: Buffer[], one: Member, answer: string[]): Buffer[] {
  const status = one.token ? [`/said ${one.said}`, `/sent ${one.sent}`] : [];
  const lines = [...status, ...answer.filter((line) => line !== "")];
  const [own] = pack(lines, 1);
  if (!own) return news;
  const both = Buffer.concat([own, ...news.slice(-1)]);
  return both.length > ROOM ? [...news, own] : [...news.slice(0, -1), both];
}

/** A program's first line: its token, our run, its question's time or 0. */
function head(token: string, time: number): Buffer {
  return Buffer.from(token && `#${token} ${RUN} ${time}\n`);
}

/** Join lines, each with its newline, into few datagrams, at most so many. */
function pack(lines: string[], most = Infinity): Buffer[] {
  const datagrams: string[] = [];
  let room = 0; // bytes
  for (const line of lines) {
    const bytes = Buffer.byteLength(line) + 1;
    if (bytes > room) {
      if (datagrams.length === most) break;
      datagrams.push("");
      room = ROOM;
    }
    datagrams[datagrams.length - 1] += `${line}\n`;
    room -= bytes;
  }
  return datagrams.map((datagram) => Buffer.from(datagram));
}

function send(to: Sender["to"], ...parts: Buffer[]) {
  unsent++;
  sk.send(parts, ...to, (error) => {
    unsent--;
    if (error) sk.send(parts, ...to); // Bun: an earlier one's, ours did not go
  });
}

// ---- The clock ----

const SILENCE = 120; // s until a mute member is dropped (RFC 4787, 4.3)
const history = [0, 0, 0, 0, 0]; // the newest line of each of the last seconds

/** Drop who is silent, wait no longer for who is slow. */
function everySecond() {
  overdue = history.shift() ?? 0;
  history.push(last);
  for (const member of here.values()) {
    // Not by the clock: it may have been us who was stopped.
    if (member.silence++ > 0) member.budget = SAVED;
    const isMute = member.silence > SILENCE && isRoom();
    if (isMute) leave(member, "timed out (2 minutes)");
  }
}

// ---- Start and end ----

const USAGE = "usage: server.ts [host] [port], by default 127.0.0.1 6001";
const HINTS: Record<string, string> = {
  EACCES: "ports below 1024 are the system's, choose another",
  EADDRINUSE: "the port is taken, stop its program or choose another",
  EADDRNOTAVAIL: "not an address of this machine, as 127.0.0.1 always is",
  ENOTFOUND: "unknown name, check the spelling or give an address",
};

function exit(code: number, text: string): never {
  (code === 0 ? console.log : console.error)(text);
  process.exit(code);
}

function close(code: number) {
  if (process.stdout.isTTY) console.log(); // the shell's prompt on a new line
  say("* the server is closing");
  setTimeout(() => process.exit(code), 100); // ms, for it to be on its way
}

process.on("SIGHUP", () => close(129)).on("SIGINT", () => close(130));
process.on("SIGTERM", () => close(143));
process.stdout.on("drain", () => unread = false);
process.stdout.on("error", ({ message }) => {
  if (message.includes("EPIPE")) process.exit(); // whoever read it has left
  unread = true; // a full disk: go on without a console
});

const isPort = /^(0|[1-9]\d{0,4})$/.test(port) && Number(port) <= 65535;
if (host === "-h" || host === "--help") exit(0, USAGE);
if (/^(-|$|\d+$)/.test(host)) exit(2, `"${host}" is not a host, ${USAGE}`);
if (!isPort) exit(2, `port "${port}" is not a whole number from 0 to 65535`);
if (extra !== undefined) exit(2, `"${extra}" is one too many, ${USAGE}`);
main().catch(({ code = "", message }: NodeJS.ErrnoException) =>
  exit(1, `cannot use ${host}:${port}: ${HINTS[code] ?? message}`)
);
