import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { commandOf, pythonCommand } from "../support/pair.ts";
import { emptyFolder } from "../support/processes.ts";
import {
  on,
  onEveryRuntime,
  type Runtime,
  withOlderBuns,
} from "../support/runtimes.ts";
import { CTRL_C, CTRL_D, Terminal } from "../support/terminal.ts";
import { openPeer } from "../support/udp.ts";

interface Conversation {
  server: Terminal;
  client: Terminal;
  port: string;
  from: string;
}

function script(runtime: Runtime, name: string) {
  return commandOf(runtime, name, "127.0.0.1");
}

/** The transcript of the README, in two terminals. */
async function converse(
  t: TestContext,
  serverCommand: string[],
  clientCommand: string[],
): Promise<Conversation> {
  const server = new Terminal(t, serverCommand);
  await server.until(() => /listening on port \d+\n$/.test(server.screen));
  const port = /\d+/.exec(server.screen)![0];
  const client = new Terminal(t, [...clientCommand, port]);
  await client.shows(">>>");

  client.type("hello server\r");
  await server.until(() => server.screen.endsWith("\n>>>"));
  const from = /来自\[127\.0\.0\.1:\d+\]的消息: /.exec(server.screen)![0];
  await server.shows(
    `listening on port ${port}`,
    `${from}hello server`,
    ">>>",
  );
  server.type("hello client\r");
  await client.shows(
    ">>>hello server",
    "hello client",
    ">>>",
  );
  await server.shows(
    `listening on port ${port}`,
    `${from}hello server`,
    ">>>hello client",
    "",
  );
  return { server, client, port, from };
}

function converseOn(t: TestContext, runtime: Runtime): Promise<Conversation> {
  return converse(
    t,
    [...script(runtime, "server.ts"), "0"],
    script(runtime, "client.ts"),
  );
}

test("the transcript on a terminal: Python", async (t) => {
  await converse(t, pythonCommand("server", 0), pythonCommand("client"));
});

const ENDED = "exit 0, settings as before"; // by Ctrl+D
const BROKEN_OFF = "exit 130, settings as before"; // by Ctrl+C

on(
  withOlderBuns,
  "the transcript on a terminal, then the client ends it",
  async (t, runtime) => {
    const { server, client, port, from } = await converseOn(t, runtime);
    client.type(CTRL_D); // at its prompt
    await client.shows(
      ">>>hello server",
      "hello client",
      ">>>",
      ENDED,
      "",
    );
    server.type(CTRL_C); // while it waits
    await server.shows(
      `listening on port ${port}`,
      `${from}hello server`,
      ">>>hello client",
      "",
      BROKEN_OFF,
      "",
    );
  },
);

on(
  withOlderBuns,
  "the transcript on a terminal, then the server ends it",
  async (t, runtime) => {
    const { server, client, port, from } = await converseOn(t, runtime);
    client.type("bye\r");
    const shown = [
      `listening on port ${port}`,
      `${from}hello server`,
      ">>>hello client",
      `${from}bye`,
    ];
    await server.shows(...shown, ">>>");
    server.type(CTRL_C); // at its prompt
    await server.shows(...shown, ">>>", BROKEN_OFF, "");
    client.type(CTRL_D); // while it waits
    await client.shows(
      ">>>hello server",
      "hello client",
      ">>>bye",
      "",
      ENDED,
      "",
    );
  },
);

onEveryRuntime("what cannot be sent, lines typed ahead", async (t, runtime) => {
  const command = commandOf(runtime, "client.ts", "255.255.255.255");
  const client = new Terminal(t, command);
  await client.shows(">>>");
  client.type("one\rtwo\rha");
  await client.until(() => client.screen.endsWith("\n>>>ha"));
  const why = /^not sent: .*(EACCES|UNKNOWN).*$/m.exec(client.screen)?.[0] ??
    "";
  await client.shows(">>>one", why, ">>>two", why, ">>>ha");
});

// With a terminal at one end alone, the terminal itself echoes and edits.
onEveryRuntime("only the input a terminal", async (t, runtime) => {
  const peer = await openPeer(t);
  const folder = emptyFolder(t);
  const command = commandOf(runtime, "client.ts", "127.0.0.1", peer.port);
  const script = `echo ready; "$@" >${folder}/out`;
  const client = new Terminal(t, ["sh", "-c", script, "sh", ...command]);
  await client.shows("ready", "");
  client.type("helo\x7flo server\r");
  const port = await peer.receives("hello server");
  await peer.send("hello client", port);
  client.type("two\r");
  await peer.receives("two");
  client.type(CTRL_D);
  await client.shows("ready", "hello server", "two", ENDED, "");
  assert.equal(readFileSync(`${folder}/out`, "utf8"), ">>>hello client\n>>>");
});

onEveryRuntime("only the output a terminal", async (t, runtime) => {
  const peer = await openPeer(t);
  const command = commandOf(runtime, "client.ts", "127.0.0.1", peer.port);
  const script = 'printf "hello server\\ntwo\\n" | "$@"';
  const client = new Terminal(t, ["sh", "-c", script, "sh", ...command]);
  const port = await peer.receives("hello server");
  await peer.send("hello client", port);
  await peer.receives("two");
  await peer.send("2", port);
  await client.until(() => client.screen.endsWith(`${ENDED}\n`));
  assert.match(
    client.screen,
    RegExp(`^>>>hello client\n>>>2\n>>>\n?${ENDED}\n$`),
  );
});

onEveryRuntime("SIGTERM leaves the settings as before", async (t, runtime) => {
  const command = commandOf(runtime, "client.ts", "127.0.0.1");
  const script = 'echo $$; exec "$@"';
  const client = new Terminal(t, ["sh", "-c", script, "sh", ...command]);
  await client.until(() => client.screen.endsWith("\n>>>"));
  const [pid = ""] = client.screen.split("\n");
  process.kill(Number(pid));
  await client.shows(pid, ">>>", "exit 143, settings as before", "");
});

onEveryRuntime("a terminal that does not say its size", async (t, runtime) => {
  const peer = await openPeer(t);
  const sizeless = ["sh", "-c", 'stty cols 0 rows 0; exec "$@"', "sh"];
  const command = [...sizeless, ...script(runtime, "client.ts")];
  const client = new Terminal(t, [...command, `${peer.port}`]);
  await client.shows(">>>");
  client.type("hello\rhalf");
  await client.shows(">>>hello", "half");
  await peer.send("reply", await peer.receives("hello"));
  await client.shows(">>>hello", "reply", ">>>half");
});
