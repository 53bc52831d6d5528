// A conversation over the bad network of the page, and one whose hub is killed:
// every line comes to all, once and in the hub's order.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { kinds, on, other } from "../support/on.ts";
import {
  bound,
  freePort,
  HERE,
  type Program,
  serve,
  start,
} from "../support/program.ts";

const [HUB, MEMBER] = ["group/server.ts", "group/client.ts"] as const;
const PAGE = "--drop 30 --repeat 30 --delay 30 --latency 100 --move 10"
  .split(" ");
const NAMES = ["alice", "bob", "carol"];

/** All lines of the group, as the hub's console shows them. */
const lines = (hub: Program) =>
  hub.stdout.replaceAll(/^来自\[.*?\]的消息: /gm, "");

/** Each says so many lines, at a person's pace or faster. */
async function talk(members: Program[], count: number, ms: number) {
  for (let i = 0; i < count; i++) {
    for (const one of members) one.send(`line ${i}`);
    await pause(ms);
  }
}

/** All that they say. */
const said = (count: number) =>
  NAMES.flatMap((name) =>
    Array.from({ length: count }, (_, i) => `${name}: line ${i}`)
  );

describe("every line, once and in order", { concurrency: 6 }, () => {
  on(kinds, "over a bad network", async (t, runtime) => {
    const hub = await serve(t, runtime, HUB);
    const port = await freePort();
    const to = `${HERE}:${hub.port}`;
    const args = ["test/lossy-network.ts", port, to, ...PAGE] as const;
    const network = await bound(start(t, kinds[0]!, ...args), port);
    const members = NAMES.map((name, i) =>
      start(t, other(runtime, i), MEMBER, name, HERE, port)
    );
    await talk(members, 60, 200);
    for (const one of members) one.end();
    for (const one of members) assert.equal(await one.exits(30_000), 0);
    network.signal("SIGINT");
    await network.until(() =>
      /from the server: .* delayed/.test(network.stdout)
    );
    t.diagnostic(network.stderr + network.stdout);

    const all = lines(hub);
    const talked = all.split("\n").filter((line) => line.includes(": "));
    assert.deepEqual(talked.sort(), said(60).sort());
    for (const [i, { stdout }] of members.entries()) {
      // From its joining to its own last line, at least.
      const since = all.indexOf(`* ${NAMES[i]} joined`);
      assert.equal(stdout, all.slice(since, since + stdout.length), NAMES[i]);
      assert(stdout.includes(`${NAMES[i]}: line 59\n`));
    }
  });

  on(kinds, "though the hub is killed", async (t, runtime) => {
    const killed = await serve(t, runtime, HUB);
    const args = [HERE, killed.port] as const;
    const members = NAMES.map((name, i) =>
      start(t, other(runtime, i), MEMBER, name, ...args)
    );
    await killed.until(() => lines(killed).includes("(3 here)"));
    const talking = talk(members, 100, 20);
    await killed.until(() => lines(killed).includes("line 30\n"));
    killed.signal("SIGKILL");
    await killed.exits();
    await pause(500);
    const hub = await bound(start(t, runtime, HUB, ...args), killed.port);
    await talking;
    for (const one of members) one.end();
    for (const one of members) assert.equal(await one.exits(30_000), 0);

    const [before, after] = [lines(killed), lines(hub)];
    for (const [i, { stdout }] of members.entries()) {
      // What the first hub said until somewhere, and what the second said.
      const start = before.indexOf(`* ${NAMES[i]} joined`);
      const again = stdout.lastIndexOf(after.slice(0, after.indexOf("\n") + 1));
      const [first, second] = [stdout.slice(0, again), stdout.slice(again)];
      assert(before.startsWith(first, start), `${first}\n!==\n${before}`);
      assert(after.startsWith(second), `${second}\n!==\n${after}`);
    }
    // Only what it had passed on, and could not tell any more, is said twice.
    const talked = (before + after).split("\n").filter((line) =>
      line.includes(": ")
    );
    assert.deepEqual([...new Set(talked)].sort(), said(100).sort());
    assert(talked.length <= 300 + 3 * 5, `${talked.length}`);
    t.diagnostic(`${talked.length - 300} lines came twice`);
  });
});
