// How the pair starts, and how it ends: arguments, hosts, signals, and streams
// that are closed or go nowhere.

import assert from "node:assert/strict";
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { idle, NOT_LINUX } from "../support/linux.ts";
import { NO_NAMESPACES, openNamespace } from "../support/namespace.ts";
import {
  all,
  kinds,
  on,
  type Runtime,
  runtimes,
  share,
} from "../support/on.ts";
import { play } from "../support/play.ts";
import {
  bound,
  commandOf,
  emptyFolder,
  freePort,
  HERE,
  HOSTS,
  Program,
  PROJECT,
  serve,
  start,
  type Test,
} from "../support/program.ts";
import { NO_IPV6, openPeer } from "../support/wire.ts";

// ---- Arguments ----

const NO_PORTS = [
  "abc",
  "-1",
  "0",
  "65536",
  "1.5",
  "",
  "1e3",
  " 6000",
  "6000 ",
];
const NO_HOSTS = ["--verbose", "6000", ""];

/** The program ends at once, with one line on stderr. */
async function refuses(program: Program, code: number, line: RegExp) {
  assert.equal(await program.exits(), code, program.stderr);
  assert.match(program.stderr, line);
  assert.equal(program.stderr.split("\n").length, 2, program.stderr);
  assert.equal(program.stdout, "");
}

const REFUSED = ["server.ts", "client.ts"].flatMap((script) => [
  ...NO_PORTS.map((port) => [script, HERE, port] as const),
  ...NO_HOSTS.map((host) => [script, host, "6000"] as const),
]);

on(all, "arguments that make no sense", async (t, runtime) => {
  await Promise.all(
    share(REFUSED, runtime, all).map(([script, host, port]) => {
      const line =
        `not a host and a port from 1 to 65535: "${host}" "${port}"\n`;
      const program = start(t, runtime, script, host, port);
      return refuses(program, 2, RegExp(`^${line}$`));
    }),
  );
});

on(kinds, "a host or port that cannot be had", async (t, runtime) => {
  const { port } = await openPeer(t);
  const rows = [
    ["server.ts", HERE, port, "EADDRINUSE"],
    ["server.ts", "192.0.2.1", port, "EADDRNOTAVAIL"],
    ["server.ts", "nosuch.invalid", port, "(ENOTFOUND|EAI_AGAIN)"],
    ["client.ts", "nosuch.invalid", port, "(ENOTFOUND|EAI_AGAIN)"],
  ] as const;
  await Promise.all(rows.map(([script, host, port, code]) => {
    const line = RegExp(`^can't use ${host}:${port}: .*\\b${code}\\b.*\n$`);
    return refuses(start(t, runtime, script, host, port), 1, line);
  }));
});

on(kinds, "127.0.0.1 6000 by default", async (t, runtime) => {
  const there = (await openNamespace(t)).of(runtime);
  const server = await bound(start(t, there, "server.ts"), 6000);
  const client = start(t, there, "client.ts");
  await play({ server, client })`${greeting("127.0.0.1")}`;
}, { skip: NO_NAMESPACES });

const greeting = (address: string) => `
  client > >>>
  client < hello server
  server > 来自[${address}:PORT]的消息: hello server
  server > >>>
  server < hello client
  client > hello client
  client > >>>`;

on(kinds, "hosts of every kind", async (t, runtime) => {
  for (const [host, spelling, shown] of HOSTS) {
    if (host.includes("::") && NO_IPV6) continue;
    const server = await serve(t, runtime, "server.ts", host);
    const client = start(t, runtime, "client.ts", spelling, server.port);
    await play({ server, client })`${greeting(shown)}`;
  }
});

// ---- Streams and signals ----

/** A client as this line of a shell, which says on stderr how it ended. */
function inShell(t: Test, runtime: Runtime, line: string, port: number) {
  const script = `trap : INT TERM HUP; ${line}; echo "exit $?" >&2`;
  const command = commandOf(runtime, "client.ts", HERE, port);
  return new Program(t, ["sh", "-c", script, "sh", ...command]);
}

