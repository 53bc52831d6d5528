import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { start, startClient, startServer } from "../support/pair.ts";
import {
  ofEachKind,
  on,
  onEveryRuntime,
  type Runtime,
  runtimes,
  share,
  withOlderBuns,
} from "../support/runtimes.ts";
import { greet } from "../support/transcript.ts";
import { NO_IPV6, openPeer } from "../support/udp.ts";

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

on(ofEachKind, "a host or port that cannot be had", async (t, runtime) => {
  const { port } = await openPeer(t);
  const rows: [[string, ...string[]], string][] = [
    [["server.ts", "127.0.0.1", `${port}`], `127.0.0.1:${port}: the port`],
    [["server.ts", "192.0.2.1", "0"], "192.0.2.1:0: not an address of this"],
    [["server.ts", "nosuch.invalid", "0"], "nosuch.invalid:0: unknown name"],
    [["client.ts", "nosuch.invalid", "6000"], "nosuch.invalid:6000, check"],
  ];
  await Promise.all(
    rows.map(([args, value]) => refuses(t, runtime, args, 1, value)),
  );
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

// Every two runtimes in the list try all four.
const HELP = [
  [["server.ts", "--help"], ["client.ts", "-h"]],
  [["server.ts", "-h"], ["client.ts", "--help"]],
] as const;

onEveryRuntime("a question for help", async (t, runtime) => {
  const rows = runtimes.map((_, i) => HELP[i % 2]!);
  for (const [script, option] of new Set(share(rows, runtime).flat())) {
    const program = start(t, runtime, script, option);
    assert.equal(await program.exits(), 0);
    assert.match(program.stdout, /^usage: .*\[host\] \[port\].* 6000\n$/);
    assert(program.stdout.includes(script));
    assert.equal(program.stderr, "");
  }
});

// A server's host, what a client has for it, the address that is then shown.
const HOSTS: [string, string, string[], RegExp][] = [
  ["0.0.0.0 is any address of its own", "0.0.0.0", [HERE], /127\.0\.0\.1/],
  ["over IPv6", "::1", ["::1", "0:0:0:0:0:0:0:1"], /::1/],
  ["by name", "localhost", ["localhost"], /127\.0\.0\.1|::1/],
];

for (const [title, host, spellings, address] of HOSTS) {
  on(ofEachKind, title, async (t, runtime) => {
    if (host === "::1" && NO_IPV6) return t.skip(NO_IPV6);
    const server = await startServer(t, runtime, host);
    for (const spelling of spellings) {
      const client = await startClient(t, runtime, server.port, spelling);
      server.stdout = "";
      await greet(server, client, address);
    }
  });
}
