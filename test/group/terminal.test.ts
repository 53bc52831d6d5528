// The group on terminals: what stands on the screen, and how it is left.

import { describe } from "node:test";
import { kinds, on, other, type Runtime, withTsx } from "../support/on.ts";
import { play } from "../support/play.ts";
import {
  bound,
  commandOf,
  freePort,
  HERE,
  serve,
  start,
  type Test,
} from "../support/program.ts";
import {
  CTRL_C,
  CTRL_D,
  CTRL_Z,
  ended,
  Terminal,
} from "../support/terminal.ts";
import { openPeer } from "../support/wire.ts";

const [HUB, MEMBER] = ["group/server.ts", "group/client.ts"] as const;
const LEFT = "\x1b[D"; // the cursor key
const HELP = "* /name NEW: a new name, /who: who is here, /quit: leave";

const enter = (t: Test, runtime: Runtime, name: string, port: number) =>
  new Terminal(t, commandOf(runtime, MEMBER, name, HERE, port));

on(kinds, "two members on terminals", async (t, runtime) => {
  const hub = await serve(t, other(runtime), HUB);
  const alice = enter(t, runtime, "alice", hub.port);
  await alice.shows("* alice joined (1 here)", ">>>");
  alice.type("half a li");
  const bob = enter(t, other(runtime), "bob", hub.port);
  const shown = ["* bob joined (2 here)"]; // on both screens
  const first = "* alice joined (1 here)";
  await bob.shows(...shown, ">>>");
  await alice.shows(first, ...shown, ">>>half a li");

  /** Bob says this; alice, who has typed so much, sees it above that. */
  const hears = async (text: string, ...typed: string[]) => {
    bob.type(`${text}\r`);
    shown.push(`bob: ${text}`);
    await bob.shows(...shown, ">>>");
    await alice.shows(first, ...shown, ...typed);
  };
  /** Alice says what she has typed. */
  const says = async (...rows: string[]) => {
    alice.type("\r");
    shown.push(...rows);
    await bob.shows(...shown, ">>>");
    await alice.shows(first, ...shown, ">>>");
  };
  await hears("hello", ">>>half a li");
  alice.type(`ne${LEFT.repeat(4)}`);
  await alice.shows(first, ...shown, ">>>half a line");
  await hears("你好", ">>>half a line");
  alice.type("x"); // where the cursor was
  await alice.shows(first, ...shown, ">>>half a xline");
  alice.type(`${CTRL_Z}y`);
  await alice.shows(first, ...shown, ">>>half a xyline");
  await says("alice: half a xyline");

  const long = "0123456789".repeat(10); // on two rows
  const rows = [`>>>${long.slice(0, 77)}`, long.slice(77)];
  for (const key of long) { // pasted, it leaves an empty line above it
    alice.type(key);
    await alice.until(() => alice.text.trimEnd().endsWith(key));
  }
  await hears("欢迎", ...rows);
  await says(`alice: ${long.slice(0, 73)}`, long.slice(73));

  bob.type("\r/help\r/who\r"); // an empty line says nothing
  await bob.shows(...shown, HELP, "* 2 here: alice, bob", ">>>");
  bob.type(`half${CTRL_C}`);
  await bob.shows(...shown, HELP, "* 2 here: alice, bob", ended(130), "");
  shown.push("* bob left (1 here)");
  await alice.shows(first, ...shown, ">>>");
  alice.type(CTRL_D);
  await alice.shows(first, ...shown, ended(0), "");
});

describe("without an answer", { concurrency: 9 }, () => {
  on(kinds, "a notice above what is typed", async (t, runtime) => {
    const { port } = await openPeer(t);
    const alice = enter(t, runtime, "alice", port);
    await alice.shows(">>>");
    alice.type("anyone?\rha");
    await alice.shows(">>>ha"); // the line waits for the hub
    const notice = `* no answer from ${HERE}:${port}, lines waiting: 1`;
    await alice.shows(notice, ">>>ha");
    alice.type(CTRL_C);
    const unsaid = "lines not known to be delivered: 1";
    await alice.shows(notice, unsaid, ended(130), "");
  });
});

on(kinds, "the window is closed", async (t, runtime) => {
  const hub = await serve(t, other(runtime), HUB);
  const alice = enter(t, runtime, "alice", hub.port);
  await alice.shows("* alice joined (1 here)", ">>>");
  alice.close();
  await play({ hub })`
    hub > * alice joined (1 here)
    hub > * alice left (0 here)`;
});

on(withTsx, "Ctrl+C at the hub", async (t, runtime) => {
  const port = await freePort();
  const command = commandOf(runtime, HUB, HERE, port);
  const hub = await bound(new Terminal(t, command), port);
  const alice = start(t, other(runtime), MEMBER, "alice", HERE, port);
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
