// What the pages say stands in the project: code, names, links, messages; and
// both languages say the same. What can be run is run by runs.slow.ts.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { like } from "../support/play.ts";
import { PROJECT } from "../support/program.ts";
import {
  bare,
  cells,
  fileText,
  folderOf,
  type Page,
  pages,
  pairs,
  read,
  spans,
  steps,
} from "./pages.ts";

const blocksOf = (wanted: string) =>
  pages.flatMap(({ blocks }) => blocks.filter((b) => b.language === wanted));

test("both languages have the same headings, blocks and rows", () => {
  const heads = ({ prose }: Page) =>
    prose.map(({ line }) => /^#+/.exec(line)?.[0]).filter(Boolean);
  const rows = ({ prose }: Page) =>
    prose.map(({ line }) => cells(line)).filter(({ length }) => length)
      .map((row) => [row.length, ...spans(row.join(" ")).toSorted()]);
  // Comments, diagrams and what a program says may be in either language.
  const code = ({ blocks }: Page) =>
    blocks.map(({ language, mark, text }) => [
      `${language} ${mark}`,
      language === "mermaid" ? "" : text.replace(/\s*\/\/ .*$/gm, "")
        .replace(/"[^"]*"/g, '""'),
    ]);
  for (const [english, chinese] of pairs) {
    for (const all of [heads, rows, code]) {
      assert.deepEqual(all(chinese), all(english), chinese.file);
    }
  }
});

test("the loops are the scripts' own lines", () => {
  for (const { place, mark, text } of blocksOf("ts")) {
    const script = fileText(mark).split("\n").map(bare);
    let at = 0;
    for (const line of text.split("\n").map(bare)) {
      at = script.indexOf(line, at) + 1;
      assert(at > 0, `${place}: this is not there in ${mark}: ${line}`);
    }
  }
});

test("each step is at most 12 changed lines a file, and compiles", (t) => {
  for (const { place, text } of blocksOf("diff")) {
    const changed = text.match(/^[+-](?=.)/gm)!.length;
    assert(changed <= 12, `${place}: ${changed} lines`);
  }
  for (const page of pairs[0]!) {
    const cwd = folderOf(t, ["package.json", "tsconfig.json"], steps(page));
    symlinkSync(join(PROJECT, "node_modules"), join(cwd, "node_modules"));
    const tsc = "node_modules/typescript/bin/tsc";
    const { status, stdout } = spawnSync(process.execPath, [tsc], { cwd });
    assert.equal(status, 0, `${stdout}`);
  }
});

const group = fileText("group/server.ts") + fileText("group/client.ts");

test("the group's page explains every message of its scripts, no other", () => {
  const said = group.matchAll(/(["`])((?:\* |lines not |not a |can't ).+?)\1/g);
  const messages = [...said].map(([, , text = ""]) =>
    like(text.replace(/\$\{.*?\}/g, "ANY").replace("\\n", ""))
  );
  for (const { prose, file } of pairs[1]!) {
    const explained = prose.flatMap(({ line }) => spans(cells(line)[0] ?? ""));
    for (const message of messages) {
      const isKnown = explained.some((span) => message.test(span));
      assert(isKnown, `${file} does not explain ${message}`);
    }
    for (const span of explained.filter((span) => /^\* [^T]/.test(span))) {
      assert(messages.some((one) => one.test(span)), `${file}: ${span}?`);
    }
  }
});

test("the numbers on the group's page are the scripts'", () => {
  for (const name of "DATAGRAM TEXT NEWS KEPT".split(" ")) {
    const [value] = group.match(RegExp(`(?<=^const ${name} = )\\d+`, "m"))!;
    for (const { text, file } of pairs[1]!) {
      assert.match(text, RegExp(`\\b${value}\\b`), `${file}: ${name}`);
    }
  }
});

/** The anchors of a page's headings, as GitHub makes them. */
const anchors = (file: string) =>
  read(file).prose.filter(({ line }) => line.startsWith("#")).map(({ line }) =>
    line.replace(/^#+ /, "").toLowerCase()
      .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, "").replaceAll(" ", "-")
  );

const isThere = (path: string) => existsSync(join(PROJECT, path));

test("the files, scripts and headings that a page names exist", () => {
  const { scripts } = JSON.parse(fileText("package.json"));
  for (const { file, prose } of pages) {
    for (const { place, line } of prose) {
      for (const word of spans(line).join(" ").split(" ")) {
        if (!/^[\w/-]+\.(ts|json)$|^test\/\S+$/.test(word)) continue;
        assert(isThere(word), `${place}: there is no ${word}`);
      }
      for (const [, name = ""] of line.matchAll(/npm run ([\w:-]+)/g)) {
        assert(name in scripts, `${place}: there is no npm run ${name}`);
      }
      const links = line.replace(/`[^`]*`/g, "").matchAll(/\]\(([^)]+)\)/g);
      for (const [, to = ""] of links) {
        if (to.startsWith("https:")) continue;
        const [path, anchor] = to.split("#");
        const target = path ? join(file, "..", path) : file;
        assert(isThere(target), `${place}: ${to}`);
        if (anchor) assert(anchors(target).includes(anchor), `${place}: ${to}`);
      }
    }
  }
});
