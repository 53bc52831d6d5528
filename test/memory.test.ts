import assert from "node:assert/strict";
import { join } from "node:path";
import { idle, memory, NOT_LINUX } from "./kernel.ts";
import { listening } from "./pair.ts";
import { Program, PROJECT } from "./processes.ts";
import { onEveryRuntime } from "./runtimes.ts";
import { openPeer } from "./udp.ts";

const TWO_MILLION = ["sh", "-c", 'seq 2000000 | "$@"', "sh"];

onEveryRuntime("two million piped lines wait outside", async (t, runtime) => {
  if (NOT_LINUX) return t.skip(NOT_LINUX);
  const peer = await openPeer(t);

  const server = await listening(
    new Program(t, [
      ...TWO_MILLION,
      ...runtime.command,
      join(PROJECT, "server.ts"),
      "127.0.0.1",
      "0",
    ]),
  );
  await peer.send("hello server", server.port);
  await peer.receives("1");
  await idle(server.pid);
  const { largest } = memory(server.pid);
  t.diagnostic(`the server takes ${largest.toFixed()} MB`);
  assert(largest < 150, `the server takes ${largest} MB`);

  const client = new Program(t, [
    ...TWO_MILLION,
    ...runtime.command,
    join(PROJECT, "client.ts"),
    "127.0.0.1",
    String(peer.port),
  ]);
  const port = await peer.receives("1");
  await peer.send("hello client", port);
  await peer.receives("2");
  await idle(client.pid);
  const size = memory(client.pid).largest;
  t.diagnostic(`the client takes ${size.toFixed()} MB`);
  assert(size < 150, `the client takes ${size} MB`);
});
