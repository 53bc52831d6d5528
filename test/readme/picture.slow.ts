import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { freePort, NOT_LINUX } from "../support/kernel.ts";
import { start } from "../support/pair.ts";
import { emptyFolder, Program, PROJECT } from "../support/processes.ts";
import { runtimes } from "../support/runtimes.ts";

const COMMITTED = join(PROJECT, "test/readme/picture.svg");
const CELL = 8.4; // pixels
const TIME = { timeout: 60_000, skip: NOT_LINUX };

/** Record the picture anew, on a free port. */
async function record(t: TestContext): Promise<string> {
  const file = join(emptyFolder(t), "picture.svg");
  const port = freePort();
  const script = start(t, runtimes[0]!, "test/readme/picture.ts", file, port);
  assert.equal(await script.exits(), 0, script.stderr);
  return readFileSync(file, "utf8").replaceAll(` 127.0.0.1 ${port}`, "");
}

function unescape(text: string): string {
  return text.replace(/<[^>]*>/g, "").replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

/** The text of the picture, line by line. */
function textOf(picture: string): string[] {
  return [...picture.matchAll(/<text .*<\/text>/g)]
    .map(([line]) => unescape(line).replace(/:\d+\]/, ":PORT]"));
}

const WRITTEN = [
  "npx tsx server.ts",
  "来自[127.0.0.1:PORT]的消息: hello server",
  ">>>hello client",
  "",
  "npx tsx client.ts",
  ">>>hello server",
  "hello client",
  ">>>",
];

test("the picture shows what two terminals show", TIME, async (t) => {
  const picture = await record(t);
  assert.deepEqual(textOf(picture), WRITTEN);
  const byHand = picture.matchAll(/<tspan class="typed".*?<\/tspan>/g);
  assert.deepEqual([...byHand].map(([span]) => unescape(span)), [
    "hello client",
    "hello server",
  ]);

  // The committed one differs in the port alone, and so in some positions.
  const same = (svg: string) =>
    svg.replace(/:\d+\]/, ":PORT]").replace(/ x="[\d. ]+"/g, "");
  assert.equal(
    same(readFileSync(COMMITTED, "utf8")),
    same(picture),
    "test/readme/picture.svg is out of date: npm run picture",
  );
});

test("the picture's wide characters take two cells", () => {
  const lines = readFileSync(COMMITTED, "utf8").match(/<text class="line".*/g)!;
  assert(lines.some((line) => /\p{Script=Han}/u.test(line)));
  for (const line of lines) {
    const places = [...line.matchAll(/ x="([\d. ]+)"/g)]
      .flatMap(([, list]) => list!.split(" ").map(Number));
    const characters = [...unescape(line)];
    assert.equal(places.length, characters.length, line);
    let x = 12;
    for (const [i, character] of characters.entries()) {
      assert(Math.abs(places[i]! - x) < 0.1, `${character} at ${places[i]}`);
      x += /\p{Script=Han}/u.test(character) ? 2 * CELL : CELL;
    }
  }
});

test("the picture is XML, and no more than a picture", TIME, async (t) => {
  const parse = "import sys, xml.dom.minidom as x; x.parse(sys.argv[1])";
  const python = new Program(t, ["python3", "-c", parse, COMMITTED]);
  assert.equal(await python.exits(), 0, python.stderr);
  const picture = readFileSync(COMMITTED, "utf8");
  assert.match(picture, /<title>.+<\/title>/);
  assert.match(picture, /prefers-color-scheme: dark/);
  assert.doesNotMatch(picture, /<script|<image|href|url\(/);
});
