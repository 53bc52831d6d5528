// A hub that is not there: it was killed, or it never was. What a network can do
// meanwhile is in worlds.test.ts.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { kinds, on, other } from "../support/on.ts";
import { type Cast, group, play } from "../support/play.ts";
import {
  freePort,
  HERE,
  kill,
  type Program,
  start,
} from "../support/program.ts";

describe("a hub that is not there", { concurrency: 9 }, () => {
  on(kinds, "comes back, and nothing is lost", async (t, runtime) => {
    const cast = await group(t, runtime, "alice", "bob");
    await play(cast)`
      alice < before
      hub > 来自[127.0.0.1:PORT]的消息: alice: before
      alice bob > alice: before`;
    const { pid, port } = cast["hub"]!;
    kill(pid);
    await play(cast)`
      alice < mean
      alice < while
      alice bob ! * no answer from 127.0.0.1:PORT, lines waiting: N`;
    const args = [HERE, port] as const;
    const hub = start(t, other(runtime), "group/server.ts", ...args);
    const { alice, bob } = cast as Cast & Record<"alice" | "bob", Program>;
    for (const one of [alice, bob]) {
      await one.until(() => one.stderr.endsWith("\n* the server is back\n"));
    }
    bob.send("after");
    const said = ["alice: mean", "alice: while", "bob: after"];
    for (const one of [hub, alice, bob]) { // they join in any order
      await one.until(() => one.stdout.endsWith("bob: after\n"));
      const lines = one.stdout.match(/\w+: \w+$/gm)!;
      assert.deepEqual(lines.slice(one === hub ? 0 : 1), said);
    }
  });

  on(kinds, "never comes back", async (t, runtime) => {
    const args = ["alice", HERE, await freePort()] as const;
    const alice = start(t, runtime, "group/client.ts", ...args);
    alice.end("one\ntwo\nthree");
    const since = performance.now();
    assert.equal(await alice.exits(20_000), 1);
    const took = performance.now() - since;
    assert(took > 9900 && took < 15_000, `after ${took} ms`);
    await play({ alice })`
      alice ! * no answer from 127.0.0.1:PORT, lines waiting: 3
      alice ! lines not known to be delivered: 3`;
  });

  on(kinds, "and Ctrl+C, which waits for a second", async (t, runtime) => {
    const args = ["alice", HERE, await freePort()] as const;
    const alice = start(t, runtime, "group/client.ts", ...args);
    alice.send("one");
    await play({ alice })`
      alice ! * no answer from 127.0.0.1:PORT, lines waiting: 1`;
    const since = performance.now();
    alice.signal("SIGINT");
    assert.equal(await alice.exits(), 130);
    assert(performance.now() - since < 3000, "it took too long");
    await play({ alice })`
      alice ! lines not known to be delivered: 1`;
  });
});
