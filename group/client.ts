#!/usr/bin/env -S npx tsx
// A group chat over UDP, a member: what you type goes to the server, and what
// anybody says comes back from it, in the same order for all.
//   npx tsx group/client.ts NAME [host] [port]            Node 20.6 and later
//   node group/client.ts NAME [host] [port]               Node 22.18 and later
//   bun group/client.ts NAME [host] [port]
//   deno run --allow-net group/client.ts NAME [host] [port]
//
// A network promises nothing; five ideas make the chat reliable all the same:
//   1. Prove your address: send back a cookie that only you can have received.
//   2. Number the lines: show each once, in its turn, ask for what is missing.
//   3. Repeat until answered: one request in flight says all there is to say.
//   4. Know each other by a secret, for addresses change, and can be forged.
//   5. Never send more than the other side has room for.
// The protocol's words (#, /join, /say, /have ...) are a table in README.md.

/// <reference types="node" />
import { Buffer } from "node:buffer";
import { randomBytes, randomInt } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import process from "node:process";
import * as readline from "node:readline";

const [wanted = "", host = "127.0.0.1", port = "6001", extra] = process.argv
  .slice(2);
let address = ""; // of the server
let sk: Socket;
let keyboard: readline.Interface;
let clock: ReturnType<typeof setInterval>;

/** A member has three inputs: the keyboard, the socket and the clock. */
async function main() {
  const found = await lookup(host);
  address = found.address;
  keyboard = openKeyboard();
  sk = createSocket(found.family === 6 ? "udp6" : "udp4", receive);
  clock = setInterval(() => setImmediate(tick), TICK); // after what has come

  process.on("SIGINT", interrupt).on("SIGTERM", leave).on("SIGHUP", leave);
  sk.on("error", () => {}); // what cannot be sent is as good as lost
  tick();
}

// ---- The socket: a datagram comes in ----

const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });
// What could move the cursor or turn text around on the reader's screen
const UNSAFE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
const AHEAD = 2048; // lines that wait for one before them, at the most
let run = ""; // of the server, which numbers the lines
let joined = false;
let have = -1; // all lines up to this one are shown, or -1: before the first
let known = -1; // the newest line that we know of
const ahead = new Map<number, string>(); // lines that came before their turn
let heard: string[] = []; // lines to be shown
let heardAt = 0; // when the server last said anything, ms
let newsAt = 0; // when a line was last shown, ms
let unackedAt = 0; // since when the server does not know what we have, ms
let gapAt = 0; // since when the next line is missing, ms
let enough = Infinity; // who leaves stays for the lines up to this one

function receive(msg: Buffer) {
  // Who knows our secret is the server, whatever address it answers from.
  const mark = `#${token} `;
  if (msg.toString("latin1", 0, mark.length) !== mark || ended) return;
  const [head = "", ...lines] = UTF8.decode(msg).split("\n").map(visible);
  const [, itsRun = "", asked] = head.split(" ");
  const isAnswer = requestedAt > 0 && Number(asked) >= requestedAt;
  const isNew = isAnswer && lines[0]?.startsWith("/join ");
  if (!asked) return;
  if (itsRun !== run && !isNew) return; // late, from a server that is gone
  const now = performance.now();
  const [had, hadGap, former] = [have, known > have, next];
  heardAt = now;
  if (isAnswer) {
    // Behind Ctrl+Z and `fg` it would be a matter of hours.
    const trip = Math.min(Math.max(now - Number(asked), 1), 2000);
    // If it came as soon as ever, the tries before it were lost, not late.
    if (trip < 2 * rtt) usual = 0.75 * usual + 0.25 * tries;
    rtt = run === "" ? trip : 0.875 * rtt + 0.125 * trip; // RFC 6298
    [requestedAt, tries] = [0, 0];
  }
  for (const line of lines) hear(line, isAnswer, itsRun);
  if (isAnswer) {
    const refused = inFlight > 0 && next === former;
    pausedUntil = refused ? now + Math.max(rtt, 50) : 0;
    // Our own last line is out by the answer after the one that took it.
    const isOut = inFlight === 0 && unsaid.length === 0;
    if (isOut && leaving) enough = Math.min(enough, known);
    if (joined && away) tell("* the server was away and is back");
    away &&= !joined;
  }
  if (have > had) [poll, newsAt] = [1000, now];
  if (have > had && had === acked) unackedAt = now;
  const again = isAnswer && repairing && ahead.size > 0; // the next gap is old
  if (!hadGap || have > had) gapAt = again ? 0 : now;
  if (heard.length > 0) show(heard.join("\n"));
  heard = [];
  tick();
}

