// A terminal with a program in it: what a person types, and what the screen
// shows, whatever bytes it took to show that.

import { spawn } from "@lydell/node-pty";
import xterm from "@xterm/headless";
import assert from "node:assert/strict";
import {
  endWith,
  ENVIRONMENT,
  PROJECT,
  stir,
  type Test,
  until,
} from "./program.ts";

export const [CTRL_C, CTRL_D, CTRL_Z] = ["\x03", "\x04", "\x1a"] as const;
export const SIZE = { cols: 80, rows: 24 };

// The shell says how the program ended, and whether it left the terminal's
// settings as they were. Then it stops until the test ends it: if it left by
// itself, the terminal would hang up, and libuv might lose its last bytes.
const SHELL = `trap : INT; settings=$(stty -g); "$@"; code=$?
[ "$(stty -g)" = "$settings" ] && echo "exit $code, settings as before"
kill -STOP $$`;

/** What the shell says then. */
export const ended = (code: number) => `exit ${code}, settings as before`;

export class Screen {
  protected readonly xterm: xterm.Terminal;

  constructor(t: Test, size = SIZE) {
    this.xterm = new xterm.Terminal({ ...size, allowProposedApi: true });
    t.after(() => this.xterm.dispose());
  }

  write(text: string): Promise<void> {
    return new Promise((done) => this.xterm.write(text, done));
  }

  /** The lines down to the one with the cursor. */
  get text(): string {
    return this.#rows(this.cursor.y + 1).join("\n");
  }

  /** All that can be seen, and where the cursor is. */
  get state(): string {
    let { x, y } = this.cursor;
    // Behind a full row it is on the next one already, or will be.
    if (x === this.xterm.cols) [x, y] = [0, y + 1];
    const rows = this.#rows(this.xterm.buffer.active.length).join("\n");
    return `${rows.replace(/\n+$/, "")}\ncursor: column ${x}, row ${y}`;
  }

  get cursor(): { x: number; y: number } {
    const { active } = this.xterm.buffer;
    return { x: active.cursorX, y: active.baseY + active.cursorY };
  }

  /** So many lines, without the blanks at their ends. */
  #rows(count: number): string[] {
    const { active } = this.xterm.buffer;
    const row = (y: number) => active.getLine(y)?.translateToString(true) ?? "";
    return Array.from({ length: count }, (_, y) => row(y).trimEnd());
  }
}

export class Terminal extends Screen {
  readonly pid: number; // of the process group
  readonly type: (keys: string) => void;
  readonly close: () => void; // the window

  constructor(t: Test, command: string[], size = SIZE) {
    super(t, size);
    const options = { ...size, cwd: PROJECT, env: ENVIRONMENT };
    const pty = spawn("sh", ["-c", SHELL, "sh", ...command], options);
    this.pid = endWith(t, pty.pid);
    this.type = (keys) => pty.write(keys);
    // So the kernel tells all that have the terminal, as no kill() does.
    this.close = () => (pty as unknown as { destroy(): void }).destroy();
    this.xterm.onData((answer) => pty.write(answer));
    pty.onData((data) => this.xterm.write(data, stir));
  }

  until(done: () => unknown, ms?: number): Promise<void> {
    return until(done, () => `the screen shows\n${this.text}`, ms);
  }

  /** Wait until the screen shows these lines and nothing else. */
  async shows(...lines: string[]) {
    const wanted = lines.join("\n");
    await this.until(() => this.text === wanted)
      .catch(() => assert.equal(this.text, wanted));
  }

  async ends(text: string) {
    await this.until(() => this.text.endsWith(text))
      .catch(() => assert.fail(`${this.text}\ndoes not end with\n${text}`));
  }
}
