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
// The words of the protocol (/join, /say, /have ...) are a table in README.md.

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
const PACE = 20; // ms from one taken datagram to the next, so that all can follow
const TICK = 50; // ms between two looks at what is overdue
const SOON = 100; // ms until we ask again for what we know is missing
const RETRY = 400; // ms until we repeat what got no answer
const IDLE = 8000; // ms, our longest silence when all is well
const AWAY = 5000; // ms without an answer until we say so
const GIVE_UP = 10_000; // ms without an answer until we leave all the same
const RUN = 4; // digits of a cookie that only another run of the server changes
const NAME = /^(?!\p{M})(?:(?!\p{DI})[\p{L}\p{M}\p{Nd}_.-]){1,20}$/u; // DI: invisible
// What could move the cursor or turn text around on the reader's screen.
const UNSAFE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

// ---- State ----

const [wanted = "", host = "127.0.0.1", port = "6001", extra] = process.argv
  .slice(2);
let name = wanted.normalize("NFKC");
let sk: Socket | undefined; // until the end
let address = ""; // of the server
let cookie = ""; // proves our address to the server, which made it
let session = ""; // tells one membership from the next
let joined = false;
let leaving = false; // there is no more input
let quitting = false; // and nothing else left to do
let have = 0; // all lines up to this number are shown
let known = 0; // the highest number we heard of
const unsaid: string[] = []; // what the server has not taken yet
let next = 1; // the number of the first of these
let flown = 0; // when the first of these, as many as fit, were sent, ms, or 0
let probed = 0; // when we last asked for lines, or had news, ms
let sent = 0; // when we last sent anything, ms
let unanswered = 0; // since when there is no answer to anything, ms, or 0
let calm = RETRY; // ms until we ask for lines, if none is known to be missing
let away = false; // we said that there is no answer

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
  const had = have;
  const heard: string[] = [];
  let fresh = true; // false for notices that came before, with this /said
  let upToDate = false;
  unanswered = 0;
  for (const line of UTF8.decode(msg).split("\n").map(visible)) {
    const [word = "", first = "", given = ""] = line.split(" ");
    const n = Number(/\d{1,15}/.exec(line)?.[0] ?? 0); // the first number in it
    const numbered = joined && /^\d+$/.test(word);
    if (numbered || word === "/have") known = Math.max(known, n);
    if (quitting && (word === "/join" || line === "* goodbye")) return end();
    if (word === "/join") join(first);
    else if (word === "/welcome") welcome(n, given);
    else if (word === "/full") return end("* the group is full, try later");
    else if (!joined) continue;
    else if (word === "/said") fresh = taken(n);
    else if (word === "*" && fresh) heard.push(line);
    else if (word === "/have") upToDate = n <= have;
    else if (word === "/gone" && n > have) {
      heard.push(`* you missed ${n - have} lines`);
      have = n;
    } else if (numbered && n === have + 1) { // any other comes again, in its turn
      have = n;
      const text = line.slice(word.length + 1);
      heard.push(text);
      const [, old, now] = /^\* (\S+) is now (\S+)$/.exec(text) ?? [];
      if (now && old === name) name = now;
    }
  }
  if (joined && away) {
    away = false;
    tell("* the server was away and is back");
  }
  if (heard.length > 0) show(heard.join("\n"));
  if (have > had) [calm, probed] = [RETRY, performance.now()];
  if (have > had && known > have) probe();
  if (upToDate && known <= have && leaving && unsaid.length === 0) {
    quitting = true;
    probe();
  }
}

/** The server does not know us: we are new, or it is. */
function join(proof: string): void {
  const hurry = proof !== cookie && (joined || cookie === "");
  [joined, cookie] = [false, proof];
  if (hurry) probe(); // else this came late, or twice: tick will see to it
}

/** We are in, and get the lines after n; perhaps not for the first time. */
function welcome(n: number, given: string): void {
  if (joined) return; // it came twice
  const former = session;
  session = `${cookie} ${n}`;
  const restarted = former !== "" &&
    former.slice(0, RUN) !== cookie.slice(0, RUN);
  away ||= restarted;
  if (session !== former) {
    if (former === "") have = n;
    if (restarted) have = 0; // the server numbers anew, and so do we
    [known, next] = [Math.max(n, have), 1];
    if (given !== name) tell(`* ${name} is taken: you are ${given}, see /help`);
    name = given;
  }
  [joined, flown, calm] = [true, 0, RETRY];
  flush();
}

/** Our lines up to k are taken; false if we knew that. */
function taken(k: number): boolean {
  const count = Math.min(k - next + 1, unsaid.length);
  if (count <= 0) return false;
  unsaid.splice(0, count);
  next += count;
  [flown, calm] = [0, RETRY];
  setTimeout(flush, PACE);
  if (unsaid.length < QUEUE && !leaving) keyboard.resume();
  return true;
}

// ---- What goes out ----

function send(datagram: string): void {
  sent = performance.now();
  unanswered ||= sent;
  sk?.send(datagram, Number(port), address);
}

