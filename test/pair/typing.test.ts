// What a person types on a terminal, and what the screen then shows: the
// program is a server, for it shows a message at any moment of the typing.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { commandOf } from "../support/pair.ts";
import {
  on,
  onEveryRuntime,
  type Runtime,
  withOlderBuns,
} from "../support/runtimes.ts";
import { CTRL_C, CTRL_D, Terminal } from "../support/terminal.ts";
import { openPeer, type Peer } from "../support/udp.ts";

const SIZE = { cols: 40, rows: 24 };
const [LEFT, HOME, END] = ["\x1b[D", "\x1b[H", "\x1b[F"];
const [UP, DOWN] = ["\x1b[A", "\x1b[B"];
const [BACKSPACE, DELETE] = ["\x7f", "\x1b[3~"];

const xs = (count: number) => "x".repeat(count);
const x = (count: number) => [...xs(count)];

/** The cells that this text takes: two for the wide characters used here. */
const width = (text: string) => text.replace(/[\u2e80-\uffff]/g, "xx").length;

/** The rows that a line takes on the screen. */
function rowsOf(line: string): string[] {
  const rows = [""];
  for (const character of line) {
    if (width(rows.at(-1) + character) > SIZE.cols) rows.push("");
    rows[rows.length - 1] += character;
  }
  return rows;
}

/** A server on a terminal, what the screen shows, and somebody to talk to. */
class Desk {
  readonly terminal: Terminal;
  readonly peer: Peer;
  readonly port: number;
  readonly shown: string[];

  constructor(terminal: Terminal, peer: Peer, port: number) {
    this.terminal = terminal;
    this.peer = peer;
    this.port = port;
    this.shown = [`listening on port ${port}`];
  }

  get from() {
    return `来自[127.0.0.1:${this.peer.port}]的消息: `;
  }

  /**
   * Wait until the screen shows all that was shown before, and this line, with
   * so many cells of it behind the cursor.
   */
  async shows(line: string, behind = 0) {
    const last = rowsOf(line).at(-1)!;
    const below = behind === 0
      ? 0
      : Math.ceil((behind - width(last)) / SIZE.cols);
    const cell = (width(last) - behind + below * SIZE.cols) % SIZE.cols;
    // The screen is read down to the cursor. Behind a full row the cursor is
    // either still there or on the next one already.
    const wanted = [...this.shown, line].flatMap(rowsOf);
    const rows = wanted.slice(0, wanted.length - below).join("\n");
    const isFull = behind === 0 && width(last) === SIZE.cols;
    const { terminal } = this;
    await terminal.until(() =>
      isFull
        ? terminal.screen.replace(/\n ?$/, "") === rows
        : terminal.screen === rows && terminal.cursor.x === cell
    ).catch(() => {
      assert.equal(terminal.screen, rows);
      assert.equal(terminal.cursor.x, cell, "the cursor");
    });
  }

  /** Somebody says hello, and this line stands below it. */
  async hears(line: string, behind = 0) {
    await this.peer.send("hello", this.port);
    this.shown.push(`${this.from}hello`);
    await this.shows(line, behind);
  }

  /** Press Enter, where this line stands at the prompt, and see it sent. */
  async enters(line: string) {
    this.terminal.type("\r");
    await this.peer.receives(line);
    this.shown.push(`>>>${line}`);
    // When a row was full, readline went on to the next one before it had to.
    if (rowsOf(`>>>${line}x`).at(-1) === "x") this.shown.push(" ");
    await this.shows("");
  }
}

/** Press key after key, each when the terminal has shown the one before. */
async function press(terminal: Terminal, keys: string[]) {
  for (const key of keys) {
    const state = () => JSON.stringify([terminal.screen, terminal.cursor]);
    const before = state();
    terminal.type(key);
    // What came in two pieces may look as before: what follows tells.
    await Promise.race([terminal.until(() => state() !== before), pause(1000)]);
  }
}

