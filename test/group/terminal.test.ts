// A member of the group, and the hub, on terminals. That a line half typed stays
// where it is, test/pair/typing.test.ts tells in detail.

import { on, other, runtimes } from "../support/on.ts";
import { type Cast, group, play } from "../support/play.ts";
import {
  bound,
  commandOf,
  freePort,
  HERE,
  type Program,
  start,
} from "../support/program.ts";
import {
  CTRL_C,
  CTRL_D,
  CTRL_Z,
  ended,
  Terminal,
} from "../support/terminal.ts";

const LEFT = "\x1b[D"; // the cursor key
const JOINED = "* alice joined (2 here)";

on(runtimes, "a member on a terminal", async (t, runtime) => {
  const cast = await group(t, runtime, "bob");
  const { hub, bob } = cast as Cast & Record<"hub" | "bob", Program>;
  const command = commandOf(
    runtime,
    "group/client.ts",
    "alice",
    HERE,
    hub.port,
  );
  const alice = new Terminal(t, command);
  await alice.shows(JOINED, ">>>");

  const shown = [JOINED]; // above the prompt
  alice.type("half a li");
  await alice.shows(...shown, ">>>half a li");
  bob.send("hello");
  shown.push("bob: hello");
  await alice.shows(...shown, ">>>half a li");
  alice.type("ne" + LEFT.repeat(4));
  await alice.until(() =>
    alice.text.endsWith(">>>half a line") && alice.cursor.x === 10
  );
  bob.send("你好");
  shown.push("bob: 你好");
  await alice.shows(...shown, ">>>half a line");
  alice.type("x");
  await alice.shows(...shown, ">>>half a xline");
  alice.type("\r");
  shown.push("alice: half a xline"); // once, as everybody sees it
  await alice.shows(...shown, ">>>");

  const long = "一二三四五六七八九十".repeat(5); // 100 cells and the prompt
  alice.type(long);
  await alice.shows(...shown, `>>>${long.slice(0, 38)}`, long.slice(38));
  alice.type("\r");
  shown.push(`alice: ${long.slice(0, 36)}`, long.slice(36));
  await alice.shows(...shown, ">>>");

  alice.type("\r\r/who\r");
  shown.push("* 2 here: bob, alice");
  await alice.shows(...shown, ">>>");
  alice.type("/help\r");
  await alice.until(() => /\n\* .*\/quit.*\n>>>$/.test(alice.text));
  alice.type(CTRL_Z + "bye\r" + CTRL_D); // what is said is delivered
  await bob.until(() =>
    bob.stdout.endsWith("alice: bye\n* alice left (1 here)\n")
  );
  await alice.ends(`\n${ended(0)}\n`);
});

on(runtimes, "the keys and the window end a member", async (t, runtime) => {
  const cast = await group(t, runtime, "bob");
  const { hub, bob } = cast as Cast & Record<"hub" | "bob", Program>;
  const command = commandOf(
    runtime,
    "group/client.ts",
    "alice",
    HERE,
    hub.port,
  );
  for (const [key, code] of [[CTRL_D, 0], [CTRL_C, 130], ["", 0]] as const) {
    const alice = new Terminal(t, command);
    await alice.shows(JOINED, ">>>");
    if (key === "") alice.close();
    else {
      alice.type(key);
      await alice.until(() => alice.text.endsWith(`\n${ended(code)}\n`));
    }
    await play({ hub, bob })`
      hub bob > ${JOINED}
      hub bob > * alice left (1 here)`;
  }
});

on(runtimes, "Ctrl+C twice leaves at once", async (t, runtime) => {
  const port = await freePort(); // where nobody is
  const command = commandOf(runtime, "group/client.ts", "alice", HERE, port);
  const alice = new Terminal(t, command);
  await alice.shows(">>>");
  alice.type("hello\r");
  await alice.shows(">>>");
  alice.type(CTRL_C + CTRL_C);
  await alice.shows("lines not known to be delivered: 1", ended(130), "");
});

on(runtimes, "a hub on a terminal", async (t, runtime) => {
  const port = await freePort();
  const command = commandOf(runtime, "group/server.ts", HERE, port);
  const hub = await bound(new Terminal(t, command), port);
  const alice = start(
    t,
    other(runtime),
    "group/client.ts",
    "alice",
    HERE,
    port,
  );
  await play({ alice })`alice > * alice joined (1 here)`;
  hub.type(CTRL_C);
  await play({ alice })`alice > * the server is closing`;
  await hub.shows(
    "* alice joined (1 here)",
    "^C* the server is closing",
    ended(130),
    "",
  );
});
