// The hub, asked by sockets of the test's own: the whole answer to each request,
// and what gets none.

import assert from "node:assert/strict";
import { NO_NAMESPACES, openNamespace } from "../support/namespace.ts";
import { kinds, on } from "../support/on.ts";
import { like, play } from "../support/play.ts";
import {
  bound,
  HERE,
  serve,
  start,
  type Test,
  until,
} from "../support/program.ts";
import { Hand, joinBy, openPeer, openSocket } from "../support/wire.ts";

const HUB = "group/server.ts";
const LONG = "x".repeat(1000);

/** What is asked, and the whole answer: " | " stands between their lines. */
async function exchange(hand: Hand, rows: (readonly [string, string])[]) {
  for (const [asked, answer] of rows) {
    const lines = await hand.asks(...asked.split(" | "));
    assert.match(lines.join(" | "), like(answer), asked);
  }
}

/** One that the hub does not know. */
async function openHand(t: Test, hub: number, address?: string) {
  const hand = new Hand(await openSocket(t, address));
  return Object.assign(hand, { from: hub });
}

on(kinds, "a member's requests, and all of each answer", async (t, runtime) => {
  const hub = await serve(t, runtime, HUB);
  const alice = await openHand(t, hub.port);
  const [cookie = ""] = await alice.asks("/join 0 alice 7");
  assert.match(cookie, /^\/join [0-9a-f]{16}$/);
  const is = (have: number, sent: number, said: number, name = "alice") =>
    `/welcome ${have} ${name} | /sent ${sent} | /said ${said}`;
  await exchange(alice, [
    ["/join 0 alice 7", cookie],
    [`${cookie} alice 7`, `${is(0, 1, 7)} | 1 * alice joined (1 here)`],
    [`${cookie} alice 7`, is(0, 1, 7)],
    ["/have 1", is(1, 1, 7)],
    ["/say 8 hello", `${is(1, 2, 8)} | 2 alice: hello`],
    ["/say 8 again", is(1, 2, 8)], // this number is used
    ["/say 10 later", is(1, 2, 8)], // it is not its turn
    [
      "/have 2 | /say 9 a | /say 10 b | /say 12 d",
      `${is(2, 4, 10)} | 3 alice: a | 4 alice: b`,
    ],
    ["/have 1 4", `${is(1, 4, 10)} | 2 alice: hello | 3 alice: a | 4 alice: b`],
    ["/have 4 9", is(4, 4, 10)],
    ["/have 99", is(4, 4, 10)],
    ["/say 11 \x1b[2J\u202e", `${is(4, 5, 11)} | 5 alice: \\u{1b}[2J\\u{202e}`],
    [`/say 12 ${LONG}`, `${is(4, 6, 12)} | 6 alice: ${LONG}`],
    [`/say 13 ${LONG}x`, is(4, 6, 13)],
    ["/say 14 /nonsense", is(4, 6, 14)],
    ["/sent 9 | /gone 9 | 7 alice: no | * no", is(4, 6, 14)],

    ["/say 15 /who", `${is(4, 6, 15)} | * 1 here: alice`],
    ["/say 15 /who", `${is(4, 6, 15)} | * 1 here: alice`], // that got lost
    ["/say 16 /name al", `${is(4, 7, 16, "al")} | 7 * alice is now al`],
    ["/say 16 /name al", is(4, 7, 16, "al")],
    ["/say 17 /name AL", `${is(4, 8, 17, "AL")} | 8 * al is now AL`],
    ["/say 18 bye", `${is(4, 9, 18, "AL")} | 9 AL: bye`],
  ]);

  // It asks too early: it has not said that it has its own last line.
  await alice.says("/have 8", "/quit");
  const bob = await joinBy(t, hub.port, "bob");
  await exchange(alice, [
    ["/have 8", is(8, 10, 18, "AL")],
    ["/have 9 | /quit", "ANY/goodbye"],
    ["/quit", "ANY/goodbye"], // the answer got lost
  ]);
  await exchange(bob, [
    ["/have 11", "/welcome 11 bob | /sent 11 | /said 0"],
  ]);
  const left = bob.heard.filter((line) => line.includes("AL"));
  assert.deepEqual(left, ["11 * AL left (1 here)"]);
});

// The name that one wants, and the one that it gets, after alice.
const NAMES = [
  ["bob", "bob"],
  ["ALICE", "ALICE2"],
  ["ａｌｉｃｅ", "alice3"],
  ["爱丽丝", "爱丽丝"],
  ["x".repeat(20), "x".repeat(20)],
  ["X".repeat(20), `${"X".repeat(17)}2`],
  ["", "guest"],
  ["x".repeat(21), "guest2"],
  ["192.168.1.20", "guest3"],
  ["\u0301a", "guest4"],
  ["a\u034fb", "guest5"],
] as const;

on(kinds, "names", async (t, runtime) => {
  const hub = await serve(t, runtime, HUB);
  const alice = await joinBy(t, hub.port, "alice");
  for (const [wanted] of NAMES) await joinBy(t, hub.port, wanted);
  const joined = ["alice", ...NAMES.map(([, name]) => name)]
    .map((name, i) => `* ${name} joined (${i + 1} here)\n`).join("");
  await hub.prints(joined);
  await exchange(alice, [
    ["/say 1 /name BOB", "ANY | 13 * alice is now BOB2"],
    ["/say 2 /name a:b", "ANY | /said 2"], // BOB2, as before
    ["/say 3 /name", "ANY | /said 3"],
  ]);
});

