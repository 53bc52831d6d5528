import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { idle, NOT_LINUX, socketOf } from "../support/kernel.ts";
import { startClient, startServer } from "../support/pair.ts";
import { onEveryRuntime } from "../support/runtimes.ts";
import { openPeer, type Peer } from "../support/udp.ts";

const KEPT = Array.from({ length: 256 }, (_, i) => i);

/** Send 300 numbered datagrams, so slowly that the kernel loses none. */
async function crowd(peer: Peer, port: number) {
  for (let i = 0; i < 300; i++) {
    if (i % 30 === 0) { while (socketOf(port).waiting > 0) await turn(); }
    await peer.send(`${i}`, port);
  }
  while (socketOf(port).waiting > 0) await turn();
  assert.equal(socketOf(port).lost, 0, "lost on the way");
}

onEveryRuntime("256 datagrams wait for the server", async (t, runtime) => {
  if (NOT_LINUX) return t.skip(NOT_LINUX);
  const server = await startServer(t, runtime);
  const peer = await openPeer(t);
  const says = `来自[127.0.0.1:${peer.port}]的消息: `;
  await peer.send("hello server", server.port);
  let shown = `${says}hello server\n>>>`;
  await server.prints(shown);
  await crowd(peer, server.port);
  await idle(server.pid);

  for (const line of ["hello client", ...KEPT]) {
    server.write(`${line}\n`);
    await peer.receives(`${line}`);
  }
  shown += KEPT.map((i) => `${says}${i}\n>>>`).join("");
  await server.prints(shown);
  await peer.send("bye", server.port);
  server.write("bye\n");
  await peer.receives("bye");
  await server.prints(`${shown}${says}bye\n>>>`);
});

onEveryRuntime("256 datagrams wait for the client", async (t, runtime) => {
  if (NOT_LINUX) return t.skip(NOT_LINUX);
  const peer = await openPeer(t);
  const client = await startClient(t, runtime, peer.port);
  client.write("hello server\n");
  const port = await peer.receives("hello server");
  await peer.send("hello client", port);
  await client.prints(">>>hello client\n>>>");
  await crowd(peer, port);
  await idle(client.pid);

  for (const line of [...KEPT, "bye"]) {
    client.write(`${line}\n`);
    await peer.receives(`${line}`);
  }
  await peer.send("bye", port);
  const shown = ["hello client", ...KEPT, "bye"].map((text) => `${text}\n>>>`);
  await client.prints(`>>>${shown.join("")}`);
});