const STREAMS = [
  ['"$@" <&-', ">>>", /^exit 0\n$/],
  ['"$@" </dev/null', ">>>", /^exit 0\n$/],
  ['"$@" </dev/null >&-', "", /^exit 0\n$/],
  ['"$@" </dev/null >/dev/full', "", /^.*(ENOSPC|[Nn]o space).*\nexit 1\n$/],
] as const;

for (const [line, stdout, stderr] of STREAMS) {
  on(kinds, `a client: ${line}`, async (t, runtime) => {
    const client = inShell(t, runtime, line, await freePort());
    await client.exits();
    assert.match(client.stderr, stderr);
    assert.equal(client.stdout, stdout);
  });
}

on(runtimes, "a client whose stdout goes away", async (t, runtime) => {
  const peer = await openPeer(t);
  const head = "{ head -c 3; exec <&-; echo gone >&2; }";
  const line = `{ "$@"; echo "exit $?" >&2; } | ${head}`;
  const client = inShell(t, runtime, line, peer.port);
  await play({ client })`
    client > >>>
    client ! gone
    client < hello server`;
  await peer.receives("hello server");
  await peer.send("hello client");
  await client.exits();
  assert.match(client.stderr, /^gone\n.*EPIPE.*\nexit 1\nexit 0\n$/);
});

const CONTROL = "\x1b".repeat(65_507);

on(runtimes, "a slow reader of stdout gets all", async (t, runtime) => {
  const peer = await openPeer(t);
  const command = commandOf(runtime, "client.ts", HERE, peer.port);
  const client = new Program(t, command, { unread: true });
  client.end("hello server\n");
  await peer.receives("hello server");
  await peer.send(CONTROL); // more than a pipe holds
  await idle(client.pid); // it has printed as much as the pipe holds
  client.read();
  assert.equal(await client.exits(), 0);
  assert.equal(client.stdout, `>>>${"\\u{1b}".repeat(65_507)}\n>>>`);
}, { skip: NOT_LINUX });

for (const [name, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  on(runtimes, `${name} is ${code}`, async (t, runtime) => {
    const peer = await openPeer(t);
    const client = inShell(t, runtime, '"$@"', peer.port);
    client.send("hello");
    await peer.receives("hello"); // it waits for the reply
    client.signal(name);
    await client.exits();
    assert.equal(client.stderr, `exit ${code}\n`);
  });
}

// ---- The files ----

const SCRIPTS = [
  "server.ts",
  "client.ts",
  "group/server.ts",
  "group/client.ts",
];
const text = (script: string) => readFileSync(join(PROJECT, script), "utf8");

on(runtimes, "each script alone in a folder", async (t, runtime) => {
  const alone = (script: string, ...args: (string | number)[]) => {
    const cwd = emptyFolder(t);
    copyFileSync(join(PROJECT, script), join(cwd, "copy.ts"));
    const command = [...runtime.command, "copy.ts", ...args.map(String)];
    return new Program(t, command, { cwd });
  };
  const [one, two] = [await freePort(), await freePort()];
  const server = await bound(alone("server.ts", HERE, one), one);
  await play({ server, client: alone("client.ts", HERE, one) })`${
    greeting(HERE)
  }`;
  const hub = await bound(alone("group/server.ts", HERE, two), two);
  await play({ hub, alice: alone("group/client.ts", "alice", HERE, two) })`
    hub alice > * alice joined (1 here)
    alice < /quit
    hub > * alice left (0 here)
    alice exits 0`;
});

test("a script needs nothing but Node", () => {
  for (const script of SCRIPTS) {
    const imports = text(script).matchAll(
      /\b(?:from|import|require)\W*"(.*?)"/g,
    );
    for (const [, name] of imports) assert.match(name!, /^node:/, script);
  }
});

// So most tests drive one of the two only.
test("what the pair repeats is the same text in both, and short", () => {
  const [server = "", client = ""] = SCRIPTS.map(text);
  const repeated = (script: string) => script.split("// ---- The socket")[1];
  assert(repeated(server));
  assert.equal(repeated(client), repeated(server));
  const lines = (script: string) =>
    script.split(/\n\s*/).filter(Boolean).length;
  assert(lines(server) <= 105, `${lines(server)} lines that are not blank`);
  assert(lines(client) <= 110, `${lines(client)} lines that are not blank`);
});
