import assert from "node:assert/strict";
import process from "node:process";
import { join, joinRaw, openRaw, others, startHub } from "../support/group.ts";
import { generator, randomBytes } from "../support/random.ts";
import { onEveryRuntime } from "../support/runtimes.ts";

// What could move the cursor or turn text around on a reader's screen.
const UNSAFE = /[^\P{Cc}\n]|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;

/** The code points from first to last, as text and as it has to be shown. */
function escaped(first: number, last = first): [string, string] {
  const codes = Array.from({ length: last - first + 1 }, (_, i) => first + i)
    .filter((code) => code !== 0x0a); // which ends a line
  return [
    `a${String.fromCodePoint(...codes)}z`,
    `a${codes.map((code) => `\\u{${code.toString(16)}}`).join("")}z`,
  ];
}

// What a member sends, and what all the others see of it.
const SAID: [string | number[], string][] = [
  ["hello", "hello"],
  [" two  spaces ", " two  spaces "],
  ["", ""],
  escaped(0x00, 0x1f),
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
  ["x".repeat(1100), "x".repeat(1100)],
];

onEveryRuntime("what a member says, as all see it", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const alice = await joinRaw(t, hub.port, "alice");
  const bob = await joinRaw(t, hub.port, "bob");
  await hub.until(() => hub.stdout.endsWith("* bob joined (2 here)\n"));
  for (const [data, shown] of SAID) {
    hub.stdout = "";
    bob.lines = [];
    await alice.send(
      typeof data === "string" ? data : Uint8Array.from(data),
    );
    await bob.hears(`alice: ${shown}`);
    await bob.settles();
    const numbered = bob.lines.filter((line) => /^\d+ /.test(line));
    assert.equal(numbered.length, 1, bob.lines.join("\n"));
    await hub.prints(`来自[127.0.0.1:${alice.port}]的消息: ${shown}\n`);
  }
  const two = "one\nbob: two"; // two lines in one datagram
  hub.stdout = "";
  await alice.send(two);
  await bob.hears("alice: one");
  await bob.hears("alice: bob: two");
  const from = `来自[127.0.0.1:${alice.port}]的消息: `;
  await hub.prints(`${from}one\n${from}bob: two\n`);
});

onEveryRuntime("what is too long is not said", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const alice = await joinRaw(t, hub.port, "alice");
  const bob = await joinRaw(t, hub.port, "bob");
  for (const size of [1190, 1300, 9000, 60_000]) {
    alice.lines = [];
    await alice.send("x".repeat(size));
    await alice.until(() => alice.lines.some((line) => /^\* /.test(line)));
  }
  alice.lines = [];
  await alice.send("\x1b".repeat(400)); // as it is shown it would be too long
  await alice.until(() => alice.lines.some((line) => /^\* /.test(line)));
  await alice.send("short");
  await bob.hears("alice: short");
  assert.equal(bob.lines.filter((line) => line.includes("xx")).length, 0);
  assert(bob.datagrams.every(({ length }) => length <= 1200));
  assert(alice.datagrams.every(({ length }) => length <= 1200));
});

onEveryRuntime("numbers that make no sense", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const alice = await joinRaw(t, hub.port, "alice");
  const bob = await joinRaw(t, hub.port, "bob");
  for (
    const line of [
      ...["/say 99999999999999999999 x", "/say 999999999999999 x", "/say 0 x"],
      ...["/say -1 x", "/say 1.5 x", "/say 1e0 x", "/say x x", "/say", "/say "],
      ...["/say 1", "/say 0x1 x", "/say  1 x", "/say NaN x", "/say Infinity x"],
      ...["/have 999999999999999", "/have 99999999999999999999", "/have -1"],
      ...["/have", "/have x", "/have 0", "/have 1.5", "/have 1e3", "/have NaN"],
      ...["/said 5", "/welcome 5 x", "/gone 7", "/full", "/join", "/join x"],
    ]
  ) {
    await alice.send(line);
    await alice.settles();
  }
  assert(!alice.lines.includes("/said 1"), alice.lines.join("\n"));
  await alice.send("/say 1 one");
  await bob.hears("alice: one");
  const spoken = bob.heard.filter((line) => line.startsWith("alice: "));
  assert.deepEqual(spoken, ["alice: one"]);
});

