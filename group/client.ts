#!/usr/bin/env -S npx tsx
// A group chat over UDP, a member: what you type goes to the server, and what
// anybody says comes back from it, in the same order for all.
//   npx tsx group/client.ts NAME [host] [port]                Node 20 and later
//   node group/client.ts NAME [host] [port]                   Node 22.18 and later
//   bun group/client.ts NAME [host] [port]
//   deno run --allow-net group/client.ts NAME [host] [port]
//
// UDP may lose, repeat and reorder datagrams. Three habits make up for it:
//   1. What we say is numbered, and said again until the server has taken it.
//   2. What we hear is numbered too: each line is shown once and in its turn,
//      and we ask for what is missing, soon if we know of it, else now and then.
//   3. A server that does not know us, or no longer, is joined (again).

// @ts-ignore: for tsc; Deno has the types of Node built in
/// <reference types="node" />
import { Buffer } from "node:buffer";
import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { BlockList } from "node:net";
import process from "node:process";
import * as readline from "node:readline";

// ---- Constants ----

const USAGE = "usage: client.ts NAME [host] [port], by default 127.0.0.1 6001";
const HELP = "* /name NEW: a new name, /who: who is here, /quit: leave";
const PROMPT = ">>>";
const DATAGRAM = 1200; // bytes that any path carries whole (RFC 9000, 14)
const TEXT = 1000; // bytes of a line: its number and our name need room too
const QUEUE = 10_000; // lines not taken yet, before a pipe has to wait
const WINDOW = 50; // lines of these in flight
const PACE = 20; // ms until what waited for them flies, so that all can follow
const EARLY = 1024; // lines kept that overtook a missing one
const SOON = 100; // ms until we ask again for what we know is missing
const RETRY = 400; // ms until we repeat what got no answer
const IDLE = 8000; // ms, our longest silence when all is well
const AWAY = 5000; // ms without an answer until we say so
const GIVE_UP = 10_000; // ms without an answer until we leave all the same
const NAME = /^(?!\p{M})(?:(?!\p{DI})[\p{L}\p{M}\p{Nd}_.-]){1,20}$/u; // DI: invisible
// What could move the cursor or turn text around on the reader's screen.
const UNSAFE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

// ---- The command line ----

const [wanted = "", host = "127.0.0.1", port = "6001", extra] = process.argv
  .slice(2);
if (wanted === "-h" || wanted === "--help") exit(0, USAGE);
let name = wanted.normalize("NFKC");
const named = NAME.test(name) && !wanted.startsWith("-");
const odd = /^(-|$|[0.:]+$|\d+$)/.test(host) ? host : extra;
if (!named) exit(2, `"${wanted}" is not 1 to 20 letters or digits, ${USAGE}`);
if (odd !== undefined) exit(2, `"${odd}" is not understood, ${USAGE}`);
const valid = /^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65535;
if (!valid) exit(2, `port "${port}" is not a whole number from 1 to 65535`);

function exit(code: number, text: string): never {
  (code === 0 ? console.log : console.error)(text);
  process.exit(code);
}

// ---- State ----

let joined = false;
let cookie = ""; // proves our address to the server, which made it
let session = ""; // tells one membership from the next
let have = 0; // all lines up to this number are shown
let known = 0; // the highest number we heard of
const early = new Map<number, string>(); // lines that overtook a missing one
const unsaid: string[] = []; // what the server has not taken yet
let next = 1; // the number of the first of these
let flying = 0; // how many of these are in flight
let acked = 0; // when the last of our lines was taken, ms
let asked = 0; // when we sent what got no answer yet, ms, or 0
let away = false; // we said that there is no answer
let calm = RETRY; // ms until we speak up, if nothing is missing
let sent = 0; // when we last sent anything, ms
let alarm = 0; // when we speak up by ourselves, ms
let timer: NodeJS.Timeout | undefined; // for the alarm
let me = ""; // the name that we go by: another one if ours was taken
let leaving = false; // there is no more input
let goodbyes = 0; // how often we said /quit
let room = () => {}; // ends the wait for room in the queue
let address = ""; // of the server
let sk: Socket | undefined; // until the end

// ---- The screen ----

const { stdin, stdout } = process;
const terminal = stdin.isTTY === true && stdout.isTTY === true;
const keyboard = readline.createInterface({
  input: stdin,
  output: stdout,
  terminal,
  crlfDelay: Infinity,
});
keyboard.setPrompt(PROMPT);
let prompting = terminal;

/** Show text above the line being typed: hide it, print, show it again. */
function show(text: string): void {
  if (prompting) hide();
  stdout.write(text + "\n");
  if (prompting) keyboard.prompt(true);
}