/** Understand a line; all but those of the group count in an answer only. */
function hear(line: string, isAnswer: boolean, itsRun: string) {
  const [word = "", first = "", second = ""] = line.split(" ");
  if (/^\d+$/.test(word)) take(Number(word), line.slice(word.length + 1));
  if (!isAnswer || ended) return;
  const n = Number(first);
  switch (word) {
    case "/join": // it does not know us, or not at this address
      if (itsRun !== run) {
        if (have >= 0) [have, away] = [0, true]; // all lines of the new one
        [known, acked, enough] = [have, have, Infinity];
        ahead.clear();
      } else if (!joined) requestedAt = time; // our cookie is no good: no hurry
      [cookie, run, joined] = [first, itsRun, false];
      break;
    case "/welcome": // we are in under this name, lines after n are ours
      joined = true;
      if (have < 0) [have, acked] = [n, n];
      known = Math.max(known, n);
      showAhead();
      if (second !== name && second.includes(":")) { // an address
        tell(`* ${name} is not free: you are ${second}`);
      }
      name = second;
      break;
    case "/said": // our lines up to n are taken
      unsaid.splice(0, Math.max(n - next + 1, 0));
      next = Math.max(next, n + 1);
      if (unsaid.length < QUEUE && !leaving) keyboard.resume();
      if (quitting && unsaid.length === 0) end();
      break;
    case "/sent": // all lines up to n were on their way to us
      known = Math.max(known, n);
      break;
    case "/gone": // lines up to n are not kept any more
      skip(n);
      break;
    case "/full":
      end("* the group is full, try later");
      break;
    case "*":
      heard.push(line);
  }
}

/** Show line n in its turn. */
function take(n: number, text: string) {
  // Before the welcome there may be some, which say where they belong.
  if (have >= 0 && (n <= have || n > have + AHEAD)) return;
  known = Math.max(known, n);
  ahead.set(n, text);
  showAhead();
}

/** Show the lines whose turn it is. */
function showAhead() {
  for (let text = ahead.get(have + 1); text !== undefined;) {
    heard.push(text);
    ahead.delete(++have);
    text = ahead.get(have + 1);
  }
}

/** Do without the lines up to n, but show those of them that we have. */
function skip(n: number) {
  const there = [...ahead.keys()].filter((one) => one <= n);
  const missed = n - have - there.length;
  if (missed > 0) heard.push(`* lines that you missed: ${missed}`);
  known = Math.max(known, n);
  for (const one of [...there.sort((a, b) => a - b), n + 1]) {
    have = Math.max(have, one - 1);
    showAhead();
  }
}

function visible(text: string): string {
  return text.replace(UNSAFE, (c) => `\\u{${c.charCodeAt(0).toString(16)}}`);
}

// ---- What goes out: one request at a time ----

const DATAGRAM = 1200; // bytes, what QUIC asks of a path (RFC 9000, 14)
const TEXT = 1000; // bytes of a line: its number and our name need room too
const QUEUE = 10_000; // lines not taken yet, before a pipe has to wait
const NEWS = 256; // lines that we have, until we say so
const IDLE = 15_000; // ms, our longest silence: a router forgets us after 30 s
const token = randomBytes(8).toString("hex");
let name = wanted.normalize("NFKC");
let cookie = "0"; // proves our address to the server, which made it
const unsaid: string[] = []; // what the server has not taken yet
let next = randomInt(1, 1e9); // the number of the first of these
let inFlight = 0; // how many of these the last request said
let newest = 0; // the number of the newest that any request said
let pausedUntil = 0; // the server took none of them, ms
let time = 0; // of the last request, ms; no two have the same
let requestedAt = 0; // the first time of the one in flight, or 0: there is none
let tries = 0; // how often it was sent
let usual = 1; // how often a request was sent, on average
let repairing = false; // it asked for what is missing
let rtt = 200; // a round trip, ms, at first a guess
let acked = 0; // our last request said that we have the lines up to this one
let poll = 1000; // ms until we ask for news

