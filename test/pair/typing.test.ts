// What a person types on a terminal, and what the screen then shows: the
// program is a server, for it shows a message at any moment of the typing. A
// second terminal, into which we write what should be there, tells where all
// characters and the cursor have to be.

import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { all, on, type Runtime } from "../support/on.ts";
import { bound, freePort, ours, type Test } from "../support/program.ts";
import {
  CTRL_C,
  CTRL_D,
  CTRL_Z,
  ended,
  Screen,
  Terminal,
} from "../support/terminal.ts";
import { openPeer } from "../support/wire.ts";

const SIZE = { cols: 40, rows: 50 };
const [LEFT, HOME, END] = ["\x1b[D", "\x1b[H", "\x1b[F"] as const;
const [BACKSPACE, DELETE] = ["\x7f", "\x1b[3~"] as const;

const xs = (count: number) => "x".repeat(count);
const x = (count: number) => [...xs(count)];

/** A server on a terminal, what it has to show, and somebody to talk to. */
async function openDesk(t: Test, runtime: Runtime) {
  const port = await freePort();
  const command = ours(runtime)("server", port);
  const terminal = await bound(new Terminal(t, command, SIZE), port);
  const peer = await openPeer(t);
  let shown = "";

  /** From now on, these lines stand above what is typed. */
  function adds(...lines: string[]) {
    shown += lines.map((line) => `${line}\r\n`).join("");
  }

  /** Wait until this stands below them; "|" is the cursor, if not at its end. */
  async function shows(line: string) {
    const oracle = new Screen(t, SIZE);
    const [before = "", behind = ""] = line.split("|");
    await oracle.write(shown + before);
    const [cursor] = /\ncursor.*/.exec(oracle.state)!;
    await oracle.write(behind);
    const wanted = oracle.state.replace(/\ncursor.*/, cursor);
    await terminal.until(() => terminal.state === wanted)
      .catch(() => assert.equal(terminal.state, wanted));
  }

  /** Somebody says hello, and these lines stand below it, the last half typed. */
  async function hears(...lines: string[]) {
    await peer.send("hello", port);
    adds(`来自[127.0.0.1:${peer.port}]的消息: hello`, ...lines.slice(0, -1));
    await shows(lines.at(-1)!);
  }

  /** Press key after key, each when the one before is on the screen. */
  async function types(keys: string[]) {
    for (const key of keys) {
      const before = terminal.state;
      terminal.type(key);
      const changed = terminal.until(() => terminal.state !== before);
      await Promise.race([changed.catch(() => {}), pause(500)]); // one may not
    }
  }

  /** Press Enter, where this line stands at the prompt, and see it sent. */
  async function enters(line: string) {
    terminal.type("\r");
    await peer.receives(line);
    adds(`>>>${line}`);
    // When a row was full, readline went on to the next one before it had to.
    const width = line.replace(/[\u2e80-\uffff]/g, "xx").length + 3;
    if (line !== "" && width % SIZE.cols === 0) adds("");
    await shows("");
  }

  return { type: terminal.type, peer, adds, shows, hears, types, enters };
}

// Keys before a message comes, what then stands there, "|" being the cursor; keys
// after it, and what is sent in the end.
const HALVES: [string[], string, string[], string][] = [
  [[], "", [..."hello"], "hello"],
  [[..."ab"], "ab", ["c"], "abc"],
  [[..."abc", LEFT, LEFT], "a|bc", ["X"], "aXbc"],
  [[..."世界"], "世界", [BACKSPACE, "上"], "世上"],
  [[..."世界", LEFT], "世|界", [BACKSPACE], "界"],
  [x(36), xs(36), ["y"], `${xs(36)}y`],
  [x(37), xs(37), ["y"], `${xs(37)}y`],
  [x(40), xs(40), ["y"], `${xs(40)}y`],
  [[xs(40)], xs(40), ["y"], `${xs(40)}y`], // pasted
  [[...x(39), "世"], `${xs(39)}世`, [BACKSPACE], xs(39)],
  [x(60), xs(60), ["y"], `${xs(60)}y`],
  [Array(45).fill("世"), "世".repeat(45), [BACKSPACE], "世".repeat(44)],
  [[...x(100), HOME], `|${xs(100)}`, ["y"], `y${xs(100)}`],
  [[...x(40), HOME], `|${xs(40)}`, ["y"], `y${xs(40)}`],
  [[...x(60), LEFT.repeat(30)], `${xs(30)}|${xs(30)}`, [BACKSPACE], xs(59)],
];

