// The group in pipes: a conversation as the page shows it, all of it, and how
// the two scripts end.

import assert from "node:assert/strict";
import type { Buffer } from "node:buffer";
import { idle, memory, NOT_LINUX } from "../support/linux.ts";
import { all, kinds, on, other, withTsx } from "../support/on.ts";
import { group, play } from "../support/play.ts";
import {
  bound,
  commandOf,
  freePort,
  HERE,
  inShell,
  Program,
  serve,
  start,
  until,
} from "../support/program.ts";
import { openPeer, openSocket } from "../support/wire.ts";

const [HUB, MEMBER] = ["group/server.ts", "group/client.ts"] as const;
const LONGEST = "汉".repeat(333) + "x";

on(all, "a conversation in pipes", async (t, runtime) => {
  const cast = await group(t, runtime, "alice", "bob");
  await play(cast)`
    alice < hello bob
    alice bob > alice: hello bob
    hub > 来自[127.0.0.1:PORT]的消息: alice: hello bob
    bob < 你好 👋🏽
    alice bob > bob: 你好 👋🏽
    hub > 来自[127.0.0.1:PORT]的消息: bob: 你好 👋🏽
    bob < /who
    bob > * 2 here: alice, bob
    bob < ／who
    bob > * 2 here: alice, bob
    bob < \ufeff/name robert
    hub alice bob > * bob is now robert
    bob < /name ALICE
    hub alice bob > * robert is now ALICE2
    bob < /name 192.168.1.20
    bob ! * /name NEW: a new name, /who: who is here, /quit: leave
    bob <
    bob < ／help
    bob ! * /name NEW: a new name, /who: who is here, /quit: leave
    bob < ${LONGEST}x
    bob ! * not said: 1001 bytes, over 1000
    bob < ${LONGEST}
    alice bob > ALICE2: ${LONGEST}
    hub > 来自[ANY]的消息: ALICE2: ${LONGEST}
    bob < \x1b[2J
    alice bob > ALICE2: \\u{1b}[2J
    hub > 来自[ANY]的消息: ALICE2: \\u{1b}[2J
    bob < bye
    bob < /quit
    bob < nobody hears this
    bob > ALICE2: bye
    bob exits 0
    hub > 来自[ANY]的消息: ALICE2: bye
    hub > * ALICE2 left (1 here)
    alice > ALICE2: bye
    alice > * ALICE2 left (1 here)`;
});

// A member keeps 10,000 lines that are not taken yet: then the pipe has to wait.
on(kinds, "a pipe of 12,000 lines", async (t, runtime) => {
  const cast = await group(t, runtime, "alice");
  const carol = start(t, runtime, MEMBER, "carol", HERE, cast["hub"]!.port);
  const all = { ...cast, carol };
  await play(all)`hub alice carol > * carol joined (2 here)`;
  const texts = Array.from({ length: 12_000 }, (_, i) => `this is line ${i}`);
  carol.end(texts.join("\n"));
  assert.equal(await carol.exits(40_000), 0);
  const wanted = texts.map((text) => `carol: ${text}`);
  for (const one of Object.values(all)) {
    await one.until(() => one.shown.length >= wanted.length);
    const lines = one.shown.splice(0, wanted.length);
    assert.deepEqual(
      lines.map((line) => line.replace(/^来自.*?: /, "")),
      wanted,
    );
  }
  await play(all)`hub alice > * carol left (1 here)`;
});

on(kinds, "a pipe of two million lines waits", async (t, runtime) => {
  const hub = await openPeer(t);
  const command = commandOf(runtime, MEMBER, "alice", HERE, hub.port);
  const alice = new Program(t, inShell('seq 2000000 | "$@"', command));
  await until(() => hub.shown.length > 0, () => "no request");
  await idle(alice.pid);
  const size = memory(alice.pid);
  assert(size < 150, `it takes ${size} MB`);
}, { skip: NOT_LINUX });

