import assert from "node:assert/strict";
import process from "node:process";
import type { TestContext } from "node:test";
import { join, others, silentPort, startHub } from "../support/group.ts";
import { commandOf } from "../support/pair.ts";
import { ofEachKind, on, type Runtime } from "../support/runtimes.ts";
import { CTRL_C, CTRL_D, CTRL_Z, Terminal } from "../support/terminal.ts";

const LEFT = "\x1b[D"; // the cursor key

const JOINED = "* alice joined (2 here)";

/** A member on a terminal. */
async function enter(t: TestContext, runtime: Runtime, port: number) {
  const args = ["alice", "127.0.0.1", port] as const;
  const command = commandOf(runtime, "group/client.ts", ...args);
  const alice = new Terminal(t, command);
  await alice.shows(JOINED, ">>>");
  return alice;
}

on(ofEachKind, "a member on a terminal", async (t, runtime) => {
  const hub = await startHub(t, others(runtime)[0]!);
  const bob = await join(t, others(runtime)[1]!, "bob", hub.port);
  const alice = await enter(t, runtime, hub.port);
  let shown = [JOINED]; // above the prompt

  await t.test("a half-typed line survives the news", async () => {
    alice.type("half a li");
    await alice.shows(...shown, ">>>half a li");
    bob.write("hello\n");
    shown.push("bob: hello");
    await alice.shows(...shown, ">>>half a li");
    alice.type("ne");
    await alice.shows(...shown, ">>>half a line");

    // With the cursor in the middle: what is typed next goes there.
    alice.type(LEFT.repeat(4));
    bob.write("two\nmore\n");
    shown.push("bob: two", "bob: more");
    await alice.shows(...shown, ">>>half a line");
    alice.type("x");
    await alice.shows(...shown, ">>>half a xline");
    alice.type("\r");
    shown.push("alice: half a xline"); // once, as everybody sees it
    await alice.shows(...shown, ">>>");
    await bob.until(() => bob.stdout.endsWith("alice: half a xline\n"));

    // With characters that are two cells wide.
    alice.type("你好世界");
    alice.type(LEFT + LEFT);
    bob.write("欢迎\n");
    shown.push("bob: 欢迎");
    await alice.shows(...shown, ">>>你好世界");
    alice.type("新");
    await alice.shows(...shown, ">>>你好新世界");
    alice.type("\r");
    shown.push("alice: 你好新世界");
    await alice.shows(...shown, ">>>");

    // On two rows.
    const long = "一二三四五六七八九十".repeat(5); // 100 cells and the prompt
    const rows = [`>>>${long.slice(0, 38)}`, long.slice(38)];
    alice.type(long);
    await alice.shows(...shown, ...rows);
    bob.write("below\n");
    shown.push("bob: below");
    await alice.shows(...shown, ...rows);
    alice.type("\r");
    await bob.until(() => bob.stdout.endsWith(`alice: ${long}\n`));
    const said = `alice: ${long}`; // 7 cells and 36 wide characters fit a row
    shown.push(said.slice(0, 43), said.slice(43));
    await alice.shows(...shown, ">>>");
  });

  await t.test("what waits for an absent server is shown", async () => {
    process.kill(-hub.pid, "SIGSTOP");
    const lines = [
      "hello",
      "你好",
      ...Array.from({ length: 5 }, (_, i) => `${i}`),
    ];
    alice.type(lines.slice(0, 2).map((line) => `${line}\r`).join(""));
    await alice.shows(...shown, "… hello", "… 你好", ">>>");
    alice.type(lines.slice(2).map((line) => `${line}\r`).join(""));
    alice.type("half a li");
    const waiting = lines.slice(0, 5).map((line) => `… ${line}`);
    await alice.shows(...shown, ...waiting, "… 2 more", ">>>half a li");
    process.kill(-hub.pid, "SIGCONT");
    await alice.until(() => alice.screen.endsWith("alice: 4\n>>>half a li"));
    const now = alice.screen.split("\n").slice(0, -1);
    const said = lines.map((line) => `alice: ${line}`);
    assert.deepEqual(now.filter((one) => !/server/.test(one)), [
      ...shown,
      ...said,
    ]);
    shown = now;
    alice.type("ne\r");
    shown.push("alice: half a line");
    await alice.shows(...shown, ">>>");
    await bob.until(() => bob.stdout.endsWith("alice: half a line\n"));
  });

  await t.test("commands", async () => {
    bob.stdout = "";
    const before = shown.length;
    alice.type("\r\r\r"); // which says nothing
    alice.type("hello\r");
    shown.push("alice: hello");
    await alice.shows(...shown, ">>>");
    alice.type("/name 爱丽丝\r");
    shown.push("* alice is now 爱丽丝");
    await alice.shows(...shown, ">>>");
    await bob.prints(`${shown.slice(before).join("\n")}\n`);
    alice.type("/who\r");
    shown.push("* 2 here: bob, 爱丽丝");
    await alice.shows(...shown, ">>>");
    alice.type("/help\r");
    await alice.until(() => /\* .*\/quit.*\n>>>$/.test(alice.screen));
    alice.type("/quit\r");
    await alice.until(() =>
      alice.screen.endsWith("\nexit 0, settings as before\n")
    );
    await bob.until(() => bob.stdout.endsWith("* 爱丽丝 left (1 here)\n"));
  });

  await t.test("its keys and its window end it", async (t) => {
    for (const [keys, code] of [[CTRL_D, 0], [CTRL_C, 130]] as const) {
      bob.stdout = "";
      const alice = await enter(t, runtime, hub.port);
      alice.type("hello\r");
      await alice.shows(JOINED, "alice: hello", ">>>");
      alice.type(keys);
      await bob.until(() => bob.stdout.endsWith("* alice left (1 here)\n"));
      const end = `exit ${code}, settings as before\n`;
      await alice.until(() => alice.screen.endsWith(end));
      assert.match(
        alice.screen,
        /^.*joined.*\nalice: hello\n(>>>.*\n)?(\* .*\n)?exit/,
      );
    }
    bob.stdout = "";
    const alice = await enter(t, runtime, hub.port);
    alice.type("half a li");
    await alice.shows(JOINED, ">>>half a li");
    alice.close(); // the terminal's window
    await bob.until(() => bob.stdout.endsWith("* alice left (1 here)\n"));
  });
});

