#!/usr/bin/env -S npx tsx
// A chat for two over UDP, the client's side: send one typed line, wait for
// the server's reply, show it, and so on.
//   npx tsx client.ts [host] [port]                 Node 20 and later
//   node client.ts [host] [port]                    Node 22.18 and later
//   bun client.ts [host] [port]
//   deno run --allow-net client.ts [host] [port]
// The chat is the loop at the end; above it stand calls that wait as Python's do.

// @ts-ignore: for tsc; Deno has the types of Node built in
/// <reference types="node" />
import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { type AddressInfo, BlockList } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";

const USAGE = "usage: client.ts [host] [port], by default 127.0.0.1 6000";
const PATIENCE = 5000; // ms until we say that no reply has come
const BACKLOG = 256; // datagrams kept while a person types, later ones are lost
// What could move the cursor or turn text around on the reader's screen.
const UNSAFE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });
const EOF = new Error("end of input"); // thrown where Python raises EOFError

const [host = "127.0.0.1", port = "6000", extra] = process.argv.slice(2);
if (host === "-h" || host === "--help") leave(0, USAGE);
const odd = /^(-|$|[0.:]+$|\d+$)/.test(host) ? host : extra;
if (odd !== undefined) leave(2, `"${odd}" is not understood, ${USAGE}`);
const valid = /^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65535;
if (!valid) leave(2, `port "${port}" is not a whole number from 1 to 65535`);
const SILENCE = `no reply from ${host}:${port} yet: lost, or nobody listens, \
UDP cannot tell. Still waiting; Ctrl+C ends it.`;

// This iterator loses no line and lets a fast pipe wait. Echo and editing are
// left to the terminal, as they are in Python.
const keyboard = createInterface({ input: process.stdin, crlfDelay: Infinity });
const lines = keyboard[Symbol.asyncIterator]();
let hungUp = false; // by Ctrl+D, which ends any wait; the end of a pipe does not
keyboard.on("close", () => {
  hungUp = process.stdin.isTTY;
  wake();
});
process.on("SIGINT", () => leave(130)); // Ctrl+C: 128 + the signal's number
process.stdout.on("error", () => process.exit()); // whoever read it has left

/** End the program, with a last word or with the shell's prompt on a new line. */
function leave(code: number, text?: string): never {
  if (text) (code === 0 ? console.log : console.error)(text);
  else if (process.stdout.isTTY) print("");
  process.exit(code);
}

const print = (text: string) => process.stdout.write(text + "\n");

async function input(prompt: string): Promise<string> {
  process.stdout.write(prompt);
  const line = await lines.next();
  if (line.done) throw EOF;
  return line.value;
}

/** Whatever the bytes are, text that is safe to print. */
function decode(msg: Uint8Array): string {
  return UTF8.decode(msg)
    .replace(/\r?\n$/, "") // the newline that netcat and socat send along
    .replace(UNSAFE, (c) => `\\u{${c.charCodeAt(0).toString(16)}}`);
}

// The event "message" fills the backlog; recvfrom takes from it, or waits.
const backlog: Uint8Array[] = [];
let wake = () => {}; // ends the wait in recvfrom
async function recvfrom(): Promise<Uint8Array> {
  const timer = setTimeout(console.error, PATIENCE, SILENCE);
  while (backlog.length === 0 && !hungUp) {
    await new Promise<void>((resolve) => wake = resolve);
  }
  clearTimeout(timer);
  const first = backlog.shift();
  if (!first) throw EOF;
  return first;
}

/** Send text; where the system refuses it, say so and send the next line. */
async function sendto(sk: Socket, text: string, addr: AddressInfo) {
  const error = await new Promise<Error | null>((resolve) =>
    sk.send(text, addr.port, addr.address, resolve)
  );
  if (!error) return;
  console.error(`not sent: ${error.message}; at most 65507 bytes fit`);
  return sendto(sk, await input(">>>"), addr);
}

async function main() {
  const { address, family } = await lookup(host);
  const ip = family === 6 ? "ipv6" : "ipv4";
  const addr = { address, family: ip, port: Number(port) };
  const server = new BlockList(); // compares addresses, however spelled
  server.addAddress(address, ip);
  const sk = createSocket(family === 6 ? "udp6" : "udp4");
  sk.on("message", (msg, from) => {
    const known = from.port === addr.port && server.check(from.address, ip);
    if (known && backlog.length < BACKLOG) backlog.push(msg);
    else (msg.buffer as ArrayBuffer).transfer?.(0); // Deno: 64 KiB, free it now
    wake();
  });
  try {
    while (true) {
      const msg = await input(">>>");
      await sendto(sk, msg, addr);
      const reply = await recvfrom();
      print(decode(reply));
    }
  } finally {
    sk.close();
  }
}

main().catch((error) => {
  if (error === EOF) return process.stdout.isTTY && leave(0);
  leave(1, `cannot reach ${host}:${port}, check the host: ${error.message}`);
});
