// A network of a test's own: its loopback reaches nobody else, its ports are all
// free, and in it one may do what takes rights elsewhere: forge a sender.

import { spawnSync } from "node:child_process";
import { needed, type Runtime } from "./on.ts";
import { emptyFolder, Program, type Test } from "./program.ts";

const UNSHARE = ["unshare", "--user", "--map-root-user", "--net"];

const LOOPBACK_UP = `import fcntl, socket, struct, time
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh14x", b"lo", 0x49))
print("up", flush=True)
time.sleep(3600)`;

// An IP packet (the kernel fills in what is 0) with a UDP datagram (RFC 768).
const FORGE = `import socket, struct, sys
_, host, port, to, text = sys.argv
data = text.encode()
udp = struct.pack("!4H", int(port), int(to), 8 + len(data), 0) + data
ip = struct.pack("!2B3H2BH", 0x45, 0, 0, 0, 0, 64, 17, 0)
ip += socket.inet_aton(host) + socket.inet_aton("127.0.0.1")
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
raw.sendto(ip + udp, ("127.0.0.1", 0))`;

/** Why there is no such thing here, or false. */
export const NO_NAMESPACES = needed(
  "unshare, nsenter (util-linux), Python, and the right to use them",
  spawnSync(UNSHARE[0]!, [...UNSHARE.slice(1), "python3", "-c", ""]),
);

export async function openNamespace(t: Test) {
  const holder = new Program(t, [...UNSHARE, "python3", "-c", LOOPBACK_UP]);
  await holder.prints("up\n");
  const enter = ["nsenter", "--target", `${holder.pid}`]
    .concat("--user", "--net", "--preserve-credentials", "--")
    // We are root in here: /tmp may have files of tsx that are the real one's.
    .concat("env", `TMPDIR=${emptyFolder(t)}`);

  /** The same runtime, in here. */
  function of(runtime: Runtime): Runtime {
    return { ...runtime, command: [...enter, ...runtime.command] };
  }

  /** Send from an address and port that are not ours. */
  async function forge(host: string, port: number, to: number, text: string) {
    const python = [...enter, "python3", "-c", FORGE];
    await new Program(t, [...python, host, `${port}`, `${to}`, text]).exits();
  }
  return { enter, pid: holder.pid, of, forge };
}
