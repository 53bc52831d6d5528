#!/usr/bin/env -S npx tsx
// A group chat over UDP, a member: what you type goes to the server, and what
// anybody says comes back from it, in the same order for all.
//   npx tsx group/client.ts NAME [host] [port]                Node 20 and later
//   node group/client.ts NAME [host] [port]                   Node 22.18 and later
//   bun group/client.ts NAME [host] [port]
//   deno run --allow-net group/client.ts NAME [host] [port]
//
// UDP may lose, repeat and reorder datagrams. Five ideas make up for it:
//   1. Prove your address: the server lets in who sends its cookie back.
//   2. Number the lines: each is shown once and in its turn, and we ask for
//      what is missing, soon if we know of it, else now and then.
//   3. Repeat until answered: one request says all that we have to say, and
//      the next waits until the server has answered it.
//   4. Know each other by a secret: by our token, not by an address, which may
//      change and can be forged.
//   5. Never send more than there is room for: we say what we have, and the
//      server sends so much more; what it does not take yet, we say again.
// The words of the protocol (#, /join, /say, /have ...) are a table in README.md.

// @ts-ignore: for tsc; Deno has the types of Node built in
/// <reference types="node" />
import { Buffer } from "node:buffer";
import { randomBytes, randomInt } from "node:crypto";
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { BlockList } from "node:net";
import process from "node:process";
import * as readline from "node:readline";

const USAGE = "usage: client.ts NAME [host] [port], by default 127.0.0.1 6001";
const [wanted = "", host = "127.0.0.1", port = "6001", extra] = process.argv
  .slice(2);
const { stdin, stdout } = process;
const terminal = stdin.isTTY && stdout.isTTY;
const server = new BlockList(); // compares addresses, however spelled
let address = ""; // of the server
let family: "ipv4" | "ipv6" = "ipv4";
let sk: Socket;
let keyboard: readline.Interface;

/** A member has three inputs: the keyboard, the socket and the clock. */
async function main(): Promise<void> {
  checkArguments();
  const found = await lookup(host);
  address = found.address;
  family = found.family === 6 ? "ipv6" : "ipv4";
  server.addAddress(address.replace(/%.*/, ""), family); // Deno: without a zone

  keyboard = openKeyboard().on("line", typed).on("close", leave);
  sk = createSocket(family === "ipv6" ? "udp6" : "udp4", receive);
  clock = setInterval(() => setImmediate(tick), TICK); // what has come, first

  sk.on("error", () => {}); // what cannot be sent is as good as lost
  tick();
}

// ---- A datagram comes in ----

const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });
// What could move the cursor or turn text around on the reader's screen.
const UNSAFE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
const AHEAD = 2048; // lines that wait for one before them
let run = ""; // of the server, whose numbers we know
let joined = false;
let have = -1; // all lines up to this number are shown, -1: we have none to be
let known = -1; // the highest number that we know of
const ahead = new Map<number, string>(); // lines beyond a gap
let gapSeen = 0; // when we saw that a line is missing, ms
let heardAt = 0; // when the server last said anything, ms
let complete = false; // we have all lines that there were
let heard: string[] = []; // to be shown
let elsewhere = false; // we told that a reply came from elsewhere

