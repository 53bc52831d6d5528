import assert from "node:assert/strict";
import { test } from "node:test";
import {
  startClient,
  startPythonClient,
  startPythonServer,
  startServer,
} from "./support/pair.ts";
import {
  another,
  on,
  onEveryRuntime,
  runtimes,
  withOlderBuns,
} from "./support/runtimes.ts";
import { converse } from "./support/transcript.ts";

test("the transcript in a pipe: Python with Python", async (t) => {
  const server = await startPythonServer(t);
  const client = await startPythonClient(t, server.port);
  await converse(server, client);
});

on(withOlderBuns, "the transcript in a pipe", async (t, runtime) => {
  const server = await startServer(t, runtime);
  const client = await startClient(t, runtime, server.port);
  await converse(server, client);

  const before = client.stdout;
  client.end();
  assert.equal(await client.exits(), 0);
  assert.equal(client.stdout, before);
  assert.equal(client.stderr + server.stderr, "");
});

onEveryRuntime("our server, a Python client", async (t, runtime) => {
  const server = await startServer(t, runtime);
  await converse(server, await startPythonClient(t, server.port));
});

onEveryRuntime("a Python server, our client", async (t, runtime) => {
  const server = await startPythonServer(t);
  await converse(server, await startClient(t, runtime, server.port));
});

onEveryRuntime("the transcript with another runtime", async (t, runtime) => {
  const server = await startServer(t, runtime);
  const client = await startClient(t, another(runtime), server.port);
  await converse(server, client);
});

const tsx = runtimes[0]!.command.slice(1);
const newer = runtimes.slice(1).filter(({ name }) => name.startsWith("Node"));
on(newer, "the transcript in a pipe, tsx", async (t, node) => {
  const runtime = { ...node, command: [...node.command, ...tsx] };
  const server = await startServer(t, runtime);
  await converse(server, await startClient(t, runtime, server.port));
});
