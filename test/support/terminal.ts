// A terminal with a program in it: what a person types, and what the screen
// shows, whatever bytes it took to show that.

import { spawn } from "@lydell/node-pty";
import xterm from "@xterm/headless";
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { endWith, ENVIRONMENT, PROJECT } from "./processes.ts";

const DEADLINE = 30_000; // ms
const SIZE = { cols: 80, rows: 24 };

export const CTRL_C = "\x03";
export const CTRL_D = "\x04";
export const CTRL_Z = "\x1a";

// The shell says how the program ended and whether it left the terminal's
// settings as they were. The line begins where a shell's prompt would. Then it
// stops until the test ends it: if it left by itself, the terminal would hang
// up, and where that is seen together with a short read, libuv (uv__stream_io)
// takes it for the end although the terminal holds more.
const SHELL = `trap : INT; settings=$(stty -g); "$@"; code=$?
[ "$(stty -g)" = "$settings" ] && echo "exit $code, settings as before"
kill -STOP $$`;

export class Terminal {
  readonly pid: number; // of the process group
  readonly #type: (keys: string) => void;
  readonly #close: () => void;
  readonly #xterm: xterm.Terminal;
  #look = () => {};

  constructor(t: Pick<TestContext, "after">, command: string[], size = SIZE) {
    this.#xterm = new xterm.Terminal({ ...size, allowProposedApi: true });
    const pty = spawn("sh", ["-c", SHELL, "sh", ...command], {
      ...size,
      cwd: PROJECT,
      env: ENVIRONMENT,
    });
    this.pid = pty.pid;
    endWith(t, this.pid);
    this.#type = (keys) => pty.write(keys);
    // So the kernel tells all that have the terminal, as no kill() does.
    this.#close = () => (pty as unknown as { destroy(): void }).destroy();
    this.#xterm.onData((answer) => pty.write(answer));
    pty.onData((data) => this.#xterm.write(data, () => this.#look()));
    t.after(() => this.#xterm.dispose());
  }

  type(keys: string) {
    this.#type(keys);
  }

  /** The window is closed, with whatever is in it. */
  close() {
    this.#close();
  }

  /** The lines on the screen, down to the one with the cursor. */
  get screen(): string {
    const { active } = this.#xterm.buffer;
    const lines: string[] = [];
    for (let y = 0; y <= active.baseY + active.cursorY; y++) {
      lines.push(active.getLine(y)!.translateToString(true));
    }
    return lines.join("\n");
  }

  /** Where the cursor is, in cells. */
  get cursor(): { x: number; y: number } {
    const { active } = this.#xterm.buffer;
    return { x: active.cursorX, y: active.baseY + active.cursorY };
  }

  /** The characters of a line and where each stands, in cells. */
  characters(y: number): { x: number; text: string }[] {
    const line = this.#xterm.buffer.active.getLine(y)!;
    const all = Array.from({ length: line.length }, (_, x) => x);
    const text = (x: number) => line.getCell(x)?.getChars() ?? "";
    return all.filter((x) => text(x) !== "").map((x) => ({ x, text: text(x) }));
  }

  /** Wait until the screen shows this and nothing else. */
  async shows(...lines: string[]) {
    const wanted = lines.join("\n");
    await this.until(() => this.screen === wanted).catch(() =>
      assert.equal(this.screen, wanted)
    );
  }

  async until(done: () => boolean) {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`waited in vain, screen:\n${this.screen}`)),
        DEADLINE,
      );
      this.#look = () => {
        if (!done()) return;
        clearTimeout(timer);
        this.#look = () => {};
        resolve();
      };
      this.#look();
    });
  }
}