function receive(msg: Buffer, from: RemoteInfo): void {
  const [head = "", ...lines] = UTF8.decode(msg).split("\n").map(visible);
  const [mark, theirs, digits] = head.split(" ");
  if (mark !== `#${token}` || !digits) return; // not from the server
  const source = from.address.replace(/%.*/, "");
  if (!server.check(source, family) || from.port !== Number(port)) {
    if (!elsewhere) tell(`* a reply came from ${source}: start with that address`);
    elsewhere = true;
    return;
  }
  const now = performance.now();
  const answers = asked > 0 && Number(digits) >= asked;
  const [before, gap] = [have, known > have];
  if (theirs !== run && !(answers && lines[0]?.startsWith("/join "))) return;
  heardAt = now;
  if (answers) {
    rtt = measured ? rtt * 0.875 + (now - Number(digits)) * 0.125 : now - Number(digits);
    measured = true;
    asked = 0;
    pausedUntil = 0;
  }
  const first = next;
  complete = false;
  for (const line of lines) hear(line, answers, theirs ?? "");
  complete &&= have === known;
  if (answers && flying > 0 && next === first) pausedUntil = now + Math.max(rtt, 50);
  if (have > before) [calm, newsAt] = [1000, now];
  if (have > before && before === acked) unackedAt = now;
  if (known > have && (!gap || have > before)) {
    const more = answers && repairing && ahead.size > 0;
    gapSeen = more ? 0 : now;
  }
  if (joined && away) {
    away = false;
    tell("* the server was away and is back");
  }
  if (heard.length > 0) show(heard.join("\n"));
  heard = [];
  tick();
}

function hear(line: string, answers: boolean, theirs: string): void {
  const [word = "", first = "", second = ""] = line.split(" ");
  const n = Number(first);
  if (/^\d+$/.test(word)) return hearLine(Number(word), line.slice(word.length + 1));
  if (!answers) return;
  switch (word) {
    case "/join": // it does not know us, or not at this address
      if (!joined && cookie && theirs === run) asked = time; // it came twice
      if (theirs !== run) {
        // A new server numbers anew: of one after the first we want all.
        if (run) [have, away] = [0, true];
        known = have;
        acked = 0;
        ahead.clear();
      }
      [cookie, run, joined] = [first, theirs, false];
      break;
    case "/welcome":
      joined = true;
      if (have < 0) have = acked = n;
      known = Math.max(known, n);
      if (second !== name) tell(`* ${name} is taken: you are ${second}, see /help`);
      name = second;
      break;
    case "/said":
      taken(n);
      break;
    case "/sent":
      known = Math.max(known, n);
      complete = n <= known;
      break;
    case "/gone":
      skip(n);
      break;
    case "/full":
      return end("* the group is full, try later");
    case "*":
      heard.push(line);
  }
}

function hearLine(n: number, text: string): void {
  if (have < 0 || n <= have || n > have + AHEAD) return;
  known = Math.max(known, n);
  ahead.set(n, text);
  while (ahead.has(have + 1)) showNext();
}

/** The lines up to n are no longer kept: show those of them that we have. */
function skip(n: number): void {
  let missed = 0;
  while (have < n && ahead.size > 0) {
    if (ahead.has(have + 1)) showNext();
    else [have, missed] = [have + 1, missed + 1];
  }
  missed += Math.max(n - have, 0);
  have = Math.max(n, have);
  known = Math.max(have, known);
  if (missed > 0) heard.push(`* you missed ${missed} lines`);
}

function showNext(): void {
  have++;
  const text = ahead.get(have) ?? "";
  ahead.delete(have);
  heard.push(text);
  const [, old, now] = /^\* (\S+) is now (\S+)$/.exec(text) ?? [];
  if (now && old === name) name = now;
}

/** Our lines up to k are taken. */
function taken(k: number): void {
  const number = Math.min(k - next + 1, unsaid.length);
  if (number <= 0) return;
  unsaid.splice(0, number);
  next += number;
  if (unsaid.length < QUEUE && !leaving) keyboard.resume();
  if (quitting && unsaid.length === 0) end();
}

// ---- What goes out: one request at a time ----

const DATAGRAM = 1200; // bytes that any path carries whole (RFC 9000, 14)
const TEXT = 1000; // bytes of a line: its number and our name need room too
const QUEUE = 10_000; // lines not taken yet, before a pipe has to wait
const TICK = 20; // ms between two looks at what is due
const IDLE = 15_000; // ms, our longest silence when all is well
const token = randomBytes(8).toString("hex");
let name = wanted.normalize("NFKC");
let cookie = "0"; // proves our address to the server, which made it
const unsaid: string[] = []; // what the server has not taken yet
let next = randomInt(1, 1_000_000_000); // the number of the first of these
let flying = 0; // how many of these the request in flight says
let time = 0; // TIME of our last datagram, no two have the same
let asked = 0; // TIME of the request in flight when it was new, or 0
let repairing = false; // it asked for a missing line
let rtt = 200; // ms of a round trip, at first a guess
let measured = false;
let acked = 0; // the server knows that we have the lines up to this one
let unackedAt = 0; // since when we have more, ms
let newsAt = 0; // when we last had news, ms
let calm = 1000; // ms until we ask for lines, if none is known to be missing
let pausedUntil = 0; // the server had no room for our lines, ms

