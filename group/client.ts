#!/usr/bin/env -S npx tsx
// A group chat over UDP, a member: what you type goes to the server, and what
// anybody says comes back from it, in the same order for all.
//   npx tsx group/client.ts NAME [host] [port]                Node 20 and later
//   node group/client.ts NAME [host] [port]                   Node 22.18 and later
//   bun group/client.ts NAME [host] [port]
//   deno run --allow-net group/client.ts NAME [host] [port]
//
// A network promises nothing; five ideas make the chat reliable all the same:
//   1. Prove your address: send back a cookie that only you can have received.
//   2. Number the lines: show each once and in its turn, ask for what is missing.
//   3. Repeat until answered: one request in flight says all there is to say.
//   4. Know each other by a secret, for addresses change, and can be forged.
//   5. Never send more than the other side has room for.
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

const [wanted = "", host = "127.0.0.1", port = "6001", extra] = process.argv
  .slice(2);
const server = new BlockList(); // compares addresses, however spelled
let address = ""; // of the server
let sk: Socket;
let keyboard: readline.Interface;
let clock: ReturnType<typeof setInterval>;

/** A member has three inputs: the keyboard, the socket and the clock. */
async function main(): Promise<void> {
  checkArguments();
  const found = await lookup(host);
  address = found.address;
  keyboard = openKeyboard();
  sk = createSocket(found.family === 6 ? "udp6" : "udp4", receive);
  clock = setInterval(() => setImmediate(tick), TICK); // after what has come
  keyboard.on("line", typed).on("close", leave).on("SIGINT", interrupt);
  server.addAddress(...comparable(address));
  sk.on("error", () => {}); // what cannot be sent is as good as lost
  tick();
}

// ---- A datagram comes in ----

const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });
// What could move the cursor or turn text around on the reader's screen.
const UNSAFE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
const AHEAD = 2048; // lines that wait for one before them, at the most
let run = ""; // of the server whose lines we number
let joined = false;
let have = -1; // all lines up to this number are shown; -1: not one is for us
let known = -1; // the highest number that we know of
const ahead = new Map<number, string>(); // lines behind a gap
let gapSince = 0; // ms
let newsAt = 0; // when have grew last, ms
let unackedAt = 0; // since when it is more than the server knows, ms
let heardAt = 0; // when the server last said anything, ms
let complete = false; // its last answer had no more for us
let heard: string[] = []; // what this datagram lets us show
let warned = false; // of replies from elsewhere

function receive(msg: Buffer, from: RemoteInfo): void {
  const [head = "", ...lines] = UTF8.decode(msg).split("\n").map(visible);
  const [mark, itsRun = "", asked] = head.split(" ");
  if (mark !== `#${token}` || asked === undefined || ended) return; // a forgery
  if (
    !server.check(...comparable(from.address)) || from.port !== Number(port)
  ) {
    const where = `${from.address}:${from.port}`;
    if (!warned) tell(`* a reply came from ${where}: start with that address`);
    warned = true;
    return;
  }
  const now = performance.now();
  const [had, gap, firstUnsaid] = [have, known > have, next];
  const answer = requestedAt > 0 && Number(asked) >= requestedAt;
  const stranger = answer && lines[0]?.startsWith("/join ");
  if (itsRun !== run && !stranger) return; // late, from a server that is gone
  heardAt = now;
  if (answer) {
    const trip = Math.max(now - Number(asked), 1);
    rtt = rtt === 0 ? trip : rtt * 0.875 + trip * 0.125; // RFC 6298
    requestedAt = 0;
    complete = true;
  }
  for (const line of lines) hear(line, answer, itsRun);
  complete &&= have === known;
  const refused = answer && flying > 0 && next === firstUnsaid;
  if (answer) pausedUntil = refused ? now + Math.max(rtt, 50) : 0;
  if (have > had) [calm, newsAt] = [1000, now];
  if (have > had && had === acked) unackedAt = now;
  const repaired = answer && repairing && ahead.size > 0;
  if (!gap || have > had) gapSince = repaired ? 0 : now;
  if (joined && away) tell("* the server was away and is back");
  if (joined) away = false;
  if (heard.length > 0) show(heard.join("\n"));
  heard = [];
  tick();
}

