// What is shown of the bytes in a datagram: text, and nothing that the terminal
// would obey.

import assert from "node:assert/strict";
import { on, runtimes } from "../support/on.ts";
import { serverOf } from "../support/wire.ts";

/** The characters from first to last, and as the scripts have to show them. */
function escaped(first: number, last: number): [string, string] {
  const codes = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  return [
    `a${String.fromCodePoint(...codes)}z`,
    `a${codes.map((code) => `\\u{${code.toString(16)}}`).join("")}z`,
  ];
}

const CASES: [string | number[], string][] = [
  ["hello", "hello"],
  ["", ""],
  [" two  spaces ", " two  spaces "],
  escaped(0x00, 0x1f),
  escaped(0x7f, 0x9f),
  escaped(0x2028, 0x202e),
  escaped(0x2066, 0x2069),
  ["\x1b[2J\x1b[31mred", "\\u{1b}[2J\\u{1b}[31mred"],
  ["x\n>>>来自[1.2.3.4:5]的消息: y", "x\\u{a}>>>来自[1.2.3.4:5]的消息: y"],
  ["netcat\n", "netcat"],
  ["Windows\r\n", "Windows"],
  ["\n", ""],
  ["two\n\n", "two\\u{a}"],
  ["\n\r", "\\u{a}\\u{d}"],
  ["\\u{1b}", "\\u{1b}"],
  ["你好,世界", "你好,世界"],
  ["👩‍👩‍👧‍👦 👋🏽 é 🇨🇳", "👩‍👩‍👧‍👦 👋🏽 é 🇨🇳"],
  ["\ufeffBOM", "\ufeffBOM"],
  [[0xff, 0x41], "\ufffdA"],
  [[0xed, 0xa0, 0x80], "\ufffd\ufffd\ufffd"],
  [[0xc0, 0x8a], "\ufffd\ufffd"],
  ["x".repeat(65_507), "x".repeat(65_507)],
  ["\x07".repeat(65_507), "\\u{7}".repeat(65_507)],
  ["汉".repeat(21_835), "汉".repeat(21_835)],
];

on(runtimes, "what is shown of a datagram", async (t, runtime) => {
  const { server, peer } = await serverOf(t, runtime);
  for (const [data, shown] of CASES) {
    server.stdout = "";
    const bytes = typeof data === "string" ? data : Uint8Array.from(data);
    await peer.send(bytes);
    await server.prints(`来自[127.0.0.1:${peer.port}]的消息: ${shown}\n>>>`);
    server.send("next");
    await peer.receives("next");
  }
  assert.equal(server.stderr, "");
});
