import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { join, others, startHub } from "../support/group.ts";
import { onEveryRuntime } from "../support/runtimes.ts";

/** What must come once on a network that loses nothing. */
const ONCE = /^(\/say|\/welcome|\d+) /m;

/** A network in front of a port that loses nothing and remembers everything. */
async function relay(t: TestContext, port: number) {
  const seen: string[] = [];
  const behind = new Map<number, Socket>(); // by the member's port
  const front = createSocket("udp4", (bytes, member) => {
    seen.push(`${member.port} says ${bytes}`);
    let socket = behind.get(member.port);
    if (!socket) {
      socket = createSocket("udp4", (bytes) => {
        seen.push(`${member.port} hears ${bytes}`);
        front.send(bytes, member.port, member.address);
      });
      behind.set(member.port, socket);
    }
    socket.send(bytes, port, "127.0.0.1");
  });
  front.bind(0, "127.0.0.1");
  await once(front, "listening");
  t.after(() => {
    front.close();
    for (const socket of behind.values()) socket.close();
  });
  return { port: front.address().port, seen };
}

onEveryRuntime("nothing lost, nothing sent twice", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const { port, seen } = await relay(t, hub.port);
  const [one, two] = others(runtime);
  const alice = await join(t, one!, "alice", port);
  const bob = await join(t, two!, "bob", port);

  alice.write("typed slowly\n");
  await bob.until(() => bob.stdout.includes("alice: typed slowly\n"));
  bob.write("and an answer\n");
  await alice.until(() => alice.stdout.includes("bob: and an answer\n"));
  const fast = Array.from({ length: 200 }, (_, i) => `typed fast ${i}\n`);
  alice.write(fast.join(""));
  bob.end(fast.join(""));
  assert.equal(await bob.exits(), 0);
  await alice.until(() => alice.stdout.includes("* bob left (1 here)\n"));
  alice.end("and a last word");
  assert.equal(await alice.exits(), 0);
  await hub.until(() => hub.stdout.endsWith("* alice left (0 here)\n"));

  // A datagram may hold several lines; it is these that must not come twice.
  const lines = seen.flatMap((datagram) => {
    const [, way, text] = /^(\d+ \w+) ([^]*)$/.exec(datagram)!;
    return text!.split("\n").filter((line) => ONCE.test(line))
      .map((line) => `${way} ${line}`);
  });
  assert(lines.some((line) => line.endsWith("typed fast 199")));
  const twice = lines.filter((line, i) => lines.indexOf(line) !== i);
  assert.deepEqual(twice, []);
});
