import assert from "node:assert/strict";
import { copyFileSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { test, type TestContext } from "node:test";
import { listening } from "../support/pair.ts";
import { emptyFolder, Program, PROJECT } from "../support/processes.ts";
import { onEveryRuntime, type Runtime } from "../support/runtimes.ts";
import { converse } from "../support/transcript.ts";

/** A folder that holds nothing but that script. */
function paste(t: TestContext, script: string): string {
  const folder = emptyFolder(t);
  copyFileSync(join(PROJECT, script), join(folder, basename(script)));
  return folder;
}

/** That script, pasted and started with these arguments. */
function startPasted(
  t: TestContext,
  runtime: Runtime,
  script: string,
  ...args: (string | number)[]
): Program {
  const command = [...runtime.command, basename(script), ...args.map(String)];
  return new Program(t, command, { cwd: paste(t, script) });
}

onEveryRuntime("the transcript, each script alone", async (t, runtime) => {
  const server = await listening(
    startPasted(t, runtime, "server.ts", "127.0.0.1", 0),
  );
  const args = ["127.0.0.1", server.port] as const;
  await converse(server, startPasted(t, runtime, "client.ts", ...args));
});

onEveryRuntime("the group chat, each script alone", async (t, runtime) => {
  const hub = await listening(
    startPasted(t, runtime, "group/server.ts", "127.0.0.1", 0),
  );
  const args = ["alice", "127.0.0.1", hub.port] as const;
  const alice = startPasted(t, runtime, "group/client.ts", ...args);
  alice.end("hello\n");
  assert.equal(await alice.exits(), 0);
  await alice.prints("* alice joined (1 here)\nalice: hello\n");
});

const PAIR = ["server.ts", "client.ts"];
const SCRIPTS = [...PAIR, "group/server.ts", "group/client.ts"];

test("a script as a program", { timeout: 60_000 }, async (t) => {
  const program = new Program(t, [join(PROJECT, "server.ts"), "--help"]);
  assert.equal(await program.exits(), 0);
  assert.match(program.stdout, /^usage: /);
});

for (const script of SCRIPTS) {
  test(`${script} needs nothing but Node, and the pair is short`, () => {
    const file = join(PROJECT, script);
    const text = readFileSync(file, "utf8");
    assert(text.startsWith("#!/usr/bin/env -S npx tsx\n"));
    assert(statSync(file).mode & 0o100, "it is no program");
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    const most = PAIR.includes(script) ? 163 : Infinity;
    assert(lines.length <= most, `${lines.length} lines that are not blank`);
    const imports = [...text.matchAll(/\b(?:from|import|require)\W*"(.*?)"/g)];
    assert(imports.length > 0);
    for (const [, name] of imports) assert.match(name!, /^node:/);
  });
}

// Most tests of a terminal or of bad streams drive one of the two only.
test("what the pair repeats is the same text in both", () => {
  const [server, client] = PAIR.map((script) =>
    readFileSync(join(PROJECT, script), "utf8")
  );
  for (
    const [from, to] of [
      ["/** Text that is safe", "\nconst USAGE"],
      ["/** Exit, with", "\nconst isHost"],
    ] as const
  ) {
    const part = (text = "") =>
      text.slice(text.indexOf(from), text.indexOf(to));
    assert(part(server).length > 1000, `${from} … ${to}`);
    assert.equal(part(client), part(server));
  }
  const body = (text = "") =>
    /async function sendto.*\n([^]*?\n)}\n/.exec(text)?.[1];
  assert(body(server));
  assert.equal(body(client), body(server));
});
