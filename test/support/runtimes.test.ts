import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { on, withOlderBuns } from "./runtimes.ts";

test("every runtime is here, or this says which are not", (t) => {
  const missing = withOlderBuns.filter(({ version }) => version === "");
  if (missing.length === 0) return;
  const names = `not here: ${missing.map(({ name }) => name).join(", ")}`;
  if (process.env["CI"]) assert.fail(names);
  t.skip(names);
});

on(withOlderBuns, "each is what its name says", (t, { name, version }) => {
  t.diagnostic(`${name} is ${version}`);
  const wanted = /\d[\d.]*/.exec(name)?.[0];
  if (wanted) assert(`${version}.`.startsWith(`${wanted}.`), version);
  return Promise.resolve();
});
