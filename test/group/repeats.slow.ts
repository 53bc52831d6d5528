import assert from "node:assert/strict";
import { join, others, startHub } from "../support/group.ts";
import { openRelay, twice } from "../support/relay.ts";
import { onEveryRuntime } from "../support/runtimes.ts";

const fast = Array.from({ length: 200 }, (_, i) => `typed fast ${i}\n`);

onEveryRuntime("nothing lost, nothing sent twice", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const { port, copies } = await openRelay(t, hub.port);
  const [one, two] = others(runtime);
  const alice = await join(t, one!, "alice", port);
  const bob = await join(t, two!, "bob", port);

  alice.write("typed slowly\n");
  await bob.until(() => bob.stdout.includes("alice: typed slowly\n"));
  bob.write("and an answer\n");
  await alice.until(() => alice.stdout.includes("bob: and an answer\n"));
  alice.write(fast.join(""));
  bob.end(fast.join(""));
  assert.equal(await bob.exits(), 0);
  await alice.until(() => alice.stdout.includes("* bob left (1 here)\n"));
  alice.end("and a last word");
  assert.equal(await alice.exits(), 0);
  await hub.until(() => hub.stdout.endsWith("* alice left (0 here)\n"));
  assert(copies.some(({ bytes }) => bytes.includes("typed fast 199\n")));
  assert.deepEqual(twice(copies), []);
});
