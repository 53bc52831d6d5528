import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import type { TestContext } from "node:test";
import { start, startClient, startServer } from "../support/pair.ts";
import {
  on,
  onEveryRuntime,
  type Runtime,
  share,
  withOlderBuns,
} from "../support/runtimes.ts";
import { openPeer } from "../support/udp.ts";

/** The program ends with this code and one line on stderr that names the value. */
async function refuses(
  t: TestContext,
  runtime: Runtime,
  [script, ...args]: [string, ...string[]],
  code: number,
  value: string,
) {
  const program = start(t, runtime, script, ...args);
  assert.equal(await program.exits(), code, program.stderr);
  await program.complains(/./);
  assert(program.stderr.includes(value), program.stderr);
  assert.equal(program.stdout, "");
}

on(withOlderBuns, "a host or port that cannot be had", async (t, runtime) => {
  const { port } = await openPeer(t);
  for (
    const [args, value] of [
      [["server.ts", "127.0.0.1", `${port}`], `127.0.0.1:${port}: the port`],
      [["server.ts", "192.0.2.1", "0"], "192.0.2.1:0: not an address of this"],
      [["server.ts", "nosuch.invalid", "0"], "nosuch.invalid:0: unknown name"],
      [["client.ts", "nosuch.invalid", "6000"], "nosuch.invalid:6000, check"],
    ] as [[string, ...string[]], string][]
  ) await refuses(t, runtime, args, 1, value);
});

const HERE = "127.0.0.1";
const PORTS = ["abc", "-1", "65536", "1.5", "", "06000", "1e3", "600000"];
const NO_ARGUMENTS: [script: string, ...args: string[]][] = [];
for (const script of ["server.ts", "client.ts"]) {
  const zeros = script === "client.ts" ? "0" : "00";
  for (const port of [...PORTS, zeros, " 6000", "6000 "]) {
    NO_ARGUMENTS.push([script, HERE, port]);
  }
  NO_ARGUMENTS.push([script, HERE, "6000", "more"], [script, "--verbose"]);
  NO_ARGUMENTS.push([script, "6000"], [script, ""]); // a host is missing
}
// Addresses that mean "any of mine" are a server's, and nobody's to send to.
for (const host of ["0.0.0.0", "::", "0"]) {
  NO_ARGUMENTS.push(["client.ts", host]);
}

on(withOlderBuns, "arguments that make no sense", async (t, runtime) => {
  const mine = share(NO_ARGUMENTS, runtime, withOlderBuns);
  while (mine.length > 0) { // a few at a time
    await Promise.all(
      mine.splice(0, 4).map((args) =>
        refuses(t, runtime, args, 2, `"${args.at(-1)}"`)
      ),
    );
  }
});

onEveryRuntime("a question for help", async (t, runtime) => {
  for (const script of ["server.ts", "client.ts"]) {
    for (const option of ["--help", "-h"]) {
      const program = start(t, runtime, script, option);
      assert.equal(await program.exits(), 0);
      assert.match(program.stdout, /^usage: .*\[host\] \[port\].* 6000\n$/);
      assert(program.stdout.includes(script));
      assert.equal(program.stderr, "");
    }
  }
});

onEveryRuntime("0.0.0.0 is any address of its own", async (t, runtime) => {
  const server = await startServer(t, runtime, "0.0.0.0");
  const client = await startClient(t, runtime, server.port);
  client.write("hello server\n");
  await server.until(() => server.stdout.endsWith("hello server\n>>>"));
  server.write("hello client\n");
  await client.prints(">>>hello client\n>>>");
});

const IPV6 = Object.values(networkInterfaces()).flat()
  .some((one) => one?.address === "::1");

for (const host of ["::1", "0:0:0:0:0:0:0:1"]) {
  onEveryRuntime(`over IPv6, to ${host}`, async (t, runtime) => {
    if (!IPV6) return t.skip("this machine has no IPv6");
    const server = await startServer(t, runtime, "::1");
    const client = await startClient(t, runtime, server.port, host);
    client.write("hello server\n");
    await server.until(() => server.stdout.endsWith(">>>"));
    assert.match(server.stdout, /^来自\[::1:\d+\]的消息: hello server\n>>>$/);
    server.write("hello client\n");
    await client.prints(">>>hello client\n>>>");
  });
}

onEveryRuntime("by name, to localhost", async (t, runtime) => {
  const server = await startServer(t, runtime, "localhost");
  const client = await startClient(t, runtime, server.port, "localhost");
  client.write("hello server\n");
  await server.until(() => server.stdout.endsWith("hello server\n>>>"));
  server.write("hello client\n");
  await client.prints(">>>hello client\n>>>");
});
