#!/usr/bin/env -S npx tsx
// A chat for two over UDP, the client: send one typed line, wait for the
// server's reply, show it, and so on.
//   npx tsx client.ts [host] [port]                 Node 20.6 and later
//   node client.ts [host] [port]                    Node 22.18 and later
//   bun client.ts [host] [port]
//   deno run --allow-net client.ts [host] [port]

/// <reference types="node" />
import { Buffer } from "node:buffer";
import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { BlockList } from "node:net";
import process, { stderr, stdin, stdout } from "node:process";
import { clearScreenDown, createInterface, moveCursor } from "node:readline";

const [host = "127.0.0.1", port = "6000", extra] = process.argv.slice(2);

async function main() {
  const { address, family } = await lookup(host);
  const addr = { address, port: Number(port) };
  const sk = createSocket(family === 6 ? "udp6" : "udp4", keepFrom(addr));
  sk.bind(); // any free port, as in the Python the first sendto does
  await once(sk, "listening");
  sk.on("error", () => {}); // Bun 1.3: an earlier datagram found nobody

  while (true) {
    const msg = await input(">>>");
    if (msg === undefined) break; // no more input
    if (!(await sendto(sk, msg, addr))) continue;
    const reply = await recvfrom(sk);
    print(decode(reply));
  }
  sk.close();
}

// ---- The socket: datagrams come at any time, recvfrom waits for the next ----

const BACKLOG = 256; // datagrams kept while a person types, more are dropped
const MAX_SIZE = 65_507; // bytes: 65,535 less the headers of IPv4 and UDP
const PATIENCE = 5000; // ms until we say that no reply has come
const backlog: Buffer[] = [];
let elsewhere = false; // we told of a reply from another address
const silence = `no reply from ${host}:${port} yet: lost, or nobody listens, \
which a socket that is not connected is not told. Ctrl+C ends the wait.`;

type Address = { address: string; port: number };

/** Make a listener that keeps datagrams from this address, and no other. */
function keepFrom({ address, port }: Address) {
  const plain = (ip: string) => ip.replace(/%.*/, ""); // Deno: without a zone
  const type = address.includes(":") ? "ipv6" : "ipv4";
  const server = new BlockList(); // compares addresses however they are spelled
  server.addAddress(plain(address), type);
  return (msg: Buffer, from: Address) => {
    if (from.port !== port) return;
    const isServer = server.check(plain(from.address), type);
    if (isServer && backlog.length < BACKLOG) backlog.push(msg);
    if (isServer || elsewhere) return;
    elsewhere = true;
    print(`a reply came from ${from.address}: start with it`, stderr);
  };
}

async function recvfrom(sk: Socket): Promise<Buffer> {
  const timer = setTimeout(() => print(silence, stderr), PATIENCE);
  while (backlog.length === 0) {
    await new Promise((resolve) => sk.once("message", resolve));
  }
  clearTimeout(timer);
  return backlog.shift() as Buffer;
}

/** Send text in one datagram; if the system refuses, say why, return false. */
async function sendto(sk: Socket, text: string, addr: Address, tries = 2) {
  const error = await new Promise<Error | null>((resolve) =>
    sk.send(text, addr.port, addr.address, resolve)
  );
  // Bun: this may be about an earlier datagram, and ours has not been sent.
  if (error && tries > 1) return sendto(sk, text, addr, tries - 1);
  if (error) print(`not sent: ${error.message}`, stderr);
  return !error;
}

/** Text that is safe to print, whatever the bytes are. */
function decode(msg: Buffer): string {
  // Control characters, line separators, marks that turn text around
  const unsafe = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
  return msg.toString("utf8")
    .replace(/\r?\n$/, "") // the newline that netcat and socat send along
    .replace(unsafe, (c) => `\\u{${c.charCodeAt(0).toString(16)}}`);
}

// ---- The screen and the keyboard: on a terminal, readline edits the line ----