/** Is the next request due? */
function isDue(now: number): boolean {
  if (requestedAt > 0) {
    // News is a sign of life too, but not for ever: the way out may be cut.
    const heard = Math.min(heardAt, requestedAt + AWAY);
    const quiet = time - Math.max(heard, requestedAt);
    const longest = leaving ? 1500 : 4000; // ms: who leaves soon gives up
    // Where datagrams get lost, silence does not mean much.
    const wait = Math.min(quiet / 2, longest) / usual;
    return now >= time + Math.max(1.5 * rtt, 100, wait);
  }
  if (unsaid.length > 0) return now >= pausedUntil;
  if (!joined || have - acked >= NEWS) return true;
  if (known > have) return now >= gapAt + 1.5 * rtt;
  if (have > acked && now >= unackedAt + 2000) return true;
  return leaving || now >= Math.min(Math.max(newsAt, time) + poll, time + IDLE);
}

/** Say all that there is to say, as much as a datagram holds. */
function request(now: number) {
  time = Math.max(Math.trunc(now), time + 1);
  tries++;
  if (tries === 1) [requestedAt, poll] = [time, Math.min(poll * 2, IDLE)];
  let text = `#${token} ${time}\n`;
  if (!joined) text += `/join ${cookie} ${name} ${next - 1}\n`;
  repairing = known > have && now >= gapAt + 1.5 * rtt;
  if (have >= 0) text += `/have ${have}${repairing ? missing() : ""}\n`;
  acked = have;
  inFlight = 0;
  for (const line of cookie === "0" ? [] : unsaid) {
    const say = `/say ${next + inFlight} ${line}\n`;
    if (Buffer.byteLength(text + say) > DATAGRAM) break;
    text += say;
    inFlight++;
    if (line.startsWith("/")) break; // the server keeps its last reply only
  }
  newest = Math.max(newest, next + inFlight - 1);
  sk.send(text, Number(port), address);
}

/** The gaps before the lines that came ahead, or before what we know of. */
function missing(): string {
  let [from, gaps] = [have + 1, ""];
  const there = [...ahead.keys()].sort((a, b) => a - b);
  for (const n of there.length > 0 ? there : [known + 1]) {
    if (n > from && gaps.length < 100) gaps += ` ${from}-${n - 1}`;
    from = n + 1;
  }
  return gaps;
}

// ---- The clock ----

const TICK = 20; // ms between two looks at what is due
const AWAY = 5000; // ms without an answer until we say so
const PATIENCE = 10_000; // ms without an answer until we leave all the same
let leaving = false; // there is no more input
let leftAt = 0; // since then, ms
let interruptedAt = Infinity; // since Ctrl+C, ms
let quitting = false; // and /quit is the last line that is not taken
let connecting = false; // we told that there is no answer yet
let away = false; // we told that there is no answer

function tick() {
  if (ended) return;
  const now = performance.now();
  const quiet = requestedAt > 0 ? now - requestedAt : 0; // ms, no answer
  if (quiet > 1000 && run === "" && !connecting) {
    connecting = true;
    tell(`* connecting to ${host}:${port} …`);
  }
  if (quiet > AWAY && !away) {
    away = true;
    tell(`* the server is away, no answer from ${host}:${port}`);
  }
  showWaiting(quiet > 1000 ? unsaid : []);
  const done = leaving && !quitting && unsaid.length === 0;
  const inVain = leaving && Math.min(quiet, now - leftAt) > PATIENCE;
  const inHurry = now > interruptedAt + 1000;
  if (inVain || inHurry || (done && cookie === "0")) return end();
  if (done && have >= enough) quit();
  if (isDue(now)) request(now);
}

// ---- The keyboard and the screen ----

const HELP = "* /name NEW: a new name, /who: who is here, /quit: leave";
const PROMPT = ">>>";
const { stdin, stdout } = process;
const terminal = Boolean(stdin.isTTY && stdout.isTTY);
let prompting = terminal;
let waiting = ""; // above the prompt: what we said and nobody answered

function openKeyboard(): readline.Interface {
  const options = { input: stdin, output: stdout, crlfDelay: Infinity };
  const keyboard = readline.createInterface({ ...options, terminal });
  keyboard.on("line", typed).on("close", leave).on("SIGINT", interrupt);
  keyboard.on("error", (error) => fail("read", error));
  // Ctrl+Z stops the whole job, npx and tsx too, and us in kill() until `fg`.
  keyboard.on("SIGTSTP", () => {
    const job = "deno" in process.versions ? process.pid : 0; // Deno: no 0
    hide(); // the shell writes there
    stdin.setRawMode(false);
    process.kill(job, "SIGTSTP");
    stdin.setRawMode(true);
    keyboard.prompt(true);
  });
  keyboard.setPrompt(PROMPT);
  if (prompting) keyboard.prompt();
  return keyboard;
}

