// The pages of the project, each in its two languages, taken apart for tests.

import { marked, type Token, type Tokens } from "marked";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PROJECT } from "../support/processes.ts";
import { type Runtime, runtimes } from "../support/runtimes.ts";

/** Something that stands on a page, and where: "README.md:12". */
interface Found {
  place: string;
}

/** A fenced block: ```language mark */
export interface Block extends Found {
  language: string;
  mark: string;
  text: string;
}

export interface Row extends Found {
  head: string; // of the table's first column
  cells: string[]; // as written
}

export interface Page {
  file: string;
  lines: string[];
  blocks: Block[];
  rows: Row[]; // of all tables, without the heads
  headings: string[];
  spans: (Found & { code: string })[];
  links: (Found & { to: string })[]; // and images
}

export function fileText(path: string): string {
  return readFileSync(join(PROJECT, path), "utf8");
}

export function exists(path: string): boolean {
  return existsSync(join(PROJECT, path));
}

export function read(file: string): Page {
  const text = fileText(file);
  const lines = text.split("\n");
  const page: Page = {
    file,
    lines,
    blocks: [],
    rows: [],
    headings: [],
    spans: [],
    links: [],
  };
  let line = 1;
  for (const token of marked.lexer(text)) {
    const place = (further = 0) => `${file}:${line + further}`;
    marked.walkTokens(
      [token],
      (part) => collect(page, part as Tokens.Generic, place),
    );
    line += token.raw.split("\n").length - 1;
  }
  return page;
}

function collect(
  page: Page,
  token: Token,
  place: (further?: number) => string,
) {
  switch (token.type) {
    case "code": {
      const [, language = "", mark = ""] =
        /^(\S*) ?(.*)$/.exec(token.lang ?? "") ?? [];
      page.blocks.push({ place: place(), language, mark, text: token.text });
      break;
    }
    case "table":
      for (const [i, row] of (token as Tokens.Table).rows.entries()) {
        const cells = row.map(({ text }) => text);
        page.rows.push({
          place: place(i + 2),
          head: token.header[0].text,
          cells,
        });
      }
      break;
    case "heading":
      page.headings.push(token.text);
      break;
    case "codespan":
      page.spans.push({ place: place(), code: token.text });
      break;
    case "link":
    case "image":
      page.links.push({ place: place(), to: token.href });
  }
}

/** Each page in English and in Chinese. */
export const pairs: [Page, Page][] = ["README", "group/README"].map((name) => [
  read(`${name}.md`),
  read(`${name}.zh-CN.md`),
]);
export const pages: Page[] = pairs.flat();

/** The code spans of a table's cell. */
export function spansOf(cell = ""): string[] {
  return [...cell.matchAll(/(`+)(.+?)\1/g)].map(([, , code]) => code!.trim());
}

/** The anchors of the headings, as GitHub makes them. */
export function anchors({ headings }: Page): string[] {
  return headings.map((text) =>
    text.toLowerCase().replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, "")
      .replaceAll(" ", "-")
  );
}

/** The first runtime of such a name that is there. */
export function runtimeNamed(name: string): Runtime {
  const fit = runtimes.filter((one) => one.name.startsWith(name));
  return fit.find(({ version }) => version !== "") ?? fit[0]!;
}

/** Ports differ from run to run. */
export function withoutPorts(text: string): string {
  return text.replace(/(127\.0\.0\.1[: ]|port )\d+/g, "$1PORT");
}
