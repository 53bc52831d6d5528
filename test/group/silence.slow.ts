import assert from "node:assert/strict";
import { describe } from "node:test";
import { join, joinRaw, others, startHub } from "../support/group.ts";
import { testPaths } from "../support/paths.ts";
import { onEveryRuntime } from "../support/runtimes.ts";

const SILENCE = 120; // s; the hub looks every few seconds

// This takes two minutes because the silence does, and nothing can shorten it
// from outside: so all of these tests wait at the same time, and use no processor.
describe("silence", { concurrency: 9 }, () => {
  testPaths("broken");
  onEveryRuntime("who says nothing is dropped", async (t, runtime) => {
    const hub = await startHub(t, runtime);
    const alice = await join(t, others(runtime)[0]!, "alice", hub.port);
    const since = performance.now();
    const bob = await joinRaw(t, hub.port, "bob");
    for (let dropped = false; !dropped;) { // in spans that until() waits for
      await alice.until(() =>
        alice.stdout.includes("* bob timed out (2 minutes)\n")
      )
        .then(() => dropped = true, (error) => {
          if ((performance.now() - since) / 1000 > SILENCE + 20) throw error;
        });
    }
    const took = (performance.now() - since) / 1000;
    t.diagnostic(`after ${took.toFixed()} s`);
    assert(took > SILENCE - 1, `after ${took} s`);
    await hub.until(() => hub.stdout.endsWith("* bob timed out (2 minutes)\n"));

    // The client has said nothing either, but kept in touch.
    bob.forget();
    await bob.send("hello?"); // to which a stranger gets no answer
    await bob.cookie();
    alice.end("still here");
    assert.equal(await alice.exits(), 0);
    assert.match(alice.stdout, /alice: still here\n$/);
    assert.equal(alice.stderr, "");
  }, 180_000);
});
