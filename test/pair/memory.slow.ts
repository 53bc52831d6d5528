import assert from "node:assert/strict";
import { idle, memory, NOT_LINUX } from "../support/kernel.ts";
import { listening, startPiped } from "../support/pair.ts";
import { onEveryRuntime } from "../support/runtimes.ts";
import { openPeer } from "../support/udp.ts";

onEveryRuntime("two million piped lines wait outside", async (t, runtime) => {
  if (NOT_LINUX) return t.skip(NOT_LINUX);
  const peer = await openPeer(t);

  const server = await listening(
    startPiped(t, runtime, "server.ts", "127.0.0.1", 0),
  );
  await peer.send("hello server", server.port);
  await peer.receives("1");
  await idle(server.pid);
  const { largest } = memory(server.pid);
  t.diagnostic(`the server takes ${largest.toFixed()} MB`);
  assert(largest < 150, `the server takes ${largest} MB`);

  const args = ["127.0.0.1", peer.port] as const;
  const client = startPiped(t, runtime, "client.ts", ...args);
  const port = await peer.receives("1");
  await peer.send("hello client", port);
  await peer.receives("2");
  await idle(client.pid);
  const size = memory(client.pid).largest;
  t.diagnostic(`the client takes ${size.toFixed()} MB`);
  assert(size < 150, `the client takes ${size} MB`);
});
