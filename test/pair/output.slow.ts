import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { TestContext } from "node:test";
import { idle, NOT_LINUX } from "../support/kernel.ts";
import { Program } from "../support/processes.ts";
import { commandOf } from "../support/pair.ts";
import { onEveryRuntime } from "../support/runtimes.ts";
import { openPeer } from "../support/udp.ts";

/** Run a program until its stdout has printed this text and is then closed. */
function head(t: TestContext, text: string, command: string[]): Program {
  // "gone" tells that nobody reads any more, "exit" how the program took it.
  const script = `{ "$@"; echo "exit $?" >&2; } |
    { head -c ${Buffer.byteLength(text)}; exec <&-; echo gone >&2; }`;
  return new Program(t, ["sh", "-c", script, "sh", ...command]);
}

onEveryRuntime("a client whose stdout goes away", async (t, runtime) => {
  const peer = await openPeer(t);
  const command = commandOf(runtime, "client.ts", "127.0.0.1", peer.port);
  const client = head(t, ">>>hello client\n>>>", command);
  client.write("hello server\n");
  const port = await peer.receives("hello server");
  await peer.send("hello client", port);
  await client.until(() => client.stderr === "gone\n");
  client.write("anyone?\n");
  await peer.receives("anyone?");
  await peer.send("yes", port);
  await client.exits();
  assert.equal(client.stderr, "gone\nexit 0\n");
  assert.equal(client.stdout, ">>>hello client\n>>>");
});

const CONTROL = "\x1b".repeat(65_507);
const SHOWN = "\\u{1b}".repeat(65_507);

onEveryRuntime("a slow reader of a client's stdout", async (t, runtime) => {
  if (NOT_LINUX) return t.skip(NOT_LINUX);
  const peer = await openPeer(t);
  const command = commandOf(runtime, "client.ts", "127.0.0.1", peer.port);
  const client = new Program(t, command, { unread: true });
  client.end("hello server\n");
  const port = await peer.receives("hello server");
  await peer.send(CONTROL, port);
  await idle(client.pid); // it has printed all that the pipe takes
  client.read();
  assert.equal(await client.exits(), 0);
  assert.equal(client.stdout.length, `>>>${SHOWN}\n>>>`.length);
  await client.prints(`>>>${SHOWN}\n>>>`);
  assert.equal(client.stderr, "");
});