/** Take one line of the server's; all but the group's only in an answer. */
function hear(line: string, answer: boolean, itsRun: string): void {
  const [word = "", first = "", second = ""] = line.split(" ");
  if (/^\d+$/.test(word)) take(Number(word), line.slice(word.length + 1));
  if (!answer || ended) return;
  const n = Number(first);
  switch (word) {
    case "/join": // it does not know us, or not at this address
      if (itsRun !== run) {
        if (run) [have, away] = [0, true]; // it is new: we want all its lines
        [known, acked] = [have, 0];
        ahead.clear();
      } else if (!joined) requestedAt = time; // it came twice: don't hurry
      [cookie, run, joined] = [first, itsRun, false];
      break;
    case "/welcome":
      joined = true;
      if (have < 0) have = acked = n;
      known = Math.max(known, n);
      if (second !== name) {
        tell(`* ${name} is not free: you are ${second}, see /help`);
      }
      name = second;
      break;
    case "/said": // our lines up to this one are taken
      unsaid.splice(0, Math.max(n - next + 1, 0));
      next = Math.max(next, n + 1);
      if (unsaid.length < QUEUE && !leaving) keyboard.resume();
      if (quitting && unsaid.length === 0) end();
      break;
    case "/sent":
      known = Math.max(known, n);
      break;
    case "/gone":
      skip(n);
      break;
    case "/full":
      end("* the group is full, try later");
      break;
    case "*":
      heard.push(line);
  }
}

/** Show line n of the group in its turn. */
function take(n: number, text: string): void {
  if (have < 0 || n <= have || n > have + AHEAD) return;
  known = Math.max(known, n);
  ahead.set(n, text);
  while (ahead.has(have + 1)) {
    have++;
    const text = ahead.get(have) ?? "";
    ahead.delete(have);
    heard.push(text);
    const [, old, now] = /^\* (\S+) is now (\S+)$/.exec(text) ?? [];
    if (now && old === name) name = now;
  }
}

/** The lines up to n are not kept any more. */
function skip(n: number): void {
  const there = [...ahead.keys()].filter((one) => one <= n).sort((a, b) =>
    a - b
  );
  const missed = n - have - there.length;
  if (missed <= 0) return;
  heard.push(`* you missed ${missed} lines`);
  for (const one of there) {
    have = one - 1;
    take(one, ahead.get(one) ?? "");
  }
  have = Math.max(have, n);
  known = Math.max(known, n);
}

function visible(text: string): string {
  return text.replace(UNSAFE, (c) => `\\u{${c.charCodeAt(0).toString(16)}}`);
}

// ---- What goes out: one request at a time ----

const DATAGRAM = 1200; // bytes that any path carries whole (RFC 9000, 14)
const TEXT = 1000; // bytes of a line: its number and our name need room too
const QUEUE = 10_000; // lines not taken yet, before a pipe has to wait
const NEWS = 64; // lines that we have, before we say so
const IDLE = 15_000; // ms, our longest silence when all is well
const token = randomBytes(8).toString("hex");
let name = wanted.normalize("NFKC");
let cookie = "0"; // proves our address to the server, which made it
const unsaid: string[] = []; // what the server has not taken yet
let next = randomInt(1, 1e9); // the number of the first of these
let flying = 0; // how many of these the last request said
let pausedUntil = 0; // the server took none of them, ms
let time = 0; // of the last request, ms, no two have the same
let requestedAt = 0; // what it was the first time, or 0: none is in flight
let repairing = false; // it asked for lines
let rtt = 0; // a round trip, ms, or 0 if we don't know yet
let acked = 0; // the server knows that we have all lines up to this one
let calm = 1000; // ms until we ask for lines, if we know of none