on(kinds, "what no hub should send", async (t, runtime) => {
  const hub = await openSocket(t);
  hub.on("message", (request: Buffer, { port }) => {
    const [, token, time] = /^(#\w+) (\d+)\n/.exec(`${request}`)!;
    const lines = `${request}`.includes("/join 0 ")
      ? "/join 0123456789abcdef"
      : "/welcome 0 alice2\n/sent 1\n1 bob: \x1b[2J\u202e";
    hub.send(`${token} 01234567 ${time}\n${lines}\n`, port, HERE);
  });
  const { port } = hub.address();
  const alice = start(t, runtime, MEMBER, "alice", HERE, port);
  await play({ alice })`
    alice ! * you are alice2
    alice > bob: \\u{1b}[2J\\u{202e}`;
});

// ---- How they end ----

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  on(withTsx, `${signal} ends the hub`, async (t, runtime) => {
    const { hub, alice, bob } = await group(t, runtime, "alice", "bob");
    assert(hub && alice && bob);
    hub.signal(signal);
    await play({ hub })`hub > * the server is closing`;
    if (runtime.name !== "tsx" && hub.code === undefined) hub.signal(signal);
    await play({ hub })`hub exits 130`;
    for (const one of [alice, bob]) one.signal("SIGINT");
    await play({ hub, alice, bob })`
      alice bob > * the server is closing
      alice bob exits 130`;
  });
}

const SIGNALS = [["SIGINT", 130], ["SIGTERM", 0], ["SIGHUP", 0]] as const;
on(kinds, "a member leaves on a signal", async (t, runtime) => {
  const hub = await serve(t, other(runtime), HUB);
  for (const [signal, code] of SIGNALS) {
    if (signal === "SIGHUP" && runtime.name === "tsx") continue; // it dies of it
    const alice = start(t, runtime, MEMBER, "alice", HERE, hub.port);
    await play({ hub, alice })`hub alice > * alice joined (1 here)`;
    alice.signal(signal);
    await play({ hub, alice })`
      hub > * alice left (0 here)
      alice exits ${code}`;
  }
});

const READ_ONE_LINE = "{ head -n 1; exec <&-; echo gone >&2; }";

on(kinds, "their output goes away", async (t, runtime) => {
  const port = await freePort();
  const command = commandOf(runtime, HUB, HERE, port);
  const hub = new Program(t, inShell(`"$@" | ${READ_ONE_LINE}`, command));
  await bound(hub, port);
  const alice = start(t, other(runtime), MEMBER, "alice", HERE, port);
  await play({ hub, alice })`
    hub alice > * alice joined (1 here)
    hub ! gone`;
  const joins = (name: string, output: string) => {
    const command = commandOf(runtime, MEMBER, name, HERE, port);
    const line = `{ "$@"; echo "exit $?" >&2; } ${output}`;
    return new Program(t, inShell(line, command));
  };
  const bob = joins("bob", `| ${READ_ONE_LINE}`);
  await play({ hub, alice, bob })`
    alice bob > * bob joined (2 here)
    bob ! gone
    alice < hello
    alice > alice: hello
    alice > * bob left (1 here)
    bob ! exit 0`;
  if (runtime.name === "Deno") return; // it takes what the disk does not
  const carol = joins("carol", ">/dev/full");
  await play({ hub, alice, carol })`
    alice > * carol joined (2 here)
    alice > * carol left (1 here)
    carol ! ENOSPC: no space left on device, write
    carol ! exit 1`;
});

// Deno waits until the pipe has room, and the group with it.
const notDeno = kinds.filter(({ name }) => name !== "Deno");
on(notDeno, "a console that nobody reads", async (t, runtime) => {
  const port = await freePort();
  const later = 'exec 3<&0; "$@" | { read go <&3; cat; }';
  const command = commandOf(runtime, HUB, HERE, port);
  const program = new Program(t, inShell(later, command));
  const hub = await bound(program, port);
  const alice = start(t, other(runtime), MEMBER, "alice", HERE, port);
  let shown = "* alice joined (1 here)\n";
  for (let i = 0; i < 250; i++) { // more than two pipes hold
    const line = `${i} ${LONGEST.slice(4)}`;
    alice.send(line);
    shown += `alice: ${line}\n`;
  }
  await alice.prints(shown, 30_000);
  hub.send("go");
  while (!hub.stdout.includes("read again")) {
    alice.send("read again");
    await alice.prints(shown += "alice: read again\n");
  }
  assert(!hub.stdout.includes(": 249 "), "it kept what nobody read");
});
