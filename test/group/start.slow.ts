import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import process from "node:process";
import type { TestContext } from "node:test";
import {
  join,
  others,
  silentPort,
  startHub,
  startMember,
} from "../support/group.ts";
import { bound } from "../support/kernel.ts";
import { NO_NAMESPACES, openNamespace } from "../support/namespace.ts";
import { commandOf, listening, start } from "../support/pair.ts";
import { Program } from "../support/processes.ts";
import {
  ofEachKind,
  on,
  onEveryRuntime,
  type Runtime,
  share,
} from "../support/runtimes.ts";
import { CTRL_C, Terminal } from "../support/terminal.ts";
import { NO_IPV6 } from "../support/udp.ts";

const SERVER = "group/server.ts";
const CLIENT = "group/client.ts";

type Row = [args: string[], code: number, names: string];
const HERE = "127.0.0.1";
const NO_ARGUMENTS: Row[] = [
  [[SERVER, "--verbose"], 2, "--verbose"],
  [[SERVER, "7000"], 2, "7000"],
  [[CLIENT, "alice", "7000"], 2, "7000"],
  [[CLIENT, "alice", "0.0.0.0"], 2, "0.0.0.0"],
  [[SERVER, ""], 2, '""'],
  [[SERVER, HERE, "6001", "more"], 2, "more"],
  [[CLIENT, "alice", HERE, "6001", "more"], 2, "more"],
  [[CLIENT, "alice", "--verbose"], 2, "--verbose"],
  [[CLIENT, "alice", ""], 2, '""'],
  [[CLIENT, "alice", HERE, "0"], 2, '"0"'],
];
for (const port of ["abc", "65536", "06001"]) {
  NO_ARGUMENTS.push([[SERVER, HERE, port], 2, `"${port}"`]);
  NO_ARGUMENTS.push([[CLIENT, "alice", HERE, port], 2, `"${port}"`]);
}
for (const name of ["", "two words", "x".repeat(21), "a:b", "🙂", "-x"]) {
  NO_ARGUMENTS.push([[CLIENT, name], 2, `"${name}"`]);
}

onEveryRuntime("a group's start that fails", async (t, runtime) => {
  const cases: Row[] = [
    [[SERVER, "192.0.2.1", "0"], 1, "192.0.2.1"],
    [[SERVER, "nosuch.invalid", "0"], 1, "nosuch.invalid"],
    ...share(NO_ARGUMENTS, runtime),
  ];
  while (cases.length > 0) { // a few at a time
    await Promise.all(
      cases.splice(0, 4).map(async ([[script = "", ...args], code, value]) => {
        const program = start(t, runtime, script, ...args);
        assert.equal(await program.exits(), code, program.stderr);
        await program.complains(/./);
        assert(program.stderr.includes(value), program.stderr);
        assert.equal(program.stdout, "");
      }),
    );
  }
});

onEveryRuntime("a question for help about the group", async (t, runtime) => {
  for (const script of [SERVER, CLIENT]) {
    const program = start(t, runtime, script, "--help");
    assert.equal(await program.exits(), 0);
    assert.match(
      program.stdout,
      /^usage: \w+\.ts .*\[host\] \[port\].* 6001\n$/,
    );
    assert.equal(program.stderr, "");
  }
});

on(ofEachKind, "the server closes", async (t, runtime) => {
  const command = commandOf(runtime, SERVER, "127.0.0.1", 0);
  const terminal = new Terminal(t, command);
  await terminal.until(() => /listening on port \d+\n$/.test(terminal.screen));
  const port = Number(/\d+/.exec(terminal.screen)![0]);
  const alice = await join(t, others(runtime)[0]!, "alice", port);
  terminal.type(CTRL_C);
  await alice.until(() => alice.stdout.endsWith("\n* the server is closing\n"));
  await terminal.until(() =>
    terminal.screen.endsWith("\nexit 130, settings as before\n")
  );
});

onEveryRuntime("a signal ends a server in a pipe", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  process.kill(hub.pid, "SIGINT");
  assert.equal(await hub.exits(), 130);
  assert.equal(hub.stdout + hub.stderr, "* the server is closing\n");
});