/** Erase the prompt and what is typed, of so many rows above the cursor. */
function hide(rows = keyboard.getCursorPos().rows): void {
  stdout.write(" "); // behind a full row, the cursor goes to the next only now
  readline.moveCursor(stdout, 0, -rows);
  readline.cursorTo(stdout, 0);
  readline.clearScreenDown(stdout);
  Object.assign(keyboard, { prevRows: 0 }); // prompt() would go up that far
}

/** Tell what is not from the group, to which stdout belongs in a pipe. */
function tell(text: string): void {
  if (terminal) show(text);
  else console.error(text);
}

function visible(text: string): string {
  return text.replace(UNSAFE, (c) => `\\u{${c.charCodeAt(0).toString(16)}}`);
}

// ---- What comes in ----

function receive(msg: Buffer): void {
  const [had, said, complete] = [have, next, known === have];
  const heard: string[] = [];
  let current = true; // false for notices that came before, with this /said
  let upToDate = false;
  asked = 0;
  for (const line of UTF8.decode(msg).split("\n")) {
    const [word = "", first = "", second = ""] = line.split(" ");
    const n = Number(first);
    const bye = word === "/join" || line === "* goodbye";
    if (goodbyes > 0 && bye) return end(0);
    if (word === "/join") rejoin(first);
    else if (word === "/welcome") welcome(n, second);
    else if (word === "/full") full();
    else if (!joined) continue;
    else if (/^\d{1,15}$/.test(word)) hear(Number(word), line, heard);
    else if (word === "/said") current = taken(n);
    else if (word === "*" && current) heard.push(line);
    else if (word === "/have") {
      known = Math.max(known, n);
      upToDate = n <= have;
    } else if (word === "/gone" && n > have) {
      heard.push(`* you missed ${n - have} lines`);
      have = n;
      early.clear();
    }
  }
  if (heard.length > 0) show(heard.map(visible).join("\n"));
  if (!joined || goodbyes > 0) return;
  if (away) tell("* the server is back");
  away = false;
  const settled = leaving && unsaid.length === 0 && known === have;
  if (settled && (upToDate || Date.now() - acked > SOON)) return goodbye();
  const progress = have > had || next > said;
  if (progress) calm = RETRY;
  if (progress && known > have) {
    send(`/have ${have}`);
    alarm = Infinity;
  }
  if (progress || complete || known === have) rest();
}

function full(): void {
  tell("* the group is full, try again later");
  end(unsaid.length);
  process.exitCode = 1;
}

/** The server does not know us: we are new, or it is. */
function rejoin(proof: string): void {
  const same = proof === cookie; // then perhaps this came late, or twice
  joined = false;
  cookie = proof;
  if (same) return rest();
  alarm = 0;
  speak();
}

function welcome(n: number, given: string): void {
  if (joined) return;
  joined = true;
  const former = session;
  session = `${cookie} ${n}`;
  if (session !== former) {
    const restarted = former !== "" && !former.startsWith(cookie);
    if (restarted && !away) tell("* the server was away and is back");
    if (restarted) have = 0; // it numbers anew, and all of it is news to us
    if (former === "") have = n;
    [known, next, flying] = [Math.max(n, have), 1, 0];
    early.clear();
    if (given !== name) tell(`* ${name} is taken: you are ${given}, see /help`);
    me = given;
  }
  calm = RETRY;
  rest();
  flush();
}

/** Line n has come; heard are those up to which none is missing. */
function hear(n: number, line: string, heard: string[]): void {
  known = Math.max(known, n);
  const text = line.slice(line.indexOf(" ") + 1);
  if (n > have && n <= have + EARLY) early.set(n, text);
  for (let text; (text = early.get(have + 1)) !== undefined;) {
    early.delete(++have);
    heard.push(text);
    const [, old, fresh] = /^\* (\S+) is now (\S+)$/.exec(text) ?? [];
    if (fresh && old === me) name = me = fresh;
  }
}

/** Our lines up to k are taken; false if we knew that. */
function taken(k: number): boolean {
  const count = Math.min(k - next + 1, unsaid.length);
  if (!(count > 0)) return false;
  unsaid.splice(0, count);
  next += count;
  acked = Date.now();
  alarm = Infinity;
  flying = Math.max(0, flying - count);
  room();
  if (unsaid.length > flying) setTimeout(flush, PACE);
  return true;
}

// ---- What goes out ----

function send(datagram: string): void {
  sent = Date.now();
  asked ||= sent;
  sk?.send(datagram, Number(port), address);
}

