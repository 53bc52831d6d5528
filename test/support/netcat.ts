// The tools with which a person speaks UDP by hand.

import { spawnSync } from "node:child_process";
import process from "node:process";
import type { TestContext } from "node:test";
import type { Server } from "./pair.ts";
import { Program } from "./processes.ts";
import { onEveryRuntime, type Runtime } from "./runtimes.ts";

const TOOLS: [string, (port: number) => string[]][] = [
  ["nc", (port) => ["-u", "127.0.0.1", `${port}`]],
  ["socat", (port) => ["-", `UDP:127.0.0.1:${port}`]],
];

const missing = process.env["CI"]
  ? []
  : TOOLS.map(([tool]) => tool).filter((tool) => spawnSync(tool, ["-h"]).error);

/** Run one test on every runtime: each tool in turn talks to one server. */
export function withNetcat(
  title: string,
  startServer: (t: TestContext, runtime: Runtime) => Promise<Server>,
  talk: (server: Server, client: Program, turn: number) => Promise<void>,
) {
  onEveryRuntime(title, async (t, runtime) => {
    const server = await startServer(t, runtime);
    for (const [turn, [tool, args]] of TOOLS.entries()) {
      if (missing.includes(tool)) continue;
      server.stdout = "";
      await talk(server, new Program(t, [tool, ...args(server.port)]), turn);
    }
    if (missing.length > 0) t.skip(`not on this machine: ${missing.join()}`);
  });
}
