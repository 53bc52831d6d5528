import { describe } from "node:test";
import { testPaths } from "../support/paths.ts";

describe("at a person's pace", { concurrency: 4 }, () => {
  describe("one by one", { concurrency: 1 }, () => testPaths("paced"));
  testPaths("broken"); // beside them, for these mostly wait
});
