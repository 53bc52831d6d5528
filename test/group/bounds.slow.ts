import assert from "node:assert/strict";
import process from "node:process";
import { describe } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import {
  drained,
  joinProgram,
  joinRaw,
  openRaw,
  type Raw,
  startHub,
} from "../support/group.ts";
import { quantile } from "../support/quantile.ts";
import { idle, memory, NOT_LINUX } from "../support/kernel.ts";
import { startPiped } from "../support/pair.ts";
import type { Program } from "../support/processes.ts";
import { ofEachKind, on } from "../support/runtimes.ts";
import { openPeer } from "../support/udp.ts";

const NOT_DENO = ofEachKind.filter(({ name }) => name !== "Deno");

on(ofEachKind, "1,000 members and no more", async (t, runtime) => {
  if (NOT_LINUX) return t.skip(NOT_LINUX);
  const hub = await startHub(t, runtime);
  const members: Raw[] = [];
  const full = async (address: string) => {
    const late = await openRaw(t, hub.port, address);
    const proof = `/join ${await late.cookie()} late`;
    await late.repeats(proof, () => late.lines.includes("/full"));
    return { late, proof };
  };
  for (const host of [1, 2, 3, 4]) {
    for (let i = 0; i < 250; i += 5) { // the hub's time for strangers is short
      const some = await Promise.all(
        Array.from(
          { length: 5 },
          () => openRaw(t, hub.port, `127.0.0.${host}`),
        ),
      );
      await Promise.all(some.map(async (one) => {
        const name = `member${members.push(one)}`;
        const proof = `/join ${await one.cookie()} ${name}`;
        const welcome = () =>
          one.lines.some((line) => line.startsWith("/welc"));
        await one.repeats(proof, welcome);
      }));
    }
    if (host === 1) await full("127.0.0.1"); // 250 from an address
  }
  const { late, proof } = await full("127.0.0.5");
  await members[999]!.until(() =>
    members[999]!.heard.some((line) =>
      /^\* member\d+ joined \(1000 here\)$/.test(line)
    )
  );

  const [first, second] = members as [Raw, Raw];
  first.forget();
  await first.send("/who");
  await first.until(() => first.lines.length > 0);
  assert.match(first.lines[0]!, /^\* 1000 here: member\d+, member\d+, /);
  assert(first.datagrams.every(({ length }) => length <= 1200));

  // Where one leaves, another may come.
  await second.send("/quit");
  await first.until(() =>
    first.heard.some((line) => line.endsWith(" left (999 here)"))
  );
  await late.repeats(
    proof,
    () => late.heard.includes("* late joined (1000 here)"),
  );
}, 120_000);

/**
 * Says lines, so many in a datagram and so many datagrams for an answer; what
 * is over a member's share of a round costs half of a second.
 */
