import assert from "node:assert/strict";
import { escaped } from "../support/escaped.ts";
import { startServer } from "../support/pair.ts";
import { generator, randomBytes, SEED } from "../support/random.ts";
import { onEveryRuntime } from "../support/runtimes.ts";
import { openPeer } from "../support/udp.ts";

// What a datagram holds, and what of it is shown.
const CASES: [string | number[], string][] = [
  ["hello", "hello"],
  ["", ""],
  [" two  spaces ", " two  spaces "],
  escaped(0x00, 0x1f),
  escaped(0x7f, 0x9f),
  escaped(0x2028, 0x2029),
  escaped(0x202a, 0x202e),
  escaped(0x2066, 0x2069),
  ["\t", "\\u{9}"],
  ["\x1b[2J\x1b[31mred", "\\u{1b}[2J\\u{1b}[31mred"],
  ["x\n>>>来自[1.2.3.4:5]的消息: y", "x\\u{a}>>>来自[1.2.3.4:5]的消息: y"],
  ["netcat\n", "netcat"],
  ["Windows\r\n", "Windows"],
  ["\n", ""],
  ["two\n\n", "two\\u{a}"],
  ["\r", "\\u{d}"],
  ["\n\r", "\\u{a}\\u{d}"],
  ["\\u{1b}", "\\u{1b}"],
  ["你好,世界", "你好,世界"],
  ["👩‍👩‍👧‍👦 👋🏽 é 🇨🇳", "👩‍👩‍👧‍👦 👋🏽 é 🇨🇳"],
  ["\ufeffBOM", "\ufeffBOM"],
  [[0xff, 0x41], "\ufffdA"],
  [[0xe6, 0xb1], "\ufffd"],
  [[0xed, 0xa0, 0x80], "\ufffd\ufffd\ufffd"],
  [[0xc0, 0x8a], "\ufffd\ufffd"],
  ["x".repeat(65_507), "x".repeat(65_507)],
  ["\x07".repeat(65_507), "\\u{7}".repeat(65_507)],
  ["汉".repeat(21_835), "汉".repeat(21_835)],
];

function bytesOf(data: string | number[]): Uint8Array {
  return typeof data === "string"
    ? new TextEncoder().encode(data)
    : Uint8Array.from(data);
}

onEveryRuntime("what a server shows of a datagram", async (t, runtime) => {
  const server = await startServer(t, runtime);
  const peer = await openPeer(t);
  for (const [data, shown] of CASES) {
    server.stdout = "";
    await peer.send(bytesOf(data), server.port);
    await server.prints(`来自[127.0.0.1:${peer.port}]的消息: ${shown}\n>>>`);
    server.write("next\n");
    await peer.receives("next");
  }
  assert.equal(server.stderr, "");
});

onEveryRuntime("2,000 random datagrams", async (t, runtime) => {
  t.diagnostic(`SEED=${SEED} repeats this test`);
  const random = generator(SEED);
  const server = await startServer(t, runtime);
  const peer = await openPeer(t);
  server.write("next\n".repeat(2000));
  for (let i = 0; i < 2000; i++) {
    await peer.send(randomBytes(random), server.port);
    await peer.receives("next");
  }

  await peer.send("still there?", server.port);
  await server.until(() => server.stdout.endsWith("still there?\n>>>"));
  server.write("yes\n");
  await peer.receives("yes");
  assert.doesNotMatch(
    server.stdout,
    /[^\P{Cc}\n]|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/u,
  );
  const lines = server.stdout.split("\n");
  const says = `来自[127.0.0.1:${peer.port}]的消息: `;
  assert.equal(lines.length, 2002);
  assert(lines[0]!.startsWith(says), lines[0]);
  for (const line of lines.slice(1, 2001)) {
    assert(line.startsWith(`>>>${says}`), line);
  }
  assert.equal(server.stderr, "");
});
