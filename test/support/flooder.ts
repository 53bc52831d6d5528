// A member that floods: it joins, and then sends what is named as fast as it can
// for so many seconds, in datagrams of the kind that the server reads.
//
//   flooder.ts PORT KIND SECONDS
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import process from "node:process";

const [port = "", kind = "", seconds = ""] = process.argv.slice(2);
const BURST = 50; // datagrams, and then we look what has come

const token = randomBytes(8).toString("hex");
let time = 0;
let joined = false;
let said = 0;
let have = 0;
let sent = 0;

const lines = (text: string, count: number) => `${text}\n`.repeat(count);
const KINDS: Record<string, () => string> = {
  unnumbered: () => lines("flood", 20),
  numbered: () =>
    `/have ${have}\n` +
    Array.from({ length: 20 }, (_, i) => `/say ${said + i + 1} flood\n`)
      .join(""),
  "numbered, nothing had": () =>
    Array.from({ length: 20 }, (_, i) => `/say ${said + i + 1} flood\n`)
      .join(""),
  "/who": () => lines("/who", 20),
  "/name": () => `/name ${sent}\n`,
  "/have": () => "/have 0 1-99\n",
  garbage: () => randomBytes(900).toString("latin1"),
  newlines: () => "\n".repeat(1180),
};
const make = KINDS[kind] ?? (() => process.exit(2));

const socket = createSocket("udp4", (bytes) => {
  for (const line of bytes.toString().split("\n")) {
    const [word = "", first = ""] = line.split(" ");
    if (word === "/join") send(`/join ${first} flooder 0\n`);
    else if (word === "/welcome" && !joined) {
      joined = true;
      have = Number(first);
      void flood();
    } else if (word === "/said") said = Math.max(said, Number(first));
    else if (Number(word) === have + 1) have++;
  }
});

function send(text: string): Promise<void> {
  const datagram = Buffer.from(`#${token} ${++time}\n${text}`).subarray(
    0,
    1200,
  );
  sent++;
  return new Promise((done) =>
    socket.send(datagram, Number(port), "127.0.0.1", () => done())
  );
}

async function flood() {
  console.log("joined");
  const end = performance.now() + Number(seconds) * 1000;
  while (performance.now() < end) {
    await Promise.all(Array.from({ length: BURST }, () => send(make())));
    await new Promise((next) => setImmediate(next));
  }
  console.log(`sent ${sent}`);
  process.exit();
}

void send("/join 0 flooder 0\n");
