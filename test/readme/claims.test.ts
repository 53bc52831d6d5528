// What the README promises beside its commands and transcripts.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { silentPort } from "../support/group.ts";
import { listening, start, startClient, startServer } from "../support/pair.ts";
import { emptyFolder, Program } from "../support/processes.ts";
import {
  codeSpans,
  fileText,
  readmes,
  runtimeNamed,
  tables,
  withoutPorts,
} from "./pages.ts";
import {
  on,
  onEveryRuntime,
  type Runtime,
  runtimes,
} from "../support/runtimes.ts";
import { converse } from "../support/transcript.ts";
import { openPeer } from "../support/udp.ts";

/** Both languages have it as a code span. */
function claimed(code: string) {
  for (const { file, prose } of readmes) {
    assert(
      codeSpans(prose).some((span) => span.code === code),
      `${file} does not say \`${code}\``,
    );
  }
}

/** A server.ts in a folder of its own, with this package.json if any. */
function startAlone(
  t: TestContext,
  runtime: Runtime,
  text: string,
  options: { module?: string; args?: string[] } = {},
): Program {
  const cwd = emptyFolder(t);
  const { module, args = [] } = options;
  writeFileSync(join(cwd, "server.ts"), text);
  if (module) writeFileSync(join(cwd, "package.json"), module);
  return new Program(t, [...runtime.command, "server.ts", ...args], { cwd });
}

onEveryRuntime("README: a call of one's own", async (t, runtime) => {
  const [call, own] = ['await input(">>>")', "decode(msg).toUpperCase()"];
  claimed(call);
  claimed(own);
  const [before, main = ""] = fileText("server.ts").split(
    "async function main",
  );
  const changed = [before, main.replace(call, own)].join("async function main");
  assert.notEqual(changed, fileText("server.ts"));
  const args = ["127.0.0.1", "0"];
  const server = await listening(startAlone(t, runtime, changed, { args }));
  const client = await startClient(t, runtime, server.port);
  client.write("hello server\n");
  await client.prints(">>>HELLO SERVER\n>>>");
});

const deno = runtimeNamed("Deno");

/** Deno with these permissions. */
function permitted(...permissions: string[]): Runtime {
  return { ...deno, command: [deno.command[0]!, "run", ...permissions] };
}

on([deno], "README: the least permissions of Deno", async (t) => {
  const least = "--allow-net=0.0.0.0,127.0.0.1";
  claimed(least);
  const server = await startServer(t, permitted(least));
  await converse(server, await startClient(t, permitted(least), server.port));
});

// ---- What is seen when it does not work ----

const [tsx, ...nodes] = runtimes.filter(({ name }) => /Node/.test(name));
const node20 = { // without tsx
  name: "Node 20",
  version: tsx!.version.startsWith("20.") ? tsx!.version : "",
  command: [tsx!.command[0]!],
};
const MODULE = '{ "type": "module" }';
const COMMONJS = '{ "type": "commonjs" }';

/** How to see each message, and on which runtimes. */
const MESSAGES: Record<
  string,
  [Runtime[], (t: TestContext, runtime: Runtime) => Program | Promise<Program>]
> = {
  "the port is taken, stop its program or choose another": [
    runtimes,
    async (t, runtime) => {
      const { port } = await openPeer(t);
      return start(t, runtime, "server.ts", "127.0.0.1", port);
    },
  ],
  "not an address of this machine": [
    runtimes,
    (t, runtime) => start(t, runtime, "server.ts", "192.0.2.1"), // RFC 5737
  ],
  "no reply from 127.0.0.1:6000 yet": [
    [runtimeNamed("tsx")],
    async (t, runtime) => {
      const client = await startClient(t, runtime, (await silentPort(t)).port);
      client.write("hello\n");
      return client;
    },
  ],
  "not sent: send EMSGSIZE": [
    [runtimeNamed("tsx")],
    async (t, runtime) => {
      const client = await startClient(t, runtime, (await silentPort(t)).port);
      client.write("x".repeat(65508) + "\n");
      return client;
    },
  ],
  'Requires net access to "127.0.0.1:6000"': [
    [deno],
    (t) => start(t, permitted(), "server.ts"),
  ],
  'Unknown file extension ".ts"': [
    [node20],
    (t, runtime) =>
      startAlone(t, runtime, fileText("server.ts"), { module: MODULE }),
  ],
  "Failed to load the ES module": [
    nodes,
    (t, runtime) =>
      startAlone(t, runtime, fileText("server.ts"), { module: COMMONJS }),
  ],
  'Top-level await is currently not supported with the "cjs" output format': [
    [runtimeNamed("tsx")],
    (t, runtime) => startAlone(t, runtime, "await Promise.resolve();"),
  ],
  "TypeScript enum is not supported in strip-only mode": [
    nodes,
    (t, runtime) => startAlone(t, runtime, "enum Side { Left, Right }"),
  ],
};

test("README: a test knows how to see each message", () => {
  for (const readme of readmes) {
    const [table] = tables(readme, /^messages$/);
    assert(table, `${readme.file} has no table of messages`);
    for (const { place, cells: [seen = ""] } of table.rows) {
      const message = codeSpans(seen).map(({ code }) => code).join();
      assert(message in MESSAGES, `${place}: no test for \`${message}\``);
    }
  }
});

for (const [message, [these, provoke]] of Object.entries(MESSAGES)) {
  on(these, `README: "${message}"`, async (t, runtime) => {
    claimed(message);
    const program = await provoke(t, runtime);
    const wanted = withoutPorts(message);
    await program.until(() => withoutPorts(program.stderr).includes(wanted));
  });
}
