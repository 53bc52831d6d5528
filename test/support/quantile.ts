// Where a measured figure stands among others.

/** Linear between two of them, as most programs of statistics do it. */
export function quantile(all: number[], share: number): number {
  const sorted = [...all].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const [low = NaN, high = low] = sorted.slice(Math.floor(at));
  return low + (high - low) * (at % 1);
}

export const median = (all: number[]) => quantile(all, 0.5);
