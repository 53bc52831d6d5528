// What a person types on a terminal, and what the screen then shows: the
// program is a server, for it shows a message at any moment of the typing.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { commandOf } from "../support/pair.ts";
import { onEveryRuntime, type Runtime } from "../support/runtimes.ts";
import { CTRL_C, CTRL_D, Terminal } from "../support/terminal.ts";
import { openPeer, type Peer } from "../support/udp.ts";

const SIZE = { cols: 40, rows: 24 };
const [LEFT, HOME, END, UP] = ["\x1b[D", "\x1b[H", "\x1b[F", "\x1b[A"];
const [BACKSPACE, DELETE] = ["\x7f", "\x1b[3~"];

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

  /** Wait until the screen shows all that was shown before, and this line. */
  async shows(line: string) {
    const wanted = [...this.shown, line].flatMap(rowsOf).join("\n");
    // A full last row may have put the cursor on the next one, or not yet.
    const same = () => this.terminal.screen.replace(/\n$/, "") === wanted;
    await this.terminal.until(same).catch(() =>
      assert.equal(this.terminal.screen, wanted)
    );
  }
}

async function startDesk(t: TestContext, runtime: Runtime): Promise<Desk> {
  const command = commandOf(runtime, "server.ts", "127.0.0.1", 0);
  const terminal = new Terminal(t, command, SIZE);
  await terminal.until(() => /listening on port \d+\n$/.test(terminal.screen));
  const port = Number(/\d+/.exec(terminal.screen));
  return new Desk(terminal, await openPeer(t), port);
}

// Typed before a message comes; what then stands there and how many cells of
// it are behind the cursor; typed after it; what is sent in the end.
const HALVES: [string, string, number, string, string][] = [
  ["", "", 0, "hello", "hello"],
  ["ab", "ab", 0, "c", "abc"],
  ["abc" + LEFT + LEFT, "abc", 2, "X", "aXbc"],
  ["世界", "世界", 0, BACKSPACE + "上", "世上"],
  ["世界" + LEFT, "世界", 2, BACKSPACE, "界"],
  ["x".repeat(36), "x".repeat(36), 0, "y", "x".repeat(36) + "y"],
  ["x".repeat(37), "x".repeat(37), 0, "y", "x".repeat(37) + "y"],
  ["x".repeat(40), "x".repeat(40), 0, "y", "x".repeat(40) + "y"],
  ["x".repeat(39) + "世", "x".repeat(39) + "世", 0, "", "x".repeat(39) + "世"],
  ["x".repeat(60), "x".repeat(60), 0, "y", "x".repeat(60) + "y"],
  ["世".repeat(45), "世".repeat(45), 0, "", "世".repeat(45)],
  ["x".repeat(100) + HOME, "x".repeat(100), 100, "y", "y" + "x".repeat(100)],
  ["x".repeat(40) + HOME, "x".repeat(40), 40, "y", "y" + "x".repeat(40)],
  [
    "x".repeat(90) + LEFT.repeat(50),
    "x".repeat(90),
    50,
    DELETE,
    "x".repeat(89),
  ],
];

onEveryRuntime("a message goes above a line half typed", async (t, runtime) => {
  const desk = await startDesk(t, runtime);
  for (const [before, line, behind, after, sent] of HALVES) {
    desk.terminal.type(before);
    await desk.shows(line);
    await desk.peer.send("hello", desk.port);
    desk.shown.push(`${desk.from}hello`);
    await desk.shows(`>>>${line}`);
    const x = (width(`>>>${line}`) - behind) % SIZE.cols;
    const wide = rowsOf(`>>>${line}`).length > 1 && line.endsWith("世");
    if (!wide) assert.equal(desk.terminal.cursor.x, x, `cursor in ${line}`);
    desk.terminal.type(`${after}\r`);
    await desk.peer.receives(sent);
    desk.shown.push(`>>>${sent}`);
    await desk.shows("");
  }
});

