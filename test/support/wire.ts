// A socket of the test's own: the other end of the wire.

import assert from "node:assert/strict";
import type { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { networkInterfaces } from "node:os";
import type { Runtime } from "./on.ts";
import { HERE, serve, start, stir, type Test, until } from "./program.ts";

const addresses = Object.values(networkInterfaces()).flat();
export const NO_IPV6 = !addresses.some((one) => one?.address === "::1");

/** An actor in a scene, too. */
export class Peer {
  shown: string[] = []; // datagrams that nobody has looked at yet
  from = 0; // the port of the newest, to which it sends
  readonly port: number;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.port = socket.address().port;
    socket.on("message", (bytes, { port }) => {
      this.from = port;
      this.take(bytes);
      stir();
    });
  }

  protected take(bytes: Buffer) {
    this.shown.push(bytes.toString());
  }

  close() {
    this.#socket.close();
  }

  send(data: string | Uint8Array, to = this.from, host = HERE) {
    return new Promise<void>((resolve, reject) =>
      this.#socket.send(data, to, host, (e) => e ? reject(e) : resolve())
    );
  }

  /** Wait for the next datagram, of this text; returns its sender's port. */
  async receives(text: string): Promise<number> {
    await until(() => this.shown.length > 0, () => `no datagram: ${text}`);
    assert.equal(this.shown.shift(), text);
    return this.from;
  }
}

export async function openSocket(t: Test, address = HERE, port = 0) {
  const type = address.includes(":") ? "udp6" : "udp4";
  const socket = createSocket({ type, recvBufferSize: 1 << 20 });
  let open = true;
  socket.on("close", () => open = false);
  t.after(() => open && socket.close());
  await once(socket.bind(port, address), "listening");
  return socket;
}

export async function openPeer(t: Test, address?: string, port?: number) {
  return new Peer(await openSocket(t, address, port));
}

/** A client, and its server: a socket of the test's own. */
export async function clientOf(t: Test, runtime: Runtime) {
  const peer = await openPeer(t);
  return { peer, client: start(t, runtime, "client.ts", HERE, peer.port) };
}

/** A server, and a socket of the test's own to talk to it. */
export async function serverOf(t: Test, runtime: Runtime) {
  const server = await serve(t, runtime, "server.ts");
  const peer = await openPeer(t);
  peer.from = server.port;
  return { peer, server };
}

/** One that speaks the group's protocol by itself, as a client.ts does. */
export class Hand extends Peer {
  token = randomBytes(8).toString("hex");
  time = 0; // of the newest request
  heard: string[] = []; // all lines that came, but for the heads
  answer: string[] = []; // those of the newest answer
  #answered = 0; // the time of the newest request that has an answer

  protected override take(bytes: Buffer) {
    const [head = "", ...lines] = bytes.toString().trimEnd().split("\n");
    this.heard.push(...lines);
    const time = Number(head.split(" ")[2]);
    if (!(time > 0)) return; // it is no answer
    [this.#answered, this.answer] = [time, lines];
  }

  /** A request, which may get lost. */
  async says(...lines: string[]) {
    const head = `#${this.token} ${++this.time}`;
    await this.send([head, ...lines, ""].join("\n"));
  }

  /** Say it until it is answered; returns the answer's lines. */
  async asks(...lines: string[]): Promise<string[]> {
    const first = this.time + 1;
    const again = setInterval(() => void this.says(...lines), 300); // ms
    await this.says(...lines);
    const done = () => this.#answered >= first;
    await until(done, () => `no answer to ${lines.join(", ")}`)
      .finally(() => clearInterval(again));
    return this.answer;
  }

  /** Prove its address to the hub on this port, and come in. */
  async joins(hub: number, name: string): Promise<this> {
    this.from = hub;
    const [cookie = ""] = await this.asks("/join 0");
    await this.asks(`${cookie} ${name} 0`);
    return this;
  }
}

/** One that has joined the hub on this port. */
export async function joinBy(t: Test, hub: number, name: string) {
  return await new Hand(await openSocket(t)).joins(hub, name);
}
