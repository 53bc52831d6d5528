import assert from "node:assert/strict";
import {
  drained,
  joinRaw,
  openRaw,
  type Raw,
  startHub,
} from "../support/group.ts";
import { idle, memory, NOT_LINUX, socketOf } from "../support/kernel.ts";
import { onEveryRuntime } from "../support/runtimes.ts";

const MOST = 64; // bytes that a stranger gets for one datagram

onEveryRuntime("what a stranger gets", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const alice = await joinRaw(t, hub.port, "alice");
  const other = await openRaw(t, hub.port);
  const stranger = await openRaw(t, hub.port);
  const cookie = await stranger.cookie();
  const theirs = await other.cookie();
  assert.match(cookie, /^[0-9a-f]{16}$/);
  assert.notEqual(theirs, cookie);

  const datagrams = [
    ...["", "\n", "\n".repeat(1000), "hello", "/join", "/join \n/join \n"],
    ...["/say 1 hello", "/have 0", "/who", "/name alice", "/quit", "/help"],
    ...[
      "5 alice: hello",
      "* alice left (0 here)",
      "\x1b[2J",
      "x".repeat(60_000),
    ],
    ...["/welcome 1 mallory\nhello", `/welcome 0 mallory\n/join ${cookie}x`],
    ...[`/join ${theirs}`, `/join ${theirs} mallory`, "/join 0000000000000000"],
    ...[`/join ${cookie.slice(1)}`, `/join ${cookie.toUpperCase()}!`],
    ...[
      ` /join ${cookie}`,
      `/JOIN ${cookie}`,
      `hello\n/join ${cookie} mallory`,
    ],
    Uint8Array.of(0xff, 0xfe, 0),
  ];
  stranger.datagrams = [];
  for (const [i, datagram] of datagrams.entries()) {
    await stranger.send(datagram);
    await stranger.until(() => stranger.datagrams.length > i);
  }
  await stranger.settles();
  assert.equal(stranger.datagrams.length, datagrams.length + 1);
  for (const one of stranger.datagrams) {
    assert(one.length <= MOST);
    assert.equal(one.toString().trimEnd(), `/join ${cookie}`);
  }

  // Nobody heard of it; and it can still come in.
  await alice.settles();
  assert.deepEqual(alice.heard.slice(2, -1), ["* alice joined (1 here)"]);
  await hub.prints("* alice joined (1 here)\n");
  // But to this there is no answer, as it comes from another hub: the two would
  // answer each other for ever.
  await stranger.send("/join 0123456789abcdef\n");
  await stranger.send(`/join ${cookie} mallory`);
  await alice.hears("* mallory joined (2 here)");
  await stranger.hears("* mallory joined (2 here)");
  const next = stranger.datagrams[datagrams.length + 1]!;
  assert.match(next.toString(), /^\/welcome /);
});

onEveryRuntime("a cookie of an earlier run", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const next = await startHub(t, runtime);
  const stranger = await openRaw(t, hub.port);
  const cookie = await stranger.cookie();
  stranger.hub = next.port;
  assert.notEqual(await stranger.cookie(), cookie);
  await stranger.send(`/join ${cookie} mallory`);
  await stranger.until(() => stranger.datagrams.length === 3);
  assert.match(stranger.lines[2]!, /^\/join /);
});

const SOCKETS = 500;
const EACH = 240; // datagrams from each of them
const BURST = 100; // at once: the kernel's buffer holds more

onEveryRuntime("120,000 datagrams of strangers", async (t, runtime) => {
  if (NOT_LINUX) return t.skip(NOT_LINUX);
  const hub = await startHub(t, runtime);
  const alice = await joinRaw(t, hub.port, "alice");
  const strangers: Raw[] = [];
  while (strangers.length < SOCKETS) {
    strangers.push(
      await openRaw(t, hub.port, `127.0.0.${2 + strangers.length % 50}`),
    );
  }
  const flood = async (rounds: number) => {
    for (let sent = 0; sent < rounds * SOCKETS; sent += BURST) {
      const burst = strangers.splice(0, BURST);
      strangers.push(...burst); // to be the last next time
      for (const one of burst) one.forget();
      const datagram = `/join 0123456789abcdef mallory${sent}`;
      await Promise.all(burst.map((one) => one.send(datagram)));
      await drained(hub.port);
    }
  };
  await flood(20); // what any load costs at first
  await idle(hub.pid);
  const before = memory(hub.pid).all;
  const { lost } = socketOf(hub.port);
  await flood(EACH);
  await idle(hub.pid);
  const cost = memory(hub.pid).all - before;
  t.diagnostic(`the flood costs ${cost.toFixed()} MB`);
  assert(cost < 60, `the flood costs ${cost} MB`);
  assert.equal(socketOf(hub.port).lost, lost, "lost on the way");

  await alice.send("still there?");
  await alice.hears("alice: still there?");
  await hub.until(() => hub.stdout.endsWith("still there?\n"));
  assert.equal(hub.stdout.split("\n").length, 3, hub.stdout);
});
