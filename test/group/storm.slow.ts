// A conversation over the bad network of the page, in which a member stands
// still and the hub is killed: every line comes to all, once and in the hubs'
// order.

import assert from "node:assert/strict";
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

on(kinds, "every line, once and in order", async (t, runtime) => {
  const killed = await serve(t, runtime, HUB);
  const port = await freePort();
  const args = [port, `${HERE}:${killed.port}`, ...PAGE.split(" ")];
  const network = start(t, runtime, "test/lossy-network.ts", ...args);
  await bound(network, port);
  const members = NAMES.map((name, i) =>
    start(t, other(runtime, i), MEMBER, name, HERE, port)
  );
  await killed.until(() => killed.stdout.includes("(5 here)"), 20_000);
  /** Each says some lines, one now and then. */
  const talk = async (first: number, last: number) => {
    for (let i = first; i <= last; i++) {
      for (const one of members) one.send(`line ${i}`);
      await pause(200);
    }
  };
  await talk(0, 20);
  members[1]!.signal("SIGSTOP");
  await talk(21, 35);
  members[1]!.signal("SIGCONT");
  await talk(36, 50);
  killed.signal("SIGKILL");
  await killed.exits();
  const restart = start(t, runtime, HUB, HERE, killed.port);
  const hub = await bound(restart, killed.port);
  await talk(51, 70);
  for (const one of members) one.end();
  for (const one of members) {
    assert.equal(await one.exits(30_000), 0, one.stderr);
    assert.doesNotMatch(one.stdout, /missed/);
  }
  network.signal("SIGINT");
  await network.exits();
  t.diagnostic(network.stderr + network.stdout);
  const counts = /^to the .*: \d{3,} datagrams, \d{2,} dropped, \d{2,} rep/;
  assert.match(network.stdout, counts);

  const [before, after] = [lines(killed), lines(hub)];
  for (const [i, { stdout }] of members.entries()) {
    // From its joining on what the first hub said, until somewhere, and what
    // the second said, to its own last line at least.
    const second = stdout.lastIndexOf(after.slice(0, after.indexOf("\n")));
    const since = before.indexOf(`* ${NAMES[i]} joined (`);
    assert.equal(stdout.slice(0, second), before.slice(since, since + second));
    assert.equal(stdout.slice(second), after.slice(0, stdout.length - second));
    assert(stdout.includes(`${NAMES[i]}: line 70\n`));
  }
  // Only what the first had passed on, and could not tell any more, comes twice.
  const all = (before + after).match(/^\w+: .*$/gm) ?? [];
  const said = Array.from(
    { length: 71 },
    (_, i) => NAMES.map((name) => `${name}: line ${i}`),
  ).flat();
  assert.deepEqual([...new Set(all)].sort(), said.sort());
  t.diagnostic(`${all.length - said.length} lines came twice`);
  assert(all.length - said.length < 100); // of the last seconds
}, { timeout: 120_000 });
