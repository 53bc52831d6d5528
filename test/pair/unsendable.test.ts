import assert from "node:assert/strict";
import { startClient, startServer } from "../support/pair.ts";
import { onEveryRuntime } from "../support/runtimes.ts";
import { openPeer } from "../support/udp.ts";

const LONG = "x".repeat(70_000) + "\n";
const LONGEST = "x".repeat(65_507);

onEveryRuntime("the server's line is too long", async (t, runtime) => {
  const server = await startServer(t, runtime);
  const peer = await openPeer(t);
  await peer.send("hello server", server.port);
  const shown = `来自[127.0.0.1:${peer.port}]的消息: hello server\n>>>`;
  await server.prints(shown);
  server.write(LONG);
  await server.complains(/^not sent: 70000 bytes, .* 65507$/m);
  await server.prints(`${shown}>>>`);
  server.write(`${LONGEST}\n`);
  await peer.receives(LONGEST);
  await server.complains(/65507/);
});

onEveryRuntime("the client's line is too long", async (t, runtime) => {
  const peer = await openPeer(t);
  const client = await startClient(t, runtime, peer.port);
  client.write(LONG);
  await client.complains(/^not sent: 70000 bytes, .* 65507$/m);
  await client.prints(">>>>>>");
  client.write(`${LONGEST}\n`);
  const port = await peer.receives(LONGEST);
  await peer.send("hello client", port);
  await client.prints(">>>>>>hello client\n>>>");
  await client.complains(/65507/);
});

const TOO_LONG: [string, number][] = [
  ["x".repeat(65_508), 65_508],
  ["汉".repeat(21_836), 65_508],
  ["x".repeat(10_000_000), 10_000_000],
];

onEveryRuntime("piped lines that are too long", async (t, runtime) => {
  const peer = await openPeer(t);
  const client = await startClient(t, runtime, peer.port);
  for (const [line, size] of TOO_LONG) {
    client.stdout = client.stderr = "";
    client.write(`${line}\nnext\n`);
    await peer.send("so", await peer.receives("next"));
    await client.complains(RegExp(`^not sent: ${size} bytes, `));
    await client.prints(">>>so\n>>>");
  }
});

// Without permission to broadcast, the kernel refuses this and sends nothing.
onEveryRuntime("no way to the server's address", async (t, runtime) => {
  const client = await startClient(t, runtime, 6000, "255.255.255.255");
  client.write("hello?\n");
  await client.complains(/^not sent: .*(EACCES|UNKNOWN)/);
  assert.doesNotMatch(client.stderr, /65507/); // size has nothing to do with it
  await client.prints(">>>>>>");
  client.end("hello??\n");
  assert.equal(await client.exits(), 0);
  await client.prints(">>>>>>>>>");
  assert.equal(client.stderr.trimEnd().split("\n").length, 2, client.stderr);
});
