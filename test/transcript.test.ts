// The tutorial's conversation: the first test to read. Whoever the two programs
// are, this is what they print.

import { spawnSync } from "node:child_process";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { all, kinds, missing, needed, on, other } from "./support/on.ts";
import { play } from "./support/play.ts";
import { bound, freePort, ours, Program, python } from "./support/program.ts";

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

async function converse(
  t: TestContext,
  serverOf: typeof python,
  clientOf: typeof python,
) {
  const port = await freePort();
  const server = await bound(new Program(t, serverOf("server", port)), port);
  const client = new Program(t, clientOf("client", port));
  await play({ server, client })`${TRANSCRIPT}`;
  return client;
}

on(all, "the transcript", async (t, runtime) => {
  const client = await converse(t, ours(runtime), ours(other(runtime)));
  await play({ client })`
    client ends
    client exits 0`;
});

on(kinds, "the transcript, with the page's Python", async (t, runtime) => {
  await converse(t, ours(runtime), python);
  await converse(t, python, ours(runtime));
  await converse(t, python, python);
}, { skip: needed("Python 3", spawnSync("python3", ["--version"])) });

test("every runtime is here, or this says which are not", (t) => {
  if (missing.length === 0) return;
  const names = `not here: ${missing.join(", ")}`;
  if (process.env["CI"]) throw Error(names);
  t.skip(names);
});
