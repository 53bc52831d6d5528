// The plot of the page: a row of bars for each server, a column for each size
// of the group, as an SVG that is light or dark as its reader is.

import { figure } from "./measure.ts";

export interface Row {
  name: string;
  ours: boolean;
  costs: number[]; // µs a delivery, for each size
}

// In pixels.
const NAMES = 140; // width of the first column
const COLUMN = 190;
const BAR = 130; // length of the longest one
const ROW = 26;
const TOP = 64; // for the titles
const PAD = 12;

const STYLE = `
    text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328 }
    .title { font-weight: 600; font-size: 15px }
    .quiet { fill: #59636e }
    .other { fill: #afb8c1 }
    .ours { fill: #0969da }
    .ground { fill: #ffffff }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .quiet { fill: #9198a1 }
      .other { fill: #57606a }
      .ours { fill: #4493f8 }
      .ground { fill: #0d1117 }
    }`;

export function plot(sizes: number[], rows: Row[]): string {
  const width = NAMES + sizes.length * COLUMN + PAD;
  const height = TOP + rows.length * ROW + PAD;
  const most = Math.max(...rows.flatMap(({ costs }) => costs));
  const title = "What a line costs the server for each member that gets it";
  const text = (x: number, y: number, text: string, style = "") =>
    `  <text x="${x}" y="${y}" class="${style}">${text}</text>`;
  const marks = [
    text(PAD, 24, `${title}, µs of processor time`, "title"),
    ...sizes.map((size, i) =>
      text(
        NAMES + i * COLUMN,
        50,
        `${size.toLocaleString("en")} members`,
        "quiet",
      )
    ),
    ...rows.flatMap(({ name, ours, costs }, row) => {
      const y = TOP + row * ROW;
      return [
        text(PAD, y + 15, name),
        ...costs.flatMap((cost, i) => {
          const x = NAMES + i * COLUMN;
          const length = Math.max(BAR * cost / most, 1).toFixed(1);
          return [
            `  <rect x="${x}" y="${y}" width="${length}" height="20" rx="2" \
class="${ours ? "ours" : "other"}"/>`,
            text(x + Number(length) + 6, y + 15, figure(cost), "quiet"),
          ];
        }),
      ];
    }),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" \
width="${width}" height="${height}" role="img" aria-label="${title}">
  <style>${STYLE}
  </style>
  <rect width="100%" height="100%" rx="6" class="ground"/>
${marks.join("\n")}
</svg>
`;
}