function silence(now: number): number {
  return asked > 0 ? now - Math.max(heardAt, asked) : 0;
}

/** When is the next request due? */
function due(now: number): number {
  if (asked > 0) {
    const patience = Math.max(1.5 * rtt, silence(now) * 2 / 3, 50);
    return time + Math.min(patience, 3000);
  }
  if (!joined) return 0;
  if (unsaid.length > 0) return pausedUntil;
  if (have - acked >= 64) return 0;
  if (known > have) return gapSeen + 1.5 * rtt;
  if (leaving) return 0;
  const ack = have > acked ? unackedAt + 2000 : Infinity;
  return Math.min(ack, Math.max(newsAt, time) + calm, time + IDLE);
}

function request(now: number): void {
  const idle = asked === 0 && joined && unsaid.length === 0;
  if (idle) calm = Math.min(calm * 2, IDLE);
  time = Math.max(Math.trunc(now), time + 1);
  if (asked === 0) asked = time;
  let text = `#${token} ${time}\n`;
  if (!joined) text += `/join ${cookie} ${name} ${next - 1}\n`;
  repairing = known > have && now >= gapSeen + 1.5 * rtt;
  if (have >= 0) {
    const missing = repairing ? ` ${Math.min(known + 1, ...ahead.keys())}` : "";
    text += `/have ${have}${missing}\n`;
    acked = have;
  }
  flying = 0;
  for (const [i, line] of unsaid.entries()) {
    const say = `/say ${next + i} ${line}\n`;
    if (cookie === "0" || Buffer.byteLength(text + say) > DATAGRAM) break;
    text += say;
    flying = i + 1;
    if (line.startsWith("/")) break; // the server repeats its last reply only
  }
  sk.send(text, Number(port), address);
}

// ---- The clock ----

const AWAY = 5000; // ms without an answer until we say so
const GIVE_UP = 10_000; // ms without an answer until we leave all the same
let away = false; // we said that there is no answer
let connecting = false; // the same, at the start
let leaving = false; // there is no more input
let quitting = false; // and /quit is the last line that is not taken
let patience = GIVE_UP;
let leftAt = 0;
let code = 0;

/** Look at what is due. */
function tick(): void {
  if (ended) return;
  const now = performance.now();
  const quiet = silence(now);
  if (run === "" && quiet > 1000 && !connecting) {
    connecting = true;
    tell(`* connecting to ${host}:${port} …`);
  }
  if (quiet > AWAY && !away) {
    away = true;
    tell(`* the server is away, no answer from ${host}:${port}`);
  }
  showWaiting(quiet > 1000);
  if (leaving && Math.min(quiet, now - leftAt) > patience) return end();
  if (leaving && !quitting && unsaid.length === 0) {
    if (cookie === "0") return end();
    if (complete) quit();
  }
  if (now >= due(now)) request(now);
}

function quit(): void {
  quitting = true;
  unsaid.push("/quit");
}

// ---- The screen and the keyboard ----

const HELP = "* /name NEW: a new name, /who: who is here, /quit: leave";
const PROMPT = ">>>";
let prompting = false;
let waiting = ""; // lines that the server has not answered, above the prompt

function openKeyboard(): readline.Interface {
  const keyboard = readline.createInterface({
    input: stdin,
    output: stdout,
    terminal,
    crlfDelay: Infinity,
  });
  keyboard.setPrompt(PROMPT);
  prompting = terminal;
  if (prompting) keyboard.prompt();
  keyboard.on("SIGINT", interrupt);
  return keyboard;
}

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

