import { testPaths } from "../support/paths.ts";

testPaths("hurried");
