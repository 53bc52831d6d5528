// What takes a network of one's own to see: the default port, peers that cannot
// be answered, senders that lie.

import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { bound } from "../support/kernel.ts";
import {
  behindLink,
  Forger,
  NO_NAMESPACES,
  openNamespace,
} from "../support/namespace.ts";
import { start, startClient, startServer } from "../support/pair.ts";
import { onEveryRuntime } from "../support/runtimes.ts";
import { greet } from "../support/transcript.ts";

onEveryRuntime("127.0.0.1 6000 by default", async (t, runtime) => {
  if (NO_NAMESPACES) return t.skip(NO_NAMESPACES);
  const there = (await openNamespace(t)).of(runtime);
  const server = start(t, there, "server.ts");
  await bound("6000", server.pid);
  const second = start(t, there, "server.ts");
  assert.equal(await second.exits(), 1);
  await second.complains(/^cannot use 127\.0\.0\.1:6000: .* taken/);
  await greet(server, start(t, there, "client.ts"));
});

onEveryRuntime("a peer that cannot be answered", async (t, runtime) => {
  if (NO_NAMESPACES) return t.skip(NO_NAMESPACES);
  const namespace = await openNamespace(t);
  const there = namespace.of(runtime);
  const server = await startServer(t, there);
  const { port } = server;
  const forger = new Forger(namespace);
  await forger.send(0, port, ["from port 0"]); // is not shown
  for (const address of ["203.0.113.1", "255.255.255.255"]) {
    server.stdout = server.stderr = "";
    await forger.send(5000, port, ["answer me"], address);
    await server.prints(`来自[${address}:5000]的消息: answer me\n>>>`);
    server.write("an answer\n");
    await server.complains(/^not sent: .*(ENETUNREACH|EACCES|UNKNOWN)/);
    assert.doesNotMatch(server.stderr, /65507/);
  }
  server.stdout = "";
  await greet(server, await startClient(t, there, port));
});

// Bun tells of it when the next datagram is sent, and does not send that one.
onEveryRuntime("a peer that is gone", async (t, runtime) => {
  if (NO_NAMESPACES) return t.skip(NO_NAMESPACES);
  const namespace = await openNamespace(t);
  const router = await behindLink(t, namespace);
  const gone = "203.0.113.1";
  for (
    const [where, command] of [
      [namespace, `ip route add ${gone} via 10.0.0.2`],
      [router, "sysctl -qw net.ipv4.ip_forward=1"],
      [router, `ip route add unreachable ${gone}`],
    ] as const
  ) {
    assert.equal(await where.run(...command.split(" ")).exits(), 0, command);
  }
  const server = await startServer(t, namespace.of(runtime), "0.0.0.0");
  await new Forger(namespace).send(5000, server.port, ["hello"], gone);
  await server.prints(`来自[${gone}:5000]的消息: hello\n>>>`);
  const client = await startClient(t, namespace.of(runtime), server.port);
  client.write("hello\n");
  while (namespace.arrived < 2) await turn();
  server.write("to who is gone\nto who is here\n");
  await client.prints(">>>to who is here\n>>>");
});

onEveryRuntime("no port for the client", async (t, runtime) => {
  if (NO_NAMESPACES) return t.skip(NO_NAMESPACES);
  const namespace = await openNamespace(t);
  const there = namespace.of(runtime);
  const only = "echo 5001 5001 >/proc/sys/net/ipv4/ip_local_port_range";
  assert.equal(await namespace.run("sh", "-c", only).exits(), 0);
  const server = start(t, there, "server.ts", "0.0.0.0", 5001);
  await bound("5001", server.pid);
  const client = start(t, there, "client.ts", "127.0.0.1", 6000);
  client.end("hello");
  assert.equal(await client.exits(), 1);
  await client.complains(/^cannot chat with 127\.0\.0\.1:6000.* EADDRINUSE/);
  assert.equal(client.stdout, "");
});