function talking(talker: Raw, text: string, batch: number, burst: number) {
  let said = 0;
  return async (lines: number) => {
    for (const end = said + lines; said < end;) {
      talker.forget();
      let next = said;
      const some = () =>
        Array.from({ length: batch }, () => `/say ${++next} ${text}`);
      for (let i = 1; i < burst; i++) await talker.request(...some());
      await talker.ask(`/have ${talker.have}`, ...some());
      said = talker.said; // what was not taken is said again
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

describe("members that never say what they have", { concurrency: 3 }, () => {
  on(ofEachKind, "20,000 lines, and nobody has any", async (t, runtime) => {
    if (NOT_LINUX) return t.skip(NOT_LINUX);
    const hub = await startHub(t, runtime);
    const talker = await joinProgram(t, hub.port, "talker");
    // These never say what they have, nor that they lack anything.
    await joinProgram(t, hub.port, "ann");
    await joinRaw(t, hub.port, "ben");
    const mb = await cost(hub, talking(talker, "line", 28, 1), 20_000);
    t.diagnostic(`the lines cost ${mb.toFixed()} MB`);
    assert(mb < 60, `the lines cost ${mb} MB`);
  }, 90_000);
});

on(ofEachKind, "100 ask for all that there is", async (t, runtime) => {
  if (NOT_LINUX) return t.skip(NOT_LINUX);
  const hub = await startHub(t, runtime);
  const talker = await joinProgram(t, hub.port, "talker");
  await talking(talker, "x".repeat(900), 1, 2)(1100);
  const members: Raw[] = [];
  while (members.length < 100) {
    members.push(await joinProgram(t, hub.port, `m${members.length}`));
  }
  await idle(hub.pid);
  const before = memory(hub.pid).all;
  const delays: number[] = []; // ms
  for (let i = 0; i < 20; i++) {
    for (const one of members) {
      one.forget();
      await one.request("/have 0 1-9999999");
    }
    const since = performance.now();
    await talker.ask("/who");
    delays.push(performance.now() - since);
  }
  const [mb, ms] = [memory(hub.pid).all - before, quantile(delays, 0.9)];
  t.diagnostic(`${ms.toFixed()} ms (90 %), ${mb.toFixed()} MB`);
  assert(ms < 250, `the answer to another takes ${ms} ms`);
  assert(mb < 150, `it costs ${mb} MB`);
});

describe("a console", { concurrency: 3 }, () => {
  // Deno writes to a full pipe until it is read, and does nothing else.
  on(NOT_DENO, "a console that nobody reads", async (t, runtime) => {
    if (NOT_LINUX) return t.skip(NOT_LINUX);
    const hub = await startHub(t, runtime, { unread: true });
    const talker = await joinProgram(t, hub.port, "talker");
    const talk = talking(talker, "x".repeat(900), 1, 2);
    await talk(1500);
    hub.read();
    while (!hub.stdout.includes("* lines are missing here\n")) await talk(20);
    assert(hub.stdout.length < 1_000_000, "it kept what nobody read");
  });
});

describe("a big burst", { concurrency: 3 }, () => {
  on(
    ofEachKind,
    "the hub looks what has come meanwhile",
    async (t, runtime) => {
      if (NOT_LINUX) return t.skip(NOT_LINUX);
      const hub = await startHub(t, runtime);
      const talker = await joinProgram(t, hub.port, "talker");
      const stranger = await openRaw(t, hub.port);
      const members: Raw[] = [];
      while (members.length < 20) {
        members.push(await joinProgram(t, hub.port, `m${members.length}`));
      }
      const talk = talking(talker, "x".repeat(900), 1, 2);
      await talk(1000); // of which each is sent the first 512
      process.kill(-hub.pid, "SIGSTOP");
      for (const one of members) {
        await one.request(`/have ${one.have}`); // so it gets all the others
        one.forget();
      }
      process.kill(-hub.pid, "SIGCONT");
      const came = () =>
        members.reduce((sum, one) => sum + one.datagrams.length, 0);
      let most = 0; // that are sent between two looks
      for (let before = 0; before < 4000; before = came()) {
        await stranger.send("hello?");
        await drained(hub.port);
        most = Math.max(most, came() - before);
        await turn();
      }
      t.diagnostic(`at most ${most} datagrams between two looks`);
      assert(most < 3000, `${most} datagrams between two looks`);
    },
  );
});

on(ofEachKind, "two million lines for a server", async (t, runtime) => {
  if (NOT_LINUX) return t.skip(NOT_LINUX);
  const server = await openPeer(t); // which does not let it in
  const args = ["alice", "127.0.0.1", server.port] as const;
  const member = startPiped(t, runtime, "group/client.ts", ...args);
  assert.match(
    (await server.receive()).text,
    /^#\w{16} \d+\n\/join 0 alice \d+\n$/,
  );
  await idle(member.pid);
  const { largest } = memory(member.pid);
  t.diagnostic(`the member takes ${largest.toFixed()} MB`);
  assert(largest < 150, `the member takes ${largest} MB`);
});

on(ofEachKind, "more than can be passed on", async (t, runtime) => {
  if (NOT_LINUX) return t.skip(NOT_LINUX);
  const hub = await startHub(t, runtime);
  const flooder = await joinRaw(t, hub.port, "flooder");
  for (let i = 1; i < 50; i++) await joinRaw(t, hub.port, `member${i}`);
  const before = memory(hub.pid).all;
  for (let i = 0; i < 1500; i++) {
    await flooder.send("x\n".repeat(599));
    await drained(hub.port, 20_000);
    hub.stdout = "";
  }
  const mb = memory(hub.pid).all - before;
  t.diagnostic(`the flood costs ${mb.toFixed()} MB`);
  assert(mb < 150, `the flood costs ${mb} MB`);
});
