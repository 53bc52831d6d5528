/**
 * The code points from first to last, but for one, as text and as the scripts
 * have to show them.
 */
export function escaped(
  first: number,
  last = first,
  but?: number,
): [string, string] {
  const codes = Array.from({ length: last - first + 1 }, (_, i) => first + i)
    .filter((code) => code !== but);
  return [
    `a${String.fromCodePoint(...codes)}z`,
    `a${codes.map((code) => `\\u{${code.toString(16)}}`).join("")}z`,
  ];
}
