// A network of a test's own: its loopback reaches nobody else, and in it a test
// may do what takes rights elsewhere, such as to forge a sender's address.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import { emptyFolder, Program, PROJECT } from "./processes.ts";
import type { Runtime } from "./runtimes.ts";

const UNSHARE = ["unshare", "--user", "--map-root-user", "--net"];

/** Why there is no such thing here, or false. */
export const NO_NAMESPACES: string | false =
  spawnSync(UNSHARE[0]!, [...UNSHARE.slice(1), "ip", "link"]).status === 0 ||
    process.env["CI"]
    ? false
    : "needs unshare (util-linux), ip (iproute2), and the right to use them";

export class Namespace {
  readonly #t: TestContext;
  readonly #enter: string[];
  readonly #pid: number;

  constructor(t: TestContext, holder: Program) {
    this.#t = t;
    this.#pid = holder.pid;
    this.#enter = ["nsenter", "--target", `${holder.pid}`]
      .concat("--user", "--net", "--preserve-credentials", "--")
      // We are root in here: /tmp may have files of tsx that are the real one's.
      .concat("env", `TMPDIR=${emptyFolder(t)}`);
  }

  /** The same runtime, in here. */
  of(runtime: Runtime): Runtime {
    return { ...runtime, command: [...this.#enter, ...runtime.command] };
  }

  /** A program in here. */
  run(...command: string[]): Program {
    return new Program(this.#t, [...this.#enter, ...command]);
  }

  /** Datagrams that arrived anywhere in here, also where nobody listens. */
  get arrived(): number {
    const table = readFileSync(`/proc/${this.#pid}/net/snmp`, "utf8");
    const [, received, nobody] = /^Udp: (\d+) (\d+)/m.exec(table)!;
    return Number(received) + Number(nobody);
  }
}

export async function openNamespace(t: TestContext): Promise<Namespace> {
  const script = "ip link set lo up && echo up && exec sleep 3600";
  const holder = new Program(t, [...UNSHARE, "sh", "-c", script]);
  await holder.prints("up\n");
  return new Namespace(t, holder);
}

/**
 * Another network, inside this one: from here it is 10.0.0.2, we are 10.0.0.1.
 * What it sends passes a link of so many kbit a second, 100 Mbit by default.
 */
export async function behindLink(
  t: TestContext,
  here: Namespace,
  rate = 100_000,
): Promise<Namespace> {
  const script = "ip link set lo up && echo up && exec sleep 3600";
  const holder = here.run("unshare", "--net", "sh", "-c", script);
  await holder.prints("up\n");
  const there = new Namespace(t, holder);
  const commands = [
    [here, `ip link add wide type veth peer name narrow netns ${holder.pid}`],
    [here, "ip addr add 10.0.0.1/24 dev wide"],
    [here, "ip link set wide up"],
    [there, "ip addr add 10.0.0.2/24 dev narrow"],
    [there, "ip link set narrow up"],
    // "tbf" is a token bucket: at most this rate, 10 MB may wait.
    [
      there,
      `tc qdisc add dev narrow root tbf rate ${rate}kbit burst 10kb limit 10mb`,
    ],
  ] as const;
  for (const [where, command] of commands) {
    const program = where.run(...command.split(" "));
    assert.equal(await program.exits(), 0, `${command}: ${program.stderr}`);
  }
  return there;
}

/** Datagrams from addresses and ports that are not ours. */
export class Forger {
  readonly #program: Program;
  #asked = 0;

  constructor(namespace: Namespace) {
    const script = join(PROJECT, "test", "support", "forge.py");
    this.#program = namespace.run("python3", script);
  }

  /** Send them to a port of 127.0.0.1, and wait until they are sent. */
  async send(
    from: number,
    to: number,
    datagrams: string[],
    address = "127.0.0.1",
  ) {
    for (const datagram of datagrams) {
      const data = Buffer.from(datagram).toString("base64");
      this.#program.write(`${address} ${from} ${to} ${data}\n`);
    }
    this.#program.write("done\n");
    await this.#program.prints("done\n".repeat(++this.#asked));
  }
}
