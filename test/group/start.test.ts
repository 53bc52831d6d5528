// How the group's two programs start and end, in a pipe or elsewhere.

import assert from "node:assert/strict";
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
  freePort,
  HERE,
  Program,
  serve,
  start,
  type Test,
  type Word,
} from "../support/program.ts";
import { NO_IPV6, openPeer } from "../support/wire.ts";

const [SERVER, CLIENT] = ["group/server.ts", "group/client.ts"] as const;
const NO_PORTS = ["abc", "-1", "65536", "1.5", "", "1e3", "6001 "];
const NO_NAMES = ["", "two words", "x".repeat(21), "a:b", "🙂", "-x"];

type Row = [code: number, line: RegExp, script: string, ...args: Word[]];
const REFUSED: Row[] = [
  ...NO_PORTS.flatMap((port): Row[] => {
    const line = RegExp(`^not a host and a port .*: "${HERE}" "${port}"\n$`);
    return [[2, line, SERVER, HERE, port], [2, line, CLIENT, "al", HERE, port]];
  }),
  [2, /^not a host and a port .*: "6001" "6001"\n$/, SERVER, 6001],
  [2, /^not a host and a port .*: "6001" "6001"\n$/, CLIENT, "al", 6001],
  [2, /^not a host and a port .*: "127.0.0.1" "0"\n$/, CLIENT, "al", HERE, 0],
  ...NO_NAMES.map((name): Row => {
    const line = RegExp(`^not a name of 1 to 20 letters, .*: "${name}"\n$`);
    return [2, line, CLIENT, name];
  }),
  [1, /^can't use 192.0.2.1:6001: .*EADDRNOTAVAIL/, SERVER, "192.0.2.1"],
  [
    1,
    /^can't use no.invalid:6001: .*(ENOTFOUND|EAI_AGAIN)/,
    SERVER,
    "no.invalid",
  ],
  [
    1,
    /^can't use no.invalid:6001: .*(ENOTFOUND|EAI_AGAIN)/,
    CLIENT,
    "al",
    "no.invalid",
  ],
];

on(all, "a group's start that fails", async (t, runtime) => {
  const { port } = await openPeer(t);
  const taken: Row = [1, /^can't use .*EADDRINUSE/, SERVER, HERE, port];
  const rows = share(REFUSED, runtime, all);
  if (!runtime.name.includes("Bun 1.2")) rows.push(taken); // it does not notice
  await Promise.all(rows.map(async ([code, line, script, ...args]) => {
    const program = start(t, runtime, script, ...args);
    assert.equal(await program.exits(), code, program.stderr);
    assert.match(program.stderr, line);
    assert.equal(program.stderr.split("\n").length, 2, program.stderr);
    assert.equal(program.stdout, "");
  }));
});

on(kinds, "127.0.0.1 6001 by default", async (t, runtime) => {
  const there = (await openNamespace(t)).of(runtime);
  const hub = await bound(start(t, there, SERVER), 6001);
  const alice = start(t, there, CLIENT, "alice");
  await play({ hub, alice })`
    hub alice > * alice joined (1 here)`;
}, { skip: NO_NAMESPACES });

on(kinds, "a group over IPv6, and by name", async (t, runtime) => {
  for (const host of ["::1", "localhost"]) {
    if (host === "::1" && NO_IPV6) continue;
    const hub = await serve(t, runtime, SERVER, host);
    const alice = start(t, runtime, CLIENT, "alice", host, hub.port);
    alice.end("hello");
    await play({ hub, alice })`
      hub alice > * alice joined (1 here)
      hub > 来自[ANY:PORT]的消息: alice: hello
      alice > alice: hello
      alice exits 0
      hub > * alice left (0 here)`;
  }
});

for (const [name, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  on(runtimes, `${name} ends a hub, which says so once`, async (t, runtime) => {
    const hub = await serve(t, runtime, SERVER);
    const alice = start(t, runtime, CLIENT, "alice", HERE, hub.port);
    await play({ hub, alice })`
      hub alice > * alice joined (1 here)`;
    hub.signal(name);
    hub.signal(name); // as under npx
    await play({ hub, alice })`
      hub alice > * the server is closing
      hub exits ${code}`;
  });
}

/** A member as this line of a shell, which says on stderr how it ended. */
function inShell(t: Test, runtime: Runtime, line: string, port: number) {
  const command = commandOf(runtime, CLIENT, "alice", HERE, port);
  const script = line.replace("alice", '{ "$@"; echo "exit $?" >&2; }');
  return new Program(t, ["sh", "-c", script, "sh", ...command]);
}

on(kinds, "a member that has nothing to read", async (t, runtime) => {
  const hub = await serve(t, runtime, SERVER);
  for (
    const line of ["alice </dev/null", "alice <&-", "alice </dev/null >&-"]
  ) {
    const alice = inShell(t, runtime, line, hub.port);
    await alice.exits();
    assert.equal(alice.stdout + alice.stderr, "exit 0\n", line);
  }
});

on(kinds, "a member that nobody reads any more leaves", async (t, runtime) => {
  for (
    const [line, end] of [
      ["alice | head -n 1", /^exit 0\n$/],
      ["alice >/dev/full", /^.*(ENOSPC|[Nn]o space).*\nexit 1\n$/],
    ] as const
  ) {
    const hub = await serve(t, runtime, SERVER);
    const alice = inShell(t, runtime, line, hub.port);
    await hub.until(() => hub.stdout.startsWith("* alice joined (1 here)\n"));
    const talk = setInterval(() => alice.send("hello"), 50); // ms
    await alice.exits().finally(() => clearInterval(talk));
    assert.match(alice.stderr, end);
    await hub.until(() => hub.stdout.endsWith("* alice left (0 here)\n"));
  }
});

const SIGNALS = [["SIGINT", 130], ["SIGTERM", 0], ["SIGHUP", 0]] as const;

on(
  kinds,
  "a signal ends a member, which says so to all",
  async (t, runtime) => {
    const hub = await serve(t, runtime, SERVER);
    for (const [name, code] of SIGNALS) {
      const alice = start(t, runtime, CLIENT, "alice", HERE, hub.port);
      await play({ hub, alice })`
      hub alice > * alice joined (1 here)`;
      alice.signal(name);
      await play({ hub, alice })`
      hub > * alice left (0 here)
      alice exits ${code}`;
    }
  },
);

on(kinds, "a hub whose console goes away goes on", async (t, runtime) => {
  const port = await freePort();
  const command = commandOf(runtime, SERVER, HERE, port);
  const shell = ["sh", "-c", '"$@" | head -n 1', "sh", ...command];
  await bound(new Program(t, shell), port);
  const alice = start(t, runtime, CLIENT, "alice", HERE, port);
  await play({ alice })`
    alice > * alice joined (1 here)
    alice < one
    alice > alice: one
    alice < two
    alice > alice: two`;
});
