// Members of a group, as small as their protocols allow: of the hub, of a plain
// relay in datagrams or over TCP, of NATS and of MQTT 3.1.1 (QoS 0). All of them
// hear lines that begin with a name, at the hub with a number before it.

import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect as connectTcp } from "node:net";

/** Say these lines at once. */
export type Say = (texts: string[]) => void;

export interface Place {
  host: string;
  port: number;
  from?: string; // address of the member's own socket
}

/** Join under a name; hear gets the lines that come, its own ones too. */
type Join = (
  name: string,
  place: Place,
  hear: (lines: string[]) => void,
) => Promise<Say>;

const TOPIC = "chat";

// ---- In datagrams ----

async function udp(
  { host, port, from = "0.0.0.0" }: Place,
  receive: (text: string) => void,
) {
  const recvBufferSize = 1 << 20; // bytes, so that nothing gets lost here
  const socket = createSocket({ type: "udp4", recvBufferSize });
  await once(socket.bind(0, from), "listening");
  socket.on("message", (msg) => receive(msg.toString()));
  return (text: string) => socket.send(text, port, host);
}

const joinRelay: Join = async (name, place, hear) => {
  let joined = () => {};
  const send = await udp(place, (text) => text ? hear([text]) : joined());
  await new Promise<void>((resolve) => {
    joined = resolve;
    send("");
  });
  return (texts) => texts.forEach((text) => send(`${name}: ${text}`));
};

const OFTEN = 256; // lines until a member of the hub says that it has them
const PATIENCE = 1000; // ms until it repeats its request, as a member
const HURRY = 100; // ms until it does so before, as a hub turns many away

/** As group/client.ts, but what gets lost on the way to it is not asked for. */
const joinHub: Join = async (name, place, hear) => {
  const token = randomBytes(8).toString("hex");
  let proof = "/join"; // until it has joined
  let [time, asked] = [0, 0]; // of the last request, ms; 0: it is answered
  let [have, told] = [0, 0]; // the newest line, and what the hub knows of that
  let taken = 0; // own lines
  let unsaid: string[] = [];
  let joined = () => {};

  const request = () => {
    time = Math.max(Math.floor(performance.now()), time + 1);
    asked = performance.now();
    told = have;
    const lines = unsaid.map((text, i) => `/say ${taken + 1 + i} ${text}\n`);
    const news = proof || `/have ${have}`;
    send(`#${token} ${time}\n${news}\n${lines.join("")}`);
  };

  const receive = (text: string) => {
    const [head = "", ...lines] = text.split("\n");
    const numbered: string[] = [];
    for (const line of lines) {
      const first = line.charCodeAt(0);
      const [word, value = ""] = first === 47 ? line.split(" ", 2) : []; // "/"
      if (first >= 48 && first <= 57) numbered.push(line);
      else if (word === "/said") {
        unsaid = unsaid.slice(Number(value) - taken);
        taken = Number(value);
      } else if (word === "/join" && proof) {
        proof = `${line} ${name} 0`;
        request();
      } else if (word === "/welcome" && proof) {
        proof = "";
        have = told = Number(value);
        joined();
      }
    }
    have = parseInt(numbered.at(-1) ?? `${have}`);
    hear(numbered.filter((line) => !line.includes(" * "))); // no notices
    if (head.endsWith(` ${time}`) && !proof) asked = 0;
    if (asked === 0 && (unsaid.length > 0 || have - told >= OFTEN)) request();
  };

  const send = await udp(place, receive);
  setInterval(() => {
    const patience = proof ? HURRY : PATIENCE;
    if (asked > 0 && performance.now() - asked > patience) request();
  }, HURRY / 2);
  await new Promise<void>((resolve) => {
    joined = resolve;
    request();
  });
  return (texts) => {
    unsaid.push(...texts);
    if (asked === 0) request();
  };
};

// ---- Over TCP ----

async function tcp({ host, port }: Place, receive: (msg: Buffer) => void) {
  const socket = connectTcp(port, host).setNoDelay();
  await once(socket, "connect");
  socket.on("data", receive);
  return (data: string | Buffer) => void socket.write(data);
}