const TOKEN = "fedcba9876543210";
const COOKIE = /^#fedcba9876543210 [0-9a-f]{8} 1\n\/join ([0-9a-f]{16})\n$/;

// What gets no answer: its head is none, or a hub's, or it is too long. Hubs and
// echoes are among those who say this; two of them would never stop.
const IGNORED = [
  ...["", "\n", "hello", "/join 0 mallory 0", "#", "# 1\n", "\n\n\n"],
  ...[`#${TOKEN}`, `#${TOKEN}\n`, `#${TOKEN} 1`, `#${TOKEN} x\n/join 0 m 0\n`],
  ...[`#${TOKEN} -1\n`, `#${TOKEN} 1.5\n`, `#${TOKEN} 1234567890123456\n`],
  ...[`#${TOKEN} 0123abcd 1\n/join 0123456789abcdef\n`],
  ...[`#${TOKEN} 01234567 1\n/join 0123456789abcdef\n`],
  ...[`#${TOKEN.toUpperCase()} 1\n`, `#${TOKEN}0 1\n`, ` #${TOKEN} 1\n`],
  ...[`hello\n#${TOKEN} 1\n`, `#${TOKEN} 1 \n`, `#${TOKEN} 1\r\n`],
  ...[`#${TOKEN} 1\n`.padEnd(1201, "x"), "x".repeat(60_000)],
  Uint8Array.of(0, 0xff, 0xfe),
];

on(kinds, "what a stranger gets", async (t, runtime) => {
  const hub = await serve(t, runtime, HUB);
  const alice = await joinBy(t, hub.port, "alice");
  const stranger = await openPeer(t);
  const gets = async (text: string) => {
    await stranger.send(text, hub.port);
    await until(() => stranger.shown.length > 0, () => `no answer: ${text}`);
    assert.equal(stranger.shown.length, 1);
    return stranger.shown.shift()!;
  };
  const [, cookie] = COOKIE.exec(await gets(`#${TOKEN} 1\n`))!;
  for (const datagram of IGNORED) {
    await stranger.send(datagram, hub.port);
    // This has an answer: there is no other.
    const answer = await gets(`#${TOKEN} 1\n`.padEnd(1200, "x"));
    assert.equal(COOKIE.exec(answer)?.[1], cookie, String(datagram));
  }
  // No more than a cookie, whatever it says: of this address and token only.
  const bob = await joinBy(t, hub.port, "bob");
  const [theirs] = await (await openHand(t, hub.port)).asks("/join 0");
  for (
    const line of [
      ...["/say 1 hello", "/have 0 9", "/quit", "/join 0 mallory 0", "/who"],
      ...[`${theirs} mallory 0`, `/join ${cookie}0 m 0`, `x /join ${cookie}`],
      ...[`/say 1 hello\n/join ${cookie} mallory 0`, `/JOIN ${cookie} m 0`],
    ]
  ) {
    assert.match(await gets(`#${TOKEN} 1\n${line}\n`), COOKIE, line);
  }
  const answer = await gets(`#0123456789abcdef 1\n/join ${cookie} mallory 0\n`);
  assert(answer.startsWith("#0123456789abcdef ") && !answer.includes(cookie!));
  assert(answer.length <= 66); // so nobody is flooded by this

  // At a member's address, without its token; a request that comes again.
  await alice.send("#0123456789abcdef 1\n/say 1 forged\n/quit\n", hub.port);
  alice.time--;
  await alice.says("/say 1 late");
  await bob.asks("/have 2"); // behind all that
  await exchange(alice, [["/have 2", "/welcome 2 alice | /sent 2 | /said 0"]]);
  await hub.prints("* alice joined (1 here)\n* bob joined (2 here)\n");
  assert.match(
    await gets(`#${TOKEN} 1\n/join ${cookie} mallory 0\n`),
    /\n\/welcome 2 mallory\n/,
  );
});

on(kinds, "16 datagrams again at the most", async (t, runtime) => {
  const hub = await serve(t, runtime, HUB);
  const alice = await joinBy(t, hub.port, "alice");
  for (let i = 1; i <= 20; i++) {
    await alice.asks(`/have ${i}`, `/say ${i} ${LONG}`);
  }
  alice.heard = [];
  await alice.asks("/have 1 21");
  const again = alice.heard.map(parseFloat).filter((n) => n > 0);
  assert.deepEqual(again, Array.from({ length: 16 }, (_, i) => 2 + i));
});

on(kinds, "127.0.0.1 6001 by default, and port 0", async (t, runtime) => {
  const { of, forge } = await openNamespace(t);
  const hub = await bound(start(t, of(runtime), HUB), 6001);
  // Nobody can answer to this port.
  await forge(HERE, 0, 6001, `#${TOKEN} 1\n/join 0 mallory 0\n`);
  const alice = start(t, of(runtime), "group/client.ts", "alice");
  await play({ hub, alice })`hub alice > * alice joined (1 here)`;
}, { skip: NO_NAMESPACES });
