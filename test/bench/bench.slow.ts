import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { start } from "../support/pair.ts";
import { runtimes } from "../support/runtimes.ts";

const TIME = { timeout: 60_000 };

const bench = (t: TestContext, ...args: string[]) =>
  start(t, runtimes[0]!, "test/bench/bench.ts", ...args);

test("a benchmark that nobody asked for", TIME, async (t) => {
  for (
    const [args, value] of [
      [["--fast"], "--fast"],
      [["--part", "loud"], '"loud"'],
      [["--part"], "--part"],
      [["quick"], "quick"],
    ] as [string[], string][]
  ) {
    const program = bench(t, ...args);
    assert.equal(await program.exits(), 2, program.stderr);
    await program.complains(/; see --help\n$/);
    assert(program.stderr.includes(value), program.stderr);
    assert.equal(program.stdout, "");
  }
});

test("a question for help about the benchmark", TIME, async (t) => {
  const program = bench(t, "--help");
  assert.equal(await program.exits(), 0);
  assert.match(program.stdout, /^usage: .*--quick.*--part.*--write/s);
  assert.equal(program.stderr, "");
});

test("a small benchmark has a row for each runtime", TIME, async (t) => {
  const program = bench(t, "--quick", "--part", "start");
  await program.until(() => program.stderr.includes("round 2 "));
  assert.equal(await program.exits(), 0, program.stderr);
  assert.match(program.stderr, /^(start: round \d of \d\n)+$/);
  const rows = program.stdout.split("\n").filter((line) => /^\| \w/.test(line));
  const times =
    /^\| [\d.,]+ \([\d.,]+–[\d.,]+\) +\| [\d.,]+ \([\d.,]+–[\d.,]+\) /;
  assert.deepEqual(
    rows.map((row) => row.split("|")[1]?.trim()),
    ["Python", ...runtimes.map(({ name }) => name)],
  );
  runtimes.forEach(({ version }, i) => {
    const rest = rows[i + 1]!.replace(/^\| [^|]+/, "");
    if (version) assert.match(rest, times);
    else assert.match(rest, /^\| not on this machine /);
  });
});