/** Queue a line; flush takes it from there. */
function say(line: string): void {
  const text = visible(line);
  const size = Buffer.byteLength(text);
  if (size > TEXT) return tell(`* not said: ${size} bytes, over ${TEXT}`);
  unsaid.push(text);
  if (unsaid.length === 1) setImmediate(flush); // with all that comes by then
  if (unsaid.length >= QUEUE) keyboard.pause();
}

/** Say the first lines, as many as fit, unless some are in flight already. */
function flush(): void {
  if (!joined || flown > 0 || unsaid.length === 0) return;
  let datagram = "";
  for (const [i, text] of unsaid.entries()) {
    const line = `/say ${next + i} ${text}\n`;
    if (Buffer.byteLength(datagram + line) > DATAGRAM) break;
    datagram += line;
    if (text.startsWith("/")) break; // the server can repeat its last answer
  }
  send(datagram);
  flown = sent;
}

/** Ask to be let in, or for the lines that follow ours, or to be let go. */
function probe(): void {
  calm = Math.min(calm * 2, IDLE);
  if (quitting) send("/quit");
  else send(joined ? `/have ${have}` : `/join ${cookie} ${name}`);
  probed = sent;
}

/** What is overdue? This alone makes up for all datagrams that get lost. */
function tick(): void {
  if (!sk) return;
  const now = performance.now();
  const silence = unanswered > 0 ? now - unanswered : 0;
  const done = leaving && unsaid.length === 0;
  if (silence > AWAY && !away) {
    away = true;
    tell(`* the server is away, no answer from ${host}:${port}`);
  }
  if (leaving && silence > GIVE_UP || done && cookie === "") return end();
  quitting ||= done && !joined;
  if (flown > 0 && now - flown > RETRY) {
    flown = 0;
    flush();
  }
  const soon = joined && !quitting && (known > have || done);
  const wait = soon ? SOON : silence > RETRY || !joined ? RETRY : calm;
  if (now - probed > wait || now - sent > IDLE) probe();
}

// ---- Start and end ----

// What has come in by then is read before an immediate: perhaps the answer.
const clock = setInterval(() => setImmediate(tick), TICK);

function end(problem = ""): void {
  clearInterval(clock);
  sk?.close();
  sk = undefined;
  keyboard.close();
  const { length } = unsaid;
  if (problem) console.error(problem);
  if (length > 0) console.error(`${length} lines were not delivered`);
  process.exitCode = problem || length > 0 ? 1 : 0; // no exit(): slow pipes
}

function interrupt(): void {
  prompting = false;
  if (terminal) stdout.write("\n"); // the shell's prompt on a line of its own
  keyboard.close();
  send("/quit");
  sk = undefined;
  setTimeout(() => process.exit(130), 20); // ms, for it to be on its way
}

function typed(line: string): void {
  if (prompting) { // it comes back from the server: take it off the screen
    keyboard.setPrompt(PROMPT + line);
    hide(keyboard.getCursorPos().rows + 1);
    keyboard.setPrompt(PROMPT);
    keyboard.prompt();
  }
  if (leaving) return;
  leaving = /^\/quit(\s|$)/.test(line);
  if (leaving) setImmediate(() => keyboard.close()); // not amid its input
  else if (/^\/help(\s|$)/.test(line)) tell(HELP);
  else say(line);
}

/** There is no more input: tick ends us when all of it is delivered. */
function closed(): void {
  if (prompting) hide();
  prompting = false;
  leaving = true;
  if (unanswered > 0) unanswered = performance.now(); // give up 10 s from now
}

function exit(code: number, text: string): never {
  (code === 0 ? console.log : console.error)(text);
  process.exit(code);
}

async function main() {
  if (wanted === "-h" || wanted === "--help") exit(0, USAGE);
  const named = NAME.test(name) && !wanted.startsWith("-");
  if (!named) exit(2, `"${wanted}" is not 1 to 20 letters or digits, ${USAGE}`);
  const odd = /^(-|$|[0.:]+$|\d+$)/.test(host) ? host : extra;
  if (odd !== undefined) exit(2, `"${odd}" is not understood, ${USAGE}`);
  const valid = /^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65535;
  if (!valid) exit(2, `port "${port}" is not a whole number from 1 to 65535`);
  keyboard.on("line", typed).on("close", closed).on("SIGINT", interrupt);
  process.on("SIGINT", interrupt);
  stdout.on("error", () => process.exit()); // whoever read it has left
  if (prompting) keyboard.prompt();
  const found = await lookup(host);
  const ip = found.family === 6 ? "ipv6" : "ipv4";
  const server = new BlockList(); // compares addresses, however spelled
  server.addAddress(found.address, ip);
  address = found.address;
  sk = createSocket(ip === "ipv6" ? "udp6" : "udp4", (msg, from) => {
    const ours = from.port === Number(port) && server.check(from.address, ip);
    if (sk && ours) receive(msg);
  });
  sk.on("error", () => {}); // as good as lost: there will be no answer
  probe();
}

main().catch((error) =>
  exit(1, `cannot reach ${host}:${port}, check the host: ${error.message}`)
);
