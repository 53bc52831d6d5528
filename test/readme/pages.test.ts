// What the pages say stands in the project: code, names, links, messages; and
// both languages say the same. What can be run is run by the other tests here.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { emptyFolder, PROJECT } from "../support/program.ts";
import {
  bare,
  cells,
  exists,
  fileText,
  pages,
  pairs,
  read,
  spans,
  steps,
} from "./pages.ts";

/** The test fails with all faults at once, each with its place. */
const noFaults = (faults: string[]) =>
  assert(faults.length === 0, faults.join("\n"));

const blocksOf = (language: string) =>
  pages.flatMap(({ blocks }) => blocks)
    .filter((block) => block.language === language);

test("both languages have the same headings, blocks and rows", () => {
  // Comments and what a program says to its user may be in either language.
  const plain = (text: string) =>
    text.replace(/\s*\/\/ .*$/gm, "").replace(/"[^"]*"/g, '""');
  for (const [english, chinese] of pairs) {
    const heads = (page: typeof english) =>
      page.prose.map(({ line }) => /^#+/.exec(line)?.[0]).filter(Boolean);
    assert.deepEqual(heads(chinese), heads(english), chinese.file);
    const others = [...chinese.blocks];
    for (const { place, language, mark, text } of english.blocks) {
      const other = others.shift();
      assert(other, place);
      assert.deepEqual(
        { place, language: other.language, mark: other.mark },
        { place, language, mark },
      );
      if (language === "mermaid") continue;
      assert.equal(plain(other.text), plain(text), other.place);
    }
    assert.deepEqual(others, []);
    const rows = (page: typeof english) =>
      page.prose.map(({ line }) => cells(line)).filter(({ length }) => length)
        .map((row) => [row.length, ...spans(row.join(" ")).toSorted()]);
    assert.deepEqual(rows(chinese), rows(english), chinese.file);
  }
});

test("the first page is no longer than 2,600 words", () => {
  const { length } = fileText("README.md").split(/\s+/).filter(Boolean);
  assert(length <= 2600, `${length} words`);
});

test("the loops are the scripts' own lines", () => {
  assert.equal(blocksOf("ts").length, 4);
  for (const { place, mark, text } of blocksOf("ts")) {
    const script = fileText(mark).split("\n").map(bare);
    let at = 0;
    for (const line of text.split("\n").map(bare)) {
      at = script.indexOf(line, at) + 1;
      assert(at > 0, `${place}: not in ${mark}, or not there: ${line}`);
    }
  }
});

test("each step is at most 12 changed lines a file, and compiles", (t) => {
  for (const { place, text } of blocksOf("diff")) {
    const changed = text.match(/^[+-](?=.)/gm)!.length;
    assert(changed <= 12, `${place}: ${changed} lines`);
  }
  const cwd = emptyFolder(t);
  symlinkSync(join(PROJECT, "node_modules"), join(cwd, "node_modules"));
  for (const name of ["package.json", "tsconfig.json"]) {
    writeFileSync(join(cwd, name), fileText(name));
  }
  for (const page of pairs[0]!) {
    for (const [name, script] of Object.entries(steps(page))) {
      writeFileSync(join(cwd, name), script);
    }
    const tsc = join(PROJECT, "node_modules/typescript/bin/tsc");
    const options = { cwd, encoding: "utf8" } as const;
    const { status, stdout } = spawnSync(process.execPath, [tsc], options);
    assert.equal(status, 0, stdout);
  }
});

test("the diagrams look like Mermaid's", () => {
  const known =
    /^(participant \S+|Note over \S+: [^;]+|\S+(->>|-x)\S+: [^;]+)$/;
  for (const { place, text } of blocksOf("mermaid")) {
    const [first, ...steps] = text.trimEnd().split("\n");
    assert.equal(first, "sequenceDiagram", place);
    for (const line of steps) assert.match(line.trim(), known, place);
  }
});

test("the group's page explains every message of its scripts", () => {
  const scripts = fileText("group/server.ts") + fileText("group/client.ts");
  const said = [...scripts.matchAll(/(["`])(\* .+?)\1/g)].map(([, , it]) =>
    it!
  );
  said.push(
    ...[...scripts.matchAll(/[`"]((lines|not a|can't) .+?)`/g)]
      .map(([, it]) => it!),
  );
  assert(said.length > 14, "where are the messages?");
  const fixed = (text: string) => text.split(/\$\{.*?\}/)[0]!;
  for (const { prose, file } of pairs[1]!) {
    const explained = prose.map(({ line }) => cells(line)[0] ?? "");
    noFaults(
      said.filter((text) => {
        const words = text.split(/\$\{.*?\}/).filter((part) => part.length > 3);
        return !explained.some((cell) =>
          cell.includes(fixed(text)) && words.every((one) => cell.includes(one))
        );
      }).map((text) => `${file} does not explain ${text}`),
    );
  }
});

test("the numbers on the group's page are the scripts'", () => {
  const scripts = fileText("group/server.ts") + fileText("group/client.ts");
  const [english, chinese] = pairs[1]!;
  for (
    const [name, value, said] of [
      ["DATAGRAM", "1200", 1200],
      ["TEXT", "1000", 1000],
      ["NEWS", "256", 256],
      ["KEPT", "1024", 1024],
      ["MEMBERS", "1000", 1000],
      ["NEIGHBOURS", "250", 250],
      ["IDLE", "15_000", 15],
      ["SILENCE", "120", 2], // minutes
      ["AWAY", "5000", 5],
    ] as const
  ) {
    assert.match(scripts, RegExp(`^const ${name} = ${value};`, "m"));
    for (const { text, file } of [english, chinese]) {
      assert.match(text, RegExp(`\\b${said}\\b`), `${file}: ${name}`);
    }
  }
});

test("the files and scripts that a page names exist", () => {
  const { scripts } = JSON.parse(fileText("package.json"));
  for (const { prose, file } of pages) {
    for (const { place, line } of prose) {
      const words = spans(line).flatMap((code) => code.split(" "));
      noFaults(
        words.filter((word) => /^[\w/-]+\.(ts|json)$|^test\/\S+$/.test(word))
          .filter((path) => !exists(path)).map((path) =>
            `${place}: no ${path}`
          ),
      );
      for (const [, name] of line.matchAll(/npm run ([\w:-]+)/g)) {
        assert(name! in scripts, `${file}: there is no npm run ${name}`);
      }
    }
  }
});

/** The anchors of a page's headings, as GitHub makes them. */
function anchors(file: string): string[] {
  return read(file).prose.map(({ line }) => line)
    .filter((line) => line.startsWith("#")).map((line) =>
      line.replace(/^#+ /, "").toLowerCase()
        .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, "").replaceAll(" ", "-")
    );
}

test("the links of a page resolve", () => {
  for (const { file, prose } of pages) {
    for (const { place, line } of prose) {
      const text = line.replace(/`[^`]*`/g, "");
      for (const [, to = ""] of text.matchAll(/\]\(([^)]+)\)/g)) {
        if (/^https:/.test(to)) continue;
        const [path = "", anchor] = to.split("#");
        const target = path ? join(file, "..", path) : file;
        assert(exists(target), `${place}: ${to}`);
        if (anchor) assert(anchors(target).includes(anchor), `${place}: ${to}`);
      }
    }
  }
});
