// How the scripts start, and how the pair ends: arguments, hosts, signals, and
// streams that are closed or go nowhere.

import assert from "node:assert/strict";
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { idle, NOT_LINUX } from "../support/linux.ts";
import {
  all,
  kinds,
  on,
  type Runtime,
  runtimes,
  share,
} from "../support/on.ts";
import { like, pair, play } from "../support/play.ts";
import {
  bound,
  emptyFolder,
  freePort,
  HERE,
  inShell,
  ours,
  Program,
  PROJECT,
  serve,
  start,
  type Test,
} from "../support/program.ts";
import { NO_IPV6, openPeer } from "../support/wire.ts";

// ---- Arguments ----

const PAIR = ["server.ts", "client.ts"];
const SCRIPTS = [...PAIR, "group/server.ts", "group/client.ts"];
/** The arguments before host and port. */
const nameOf = (script: string) => script === "group/client.ts" ? ["al"] : [];

const NO_PORTS = ["abc", "-1", "0", "65536", "1.5", "", "1e3", " 6000"];
const NO_HOSTS = ["--verbose", "6000", ""];
const NO_PLACES = [
  ...NO_PORTS.map((port) => [HERE, port]),
  ...NO_HOSTS.map((host) => [host, "6000"]),
];
const NO_NAMES = ["", "two words", "x".repeat(21), "a:b", "🙂", "-x", "1.2"];
const REFUSED = [
  ...SCRIPTS.flatMap((script) =>
    NO_PLACES.map(([host = "", port = ""]) => ({
      command: [script, ...nameOf(script), host, port],
      says: `not a host and a port from 1 to 65535: "${host}" "${port}"`,
    }))
  ),
  ...NO_NAMES.map((name) => ({
    command: ["group/client.ts", name],
    says: `not a name of 1 to 20 letters, digits, _ . -: "${name}"`,
  })),
];

/** The program ends at once, with nothing but this line on stderr. */
async function refuses(program: Program, code: number, line: RegExp) {
  assert.equal(await program.exits(), code, program.stderr);
  assert.match(program.stderr, line);
  assert.equal(program.stderr.split("\n").length, 2, program.stderr);
  assert.equal(program.stdout, "");
}

on(all, "arguments that make no sense", async (t, runtime) => {
  await Promise.all(
    share(REFUSED, runtime, all).map(({ command, says }) => {
      const [script = "", ...args] = command;
      return refuses(start(t, runtime, script, ...args), 2, like(`${says}\n`));
    }),
  );
});

const UNKNOWN = "(ENOTFOUND|EAI_AGAIN)";
on(kinds, "a host or port that cannot be had", async (t, runtime) => {
  const { port } = await openPeer(t);
  const refused = (script: string, host: string, code: string) => {
    const program = start(t, runtime, script, ...nameOf(script), host, port);
    const line = RegExp(`^can't use ${host}:${port}: .*\\b${code}\\b.*\n$`);
    return refuses(program, 1, line);
  };
  await Promise.all([
    ...SCRIPTS.map((script) => refused(script, "nosuch.invalid", UNKNOWN)),
    ...["server.ts", "group/server.ts"].flatMap((script) => [
      refused(script, HERE, "EADDRINUSE"),
      refused(script, "192.0.2.1", "EADDRNOTAVAIL"),
    ]),
  ]);
});

const greeting = (address: string) => `
  client > >>>
  client < hello server
  server > 来自[${address}:PORT]的消息: hello server
  server > >>>
  server < hello client
  client > hello client
  client > >>>`;

// A host to serve, what its clients have for it, the address that is then shown.
const HOSTS = [
  ["0.0.0.0", HERE, HERE],
  ["::1", "::1", "::1"],
  ["::", HERE, "::ffff:127.0.0.1"],
  ["localhost", "localhost", "ANY"],
] as const;

on(runtimes, "hosts of every kind", async (t, runtime) => {
  for (const [host, spelling, shown] of HOSTS) {
    if (host.includes("::") && NO_IPV6) continue;
    const cast = await pair(t, runtime, [host, spelling]);
    await play(cast)`${greeting(shown)}`;
    const hub = await serve(t, runtime, "group/server.ts", host);
    const args = ["al", spelling, hub.port] as const;
    const al = start(t, runtime, "group/client.ts", ...args);
    await play({ hub, al })`
      hub al > * al joined (1 here)
      al < hello
      al > al: hello
      hub > 来自[${shown}:PORT]的消息: al: hello`;
  }
});

