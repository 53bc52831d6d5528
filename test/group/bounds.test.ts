import assert from "node:assert/strict";
import process from "node:process";
import {
  drained,
  joinRaw,
  openRaw,
  type Raw,
  startHub,
} from "../support/group.ts";
import { idle, memory, NOT_LINUX, socketOf } from "../support/kernel.ts";
import { startPiped } from "../support/pair.ts";
import type { Program } from "../support/processes.ts";
import { on, onEveryRuntime, runtimes } from "../support/runtimes.ts";
import { openPeer } from "../support/udp.ts";

const NOT_DENO = runtimes.filter(({ name }) => name !== "Deno");

onEveryRuntime("1,000 members and no more", async (t, runtime) => {
  if (NOT_LINUX) return t.skip(NOT_LINUX);
  const hub = await startHub(t, runtime);
  const members: Raw[] = [];
  while (members.length < 1000) {
    const some = await Promise.all(
      Array.from({ length: 20 }, () => openRaw(t, hub.port)),
    );
    for (const one of some) {
      members.push(one);
      await one.send(`/join ${await one.cookie()} member${members.length}`);
    }
    await Promise.all(
      some.map((one) =>
        one.until(() => one.lines.some((line) => line.startsWith("/welcome ")))
      ),
    );
    await drained(hub.port);
  }
  const late = await openRaw(t, hub.port);
  await late.send(`/join ${await late.cookie()} late`);
  await late.until(() => late.lines.includes("/full"));
  await members[999]!.hears("* member1000 joined (1000 here)");

  members[0]!.forget();
  await members[0]!.send("/who");
  await members[0]!.until(() => members[0]!.lines.length > 0);
  assert.match(members[0]!.lines[0]!, /^\* 1000 here: member1, member2, /);
  assert(members[0]!.datagrams.every(({ length }) => length <= 1200));

  // Where one leaves, another may come.
  await members[1]!.send("/quit");
  await members[0]!.hears("* member2 left (999 here)");
  await late.send(`/join ${await late.cookie()} late`);
  await members[0]!.hears("* late joined (1000 here)");
});

/** Says lines, so many in a datagram and so many datagrams for an answer. */
function talking(talker: Raw, text: string, batch: number, burst: number) {
  let said = 0;
  const datagram = () =>
    Array.from({ length: batch }, () => `/say ${++said} ${text}`).join("\n");
  return async (lines: number) => {
    for (const end = said + lines; said < end;) {
      talker.forget();
      for (let i = 0; i < burst; i++) await talker.send(datagram());
      await talker.until(() => talker.lines.includes(`/said ${said}`));
    }
  };
}

/** What so many lines cost in MB, when a tenth of them has been said before. */
async function cost(
  hub: Program,
  talk: (lines: number) => Promise<void>,
  lines: number,
): Promise<number> {
  await talk(lines / 10); // what any load costs at first
  await idle(hub.pid);
  const before = memory(hub.pid).all;
  await talk(lines);
  await idle(hub.pid);
  return memory(hub.pid).all - before;
}

onEveryRuntime("100,000 lines, and nobody has any", async (t, runtime) => {
  if (NOT_LINUX) return t.skip(NOT_LINUX);
  const hub = await startHub(t, runtime);
  const talker = await joinRaw(t, hub.port, "talker");
  // These never say what they have, nor that they lack anything.
  for (const name of ["ann", "ben"]) await joinRaw(t, hub.port, name);
  const mb = await cost(hub, talking(talker, "line", 50, 10), 100_000);
  t.diagnostic(`the lines cost ${mb.toFixed()} MB`);
  assert(mb < 60, `the lines cost ${mb} MB`);
});

// Deno writes to a full pipe until it is read, and does nothing else.
on(NOT_DENO, "a console that nobody reads", async (t, runtime) => {
  if (NOT_LINUX) return t.skip(NOT_LINUX);
  const hub = await startHub(t, runtime, { unread: true });
  const talker = await joinRaw(t, hub.port, "talker");
  const talk = talking(talker, "x".repeat(1000), 1, 20);
  await talk(3000);
  hub.read();
  while (!hub.stdout.includes("* lines are missing here\n")) await talk(20);
  assert(hub.stdout.length < 2_000_000, "it kept what nobody read");
});

// On Deno the hub would have to ask whether it may look.
on(NOT_DENO, "what comes too fast is counted", async (t, runtime) => {
  if (NOT_LINUX) return t.skip(NOT_LINUX);
  const hub = await startHub(t, runtime);
  const stranger = await openRaw(t, hub.port);
  process.kill(-hub.pid, "SIGSTOP");
  while (socketOf(hub.port).lost < 100) await stranger.send("hello?");
  const { lost } = socketOf(hub.port);
  process.kill(-hub.pid, "SIGCONT");
  await hub.complains(RegExp(`^${lost} datagrams lost`));
});

onEveryRuntime("two million lines for a server", async (t, runtime) => {
  if (NOT_LINUX) return t.skip(NOT_LINUX);
  const server = await openPeer(t); // which does not let it in
  const args = ["alice", "127.0.0.1", server.port] as const;
  const member = startPiped(t, runtime, "group/client.ts", ...args);
  await server.receives("/join  alice");
  await idle(member.pid);
  const { largest } = memory(member.pid);
  t.diagnostic(`the member takes ${largest.toFixed()} MB`);
  assert(largest < 150, `the member takes ${largest} MB`);
});

onEveryRuntime("more than can be passed on", async (t, runtime) => {
  if (NOT_LINUX) return t.skip(NOT_LINUX);
  const hub = await startHub(t, runtime);
  const flooder = await joinRaw(t, hub.port, "flooder");
  for (let i = 1; i < 50; i++) await joinRaw(t, hub.port, `member${i}`);
  const before = memory(hub.pid).all;
  for (let i = 0; i < 1500; i++) {
    await flooder.send("\n".repeat(1199));
    await drained(hub.port, 20_000);
    hub.stdout = "";
  }
  const mb = memory(hub.pid).all - before;
  t.diagnostic(`the flood costs ${mb.toFixed()} MB`);
  assert(mb < 150, `the flood costs ${mb} MB`);
});
