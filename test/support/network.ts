// A network of the test's own, as Linux lends it to anyone: every port in it is
// free, nothing lies beyond 127.0.0.1, and datagrams can be forged.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import type { TestContext } from "node:test";
import { Program } from "./processes.ts";

const OPEN = ["unshare", "--map-root-user", "--net", "sh", "-c"];
const UP = "ip link set lo up && echo up";

/** Why there can be no such network here, or false. */
export const NO_NETWORK =
  spawnSync(OPEN[0]!, [...OPEN.slice(1), UP]).stdout?.toString() === "up\n"
    ? false
    : "a network of one's own needs Linux, unshare and ip";

// A UDP header needs no checksum; the kernel fills in that of the IPv4 header.
const FORGE = `import socket, struct, sys
source, source_port, port, text = sys.argv[1:]
data = text.encode()
udp = struct.pack("!4H", int(source_port), int(port), 8 + len(data), 0) + data
ip = struct.pack("!2B3H2BH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0)
addresses = socket.inet_aton(source) + socket.inet_aton("127.0.0.1")
sk = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
sk.sendto(ip + addresses + udp, ("127.0.0.1", 0))`;

export class Network {
  readonly #t: TestContext;
  readonly #holder: Program;

  constructor(t: TestContext, holder: Program) {
    this.#t = t;
    this.#holder = holder;
  }

  start(command: string[]): Program {
    const target = `--target=${this.#holder.pid}`;
    const enter = ["nsenter", target, "--user", "--preserve-credentials"];
    return new Program(this.#t, [...enter, "--net", ...command]);
  }

  /** Send a datagram to 127.0.0.1 that seems to come from elsewhere. */
  async forge(address: string, port: number, to: number, text: string) {
    const args = [address, port, to, text].map(String);
    const forger = this.start(["python3", "-c", FORGE, ...args]);
    assert.equal(await forger.exits(), 0, forger.stderr);
  }
}

export async function openNetwork(t: TestContext): Promise<Network> {
  const holder = new Program(t, [...OPEN, `${UP}; exec cat`]);
  await holder.prints("up\n"); // it lasts as long as cat waits for input
  return new Network(t, holder);
}
