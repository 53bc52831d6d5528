// The pair on the Windows build of Node, under Wine: the nearest to Windows
// that Linux has. The variable NODE_WIN names node.exe, as .ci/run installs it.
// Only in a terminal: there, Node can't write to a pipe. What Wine's console
// echoes by itself is not looked at.

import process from "node:process";
import { test, type TestContext } from "node:test";
import { CTRL_C, CTRL_D, Terminal } from "../support/terminal.ts";

const NODE_WIN = process.env["NODE_WIN"] ?? "";
const skip = NODE_WIN === "" && !process.env["CI"] && "NODE_WIN names no file";
const WIDE = { cols: 120, rows: 24 };

function start(t: TestContext, script: string, port: string): Terminal {
  const settings = [
    "WINEDEBUG=-all",
    "NODE_SKIP_PLATFORM_CHECK=1",
    "LC_ALL=C.UTF-8", // else Wine's console has no Chinese letters
  ];
  const command = ["env", ...settings, "wine", NODE_WIN];
  return new Terminal(t, [...command, script, "127.0.0.1", port], WIDE);
}

function ends(terminal: Terminal, code: number) {
  const end = `\nexit ${code}, settings as before\n`;
  return terminal.until(() => terminal.screen.endsWith(end));
}

async function listening(t: TestContext): Promise<[Terminal, string]> {
  const server = start(t, "server.ts", "0");
  const port = () => /listening on port (\d+)/.exec(server.screen)?.[1] ?? "";
  await server.until(() => port() !== "");
  return [server, port()];
}

for (
  const [name, key, code] of [["C", CTRL_C, 130], ["D", CTRL_D, 0]] as const
) {
  test(`on Windows: a conversation, then Ctrl+${name}`, { skip }, async (t) => {
    const [server, port] = await listening(t);
    const client = start(t, "client.ts", port);
    await client.until(() => client.screen.endsWith(">>>"));
    client.type("hello server\r");
    await server.until(() => server.screen.endsWith("hello server\n>>>"));
    server.type("你好\r");
    await client.until(() => client.screen.endsWith("\n你好\n>>>"));

    client.type(key);
    await ends(client, code);
    server.type(key); // while it waits for a datagram
    await ends(server, code);
  });
}

test("on Windows: a port that is taken", { skip }, async (t) => {
  const [, port] = await listening(t);
  const second = start(t, "server.ts", port);
  await second.until(() => second.screen.includes("the port is taken"));
  await ends(second, 1);
});
