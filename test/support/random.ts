// Dice that fall the same way for the same seed, and datagrams that nobody
// would think of.

import process from "node:process";

/** The environment's, so that a test that told its own can be repeated. */
export const SEED = Number(
  process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32),
);

const PIECES = ["\n", "\r\n", "\x1b[2J", "\u202e", "\u2028", "👩‍👧", "汉", ">>>"];

/** Numbers from 0 up to 1, by the generator known as mulberry32. */
export function generator(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let x = Math.imul(seed ^ (seed >>> 15), seed | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function randomBytes(random: () => number): Uint8Array {
  const bytes: number[] = [];
  const length = Math.floor(2 ** (random() * 12) - 1);
  const wild = random(); // how much of it is any byte at all
  while (bytes.length < length) {
    if (random() < wild) bytes.push(Math.floor(random() * 256));
    else {
      const piece = PIECES[Math.floor(random() * PIECES.length)];
      bytes.push(...new TextEncoder().encode(piece));
    }
  }
  return Uint8Array.from(bytes);
}
