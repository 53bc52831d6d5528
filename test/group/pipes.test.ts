// A group in pipes: the hub and its members are the real programs, each member
// on another runtime. What can be simulated is in worlds.test.ts.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { kinds, on, other } from "../support/on.ts";
import { type Cast, group, joins, play } from "../support/play.ts";
import {
  freePort,
  HERE,
  kill,
  type Program,
  start,
} from "../support/program.ts";

on(kinds, "a conversation in pipes", async (t, runtime) => {
  const cast = await group(t, runtime, "alice", "bob");
  await play(cast)`
    alice < hello
    hub > 来自[127.0.0.1:PORT]的消息: alice: hello
    alice bob > alice: hello
    alice <
    alice < 你好 👋🏽${"\x1b"}[2J
    hub > 来自[127.0.0.1:PORT]的消息: alice: 你好 👋🏽${"\\"}u{1b}[2J
    alice bob > alice: 你好 👋🏽${"\\"}u{1b}[2J
    bob < /name Robert
    hub alice bob > * bob is now Robert
    bob < /name ALICE
    bob > * ALICE is not a free name
    bob < /who
    bob > * 2 here: alice, Robert
    bob < /nonsense
    bob ! * /name NEW: a new name, /who: who is here, /quit: leave
    bob < ／help
    bob ! * /name NEW: a new name, /who: who is here, /quit: leave
    bob < ${"x".repeat(1001)}
    bob ! * not said: 1001 bytes, over 1000`;

  // A name that is taken; a file's last line, behind the mark of Windows.
  const args = ["alice", HERE, cast["hub"]!.port] as const;
  cast["bill"] = start(t, other(runtime), "group/client.ts", ...args);
  cast["bill"].end("\ufeffbye");
  await play(cast)`
    hub alice bob bill > * alice2 joined (3 here)
    bill ! * you are alice2
    hub > 来自[127.0.0.1:PORT]的消息: alice2: bye
    alice bob bill > alice2: bye
    bill exits 0
    hub alice bob > * alice2 left (2 here)`;
  delete cast["bill"];
  await play(cast)`
    bob < bye
    bob < /quit
    bob < nobody hears this
    hub > 来自[127.0.0.1:PORT]的消息: Robert: bye
    alice bob > Robert: bye
    bob exits 0
    hub alice > * Robert left (1 here)`;
  cast["hub"]!.signal("SIGINT");
  await play(cast)`
    hub alice > * the server is closing
    hub exits 130`;
});

on(kinds, "12,000 lines from a pipe", async (t, runtime) => {
  const cast = await group(t, runtime, "alice", "bob");
  const carol = await joins(t, cast, "carol", runtime);
  // More than it keeps: the pipe has to wait.
  const lines = Array.from({ length: 12_000 }, (_, i) => `line ${i}`);
  carol.end(lines.join("\n"));
  const said = lines.map((line) => `carol: ${line}`);
  for (const name of ["alice", "bob", "carol"]) {
    const one = cast[name]!;
    await one.until(() => one.shown.length >= said.length, 40_000);
    assert.deepEqual(one.shown.slice(0, said.length), said);
  }
  assert.equal(await carol.exits(), 0);
  assert.equal(carol.stderr, "");
});

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
