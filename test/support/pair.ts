// The scripts under test, as programs on some runtime; and their like in Python.

import assert from "node:assert/strict";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { Program, PROJECT } from "./processes.ts";
import { here, type Runtime, runtimes } from "./runtimes.ts";

const PEER = join(PROJECT, "test/support/peer.py");

export interface Server extends Program {
  port: number;
}

/** What stands on the command line to run a script of the project. */
export function commandOf(
  runtime: Runtime,
  script: string,
  ...args: (string | number)[]
): string[] {
  return [...runtime.command, join(PROJECT, script), ...args.map(String)];
}

export function start(
  t: TestContext,
  runtime: Runtime,
  script: string,
  ...args: (string | number)[]
): Program {
  return new Program(t, commandOf(runtime, script, ...args));
}

/** The same, with the numbers up to two million as its piped input. */
export function startPiped(
  t: TestContext,
  runtime: Runtime,
  script: string,
  ...args: (string | number)[]
): Program {
  const seq = ["sh", "-c", 'seq 2000000 | "$@"', "sh"];
  return new Program(t, [...seq, ...commandOf(runtime, script, ...args)]);
}

/** What starts soonest: a Node by itself, if there is one. */
export const plainest = here.findLast(({ name }) => name.startsWith("Node")) ??
  runtimes[0]!;

/** A bad network on a free port, in front of that one. */
export async function startNetwork(
  t: TestContext,
  to: number,
  ...options: (string | number)[]
): Promise<Server> {
  const script = "test/lossy-network.ts";
  const target = `127.0.0.1:${to}`;
  const program = start(t, plainest, script, 0, target, ...options);
  await program.until(() => program.stderr.includes("\n"));
  const [, port] =
    /^listening on port (\d+), seed \d+\n$/.exec(program.stderr) ?? [];
  assert(port, program.stderr);
  return Object.assign(program, { port: Number(port) });
}

/** A server that listens on a free port. */
export function startServer(
  t: TestContext,
  runtime: Runtime,
  host = "127.0.0.1",
): Promise<Server> {
  return listening(start(t, runtime, "server.ts", host, 0));
}

/** A client, at its first prompt. */
export async function startClient(
  t: TestContext,
  runtime: Runtime,
  port: number,
  host = "127.0.0.1",
): Promise<Program> {
  const client = start(t, runtime, "client.ts", host, port);
  await client.prints(">>>");
  return client;
}

export function pythonCommand(...args: (string | number)[]): string[] {
  return ["python3", "-u", PEER, ...args.map(String)];
}

export function startPythonServer(t: TestContext): Promise<Server> {
  return listening(new Program(t, pythonCommand("server", 0)));
}

export async function startPythonClient(
  t: TestContext,
  port: number,
): Promise<Program> {
  const client = new Program(t, pythonCommand("client", port));
  await client.prints(">>>");
  return client;
}

/** Wait for a server to name its port; what it says later is in stderr alone. */
export async function listening(program: Program): Promise<Server> {
  await program.until(() => program.stderr.includes("\n"));
  const port = /^listening on port (\d+)\n$/.exec(program.stderr)?.[1];
  assert(port, program.stderr);
  program.stderr = "";
  return Object.assign(program, { port: Number(port) });
}
