// The address of every member changes once a second while all talk: the same
// names, nothing missing, nothing twice, and no notice to the others.

import { describe } from "node:test";
import { converse, type Plan } from "../support/conversation.ts";
import { SEED } from "../support/random.ts";
import { ofEachKind, on } from "../support/runtimes.ts";

const PATHS = [
  "--move 1 --latency 20 --jitter 5",
  "--move 1 --latency 20 --jitter 20 --drop 20 --repeat 10",
];

describe("members whose address changes", { concurrency: 2 }, () => {
  for (const path of PATHS) {
    on(ofEachKind, path, async (t, runtime) => {
      const pace: Plan["pace"] = [50, 150];
      const plan = { members: 5, lines: 50, pace, path, within: 10 };
      await converse(t, runtime, ofEachKind, plan, SEED);
    });
  }
});
