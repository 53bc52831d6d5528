import assert from "node:assert/strict";
import { startClient } from "../support/pair.ts";
import { onEveryRuntime } from "../support/runtimes.ts";
import { openPeer } from "../support/udp.ts";

const LONGEST = "x".repeat(65_507);

const TOO_LONG: [string, number][] = [
  ["x".repeat(65_508), 65_508],
  ["汉".repeat(21_836), 65_508],
  ["x".repeat(70_000), 70_000],
  ["x".repeat(10_000_000), 10_000_000],
];

onEveryRuntime("piped lines that are too long", async (t, runtime) => {
  const peer = await openPeer(t);
  const client = await startClient(t, runtime, peer.port);
  for (const [line, size] of TOO_LONG) {
    client.stdout = client.stderr = "";
    client.write(`${line}\n${LONGEST}\n`);
    await peer.send("so", await peer.receives(LONGEST));
    await client.prints(">>>so\n>>>");
    await client.complains(RegExp(`^not sent: ${size} bytes, .* 65507$`, "m"));
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
