import { spawnSync } from "node:child_process";
import process from "node:process";
import { startServer } from "../support/pair.ts";
import { Program } from "../support/processes.ts";
import { onEveryRuntime } from "../support/runtimes.ts";

const TOOLS: [string, (port: number) => string[]][] = [
  ["nc", (port) => ["-u", "127.0.0.1", `${port}`]],
  ["socat", (port) => ["-", `UDP:127.0.0.1:${port}`]],
];

for (const [tool, args] of TOOLS) {
  const missing = spawnSync(tool, ["-h"]).error !== undefined;
  onEveryRuntime(`our server, ${tool} as the client`, async (t, runtime) => {
    if (missing && !process.env["CI"]) {
      return t.skip(`${tool} is not on this machine`);
    }
    const server = await startServer(t, runtime);
    const client = new Program(t, [tool, ...args(server.port)]);
    client.write("hello server\n");
    await server.until(() => server.stdout.endsWith(": hello server\n>>>"));
    server.write("hello client\n");
    await client.prints("hello client");
  });
}