// What is typed at the prompt, and the line that is sent.
const EDITS: [string, string][] = [
  ["世界" + BACKSPACE, "世"],
  ["a😀" + BACKSPACE + "b", "ab"],
  ["ab" + LEFT + "世" + BACKSPACE + "X", "aXb"],
  ["bcd" + HOME + "a" + END + "e", "abcde"],
  ["ab" + LEFT.repeat(9) + BACKSPACE + DELETE, "b"],
  [UP, "b"],
  [UP.repeat(3) + "f", "abcdef"],
  ["ab" + HOME + CTRL_D, "b"], // not at the end of the input
  ["x".repeat(37), "x".repeat(37)],
  ["x".repeat(38) + BACKSPACE + BACKSPACE, "x".repeat(36)],
  ["x".repeat(80) + BACKSPACE.repeat(50), "x".repeat(30)],
  [" two  spaces ", " two  spaces "],
  ["", ""],
];

onEveryRuntime("a line is edited at the prompt", async (t, runtime) => {
  const desk = await startDesk(t, runtime);
  for (const [keys, line] of EDITS) {
    await desk.peer.send("hello", desk.port);
    desk.shown.push(`${desk.from}hello`);
    await desk.shows(">>>");
    desk.terminal.type(keys);
    await desk.shows(`>>>${line}`);
    desk.terminal.type("\r");
    await desk.peer.receives(line);
    desk.shown.push(`>>>${line}`);
    await desk.shows("");
  }
});

const AHEAD = ["one", "", "x".repeat(37), "x".repeat(40), "世".repeat(20)];
AHEAD.push("x".repeat(100), "世".repeat(50), "seven");

onEveryRuntime(
  "lines typed ahead come at their prompts",
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
    await desk.peer.send("hello", desk.port);
    desk.shown.push(`${desk.from}hello`);
    await desk.shows(">>>half");
    desk.terminal.type("\r");
    await desk.peer.receives("half");
  },
);

onEveryRuntime("lines typed ahead at a prompt", async (t, runtime) => {
  const desk = await startDesk(t, runtime);
  await desk.peer.send("hello", desk.port);
  desk.shown.push(`${desk.from}hello`);
  await desk.shows(">>>");
  desk.terminal.type("one\rtwo\rha");
  await desk.peer.receives("one");
  desk.shown.push(">>>one");
  await desk.shows("ha");
  await desk.peer.send("hello", desk.port);
  await desk.peer.receives("two");
  desk.shown.push(`${desk.from}hello`, ">>>two");
  await desk.shows("ha");
});

const PASTED = "0123456789".repeat(1000);

onEveryRuntime("a pasted line of 10,000 characters", async (t, runtime) => {
  const desk = await startDesk(t, runtime);
  await desk.peer.send("hello", desk.port);
  desk.shown.push(`${desk.from}hello`);
  await desk.shows(">>>");
  desk.terminal.type(PASTED);
  await desk.shows(`>>>${PASTED}`);
  desk.terminal.type("\r");
  await desk.peer.receives(PASTED);
  desk.shown.push(`>>>${PASTED}`);
  await desk.shows("");
});

// What is half typed when the program ends, and what then stands on the screen.
for (
  const [key, keys, code] of [
    ["Ctrl+C", CTRL_C, 130],
    ["Ctrl+D", CTRL_D, 0],
  ] as const
) {
  for (
    const [where, typed, rows] of [
      ["on an empty line", "", [""]],
      ["before a line", "x".repeat(60) + HOME, rowsOf("x".repeat(60))],
      ["at the end of a row", "x".repeat(40), rowsOf("x".repeat(40))],
    ] as const
  ) {
    if (typed && key === "Ctrl+D") continue; // it deletes a character, or none
    onEveryRuntime(`${key} ${where} ends it`, async (t, runtime) => {
      const desk = await startDesk(t, runtime);
      desk.terminal.type(typed);
      await desk.shows(typed.replace(HOME, ""));
      desk.terminal.type(keys);
      const end = [`exit ${code}, settings as before`, ""];
      await desk.terminal.shows(...desk.shown, ...rows, ...end);
    });
  }
}
