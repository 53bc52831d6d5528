import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import {
  count,
  join,
  joinProgram,
  joinRaw,
  openRaw,
  others,
  type Raw,
  startHub,
} from "../support/group.ts";
import { escaped } from "../support/escaped.ts";
import { generator, randomBytes, SEED } from "../support/random.ts";
import { ofEachKind, on } from "../support/runtimes.ts";

// What could move the cursor or turn text around on a reader's screen.
const UNSAFE = /[^\P{Cc}\n]|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;

// What a member sends, and what all the others see of it.
const SAID: [string | number[], string][] = [
  ["hello", "hello"],
  [" two  spaces ", " two  spaces "],
  ["#1 is mine", "#1 is mine"], // not a head
  escaped(0x00, 0x1f, 0x0a), // a newline ends the line
  escaped(0x7f, 0x9f),
  escaped(0x2028, 0x2029),
  escaped(0x202a, 0x202e),
  escaped(0x2066, 0x2069),
  ["\x1b[2Jcls", "\\u{1b}[2Jcls"],
  ["你好 👩‍👩‍👧‍👦 é", "你好 👩‍👩‍👧‍👦 é"],
  [[0xff, 0x41], "\ufffdA"],
  [[0xed, 0xa0, 0x80], "\ufffd\ufffd\ufffd"],
  ["with netcat\n", "with netcat"],
  ["on Windows\r\n", "on Windows"],
  // Nobody speaks as somebody else, or as the group.
  ["* bob left (0 here)", "* bob left (0 here)"],
  ["bob: I said that", "bob: I said that"],
  ["7 bob: nor that", "7 bob: nor that"],
  ["x".repeat(1050), "x".repeat(1050)],
];

// What cannot be had as a name, and why.
const NO_NAME = [
  ...["", "x".repeat(21), "x".repeat(500), "a:b", "*", "a,b", "a\tb", "\u0301"],
  ...["🙂", "../x/", ">>>", "\ufffd", "\u202ealice", "al\u200bice", "\ufe0f"],
  ...["al\u00adice", "\u{e0061}", "\u3164"], // of these one would see nothing
];
const SPACED = [" ", "  ", "a b", " alice", "alice ", "Straße 2"];
const TAKEN = [
  ...["Straße", "STRASSE", "strasse", "ＳＴＲＡＳＳＥ", "straſſe", "STRAẞE"],
];

// One name, and another that is too much like it.
const ALIKE = [
  ["Zoé", "ZOE\u0301"], // one character, or two
  ["ｆｕｌｌ", "FULL"], // wide letters
  ["ﬁn", "FIN"], // a ligature
  ["Ὀδυσσεύς", "ὈΔΥΣΣΕΎΣ"], // two small letters for one capital
  ["名前.x_1-２", "名前.X_1-2"],
] as const;

/** What came of the group's lines, without their numbers. */
function told({ lines }: Raw): string[] {
  const numbered = lines.filter((line) => /^\d+ /.test(line));
  return numbered.map((line) => line.replace(/^\d+ /, ""));
}

