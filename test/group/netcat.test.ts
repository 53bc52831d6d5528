import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { startHub } from "../support/group.ts";
import { Program } from "../support/processes.ts";
import { onEveryRuntime } from "../support/runtimes.ts";

const TOOLS: [string, (port: number) => string[]][] = [
  ["nc", (port) => ["-u", "127.0.0.1", `${port}`]],
  ["socat", (port) => ["-", `UDP:127.0.0.1:${port}`]],
];

for (const [tool, args] of TOOLS) {
  const missing = spawnSync(tool, ["-h"]).error !== undefined;
  onEveryRuntime(`a member by hand, with ${tool}`, async (t, runtime) => {
    if (missing && !process.env["CI"]) {
      return t.skip(`${tool} is not on this machine`);
    }
    const hub = await startHub(t, runtime);
    const bob = new Program(t, [tool, ...args(hub.port)]);
    bob.write("/join\n");
    await bob.until(() => /^\/join [0-9a-f]{16}\n$/.test(bob.stdout));
    bob.write(`${bob.stdout.trim()} bob\n`);
    const answers = (end: string) =>
      bob.until(() => bob.stdout.endsWith(`\n${end}\n`));
    await answers("/welcome 0 bob\n1 * bob joined (1 here)");
    bob.write("hello\n");
    await answers("2 bob: hello");
    bob.write("/name robert\n");
    await answers("3 * bob is now robert");
    bob.write("/who\n");
    await answers("* 1 here: robert");
    for (const command of ["/say 1 hello", "/have 0", "/help"]) {
      bob.stdout = "\n";
      bob.write(`${command}\n`); // the first two are for programs
      await bob.until(() => bob.stdout.endsWith("\n") && bob.stdout !== "\n");
      assert.match(bob.stdout, /^\n\* no such command/);
    }
    bob.write("/quit\n");
    await hub.until(() => hub.stdout.endsWith("* robert left (0 here)\n"));
  });
}
