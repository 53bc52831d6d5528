// Members of a group, as small as their protocols allow: of our hub, of a plain
// relay in datagrams, and of NATS. They hear lines as `NAME: TEXT`, at the hub
// with a number before it.

import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { HERE } from "../support/program.ts";

export interface Member {
  say(texts: string[]): void;
  close(): void;
}

/** Join a server under a name; hear gets all lines, the member's own too. */
export type Join = (
  name: string,
  port: number, // of the server
  from: string, // the address of the member's own socket
  hear: (lines: string[]) => void,
) => Promise<Member>;

function udp(port: number, from: string, receive: (text: string) => void) {
  // Bytes, so that nothing gets lost here.
  const socket = createSocket({ type: "udp4", recvBufferSize: 1 << 20 });
  socket.on("message", (msg) => receive(msg.toString())).bind(0, from);
  return {
    send: (text: string) => socket.send(text, port, HERE),
    close: () => void socket.close(),
  };
}

export const joinRelay: Join = (name, port, from, hear) =>
  new Promise((resolve) => {
    const { send, close } = udp(port, from, (text) => {
      if (text === "") resolve({ say, close }); // it is back: we are a member
      else hear([text]);
    });
    const say = (texts: string[]) =>
      texts.forEach((text) => send(`${name}: ${text}`));
    send("");
  });

const NEWS = 256; // lines until it says that it has them, as group/client.ts

/** As group/client.ts, but it drops what comes behind a gap, and asks again. */
export const joinHub: Join = (name, port, from, hear) =>
  new Promise((resolve) => {
    const token = randomBytes(8).toString("hex");
    let cookie = "0"; // until it is in
    let [time, asked] = [0, false]; // of the last request; it has no answer yet
    let [have, known] = [0, 0]; // all lines up to this one; the newest it saw
    let told = 0; // the hub knows that it has the lines up to this one
    let said = 0; // the hub has its lines up to this one
    let unsaid: string[] = []; // those after that

    const request = () => {
      time = Math.max(Math.floor(performance.now()), time + 1);
      [asked, told] = [true, have];
      const says = unsaid.map((text, i) => `/say ${said + 1 + i} ${text}\n`);
      const join = `/join ${cookie} ${name} 0\n`;
      const all = [cookie ? join : `/have ${have} ${known}\n`, ...says];
      send(`#${token} ${time}\n${all.join("")}`);
    };
    const understand = (line: string) => {
      const [word, first = ""] = line.split(" ", 2);
      if (word === "/join") {
        cookie = first;
        request();
      } else if (word === "/said") {
        unsaid = unsaid.slice(Number(first) - said);
        said = Number(first);
      } else if (word === "/welcome" && cookie) {
        cookie = "";
        have = known = told = Number(first);
        resolve({ say, close: () => [clearInterval(clock), close()] });
      }
    };
    const { send, close } = udp(port, from, (text) => {
      const [head = "", ...lines] = text.split("\n");
      const news: string[] = [];
      for (const line of lines) {
        const n = parseInt(line);
        if (Number.isNaN(n)) understand(line);
        else known = Math.max(known, n);
        if (n !== have + 1) continue;
        news.push(line);
        have = n;
      }
      if (!cookie && head.endsWith(` ${time}`)) asked = false;
      hear(news); // who hears it may say something
      if (unsaid.length > 0 || have - told >= NEWS || known > have) say([]);
    });
    const say = (texts: string[]) => {
      unsaid.push(...texts);
      if (!asked) request();
    };
    const clock = setInterval(() => {
      if (asked && performance.now() > time + 500) request(); // ms: it got lost
    }, 100);
    request();
  });

/** https://docs.nats.io/reference/reference-protocols/nats-protocol */
export const joinNats: Join = (name, port, localAddress, hear) =>
  new Promise((resolve) => {
    const socket = connect({ port, host: HERE, localAddress, noDelay: true });
    let rest = ""; // of a line whose end is still to come
    socket.on("data", (data) => {
      const lines = (rest + data).split("\r\n");
      rest = lines.pop()!;
      hear(lines.filter((line) => line.includes(": "))); // not NATS' own words
      if (lines.includes("PING")) socket.write("PONG\r\n");
      if (lines.includes("PONG")) resolve({ say, close });
    });
    const close = () => void socket.destroy();
    const publish = (line: string) =>
      `PUB chat ${Buffer.byteLength(line)}\r\n${line}\r\n`;
    const say = (texts: string[]) =>
      socket.write(texts.map((text) => publish(`${name}: ${text}`)).join(""));
    socket.write('CONNECT {"verbose":false}\r\nSUB chat 1\r\nPING\r\n');
  });