on(ofEachKind, "a start that fails in a terminal", async (t, runtime) => {
  const { port } = await silentPort(t);
  // In the words of the pair.
  const cases: [string, string[], string][] = [
    [
      SERVER,
      ["127.0.0.1", `${port}`],
      `cannot use 127.0.0.1:${port}: the port is taken, ` +
      "stop its program or choose another",
    ],
    [
      CLIENT,
      ["alice", "nosuch.invalid"],
      "cannot reach nosuch.invalid:6001, check the host: getaddrinfo ENOTFOUND",
    ],
  ];
  await Promise.all(cases.map(async ([script, args, words]) => {
    const size = { cols: 150, rows: 24 };
    const terminal = new Terminal(t, commandOf(runtime, script, ...args), size);
    await terminal.until(() => /\nexit 1, .*\n$/.test(terminal.screen));
    // No prompt, nor anything else, before it.
    const lines = [words, "exit 1, settings as before", ""];
    const screen = terminal.screen.replace(/(ENOTFOUND) .*/, "$1");
    assert.equal(screen, lines.join("\n"));
  }));
});

on(ofEachKind, "a name server that fails", async (t, runtime) => {
  if (NO_NAMESPACES) return t.skip(NO_NAMESPACES);
  const namespace = await openNamespace(t); // out of which no question gets
  const there = namespace.of(runtime);
  for (
    const [script, ...args] of [
      [SERVER, "server.example", "0"],
      [CLIENT, "alice", "server.example"],
    ] as const
  ) {
    const program = start(t, there, script, ...args);
    assert.equal(await program.exits(), 1);
    await program.complains(/^cannot (use|reach) server\.example:\d+[:,] ./);
    assert.equal(program.stdout, "");
  }
});

const SILENT = `import socket, sys, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind((sys.argv[1], 53))
print("bound", flush=True)
sock.recv(512)
print("asked", flush=True)
time.sleep(60)`;

on(ofEachKind, "a signal while a name is looked up", async (t, runtime) => {
  if (NO_NAMESPACES) return t.skip(NO_NAMESPACES);
  const settings = readFileSync("/etc/resolv.conf", "utf8");
  const [, server] = /^nameserver ([\d.]+)$/m.exec(settings) ?? [];
  if (!server) return t.skip("no name server has an IPv4 address");
  const namespace = await openNamespace(t);
  const address = ["addr", "add", `${server}/32`, "dev", "lo"];
  assert.equal(await namespace.run("ip", ...address).exits(), 0);
  const dns = namespace.run("python3", "-c", SILENT, server);
  await dns.prints("bound\n");
  const where = ["alice", "server.example"];
  const alice = start(t, namespace.of(runtime), CLIENT, ...where);
  await dns.prints("bound\nasked\n");
  process.kill(alice.pid, "SIGTERM");
  await alice.exits();
  assert.equal(alice.stdout + alice.stderr, "");
});

/** A member comes, says something and goes, at the hub on this host and port. */
async function visit(
  t: TestContext,
  runtime: Runtime,
  hub: Program,
  where: (string | number)[],
) {
  const alice = start(t, runtime, CLIENT, "alice", ...where);
  alice.end("hello");
  assert.equal(await alice.exits(), 0);
  await alice.prints("* alice joined (1 here)\nalice: hello\n");
  await hub.until(() => hub.stdout.endsWith("* alice left (0 here)\n"));
  assert.equal(hub.stderr + alice.stderr, "");
}

on(ofEachKind, "without a host and a port", async (t, runtime) => {
  if (NO_NAMESPACES) return t.skip(NO_NAMESPACES);
  const namespace = await openNamespace(t);
  const there = namespace.of(runtime);
  const hub = start(t, there, SERVER);
  await bound("6001", hub.pid);
  await visit(t, there, hub, []);
});

on(ofEachKind, "over IPv6", async (t, runtime) => {
  if (NO_IPV6) return t.skip(NO_IPV6);
  const hub = await listening(start(t, runtime, SERVER, "::1", 0));
  await visit(t, runtime, hub, ["::1", hub.port]);
  assert.match(hub.stdout, /^来自\[.*::1.*:\d+\]的消息: alice: hello$/m);
});

on(ofEachKind, "by the name of the host", async (t, runtime) => {
  const hub = await listening(start(t, runtime, SERVER, "localhost", 0));
  await visit(t, runtime, hub, ["localhost", hub.port]);
});

