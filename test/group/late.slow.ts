// Every datagram of a conversation, kept and sent again 1 s, 10 s and one hub's
// life later: nothing is shown twice, nothing is lost, who has left stays away,
// and nobody believes that the server was away. A member that has moved stays
// where it is.

import assert from "node:assert/strict";
import { describe, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { startHubOn } from "../support/group.ts";
import { freePort } from "../support/kernel.ts";
import { endGroup, type Program } from "../support/processes.ts";
import { ofEachKind, on, type Runtime } from "../support/runtimes.ts";
import { agree, Member } from "../support/conversation.ts";
import { type Copy, openRelay } from "../support/relay.ts";

const NAMES = ["alice", "bob", "carol"];

/** The notices on a console, such as "m1 joined (1 here)". */
function notices({ stdout }: Program): string[] {
  return stdout.split("\n").filter((line) => line.startsWith("* "));
}

async function again(t: TestContext, runtime: Runtime) {
  const port = Number(freePort());
  let hub = startHubOn(t, runtime, port);
  const relay = await openRelay(t, port);
  const members: Member[] = [];
  for (const [i, name] of NAMES.entries()) {
    const on = ofEachKind[i % ofEachKind.length]!;
    const member = new Member(t, on, name, relay.port);
    members.push(member);
    await member.until(() => member.joined, 30_000);
  }
  const [alice, bob, carol] = members as [Member, Member, Member];

  const said = new Map<string, string[]>(NAMES.map((name) => [name, []]));
  let count = 0;
  /** Lines of some come to all that are here, and soon. */
  const talk = async (speakers: Member[], here = speakers) => {
    for (let i = 0; i < 20; i++) {
      count++;
      for (const one of speakers) {
        said.get(one.name)!.push(`line ${count}`);
        one.say(`line ${count}`);
      }
      await pause(5);
    }
    const last = speakers.map(({ name }) => `${name}: line ${count}`);
    for (const one of here) {
      const all = () => last.every((line) => one.shown.includes(line));
      assert(await one.until(all, 2000), `${one.name} waits for line ${count}`);
    }
  };
  await talk(members);
  bob.say("/who");
  bob.say("/name robert");
  const isTold = async (notice: string) =>
    assert(await alice.until(() => alice.notices.includes(notice), 5000));
  await isTold("* bob is now robert");
  bob.say("/name bob");
  await isTold("* robert is now bob");
  await carol.leaves();
  await talk([alice, bob]);
  const former = [...relay.copies];
  relay.move();
  await talk([alice, bob]);

  const before = notices(hub);
  const theirs = () => [alice.notices.length, bob.notices.length];
  const known = theirs();
  for (const seconds of [1, 10]) {
    const copies: Copy[] = [...relay.copies];
    await pause(seconds * 1000);
    await relay.replay(former);
    await talk([bob], [alice, bob]); // alice says nothing: she is still found
    await relay.replay(copies);
    await talk([bob], [alice, bob]); // alice says nothing: she is still found
    await talk([alice, bob]);
    assert.deepEqual(notices(hub), before, `${seconds} s later`);
    assert.deepEqual(theirs(), known, `${seconds} s later`);
  }

  const copies = [...relay.copies];
  endGroup(hub.pid);
  await hub.exits();
  hub = startHubOn(t, runtime, port);
  for (const { name } of [alice, bob]) {
    await hub.until(() => hub.stdout.includes(`* ${name} joined`));
  }
  await talk([alice, bob]);
  await relay.replay(copies);
  await talk([alice, bob]);
  await relay.replay(copies.toReversed());
  await talk([alice, bob]);

  assert.equal(notices(hub).length, 2, hub.stdout);
  for (const { stderr } of [alice, bob]) {
    assert.equal(stderr.match(/\* the server was away/g)?.length, 1);
  }
  agree([alice, bob], said);
  await alice.leaves();
  await bob.leaves();
}

describe("copies of all datagrams come late", { concurrency: 3 }, () => {
  on(ofEachKind, "twice, and after a restart", again);
});
