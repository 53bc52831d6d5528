// Datagrams under a false sender: from a member's address to the hub, and from
// the hub's to a member. Who sends them sees nothing of the traffic, and has to
// guess the token. Nothing is shown, nothing is lost, nobody leaves.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import process from "node:process";
import { type TestContext } from "node:test";
import { startHub } from "../support/group.ts";
import { type Server } from "../support/pair.ts";
import { ofEachKind, on, type Runtime } from "../support/runtimes.ts";
import { agree, Member } from "../support/conversation.ts";
import { Forger, NO_NAMESPACES, openNamespace } from "../support/namespace.ts";

const GUESSES = 300; // of each kind

const token = () => randomBytes(8).toString("hex");
const run = () => randomBytes(4).toString("hex");
const guess = () => Math.floor(2 ** (Math.random() * 40));

/** What an attacker could write to a hub. */
const TO_HUB: Record<string, () => string> = {
  text: () => "forged",
  "/name": () => `/name forged${guess()}`,
  "/quit": () => "/quit",
  "/who": () => "/who",
  "/say": () => `/say ${guess()} forged`,
  "/say, /quit": () => `/say ${guess()} /quit`,
  "/have": () => `/have ${guess()}`,
  "/have with a gap": () => `/have ${guess()} ${guess()}`,
  "/join": () => "/join",
  "/join with a cookie": () => `/join ${token()}`,
  "/join with a name": () => `/join ${token()} forged ${guess()}`,
  nothing: () => "",
};

/** What an attacker could write to a member. */
const TO_MEMBER: Record<string, () => string> = {
  text: () => "forged",
  notice: () => "* bob left (1 here)",
  numbered: () => `${guess()} bob: forged`,
  "the next number": () => `${4 + Math.floor(Math.random() * 8)} bob: forged`,
  "/have": () => `/have ${guess()}`,
  "/sent": () => `/sent ${guess()}`,
  "/said": () => `/said ${guess()}`,
  "/gone": () => `/gone ${guess()}`,
  "/full": () => "/full",
  "/join": () => `/join ${token()}`,
  "/welcome": () => `/welcome ${guess()} forged`,
};

/** Each kind with no head, and behind one that is guessed. */
function forgeries(
  kinds: Record<string, () => string>,
  head: () => string,
): string[] {
  return Object.values(kinds).flatMap((kind) =>
    Array.from(
      { length: GUESSES },
      (_, i) => (i % 2 ? `#${token()} ${head()}\n` : "") + kind() + "\n",
    )
  );
}

/** The port of a member, as the hub's console has it. */
async function portOf(hub: Server, { name }: Member): Promise<number> {
  const pattern = RegExp(`127\\.0\\.0\\.1:(\\d+)\\]的消息: ${name}: `);
  await hub.until(() => pattern.test(hub.stdout));
  return Number(pattern.exec(hub.stdout)![1]);
}

async function attack(t: TestContext, runtime: Runtime) {
  if (NO_NAMESPACES) return t.skip(NO_NAMESPACES);
  const namespace = await openNamespace(t);
  const hub = await startHub(t, namespace.of(runtime));
  const forger = new Forger(namespace);
  const members = ["alice", "bob", "carol"].map((name, i) =>
    new Member(
      t,
      namespace.of(ofEachKind[i % ofEachKind.length]!),
      name,
      hub.port,
    )
  );
  for (const one of members) await one.until(() => one.joined, 30_000);

  let said = 0;
  const say = () => {
    said++;
    for (const member of members) member.say(`line ${said}`);
  };
  const shown = async () => {
    const all = said * members.length;
    for (const one of members) {
      await one.until(() => one.shown.length >= all, 10_000);
    }
  };
  say();
  await shown();
  const notices = members.map((one) => one.notices.length);
  const before = namespace.arrived;
  for (const member of members) {
    const port = await portOf(hub, member);
    const time = () => `${guess()}`;
    await forger.send(port, hub.port, forgeries(TO_HUB, time));
    say();
    await shown();
    // While they wait for an answer, a false one may look like it.
    process.kill(-hub.pid, "SIGSTOP");
    say();
    const head = () => `${run()} ${time()}`;
    await forger.send(hub.port, port, forgeries(TO_MEMBER, head));
    process.kill(-hub.pid, "SIGCONT");
    await shown();
  }
  const kinds = Object.keys({ ...TO_HUB, ...TO_MEMBER }).length;
  const arrived = namespace.arrived - before;
  // Far fewer than were sent: Deno's buffer does not hold them all.
  assert(arrived > members.length * kinds * GUESSES / 10, `${arrived} arrived`);
  const texts = Array.from({ length: said }, (_, i) => `line ${i + 1}`);
  agree(members, new Map(members.map(({ name }) => [name, texts])));
  assert.deepEqual(members.map((one) => one.notices.length), notices);
  for (const one of members) assert.equal(one.stderr, "");
  assert.equal(hub.stdout.match(/^\* /gm)?.length, 3, hub.stdout);
  for (const one of members) await one.leaves();
}

on(ofEachKind, "forged senders", attack);