onEveryRuntime("each number is taken once", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const alice = await joinRaw(t, hub.port, "alice");
  const bob = await joinRaw(t, hub.port, "bob");

  await alice.send("/say 2 two");
  await alice.settles();
  assert(!alice.lines.includes("/said 2"));
  await alice.send("/say 1 one");
  await alice.until(() => alice.lines.includes("/said 1"));
  await alice.send("/say 1 one again");
  await alice.send("/say 2 two\n/say 3 three\n/say 5 five\n/say 2 two again");
  await alice.until(() => alice.lines.includes("/said 3"));
  await alice.send("/say 4 four");
  await alice.until(() => alice.lines.includes("/said 4"));

  // The numbers of one are not those of another.
  await bob.send("/say 5 five");
  await bob.send("/say 1 mine");
  await bob.until(() => bob.lines.includes("/said 1"));
  await alice.send("/say 5 last");
  await bob.hears("alice: last");
  assert.deepEqual(bob.heard.filter((line) => /^\w+: /.test(line)), [
    ...["alice: one", "alice: two", "alice: three", "alice: four"],
    ...["bob: mine", "alice: last"],
  ]);

  // Nor does one that leaves and comes back count on.
  await bob.send("/quit");
  await bob.hears("* goodbye");
  await bob.send(`/join ${await bob.cookie()} bob`);
  await bob.send("/say 1 anew");
  await alice.hears("bob: anew");
});

onEveryRuntime("an answer that got lost", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const alice = await joinRaw(t, hub.port, "alice");
  for (let times = 1; times <= 2; times++) {
    await alice.send("/say 1 /who");
    await alice.until(() =>
      alice.lines.filter((line) => line === "* 1 here: alice").length === times
    );
  }
});

onEveryRuntime("a line and its acknowledgement", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const alice = await joinRaw(t, hub.port, "alice");
  alice.forget();
  await alice.send("/say 1 hello");
  await alice.hears("alice: hello");
  // In one datagram: who waits for it, waits until the hub has sent the line.
  assert.deepEqual(alice.lines, ["/said 1", "2 alice: hello"]);
  assert.equal(alice.datagrams.length, 1);
});

onEveryRuntime("a small question, a small answer", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const alice = await joinRaw(t, hub.port, "alice");
  for (let k = 1; k <= 40; k++) {
    await alice.send(`/say ${k} ${"x".repeat(1000)}`);
    await alice.until(() => alice.lines.includes(`/said ${k}`));
  }
  await alice.hears("alice: " + "x".repeat(1000));
  await alice.settles();
  // Whose address is on it may not have sent it.
  alice.forget();
  await alice.send(
    Array.from({ length: 40 }, (_, i) => `/have ${i}`).join("\n"),
  );
  await alice.settles();
  await alice.settles();
  assert(
    alice.datagrams.length <= 2 + 2,
    `${alice.datagrams.length} datagrams`,
  );
});

onEveryRuntime("who comes gets what comes after", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const alice = await joinRaw(t, hub.port, "alice");
  for (let k = 1; k <= 20; k++) {
    const late = await openRaw(t, hub.port);
    const join = `/join ${await late.cookie()} late${k}`;
    await Promise.all([
      alice.send(`/say ${2 * k - 1} one\n/say ${2 * k} two`),
      late.send(join),
    ]);
    await late.hears(`* late${k} joined (${k + 1} here)`);
    const welcome = late.lines.find((line) => line.startsWith("/welcome "))!;
    const first = late.lines.find((line) => /^\d/.test(line))!;
    assert.equal(parseInt(first), Number(welcome.split(" ")[1]) + 1);
  }
});

onEveryRuntime("a line on its way is no gap", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const alice = await joinRaw(t, hub.port, "alice");
  await alice.send("/say 1 hello\n/have 1");
  await alice.hears("alice: hello");
  await alice.settles();
  // Else a client could leave before it has seen its own last line.
  assert(alice.lines.includes("/have 2"), alice.lines.join("\n"));
  assert.equal(alice.heard.filter((line) => line === "alice: hello").length, 1);
});

// The kernel tells a socket that a datagram found nobody, and some runtimes
// then do not send the next one.
onEveryRuntime("a member that is no longer there", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const gone = await joinRaw(t, hub.port, "gone");
  const bob = await joinRaw(t, hub.port, "bob");
  const alice = await joinRaw(t, hub.port, "alice");
  gone.close();
  for (let k = 1; k <= 10; k++) {
    await alice.send(`/say ${k} line ${k}`);
    await bob.hears(`alice: line ${k}`); // which it has not asked for
  }
});