on(ofEachKind, "a server that does not answer", async (t, runtime) => {
  const { port } = await silentPort(t);
  const args = ["alice", "127.0.0.1", port] as const;
  const command = commandOf(runtime, "group/client.ts", ...args);
  const alice = new Terminal(t, command);
  await alice.shows(">>>");
  const connecting = `* connecting to 127.0.0.1:${port} …`;
  await alice.shows(connecting, ">>>");
  alice.type("anyone?\r");
  await alice.shows(connecting, "… anyone?", ">>>");
  const away = `* the server is away, no answer from 127.0.0.1:${port}`;
  await alice.shows(connecting, away, "… anyone?", ">>>");
  alice.type(CTRL_C);
  await alice.until(() =>
    /\nexit 130, settings as before\n$/.test(alice.screen)
  );
  assert.match(alice.screen, /\nlines not delivered: 1\nexit 130/);
});

on(ofEachKind, "Ctrl+Z and fg", async (t, runtime) => {
  const hub = await startHub(t, others(runtime)[0]!);
  const bob = await join(t, others(runtime)[1]!, "bob", hub.port);
  const bash = ["env", "PS1=$ ", "bash", "--norc", "--noprofile", "-i"];
  const carol = new Terminal(t, bash);
  await carol.until(() => carol.screen.endsWith("$ "));
  const args = ["carol", "127.0.0.1", hub.port] as const;
  const command = commandOf(runtime, "group/client.ts", ...args);
  carol.type(`${command.join(" ")}\r`);
  await carol.until(() => carol.screen.endsWith("joined (2 here)\n>>>"));
  carol.type("half a li");
  await carol.until(() => carol.screen.endsWith("\n>>>half a li"));
  for (let times = 1; times <= 2; times++) {
    carol.type(CTRL_Z);
    await carol.until(() => /Stopped.*(\n.*)*\n\$ $/.test(carol.screen));
    carol.type("stty -a | grep -o '.icanon'\r"); // the shell has its keyboard
    await carol.until(() => /\n icanon\n\$ $/.test(carol.screen));
    bob.write(`meanwhile ${times}\n`);
    await bob.until(() => bob.stdout.endsWith(`bob: meanwhile ${times}\n`));
    carol.type("clear; fg\r");
    await carol.until(() =>
      carol.screen.endsWith(`\nbob: meanwhile ${times}\n>>>half a li`)
    );
  }
  carol.type("ne\r");
  await bob.until(() => bob.stdout.endsWith("carol: half a line\n"));
  carol.type("/quit\r");
  await bob.until(() => bob.stdout.endsWith("* carol left (1 here)\n"));
});
