import { test, type TestContext } from "node:test";
import { commandOf, pythonCommand } from "../support/pair.ts";
import { on, type Runtime, withOlderBuns } from "../support/runtimes.ts";
import { CTRL_C, CTRL_D, Terminal } from "../support/terminal.ts";

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

for (
  const [key, keys, code] of [
    ["Ctrl+D", CTRL_D, 0],
    ["Ctrl+C", CTRL_C, 130],
  ] as const
) {
  const end = `exit ${code}, settings as before`;

  on(
    withOlderBuns,
    `the transcript on a terminal, then ${key}, client first`,
    async (t, runtime) => {
      const { server, client, port, from } = await converseOn(t, runtime);
      client.type(keys); // at its prompt
      await client.shows(
        ">>>hello server",
        "hello client",
        ">>>",
        end,
        "",
      );
      server.type(keys); // while it waits
      await server.shows(
        `listening on port ${port}`,
        `${from}hello server`,
        ">>>hello client",
        "",
        end,
        "",
      );
    },
  );

  on(
    withOlderBuns,
    `the transcript on a terminal, then ${key}, server first`,
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
      server.type(keys); // at its prompt
      await server.shows(...shown, ">>>", end, "");
      client.type(keys); // while it waits
      await client.shows(
        ">>>hello server",
        "hello client",
        ">>>bye",
        "",
        end,
        "",
      );
    },
  );
}