function typed(line: string) {
  if (prompting) { // it comes back from the server: take it off the screen
    keyboard.setPrompt(waiting + PROMPT + line);
    hide(keyboard.getCursorPos().rows + 1);
    keyboard.setPrompt(waiting + PROMPT);
    keyboard.prompt();
  }
  if (leaving || line === "") return;
  if (/^\/quit(\s|$)/.test(line)) return leave();
  if (/^\/help(\s|$)/.test(line)) return tell(HELP);
  const text = visible(line);
  const size = Buffer.byteLength(text);
  if (size > TEXT) return tell(`* not said: ${size} bytes, over ${TEXT}`);
  unsaid.push(text);
  setImmediate(tick); // with all that is typed by then
  if (unsaid.length >= QUEUE && !terminal) keyboard.pause();
}

/** Show text above the line being typed: hide it, print, show it again. */
function show(text: string) {
  if (prompting) hide();
  try {
    stdout.write(`${text}\n`);
  } catch (error) { // Deno, on a full disk
    fail("print", error as Error);
  }
  if (prompting) keyboard.prompt(true);
}

/** Erase the prompt and what is typed, of so many rows above the cursor. */
function hide(rows = keyboard.getCursorPos().rows) {
  stdout.write("\r");
  readline.moveCursor(stdout, 0, -rows);
  readline.clearScreenDown(stdout);
  Object.assign(keyboard, { prevRows: 0 }); // prompt() would go up that far
}

/** Tell what is not from the group, to which stdout belongs in a pipe. */
function tell(text: string) {
  if (terminal) show(text);
  else console.error(text);
}

/** Show the first of these lines as a part of the prompt. */
function showWaiting(lines: string[]) {
  const more = lines.length > 5 ? [`${lines.length - 5} more`] : [];
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
let givenUp: string[] = []; // lines that were never sent
let ended = false;

/** There is no more input: tick ends us when all is said and heard. */
function leave() {
  if (leaving) return;
  if (prompting) hide();
  [prompting, leaving] = [false, true];
  leftAt = performance.now();
  setImmediate(() => keyboard.close()); // not amid its input
}

/** Say as the last thing that we leave. */
function quit() {
  quitting = true;
  if (!unsaid.includes("/quit")) unsaid.push("/quit");
}

/** Leave without what has not been sent yet; the second time at once. */
function interrupt() {
  if (terminal) stdout.write("\n"); // the shell's prompt on a line of its own
  if (interruptedAt < Infinity) process.exit(130);
  interruptedAt = performance.now();
  leave();
  givenUp = unsaid.splice(Math.max(newest - next + 1, 0));
  [requestedAt, tries] = [0, 0];
  process.exitCode = 130;
  if (cookie !== "0") quit(); // else there is nobody to tell
  tick();
}

function end(problem = "") {
  ended = true;
  clearInterval(clock);
  sk.close();
  if (prompting) hide();
  prompting = false;
  keyboard.close();
  const lost = [...givenUp, ...unsaid].filter((line) => line !== "/quit");
  if (problem) console.error(problem);
  if (lost.length > 0) console.error(`lines not delivered: ${lost.length}`);
  process.exitCode ||= problem || lost.length > 0 ? 1 : 0;
  if (terminal) process.exit(); // in a pipe, what is shown may still wait there
}

/** Leave, for stdin or stdout is of no use. */
function fail(what: "read" | "print", { message }: Error) {
  const isBad = !message.includes("EPIPE"); // else whoever read it has left
  if (isBad && process.exitCode !== 1) {
    console.error(`cannot ${what}: ${message}`);
    process.exitCode = 1;
  }
  leave();
}

function exit(code: number, text: string): never {
  (code === 0 ? console.log : console.error)(text);
  process.exit(code);
}

stdin.on("error", (error) => fail("read", error));
stdout.on("error", (error) => fail("print", error));
process.stderr.on("error", () => {}); // as when a terminal's window is closed

const isName = NAME.test(name) && !name.startsWith("-");
const isPort = /^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65535;
if (wanted === "-h" || wanted === "--help") exit(0, USAGE);
if (!isName) exit(2, `"${wanted}" is not 1 to 20 letters or digits, ${USAGE}`);
if (/^(-|$|[0.:]+$|\d+$)/.test(host)) {
  exit(2, `"${host}" is not a host, ${USAGE}`);
}
if (!isPort) exit(2, `port "${port}" is not a whole number from 1 to 65535`);
if (extra !== undefined) exit(2, `"${extra}" is one too many, ${USAGE}`);
main().catch(({ message }: Error) =>
  exit(1, `cannot reach ${host}:${port}, check the host: ${message}`)
);
