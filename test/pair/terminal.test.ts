// The pair on terminals: the tutorial's conversation as the pages show it, what
// else stands on the screen, and how the terminal is left.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import process from "node:process";
import { describe } from "node:test";
import { all, on, other, type Runtime, runtimes } from "../support/on.ts";
import {
  bound,
  commandOf,
  emptyFolder,
  freePort,
  inShell,
  ours,
  type Test,
} from "../support/program.ts";
import {
  CTRL_C,
  CTRL_D,
  CTRL_Z,
  ended,
  Terminal,
} from "../support/terminal.ts";
import { openPeer } from "../support/wire.ts";

on(all, "the transcript on two terminals", async (t, runtime) => {
  const port = await freePort();
  const command = ours(runtime)("server", port);
  const server = await bound(new Terminal(t, command), port);
  const client = new Terminal(t, ours(other(runtime))("client", port));
  await client.shows(">>>");
  client.type("hello server\r");
  await server.ends("\n>>>");
  const [from] = /^来自\[127\.0\.0\.1:\d+\]的消息: /.exec(server.text)!;
  server.type("hello client\r");
  const shown = [`${from}hello server`, ">>>hello client"];
  await server.shows(...shown, "");
  await client.shows(">>>hello server", "hello client", ">>>");
  server.type(CTRL_Z + CTRL_C); // while it waits
  await server.shows(...shown, "", ended(130), "");
  client.type(CTRL_Z + CTRL_D); // at its prompt
  await client.shows(">>>hello server", "hello client", ">>>", ended(0), "");
});

/** A client on a terminal, in this line of a shell, and its server. */
async function openClient(t: Test, runtime: Runtime, line = 'exec "$@"') {
  const peer = await openPeer(t);
  const command = inShell(line, ours(runtime)("client", peer.port));
  return { peer, client: new Terminal(t, command) };
}

describe("a reply that stays away", { concurrency: 9 }, () => {
  on(runtimes, "is told above what is typed", async (t, runtime) => {
    const { peer, client } = await openClient(t, runtime);
    await client.shows(">>>");
    client.type("one\r");
    await peer.receives("one");
    client.type("two\rha");
    await client.shows(">>>one", "two", "ha");
    const notice = `no reply from 127.0.0.1:${peer.port} yet`;
    await client.shows(">>>one", "two", notice, "ha");
    await peer.send("1");
    const shown = [">>>one", "two", notice, "1", ">>>two"];
    await client.shows(...shown, "ha");
    await peer.receives("two");
    await peer.send("2");
    await client.shows(...shown, "2", ">>>ha");
    client.type("lf\r");
    await peer.receives("half");
  });
});

on(runtimes, "what cannot be sent, lines typed ahead", async (t, runtime) => {
  const command = commandOf(runtime, "client.ts", "255.255.255.255");
  const client = new Terminal(t, command);
  await client.shows(">>>");
  client.type("one\rtwo\rha");
  await client.ends("\n>>>ha");
  const why = /^not sent: .*$/m.exec(client.text)?.[0] ?? "";
  await client.shows(">>>one", "two", why, ">>>two", why, ">>>ha");
});

// Where the output is no terminal, the kernel echoes and edits.
on(runtimes, "only the input a terminal", async (t, runtime) => {
  const out = `${emptyFolder(t)}/out`;
  const line = `echo ready; "$@" >${out}`;
  const { peer, client } = await openClient(t, runtime, line);
  await client.shows("ready", "");
  client.type("helo\x7flo server\r");
  await peer.receives("hello server");
  await peer.send("hello client");
  client.type("two\r");
  await peer.receives("two");
  client.type(CTRL_D);
  await client.shows("ready", "hello server", "two", ended(0), "");
  assert.equal(readFileSync(out, "utf8"), ">>>hello client\n>>>");
});

on(runtimes, "only the output a terminal", async (t, runtime) => {
  const line = 'echo hello server | "$@"';
  const { peer, client } = await openClient(t, runtime, line);
  await peer.receives("hello server");
  await peer.send("hello client");
  await client.shows(">>>hello client", `>>>${ended(0)}`, "");
});

on(runtimes, "SIGTERM leaves the settings as before", async (t, runtime) => {
  const { client } = await openClient(t, runtime, 'echo $$; exec "$@"');
  await client.ends("\n>>>");
  const [pid = ""] = client.text.split("\n");
  process.kill(Number(pid));
  await client.shows(pid, ">>>", ended(143), "");
});
