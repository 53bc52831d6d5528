// The tutorial's conversation: the first test to read. Whoever the two programs
// are, this is what they print.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { all, kinds, missing, NO_PYTHON, on, other } from "./support/on.ts";
import { play } from "./support/play.ts";
import {
  bound,
  freePort,
  Program,
  PROJECT,
  serve,
  start,
  type Test,
} from "./support/program.ts";

const TRANSCRIPT = `
  client > >>>
  client < hello server
  server > 来自[127.0.0.1:PORT]的消息: hello server
  server > >>>
  server < hello client
  client > hello client
  client > >>>
  client < 再见 👋🏽
  server > 来自[127.0.0.1:PORT]的消息: 再见 👋🏽
  server > >>>
  server <
  client >
  client > >>>`;

on(all, "the transcript", async (t, runtime) => {
  const server = await serve(t, runtime, "server.ts");
  const args = ["127.0.0.1", server.port] as const;
  const client = start(t, other(runtime), "client.ts", ...args);
  await play({ server, client })`${TRANSCRIPT}
     client ends
     client exits 0`;
});

/** The Python on the page, on this port. */
function python(t: Test, role: string, port: number): Program {
  const page = readFileSync(join(PROJECT, "README.md"), "utf8");
  const [, code = ""] = page.split("```python " + role + "\n");
  const script = code.split("```")[0]!.replace("6000", `${port}`);
  return new Program(t, ["python3", "-u", "-c", script]);
}

const skip = NO_PYTHON;

on(kinds, "our server, a Python client", async (t, runtime) => {
  const server = await serve(t, runtime, "server.ts");
  await play({
    server,
    client: python(t, "client", server.port),
  })`${TRANSCRIPT}`;
}, { skip });

on(kinds, "a Python server, our client", async (t, runtime) => {
  const port = await freePort();
  const server = python(t, "server", port);
  await bound(server, port);
  const client = start(t, runtime, "client.ts", "127.0.0.1", port);
  await play({ server, client })`${TRANSCRIPT}`;
}, { skip });

test("Python with Python", { skip }, async (t) => {
  const port = await freePort();
  const server = python(t, "server", port);
  await bound(server, port);
  await play({ server, client: python(t, "client", port) })`${TRANSCRIPT}`;
});

test("every runtime is here, or this says which are not", (t) => {
  if (missing.length === 0) return;
  const names = `not here: ${missing.map(({ name }) => name).join(", ")}`;
  if (process.env["CI"]) throw Error(names);
  t.skip(names);
});
