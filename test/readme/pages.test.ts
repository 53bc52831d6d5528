// What the pages say stands in the project: names, quotations, links; and both
// languages have the same. What can be run is run by the other tests here.

import { marked } from "marked";
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  anchors,
  type Block,
  exists,
  fileText,
  pages,
  pairs,
  read,
  spansOf,
} from "./pages.ts";

/** The test fails with all faults at once, each with its place. */
function noFaults(faults: string[]) {
  assert(faults.length === 0, faults.join("\n"));
}

function blocksOf(language: string): Block[] {
  const found = pages.flatMap(({ blocks }) => blocks)
    .filter((block) => block.language === language);
  assert(found.length > 0, `there is no \`\`\`${language} block`);
  return found;
}

/** What a line is, whatever its language. */
function kindOf(line: string): string {
  const cells = line.startsWith("|") ? line.split(/(?<!\\)\|/).length : 0;
  const [kind = line && "text"] = /^(#+|```.*|- |\d\. |!\[)/.exec(line) ?? [];
  return cells ? `a row of ${cells - 2}` : kind;
}

test("both languages are alike, line by line", () => {
  for (const [english, chinese] of pairs) {
    let inBlock = false;
    for (const [i, line] of english.lines.entries()) {
      const other = chinese.lines[i] ?? "nothing";
      const fence = line.startsWith("```");
      const same: (text: string) => string = inBlock
        ? (text: string) => text
        : kindOf;
      if (fence) inBlock = !inBlock;
      assert.equal(same(other), same(line), `${chinese.file}:${i + 1}`);
    }
    assert.equal(chinese.lines.length, english.lines.length);
    for (const [i, { cells }] of english.rows.entries()) {
      const { place, cells: others } = chinese.rows[i]!;
      const spans = (all: string[]) => all.flatMap(spansOf).toSorted();
      assert.deepEqual(spans(others), spans(cells), place);
    }
    const outside = ({ links }: typeof english) =>
      links.map(({ to }) => to).filter((to) => /^http/.test(to));
    assert.deepEqual(outside(chinese), outside(english), chinese.file);
  }
});

test("a page is no longer than 330 lines", () => {
  for (const { file, lines } of pages) {
    assert(lines.length <= 331, `${file}: ${lines.length - 1} lines`);
  }
});

test("only blocks that the tests understand", () => {
  const known = ["sh", "text", "ts", "python", "mermaid"];
  noFaults(
    pages.flatMap(({ blocks }) =>
      blocks.filter(({ language }) => !known.includes(language))
        .map(({ place, language }) => `${place}: a "${language}" block`)
    ),
  );
});

test("no asterisk is left over, as CommonMark does beside Chinese points", () => {
  for (const { file, lines } of pages) {
    const html = marked.parse(lines.join("\n"), { async: false });
    const text = html.replace(/<code.*?<\/code>/gs, "");
    assert.doesNotMatch(text, /.{0,20}\*.{0,20}/, file);
  }
});

/** Code without blank lines, comments of a line's own, and indentation. */
function bare(code: string): string[] {
  return code.split("\n").map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("//"));
}

test("the loops are the scripts' own lines", () => {
  for (const { place, mark, text } of blocksOf("ts")) {
    if (mark === "bot") continue;
    const [, main = ""] = /^async function main\(\) \{\n(.*?)^\}\n/ms
      .exec(fileText(mark)) ?? [];
    const [script, page] = [bare(main), bare(text).slice(1, -1)];
    // All of the loop, and before it nothing that is not in the script.
    const loop = (lines: string[]) =>
      lines.slice(lines.indexOf("while (true) {"));
    assert.deepEqual(loop(page), loop(script), place);
    assert(page.includes("sk.close();"), place);
    assert.deepEqual(script.filter((line) => page.includes(line)), page, place);
  }
});

test("the diagrams look like Mermaid's", () => {
  const step =
    /^(\S+ *--?(>>?|x|\)) *\S+ *: .+|(participant|note|loop|alt|else|opt|end|rect)\b.*)$/i;
  for (const { place, text } of blocksOf("mermaid")) {
    const [first, ...rest] = text.split("\n").map((line) => line.trim());
    assert.equal(first, "sequenceDiagram", place);
    for (const line of rest) {
      assert.match(line, step, place);
      assert.doesNotMatch(line, /;/, place); // would end the statement
    }
  }
});

test("the numbers on the group's page are the scripts'", () => {
  const scripts = fileText("group/server.ts") + fileText("group/client.ts");
  const constants = {
    DATAGRAM: 1200, // bytes
    TEXT: 1000,
    NEWS: 256, // lines
    KEPT: 1024,
    MEMBERS: 1000,
    NEIGHBOURS: 250,
    IDLE: 15, // s
    SILENCE: 120,
  };
  for (const [name, value] of Object.entries(constants)) {
    const [, found = ""] = RegExp(`^const ${name} = ([\\d_]+)`, "m")
      .exec(scripts) ?? [];
    const unit = name === "IDLE" ? 1000 : 1;
    assert.equal(Number(found.replaceAll("_", "")), value * unit, name);
    const written = name === "SILENCE" ? value / 60 : value; // minutes
    for (const { file, lines } of pairs[1]!) {
      const said = RegExp(`\\b${written}\\b`).test(lines.join("\n"));
      assert(said, `${file} does not say ${written} (${name})`);
    }
  }
});

test("the files and scripts that a page names exist", () => {
  const { scripts } = JSON.parse(fileText("package.json"));
  for (const { spans, lines, file } of pages) {
    noFaults(
      spans.flatMap(({ code, place }) =>
        code.split(" ").filter((word) =>
          /^[\w.-][\w./-]*\.(ts|md|svg|py|sh|js|lock)$/.test(word) ||
          /^(\.ci|test|group)\/[\w./-]*$/.test(word)
        ).filter((path) => !exists(path))
          .map((path) => `${place}: there is no ${path}`)
      ),
    );
    const runs = lines.join("\n").matchAll(/npm run ([\w:-]+)/g);
    noFaults(
      [...runs].map(([, name]) => name!).filter((name) => !(name in scripts))
        .map((name) => `${file}: there is no script ${name} to npm run`),
    );
  }
});

test("the links of a page resolve", () => {
  for (const page of pages) {
    const inside = page.links.filter(({ to }) => !/^https?:/.test(to));
    assert(inside.length > 0, `${page.file}: no links found`);
    noFaults(inside.flatMap(({ to, place }) => {
      const [path = "", anchor] = decodeURI(to).split("#");
      const from = new URL(page.file, "file:///");
      const file = path ? new URL(path, from).pathname.slice(1) : page.file;
      const fault = [`${place}: ${to} leads nowhere`];
      if (!exists(file)) return fault;
      if (anchor === undefined) return [];
      return anchors(read(file)).includes(anchor) ? [] : fault;
    }));
  }
});
