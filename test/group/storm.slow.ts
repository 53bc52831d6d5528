// A conversation through the bad network that the page recommends: everybody
// shows every line, once, all in one order.

import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { kinds, on } from "../support/on.ts";
import {
  bound,
  freePort,
  HERE,
  serve,
  start,
  until,
} from "../support/program.ts";

const PAGE = "--drop 30 --repeat 30 --delay 30 --latency 100 --move 10";
const [LINES, PACE] = [60, 200]; // ms

on(kinds, "a storm", async (t, runtime) => {
  const hub = await serve(t, runtime, "group/server.ts");
  const port = await freePort();
  const args = [port, `${HERE}:${hub.port}`, ...PAGE.split(" ")];
  const network = start(t, runtime, "test/lossy-network.ts", ...args);
  await bound(network, port);
  t.diagnostic(network.stderr); // its seed
  const members = Array.from({ length: 5 }, (_, i) => {
    const on = kinds[i % kinds.length]!;
    return start(t, on, "group/client.ts", `m${i}`, HERE, port);
  });
  const all5 = () => members.every((one) => / joined \(5 /.test(one.stdout));
  await until(all5, () => "not all five are here", 30_000);

  for (let n = 1; n <= LINES; n++) {
    for (const one of members) one.send(`line ${n}`);
    if (n === 20) members[0]!.signal("SIGSTOP");
    if (n === 35) members[0]!.signal("SIGCONT");
    await pause(PACE);
  }
  const said = (text: string) => text.match(/^m\d: .*$/gm) ?? [];
  for (const one of members) {
    const all = () => said(one.stdout).length >= LINES * members.length;
    await one.until(all, 30_000);
  }
  const [first = []] = members.map((one) => said(one.stdout));
  for (const [i, one] of members.entries()) {
    assert.deepEqual(said(one.stdout), first, `m${i} shows something else`);
    const mine = first.filter((line) => line.startsWith(`m${i}: `));
    const wanted = Array.from(
      { length: LINES },
      (_, n) => `m${i}: line ${n + 1}`,
    );
    assert.deepEqual(mine, wanted);
    assert.doesNotMatch(one.stdout + one.stderr, /missed|not known|timed out/);
    one.end();
    assert.equal(await one.exits(20_000), 0);
  }
  network.signal("SIGINT");
  await network.exits();
  const counts = /^to the server: \d{3,} datagrams, \d{2,} dropped, \d{2,} rep/;
  assert.match(network.stdout, counts);
}, { timeout: 120_000 });
