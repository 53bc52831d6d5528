import assert from "node:assert/strict";
import { onEveryRuntime } from "./runtimes.ts";

onEveryRuntime("each is what its name says", (t, { name, version }) => {
  t.diagnostic(`${name} is ${version}`);
  const major = /\d+/.exec(name)?.[0];
  if (major) assert.equal(version.split(".")[0], major);
  return Promise.resolve();
});
