import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { onEveryRuntime, runtimes } from "./runtimes.ts";

test("every runtime is here, or this says which are not", (t) => {
  const missing = runtimes.filter(({ version }) => version === "");
  if (missing.length === 0) return;
  const names = `not here: ${missing.map(({ name }) => name).join(", ")}`;
  if (process.env["CI"]) assert.fail(names);
  t.skip(names);
});

onEveryRuntime("each is what its name says", (t, { name, version }) => {
  t.diagnostic(`${name} is ${version}`);
  const major = /\d+/.exec(name)?.[0];
  if (major) assert.equal(version.split(".")[0], major);
  return Promise.resolve();
});
