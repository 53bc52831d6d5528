import assert from "node:assert/strict";
import { createHash, createHmac, randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import {
  drained,
  join,
  joinProgram,
  joinRaw,
  openRaw,
  type Raw,
  startHub,
} from "../support/group.ts";
import { idle, memory, NOT_LINUX, socketOf } from "../support/kernel.ts";
import { Forger, NO_NAMESPACES, openNamespace } from "../support/namespace.ts";
import { ofEachKind, on } from "../support/runtimes.ts";

const TOKEN = "fedcba9876543210";
const HEAD = `#${TOKEN} 1`;

on(ofEachKind, "what a stranger gets", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const alice = await joinRaw(t, hub.port, "alice");
  const other = await openRaw(t, hub.port);
  const stranger = await openRaw(t, hub.port);
  const cookie = await stranger.cookie();
  const theirs = await other.cookie();
  assert.match(cookie, /^[0-9a-f]{16}$/);
  assert.notEqual(theirs, cookie);

  // To most of what is no question there is no answer.
  const ignored = [
    ...["", "\n", "\n".repeat(1000), "hello", "/say 1 hello", "/have 0"],
    ...["/who", "/name alice", "/quit", "/help", "5 alice: hello", "/said 1"],
    ...["* alice left (0 here)", "\x1b[2J", "x".repeat(60_000), "/full"],
    ...["/welcome 1 mallory\nhello", `/welcome 0 mallory\n/join ${cookie}x`],
    ...[
      ` /join ${cookie}`,
      `/JOIN ${cookie}`,
      `hello\n/join ${cookie} mallory`,
    ],
    ...["#", "#0123456789abcdef", `#${TOKEN} x\n/join`, "# 1\n/join"],
    Uint8Array.of(0xff, 0xfe, 0),
    // Hubs and echoes say this: two of them would answer each other for ever.
    ...["/join 0123456789abcdef", `/join ${cookie}`, `/join ${theirs}\n`],
    ...[`/join ${cookie} `, `${HEAD}\n/join ${cookie}`, `${HEAD}\n/join x`],
  ];
  const program = RegExp(`^#${TOKEN} [0-9a-f]{8} 1\n`);
  const answered = () => program.test(String(stranger.datagrams.at(-1)));
  for (const datagram of ignored) {
    stranger.forget();
    await stranger.send(datagram);
    // To this there is an answer, and it cannot be taken for another.
    await stranger.repeats(HEAD, answered);
    assert.equal(stranger.datagrams.length, 1, String(datagram));
  }
  // To a question, or what a program says, there is no more than a cookie.
  const asked = [
    ...["/join", "/join\n", "/join ", "/join \n/join \n", "/join\n/who"],
    ...[`/join ${theirs} mallory`, "/join 0123456789abcdef mallory 1"],
    ...[`/join ${cookie.slice(1)} mallory`, `/join ${cookie.toUpperCase()}! m`],
  ];
  for (const datagram of asked) {
    stranger.forget();
    await stranger.repeats(datagram, () => stranger.datagrams.length > 0);
    assert.deepEqual(stranger.lines, [`/join ${cookie}`], datagram);
    assert(stranger.datagrams[0]!.length <= 64);
  }
  // One that has a token gets another, behind a head that tells it is the answer.
  stranger.forget();
  for (const text of ["", "\n/who", "\nhello", "\n/say 1 hello", "\n/quit"]) {
    const datagram = `#${TOKEN} 7${text}\n`;
    await stranger.repeats(datagram, () => stranger.datagrams.length > 0);
    const pattern = RegExp(`^#${TOKEN} [0-9a-f]{8} 7\n/join [0-9a-f]{16}\n$`);
    assert.match(stranger.datagrams[0]!.toString(), pattern);
    assert.notEqual(stranger.lines[0], `/join ${cookie}`);
    stranger.forget();
  }
  await stranger.repeats(
    `${HEAD}\n/join ${cookie} mallory 1`,
    () => stranger.lines.length > 0,
  );
  assert.match(stranger.lines[0]!, /^\/join /); // this cookie is not its own

  // Nobody heard of it; and it can still come in.
  await alice.settles();
  assert.deepEqual(alice.heard.slice(2, -1), ["* alice joined (1 here)"]);
  await hub.prints("* alice joined (1 here)\n");
  const isIn = () => stranger.heard.includes("* mallory joined (2 here)");
  await stranger.repeats(`/join ${cookie} mallory`, isIn);
  await alice.hears("* mallory joined (2 here)");
});

on(ofEachKind, "a cookie of an earlier run", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const next = await startHub(t, runtime);
  const stranger = await openRaw(t, hub.port);
  const cookie = await stranger.cookie();
  stranger.hub = next.port;
  assert.notEqual(await stranger.cookie(), cookie);
  stranger.forget();
  await stranger.send(`/join ${cookie} mallory`);
  await stranger.until(() => stranger.lines.length > 0);
  assert.match(stranger.lines[0]!, /^\/join /);
});

