import assert from "node:assert/strict";
import type { Buffer } from "node:buffer";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { startClient, startServer } from "../support/pair.ts";
import { NOT_LINUX } from "../support/kernel.ts";
import { on, onEveryRuntime, withOlderBuns } from "../support/runtimes.ts";
import { openPeer } from "../support/udp.ts";

onEveryRuntime("the client hears its server alone", async (t, runtime) => {
  if (NOT_LINUX) return t.skip("only on Linux is 127.0.0.2 there as well");
  const peer = await openPeer(t);
  const strangers = [
    await openPeer(t), // another port
    await openPeer(t, "127.0.0.2", peer.port), // another address
  ];
  const client = await startClient(t, runtime, peer.port);

  client.write("hello server\n");
  const port = await peer.receives("hello server");
  for (const one of strangers) await one.send("forged", port, "127.0.0.1");
  await peer.send("hello client", port);
  await client.prints(">>>hello client\n>>>");

  for (const one of strangers) await one.send("forged", port, "127.0.0.1");
  client.write("still you?\n");
  await peer.receives("still you?");
  await peer.send("yes", port);
  await client.prints(">>>hello client\n>>>yes\n>>>");
});

onEveryRuntime("two clients are answered in turn", async (t, runtime) => {
  const server = await startServer(t, runtime);
  const one = await startClient(t, runtime, server.port);
  const two = await startClient(t, runtime, server.port);

  one.write("one\n");
  await server.until(() => /^来自.*: one\n>>>$/.test(server.stdout));
  two.write("two\n");
  server.write("hello one\n");
  await one.prints(">>>hello one\n>>>");
  await server.until(() => /: one\n>>>来自.*: two\n>>>$/.test(server.stdout));
  one.write("one again\n");
  server.write("hello two\n");
  await two.prints(">>>hello two\n>>>");
  server.write("hello again\n");
  await one.prints(">>>hello one\n>>>hello again\n>>>");
});

// The kernel tells a socket that a datagram found nobody, and some runtimes
// then do not send the next one.
on(withOlderBuns, "a client that is no longer there", async (t, runtime) => {
  const server = await startServer(t, runtime);
  const gone = createSocket("udp4");
  const { port } = await new Promise<AddressInfo>((resolve) =>
    gone.send("one", server.port, "127.0.0.1", () => resolve(gone.address()))
  );
  await server.prints(`来自[127.0.0.1:${port}]的消息: one\n>>>`);
  const next = await openPeer(t);
  await next.send("two", server.port);
  gone.close();
  server.write("to nobody\nto the next\n");
  await next.receives("to the next");
  assert.equal(server.stderr, "");
});

on(withOlderBuns, "a server that is no longer there", async (t, runtime) => {
  const server = createSocket("udp4").bind(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  const client = await startClient(t, runtime, port);
  client.write("one\n");
  const [, from] = await once(server, "message") as [Buffer, AddressInfo];
  const reply = (text: string) =>
    new Promise((resolve) => server.send(text, from.port, resolve));
  await reply("1");
  await client.prints(">>>1\n>>>");
  for (const text of ["2", "3", "4"]) await reply(text);
  await new Promise<void>((resolve) => server.close(resolve));
  client.write("to nobody\nto nobody\nto nobody\n");
  const shown = ">>>1\n>>>2\n>>>3\n>>>4\n>>>";
  await client.prints(shown);
  const next = await openPeer(t, "127.0.0.1", port);
  client.write("to the next\n");
  await next.receives("to the next");
  await next.send("5", from.port);
  await client.prints(`${shown}5\n>>>`);
  assert.equal(client.stderr, "");
});
