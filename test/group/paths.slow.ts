import { describe } from "node:test";
import { testPaths } from "../support/paths.ts";

testPaths("hurried");

// Their members mostly wait between two lines.
describe("at a person's pace", { concurrency: 2 }, () => testPaths("paced"));
