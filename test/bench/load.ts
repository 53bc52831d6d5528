// The load of the group's benchmark: many members in one process, each with a
// socket of its own, at a hub or at a plain relay. It does what it reads from
// stdin, line by line, and answers each with what it has counted, as JSON.
//   load.ts hub|relay PORT
//   join MEMBERS TALKERS   have so many members, the first ones of them talkers
//   reset                  count from 0 again
//   talk                   begin to say lines
//   stop                   say no more, and wait until all of it came back
//   count                  just tell
//   quit                   all members leave

import { type Buffer } from "node:buffer";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

/** What one process has seen since `reset`. */
export interface Counts {
  at: number; // ms on its clock
  processor: number; // ms that it used itself, always
  members: number;
  said: number; // different lines
  repeated: number; // lines that had to be said again, or were given up
  lines: number; // that came, of all members together
  datagrams: number; // that these lines came in
  lost: number; // datagrams that the members' sockets had no room for, at the stop
}

interface Member {
  socket: Socket;
  port: number;
  talks: boolean;
  said: number;
  acked: number; // how many of these came back
  former: number; // what that was at the last look
  answer: (line: string) => void; // gets what is no line of the group
}

const WINDOW = 8; // lines of a talker in flight
const RETRY = 2500; // ms without news until a talker says them again: none is just slow
const SETTLE = 200; // ms for the last lines to reach all members
const AT_ONCE = 16; // members that join or leave at the same time
const PATIENCE = 2000; // ms for the answer to one of them, then it asks again

const [kind, port] = process.argv.slice(2);
const hub = kind === "hub";
const members: Member[] = [];
let talking = false;
let [said, repeated, lines, datagrams, lost] = [0, 0, 0, 0, 0];

function send(member: Member, text: string) {
  member.socket.send(text, Number(port), "127.0.0.1");
}

function receive(member: Member, msg: Buffer) {
  const text = msg.toString();
  datagrams++;
  if (hub) text.split("\n").forEach((line) => hear(member, line));
  else if (text === "") member.answer(text);
  else {
    lines++;
    if (member.talks && text.startsWith(`m${member.port}: `)) member.acked++;
  }
  if (member.talks) talk(member);
}

function hear(member: Member, line: string) {
  const first = line.charCodeAt(0);
  if (first >= 48 && first <= 57) lines++; // it begins with its number
  else if (line.startsWith("/said ")) member.acked = Number(line.slice(6));
  else if (line) member.answer(line);
}

/** As group/client.ts: one datagram of lines, the next when these are taken. */
function talk(member: Member) {
  const room = WINDOW - (member.said - member.acked);
  if (!talking || room < (hub ? WINDOW : 1)) return;
  said += room;
  member.said += room;
  say(member, member.said - room + 1);
}

/** Say the lines from k on; a relay takes each in a datagram of its own. */
function say(member: Member, k: number) {
  const texts: string[] = [];
  for (; k <= member.said; k++) {
    const text = `line ${k} of somebody who talks a lot`;
    texts.push(hub ? `/say ${k} ${text}` : text);
  }
  if (hub) send(member, texts.join("\n"));
  else for (const text of texts) send(member, text);
}

/** A hub takes a repeated line once; with a relay it is lost for good. */
function repeat() {
  for (const member of members) {
    const { said, acked, former } = member;
    member.former = acked;
    if (acked !== former || said === acked) continue;
    repeated += said - acked;
    if (!hub) member.acked = said;
    else say(member, acked + 1);
    talk(member);
  }
}

/** Say it, again if need be, until a line comes that begins like this. */
async function ask(member: Member, text: string, begin: string) {
  const found = new Promise<string>((resolve) =>
    member.answer = (line) => line.startsWith(begin) && resolve(line)
  );
  const again = setInterval(() => send(member, text), PATIENCE);
  send(member, text);
  const line = await found;
  clearInterval(again);
  return line;
}

async function join() {
  const socket = createSocket("udp4");
  await once(socket.bind(0, "127.0.0.1"), "listening");
  const { port } = socket.address();
  const counts = { said: 0, acked: 0, former: 0 };
  const member = { socket, port, talks: false, ...counts, answer: () => {} };
  socket.on("message", (msg) => receive(member, msg));
  if (!hub) await ask(member, "", "");
  else {
    const cookie = await ask(member, "/join", "/join ");
    await ask(member, `${cookie} m${port}`, "/welcome ");
  }
  members.push(member);
}

async function leave() {
  const member = members.pop();
  if (hub && member) await ask(member, "/quit", "* goodbye");
  member?.socket.close();
}

async function obey(command: string | undefined, count = 0, talkers = 0) {
  if (command === "join") {
    while (members.length < count) {
      const more = Math.min(AT_ONCE, count - members.length);
      await Promise.all(Array.from({ length: more }, join));
    }
    members.forEach((member, i) => member.talks = i < talkers);
  } else if (command === "quit") {
    while (members.length > 0) {
      await Promise.all(Array.from({ length: AT_ONCE }, leave));
    }
  } else if (command === "reset") {
    await pause(SETTLE);
    lost = -droppedNow();
    [said, repeated, lines, datagrams] = [0, 0, 0, 0];
  } else if (command === "talk") {
    talking = true;
    members.filter(({ talks }) => talks).forEach(talk);
  } else if (command === "stop") {
    talking = false;
    while (members.some(({ said, acked }) => said > acked)) await pause(20);
    await pause(SETTLE);
    lost += droppedNow();
  }
}

/** Datagrams that the members' sockets had no room for, as Linux tells. */
function droppedNow(): number {
  if (process.platform !== "linux") return NaN;
  const ports = new Set(members.map(({ port }) => port));
  const sockets = readFileSync("/proc/net/udp", "utf8").trim().split("\n");
  return sockets.map((line) => line.trim().split(/\s+/))
    .filter(([, local = ""]) => ports.has(parseInt(local.split(":")[1]!, 16)))
    .reduce((sum, fields) => sum + Number(fields.at(-1)), 0);
}

function counted(): Counts {
  const { user, system } = process.cpuUsage(); // µs
  return {
    at: performance.now(),
    processor: (user + system) / 1000,
    members: members.length,
    ...{ said, repeated, lines, datagrams, lost },
  };
}

setInterval(repeat, RETRY);
for await (const line of createInterface({ input: process.stdin })) {
  const [command, count, talkers] = line.split(" ");
  await obey(command, Number(count), Number(talkers));
  console.log(JSON.stringify(counted()));
}
