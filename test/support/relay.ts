// A network that loses nothing, keeps a copy of everything, and can send the
// copies again, each from and to the addresses it had.

import { Buffer } from "node:buffer";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

/** What must come once on a network that loses nothing. */
const ONCE = /^(\/say|\/welcome|\d+) /;

/** A client's address, as the server sees it. */
interface Outside {
  socket: Socket;
  client: number; // its port
}

export interface Copy {
  way: "says" | "hears"; // the client
  outside: Outside;
  bytes: Buffer;
}

export class Relay {
  copies: Copy[] = [];
  readonly #front = createSocket("udp4");
  readonly #outsides = new Map<number, Outside>(); // by the client's port
  readonly #sockets: Socket[] = [];
  readonly #to: number;

  constructor(to: number) {
    this.#to = to;
    this.#front.on("message", (bytes, { port }) => {
      const outside = this.#outsides.get(port) ?? this.#open(port);
      this.#carry({ way: "says", outside, bytes: Buffer.from(bytes) });
    });
  }

  #open(client: number): Outside {
    const socket = createSocket("udp4");
    const outside = { socket, client };
    this.#sockets.push(socket);
    this.#outsides.set(client, outside);
    socket.on("message", (bytes) => {
      if (this.#outsides.get(client) !== outside) return; // a former address
      this.#carry({ way: "hears", outside, bytes: Buffer.from(bytes) });
    });
    return outside;
  }

  async listen(): Promise<void> {
    this.#front.bind(0, "127.0.0.1");
    await once(this.#front, "listening");
  }

  get port(): number {
    return this.#front.address().port;
  }

  close() {
    this.#front.close();
    for (const socket of this.#sockets) socket.close();
  }

  /** New addresses for the clients; what comes to the former ones is lost. */
  move() {
    this.#outsides.clear();
  }

  #carry(copy: Copy) {
    this.copies.push(copy);
    this.send(copy);
  }

  /** Send it, or send it again. */
  send({ way, outside: { socket, client }, bytes }: Copy) {
    if (way === "hears") this.#front.send(bytes, client, "127.0.0.1");
    else socket.send(bytes, this.#to, "127.0.0.1");
  }

  /** Send these again, a few at a time, so that none is too much at once. */
  async replay(copies: Copy[]): Promise<void> {
    for (const [i, copy] of copies.entries()) {
      this.send(copy);
      if (i % 20 === 19) await pause(1);
    }
    await pause(100); // for what they bring about
  }
}

/** The lines that were sent more than once, on the same way. */
export function twice(copies: Copy[]): string[] {
  const seen = new Set<string>();
  return copies.flatMap(({ way, outside, bytes }) =>
    bytes.toString().split("\n").filter((line) => ONCE.test(line))
      .map((line) => `${outside.client} ${way} ${line}`)
  ).filter((line) => seen.size === seen.add(line).size);
}

export async function openRelay(t: TestContext, to: number): Promise<Relay> {
  const relay = new Relay(to);
  await relay.listen();
  t.after(() => relay.close());
  return relay;
}
