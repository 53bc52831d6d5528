// What the README says stands in the project: names, quotations, figures, links;
// and both languages have the same. What can be run is run by two other tests.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  anchors,
  type Block,
  codeSpans,
  exists,
  fileText,
  links,
  read,
  readmes,
  tables,
} from "./pages.ts";

const SCRIPTS = [
  "server.ts",
  "client.ts",
  "group/server.ts",
  "group/client.ts",
];

/** The test fails with all faults at once, each with its place. */
function noFaults(faults: string[]) {
  assert(faults.length === 0, faults.join("\n"));
}

function blocksOf(language: string): Block[] {
  const found = readmes.flatMap(({ blocks }) => blocks)
    .filter((block) => block.language === language);
  assert(found.length > 0, `there is no \`\`\`${language} block`);
  return found;
}

test("README: both languages are built alike", () => {
  const [english, chinese] = readmes.map((readme) => {
    const { file, blocks, headings, prose, place } = readme;
    const tables = [...prose.matchAll(/(?:^\|.*\n)+/gm)];
    return [
      ...blocks.map(({ place, language, marks, lines }) => ({
        place,
        text: [...marks, "```" + language, ...lines].join("\n"),
      })),
      { place: `the end of ${file}`, text: "no more blocks" },
      ...headings.map(({ place, level }) => ({
        place,
        text: `a heading of level ${level}`,
      })),
      { place: `the end of ${file}`, text: "no more headings" },
      ...tables.map(({ 0: lines, index }) => ({
        place: place(index),
        text: `a table of ${lines.trim().split("\n").length} lines`,
      })),
      { place: `the end of ${file}`, text: "no more tables" },
    ];
  });
  for (const [i, { place, text }] of english!.entries()) {
    const other = chinese![i];
    assert.equal(other?.text, text, `${other?.place} is not as ${place}`);
  }
});

test("README: only blocks that the tests understand", () => {
  const known = ["sh", "text", "ts", "mermaid"];
  noFaults(
    readmes.flatMap(({ blocks }) =>
      blocks.filter(({ language }) => !known.includes(language))
        .map(({ place, language }) => `${place}: a "${language}" block`)
    ),
  );
  noFaults(
    readmes.flatMap(({ prose, place }) =>
      [...prose.matchAll(/(?<=^|\n\n)(?: {4}|\t)\S.*/g)]
        .map((code) => `${place(code.index)}: an indented block: ${code[0]}`)
    ),
  );
});

test("README: its TypeScript is quoted from the scripts", () => {
  const scripts = SCRIPTS.map((script) =>
    fileText(script).split("\n").map((line) => line.trim())
  );
  for (const { place, lines } of blocksOf("ts")) {
    const code = lines.map((line) => line.trim()).filter((line) => line);
    const quoted = scripts.some((script) => {
      let at = -1;
      return code.every((line) => (at = script.indexOf(line, at + 1)) >= 0);
    });
    const strange = code.filter((line) =>
      !scripts.some((script) => script.includes(line))
    );
    assert(quoted, `${place}: not as in one script, see ${strange.join("\n")}`);
  }
});

test("README: its diagrams look like Mermaid's", () => {
  const step =
    /^(\S+ *--?(>>?|x|\)) *\S+ *: .+|(participant|actor|note|loop|alt|else|opt|par|and|end|rect|autonumber|activate|deactivate)\b.*)$/i;
  for (const { place, lines } of blocksOf("mermaid")) {
    const [first = "", ...rest] = lines;
    assert.match(
      first,
      /^(flowchart (TB|TD|LR|RL|BT)|sequenceDiagram)$/,
      place,
    );
    for (const line of rest.map((line) => line.trim())) {
      const fault = `${place}: ${line}`;
      assert.doesNotMatch(line, /;/, fault); // would end the statement
      if (first === "sequenceDiagram") assert.match(line, step, fault);
      for (const pair of ["[]", "()", "{}"]) {
        const count = (c: string) => line.split(c).length;
        assert.equal(count(pair[0]!), count(pair[1]!), fault);
      }
    }
  }
});

test("README: the twins stand in the scripts", () => {
  for (const readme of readmes) {
    const found = tables(readme, /^twins: /);
    const names = found.map(({ mark }) => mark.slice("twins: ".length));
    assert.deepEqual(names, ["server.ts", "client.ts"], readme.file);
    for (const [i, { place, rows }] of found.entries()) {
      assert(rows.length > 0, `${place}: no table follows`);
      const script = fileText(names[i]!);
      noFaults(rows.flatMap(({ place, cells: [, twin = ""] }) => {
        const spans = codeSpans(twin).map(({ code }) => code);
        if (spans.length === 0) return [`${place}: names no twin`];
        return spans.filter((code) => !script.includes(code))
          .map((code) => `${place}: ${names[i]} has no \`${code}\``);
      }));
    }
  }
});

test("README: its figures are the benchmark's", () => {
  const even = (line: string) => line.trim().replace(/\s+/g, " ");
  const measured = fileText("test/bench/bench.md").split("\n").map(even);
  const machine = measured.find((line) => line.startsWith("- Machine: "))
    ?.slice("- Machine: ".length);
  assert(machine, "test/bench/bench.md names no machine");
  for (const { file, prose, place } of readmes) {
    const parts = [
      ...prose.matchAll(/<!-- figures -->\n(.*?)<!-- \/figures -->/gs),
    ];
    const all = parts.map(([part]) => even(part)).join(" ");
    assert(/^\|.*\d/m.test(parts.join()), `${file} has no table of figures`);
    assert(all.includes(machine), `${file} does not name the machine`);
    noFaults(
      parts.flatMap(({ 1: part = "", index }) =>
        part.split("\n").map(even)
          .filter((line) => /\d/.test(line) && !line.includes(machine))
          .filter((line) => !measured.includes(line))
          .map((line) => `${place(index)}: not in test/bench/bench.md: ${line}`)
      ),
    );
  }
});

test("README: the files and scripts that it names exist", () => {
  const { scripts } = JSON.parse(fileText("package.json"));
  for (const { file, prose, place } of readmes) {
    noFaults(
      codeSpans(prose).flatMap(({ code, index }) => {
        const words = code.split(" ");
        // A path alone, or within a command.
        const paths = words.filter((word) =>
          /^[\w.-][\w./-]*\.(ts|md|json|svg|py|sh|js|lock)$/.test(word) ||
          /^(\.ci|test|group)\/[\w./-]*$/.test(word)
        );
        return paths.filter((path) => !exists(path))
          .map((path) => `${place(index)}: there is no ${path}`);
      }),
    );
    const runs = fileText(file).matchAll(/npm run ([\w:-]+)/g);
    noFaults(
      [...runs].map(([, name]) => name!)
        .filter((name) => !(name in scripts))
        .map((name) => `${file}: there is no script ${name} to npm run`),
    );
  }
});

test("README: its links resolve", () => {
  for (const readme of readmes) {
    const found = links(readme).filter(({ to }) => !/^https?:/.test(to));
    assert(found.length > 0, `${readme.file}: no links found`);
    noFaults(found.flatMap(({ to, index }) => {
      const [path = "", anchor] = decodeURI(to).split("#");
      const file = path || readme.file;
      const fault = [`${readme.place(index)}: ${to} leads nowhere`];
      if (!exists(file)) return fault;
      if (anchor === undefined) return [];
      if (file.endsWith(".md")) {
        return anchors(read(file)).includes(anchor) ? [] : fault;
      }
      const line = Number(/^L(\d+)$/.exec(anchor)?.[1]);
      return line <= fileText(file).split("\n").length ? [] : fault;
    }));
  }
});