/** Calls back with the whole lines, whatever pieces they come in. */
function inLines(end: string, receive: (lines: string[]) => void) {
  let rest = "";
  return (msg: Buffer) => {
    const lines = (rest + msg.toString()).split(end);
    rest = lines.pop()!;
    if (lines.length > 0) receive(lines);
  };
}

const joinTcpRelay: Join = async (name, place, hear) => {
  let joined = () => {};
  const answered = new Promise<void>((resolve) => joined = resolve);
  const receive = inLines("\n", (lines) => {
    joined(); // by the relay's first line
    hear(lines);
  });
  const write = await tcp(place, receive);
  await answered;
  return (texts) => write(texts.map((text) => `${name}: ${text}\n`).join(""));
};

/** https://docs.nats.io/reference/reference-protocols/nats-protocol */
const joinNats: Join = async (name, place, hear) => {
  let joined = () => {};
  let isMessage = false; // the next line
  const receive = inLines("\r\n", (lines) => {
    const messages: string[] = [];
    for (const line of lines) {
      if (isMessage) messages.push(line);
      isMessage = !isMessage && line.startsWith("MSG ");
      if (line === "PING") write("PONG\r\n");
      if (line === "PONG") joined();
    }
    hear(messages);
  });
  const write = await tcp(place, receive);
  await new Promise<void>((resolve) => {
    joined = resolve;
    write(`CONNECT {"verbose":false}\r\nSUB ${TOPIC} 1\r\nPING\r\n`);
  });
  const publish = (line: string) =>
    `PUB ${TOPIC} ${Buffer.byteLength(line)}\r\n${line}\r\n`;
  return (texts) =>
    write(texts.map((text) => publish(`${name}: ${text}`)).join(""));
};

/** A packet of MQTT 3.1.1: its length is in digits of 7 bits (2.2.3). */
function packet(type: number, parts: Buffer[]): Buffer {
  const head = [type];
  let { length } = Buffer.concat(parts);
  for (; length > 127; length >>= 7) head.push(length % 128 + 128);
  return Buffer.concat([Buffer.from([...head, length]), ...parts]);
}

/** Text behind its length. */
function mqttString(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length]), bytes]);
}

const joinMqtt: Join = async (name, place, hear) => {
  let joined = () => {};
  let rest: Buffer = Buffer.alloc(0);
  const receive = (msg: Buffer) => {
    rest = rest.length > 0 ? Buffer.concat([rest, msg]) : msg;
    const messages: string[] = [];
    for (let at = 0;;) {
      let body = at + 1; // where it begins
      let length = 0;
      do length += (rest[body]! & 127) << 7 * (body - at - 1); while (
        rest[body++]! > 127
      );
      if (!(body + length <= rest.length)) {
        rest = rest.subarray(at);
        break;
      }
      const type = rest[at]! >> 4;
      if (type === 9) joined(); // SUBACK
      if (type === 3) { // PUBLISH
        const text = body + 2 + rest.readUInt16BE(body); // behind the topic
        messages.push(rest.toString("utf8", text, body + length));
      }
      at = body + length;
    }
    hear(messages);
  };
  const write = await tcp(place, receive);
  const clean = Buffer.from([4, 2, 0, 0]); // version, clean session, no keep-alive
  const hello = [mqttString("MQTT"), clean, mqttString(name)];
  const topic = mqttString(TOPIC);
  const subscribe = [Buffer.from([0, 1]), topic, Buffer.from([0])];
  await new Promise<void>((resolve) => {
    joined = resolve;
    write(packet(0x10, hello));
    write(packet(0x82, subscribe));
  });
  const publish = (text: string) =>
    packet(0x30, [topic, Buffer.from(`${name}: ${text}`)]);
  return (texts) => write(Buffer.concat(texts.map(publish)));
};

export const JOIN: Record<string, Join> = {
  hub: joinHub,
  relay: joinRelay,
  "TCP relay": joinTcpRelay,
  NATS: joinNats,
  MQTT: joinMqtt,
};
