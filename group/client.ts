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
const DATAGRAM = 1200; // bytes that any path carries whole (RFC 9000, 14)
const TEXT = 1000; // bytes of a line at most: number and name need room too
const QUEUE = 10_000; // lines that wait to be taken before a pipe has to wait
const WINDOW = 50; // lines in flight: sent, not yet taken
const PACE = 20; // ms between full windows, so that slow members can follow
const SOON = 100; // ms until we ask again for a line that we know is missing
const RETRY = 300; // ms until we repeat anything else that got no answer
const IDLE = 8000; // ms, the longest that we say nothing at all
const AWAY = 5000; // ms without an answer until we call the server away
const GIVE_UP = 10_000; // ms without an answer until we leave all the same
const EARLY = 1024; // lines kept that came before a missing one
const NAME = /^(?:(?!\p{DI})[\p{L}\p{M}\p{Nd}_.-]){1,20}$/u; // DI: invisible
// What could move the cursor or turn text around on the reader's screen.
const UNSAFE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

// ---- The command line ----

const [wanted = "", host = "127.0.0.1", port = "6001", extra] = process.argv
  .slice(2);
if (wanted === "-h" || wanted === "--help") exit(0, USAGE);
const odd = /^(-|$|[0.:]+$)/.test(host) ? host : extra;
if (odd !== undefined) exit(2, `"${odd}" is not understood, ${USAGE}`);
let name = wanted.normalize("NFKC");
if (!NAME.test(name) || name.startsWith("-")) {
  exit(2, `name "${wanted}" is not 1 to 20 letters, digits, _ . -; ${USAGE}`);
}
const valid = /^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65535;
if (!valid) exit(2, `port "${port}" is not a whole number from 1 to 65535`);

function exit(code: number, text: string): never {
  (code === 0 ? console.log : console.error)(text);
  process.exit(code);
}

// ---- State ----

let cookie = ""; // proves our address to the server, which made it
let session = ""; // tells one membership from the next
let joined = false;
let have = 0; // all lines up to this number are shown
let known = 0; // the highest number that we heard of
const early = new Map<number, string>(); // lines behind a missing one
const unsaid: string[] = []; // what the server has not taken yet
let next = 1; // the number of the first of these
let flying = 0; // how many of these are in flight
let paced = false; // a full window has just been sent
let calm = RETRY; // ms until we speak up, if nothing is missing
let timer: NodeJS.Timeout | undefined; // for that
let asked = 0; // the time of the first datagram without an answer, or 0
let away = false; // we have called the server away
let leaving = false; // the input has ended
let goodbyes = 0; // how often we said /quit
let room = () => {}; // ends the wait for room in the queue
let over = false; // nothing more is to be done
let address = ""; // of the server
let sk: Socket;

// ---- The screen ----

const { stdin, stdout } = process;
const keyboard = readline.createInterface({
  input: stdin,
  output: stdout,
  prompt: ">>>",
  crlfDelay: Infinity,
  terminal: stdin.isTTY === true && stdout.isTTY === true,
});
let prompting = keyboard.terminal;

/** Show text above the line being typed: hide that line, print, show it again. */
function show(text: string): void {
  const rows = prompting ? keyboard.getCursorPos().rows : 0;
  if (prompting) erase(rows);
  stdout.write(text + "\n");
  if (!prompting) return;
  stdout.write("\n".repeat(rows)); // prompt() goes up again by as many
  keyboard.prompt(true);
}

function erase(rows: number): void {
  readline.moveCursor(stdout, 0, -rows);
  readline.cursorTo(stdout, 0);
  readline.clearScreenDown(stdout);
}

/** What is not from the group; in a pipe the group has stdout for itself. */
function tell(text: string): void {
  if (keyboard.terminal) show(text);
  else console.error(text);
}

function visible(text: string): string {
  return text.replace(UNSAFE, (c) => `\\u{${c.charCodeAt(0).toString(16)}}`);
}

// ---- What comes in ----

function receive(msg: Buffer): void {
  const [had, said, complete] = [have, next, known === have];
  const heard: string[] = [];
  let current = true; // not a repetition of notices that we had
  let upToDate = false;
  asked = 0;
  for (const line of UTF8.decode(msg).split("\n")) {
    const [word = "", first = "", second] = line.split(" ");
    const n = Number(first);
    if (word === "/join" && first) rejoin(first);
    else if (word === "/welcome" && second) enter(n, second);
    else if (word === "/full") exit(1, "the group is full, try again later");
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
    }
  }
  if (heard.length > 0) show(heard.map(visible).join("\n"));
  if (away && joined) {
    away = false;
    tell("* the server is back");
  }
  if (goodbyes > 0) return;
  if (leaving && upToDate && unsaid.length === 0) goodbye();
  else if (have > had || next > said) {
    calm = RETRY;
    rest(known > have || leaving ? 0 : undefined);
  } else if (joined && (complete || known === have)) rest();
}

/** The server does not know us: it started anew, or this is the first time. */
function rejoin(proof: string): void {
  if (goodbyes > 0) return end(0);
  const again = proof === cookie; // perhaps just an old datagram come late
  if (joined || !again) rest(again ? SOON : 0);
  joined = false;
  cookie = proof;
}

