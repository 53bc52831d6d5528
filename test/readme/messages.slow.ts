// The table of what to do when it does not work: each message is provoked.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { NOT_LINUX, socketOf } from "../support/linux.ts";
import { NO_NAMESPACES, openNamespace } from "../support/namespace.ts";
import { emptyFolder, freePort, Program, until } from "../support/program.ts";
import { Terminal } from "../support/terminal.ts";
import { openPeer } from "../support/wire.ts";
import { cells, fileText, runtimeOf, spans, table } from "./pages.ts";

/** A folder with copies of the scripts, and what else is given. */
interface Run {
  type?: string; // in package.json
  file?: string; // the text of own.ts
  input?: string;
  alone?: true; // in a network that has no way out
}

// TAKEN is a port that somebody has who sends nothing. Node 20 has no types.
const RUNS: Record<string, [string, Run?]> = {
  "no reply from 127.0.0.1:6000 yet": [
    "npx tsx client.ts 127.0.0.1 TAKEN",
    { input: "hello\n" },
  ],
  EADDRINUSE: ["npx tsx server.ts 127.0.0.1 TAKEN"],
  ENOTFOUND: ["npx tsx client.ts 127.0.0.1:6000"],
  EAI_AGAIN: ["npx tsx client.ts udp.example", { alone: true }],
  "not a host and a port from 1 to 65535": ["npx tsx client.ts 7000"],
  'Unknown file extension ".ts"': ["node20 server.ts"],
  'Requires net access to "127.0.0.1:6000"': ["deno run server.ts"],
  "Cannot find module": ["npx tsx sevrer.ts"],
  "Cannot use import statement outside a module": [
    "node server.ts",
    { type: '"commonjs"' },
  ],
  MODULE_TYPELESS_PACKAGE_JSON: ["node client.ts", { type: "" }],
  'Top-level await is currently not supported with the "cjs" output format': [
    "npx tsx own.ts",
    { file: "await Promise.resolve();" },
  ],
  "TypeScript enum is not supported in strip-only mode": [
    "node own.ts",
    { file: "enum Side { Left, Right }" },
  ],
  EADDRNOTAVAIL: ["npx tsx server.ts 192.0.2.1"],
  EACCES: ["npx tsx client.ts 127.255.255.255", { input: "hello\n" }],
  EMSGSIZE: ["npx tsx client.ts", { input: "x".repeat(65_508) + "\n" }],
  ENETUNREACH: [
    "npx tsx client.ts 192.0.2.1",
    { input: "hello\n", alone: true },
  ],
};

/** Tried below, or in other tests; or not, and then the row says so. */
const OTHERS = ["ignored: a datagram from", "Stopped", "�"];
const NOT_TRIED = /^(PowerShell: |`Need to install|`npm warn`|[^`]+$)/;

test("a test knows how to see each message", () => {
  const rows = table.prose.map(({ line }) => cells(line)[0] ?? "");
  const seen = rows.filter((cell) => cell && !NOT_TRIED.test(cell))
    .flatMap(spans);
  assert.deepEqual(
    seen.toSorted(),
    [...Object.keys(RUNS), ...OTHERS].toSorted(),
  );
});

for (const [message, [command, run = {}]] of Object.entries(RUNS)) {
  const skip = run.alone ? NO_NAMESPACES : NOT_LINUX;
  test(message, { timeout: 60_000, skip }, async (t) => {
    const runtime = runtimeOf(command.replace("20", ""));
    const words = command.split(" ");
    const old = process.env["NODE20"];
    if (!runtime || (words[0] === "node20" && !old)) return t.skip("not here");
    const cwd = emptyFolder(t);
    for (const name of ["server.ts", "client.ts"]) {
      writeFileSync(join(cwd, name), fileText(name));
    }
    writeFileSync(join(cwd, "own.ts"), run.file ?? "");
    if (run.type !== undefined) {
      const type = run.type && `, "type": ${run.type}`;
      writeFileSync(join(cwd, "package.json"), `{ "name": "mine"${type} }`);
    }
    const { port } = await openPeer(t);
    const at = words.findIndex((word) => word.endsWith(".ts"));
    const args = words.slice(at).map((word) =>
      word.replace("TAKEN", `${port}`)
    );
    const place = run.alone ? (await openNamespace(t)).of(runtime) : runtime;
    const start = command.startsWith("deno")
      ? [runtime.command[0]!, "run"]
      : words[0] === "node20"
      ? [old!]
      : place.command;
    const program = new Program(t, [...start, ...args], { cwd });
    if (run.input) program.write(run.input);
    const text = message.replace(
      "6000",
      command.includes("TAKEN") ? `${port}` : "6000",
    );
    await until(() => program.stderr.includes(text), () => program.stderr);
  });
}

test(
  "a job in the background",
  { timeout: 60_000, skip: NOT_LINUX },
  async (t) => {
    const shell = new Terminal(t, ["bash", "--norc", "-i"], {
      cols: 120,
      rows: 24,
    });
    const port = await freePort();
    const script = `server.ts 127.0.0.1 ${port}`;
    shell.type(`set -b; npx tsx ${script} &\r`); // -b: tell at once
    await shell.until(() => / Stopped +npx/.test(shell.text));
    shell.type("kill -9 %1; clear\r");
    const { line = "" } =
      table.prose.find(({ line }) => line.includes("</dev/null")) ?? {};
    const background = spans(line).find((code) => code.endsWith("&"))!;
    shell.type(
      `${
        background.replace("server.ts", script).replace(">log", ">/dev/null")
      }\r`,
    );
    await shell.until(() => socketOf(port));
    shell.type("kill %1\r");
    await shell.until(() => !socketOf(port));
    shell.type("echo heard\r");
    await shell.until(() => /^heard$/m.test(shell.text));
  },
);
