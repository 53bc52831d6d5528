// The pair on terminals: the tutorial's conversation as the pages show it, what
// else stands on the screen, and how the terminal is left.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import process from "node:process";
import { describe } from "node:test";
import { all, on, other, runtimes } from "../support/on.ts";
import {
  bound,
  commandOf,
  emptyFolder,
  freePort,
  HERE,
} from "../support/program.ts";
import {
  CTRL_C,
  CTRL_D,
  CTRL_Z,
  ended,
  Terminal,
} from "../support/terminal.ts";
import { openPeer } from "../support/wire.ts";

/** A command as this line of a shell. */
const shell = (line: string, command: string[]) =>
  ["sh", "-c", line, "sh"]
    .concat(command);

on(all, "the transcript on two terminals", async (t, runtime) => {
  const port = await freePort();
  const command = commandOf(runtime, "server.ts", HERE, port);
  const server = await bound(new Terminal(t, command), port);
  const args = [HERE, port] as const;
  const client = new Terminal(
    t,
    commandOf(other(runtime), "client.ts", ...args),
  );
  await client.shows(">>>");
  client.type("hello server\r");
  await server.ends("\n>>>");
  const [from] = /^来自\[127\.0\.0\.1:\d+\]的消息: /.exec(server.text)!;
  const shown = [`${from}hello server`];
  await server.shows(...shown, ">>>");
  server.type("hello client\r");
  shown.push(">>>hello client");
  await server.shows(...shown, "");
  await client.shows(">>>hello server", "hello client", ">>>");

  client.type("bye\r");
  shown.push(`${from}bye`);
  await server.shows(...shown, ">>>");
  server.type(CTRL_Z + CTRL_C); // at its prompt
  await server.shows(...shown, ">>>", ended(130), "");
  const said = [">>>hello server", "hello client", ">>>bye", ""];
  await client.shows(...said);
  client.type(CTRL_Z + CTRL_D); // while it waits
  await client.shows(...said, ended(0), "");
});

describe("a reply that stays away", { concurrency: 9 }, () => {
  on(
    runtimes,
    "no reply, above what is typed meanwhile",
    async (t, runtime) => {
      const peer = await openPeer(t);
      const command = commandOf(runtime, "client.ts", HERE, peer.port);
      const client = new Terminal(t, command, { cols: 200, rows: 24 });
      await client.shows(">>>");
      client.type("one\r");
      await peer.receives("one");
      client.type("two\rha");
      await client.shows(">>>one", "two", "ha");
      await client.until(() => /no reply/.test(client.text));
      const notice = /^no reply .*$/m.exec(client.text)![0];
      await client.shows(">>>one", "two", notice, "ha");
      await peer.send("1");
      const shown = [">>>one", "two", notice, "1", ">>>two"];
      await client.shows(...shown, "ha");
      await peer.receives("two");
      await peer.send("2");
      await client.shows(...shown, "2", ">>>ha");
      client.type("lf\r");
      await peer.receives("half");
    },
  );
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
  const peer = await openPeer(t);
  const out = `${emptyFolder(t)}/out`;
  const command = commandOf(runtime, "client.ts", HERE, peer.port);
  const script = `echo ready; "$@" >${out}`;
  const client = new Terminal(t, shell(script, command));
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
  const peer = await openPeer(t);
  const command = commandOf(runtime, "client.ts", HERE, peer.port);
  const client = new Terminal(t, shell('echo hello server | "$@"', command));
  await peer.receives("hello server");
  await peer.send("hello client");
  await client.shows(">>>hello client", `>>>${ended(0)}`, "");
});

on(runtimes, "SIGTERM leaves the settings as before", async (t, runtime) => {
  const command = commandOf(runtime, "client.ts");
  const client = new Terminal(t, shell('echo $$; exec "$@"', command));
  await client.ends("\n>>>");
  const [pid = ""] = client.text.split("\n");
  process.kill(Number(pid));
  await client.shows(pid, ">>>", ended(143), "");
});