// None of these is a name, or Straße has it already.
const REFUSED = [
  ...["", " ", "x".repeat(21), "x".repeat(500), "a:b", "*", "a,b", "a\tb"],
  ...["🙂", "../x/", ">>>", "\ufffd", "\u202ealice", "al\u200bice", "\ufe0f"],
  ...["al\u00adice", "\u{e0061}", "\u3164"], // of these one would see nothing
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

onEveryRuntime("names that cannot be had", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const alice = await joinRaw(t, hub.port, "alice");
  const bob = await joinRaw(t, hub.port, "Straße");
  await alice.hears("* Straße joined (2 here)");

  async function refused(name: string) {
    alice.lines = [];
    await alice.send(`/name ${name}`);
    await alice.until(() => alice.heard.some((line) => line.startsWith("*")));
    const answer = alice.lines.join("\n");
    assert(!answer.includes(" is now "), `${JSON.stringify(name)}: ${answer}`);
  }
  for (const name of REFUSED) await refused(name);
  for (const [name, like] of ALIKE) {
    await bob.send(`/name ${name}`);
    await alice.until(() => alice.lines.at(-1)!.includes(" is now "));
    assert(alice.lines.at(-1)!.endsWith(` is now ${name.normalize("NFKC")}`));
    await refused(like);
  }

  // Who wants to join under such a name is in under its address.
  await bob.send("/name bob");
  await bob.until(() => bob.lines.at(-1)!.endsWith(" is now bob"));
  for (const name of ["BOB", "ＢＯＢ", "", "x".repeat(500), "\x1b[2J"]) {
    const other = await openRaw(t, hub.port);
    await other.send(`/join ${await other.cookie()} ${name}`);
    const address = `127.0.0.1:${other.port}`;
    await other.until(() => other.datagrams.length === 2);
    assert.match(other.lines[1]!, /^\/welcome \d+ /);
    assert(other.lines[1]!.endsWith(` ${address}`), other.lines[1]);
    await alice.until(() => alice.lines.at(-1)!.includes(`${address} joined`));
  }
});

onEveryRuntime("commands that are none", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const alice = await joinRaw(t, hub.port, "alice");
  const bob = await joinRaw(t, hub.port, "bob");
  await alice.hears("* bob joined (2 here)");
  for (const line of ["/", "/nonsense", "/NAME x", "/who's", "/\x1b[2J"]) {
    alice.lines = [];
    await alice.send(line);
    await alice.until(() => alice.lines.length > 0);
    assert.match(alice.lines[0]!, /^\* .*no such command/);
  }
  await alice.send("hello");
  await bob.hears("alice: hello");
  assert.equal(bob.heard.at(-2), "* bob joined (2 here)");
});

onEveryRuntime("5,000 random datagrams", async (t, runtime) => {
  const seed = Number(
    process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32),
  );
  t.diagnostic(`SEED=${seed} repeats this test`);
  const random = generator(seed);
  const hub = await startHub(t, runtime);
  const watcher = await joinRaw(t, hub.port, "watcher");
  const client = await join(t, others(runtime)[0]!, "client", hub.port);
  const wild = await joinRaw(t, hub.port, "wild");
  const starts = ["", "/say 1 ", "/say 2 ", "/have ", "/name ", "/join ", "/"];
  for (let i = 0; i < 5000; i++) {
    const start = starts[Math.floor(random() * starts.length)]!;
    const bytes = randomBytes(random);
    await wild.send(
      Uint8Array.of(...new TextEncoder().encode(start), ...bytes),
    );
    if (i % 10 === 0) await wild.settles();
  }
  await watcher.send("still there?");
  client.write("yes\n");
  await watcher.hears("client: yes");
  await client.until(() => client.stdout.endsWith("client: yes\n"));
  await hub.until(() => hub.stdout.endsWith("的消息: yes\n"));

  assert.doesNotMatch(hub.stdout, UNSAFE);
  assert.doesNotMatch(client.stdout, UNSAFE);
  assert.doesNotMatch(watcher.lines.join("\n"), UNSAFE);
  for (const { datagrams } of [watcher, wild]) {
    assert(datagrams.every(({ length }) => length <= 1200));
  }
  // Every line is of somebody, and of no other than who said it.
  for (const line of watcher.heard) {
    assert.match(
      line,
      /^\/(join|welcome|said|have) |^\* \S+ is now \S+$|^\* \S+ joined \(\d here\)$|^[\p{L}\p{M}\p{Nd}_.-]{1,20}: /u,
    );
    if (line.startsWith("watcher: ")) {
      assert.equal(line, "watcher: still there?");
    }
    if (line.startsWith("client: ")) assert.equal(line, "client: yes");
  }
  assert.equal(hub.stderr + client.stderr, "");
});
