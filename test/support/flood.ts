// More datagrams than anyone can read, from the peer that the program knows.

import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { socketOf } from "./kernel.ts";
import type { Peer } from "./udp.ts";

const COUNT = 100_000;
const BURST = 32; // of 1,000 bytes take less than half of the kernel's buffer

/** Send them at the pace at which the program takes them out of its socket. */
export async function flood(peer: Peer, port: number) {
  const bytes = new Uint8Array(1000).fill("x".charCodeAt(0));
  const before = socketOf(port).lost;
  for (let sent = 0; sent < COUNT; sent += BURST) {
    while (socketOf(port).waiting > 60_000) await turn();
    const burst = Array.from({ length: BURST }, () => peer.send(bytes, port));
    await Promise.all(burst);
  }
  while (socketOf(port).waiting > 0) await turn();
  assert.equal(socketOf(port).lost, before, "lost on the way");
}