on(ofEachKind, "members by hand", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const alice = await joinRaw(t, hub.port, "alice");
  const bob = await joinRaw(t, hub.port, "bob");
  await hub.until(() => hub.stdout.endsWith("* bob joined (2 here)\n"));

  await t.test("what a member says, as all see it", async () => {
    for (const [data, shown] of SAID) {
      hub.stdout = "";
      bob.lines = [];
      await alice.send(
        typeof data === "string" ? data : Uint8Array.from(data),
      );
      await bob.hears(`alice: ${shown}`);
      await bob.settles();
      assert.equal(told(bob).length, 1, bob.lines.join("\n"));
      await hub.prints(
        `来自[127.0.0.1:${alice.port}]的消息: alice: ${shown}\n`,
      );
    }
    const two = "one\nbob: two"; // two lines in one datagram
    hub.stdout = "";
    await alice.send(two);
    await bob.hears("alice: one");
    await bob.hears("alice: bob: two");
    const from = `来自[127.0.0.1:${alice.port}]的消息: alice: `;
    await hub.prints(`${from}one\n${from}bob: two\n`);
  });

  await t.test("what is too long is not said", async () => {
    bob.forget();
    for (const size of [1190, 1300, 9000, 60_000]) {
      alice.lines = [];
      await alice.send("x".repeat(size));
      await alice.until(() => alice.lines.some((line) => /^\* /.test(line)));
    }
    alice.lines = [];
    await alice.send("\x1b".repeat(400)); // as it is shown it would be too long
    await alice.until(() => alice.lines.some((line) => /^\* /.test(line)));
    alice.lines = [];
    await alice.send("xx\n".repeat(401)); // of which a part would fit
    await alice.until(() => alice.lines.some((line) => /^\* not /.test(line)));
    await alice.send("short");
    await bob.hears("alice: short");
    await alice.hears("alice: short");
    assert.equal(bob.lines.filter((line) => line.includes("xx")).length, 0);
    assert(bob.datagrams.every(({ length }) => length <= 1200));
    assert(alice.datagrams.every(({ length }) => length <= 1200));
  });

  await t.test("commands that are none", async () => {
    bob.forget();
    for (const line of ["/", "/nonsense", "/NAME x", "/who's", "/\x1b[2J"]) {
      alice.lines = [];
      await alice.send(line);
      await alice.until(() => alice.lines.length > 0);
      assert.match(alice.lines[0]!, /^\* .*no such command/);
    }
    await alice.send("hello");
    await alice.hears("alice: hello");
    await bob.hears("alice: hello");
    assert.deepEqual(told(bob), ["alice: hello"]);
  });

  await t.test("another name", async () => {
    alice.lines = [];
    await bob.send("/name bob"); // which it is: nobody needs to know
    await bob.settles();
    await bob.send("/name Bob");
    await alice.hears("* bob is now Bob");
    await bob.send("/name robert");
    await alice.hears("* Bob is now robert");
    await alice.send("/name bob"); // it is free again
    await bob.hears("* alice is now bob");
    await bob.send("/quit");
    await alice.hears("* robert left (1 here)");
    await alice.send("/name robert");
    await alice.hears("* bob is now robert");
    assert.deepEqual(told(alice), [
      ...["* bob is now Bob", "* Bob is now robert", "* alice is now bob"],
      ...["* robert left (1 here)", "* bob is now robert"],
    ]);
  });

  await t.test("names that cannot be had", async (t) => {
    const bob = await joinRaw(t, hub.port, "Straße");
    await alice.hears("* Straße joined (2 here)");

    /** Alice gets this answer, and everybody keeps the name. */
    async function refused(name: string, answer: RegExp) {
      alice.lines = [];
      await alice.send(`/name ${name}`);
      await alice.until(() => alice.lines.length > 0);
      assert.match(alice.lines.join("\n"), answer, JSON.stringify(name));
    }
    const taken = /^\* \S+ is taken$/;
    for (const name of NO_NAME) await refused(name, /^\* not a name: 1 to 20 /);
    for (const name of SPACED) await refused(name, /^\* a name has no spaces$/);
    for (const name of TAKEN) await refused(name, taken);
    for (const [name, like] of ALIKE) {
      await bob.send(`/name ${name}`);
      await alice.until(() => alice.lines.at(-1)!.includes(" is now "));
      assert(alice.lines.at(-1)!.endsWith(` is now ${name.normalize("NFKC")}`));
      await refused(like, taken);
    }

    // Who wants to join under such a name is in under its address.
    await bob.send("/name bob");
    await bob.until(() => bob.lines.at(-1)!.endsWith(" is now bob"));
    for (const name of ["BOB", "ＢＯＢ", "x".repeat(500), "\x1b[2J"]) {
      const other = await openRaw(t, hub.port);
      await other.send(`/join ${await other.cookie()} ${name}`);
      const address = `127.0.0.1:${other.port}`;
      await other.until(() => other.lines.length === 3);
      assert.match(other.lines[1]!, /^\/welcome \d+ /);
      assert(other.lines[1]!.endsWith(` ${address}`), other.lines[1]);
      assert(other.lines[2]!.includes(` * ${address} joined`), other.lines[2]);
      await alice.until(() =>
        alice.lines.at(-1)!.includes(`${address} joined`)
      );
      await other.send("/name other"); // which it may have as anybody else
      await alice.hears(`* ${address} is now other`);
      await other.send("/quit");
      await alice.until(() => alice.lines.at(-1)!.includes("* other left"));
    }
  });
});

