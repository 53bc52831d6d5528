// What takes a network of one's own to see: the default port, peers that cannot
// be answered, senders that lie.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { bound } from "../support/kernel.ts";
import { Network, NO_NETWORK, openNetwork } from "../support/network.ts";
import { commandOf, listening, type Server } from "../support/pair.ts";
import { onEveryRuntime, type Runtime } from "../support/runtimes.ts";

const says = (address: string, text: string) =>
  `来自[${address}]的消息: ${text}`;

async function startServer(
  network: Network,
  runtime: Runtime,
): Promise<Server> {
  const command = commandOf(runtime, "server.ts", "127.0.0.1", 0);
  return await listening(network.start(command));
}

function onItsNetwork(
  title: string,
  body: (t: TestContext, runtime: Runtime, network: Network) => Promise<void>,
) {
  onEveryRuntime(title, async (t, runtime) => {
    if (NO_NETWORK) return t.skip(NO_NETWORK);
    await body(t, runtime, await openNetwork(t));
  });
}

onItsNetwork("127.0.0.1 6000 by default", async (_t, runtime, network) => {
  const command = commandOf(runtime, "server.ts");
  const server = network.start(command);
  await bound("6000", server.pid);
  const second = network.start(command);
  assert.equal(await second.exits(), 1);
  await second.complains(/^cannot use 127\.0\.0\.1:6000: .* taken/);

  const client = network.start(commandOf(runtime, "client.ts"));
  client.write("hello server\n");
  await server.until(() => server.stdout.endsWith("hello server\n>>>"));
  server.write("hello client\n");
  await client.prints(">>>hello client\n>>>");
});

onItsNetwork("a peer that cannot be answered", async (_t, runtime, network) => {
  const server = await startServer(network, runtime);
  const { port } = server;
  const shown: string[] = [];
  for (const address of ["203.0.113.1:5000", "255.255.255.255:5000"]) {
    server.stderr = "";
    const [host = "", from] = address.split(":");
    await network.forge(host, Number(from), port, "answer me");
    shown.push(says(address, "answer me"));
    await server.prints(`${shown.join("\n>>>")}\n>>>`);
    server.write("an answer\n");
    await server.complains(/^not sent: .*(ENETUNREACH|EACCES|UNKNOWN)/);
    assert.doesNotMatch(server.stderr, /65507/);
  }
  const client = network.start(
    commandOf(runtime, "client.ts", "127.0.0.1", port),
  );
  client.write("hello server\n");
  await server.until(() => server.stdout.endsWith("hello server\n>>>"));
  server.write("hello client\n");
  await client.prints(">>>hello client\n>>>");
});

onItsNetwork("port 0 cannot be answered", async (_t, runtime, network) => {
  const server = await startServer(network, runtime);
  await network.forge("127.0.0.1", 0, server.port, "from port 0");
  await network.forge("127.0.0.1", 5000, server.port, "from port 5000");
  await server.prints(`${says("127.0.0.1:5000", "from port 5000")}\n>>>`);
  assert.equal(server.stderr, "");
});