async function startDesk(
  t: TestContext,
  runtime: Runtime,
  size = SIZE,
): Promise<Desk> {
  const command = commandOf(runtime, "server.ts", "127.0.0.1", 0);
  const terminal = new Terminal(t, command, size);
  await terminal.until(() => /listening on port \d+\n$/.test(terminal.screen));
  const port = Number(/\d+/.exec(terminal.screen));
  return new Desk(terminal, await openPeer(t), port);
}

// Keys before a message comes; what then stands there and how many cells of it
// are behind the cursor; keys after it; what is sent in the end.
const HALVES: [string[], string, number, string[], string][] = [
  [[], "", 0, [..."hello"], "hello"],
  [[..."ab"], "ab", 0, ["c"], "abc"],
  [[..."abc", LEFT, LEFT], "abc", 2, ["X"], "aXbc"],
  [[..."世界"], "世界", 0, [BACKSPACE, "上"], "世上"],
  [[..."世界", LEFT], "世界", 2, [BACKSPACE], "界"],
  [x(36), xs(36), 0, ["y"], `${xs(36)}y`],
  [x(37), xs(37), 0, ["y"], `${xs(37)}y`],
  [x(40), xs(40), 0, ["y"], `${xs(40)}y`],
  [[xs(40)], xs(40), 0, ["y"], `${xs(40)}y`], // pasted
  [[...x(39), "世"], `${xs(39)}世`, 0, [BACKSPACE], xs(39)],
  [x(60), xs(60), 0, ["y"], `${xs(60)}y`],
  [Array(45).fill("世"), "世".repeat(45), 0, [BACKSPACE], "世".repeat(44)],
  [[...x(100), HOME], xs(100), 100, ["y"], `y${xs(100)}`],
  [[...x(40), HOME], xs(40), 40, ["y"], `y${xs(40)}`],
  [[...x(60), ...Array(30).fill(LEFT)], xs(60), 30, [BACKSPACE], xs(59)],
];

on(
  withOlderBuns,
  "a message goes above a line half typed",
  async (t, runtime) => {
    const desk = await startDesk(t, runtime);
    for (const [before, line, behind, after, sent] of HALVES) {
      await press(desk.terminal, before);
      await desk.shows(line, behind);
      await desk.hears(`>>>${line}`, behind);
      await press(desk.terminal, after);
      await desk.enters(sent);
    }
  },
);

// Keys at the prompt, the line that is sent, and the cells behind the cursor.
const EDITS: [string[], string, number?][] = [
  [[..."世界", BACKSPACE], "世"],
  [["a", "😀", BACKSPACE, "b"], "ab"],
  [[..."ab", LEFT, "世", BACKSPACE, "X"], "aXb", 1],
  [[..."bcd", HOME, "a", END, "e"], "abcde"],
  [[..."ab", LEFT, LEFT, DELETE], "b", 1],
  [[UP], "b"],
  [[UP, UP, "f"], "abcdef"],
  [[UP, DOWN, "g"], "g"],
  [[..."ab", HOME, CTRL_D], "b", 1], // where it isn't the end of the input
  [x(37), xs(37)],
  [[...x(38), BACKSPACE, BACKSPACE], xs(36)],
  [[...x(80), ...Array(50).fill(BACKSPACE)], xs(30)],
  [[..." two  spaces "], " two  spaces "],
  [[], ""],
];

on(withOlderBuns, "a line is edited at the prompt", async (t, runtime) => {
  const desk = await startDesk(t, runtime);
  for (const [keys, line, behind] of EDITS) {
    await desk.hears(">>>");
    await press(desk.terminal, keys);
    await desk.shows(`>>>${line}`, behind);
    await desk.enters(line);
  }
});

const ENDED = "exit 0, settings as before";
const AHEAD = ["one", "", xs(37), xs(39), xs(60), "世".repeat(30), "six"];

