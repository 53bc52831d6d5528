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
  onEveryRuntime,
  type Runtime,
  runtimes,
} from "./support/runtimes.ts";
import { converse } from "./support/transcript.ts";

test("the transcript in a pipe: Python with Python", async (t) => {
  const server = await startPythonServer(t);
  const client = await startPythonClient(t, server.port);
  await converse(server, client);
});

onEveryRuntime("the transcript in a pipe", async (t, runtime) => {
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

for (const major of [22, 24, 26]) {
  const variable = `NODE${major}`;
  const program = process.env[variable];
  const skip = program ? false : `${variable} names no program`;
  test(
    `the transcript in a pipe: tsx on Node ${major}`,
    { skip },
    async (t) => {
      const command = [program ?? "", ...runtimes[0]!.command.slice(1)];
      const tsx: Runtime = { name: "tsx", version: String(major), command };
      const server = await startServer(t, tsx);
      await converse(server, await startClient(t, tsx, server.port));
    },
  );
}