// Numbers that make no sense, for one that has said nothing yet.
const NO_NUMBERS = [
  ...["/say 99999999999999999999 x", "/say 999999999999999 x", "/say 0 x"],
  ...["/say -1 x", "/say 1.5 x", "/say 1e0 x", "/say x x", "/say", "/say "],
  ...["/say 0x1 x", "/say  1 x", "/say NaN x", "/say Infinity x"],
  ...["/have 999999999999999", "/have 99999999999999999999", "/have -1"],
  ...["/have", "/have x", "/have 0", "/have 1.5", "/have 1e3", "/have NaN"],
  ...["/have 0 1", "/have 0 -", "/have 0 2-1", "/have 0 x-y", "/have 0 1-"],
  ...["/have 0 0-999999999999999", "/have 0 -5-5", "/have 1 1-1-1"],
  ...["/said 5", "/welcome 5 x", "/gone 7", "/full", "/join", "/join x"],
];

/** First lines that are not this program's head. */
function noHeads(token: string): string[] {
  return [
    ...["#", "# ", `#${token}`, `#${token} `, `#${token} x`, `#${token} -1`],
    ...[`#${token} 1.5`, `#${token} 9999999999999999`, `#${token}  9`],
    ...[`#${token.slice(1)} 99`, `#${token}0 99`, `#${"é".repeat(16)} 99`],
    ...[` #${token} 99`, `# ${token} 99`, `\ufeff#${token} 99`],
    ...[`#${token} 99 99`, `##${token} 99`, `#${token}\n99`, "hello"],
    ...[`#${token} 1`, `#${token} 0`], // late copies
  ];
}

on(ofEachKind, "nonsense", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const alice = await joinProgram(t, hub.port, "alice");
  const bob = await joinRaw(t, hub.port, "bob");

  await t.test("numbers that make no sense", async () => {
    for (const line of NO_NUMBERS) await alice.ask(line);
    assert(!alice.lines.includes("/said 1"), alice.lines.join("\n"));
    await alice.ask("/say 1 one");
    await bob.hears("alice: one");
    const spoken = bob.heard.filter((line) => line.startsWith("alice: "));
    assert.deepEqual(spoken, ["alice: one"]);
  });

  await t.test("an empty line says nothing", async () => {
    bob.forget();
    for (const nothing of ["", "\n", "\r\n", "\n".repeat(1199)]) {
      await bob.send(nothing);
      await bob.settles();
    }
    await alice.ask("/say 2 ", "/say 3 hello"); // but its number is taken
    await bob.hears("alice: hello");
    const numbered = bob.lines.filter((line) => /^\d+ /.test(line));
    assert.deepEqual(numbered, ["4 alice: hello"]);
    assert.equal(alice.said, 3);
  });

  await t.test("heads that are none", async () => {
    bob.forget();
    for (const head of noHeads(alice.token)) {
      await alice.send(`${head}\n/say 4 forged\n/quit\n`);
      await alice.send(`${head}\n/join\n`);
      await alice.settles();
    }
    await alice.ask("/say 4 true");
    await bob.hears("alice: true");
    assert.deepEqual(told(bob), ["alice: true"]);
  });
});