on(all, "a message goes above a line half typed", async (t, runtime) => {
  const desk = await openDesk(t, runtime);
  for (const [before, line, after, sent] of HALVES) {
    // Deno's readline is a row out there: it leaves one blank, and no more.
    if (/Deno/.test(runtime.name) && line.endsWith("x世")) continue;
    await desk.types(before);
    await desk.shows(line);
    await desk.hears(`>>>${line}`);
    await desk.types(after);
    await desk.enters(sent);
  }
});

// Keys at the prompt, and what then stands there.
const EDITS: [string[], string][] = [
  [[..."世界", BACKSPACE], "世"],
  [["a", "😀", BACKSPACE, "b"], "ab"],
  [[..."ab", LEFT, "世", BACKSPACE, "X"], "aX|b"],
  [[..."bcd", HOME, "a", END, "e"], "abcde"],
  [[..."ab", LEFT, LEFT, DELETE], "|b"],
  [[..."ab", HOME, CTRL_D], "|b"], // where it isn't the end of the input
  [[CTRL_Z, "a", CTRL_Z, "b"], "ab"],
  [x(37), xs(37)],
  [[...x(38), BACKSPACE, BACKSPACE], xs(36)],
  [[...x(80), ...Array(50).fill(BACKSPACE)], xs(30)],
  [[], ""],
  [["0123456789".repeat(180)], "0123456789".repeat(180)], // pasted
];

on(all, "a line is edited at the prompt", async (t, runtime) => {
  const desk = await openDesk(t, runtime);
  for (const [keys, line] of EDITS) {
    await desk.hears(">>>");
    await desk.types(keys);
    await desk.shows(`>>>${line}`);
    await desk.enters(line.replace("|", ""));
  }
});

const AHEAD = ["one", "", xs(37), xs(39), xs(60), "世".repeat(30), "six"];

on(all, "lines typed ahead are sent at their prompts", async (t, runtime) => {
  const desk = await openDesk(t, runtime);
  desk.type(AHEAD.map((line) => `${line}\r`).join("") + "half");
  desk.adds(...AHEAD); // they stay where they were typed
  await desk.shows("half");
  for (const line of AHEAD) {
    await desk.hears(`>>>${line}`, "half");
    await desk.peer.receives(line);
  }
  await desk.hears(">>>half");
  await desk.enters("half");

  // At a prompt, the first of them is not ahead.
  await desk.hears(">>>");
  desk.type("one\rtwo\rha");
  await desk.peer.receives("one");
  desk.adds(">>>one", "two");
  await desk.shows("ha");
  await desk.hears(">>>two", "ha");
  await desk.peer.receives("two");
});

// The key that ends it, how, after which keys; what of the line stays. "hears":
// somebody has said something, and the prompt is there.
const MANY = "x\r\n".repeat(1100); // more than readline's iterator wants to hold
const ENDS: [string, string, number, string[], string, "hears"?][] = [
  ["Ctrl+C at the prompt", CTRL_C, 130, [], ">>>", "hears"],
  ["Ctrl+C behind a line", CTRL_C, 130, [..."ab"], "ab"],
  ["Ctrl+C behind 39 of 40 columns", CTRL_C, 130, x(39), xs(39)],
  ["Ctrl+C behind 1,100 lines", CTRL_C, 130, [MANY.replaceAll("\n", "")], MANY],
  ["Ctrl+D before the first prompt", CTRL_D, 0, [], ""],
  ["Ctrl+D at the prompt", CTRL_D, 0, [], ">>>", "hears"],
  ["Ctrl+D, a line erased", CTRL_D, 0, ["a", "b", BACKSPACE, BACKSPACE], ""],
];

for (const [title, key, code, keys, stays, hears] of ENDS) {
  on(all, title, async (t, runtime) => {
    const desk = await openDesk(t, runtime);
    if (hears) await desk.hears(">>>");
    await desk.types(keys);
    await desk.shows(stays);
    desk.type(key);
    desk.adds(stays, ended(code));
    await desk.shows("");
  });
}

on(all, "a line that comes together with Ctrl+D", async (t, runtime) => {
  const desk = await openDesk(t, runtime);
  await desk.hears(">>>");
  desk.type("bye\r" + CTRL_D);
  await desk.peer.receives("bye");
  desk.adds(">>>bye", "", ended(0));
  await desk.shows("");
});
