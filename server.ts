#!/usr/bin/env -S npx tsx
// A chat for two over UDP, the server's side: wait for a datagram, show it
// and its sender, send one typed line back to that address, and so on.
//   npx tsx server.ts [host] [port]                 Node 20 and later
//   node server.ts [host] [port]                    Node 22.18 and later
//   bun server.ts [host] [port]
//   deno run --allow-net server.ts [host] [port]
// The chat is the loop at the end; above it stand calls that wait as Python's do.

// @ts-ignore: for tsc; Deno has the types of Node built in
/// <reference types="node" />
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import process from "node:process";
import { createInterface } from "node:readline";

const USAGE = "usage: server.ts [host] [port], by default 127.0.0.1 6000";
const HINTS: Record<string, string> = {
  EADDRINUSE: "the port is taken, stop its program or choose another",
  EADDRNOTAVAIL: "not an address of this machine, as 127.0.0.1 always is",
  ENOTFOUND: "unknown name, check the spelling or give an address",
};
const BACKLOG = 256; // datagrams kept while a person types, later ones are lost
// What could move the cursor or turn text around on the reader's screen.
const UNSAFE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });
const EOF = new Error("end of input"); // thrown where Python raises EOFError

const [host = "127.0.0.1", port = "6000", extra] = process.argv.slice(2);
if (host === "-h" || host === "--help") leave(0, USAGE);
const odd = /^(-|$|\d+$)/.test(host) ? host : extra;
if (odd !== undefined) leave(2, `"${odd}" is not understood, ${USAGE}`);
const valid = /^(0|[1-9]\d{0,4})$/.test(port) && Number(port) <= 65535;
if (!valid) leave(2, `port "${port}" is not a whole number from 0 to 65535`);

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
const backlog: [Uint8Array, RemoteInfo][] = [];
let wake = () => {}; // ends the wait in recvfrom
async function recvfrom(): Promise<[Uint8Array, RemoteInfo]> {
  while (backlog.length === 0 && !hungUp) {
    await new Promise<void>((resolve) => wake = resolve);
  }
  const first = backlog.shift();
  if (!first) throw EOF;
  return first;
}

/** Send text; where the system refuses it, say so and send the next line. */
async function sendto(sk: Socket, text: string, addr: RemoteInfo) {
  const error = await new Promise<Error | null>((resolve) =>
    sk.send(text, addr.port, addr.address, resolve)
  );
  if (!error) return;
  // On Bun this is about an earlier datagram, and ours has not been sent.
  if (/ECONNREFUSED/.test(error.message)) return sendto(sk, text, addr);
  console.error(`not sent: ${error.message}; at most 65507 bytes fit`);
  return sendto(sk, await input(">>>"), addr);
}

async function main() {
  const { address, family } = await lookup(host);
  const sk = createSocket(family === 6 ? "udp6" : "udp4");
  sk.on("message", (msg, addr) => {
    if (addr.port > 0 && backlog.length < BACKLOG) backlog.push([msg, addr]);
    else (msg.buffer as ArrayBuffer).transfer?.(0); // Deno: 64 KiB, free it now
    wake();
  });
  await new Promise<void>((resolve, reject) =>
    sk.on("error", reject).bind(Number(port), address, resolve)
  );
  if (port === "0") console.error(`listening on port ${sk.address().port}`);
  try {
    while (true) {
      const [msg, addr] = await recvfrom();
      print(`来自[${addr.address}:${addr.port}]的消息: ${decode(msg)}`);
      const inp = await input(">>>");
      await sendto(sk, inp, addr);
    }
  } finally {
    sk.close();
  }
}

main().catch((error) => {
  if (error === EOF) return process.stdout.isTTY && leave(0);
  leave(1, `cannot use ${host}:${port}: ${HINTS[error.code] ?? error.message}`);
});