on(ofEachKind, "lines pasted by hand, each a datagram", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const bob = await joinRaw(t, hub.port, "bob");
  for (const time of ["once", "again"]) {
    bob.forget();
    const pasted = Array.from({ length: 25 }, (_, i) => `${time} ${i}`);
    await Promise.all(pasted.map((line) => bob.send(line)));
    await bob.hears(`bob: ${time} 24`);
    const said = bob.heard.filter((line) => line.startsWith("bob: "));
    assert.deepEqual(said, pasted.map((line) => `bob: ${line}`));
    await pause(2000); // who was quiet has saved up
  }
});

on(ofEachKind, "the longest line by hand", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const alice = await joinProgram(t, hub.port, "alice");
  const bob = await joinRaw(t, hub.port, "bob");
  let length = 1200;
  do {
    bob.forget();
    await bob.send("x".repeat(--length));
    await bob.until(() => bob.lines.length > 0);
  } while (bob.lines[0] === "* too long, not said");
  t.diagnostic(`it has ${length} bytes`);
  const n = bob.have;
  alice.forget();
  await alice.ask(`/have ${n - 1} ${n}-${n}`); // lost, and sent again
  assert(alice.lines.includes(`${n} bob: ${"x".repeat(length)}`));
});

on(ofEachKind, "a program's requests", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const alice = await joinProgram(t, hub.port, "alice");

  await t.test("an answer that got lost", async () => {
    for (let times = 1; times <= 3; times++) {
      await alice.ask("/say 1 /who");
      const answers = count(alice.lines.join("\n"), "* 1 here: alice");
      assert.equal(answers, times);
    }
  });

  await t.test("a line and its acknowledgement", async () => {
    alice.forget();
    await alice.ask("/say 2 hello\n/have 1");
    // In one datagram: a line that is on its way is no gap, and who leaves when
    // it has all of them has seen its own last one.
    assert.deepEqual(alice.lines, ["/said 2", "/sent 2", "2 alice: hello"]);
    assert.equal(alice.datagrams.length, 1);
  });

  await t.test("what is missing is sent again", async () => {
    for (let k = 3; k <= 10; k++) await alice.ask(`/say ${k} line ${k}`);
    await alice.settles(); // has all 10
    for (
      const [ask, numbers] of [
        ["/have 10 3-5", [3, 4, 5]],
        ["/have 2 3-4 7-8 10-10", [3, 4, 7, 8, 10]],
        ["/have 8 9-99", [9, 10]],
      ] as const
    ) {
      alice.forget();
      await alice.ask(ask);
      const lines = alice.lines.filter((line) => /^\d/.test(line));
      assert.deepEqual(lines.map((line) => parseInt(line)), numbers);
      for (const line of lines) {
        assert(line.endsWith(` alice: line ${parseInt(line)}`), line);
      }
    }
  });

  await t.test("a small question, a small answer", async () => {
    for (let k = 11; k <= 50; k++) {
      await alice.ask(`/say ${k} ${"x".repeat(1000)}`, `/have ${alice.have}`);
    }
    // Whose address is on it may not have sent it.
    alice.forget();
    await alice.ask(...Array.from({ length: 40 }, () => "/have 0 11-50"));
    await alice.settles();
    assert(alice.datagrams.length <= 2, `${alice.datagrams.length} datagrams`);
    assert(alice.lines[0]!.startsWith("/said 50"), alice.lines[0]);
    // But the reply to a command has its place in it.
    await alice.ask("/have 0 11-50", "/say 51 /who");
    await alice.hears("* 1 here: alice");
  });

  await t.test("each number is taken once", async (t) => {
    const carol = await joinProgram(t, hub.port, "carol");
    const dave = await joinProgram(t, hub.port, "dave");
    await carol.ask("/say 2 two");
    assert(!carol.lines.includes("/said 2"));
    await carol.ask("/say 1 one");
    assert.equal(carol.said, 1);
    await carol.request("/say 1 one again");
    await carol.ask(
      "/say 2 two",
      "/say 3 three",
      "/say 5 five",
      "/say 2 again",
    );
    assert.equal(carol.said, 3);
    await carol.ask("/say 4 four");
    assert.equal(carol.said, 4);

    // The numbers of one are not those of another.
    await dave.ask("/say 5 five");
    await dave.ask("/say 1 mine");
    assert.equal(dave.said, 1);
    await carol.ask("/say 5 last");
    await dave.hears("carol: last");
    assert.deepEqual(dave.heard.filter((line) => /^\w+: /.test(line)), [
      ...["carol: one", "carol: two", "carol: three", "carol: four"],
      ...["dave: mine", "carol: last"],
    ]);
    await carol.ask("/say 6 /quit");
    await dave.ask("/say 2 /quit");
  });

  await t.test("who comes gets what comes after", async (t) => {
    for (let k = 1; k <= 20; k++) {
      const n = 51 + 2 * k;
      const late = await openRaw(t, hub.port);
      const join = `/join ${await late.cookie()} late${k}`;
      await Promise.all([
        alice.request(`/say ${n - 1} one`, `/say ${n} two`),
        late.send(join),
      ]);
      await late.hears(`* late${k} joined (${k + 1} here)`);
      const welcome = late.lines.find((line) => line.startsWith("/welcome "))!;
      const first = late.lines.find((line) => /^\d/.test(line))!;
      assert.equal(parseInt(first), Number(welcome.split(" ")[1]) + 1);
    }
  });
});