function enter(n: number, given: string): void {
  if (joined) return;
  joined = true;
  const now = `${cookie} ${n}`;
  if (now !== session) {
    const restarted = session !== "" && !session.startsWith(cookie);
    if (restarted && !away) tell("* the server was away and is back");
    if (session !== "" && !restarted) tell(`* you missed ${n - have} lines`);
    [session, have, known, next, flying] = [now, n, n, 1, 0];
    early.clear();
  }
  if (given !== name) {
    tell(`* ${name} is taken: you are ${given}, until you say /name NEW`);
  }
  calm = RETRY;
  rest();
  flush();
}

/** Line n of the group has come: it is heard when all before it are. */
function hear(n: number, line: string, heard: string[]): void {
  known = Math.max(known, n);
  if (n > have && n <= have + EARLY) {
    early.set(n, line.slice(line.indexOf(" ") + 1));
  }
  for (let text; (text = early.get(have + 1)) !== undefined;) {
    early.delete(++have);
    heard.push(text);
    const [, old, fresh] = /^\* (\S+) is now (\S+)$/.exec(text) ?? [];
    if (fresh && old === name) name = fresh;
  }
}

/** The server has taken our lines up to k; false if we knew that. */
function taken(k: number): boolean {
  const count = Math.min(k - next + 1, unsaid.length);
  if (!(count > 0)) return false;
  unsaid.splice(0, count);
  next += count;
  flying = Math.max(0, flying - count);
  room();
  flush();
  return true;
}

// ---- What goes out ----

/** Say one line; waits while too many are not taken yet. */
async function say(line: string): Promise<void> {
  const text = visible(line);
  const size = Buffer.byteLength(text);
  if (size > TEXT) {
    return tell(`* not said: ${size} bytes, ${TEXT} are the most`);
  }
  unsaid.push(text);
  setImmediate(flush); // with what else comes in this turn of the event loop
  while (unsaid.length >= QUEUE) {
    await new Promise<void>((resolve) => room = resolve);
  }
}

/** Send what may fly and does not yet, in full datagrams. */
function flush(): void {
  if (!joined || paced) return;
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
  send(datagram);
  rest();
  if (flying < WINDOW) return;
  paced = true;
  setTimeout(() => {
    paced = false;
    flush();
  }, PACE);
}

/** Send one datagram to the server; it may get lost. */
function send(datagram: string, sent?: () => void): void {
  asked ||= Date.now();
  sk.send(datagram, Number(port), address, sent);
}

/** Wait for so many ms, or until something comes; then speak up. */
function rest(ms = joined && !asked && unsaid.length === 0 ? calm : RETRY) {
  clearTimeout(timer);
  const wait = known > have ? Math.min(ms, SOON) : ms;
  // What has arrived by then is read before the immediate: perhaps the answer.
  timer = setTimeout(() => setImmediate(speak), wait);
}

function speak(): void {
  if (over) return;
  const silent = asked ? Date.now() - asked : 0;
  if (silent > AWAY && !away) tell(`* no answer from ${host}:${port} yet`);
  away ||= silent > AWAY;
  if (leaving && (silent > GIVE_UP || (!joined && unsaid.length === 0))) {
    return end(unsaid.length > 0 ? 1 : 0);
  }
  flying = 0;
  if (!joined) send(`/join ${cookie} ${name}`);
  else if (known > have || unsaid.length === 0) send(`/have ${have}`);
  flush();
  calm = Math.min(calm * 2, IDLE);
  rest();
}

/** Say /quit until the server treats us as a stranger, or a few times. */
function goodbye(): void {
  if (goodbyes++ === 5) return end(0);
  send("/quit");
  clearTimeout(timer);
  timer = setTimeout(goodbye, RETRY);
}

// ---- Start and end ----

function end(code: number): void {
  if (code > 0) console.error(`${unsaid.length} lines were not delivered`);
  over = true;
  clearTimeout(timer);
  sk.close();
  keyboard.close();
  process.exitCode = code; // and no exit(): a slow pipe gets all that is shown
}

function interrupt(): void {
  if (keyboard.terminal) stdout.write("\n"); // the shell's prompt on a new line
  prompting = false;
  keyboard.close();
  send("/quit", () => process.exit(130));
}

async function main() {
  let family;
  ({ address, family } = await lookup(host));
  const ip = family === 6 ? "ipv6" : "ipv4";
  const server = new BlockList(); // compares addresses, however spelled
  server.addAddress(address, ip);
  sk = createSocket(family === 6 ? "udp6" : "udp4");
  sk.on("error", () => {}); // as if lost: no answer will come
  sk.on("message", (msg, from) => {
    const known = from.port === Number(port) && server.check(from.address, ip);
    if (known && !over) receive(msg);
  });
  process.on("SIGINT", interrupt);
  keyboard.on("SIGINT", interrupt);
  speak();
  if (prompting) keyboard.prompt();
  for await (const line of keyboard) {
    if (line === "/quit") break;
    if (line === "/help") tell(HELP);
    else await say(line);
  }
  leaving = true;
  if (asked) asked = Date.now();
  if (unsaid.length === 0) rest(0);
}

keyboard.on("line", (line) => {
  if (!prompting) return;
  // The line comes back from the server, so take it off the screen.
  keyboard.setPrompt(">>>" + line);
  erase(keyboard.getCursorPos().rows + 1);
  keyboard.setPrompt(">>>");
  keyboard.prompt();
});
keyboard.on("close", () => {
  if (prompting) erase(keyboard.getCursorPos().rows);
  prompting = false;
});
stdout.on("error", () => process.exit()); // whoever read it has left
main().catch((error) =>
  exit(1, `cannot reach ${host}:${port}, check the host: ${error.message}`)
);
