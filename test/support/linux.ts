// What Linux tells of a program from outside, and a network of a test's own.
// Where there is no such thing, the tests that need it are skipped.

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
function processes(group: number): string[] {
  return readdirSync("/proc").filter((pid) =>
    read(`/proc/${pid}/stat`).split(") ").pop()!.split(" ")[2] === `${group}`
  );
}

/** The memory of a group's largest process, MB. */
export function memory(group: number): number {
  const sizes = processes(group).map((pid) =>
    Number(/VmRSS:\s*(\d+)/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) / 1024
  );
  assert(sizes.length > 0, "the program has ended");
  return Math.max(...sizes);
}

/** Wait until every thread of the group sleeps: it has done all that it can. */
export async function idle(group: number) {
  for (let seen = 0; seen < 5; seen++) {
    await pause(2);
    const sleeps = processes(group).every((pid) => {
      try {
        return readdirSync(`/proc/${pid}/task`).every((thread) =>
          /\) [ST] /.test(read(`/proc/${pid}/task/${thread}/stat`))
        );
      } catch {
        return true;
      }
    });
    if (!sleeps) seen = -1;
  }
}

/**
 * The socket that has this port, in the network of a process: the bytes that
 * wait in it, and the datagrams that it had no room for.
 */
export function socketOf(port: number, pid: number | "self" = "self") {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")} `;
  const net = `/proc/${pid}/net`;
  for (const line of (read(`${net}/udp`) + read(`${net}/udp6`)).split("\n")) {
    const [, address = "", , , queues = ""] = line.trim().split(/\s+/);
    if (!`${address} `.endsWith(local)) continue;
    const waiting = parseInt(queues.split(":")[1]!, 16);
    return { address, waiting, lost: Number(/\d+\s*$/.exec(line)?.[0]) };
  }
  return undefined;
}

/** Wait until a program has taken all out of its socket, or all but so much. */
export async function drained(port: number, most = 0) {
  while ((socketOf(port)?.waiting ?? 0) > most) await pause(0);
}
