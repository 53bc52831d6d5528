// A member that floods: it joins, and then sends for so many seconds what is
// named, as fast as the hub takes it out of its socket: what the kernel would
// drop tells nothing about the hub. Then it says how much it sent, and quits.
//
//   flooder.ts HOST PORT KIND SECONDS
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import process from "node:process";
import {
  setImmediate as turn,
  setTimeout as pause,
} from "node:timers/promises";
import { socketOf } from "./kernel.ts";

const [host = "", port = "", kind = "", seconds = ""] = process.argv.slice(2);
const BURST = 20; // datagrams, and then we look what has come
const WAITING = 60_000; // bytes, of some 200,000 that there is room for

const token = randomBytes(8).toString("hex");
let time = 0;
let joined = false;
let said = 0;
let have = 0; // all lines up to this one
const ahead = new Set<number>(); // lines beyond a gap
let sent = 0;

const lines = (text: string, count: number) => `${text}\n`.repeat(count);
/** What it has, and where lines are missing, the next ones. */
const had = () =>
  `/have ${have}` + (ahead.size > 0 ? ` ${have + 1}-${have + 20}\n` : "\n");
const numbered = () =>
  Array.from({ length: 20 }, (_, i) => `/say ${said + i + 1} flood\n`).join("");
const KINDS: Record<string, () => string> = {
  unnumbered: () => had() + lines("flood", 20),
  numbered: () => had() + numbered(),
  "nothing had": numbered,
  "/who": () => had() + lines("/who", 20),
  "/name": () => had() + `/name ${sent}\n`,
  "/have": () => `/have 0 1-${have}\n`,
  garbage: () => had() + randomBytes(900).toString("latin1"),
  strangers: () => "", // see send
  newlines: () => had() + "\n".repeat(1160),
};
const make = KINDS[kind] ?? (() => process.exit(2));

const socket = createSocket("udp4", (bytes) => {
  for (const line of bytes.toString().split("\n")) {
    if (line === "* goodbye") process.exit();
    const [word = "", first = ""] = line.split(" ");
    if (word === "/join") send(`/join ${first} flooder 0\n`);
    else if (word === "/welcome" && !joined) {
      joined = true;
      have = Number(first);
      void flood();
    } else if (word === "/said") said = Math.max(said, Number(first));
    else if (Number(word) > have) ahead.add(Number(word));
    while (ahead.delete(have + 1)) have++;
  }
});

function send(text: string): Promise<void> {
  const stranger = kind === "strangers" && joined && !text;
  const from = stranger ? randomBytes(8).toString("hex") : token;
  const datagram = Buffer.from(`#${from} ${++time}\n${text}`).subarray(
    0,
    1200,
  );
  sent++;
  return new Promise((done) =>
    socket.send(datagram, Number(port), host, () => done())
  );
}

/** Bytes in the server's socket, as far as we see it from here. */
function waiting(): number {
  return host === "127.0.0.1" ? socketOf(Number(port)).waiting : 0;
}

async function flood() {
  console.log("joined");
  const end = performance.now() + Number(seconds) * 1000;
  while (performance.now() < end) {
    await Promise.all(Array.from({ length: BURST }, () => send(make())));
    do await turn(); while (waiting() > WAITING);
  }
  console.log(`sent ${sent}`);
  while (true) {
    await send("/quit\n");
    await pause(100); // for an answer, and for its share
  }
}

void send("/join 0 flooder 0\n");
