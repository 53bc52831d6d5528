import assert from "node:assert/strict";
import { drained, joinRaw, openRaw, type Raw, startHub } from "./group.ts";
import { idle, memory, NOT_LINUX } from "./kernel.ts";
import { onEveryRuntime } from "./runtimes.ts";

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

const LINES = 100_000;
const BATCH = 50; // lines that the talker sends before it waits for the hub

onEveryRuntime("100,000 lines, and nobody has any", async (t, runtime) => {
  if (NOT_LINUX) return t.skip(NOT_LINUX);
  const hub = await startHub(t, runtime);
  const talker = await joinRaw(t, hub.port, "talker");
  // These never say what they have, nor that they lack anything.
  for (const name of ["ann", "ben"]) await joinRaw(t, hub.port, name);

  let said = 0;
  const talk = async (lines: number) => {
    for (const end = said + lines; said < end;) {
      const batch = Array.from({ length: BATCH }, () => `/say ${++said} line`);
      talker.forget();
      hub.stdout = "";
      await talker.send(batch.join("\n"));
      await talker.until(() => talker.lines.includes(`/said ${said}`));
    }
  };
  await talk(LINES / 10); // what any load costs at first
  await idle(hub.pid);
  const before = memory(hub.pid).all;
  await talk(LINES);
  await idle(hub.pid);
  const cost = memory(hub.pid).all - before;
  t.diagnostic(`the lines cost ${cost.toFixed()} MB`);
  assert(cost < 60, `the lines cost ${cost} MB`);
});