/** When is the next request due? */
function due(now: number): number {
  const soon = 1.5 * (rtt || 200); // ms
  if (requestedAt > 0) {
    return time + Math.min(Math.max(soon, 100, silence(time)), 2000);
  }
  if (!joined) return 0;
  if (unsaid.length > 0) return pausedUntil;
  if (have - acked >= NEWS) return 0;
  if (known > have) return gapSince + soon;
  if (leaving) return 0;
  const ack = have > acked ? unackedAt + 2000 : Infinity;
  return Math.min(ack, Math.max(newsAt, time) + calm, time + IDLE);
}

function silence(now: number): number {
  return requestedAt > 0 ? now - Math.max(heardAt, requestedAt) : 0;
}

/** Say all that there is to say, as much as fits into a datagram. */
function request(now: number): void {
  time = Math.max(Math.trunc(now), time + 1);
  if (requestedAt === 0) {
    requestedAt = time;
    calm = Math.min(calm * 2, IDLE);
  }
  let text = `#${token} ${time}\n`;
  if (!joined) text += `/join ${cookie} ${name} ${next - 1}\n`;
  repairing = known > have && now >= gapSince + 1.5 * (rtt || 200);
  if (have >= 0) text += `/have ${have}${repairing ? missing() : ""}\n`;
  acked = have;
  flying = 0;
  for (const line of cookie === "0" ? [] : unsaid) {
    const say = `/say ${next + flying} ${line}\n`;
    if (Buffer.byteLength(text + say) > DATAGRAM) break;
    text += say;
    flying++;
    if (line.startsWith("/")) break; // the server keeps its last reply only
  }
  sk.send(text, Number(port), address);
}

/** The gaps between the lines that we have, the first few. */
function missing(): string {
  let [from, gaps] = [have + 1, ""];
  const there = [...ahead.keys()].sort((a, b) => a - b);
  if (there.length === 0) there.push(known + 1);
  for (const n of there) {
    if (n > from && gaps.length < 200) gaps += ` ${from}-${n - 1}`;
    from = n + 1;
  }
  return gaps;
}

// ---- The clock ----

const TICK = 20; // ms between two looks at what is due
const AWAY = 5000; // ms without an answer until we say so
const GIVE_UP = 10_000; // ms without an answer until we leave all the same
let connecting = false; // we said so
let away = false; // we said that there is no answer
let leaving = false; // there is no more input
let leftAt = 0; // ms
let quitting = false; // and /quit is our last line
let patience = GIVE_UP;
let code = 0;
let undelivered = 0;
let ended = false;

function tick(): void {
  if (ended) return;
  const now = performance.now();
  const quiet = silence(now);
  if (quiet > 1000 && run === "" && !connecting) {
    connecting = true;
    tell(`* connecting to ${host}:${port} …`);
  }
  if (quiet > AWAY && !away) {
    away = true;
    tell(`* the server is away, no answer from ${host}:${port}`);
  }
  showWaiting(quiet > 1000 ? unsaid : []);
  if (leaving && Math.min(quiet, now - leftAt) > patience) return end();
  if (leaving && !quitting && unsaid.length === 0) {
    if (cookie === "0") return end();
    if (complete) quit();
  }
  if (now >= due(now)) request(now);
}

/** Leave behind all that is said; tick has the rest of it. */
function quit(): void {
  quitting = true;
  unsaid.push("/quit");
}

// ---- The keyboard and the screen ----

const HELP = "* /name NEW: a new name, /who: who is here, /quit: leave";
const PROMPT = ">>>";
const { stdin, stdout } = process;
const terminal = stdin.isTTY && stdout.isTTY;
let prompting = terminal;
let waiting = ""; // lines above the prompt that the server has not answered

function openKeyboard(): readline.Interface {
  const options = { input: stdin, output: stdout, crlfDelay: Infinity };
  const keyboard = readline.createInterface({ ...options, terminal });
  keyboard.setPrompt(PROMPT);
  if (prompting) keyboard.prompt();
  return keyboard;
}

