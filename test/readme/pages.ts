// The pages, taken apart by a few regular expressions, and the lesson's steps:
// what becomes of a script when a page's changes are made to it.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { emptyFolder, PROJECT, type Test } from "../support/program.ts";

/** A fenced block: ```language mark */
interface Block {
  place: string; // "README.md:12"
  language: string;
  mark: string;
  text: string;
}

export const fileText = (path: string) =>
  readFileSync(join(PROJECT, path), "utf8");

export function read(file: string) {
  const text = fileText(file);
  const blocks: Block[] = [];
  const prose: { place: string; line: string }[] = []; // all that is outside
  let inside = false;
  for (const [i, line] of text.trimEnd().split("\n").entries()) {
    const place = `${file}:${i + 1}`;
    const [is, language = "", mark = ""] = /^```(\S*) ?(.*)$/.exec(line) ?? [];
    if (is !== undefined) inside = !inside;
    if (is === undefined && inside) blocks.at(-1)!.text += `${line}\n`;
    else if (is === undefined) prose.push({ place, line });
    else if (inside) blocks.push({ place, language, mark, text: "" });
  }
  return { file, text, blocks, prose };
}
export type Page = ReturnType<typeof read>;

/** Each page in English and in Chinese. */
export const pairs = ["README", "group/README"].map((name) =>
  [read(`${name}.md`), read(`${name}.zh-CN.md`)] as const
);
export const table = read("TROUBLESHOOTING.md"); // in both languages
export const pages = [...pairs.flat(), table];

/** What stands in code marks in a line. */
export const spans = (line: string) =>
  [...line.matchAll(/(`+)(.+?)\1/g)].map(([, , code]) => code!.trim());

/** The cells of a table's row; none, if the line is no row. */
export const cells = (line: string) =>
  /^\| (?!---)/.test(line) ? line.slice(2, -2).split(" | ") : [];

/** Code without indentation, and without a comment at its end. */
export const bare = (line: string) =>
  line.replace(/(^|\s+)\/\/ .*$/, "").trim();

/** Make a page's changes: " " stays, "-" goes, "+" comes, "@@" leaves out. */
function change(script: string, { place, text }: Block): string {
  const lines = script.split("\n");
  for (const hunk of text.trimEnd().split("\n@@\n")) {
    const all = hunk.split("\n");
    const old = all.filter((line) => !line.startsWith("+"))
      .map((line) => bare(line.slice(1)));
    const found = [...lines.keys()].filter((i) =>
      old.every((line, n) => line === bare(lines[i + n] ?? "none"))
    );
    assert.equal(found.length, 1, `${place}: where is this?\n${hunk}`);
    let at = found[0]!;
    for (const line of all) {
      if (line.startsWith("+")) lines.splice(at++, 0, line.slice(1));
      else if (line.startsWith("-")) lines.splice(at, 1);
      else at++;
    }
  }
  return lines.join("\n");
}

type Texts = Record<string, string>; // by the files' names

/** The scripts of steps 2 to 4, by the changes on a page. */
export function steps({ blocks }: Page): Texts {
  const [server, client] = [fileText("server.ts"), fileText("client.ts")];
  const changes = blocks.filter(({ language }) => language === "diff");
  assert.equal(changes.length, 4);
  const [bot, both, receive, hub] = changes as [Block, Block, Block, Block];
  return {
    "bot.ts": change(server, bot),
    "both.ts": change(server, both),
    "client.ts": change(client, receive),
    "hub.ts": change(change(server, both), hub),
  };
}

/** A folder with copies of the project's files, and with others. */
export function folderOf(t: Test, copies: string[], others: Texts): string {
  const folder = emptyFolder(t);
  const all = copies.map((name) => [name, fileText(name)] as const);
  for (const [name, text] of [...all, ...Object.entries(others)]) {
    writeFileSync(join(folder, name), text);
  }
  return folder;
}
