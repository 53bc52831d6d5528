// Machines that answer whatever they get, each named as the sender of a first
// datagram: none becomes a member, and no two machines answer each other for
// ever.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { startHub } from "../support/group.ts";
import { listening } from "../support/pair.ts";
import { emptyFolder, PROJECT } from "../support/processes.ts";
import { ofEachKind, on, type Runtime } from "../support/runtimes.ts";
import { Member } from "../support/conversation.ts";
import {
  Forger,
  type Namespace,
  NO_NAMESPACES,
  openNamespace,
} from "../support/namespace.ts";

const HEAD = "#0123456789abcdef 1";
const FIRST = [
  ...["", "hello", "/join", "/join mallory", "/quit", "/who", "7 hello"],
  ...["/join 0123456789abcdef", "/join 0123456789abcdef mallory"],
  ...["/join 0123456789abcdef mallory 1", "* hello", "/full"],
  ...[`${HEAD}`, `${HEAD}\n/join`, `${HEAD}\n/join 0 mallory 1`],
  ...[`${HEAD}\n/have 1`, `${HEAD}\n/say 1 hello`, `${HEAD}\n/quit`],
  ...["#0123456789abcdef 01234567 1\n/join 0123456789abcdef"],
];

const ECHO = `import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print("listening on port", s.getsockname()[1], file=sys.stderr)
while True: s.sendto(*s.recvfrom(65536))`;

/** Our own server of the pair, answering by itself, as this expression says. */
function bot(t: TestContext, namespace: Namespace, answer: string) {
  const script = join(emptyFolder(t), "bot.ts");
  const text = readFileSync(join(PROJECT, "server.ts"), "utf8");
  const [before, main = ""] = text.split("async function main");
  const changed = main.replace('await input(">>>")', answer);
  assert.notEqual(changed, main);
  writeFileSync(script, `${before}async function main${changed}`);
  const command = [...ofEachKind[0]!.command, script, "127.0.0.1", "0"];
  return listening(namespace.run(...command));
}

async function answered(t: TestContext, runtime: Runtime) {
  if (NO_NAMESPACES) return t.skip(NO_NAMESPACES);
  const namespace = await openNamespace(t);
  const hub = await startHub(t, namespace.of(runtime));
  const alice = new Member(t, namespace.of(runtime), "alice", hub.port);
  await alice.until(() => alice.joined, 30_000);
  const forger = new Forger(namespace);

  const machines = {
    echo: await listening(namespace.run("python3", "-c", ECHO)),
    "another hub": await startHub(t, namespace.of(runtime)),
    "a bot that says it louder": await bot(
      ...[t, namespace, "decode(msg).toUpperCase()"] as const,
    ),
    "a bot that greets": await bot(t, namespace, '"hello"'),
    "the hub itself": hub,
  };
  for (const [name, machine] of Object.entries(machines)) {
    const before = namespace.arrived;
    await forger.send(machine.port, hub.port, FIRST);
    await pause(300);
    const after = namespace.arrived;
    // Each brings one cookie, and perhaps an answer to that, and its cookie.
    const brought = after - before;
    t.diagnostic(`${name}: ${brought} datagrams`);
    assert(brought > FIRST.length, "they have no answer"); // which arrived
    assert(brought < 6 * FIRST.length, `${name}: ${brought} datagrams`);
    await pause(300);
    const more = namespace.arrived - after;
    assert(more <= 4, `${name}: ${more} datagrams, and it goes on`);
  }
  alice.say("still here");
  await alice.until(() => alice.shown.length > 0, 10_000);
  assert.deepEqual(alice.shown, ["alice: still here"]);
  assert.deepEqual(alice.notices, ["* alice joined (1 here)"]);
  await alice.leaves();
}

on(ofEachKind, "machines that answer", answered);
