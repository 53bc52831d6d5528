// Programs under test: start one, wait for what it prints, end it for certain.

import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

export const PROJECT = fileURLToPath(new URL("../..", import.meta.url));

// What is set for the test runner (FORCE_COLOR, NODE_OPTIONS) or for programs
// that use TLS (NODE_EXTRA_CA_CERTS) makes Node warn on stderr or start late.
const inherited = Object.entries(process.env)
  .filter(([name]) => name !== "FORCE_COLOR" && !name.startsWith("NODE_"));

export const ENVIRONMENT = {
  ...Object.fromEntries(inherited),
  DENO_NO_UPDATE_CHECK: "1",
  NO_COLOR: "1",
  npm_config_loglevel: "error", // no words of npx on a screen
  PYTHONUTF8: "1",
};

const DEADLINE = 30_000; // ms, for any single thing a test waits for

const groups = new Set<number>();
process.on("exit", () => groups.forEach(endGroup));

/** End a process and all it started: tsx, for one, is two processes. */
export function endGroup(pid: number) {
  groups.delete(pid);
  try {
    process.kill(-pid, "SIGKILL");
  } catch { /* all of them have ended by themselves */ }
}

/** See to it that the process group ends with the test, however that ends. */
export function endWith(t: Pick<TestContext, "after">, pid: number) {
  groups.add(pid);
  t.after(() => endGroup(pid));
}

/** An empty folder that goes when the test ends. */
export function emptyFolder(t: Pick<TestContext, "after">): string {
  const folder = mkdtempSync(join(tmpdir(), "udp-chat-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

export class Program {
  stdout = "";
  stderr = "";
  readonly pid: number;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #closed: Promise<unknown[]>;
  #ended = false;
  #look = () => {};

  constructor(t: TestContext, command: string[], options: {
    cwd?: string;
    unread?: boolean;
  } = {}) {
    const [file = "", ...args] = command;
    this.#child = spawn(file, args, {
      cwd: options.cwd ?? PROJECT,
      env: ENVIRONMENT,
      detached: true,
    });
    assert(this.#child.pid, `cannot start ${file}`);
    this.pid = this.#child.pid;
    endWith(t, this.pid);
    this.#child.stdin.on("error", () => {}); // the program has ended: stdout and exit tell
    this.#closed = once(this.#child, "close");
    this.#child.stderr.setEncoding("utf8").on("data", (text) => {
      this.stderr += text;
      this.#look();
    });
    if (!options.unread) this.read();
    this.#child.on("close", () => {
      this.#ended = true;
      this.#look();
    });
  }

  /** Read stdout, at once or (if the program was started unread) from now on. */
  read() {
    this.#child.stdout.setEncoding("utf8").on("data", (text) => {
      this.stdout += text;
      this.#look();
    });
  }

  write(input: string | Uint8Array) {
    this.#child.stdin.write(input);
  }

  /** Write the last of the input, and close it. */
  end(input: string | Uint8Array = "") {
    this.#child.stdin.end(input);
  }

  /** Wait until all of stdout is this text. */
  async prints(text: string) {
    await this.until(() => this.stdout.length >= text.length);
    assert.equal(this.stdout, text);
  }

  /** Wait until all of stderr is this one line. */
  async complains(line: RegExp) {
    await this.until(() => this.stderr.includes("\n"));
    assert.match(this.stderr, line);
    assert.equal(this.stderr.trimEnd().split("\n").length, 1, this.stderr);
  }

  /** Wait for the end of the program and of all that it started. */
  async exits(): Promise<number | null> {
    await this.until(() => this.#ended);
    const [code] = await this.#closed;
    return code as number | null;
  }

  async until(done: () => boolean) {
    await new Promise<void>((resolve, reject) => {
      const fail = (why: string) =>
        reject(
          new Error(
            `${why}\nstdout ends: ${JSON.stringify(this.stdout.slice(-300))}` +
              `\nstderr ends: ${JSON.stringify(this.stderr.slice(-900))}`,
          ),
        );
      const timer = setTimeout(fail, DEADLINE, "waited in vain");
      this.#look = () => {
        const result = done();
        if (!result && !this.#ended) return;
        clearTimeout(timer);
        this.#look = () => {};
        result ? resolve() : fail("the program ended too early");
      };
      this.#look();
    });
  }
}
