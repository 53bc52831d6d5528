import assert from "node:assert/strict";
import { describe, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { startMember } from "../support/group.ts";
import { onEveryRuntime, type Runtime } from "../support/runtimes.ts";
import { openPeer, type Peer } from "../support/udp.ts";

// Here the hub is the test itself, and does what no hub should.

const COOKIE = "0123456789abcdef";

/** A member that waits for its welcome from the test's own socket. */
async function knock(t: TestContext, runtime: Runtime) {
  const hub = await openPeer(t);
  const member = startMember(t, runtime, "alice", hub.port);
  const port = await hub.receives("/join  alice");
  await hub.send(`/join ${COOKIE}\n`, port);
  await hub.receives(`/join ${COOKIE} alice`);
  return { hub, member, port };
}

async function enter(t: TestContext, runtime: Runtime) {
  const entered = await knock(t, runtime);
  await entered.hub.send("/welcome 0 alice\n", entered.port);
  return entered;
}

/** Say a line often, until the member has said this; returns how long it took. */
async function chat(hub: Peer, port: number, until: RegExp): Promise<number> {
  const since = performance.now();
  let heard = false;
  const answer = hub.receive().then(async ({ text }) => {
    assert.match(text, until);
    heard = true;
    await hub.send("/said 1\n", port);
  });
  for (let n = 1; !heard; n++) {
    await hub.send(`${n} bob: chatter\n`, port);
    await pause(20); // ms
  }
  await answer;
  return performance.now() - since;
}

describe("a busy group", { concurrency: 6 }, () => {
  onEveryRuntime("does not put off a repeat", async (t, runtime) => {
    const { hub, member, port } = await enter(t, runtime);
    member.write("hello\n");
    await hub.receives("/say 1 hello\n");
    const ms = await chat(hub, port, /^\/say 1 hello\n$/);
    assert(ms < 2000, `after ${ms} ms`);
  });

  onEveryRuntime("hears of who only listens", async (t, runtime) => {
    const { hub, port } = await enter(t, runtime);
    const ms = await chat(hub, port, /^\/have \d+$/);
    assert(ms < 10_000, `after ${ms} ms`);
  });
});

onEveryRuntime("what overtakes a line waits for it", async (t, runtime) => {
  const { hub, member, port } = await enter(t, runtime);
  await hub.send("1 bob: one\n", port);
  await hub.send("3 bob: three\n/have 3\n", port);
  await hub.receives("/have 1");
  await hub.send("2 bob: two\n3 bob: three\n", port);
  await member.prints("bob: one\nbob: two\nbob: three\n");
});

onEveryRuntime("an answer that comes twice", async (t, runtime) => {
  const { hub, member, port } = await enter(t, runtime);
  member.write("/who\n");
  await hub.receives("/say 1 /who\n");
  await hub.send("/said 1\n* 1 here: alice\n", port);
  await hub.send("/said 1\n* 1 here: alice\n", port);
  await hub.send("1 bob: hello\n", port);
  await member.prints("* 1 here: alice\nbob: hello\n");
});

onEveryRuntime("a long input takes its time", async (t, runtime) => {
  const { hub, member, port } = await enter(t, runtime);
  const lines = Array.from({ length: 500 }, (_, i) => `line ${i}\n`);
  member.end(lines.join(""));
  const since = performance.now();
  let datagrams = 0;
  for (let said = 0; said < lines.length;) {
    const { text } = await hub.receive();
    const last = /^\/say (\d+) .*\n$/m.exec(text.split("\n").at(-2)! + "\n");
    if (!last || Number(last[1]) <= said) continue;
    datagrams++;
    said = Number(last[1]);
    await hub.send(`/said ${said}\n`, port);
  }
  const ms = (performance.now() - since) / datagrams;
  assert(datagrams < 20, `${datagrams} datagrams`);
  assert(ms > 15, `a datagram every ${ms} ms`); // else others could not follow
});

// The hub keeps the answer to the last number that it took, and no other.
onEveryRuntime("nothing follows a command", async (t, runtime) => {
  const { hub, member, port } = await enter(t, runtime);
  member.write("hello\n/who\nbye\n");
  await hub.receives("/say 1 hello\n/say 2 /who\n");
  await hub.send("/said 2\n* 1 here: alice\n", port);
  await hub.receives("/say 3 bye\n");
});

onEveryRuntime("another address, the same server", async (t, runtime) => {
  const { hub, member, port } = await enter(t, runtime);
  await hub.send("1 bob: one\n", port);
  await member.prints("bob: one\n");
  const other = COOKIE.slice(0, 4) + "a".repeat(12);
  await hub.send(`/join ${other}\n`, port);
  while ((await hub.receive()).text !== `/join ${other} alice`);
  await hub.send("/welcome 3 alice\n", port);
  await hub.receives("/have 1"); // of another server it would want all lines
  await hub.send("2 bob: two\n3 bob: three\n", port);
  await member.prints("bob: one\nbob: two\nbob: three\n");
  assert.equal(member.stderr, "");
});

onEveryRuntime("a new cookie for each /join", async (t, runtime) => {
  const { hub, port } = await knock(t, runtime);
  const since = performance.now();
  for (let joins = 1; joins <= 5; joins++) {
    await hub.send(`/join ${`${joins}`.repeat(16)}\n`, port);
    while (!(await hub.receive()).text.startsWith("/join "));
  }
  const ms = performance.now() - since;
  assert(ms > 1000, `five times in ${ms} ms`);
});

onEveryRuntime("a full group, and lines to say", async (t, runtime) => {
  const { hub, member, port } = await knock(t, runtime);
  member.write("one\ntwo\n");
  await hub.receives(`/join ${COOKIE} alice`); // and by now it has read them
  await hub.send("/full\n", port);
  assert.equal(await member.exits(), 1);
  assert.match(
    member.stderr,
    /^\* the group is full.*\n2 lines were not delivered\n$/,
  );
});

onEveryRuntime("the input ends before the welcome", async (t, runtime) => {
  const { hub, member, port } = await knock(t, runtime);
  member.end();
  while ((await hub.receive()).text !== "/quit");
  await hub.send("* goodbye\n", port);
  assert.equal(await member.exits(), 0);
  assert.equal(member.stdout + member.stderr, "");
});