onEveryRuntime("a member in a pipe", async (t, runtime) => {
  const hub = await startHub(t, others(runtime)[0]!);
  const bob = await join(t, others(runtime)[1]!, "bob", hub.port);
  const command = commandOf(runtime, CLIENT, "alice", "127.0.0.1", hub.port);

  await t.test("a signal ends it", async (t) => {
    for (
      const [signal, code] of [
        ["SIGINT", 130],
        ["SIGTERM", 0],
        ["SIGHUP", 0],
      ] as const
    ) {
      bob.stdout = "";
      const alice = await join(t, runtime, "alice", hub.port);
      alice.write("hello\n");
      await alice.until(() => alice.stdout.endsWith("alice: hello\n"));
      // A closed terminal tells the whole group; of tsx's two processes the
      // outer one passes on the other signals.
      process.kill(signal === "SIGHUP" ? -alice.pid : alice.pid, signal);
      await bob.prints(
        "* alice joined (2 here)\nalice: hello\n* alice left (1 here)\n",
      );
      const ended = await alice.exits();
      const outer = signal === "SIGHUP" && runtime.command.length === 2 &&
        !runtime.name.startsWith("Deno"); // tsx, which dies of it
      assert.equal(ended, outer ? null : code, signal);
      assert.equal(alice.stderr, "");
    }
  });

  await t.test("a line that is too long is not said", async (t) => {
    bob.stdout = "";
    const alice = await join(t, runtime, "alice", hub.port);
    alice.write(`${"汉".repeat(334)}\nnext\n`); // 1,002 bytes
    await alice.complains(/^\* .*1002 bytes/);
    await alice.prints("* alice joined (2 here)\nalice: next\n");
    const most = "汉".repeat(333);
    alice.end(most);
    assert.equal(await alice.exits(), 0);
    const shown = `* alice joined (2 here)\nalice: next\nalice: ${most}\n`;
    await alice.prints(shown);
    await bob.prints(`${shown}* alice left (1 here)\n`);
  });

  await t.test("it leaves when nobody reads it any more", async (t) => {
    bob.stdout = "";
    const pipe = '"$@" | head -n 1';
    const alice = new Program(t, ["sh", "-c", pipe, "sh", ...command]);
    await alice.prints("* alice joined (2 here)\n");
    const talk = setInterval(() => bob.write("hello\n"), 50);
    await alice.exits();
    clearInterval(talk);
    assert.equal(alice.stderr, "");
    await bob.until(() => bob.stdout.includes("* alice left (1 here)\n"));
  });

  await t.test("an input that cannot be read", async (t) => {
    const unreadable = '"$@" 0> /dev/null';
    const alice = new Program(t, ["sh", "-c", unreadable, "sh", ...command]);
    assert.equal(await alice.exits(), 1);
    await alice.complains(/^cannot read: .*bad file descriptor/i);
  });

  await t.test("an output on a full disk", async (t) => {
    const full = '"$@" > /dev/full';
    const alice = new Program(t, ["sh", "-c", full, "sh", ...command]);
    assert.equal(await alice.exits(), 1);
    await alice.complains(/^cannot print: .*no space left/i);
  });
});

on(ofEachKind, "nobody reads a hub any more", async (t, runtime) => {
  const command = commandOf(runtime, SERVER, "127.0.0.1", 0);
  const pipe = '"$@" | head -n 1';
  const hub = await listening(
    new Program(t, ["sh", "-c", pipe, "sh", ...command]),
  );
  const alice = startMember(t, others(runtime)[0]!, "alice", hub.port);
  const talk = setInterval(() => alice.write("hello\n"), 50);
  await hub.exits();
  clearInterval(talk);
  assert.equal(hub.stdout + hub.stderr, "* alice joined (1 here)\n");
});

on(ofEachKind, "a hub's console on a full disk", async (t, runtime) => {
  const command = commandOf(runtime, SERVER, "127.0.0.1", 0);
  const full = ["sh", "-c", '"$@" > /dev/full', "sh", ...command];
  const hub = await listening(new Program(t, full));
  const alice = await join(t, others(runtime)[0]!, "alice", hub.port);
  for (let n = 1; n <= 5; n++) { // it goes on without a console
    alice.write(`line ${n}\n`);
    await alice.until(() => alice.stdout.endsWith(`alice: line ${n}\n`));
  }
  assert.equal(hub.stderr, "");
});
