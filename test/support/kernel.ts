// What Linux tells of a program from outside: its memory, whether it is busy,
// and what waits in its socket. Elsewhere the tests that need this are skipped.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";

export const NOT_LINUX = process.platform === "linux"
  ? false
  : "this can be seen on Linux only";

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // the process has just ended
  }
}

/** The processes of a group, such as tsx and the Node that it starts. */
function members(group: number): string[] {
  return readdirSync("/proc").filter((name) =>
    /^\d/.test(name) &&
    read(`/proc/${name}/stat`).split(") ").pop()?.split(" ")[2] ===
      String(group)
  );
}

/** Memory of a group of processes in MB: of the largest, and of all of them. */
export function memory(group: number): { largest: number; all: number } {
  const sizes = members(group).map((pid) =>
    Number(/VmRSS:\s*(\d+)/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) / 1024
  );
  assert(sizes.length > 0, "the program has ended");
  return {
    largest: Math.max(...sizes),
    all: sizes.reduce((sum, size) => sum + size, 0),
  };
}

/** Every thread of the group sleeps or is stopped: it can do nothing more. */
function sleeps(group: number): boolean {
  return members(group).every((pid) => {
    try {
      return readdirSync(`/proc/${pid}/task`).every((thread) =>
        /\) [ST] /.test(read(`/proc/${pid}/task/${thread}/stat`))
      );
    } catch {
      return true;
    }
  });
}

/** Wait until the program has dealt with all it was given. */
export async function idle(group: number) {
  for (let seen = 0; seen < 5; seen++) {
    await pause(2);
    if (!sleeps(group)) seen = -1;
  }
}

/**
 * The bytes waiting in the socket of a port, and the datagrams it has lost, in
 * the network of this process or of another one.
 */
export function socketOf(
  port: number,
  pid: number | "self" = "self",
): { waiting: number; lost: number } {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")} `;
  // The kernel writes its list in pieces, and where other sockets come and go
  // between two of them, it may leave one out: look again before giving up.
  for (let looks = 0; looks < 20; looks++) {
    const net = `/proc/${pid}/net`;
    const sockets = read(`${net}/udp`) + read(`${net}/udp6`);
    for (const line of sockets.split("\n")) {
      const fields = line.trim().split(/\s+/);
      if (!`${fields[1]} `.endsWith(local)) continue;
      const waiting = parseInt(fields[4]?.split(":")[1] ?? "", 16);
      return { waiting, lost: Number(fields.at(-1)) };
    }
  }
  throw new Error(`nothing has port ${port}`);
}

/** A port that is free, and below those that the kernel gives away (32768). */
export function freePort(): string {
  const port = 10_000 + Math.floor(Math.random() * 20_000);
  try {
    socketOf(port);
  } catch {
    return String(port);
  }
  return freePort();
}

/** Wait until a program has bound this port. */
export async function bound(port: string, pid?: number) {
  const deadline = Date.now() + 30_000; // ms
  while (true) {
    try {
      return void socketOf(Number(port), pid);
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await pause(10);
    }
  }
}
