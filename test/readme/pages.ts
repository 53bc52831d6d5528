// The pages, taken apart by a few regular expressions, and the steps of the
// lesson: what becomes of a script when a page's changes are made to it.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { all, type Runtime } from "../support/on.ts";
import { PROJECT } from "../support/program.ts";

/** A fenced block: ```language mark */
export interface Block {
  place: string; // "README.md:12"
  language: string;
  mark: string;
  text: string;
}

export interface Page {
  file: string;
  text: string;
  blocks: Block[];
  prose: { place: string; line: string }[]; // all that is outside of blocks
}

export const exists = (path: string) => existsSync(join(PROJECT, path));
export const fileText = (path: string) =>
  readFileSync(join(PROJECT, path), "utf8");

export function read(file: string): Page {
  const page: Page = { file, text: fileText(file), blocks: [], prose: [] };
  let block: Block | undefined;
  for (const [i, line] of page.text.trimEnd().split("\n").entries()) {
    const place = `${file}:${i + 1}`;
    const [fence, language = "", mark = ""] = /^```(\S*) ?(.*)$/.exec(line) ??
      [];
    if (fence === undefined && block) block.text += `${line}\n`;
    else if (fence === undefined) page.prose.push({ place, line });
    else if (block) block = undefined;
    else page.blocks.push(block = { place, language, mark, text: "" });
  }
  assert(!block, `${block?.place}: this block has no end`);
  return page;
}

/** Each page in English and in Chinese. */
export const pairs = ["README", "group/README"].map((name): [Page, Page] => [
  read(`${name}.md`),
  read(`${name}.zh-CN.md`),
]);
export const table = read("TROUBLESHOOTING.md"); // in both languages
export const pages = [...pairs.flat(), table];

/** What stands in code marks in a line. */
export function spans(line: string): string[] {
  return [...line.matchAll(/(`+)(.+?)\1/g)].map(([, , code]) => code!.trim());
}

/** The cells of a table's row; none, if the line is no row. */
export function cells(line: string): string[] {
  if (!line.startsWith("| ") || line.startsWith("| ---")) return [];
  return line.slice(2, -2).split(" | ");
}

const NAMES = { "npx tsx": "tsx", node: "Node", bun: "Bun", deno: "Deno" };

/** The runtime that a command names, if it is here. */
export function runtimeOf(command: string): Runtime | undefined {
  const [called] = /^(npx tsx|node|bun|deno)/.exec(command) ?? [];
  const name = NAMES[called as keyof typeof NAMES];
  return all.find((one) => one.name.startsWith(name));
}

// ---- The lesson's steps ----

/** A line of code without its indentation, and a comment at its end. */
export const bare = (line: string) =>
  line.replace(/(^|\s+)\/\/ .*$/, "").trim();

/** Make a page's changes: " " stays, "-" goes, "+" comes, "@@" leaves out. */
export function change(script: string, { place, text }: Block): string {
  const lines = script.split("\n");
  for (const hunk of text.trimEnd().split(/^@@\n/m)) {
    const all = hunk.trimEnd().split("\n");
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

/** The scripts of steps 2 to 4, by the changes on a page. */
export function steps({ blocks }: Page): Record<string, string> {
  const [server, client] = [fileText("server.ts"), fileText("client.ts")];
  const [bot, both, types, hub, ...more] = blocks
    .filter(({ language }) => language === "diff");
  assert(bot && both && types && hub && more.length === 0);
  const step3 = change(server, both);
  return {
    "step-bot.ts": change(server, bot),
    "step-server.ts": step3,
    "step-client.ts": change(client, types),
    "step-hub.ts": change(step3, hub),
  };
}