on(
  withOlderBuns,
  "lines typed ahead come at their prompts, or are counted at the end",
  async (t, runtime) => {
    const desk = await startDesk(t, runtime);
    desk.terminal.type(AHEAD.map((line) => `${line}\r`).join("") + "half");
    await desk.shows("half"); // the lines have left the screen
    for (const line of AHEAD) {
      await desk.peer.send("hello", desk.port);
      await desk.peer.receives(line);
      desk.shown.push(`${desk.from}hello`, `>>>${line}`);
      await desk.shows("half");
    }
    await desk.hears(">>>half");
    await desk.enters("half");

    // At a prompt, the first of them is not ahead.
    await desk.hears(">>>");
    desk.terminal.type("one\rtwo\rha");
    await desk.peer.receives("one");
    desk.shown.push(">>>one");
    await desk.shows("ha");
    await desk.peer.send("hello", desk.port);
    await desk.peer.receives("two");
    desk.shown.push(`${desk.from}hello`, ">>>two");
    await desk.shows("ha");

    desk.terminal.type("lf\rlast\r"); // in vain
    await desk.shows("");
    desk.terminal.type(CTRL_D);
    desk.shown.push("lines not sent: 2", ENDED);
    await desk.shows("");
  },
);

on(
  withOlderBuns,
  "a line that comes together with Ctrl+D is sent",
  async (t, runtime) => {
    const desk = await startDesk(t, runtime);
    await desk.hears(">>>");
    desk.terminal.type("bye\r" + CTRL_D);
    await desk.peer.receives("bye");
    desk.shown.push(">>>bye", "", ENDED);
    await desk.shows("");
  },
);

// More than readline's iterator wants to hold.
onEveryRuntime("Ctrl+C behind 1,100 lines typed ahead", async (t, runtime) => {
  const { terminal } = await startDesk(t, runtime);
  terminal.type("x\r".repeat(1100));
  terminal.type(CTRL_C);
  await terminal.until(() => /\nexit 130, .*\n$/.test(terminal.screen));
});

onEveryRuntime("a pasted line of 10,000 characters", async (t, runtime) => {
  // Deno's readline writes the line again with each row: 10,000 take a minute.
  const count = runtime.name === "Deno" ? 2000 : 10_000;
  const pasted = "0123456789".repeat(count / 10);
  // readline cannot write a line again that is higher than the terminal.
  const desk = await startDesk(t, runtime, { ...SIZE, rows: 300 });
  await desk.hears(">>>");
  desk.terminal.type(pasted);
  await desk.shows(`>>>${pasted}`);
  desk.terminal.type("\r");
  await desk.peer.receives(pasted);
  desk.shown.push(`>>>${pasted}`);
  await desk.shows("");
});

// The key that ends it, how, after which keys; and what of the line stays: all
// that is below the cursor makes room for the shell.
const ENDS: [string, string, number, string[], string[]][] = [
  ["Ctrl+C on an empty line", CTRL_C, 130, [], [""]],
  ["Ctrl+C behind a line", CTRL_C, 130, [..."ab"], ["ab"]],
  ["Ctrl+C in a line of two rows", CTRL_C, 130, [...x(60), HOME], [xs(40)]],
  ["Ctrl+C behind a full row", CTRL_C, 130, x(40), [xs(40), ""]],
  ["Ctrl+D before the first prompt", CTRL_D, 0, [], [""]],
  ["Ctrl+D, a line erased", CTRL_D, 0, ["a", "b", BACKSPACE, BACKSPACE], [""]],
];

for (const [title, key, code, keys, stays] of ENDS) {
  on(withOlderBuns, title, async (t, runtime) => {
    const { terminal, shown } = await startDesk(t, runtime);
    await press(terminal, keys);
    terminal.type(key);
    await terminal.until(() => terminal.screen.endsWith("before\n"));
    const rows = terminal.screen.split("\n").map((row) => row.trimEnd());
    const end = [`exit ${code}, settings as before`, ""];
    assert.deepEqual(rows, [...shown, ...stays, ...end]);
  });
}
