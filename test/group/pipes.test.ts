import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { others, startHub, startMember } from "../support/group.ts";
import type { Program } from "../support/processes.ts";
import { ofEachKind, on } from "../support/runtimes.ts";

/** All of them have printed this line next, and nothing else. */
async function show(programs: Program[], line: string) {
  for (const program of programs) await program.prints(`${line}\n`);
  for (const program of programs) program.stdout = "";
}

on(ofEachKind, "a conversation in pipes", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const [one, two, three] = others(runtime);

  const alice = startMember(t, one!, "alice", hub.port);
  await show([hub, alice], "* alice joined (1 here)");
  const bob = startMember(t, two!, "bob", hub.port);
  await show([hub, alice, bob], "* bob joined (2 here)");

  alice.write("hello\n");
  await show([alice, bob], "alice: hello");
  await hub.until(() => hub.stdout.endsWith("\n"));
  const from = /^来自\[127\.0\.0\.1:\d{1,5}\]的消息: /.exec(hub.stdout)?.[0];
  await show([hub], `${from}alice: hello`);
  alice.write("你好 👋🏽\n");
  await show([alice, bob], "alice: 你好 👋🏽");
  await show([hub], `${from}alice: 你好 👋🏽`);

  const delays: number[] = [];
  for (let n = 1; n <= 9; n++) {
    await pause(200 + 100 * Math.random()); // the group is quiet
    const since = performance.now();
    alice.write(`line ${n}\n`);
    await show([bob], `alice: line ${n}`);
    delays.push(performance.now() - since);
    await show([alice], `alice: line ${n}`);
    await show([hub], `${from}alice: line ${n}`);
  }
  const median = delays.toSorted((a, b) => a - b)[4]!;
  t.diagnostic(`a line takes ${median.toFixed(1)} ms`);
  assert(median < 30, `a line takes ${median} ms`); // nothing is waited for

  bob.write("/name robert\n");
  await show([hub, alice, bob], "* bob is now robert");
  bob.write("/who\n");
  await show([bob], "* 2 here: alice, robert");
  bob.write("/nonsense\n");
  await bob.until(() => /^\* .*\n$/.test(bob.stdout));
  assert.match(bob.stdout, /no such command/);
  bob.stdout = "";

  for (
    const [wanted, answer] of [
      ["two words", "* a name has no spaces"],
      ["ALICE", "* ALICE is taken"],
      ["a:b", "* not a name: 1 to 20 letters, digits, _ . -"],
    ]
  ) {
    bob.write(`/name ${wanted}\n`);
    await show([bob], answer!);
  }
  bob.write("\n\n"); // which says nothing
  bob.write("/who\n");
  await show([bob], "* 2 here: alice, robert");

  // The client answers this one itself; in a pipe, stdout is for the group.
  bob.write("/help\n");
  await bob.complains(/^\* .*\/name.*\/who.*\/quit/);

  const carol = startMember(t, three!, "carol", hub.port);
  await show([hub, alice, bob, carol], "* carol joined (3 here)");
  // All of the input is said before the end of it.
  const lines = Array.from({ length: 3000 }, (_, i) => `line ${i}`);
  carol.end(lines.join("\n"));
  assert.equal(await carol.exits(), 0);
  const said = lines.map((line) => `carol: ${line}`).join("\n");
  await show([carol], said);
  await show([alice, bob], `${said}\n* carol left (2 here)`);

  bob.write("bye\n/quit\nnobody hears this\n");
  assert.equal(await bob.exits(), 0);
  await show([bob], "robert: bye");
  await show([alice], "robert: bye\n* robert left (1 here)");
  await hub.until(() => hub.stdout.endsWith(" left (1 here)\n"));
  assert.match(
    hub.stdout,
    /^来自\[.*\]的消息: robert: bye\n\* robert left.*\n$/m,
  );
  assert.equal(hub.stderr + alice.stderr + carol.stderr, "");
});