on(ofEachKind, "who comes again", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const alice = await joinRaw(t, hub.port, "alice");

  await t.test("who has left stays away", async (t) => {
    const bob = await openRaw(t, hub.port);
    bob.token = "0123456789abcdef";
    const cookie = await bob.cookie();
    await bob.ask(`/join ${cookie} bob 0`, "/say 1 /quit");
    await bob.hears("* goodbye");
    await alice.hears("* bob left (1 here)");
    // A late copy, under a time that could be true.
    bob.forget();
    await bob.ask(`/join ${cookie} bob 0`, "/say 1 /quit", "/say 2 a ghost");
    await bob.hears("* goodbye"); // as often as it asks, for answers get lost
    const moved = await openRaw(t, hub.port); // and wherever it asks from
    moved.token = bob.token;
    await moved.ask("/say 1 /quit");
    await moved.hears("* goodbye");
    moved.forget(); // and nothing else, for the address may be forged
    await moved.ask("/have 0 1-9", "/who");
    const [said, sent, ...others] = moved.lines;
    assert.deepEqual([said, others], ["/said 1", ["* goodbye"]]);
    assert.match(sent!, /^\/sent \d+$/);
    await alice.send("anybody?");
    await alice.hears("alice: anybody?");
    assert.equal(
      alice.heard.filter((one) => one.startsWith("* bob ")).length,
      2,
    );
  });

  await t.test("where the numbers begin", async (t) => {
    const carol = await openRaw(t, hub.port);
    carol.token = "fedcba9876543210";
    const cookie = await carol.cookie();
    // A new hub knows from the /join what the former one has taken.
    await carol.ask(`/join ${cookie} carol 41`, "/say 41 old", "/say 42 new");
    assert.equal(carol.said, 42);
    await carol.ask(`/join ${cookie} carol 7`, "/say 8 older", "/say 43 newer");
    await alice.hears("carol: newer");
    assert.deepEqual(alice.heard.filter((line) => line.startsWith("carol: ")), [
      ...["carol: new", "carol: newer"],
    ]);
  });

  await t.test("at the address of who has moved", async (t) => {
    const dora = await openRaw(t, hub.port);
    dora.token = "00000000000000aa";
    const place = `127.0.0.1:${dora.port}`; // what it is called
    await dora.ask(`/join ${await dora.cookie()} ! 0`);
    const moved = await openRaw(t, hub.port);
    moved.token = dora.token;
    await moved.ask(`/join ${await moved.cookie()} ! 0`);
    dora.token = "00000000000000bb";
    await dora.ask(`/join ${await dora.cookie()} ! 0`);
    await alice.send("/who");
    const names = `alice, carol, ${place}, ${place}+`;
    await alice.until(() =>
      alice.heard.some((line) => line.startsWith(`* 4 here: ${names}`))
    );
    await moved.ask("/say 1 /quit");
    await alice.hears(`* ${place} left (3 here)`);
  });
});

