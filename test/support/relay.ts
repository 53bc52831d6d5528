// A network that loses nothing, keeps a copy of everything, and can send the
// copies again, each from and to the addresses it had.

import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

export interface Copy {
  way: "says" | "hears"; // the client
  client: number; // its port
  bytes: Uint8Array;
}

export class Relay {
  copies: Copy[] = [];
  readonly #front = createSocket("udp4");
  readonly #behind = new Map<number, Socket>(); // by the client's port
  readonly #to: number;

  constructor(to: number) {
    this.#to = to;
    this.#front.on("message", (bytes, { port }) => {
      this.#carry({ way: "says", client: port, bytes: Uint8Array.from(bytes) });
    });
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
    for (const socket of this.#behind.values()) socket.close();
  }

  #carry(copy: Copy) {
    this.copies.push(copy);
    this.send(copy);
  }

  /** Send it, or send it again. */
  send({ way, client, bytes }: Copy) {
    if (way === "hears") return this.#front.send(bytes, client, "127.0.0.1");
    let socket = this.#behind.get(client);
    if (!socket) {
      socket = createSocket("udp4", (bytes) => {
        this.#carry({ way: "hears", client, bytes: Uint8Array.from(bytes) });
      });
      this.#behind.set(client, socket);
    }
    socket.send(bytes, this.#to, "127.0.0.1");
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

export async function openRelay(t: TestContext, to: number): Promise<Relay> {
  const relay = new Relay(to);
  await relay.listen();
  t.after(() => relay.close());
  return relay;
}
