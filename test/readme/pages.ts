// The README in its two languages, taken apart for the tests.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PROJECT } from "../support/processes.ts";
import { type Runtime, runtimes } from "../support/runtimes.ts";

/** Something that stands in a README, and where: "README.md:12". */
interface Found {
  place: string;
}

/** A fenced block, and the comments before it: <!-- mark -->. */
export interface Block extends Found {
  language: string;
  marks: string[];
  lines: string[];
}

export interface Table extends Found {
  mark: string; // of the comment before it
  rows: (Found & { cells: string[] })[]; // without the head
}

export interface Readme {
  file: string;
  blocks: Block[];
  headings: (Found & { level: number; text: string })[];
  /** All lines, those of blocks blanked. */
  prose: string;
  place(index: number): string;
}

export function fileText(path: string): string {
  return readFileSync(join(PROJECT, path), "utf8");
}

export function exists(path: string): boolean {
  return existsSync(join(PROJECT, path));
}

const MARK = /^<!-- (.*) -->$/;

/** The comments before a line, with nothing but blank lines between. */
function marksBefore(lines: string[], y: number): string[] {
  const line = lines[y - 1]?.trim();
  const mark = MARK.exec(line ?? "")?.[1];
  if (line !== "" && mark === undefined) return [];
  return [...marksBefore(lines, y - 1), ...(mark ? [mark] : [])];
}

export function read(file: string, text = fileText(file)): Readme {
  const lines = text.split("\n");
  const prose = [...lines];
  const blocks: Block[] = [];
  const headings: Readme["headings"] = [];
  for (let y = 0; y < lines.length; y++) {
    const place = `${file}:${y + 1}`;
    const [, indent, fence, language] =
      /^( *)(```+|~~~+) *(.*)$/.exec(lines[y]!) ?? [];
    const [, hashes, title] = /^(#{1,6}) +(.*)$/.exec(lines[y]!) ?? [];
    if (hashes) headings.push({ place, level: hashes.length, text: title! });
    if (!fence) continue;
    let end = y + 1;
    while (end < lines.length && lines[end]!.trim() !== fence) end++;
    if (end === lines.length) throw new Error(`${place}: never ends`);
    const content = lines.slice(y + 1, end)
      .map((line) => line.replace(new RegExp(`^ {0,${indent!.length}}`), ""));
    const marks = marksBefore(lines, y);
    blocks.push({ place, language: language!, marks, lines: content });
    prose.fill("", y, end + 1);
    y = end;
  }
  return {
    file,
    blocks,
    headings,
    prose: prose.join("\n"),
    place: (index) =>
      `${file}:${prose.join("\n").slice(0, index).split("\n").length}`,
  };
}

export const readmes: Readme[] = ["README.md", "README.zh-CN.md"]
  .map((file) => read(file));

/** The code spans of some text, such as `this`, and where each begins. */
export function codeSpans(text: string): { code: string; index: number }[] {
  return [...text.matchAll(/(?<!`)(`+)(?!`)((?:(?!\n\n).)+?)(?<!`)\1(?!`)/gs)]
    .map((span) => ({
      code: span[2]!.replace(/\s+/g, " ").trim(),
      index: span.index,
    }));
}

/** The tables with a comment of this form directly before them. */
export function tables({ file, prose }: Readme, mark: RegExp): Table[] {
  const lines = prose.split("\n");
  return lines.flatMap((line, y) => {
    const found = MARK.exec(line.trim())?.[1];
    if (!found || !mark.test(found)) return [];
    const first = lines.findIndex((line, at) => at > y && line.trim() !== "");
    const end = lines.findIndex((line, at) =>
      at >= first && !line.startsWith("|")
    );
    const rows = lines.slice(first, end).map((row, i) => ({
      place: `${file}:${first + i + 1}`,
      cells: row.split(/(?<!\\)\|/).slice(1, -1)
        .map((cell) => cell.trim().replaceAll("\\|", "|")),
    }));
    return [{ place: `${file}:${y + 1}`, mark: found, rows: rows.slice(2) }];
  });
}

/** The anchors of the headings, as GitHub makes them. */
export function anchors({ headings }: Readme): string[] {
  const seen = new Map<string, number>();
  return headings.map(({ text }) => {
    const slug = text.replace(/\[(.*?)\]\(.*?\)/g, "$1").toLowerCase()
      .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, "").replaceAll(" ", "-");
    const times = seen.get(slug) ?? 0;
    seen.set(slug, times + 1);
    return times === 0 ? slug : `${slug}-${times}`;
  });
}

/** The targets of links and images. */
export function links({ prose }: Readme): { to: string; index: number }[] {
  const forms = [
    /\]\(<?([^)\s>]+)>?(?: +"[^"]*")?\)/g, // [text](target)
    /^\[[^\]]+\]: +(\S+)/gm, // [name]: target
    /\b(?:href|src|srcset)="([^"]*)"/g, // HTML
  ];
  return forms.flatMap((form) => [...prose.matchAll(form)])
    .map((link) => ({ to: link[1]!, index: link.index }));
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