// ---- Streams and signals ----

/** A client in this line of a shell, which says on stderr how it ended. */
async function openClient(t: Test, runtime: Runtime, line: string) {
  const peer = await openPeer(t);
  const command = ours(runtime)("client", peer.port);
  const all = `trap : INT TERM HUP; ${line}; echo "exit $?" >&2`;
  return { peer, client: new Program(t, inShell(all, command)) };
}

const STREAMS = [
  ['"$@" <&-', ">>>", /^exit 0\n$/],
  ['"$@" </dev/null', ">>>", /^exit 0\n$/],
  ['"$@" </dev/null >&-', "", /^exit 0\n$/],
  ['"$@" </dev/null >/dev/full', "", /^.*(ENOSPC|[Nn]o space).*\nexit 1\n$/],
] as const;

for (const [line, stdout, stderr] of STREAMS) {
  on(kinds, `a client: ${line}`, async (t, runtime) => {
    const { client } = await openClient(t, runtime, line);
    await client.exits();
    assert.match(client.stderr, stderr);
    assert.equal(client.stdout, stdout);
  });
}

on(runtimes, "a client whose stdout goes away", async (t, runtime) => {
  const head = "{ head -c 3; exec <&-; echo gone >&2; }";
  const line = `{ "$@"; echo "exit $?" >&2; } | ${head}`;
  const { peer, client } = await openClient(t, runtime, line);
  await play({ client })`
    client > >>>
    client ! gone
    client < hello server`;
  await peer.receives("hello server");
  await peer.send("hello client");
  await client.exits();
  assert.match(client.stderr, /^gone\n.*EPIPE.*\nexit 1\nexit 0\n$/);
});

on(runtimes, "a slow reader of stdout gets all", async (t, runtime) => {
  // The client gets one line; another one tells the reader of its pipe to go.
  const line = 'exec 3<&0; echo hello | "$@" | { read go <&3; cat; }';
  const { peer, client } = await openClient(t, runtime, line);
  await peer.receives("hello");
  await peer.send("\x1b".repeat(65_507)); // is shown as more than a pipe holds
  await idle(client.pid);
  client.send("go");
  await client.exits();
  assert.equal(client.stdout, `>>>${"\\u{1b}".repeat(65_507)}\n>>>`);
  assert.equal(client.stderr, "exit 0\n");
}, { skip: NOT_LINUX });

for (const [name, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  on(runtimes, `${name} is ${code}`, async (t, runtime) => {
    const { peer, client } = await openClient(t, runtime, '"$@"');
    client.send("hello");
    await peer.receives("hello"); // it waits for the reply
    client.signal(name);
    await client.exits();
    assert.equal(client.stderr, `exit ${code}\n`);
  });
}

// ---- The files ----

const text = (script: string) => readFileSync(join(PROJECT, script), "utf8");

on(runtimes, "each script alone in a folder", async (t, runtime) => {
  const alone = (script: string, ...args: string[]) => {
    const cwd = emptyFolder(t);
    copyFileSync(join(PROJECT, script), join(cwd, "copy.ts"));
    const command = [...runtime.command, "copy.ts", ...args];
    return new Program(t, command, { cwd });
  };
  const [one, two] = [await freePort(), await freePort()];
  const server = await bound(alone("server.ts", HERE, `${one}`), one);
  const client = alone("client.ts", HERE, `${one}`);
  await play({ server, client })`${greeting(HERE)}`;
  const hub = await bound(alone("group/server.ts", HERE, `${two}`), two);
  const alice = alone("group/client.ts", "alice", HERE, `${two}`);
  await play({ hub, alice })`hub alice > * alice joined (1 here)`;
});

// So most tests drive one of the two only.
test("what the pair repeats is the same text in both, and short", () => {
  const [server = "", client = ""] = PAIR.map(text);
  const repeated = (script: string) => script.split("// ---- The socket")[1];
  assert(repeated(server));
  assert.equal(repeated(client), repeated(server));
  const lines = (script: string) =>
    script.split(/\n\s*/).filter(Boolean).length;
  assert(lines(server) <= 105, `${lines(server)} lines that are not blank`);
  assert(lines(client) <= 110, `${lines(client)} lines that are not blank`);
});