on(ofEachKind, "no more than a program has room for", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const alice = await joinProgram(t, hub.port, "alice");
  const bob = await joinProgram(t, hub.port, "bob"); // it has line 2, and says no more
  for (let k = 1; k <= 600; k += 20) {
    const some = Array.from({ length: 20 }, (_, i) => k + i);
    const say = some.map((n) => `/say ${n} line ${n}`);
    await alice.ask(`/have ${alice.have}`, ...say);
  }
  await bob.until(() => bob.have >= 2 + 512 - 1);
  assert.equal(bob.have, 1 + 512);
  await bob.settles();
  await bob.hears("alice: line 600");
});

// The kernel tells a socket that a datagram found nobody, and some runtimes
// then do not send the next one.
on(ofEachKind, "a member that is no longer there", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const gone = await joinRaw(t, hub.port, "gone");
  const bob = await joinRaw(t, hub.port, "bob");
  const alice = await joinRaw(t, hub.port, "alice");
  gone.close();
  for (let k = 1; k <= 10; k++) {
    await alice.send(`line ${k}`);
    await bob.hears(`alice: line ${k}`);
  }
});

on(ofEachKind, "2,000 random datagrams", async (t, runtime) => {
  t.diagnostic(`SEED=${SEED} repeats this test`);
  const random = generator(SEED);
  const hub = await startHub(t, runtime);
  const watcher = await joinRaw(t, hub.port, "watcher");
  const client = await join(t, others(runtime)[0]!, "client", hub.port);
  const wild = await joinProgram(t, hub.port, "wild");
  const byHand = await joinRaw(t, hub.port, "byHand");
  const starts = ["", "/say 1 ", "/say 2 ", "/have ", "/name ", "/join ", "/"];
  starts.push("#", `#${wild.token} `, `#${wild.token} 1e9\n`);
  for (let i = 0; i < 2000; i++) {
    const start = starts[Math.floor(random() * starts.length)]!;
    const bytes = randomBytes(random);
    const one = random() < 0.5 ? wild : byHand;
    await one.send(
      Uint8Array.of(...new TextEncoder().encode(start), ...bytes),
    );
    if (random() < 0.5) {
      await wild.request(start + new TextDecoder().decode(bytes));
    }
    if (i % 10 === 0) await watcher.settles();
  }
  await watcher.send("still there?");
  client.write("yes\n");
  await watcher.hears("client: yes");
  await client.until(() => client.stdout.endsWith("client: yes\n"));
  await hub.until(() => hub.stdout.endsWith("的消息: client: yes\n"));

  assert.doesNotMatch(hub.stdout, UNSAFE);
  assert.doesNotMatch(client.stdout, UNSAFE);
  assert.doesNotMatch(watcher.lines.join("\n"), UNSAFE);
  for (const { datagrams } of [watcher, wild, byHand]) {
    assert(datagrams.every(({ length }) => length <= 1200));
  }
  // Every line is of somebody, and of no other than who said it.
  for (const line of watcher.heard) {
    assert.match(
      line,
      /^\/(join|welcome) |^\* \S+ is now \S+$|^\* \S+ joined \(\d here\)$|^[\p{L}\p{M}\p{Nd}_.-]{1,20}: /u,
    );
    if (line.startsWith("watcher: ")) {
      assert.equal(line, "watcher: still there?");
    }
    if (line.startsWith("client: ")) assert.equal(line, "client: yes");
  }
  assert.equal(hub.stderr + client.stderr, "");
});
