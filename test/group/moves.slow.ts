// The address of every member changes once a second while all talk: the same
// names, nothing missing, nothing twice, and no notice to the others.

import { describe } from "node:test";
import { onThese } from "../support/group.ts";
import { converse, type Plan, present, SEED } from "../support/conversation.ts";
import { HUBS } from "../support/runtimes.ts";

const PATHS = [
  "--move 1 --latency 20 --jitter 5",
  "--move 1 --latency 20 --jitter 20 --drop 20 --repeat 10",
];

describe("members whose address changes", { concurrency: 2 }, () => {
  for (const path of PATHS) {
    onThese(HUBS, path, async (t, runtime) => {
      const pace: Plan["pace"] = [50, 150];
      const plan = { members: 5, lines: 50, pace, path, within: 10 };
      const there = present(...HUBS);
      await converse(t, runtime, there, plan, SEED);
    });
  }
});
