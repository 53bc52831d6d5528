import assert from "node:assert/strict";
import { join, others, silentPort, startHub } from "../support/group.ts";
import { commandOf, start } from "../support/pair.ts";
import { onEveryRuntime } from "../support/runtimes.ts";
import { CTRL_C, Terminal } from "../support/terminal.ts";
import process from "node:process";

const SERVER = "group/server.ts";
const CLIENT = "group/client.ts";

onEveryRuntime("a group's start that fails", async (t, runtime) => {
  const { port } = await silentPort(t);
  const cases: [string[], number, string][] = [
    [[SERVER, "127.0.0.1", `${port}`], 1, `127.0.0.1:${port}`],
    [[SERVER, "192.0.2.1", "0"], 1, "192.0.2.1"],
    [[SERVER, "nosuch.invalid", "0"], 1, "nosuch.invalid"],
    [[CLIENT, "alice", "nosuch.invalid"], 1, "nosuch.invalid"],
    [[SERVER, "--verbose"], 2, "--verbose"],
    [[SERVER, "7000"], 2, "7000"],
    [[CLIENT, "alice", "7000"], 2, "7000"],
    [[CLIENT, "alice", "0.0.0.0"], 2, "0.0.0.0"],
    [[SERVER, ""], 2, '""'],
    [[SERVER, "127.0.0.1", "6001", "more"], 2, "more"],
    [[CLIENT, "alice", "127.0.0.1", "6001", "more"], 2, "more"],
    [[CLIENT, "alice", "--verbose"], 2, "--verbose"],
    [[CLIENT, "alice", ""], 2, '""'],
    [[CLIENT, "alice", "127.0.0.1", "0"], 2, '"0"'],
    [[CLIENT], 2, '""'],
  ];
  for (const text of ["abc", "-1", "65536", "1.5", ""]) {
    cases.push([[SERVER, "127.0.0.1", text], 2, `"${text}"`]);
    cases.push([[CLIENT, "alice", "127.0.0.1", text], 2, `"${text}"`]);
  }
  for (const name of ["", "two words", "x".repeat(21), "a:b", "🙂", "-x"]) {
    cases.push([[CLIENT, name], 2, name]);
  }
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

onEveryRuntime("a line that is too long", async (t, runtime) => {
  const hub = await startHub(t, others(runtime)[0]!);
  const alice = await join(t, runtime, "alice", hub.port);
  alice.write(`${"汉".repeat(334)}\nnext\n`); // 1,002 bytes
  await alice.complains(/^\* .*1002 bytes/);
  await alice.prints("* alice joined (1 here)\nalice: next\n");
  const most = "汉".repeat(333);
  alice.end(most);
  assert.equal(await alice.exits(), 0);
  await alice.prints(
    `* alice joined (1 here)\nalice: next\nalice: ${most}\n`,
  );
});

onEveryRuntime("the server closes", async (t, runtime) => {
  const command = commandOf(runtime, SERVER, "127.0.0.1", 0);
  const terminal = new Terminal(t, command);
  await terminal.until(() => /listening on port \d+\n$/.test(terminal.screen));
  const port = Number(/\d+/.exec(terminal.screen)![0]);
  const alice = await join(t, others(runtime)[0]!, "alice", port);
  const bob = await join(t, others(runtime)[1]!, "bob", port);
  terminal.type(CTRL_C);
  const closing = "* the server is closing\n";
  await alice.until(() => alice.stdout.endsWith(closing));
  await bob.until(() => bob.stdout.endsWith(closing));
  await terminal.until(() =>
    terminal.screen.endsWith("\nexit 130, settings as before\n")
  );
});

onEveryRuntime("a signal ends a server in a pipe", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const alice = await join(t, others(runtime)[0]!, "alice", hub.port);
  process.kill(hub.pid, "SIGINT");
  assert.equal(await hub.exits(), 130);
  await alice.until(() => alice.stdout.endsWith("server is closing\n"));
  assert.equal(hub.stderr, "");
});