function typed(line: string): void {
  if (prompting) { // it comes back from the server: take it off the screen
    keyboard.setPrompt(waiting + PROMPT + line);
    hide(keyboard.getCursorPos().rows + 1);
    keyboard.setPrompt(waiting + PROMPT);
    keyboard.prompt();
  }
  const [word] = line.split(" ");
  if (leaving || line === "") return;
  if (word === "/quit") return leave();
  if (word === "/help") return tell(HELP);
  const text = visible(line);
  const size = Buffer.byteLength(text);
  if (size > TEXT) return tell(`* not said: ${size} bytes, over ${TEXT}`);
  unsaid.push(text);
  setImmediate(tick); // with all that is typed by then
  if (unsaid.length >= QUEUE) keyboard.pause();
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

/** Tell what is not from the group, to which stdout belongs in a pipe. */
function tell(text: string): void {
  if (terminal) show(text);
  else console.error(text);
}

/** Show lines above the prompt as long as they wait for an answer. */
function showWaiting(lines: string[]): void {
  const more = lines.length > 5 ? [`and ${lines.length - 5} more`] : [];
  const all = [...lines.slice(0, 5), ...more];
  const text = all.map((line) => `… ${line}\n`).join("");
  if (text === waiting || !prompting) return;
  hide();
  waiting = text;
  keyboard.setPrompt(waiting + PROMPT);
  keyboard.prompt(true);
}

// ---- Start and end ----

const USAGE = "usage: client.ts NAME [host] [port], by default 127.0.0.1 6001";
const NAME = /^(?!\p{M})(?:(?!\p{DI})[\p{L}\p{M}\p{Nd}_.-]){1,20}$/u; // DI: invisible

function comparable(address: string): [string, "ipv4" | "ipv6"] {
  const family = address.includes(":") ? "ipv6" : "ipv4";
  return [address.replace(/%.*/, ""), family]; // Deno refuses a zone
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

/** Leave at once, without what has not been sent yet. */
function interrupt(): void {
  if (quitting) return end();
  if (terminal) stdout.write("\n"); // the shell's prompt on a line of its own
  leave();
  [patience, code, requestedAt] = [1000, 130, 0];
  undelivered = unsaid.splice(flying).length;
  quit();
  tick();
}

function end(problem = ""): void {
  ended = true;
  keyboard.close();
  clearInterval(clock);
  sk.close();
  undelivered += unsaid.filter((line) => line !== "/quit").length;
  if (problem) console.error(problem);
  if (undelivered > 0) console.error(`${undelivered} lines were not delivered`);
  process.exitCode = code || (problem || undelivered > 0 ? 1 : 0); // no exit(): slow pipes
}

function exit(code: number, text: string): never {
  (code === 0 ? console.log : console.error)(text);
  process.exit(code);
}

function checkArguments(): void {
  if (wanted === "-h" || wanted === "--help") exit(0, USAGE);
  const named = NAME.test(name) && !wanted.startsWith("-");
  if (!named) exit(2, `"${wanted}" is not 1 to 20 letters or digits, ${USAGE}`);
  const odd = /^(-|$|[0.:]+$|\d+$)/.test(host) ? host : extra;
  if (odd !== undefined) exit(2, `"${odd}" is not understood, ${USAGE}`);
  const isPort = /^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65535;
  if (!isPort) exit(2, `port "${port}" is not a whole number from 1 to 65535`);
}

process.on("SIGINT", interrupt).on("SIGTERM", leave).on("SIGHUP", leave);
stdout.on("error", ({ code }: NodeJS.ErrnoException) => {
  if (code === "EPIPE") process.exit(); // whoever read it has left
});
stdin.on("error", ({ message }) => end(`cannot read the input: ${message}`));

main().catch(({ message }: Error) =>
  exit(1, `cannot reach ${host}:${port}, check the host: ${message}`)
);
