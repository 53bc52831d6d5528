import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { join, others, startHub } from "../support/group.ts";
import { commandOf } from "../support/pair.ts";
import { onEveryRuntime, type Runtime } from "../support/runtimes.ts";
import { CTRL_C, CTRL_D, Terminal } from "../support/terminal.ts";

const LEFT = "\x1b[D"; // the cursor key

/** A member on a terminal, and bob in a pipe. */
async function meet(t: TestContext, runtime: Runtime) {
  const hub = await startHub(t, others(runtime)[0]!);
  const bob = await join(t, others(runtime)[1]!, "bob", hub.port);
  const args = ["alice", "127.0.0.1", hub.port] as const;
  const command = commandOf(runtime, "group/client.ts", ...args);
  const alice = new Terminal(t, command);
  await alice.shows("* alice joined (2 here)", ">>>");
  return { hub, bob, alice };
}

onEveryRuntime("a half-typed line survives the news", async (t, runtime) => {
  const { bob, alice } = await meet(t, runtime);
  const shown = ["* alice joined (2 here)"];

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
});

onEveryRuntime("a half-typed line on two rows", async (t, runtime) => {
  const { bob, alice } = await meet(t, runtime);
  const shown = ["* alice joined (2 here)"];
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

onEveryRuntime("commands on a terminal", async (t, runtime) => {
  const { alice } = await meet(t, runtime);
  const shown = ["* alice joined (2 here)"];
  alice.type("/name 爱丽丝\r");
  await alice.shows(...shown, "* alice is now 爱丽丝", ">>>");
  alice.type("/who\r");
  shown.push("* alice is now 爱丽丝", "* 2 here: bob, 爱丽丝");
  await alice.shows(...shown, ">>>");
  alice.type("/help\r");
  await alice.until(() => /\* .*\/quit.*\n>>>$/.test(alice.screen));
  alice.type("/quit\r");
  await alice.until(() =>
    alice.screen.endsWith("\nexit 0, settings as before\n")
  );
});

for (
  const [key, keys, code] of [
    ["Ctrl+D", CTRL_D, 0],
    ["Ctrl+C", CTRL_C, 130],
  ] as const
) {
  onEveryRuntime(`${key} on a terminal`, async (t, runtime) => {
    const { alice, bob } = await meet(t, runtime);
    alice.type("hello\r");
    await alice.shows("* alice joined (2 here)", "alice: hello", ">>>");
    alice.type(keys);
    await bob.until(() => bob.stdout.endsWith("* alice left (1 here)\n"));
    const end = `exit ${code}, settings as before\n`;
    await alice.until(() => alice.screen.endsWith(end));
    assert.match(
      alice.screen,
      /^.*joined.*\nalice: hello\n(>>>.*\n)?(\* .*\n)?exit/,
    );
  });
}
