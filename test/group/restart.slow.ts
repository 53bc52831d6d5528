import assert from "node:assert/strict";
import process from "node:process";
import { describe, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import {
  count,
  join,
  openRaw,
  others,
  silentPort,
  startHub,
  startHubOn,
  startMember,
} from "../support/group.ts";
import { freePort } from "../support/kernel.ts";
import type { Server } from "../support/pair.ts";
import { endGroup, type Program } from "../support/processes.ts";
import { ofEachKind, on, type Runtime } from "../support/runtimes.ts";
import { openPeer } from "../support/udp.ts";

/** Wait until this holds, and see that it took no more than so many seconds. */
async function within(seconds: number, wait: Promise<unknown>) {
  const since = performance.now();
  await wait;
  const took = (performance.now() - since) / 1000;
  assert(took < seconds, `it took ${took} s`);
}

function rejoined(member: Program, name: string): Promise<void> {
  const joined = `* ${name} joined (`;
  return member.until(() => count(member.stdout, joined) === 2);
}

/** A hub whose port nobody else gets when it is killed. */
async function startLasting(t: TestContext, runtime: Runtime): Promise<Server> {
  const port = Number(freePort());
  const hub = startHubOn(t, runtime, port);
  await (await openRaw(t, port)).cookie(); // it listens
  return Object.assign(hub, { port });
}

// They mostly wait: for members to miss their server, and to find it again.
describe("a server", { concurrency: 10 }, () => {
  on(ofEachKind, "is killed, and back after a while", async (t, runtime) => {
    const hub = await startLasting(t, runtime);
    const [one, two, three] = others(runtime);
    const alice = await join(t, one!, "alice", hub.port);
    const bob = await join(t, two!, "bob", hub.port);
    alice.write("before\n");
    await bob.until(() => bob.stdout.endsWith("alice: before\n"));
    bob.write("/name robert\n");
    await alice.until(() => alice.stdout.endsWith("robert\n"));
    await bob.until(() => bob.stdout.endsWith("robert\n"));

    endGroup(hub.pid);
    await hub.exits();
    alice.write("mean\nwhile\n");
    for (const member of [alice, bob]) {
      await member.complains(/^\* .*no answer from 127\.0\.0\.1:\d+/);
    }

    const again = startHubOn(t, three!, hub.port);
    await within(10, rejoined(alice, "alice"));
    await within(10, bob.until(() => bob.stdout.includes("* robert joined (")));
    await again.until(() => again.stdout.includes("while\n"));
    bob.write("after\n");
    await alice.until(() => alice.stdout.endsWith("robert: after\n"));
    await bob.until(() => bob.stdout.endsWith("robert: after\n"));

    for (const one of [again, alice, bob]) {
      for (const line of ["mean\n", "while\n", "after\n"]) {
        assert.equal(count(one.stdout, `: ${line}`), 1, one.stdout);
      }
    }
    assert.equal(count(alice.stdout, "before\n"), 1);
    assert.equal(count(bob.stdout, "before\n"), 1);
    for (const member of [alice, bob]) {
      await member.until(() => count(member.stderr, "\n") >= 2);
      assert.match(member.stderr, /^\* .*no answer from .*\n\* .* back.*\n$/);
    }
  });

  on(ofEachKind, "is killed, and back at once", async (t, runtime) => {
    const hub = await startLasting(t, others(runtime)[1]!);
    const alice = await join(t, runtime, "alice", hub.port);
    const bob = await join(t, others(runtime)[0]!, "bob", hub.port);

    endGroup(hub.pid);
    await hub.exits();
    alice.write("meanwhile\n");
    const again = startHubOn(t, runtime, hub.port);
    await within(10, rejoined(alice, "alice"));
    await within(10, rejoined(bob, "bob"));
    bob.write("after\n");
    await alice.until(() => alice.stdout.endsWith("bob: after\n"));
    for (const one of [again, alice, bob]) {
      await one.until(() => one.stdout.endsWith(": after\n"));
      assert.equal(count(one.stdout, ": meanwhile\n"), 1, one.stdout);
    }
    for (const member of [alice, bob]) {
      await member.until(() => member.stderr.includes("back"));
      assert.match(member.stderr, /^(.*no answer.*\n)?\* .* away .* back\n$/);
    }
  });

  on(ofEachKind, "is killed, and never comes back", async (t, runtime) => {
    const hub = await startHub(t, others(runtime)[0]!);
    const alice = await join(t, runtime, "alice", hub.port);
    endGroup(hub.pid);
    await hub.exits();
    const since = performance.now();
    alice.end("one\ntwo\nthree");
    assert.equal(await alice.exits(), 1);
    const took = performance.now() - since;
    assert(took > 9900 && took < 15_000, `after ${took} ms`);
    assert.match(
      alice.stderr,
      /^\* .*no answer from .*\nlines not delivered: 3\n$/,
    );
    await alice.prints("* alice joined (1 here)\n");
  });

  on(ofEachKind, "comes after its member", async (t, runtime) => {
    const { port, free } = await silentPort(t);
    const alice = startMember(t, runtime, "alice", port);
    alice.write("anyone?\n");
    const since = performance.now();
    await alice.complains(
      RegExp(`^\\* connecting to 127\\.0\\.0\\.1:${port} …\n$`),
    );
    const first = performance.now() - since;
    assert(first > 900 && first < 5000, `after ${first} ms`);
    await alice.until(() => count(alice.stderr, "\n") === 2);
    assert.match(
      alice.stderr,
      RegExp(`\n\\* .*no answer from 127\\.0\\.0\\.1:${port}\n$`),
    );
    const took = performance.now() - since;
    assert(took > 4900 && took < 10_000, `after ${took} ms`);

    free();
    startHubOn(t, others(runtime)[0]!, port);
    const shown = "* alice joined (1 here)\nalice: anyone?\n";
    await within(10, alice.prints(shown));
    alice.end();
    assert.equal(await alice.exits(), 0);
    await alice.prints(shown);
    assert.match(
      alice.stderr,
      /^\* connecting .*\n\* .*no answer from .*\n\* .* back.*\n$/,
    );
  });

  on(ofEachKind, "never comes", async (t, runtime) => {
    const { port } = await silentPort(t);
    const alice = startMember(t, runtime, "alice", port);
    alice.end("one\ntwo\n");
    assert.equal(await alice.exits(), 1);
    assert.match(
      alice.stderr,
      /^\* connecting .*\n\* .*no answer from .*\nlines not delivered: 2\n$/,
    );
    assert.equal(alice.stdout, "");
  });

  on(ofEachKind, "a pause is no long way", async (t, runtime) => {
    const peer = await openPeer(t); // a hub that is gone after its first answer
    const alice = startMember(t, runtime, "alice", peer.port);
    const { text, port } = await peer.receive();
    const [token, time] = text.split("\n")[0]!.split(" ");
    process.kill(-alice.pid, "SIGSTOP");
    await peer.send(
      `${token} 01234567 ${time}\n/join 0123456789abcdef\n`,
      port,
    );
    await pause(4000);
    process.kill(-alice.pid, "SIGCONT");
    while (!(await peer.receive()).text.includes("/join 0123456789abcdef "));
    await within(4, peer.receive());
  });
});
