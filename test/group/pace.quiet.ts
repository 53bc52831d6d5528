import { testPaths } from "../support/paths.ts";

testPaths("paced");
