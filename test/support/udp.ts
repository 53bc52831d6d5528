// The other end of the wire: a socket of the test's own.

import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { networkInterfaces } from "node:os";
import type { TestContext } from "node:test";

const addresses = Object.values(networkInterfaces()).flat();
/** Why a test of it is skipped, or "". */
export const NO_IPV6 = addresses.some((one) => one?.address === "::1")
  ? ""
  : "this machine has no IPv6";

const DEADLINE = 30_000; // ms

export interface Datagram {
  bytes: Uint8Array;
  text: string;
  port: number;
}

export class Peer {
  readonly #socket: Socket;
  readonly #received: Datagram[] = [];
  #wake = () => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("message", (bytes, { port }) => {
      this.#received.push({ bytes, text: bytes.toString(), port });
      this.#wake();
    });
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** The datagrams come one by one, in order, none is lost. */
  async receive(): Promise<Datagram> {
    if (this.#received.length === 0) {
      await new Promise<void>((resolve, reject) => {
        const error = new Error("no datagram came");
        const timer = setTimeout(reject, DEADLINE, error);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = () => {};
    }
    return this.#received.shift()!;
  }

  /** Wait for a datagram of exactly this text; returns its sender's port. */
  async receives(text: string): Promise<number> {
    const datagram = await this.receive();
    assert.equal(datagram.text, text);
    return datagram.port;
  }

  send(
    data: string | Uint8Array,
    port: number,
    address = this.#socket.address().address,
  ) {
    return new Promise<void>((resolve, reject) =>
      this.#socket.send(
        data,
        port,
        address,
        (error) => error ? reject(error) : resolve(),
      )
    );
  }
}

export async function openPeer(
  t: TestContext,
  address = "127.0.0.1",
  port = 0,
): Promise<Peer> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  socket.bind(port, address);
  await once(socket, "listening");
  t.after(() => socket.close());
  return new Peer(socket);
}
