// A program under test: start it, wait for what it shows, end it for certain.

import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { NOT_LINUX, socketOf } from "./linux.ts";
import type { Runtime } from "./on.ts";
import type { Terminal } from "./terminal.ts";

export const PROJECT = fileURLToPath(new URL("../..", import.meta.url));
export const HERE = "127.0.0.1";
export type Word = string | number;
export type Test = Pick<TestContext, "after">;

// What is set for the test runner (FORCE_COLOR, NODE_OPTIONS) or for programs
// that use TLS (NODE_EXTRA_CA_CERTS) makes a runtime say more, or start late.
const inherited = Object.entries(process.env)
  .filter(([name]) => name !== "FORCE_COLOR" && !name.startsWith("NODE_"));
export const ENVIRONMENT = {
  ...Object.fromEntries(inherited),
  DENO_NO_UPDATE_CHECK: "1",
  NO_COLOR: "1",
  npm_config_loglevel: "error", // no words of npx on a screen
  PYTHONUTF8: "1",
};

// ---- Waiting: whoever gets something stirs, and all who wait look again ----

const waiting = new Set<() => void>();
export function stir() {
  waiting.forEach((look) => look());
  waiting.clear();
}
setInterval(stir, 50).unref(); // ms, for what nobody tells of

/** Wait until this is true; after so many ms the test fails, with the story. */
export async function until(
  done: () => unknown,
  story: () => string,
  ms = 10_000,
) {
  const end = performance.now() + ms;
  while (!done()) {
    const isLate = performance.now() > end;
    if (isLate) throw Error(`${ms / 1000} s in vain: ${story()}`);
    await new Promise<void>((look) => waiting.add(look));
  }
}

// ---- The end: no test has to see to it ----

const groups = new Set<number>();
process.on("exit", () => groups.forEach(kill));

/** End a process and all that it started: tsx, for one, is two processes. */
export function kill(pid: number) {
  groups.delete(pid);
  try {
    process.kill(-pid, "SIGKILL");
  } catch { /* all of them have ended by themselves */ }
}

export function endWith(t: Test, pid: number): number {
  groups.add(pid);
  t.after(() => kill(pid));
  return pid;
}

/** An empty folder that goes when the test ends. */
export function emptyFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), "udp-chat-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

// ---- A program in pipes ----

export class Program {
  stdout = "";
  stderr = "";
  shown: string[] = []; // lines and prompts that nobody has looked at yet
  errors: string[] = []; // the same of stderr
  times: number[] = []; // when each line of stdout came, ms
  code: number | null | undefined; // once it has ended
  port = 0; // of a server
  readonly pid: number; // of the process group
  readonly #child: ChildProcessWithoutNullStreams;

  constructor(t: Test, command: string[], { cwd = PROJECT } = {}) {
    const [file = "", ...args] = command;
    this.#child = spawn(file, args, { cwd, env: ENVIRONMENT, detached: true });
    this.#child.on("error", () => {}); // there is no such program
    assert(this.#child.pid, `cannot start ${file}`);
    this.pid = endWith(t, this.#child.pid);
    this.#child.stdin.on("error", () => {}); // it has ended: its code tells
    this.#take("stdout", this.shown);
    this.#take("stderr", this.errors);
    this.#child.on("close", (code) => {
      this.code = code;
      stir();
    });
  }

  #take(stream: "stdout" | "stderr", lines: string[]) {
    let rest = "";
    this.#child[stream].setEncoding("utf8").on("data", (text: string) => {
      this[stream] += text;
      const parts = (rest + text).match(/>>>|[^\n]*\n|[^\n]+$/g) ?? [];
      const isWhole = (part = "") => part === ">>>" || part.endsWith("\n");
      rest = isWhole(parts.at(-1)) ? "" : parts.pop()!;
      lines.push(...parts.map((part) => part.replace(/\n$/, "")));
      const now = performance.now();
      if (stream === "stdout") this.times.push(...parts.map(() => now));
      stir();
    });
  }

  /** A line of input. */
  send(line: string) {
    this.write(`${line}\n`);
  }

  write(bytes: string | Uint8Array) {
    this.#child.stdin.write(bytes);
  }

  /** The last of the input. */
  end(bytes: string | Uint8Array = "") {
    this.#child.stdin.end(bytes);
  }

  signal(name: NodeJS.Signals) {
    process.kill(-this.pid, name);
  }

  async until(done: () => unknown, ms?: number) {
    const story = () =>
      `the ends of stdout and stderr are ` +
      JSON.stringify([this.stdout.slice(-300), this.stderr.slice(-900)]);
    await until(() => done() || this.code !== undefined, story, ms);
    assert(done(), `it ended too early: ${story()}`);
  }

  /** Wait until all of stdout is this, or fail with the first other line. */
  async prints(text: string, ms?: number) {
    await this.until(() => this.stdout.length >= text.length, ms);
    const [shown, wanted] = [this.stdout.split("\n"), text.split("\n")];
    const at = shown.findIndex((line, i) => line !== wanted[i]);
    assert.deepEqual([at, shown[at]], [at, wanted[at]]);
  }

  /** Wait for its end, and that of all that have its pipes. */
  async exits(ms?: number): Promise<number | null> {
    await this.until(() => this.code !== undefined, ms);
    return this.code!;
  }
}

/** What stands on the command line to run a script of the project. */
export function commandOf(on: Runtime, script: string, ...args: Word[]) {
  return [...on.command, join(PROJECT, script), ...args.map(String)];
}

/** The same of one of the pair, "server" or "client". */
export const ours = (runtime: Runtime) => (role: string, port: number) =>
  commandOf(runtime, `${role}.ts`, HERE, port);

/** The same of the Python on the page. */
export function python(role: string, port: number): string[] {
  const page = readFileSync(join(PROJECT, "README.md"), "utf8");
  const [, code = ""] = page.split("```python " + role + "\n");
  return ["python3", "-c", code.split("```")[0]!.replace("6000", `${port}`)];
}

/** A command in this line of a shell, as "$@". */
export const inShell = (line: string, command: string[]) =>
  ["sh", "-c", line, "sh"].concat(command);

export function start(t: Test, on: Runtime, script: string, ...args: Word[]) {
  return new Program(t, commandOf(on, script, ...args));
}

// ---- Ports ----

/**
 * A UDP port that nobody has, below those that the kernel gives away (32768).
 * The same TCP port is ours from now on: so no other test takes this one.
 */
export async function freePort(): Promise<number> {
  const port = 10_000 + Math.floor(Math.random() * 22_000);
  const lock = createServer().listen(port, HERE).unref();
  const socket = createSocket("udp4").bind(port, "0.0.0.0");
  try {
    await Promise.all([once(lock, "listening"), once(socket, "listening")]);
    return port;
  } catch {
    return await freePort();
  } finally {
    socket.close();
  }
}

/** Wait until a program, in pipes or on a terminal, listens on this port. */
export async function bound<T extends Program | Terminal>(
  one: T,
  port: number,
) {
  if (NOT_LINUX) await pause(1500); // nothing there tells us
  else await one.until(() => socketOf(port, one.pid));
  return Object.assign(one, { port });
}

/** Start a server on a free port, and wait until it listens. */
export async function serve(t: Test, on: Runtime, script: string, host = HERE) {
  const port = await freePort();
  return await bound(start(t, on, script, host, port), port);
}