async function say(line: string): Promise<void> {
  const text = visible(line);
  const size = Buffer.byteLength(text);
  if (size > TEXT) {
    return tell(`* not said: ${size} bytes, ${TEXT} is the most`);
  }
  unsaid.push(text);
  // With all that comes in by then; behind a full window it has to wait.
  if (unsaid.length <= WINDOW) setImmediate(flush);
  while (unsaid.length >= QUEUE) {
    await new Promise<void>((resolve) => room = resolve);
  }
}

/** Send the lines that may fly and do not yet, in full datagrams. */
function flush(): void {
  if (!joined) return;
  const first = flying === 0;
  let datagram = "";
  for (; flying < Math.min(unsaid.length, WINDOW); flying++) {
    const line = `/say ${next + flying} ${unsaid[flying]}\n`;
    if (Buffer.byteLength(datagram + line) > DATAGRAM) {
      send(datagram);
      datagram = "";
    }
    datagram += line;
  }
  if (datagram === "") return;
  if (first) alarm = Infinity;
  send(datagram);
  rest();
}

/** Wait until something comes, or until the alarm; then speak up. */
function rest(): void {
  const now = Date.now();
  const soon = known > have || (leaving && unsaid.length === 0);
  const waiting = soon || !joined || asked > 0 || unsaid.length > 0;
  const ms = soon ? SOON : waiting ? RETRY : calm;
  // News puts it off, but not for ever, and not while something is missing.
  alarm = Math.min(now + ms, waiting ? alarm : sent + IDLE);
  clearTimeout(timer);
  // What has come in by then is read before an immediate: perhaps the answer.
  timer = setTimeout(() => setImmediate(speak), Math.max(0, alarm - now));
}

/** Say what there is to say: to join, to repeat, or just which lines we have. */
function speak(): void {
  if (!sk || goodbyes > 0) return;
  if (Date.now() < alarm) return rest();
  alarm = Infinity;
  const silence = asked ? Date.now() - asked : 0;
  if (silence > AWAY && !away) {
    tell(`* the server is away, no answer from ${host}:${port}`);
  }
  away ||= silence > AWAY;
  if (leaving && silence > GIVE_UP) return end(unsaid.length);
  if (leaving && !joined && unsaid.length === 0) return goodbye();
  flying = 0;
  if (!joined) send(`/join ${cookie} ${name}`);
  else if (known > have || unsaid.length === 0) send(`/have ${have}`);
  flush();
  calm = Math.min(calm * 2, IDLE);
  rest();
}

/** Say /quit until the server heard it, or five times. */
function goodbye(): void {
  if (goodbyes === 5 || cookie === "") return end(0);
  goodbyes++;
  send("/quit");
  clearTimeout(timer);
  timer = setTimeout(goodbye, RETRY);
}

// ---- Start and end ----

function end(undelivered: number): void {
  if (undelivered > 0) console.error(`${undelivered} lines were not delivered`);
  clearTimeout(timer);
  sk?.close();
  sk = undefined;
  keyboard.close();
  process.exitCode = undelivered > 0 ? 1 : 0; // no exit(): a pipe may be slow
}

function interrupt(): void {
  prompting = false;
  if (terminal) stdout.write("\n"); // the shell's prompt on a line of its own
  keyboard.close();
  send("/quit");
  sk = undefined;
  setTimeout(() => process.exit(130), 20); // ms, for it to be on its way
}

async function main() {
  const found = await lookup(host);
  address = found.address;
  const ip = found.family === 6 ? "ipv6" : "ipv4";
  const server = new BlockList(); // compares addresses, however spelled
  server.addAddress(address, ip);
  sk = createSocket(found.family === 6 ? "udp6" : "udp4");
  sk.on("error", () => {}); // as good as lost: there will be no answer
  sk.on("message", (msg, from) => {
    const ours = from.port === Number(port) && server.check(from.address, ip);
    if (ours && sk) receive(msg);
  });
  speak();
  if (prompting) keyboard.prompt();
  for await (const line of keyboard) {
    if (/^\/quit(\s|$)/.test(line)) break;
    if (/^\/help(\s|$)/.test(line)) tell(HELP);
    else await say(line);
  }
  leaving = true;
  acked = Date.now();
  alarm = Infinity;
  if (asked) asked = acked;
  rest();
}

keyboard.on("line", (line) => {
  if (!prompting) return;
  // It comes back from the server: take what was typed off the screen.
  keyboard.setPrompt(PROMPT + line);
  hide(keyboard.getCursorPos().rows + 1);
  keyboard.setPrompt(PROMPT);
  keyboard.prompt();
});
keyboard.on("close", () => {
  if (prompting) hide();
  prompting = false;
});
keyboard.on("SIGINT", interrupt);
process.on("SIGINT", interrupt);
stdout.on("error", () => process.exit()); // whoever read it has left
main().catch((error) =>
  exit(1, `cannot reach ${host}:${port}, check the host: ${error.message}`)
);
