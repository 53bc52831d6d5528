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
const PAGE = "--drop 30 --repeat 30 --delay 30 --latency 100 --move 10";
const NAMES = ["alice", "bob", "carol", "dave", "eve"];

/** What the group was told, as the hub's console shows it. */
const lines = (hub: Program) =>
  hub.stdout.replaceAll(/^来自\[.*?\]的消息: /gm, "");
const talk = (text: string) => text.match(/^\w+: .*$/gm) ?? [];
const joined = (name: string) => `* ${name} joined (`;

/** Each says so many lines, one now and then, and leaves when all are told. */
async function converse(members: Program[], count: number, ms: number) {
  for (let i = 0; i < count; i++) {
    for (const one of members) one.send(`line ${i}`);
    await pause(ms);
  }
  for (const one of members) one.end();
  for (const one of members) {
    assert.equal(await one.exits(30_000), 0, one.stderr);
    assert.doesNotMatch(one.stdout, /missed/);
  }
}

/** All that they have said then. */
const said = (count: number) =>
  NAMES.flatMap((name) =>
    Array.from({ length: count }, (_, i) => `${name}: line ${i}`)
  ).sort();

describe("every line, once and in order", { concurrency: 3 }, () => {
  on(kinds, "over a bad network", async (t, runtime) => {
    const hub = await serve(t, runtime, HUB);
    const port = await freePort();
    const args = [port, `${HERE}:${hub.port}`, ...PAGE.split(" ")];
    const network = start(t, runtime, "test/lossy-network.ts", ...args);
    await bound(network, port);
    const members = NAMES.map((name, i) =>
      start(t, other(runtime, i), MEMBER, name, HERE, port)
    );
    const conversation = converse(members, 70, 200);
    await pause(4000);
    members[1]!.signal("SIGSTOP");
    await pause(3000);
    members[1]!.signal("SIGCONT");
    await conversation;
    network.signal("SIGINT");
    await network.exits();
    t.diagnostic(network.stderr + network.stdout);
    const counts = /^to the .*: \d{3,} datagrams, \d{2,} dropped, \d{2,} rep/;
    assert.match(network.stdout, counts);

    const all = lines(hub);
    assert.deepEqual(talk(all).sort(), said(70));
    for (const [i, { stdout }] of members.entries()) {
      // From its joining on, and to its own last line at least.
      assert(stdout.includes(`${NAMES[i]}: line 69\n`));
      const since = all.indexOf(joined(NAMES[i]!));
      assert.equal(stdout, all.slice(since, since + stdout.length));
    }
  });

  on(kinds, "though the hub is killed", async (t, runtime) => {
    const killed = await serve(t, runtime, HUB);
    const args = [HERE, killed.port] as const;
    const members = NAMES.map((name, i) =>
      start(t, other(runtime, i), MEMBER, name, ...args)
    );
    await killed.until(() => killed.stdout.includes("(5 here)"));
    const conversation = converse(members, 100, 20);
    await killed.until(() => killed.stdout.includes("line 30\n"));
    killed.signal("SIGKILL");
    await killed.exits();
    await pause(500);
    const hub = await bound(start(t, runtime, HUB, ...args), killed.port);
    await conversation;

    const [before, after] = [lines(killed), lines(hub)];
    for (const [i, { stdout }] of members.entries()) {
      // What the first hub said, until somewhere, and all that the second said.
      const second = stdout.lastIndexOf(after.slice(0, after.indexOf("\n")));
      const since = before.indexOf(joined(NAMES[i]!));
      assert.equal(
        stdout.slice(0, second),
        before.slice(since, since + second),
      );
      assert.equal(
        stdout.slice(second),
        after.slice(0, stdout.length - second),
      );
    }
    // Only what it had passed on, and could not tell any more, comes twice.
    const all = talk(before + after);
    assert.deepEqual([...new Set(all)].sort(), said(100));
    t.diagnostic(`${all.length - 500} lines came twice`);
    assert(all.length - 500 < 30);
  });
});
