import assert from "node:assert/strict";
import { flood } from "../support/flood.ts";
import { idle, memory, NOT_LINUX } from "../support/kernel.ts";
import { startClient, startServer } from "../support/pair.ts";
import { ofEachKind, on, type Runtime } from "../support/runtimes.ts";
import { openPeer } from "../support/udp.ts";

/** In MB. Deno keeps 64 KiB for each datagram until its collector comes. */
const most = ({ name }: Runtime) => name === "Deno" ? 150 : 60;

on(ofEachKind, "a flood at the server's prompt", async (t, runtime) => {
  if (NOT_LINUX) return t.skip(NOT_LINUX);
  const server = await startServer(t, runtime);
  const peer = await openPeer(t);
  await peer.send("hello server", server.port);
  await server.until(() => server.stdout.endsWith(">>>"));
  await idle(server.pid);

  const before = memory(server.pid).all;
  await flood(peer, server.port);
  await idle(server.pid);
  const cost = memory(server.pid).all - before;
  t.diagnostic(`the flood costs ${cost.toFixed()} MB`);
  assert(cost < most(runtime), `the flood costs ${cost} MB`);
});

on(ofEachKind, "a flood at the client's prompt", async (t, runtime) => {
  if (NOT_LINUX) return t.skip(NOT_LINUX);
  const peer = await openPeer(t);
  const client = await startClient(t, runtime, peer.port);
  client.write("hello server\n");
  const port = await peer.receives("hello server");
  await peer.send("hello client", port);
  await client.prints(">>>hello client\n>>>");
  await idle(client.pid);

  const before = memory(client.pid).all;
  await flood(peer, port);
  await idle(client.pid);
  const cost = memory(client.pid).all - before;
  t.diagnostic(`the flood costs ${cost.toFixed()} MB`);
  assert(cost < most(runtime), `the flood costs ${cost} MB`);
});