// Who could reckon it out would not have to receive it.
on(ofEachKind, "a cookie is no hash of what is known", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const stranger = await openRaw(t, hub.port);
  stranger.token = TOKEN;
  const cookie = await stranger.cookie();
  const run = stranger.datagrams[0]!.toString().split(" ")[1]!;
  const known = [`127.0.0.1:${stranger.port}`, TOKEN, run, "127.0.0.1"];
  known.push(`${stranger.port}`, `${hub.port}`, "cookie");
  for (const a of ["", ...known]) {
    for (const b of ["", ...known]) {
      for (const c of ["", ...known]) {
        for (const between of ["", " ", ":", "\n"]) {
          const text = [b, c].filter((one) => one !== "").join(between);
          for (const algorithm of ["md5", "sha1", "sha256", "sha512"]) {
            const hash = createHash(algorithm).update(a + between + text);
            const hmac = createHmac(algorithm, a).update(text);
            for (const one of [hash, hmac]) {
              assert(!one.digest("hex").startsWith(cookie), `${a} ${text}`);
            }
          }
        }
      }
    }
  }
});

on(ofEachKind, "an address is one program's", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const alice = await joinRaw(t, hub.port, "alice");
  const one = await openRaw(t, hub.port);
  for (const name of ["bob", "carol"]) { // another program has its port now
    one.token = name === "bob" ? TOKEN : "0123456789abcdef";
    await one.ask(`/join ${await one.cookie()} ${name} 0`);
    await alice.hears(`* ${name} joined (2 here)`);
  }
  await one.ask("/say 1 hello");
  await alice.hears("carol: hello");
  assert.deepEqual(alice.heard.filter((line) => /bob|carol/.test(line)), [
    ...[
      "* bob joined (2 here)",
      "* bob left (1 here)",
      "* carol joined (2 here)",
    ],
    "carol: hello",
  ]);
});

on(ofEachKind, "datagrams from port 0", async (t, runtime) => {
  if (NO_NAMESPACES) return t.skip(NO_NAMESPACES);
  const namespace = await openNamespace(t);
  const there = namespace.of(runtime);
  const hub = await startHub(t, there);
  const alice = await join(t, there, "alice", hub.port);
  const forger = new Forger(namespace);
  // They cannot be answered: no port has this number.
  const datagrams = ["/join", `${HEAD}`, `${HEAD}\n/join 0 mallory 0`, "hello"];
  await forger.send(0, hub.port, datagrams);
  alice.write("still here\n");
  await alice.until(() => alice.stdout.endsWith("alice: still here\n"));
  assert.equal(hub.stderr, "");
});

on(ofEachKind, "who comes and goes pushes nobody out", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const alice = await joinProgram(t, hub.port, "alice");
  const { have } = alice;
  const comeAndGo = async (one: Raw) => {
    // Four times 140 make two lines each, and 1,024 are kept.
    for (let i = 0; i < 140; i++) {
      await pause(10); // the hub's time for strangers is short
      one.token = randomBytes(8).toString("hex");
      await one.request(`/join ${await one.cookie()} mallory 0`);
    }
  };
  const since = performance.now();
  const sockets = Array.from({ length: 4 }, () => openRaw(t, hub.port));
  await Promise.all((await Promise.all(sockets)).map(comeAndGo));
  const took = (performance.now() - since) / 1000;
  t.diagnostic(`they came in ${took.toFixed(1)} s`);
  assert(took < 5, `${took} s: alice does not keep up any more`);
  const came = hub.stdout.split(" joined (").length;
  assert(came > 300, `${came} came`);
  alice.forget();
  await alice.ask(`/have ${have} ${have + 1}-${have + 2}`);
  await alice.until(() => alice.lines.some((one) => /^\d/.test(one)));
  assert(!alice.lines.some((line) => line.startsWith("/gone")));
});

const SOCKETS = 500;
const EACH = 240; // datagrams from each of them
const BURST = 100; // at once: the kernel's buffer holds more

on(
  ofEachKind,
  "120,000 datagrams of strangers",
  async (t, runtime) => {
    if (NOT_LINUX) return t.skip(NOT_LINUX);
    const hub = await startHub(t, runtime);
    const alice = await joinRaw(t, hub.port, "alice");
    const strangers: Raw[] = [];
    while (strangers.length < SOCKETS) {
      strangers.push(
        await openRaw(t, hub.port, `127.0.0.${2 + strangers.length % 50}`),
      );
    }
    const flood = async (rounds: number) => {
      for (let sent = 0; sent < rounds * SOCKETS; sent += BURST) {
        const burst = strangers.splice(0, BURST);
        strangers.push(...burst); // to be the last next time
        for (const one of burst) one.forget();
        const datagram = `/join 0123456789abcdef mallory${sent} 1`;
        await Promise.all(burst.map((one) => one.send(datagram)));
        await drained(hub.port);
      }
    };
    await flood(20); // what any load costs at first
    await idle(hub.pid);
    const before = memory(hub.pid).all;
    const { lost } = socketOf(hub.port);
    await flood(EACH);
    await idle(hub.pid);
    const cost = memory(hub.pid).all - before;
    t.diagnostic(`the flood costs ${cost.toFixed()} MB`);
    assert(cost < 60, `the flood costs ${cost} MB`);
    assert.equal(socketOf(hub.port).lost, lost, "lost on the way");

    await alice.send("still there?");
    await alice.hears("alice: still there?");
    await hub.until(() => hub.stdout.endsWith("still there?\n"));
    assert.equal(hub.stdout.split("\n").length, 3, hub.stdout);
  },
);