const terminal = Boolean(stdin.isTTY && stdout.isTTY);
const options = { terminal, prompt: "", crlfDelay: Infinity };
const keyboard = createInterface({ input: stdin, output: stdout, ...options });
const lines = keyboard[Symbol.asyncIterator](); // loses none, lets a pipe wait
let ahead = 0; // lines typed, less those that input has asked for

/** The next line, or undefined when there are no more. */
async function input(prompt: string): Promise<string | undefined> {
  const isTyped = ahead-- > 0;
  if (!isTyped) keyboard.setPrompt(prompt);
  if (terminal) keyboard.prompt(true);
  else stdout.write(prompt);
  const { value: line, done } = await lines.next();
  if (done) return undefined;
  if (terminal && isTyped) print(prompt + line);
  const size = Buffer.byteLength(line);
  if (size <= MAX_SIZE) return line;
  print(`not sent: ${size} bytes, a datagram holds ${MAX_SIZE}`, stderr);
  return input(prompt);
}

// What is typed ahead leaves the screen, until input shows it at its prompt.
keyboard.on("line", (line) => {
  keyboard.setPrompt(line);
  if (ahead++ >= 0 && terminal) hide(keyboard.getCursorPos().rows + 1);
  keyboard.setPrompt("");
  if (terminal) keyboard.resume(); // or 1,024 lines ahead stop Ctrl+C
});

/** Print above the line being typed, which stays as it is. */
function print(text: string, to: NodeJS.WritableStream = stdout) {
  if (terminal) hide(keyboard.getCursorPos().rows);
  to.write(`${text}\n`);
  if (terminal) keyboard.prompt(true);
}

/** Clear the screen, from so many rows above the cursor to its end. */
function hide(rows: number) {
  stdout.write("\r");
  moveCursor(stdout, 0, -rows);
  clearScreenDown(stdout);
  Object.assign(keyboard, { prevRows: 0 }); // or prompt() clears them again
}

// ---- Start and end ----

const USAGE = "usage: client.ts [host] [port], by default 127.0.0.1 6000";

/** Exit, with a last word or with the shell's prompt on a line of its own. */
function leave(code: number, text = ""): never {
  if (text) (text === USAGE ? console.log : console.error)(text);
  else if (stdout.isTTY) stdout.write("\n\x1b[J"); // no rest of a long line
  process.exit(code);
}

keyboard.on("close", () => { // Ctrl+D; a pipe's lines still wait for main
  keyboard.prompt = () => {}; // closed, it would throw
  const end = () => leave(0, ahead > 0 ? `lines not sent: ${ahead}` : "");
  if (stdin.isTTY) setImmediate(end); // a line that came along goes first
});
keyboard.on("SIGINT", () => leave(130)); // Ctrl+C: 128 + the signal's number
process.on("SIGINT", () => leave(130));
process.on("SIGTERM", () => leave(143));
process.on("SIGHUP", () => leave(129));
// Ctrl+Z stops the whole job, npx and tsx too, and us in kill() until `fg`.
keyboard.on("SIGTSTP", () => {
  const job = "deno" in process.versions ? process.pid : 0; // Deno: no 0
  hide(keyboard.getCursorPos().rows); // the shell writes there
  stdin.setRawMode(false);
  process.kill(job, "SIGTSTP");
  stdin.setRawMode(true);
  keyboard.prompt(true);
});
stderr.on("error", () => {}); // the chat goes on without its notices
stdin.on("error", ({ message }) => leave(1, `cannot read: ${message}`));
stdout.on("error", ({ message }) => {
  if (message.includes("EPIPE")) leave(0); // whoever read it has left
  leave(1, `cannot print: ${message}`);
});

const isHost = !/^(-|$|[0.:]+$|\d+$)/.test(host);
const isPort = /^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65535;
if (host === "-h" || host === "--help") leave(0, USAGE);
if (!isHost) leave(2, `"${host}" is not a host, ${USAGE}`);
if (!isPort) leave(2, `port "${port}" is not a whole number from 1 to 65535`);
if (extra !== undefined) leave(2, `"${extra}" is one too many, ${USAGE}`);
main().catch(({ message }: Error) =>
  leave(1, `cannot chat with ${host}:${port}, check the host: ${message}`)
);