/** Show what we said as waiting, or no more. */
function showWaiting(unanswered: boolean): void {
  const lines = unanswered ? unsaid.slice(0, 5).map((line) => `… ${line}\n`) : [];
  if (unanswered && unsaid.length > 5) lines.push(`… and ${unsaid.length - 5} more\n`);
  const text = lines.join("");
  if (!prompting || text === waiting) return;
  hide();
  waiting = text;
  keyboard.setPrompt(waiting + PROMPT);
  keyboard.prompt(true);
}

/** Tell what is not from the group, to which stdout belongs in a pipe. */
function tell(text: string): void {
  if (terminal) show(text);
  else console.error(text);
}

function visible(text: string): string {
  return text.replace(UNSAFE, (c) => `\\u{${c.charCodeAt(0).toString(16)}}`);
}

function typed(line: string): void {
  if (prompting) { // it comes back from the server: take it off the screen
    keyboard.setPrompt(waiting + PROMPT + line);
    hide(keyboard.getCursorPos().rows + 1);
    keyboard.setPrompt(waiting + PROMPT);
    keyboard.prompt();
  }
  if (leaving) return;
  switch (/^\/\S+|^$/.exec(line)?.[0]) {
    case "":
      break;
    case "/help":
      tell(HELP);
      break;
    case "/quit":
      leave();
      break;
    default:
      say(line);
  }
}

/** Queue a line; tick takes it from there. */
function say(line: string): void {
  const text = visible(line);
  const size = Buffer.byteLength(text);
  if (size > TEXT) return tell(`* not said: ${size} bytes, over ${TEXT}`);
  unsaid.push(text);
  setImmediate(tick); // with all that comes by then
  if (unsaid.length >= QUEUE) keyboard.pause();
}

// ---- Start and end ----

const NAME = /^(?!\p{M})(?:(?!\p{DI})[\p{L}\p{M}\p{Nd}_.-]){1,20}$/u; // DI: invisible
let clock: ReturnType<typeof setInterval>;
let ended = false;

function checkArguments(): void {
  if (wanted === "-h" || wanted === "--help") exit(0, USAGE);
  const named = NAME.test(name) && !wanted.startsWith("-");
  if (!named) exit(2, `"${wanted}" is not 1 to 20 letters or digits, ${USAGE}`);
  const odd = /^(-|$|[0.:]+$|\d+$)/.test(host) ? host : extra;
  if (odd !== undefined) exit(2, `"${odd}" is not understood, ${USAGE}`);
  const isPort = /^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65535;
  if (!isPort) exit(2, `port "${port}" is not a whole number from 1 to 65535`);
}

/** There is no more input: tick ends us when all of it is delivered. */
function leave(): void {
  if (leaving) return;
  if (prompting) hide();
  prompting = false;
  leaving = true;
  complete = false;
  leftAt = performance.now();
  setImmediate(() => keyboard.close()); // not amid its input
}

/** Leave now, without what has not been sent yet. */
function interrupt(): void {
  if (terminal) stdout.write("\n"); // the shell's prompt on a line of its own
  leave();
  if (quitting) return end();
  [patience, code] = [1000, 130];
  dropped = unsaid.splice(flying).length;
  quit();
  asked = 0;
  tick();
}
let dropped = 0;

function end(problem = ""): void {
  ended = true;
  keyboard.close();
  const undelivered = unsaid.length + dropped - (quitting && unsaid.length > 0 ? 1 : 0);
  if (problem) console.error(problem);
  if (undelivered > 0) console.error(`${undelivered} lines were not delivered`);
  if (code) process.exit(code);
  process.exitCode = problem || undelivered > 0 ? 1 : 0; // no exit(): slow pipes
  sk.close();
  clearInterval(clock);
}

function exit(code: number, text: string): never {
  (code === 0 ? console.log : console.error)(text);
  process.exit(code);
}

main().catch(({ message }: Error) =>
  exit(1, `cannot reach ${host}:${port}, check the host: ${message}`)
);
