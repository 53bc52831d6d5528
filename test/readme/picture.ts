// The picture in the README, recorded: run the pair in two terminals, hold the
// tutorial's conversation, and draw the cells of both screens as an SVG.
//
//   npm run picture [-- FILE PORT]     by default test/readme/picture.svg 6000

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { bound, NOT_LINUX } from "../support/kernel.ts";
import { PROJECT } from "../support/processes.ts";
import { Terminal } from "../support/terminal.ts";

const SIZE = { cols: 42, rows: 8 };
// In pixels. Each character is placed by itself: whatever font the reader has,
// a wide one takes two cells.
const CELL = 8.4; // width of a character
const LINE = 21; // height of a line
const FONT = 14;
const PAD = 12; // around a screen
const BAR = 30; // above a screen, for the command
const GAP = 12; // between the two windows
const WIDTH = Math.ceil(SIZE.cols * CELL + 2 * PAD); // of a window
const height = (lines: number) => BAR + lines * LINE + PAD;

const STYLE = `
    text { font: ${FONT}px ui-monospace, SFMono-Regular, Menlo, Consolas, \
"DejaVu Sans Mono", "Liberation Mono", "PingFang SC", "Microsoft YaHei", \
"Noto Sans CJK SC", monospace; fill: #1f2328; white-space: pre }
    .window { fill: #f6f8fa; stroke: #d0d7de }
    .bar { fill: #eaeef2; stroke: #d0d7de }
    .title { fill: #57606a }
    .typed { fill: #0550ae; font-weight: bold }
    .cursor { fill: #8c959f }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .window { fill: #161b22; stroke: #30363d }
      .bar { fill: #21262d; stroke: #30363d }
      .title { fill: #9198a1 }
      .typed { fill: #79c0ff }
      .cursor { fill: #6e7681 }
    }
  `;

/** A terminal that runs a command and knows what a person typed in it. */
interface Recording {
  command: string[];
  terminal: Terminal;
  typed: { y: number; from: number; to: number }[]; // cells of the screen
}

function record(script: string): Recording {
  const command = ["npx", "tsx", script, ...address];
  const t = { after: () => {} }; // all of it ends with this process
  return { command, terminal: new Terminal(t, command, SIZE), typed: [] };
}

/** Type a line, and the Enter key once the terminal has shown it. */
async function type({ terminal, typed }: Recording, text: string) {
  const { x, y } = terminal.cursor;
  const before = terminal.screen;
  terminal.type(text);
  await terminal.until(() => terminal.screen === before + text);
  typed.push({ y, from: x, to: terminal.cursor.x });
  terminal.type("\r");
}

const round = (pixels: number) => Math.round(pixels * 10) / 10;
const escape = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** One line of a screen: its characters, typed ones apart from the others. */
function drawLine({ terminal, typed }: Recording, y: number): string {
  const spans: { typed: boolean; text: string; xs: number[] }[] = [];
  for (const { x, text } of terminal.characters(y)) {
    const byHand = typed.some((one) =>
      one.y === y && one.from <= x && x < one.to
    );
    if (spans.at(-1)?.typed !== byHand) {
      spans.push({ typed: byHand, text: "", xs: [] });
    }
    const span = spans.at(-1)!;
    span.text += text;
    span.xs.push(round(PAD + x * CELL));
  }
  const parts = spans.map((span) =>
    `<tspan${span.typed ? ' class="typed"' : ""} x="${span.xs.join(" ")}">` +
    `${escape(span.text)}</tspan>`
  );
  const base = round(BAR + PAD / 2 + y * LINE + FONT);
  return `    <text class="line" y="${base}">${parts.join("")}</text>`;
}

function drawWindow(one: Recording, left: number, lines: number): string {
  const { x, y } = one.terminal.cursor;
  const [right, top] = [WIDTH - 6, round(BAR + PAD / 2 + y * LINE)];
  const title = escape(one.command.join(" "));
  const rows = Array.from({ length: lines }, (_, y) => drawLine(one, y));
  return `  <g transform="translate(${left} 0.5)">
    <rect class="window" width="${WIDTH}" height="${height(lines)}" rx="6"/>
    <path class="bar" d="M0 ${BAR}V6a6 6 0 0 1 6-6H${right}a6 6 0 0 1 6 6V${BAR}z"/>
    <text class="title" x="${PAD}" y="20">${title}</text>
    <rect class="cursor" x="${round(PAD + x * CELL)}" y="${top}" \
width="${CELL}" height="${LINE - 3}"/>
${rows.join("\n")}
  </g>`;
}

function draw(recordings: Recording[]): string {
  const lines = Math.max(...recordings.map((one) => one.terminal.cursor.y + 1));
  const windows = recordings.map((one, i) =>
    drawWindow(one, 0.5 + i * (WIDTH + GAP), lines)
  );
  const width = recordings.length * (WIDTH + GAP) - GAP + 1;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" \
height="${height(lines) + 1}" viewBox="0 0 ${width} ${height(lines) + 1}" \
role="img" xml:space="preserve">
  <title>The chat in two terminals: the server on the left, the client on the right</title>
  <style>${STYLE}</style>
${windows.join("\n")}
</svg>
`;
}

if (NOT_LINUX) throw new Error(NOT_LINUX);
const [file = join(PROJECT, "test/readme/picture.svg"), port] = process.argv
  .slice(2);
const address = port ? ["127.0.0.1", port] : [];

const server = record("server.ts");
await bound(port ?? "6000");
const client = record("client.ts");
await client.terminal.shows(">>>");
await type(client, "hello server");
await server.terminal.until(() => server.terminal.screen.endsWith("\n>>>"));
await type(server, "hello client");
await client.terminal.shows(">>>hello server", "hello client", ">>>");
await server.terminal.until(() => server.terminal.screen.endsWith("client\n"));

writeFileSync(file, draw([server, client]));
process.exit();
