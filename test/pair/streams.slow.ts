// Standard input and output that are closed, full or of the wrong kind, and
// signals: a sensible exit code, a clear line, and no stack trace.

import assert from "node:assert/strict";
import process from "node:process";
import type { TestContext } from "node:test";
import { commandOf, listening } from "../support/pair.ts";
import { Program } from "../support/processes.ts";
import { ofEachKind, on, onEveryRuntime } from "../support/runtimes.ts";
import { openPeer } from "../support/udp.ts";

/** Run a command as this line of a shell, which says how it ended. */
function startIn(t: TestContext, shell: string, command: string[]): Program {
  const traps = "trap : HUP INT TERM"; // the shell is to outlive them
  const script = `${traps}; ${shell}; echo "exit $?" >&2`;
  return new Program(t, ["sh", "-c", script, "sh", ...command]);
}

const EMPTY = /^exit 0\n$/;
const UNREADABLE = /^cannot read: .*\nexit 1\n$/;
const FULL = /^cannot .*no space left on device.*\nexit 1\n$/i;

// Input that is none, output that cannot be; what stands on a client's stdout
// and stderr.
const CASES: [string, string, RegExp][] = [
  ['"$@" <&-', ">>>", EMPTY],
  ['"$@" </dev/null', ">>>", EMPTY],
  ['"$@" </', ">>>", EMPTY],
  ['"$@" 0>/dev/null', ">>>", UNREADABLE],
  ['"$@" </dev/null >&-', "", EMPTY],
  ['"$@" </dev/null >/dev/full', "", FULL],
  // What is told there is lost, and the chat goes on.
  [`printf "%70000d\\n" 0 | "$@" 2>/dev/full`, ">>>>>>", EMPTY],
];

for (const [shell, stdout, stderr] of CASES) {
  on(ofEachKind, `a client: ${shell}`, async (t, runtime) => {
    if (runtime.name === "Bun" && shell.endsWith("</")) {
      return t.skip("Bun itself throws EISDIR");
    }
    if (runtime.name === "Deno" && shell.endsWith("2>/dev/full")) {
      return t.skip("Deno's write throws");
    }
    const command = commandOf(runtime, "client.ts", "127.0.0.1");
    const client = startIn(t, shell, command);
    await client.exits();
    assert.match(client.stderr, stderr);
    assert.equal(client.stdout, stdout);
  });
}

// A server prints first when a datagram has come.
for (
  const [shell, isShown, stderr] of [
    ['"$@" </dev/null', true, EMPTY],
    ['"$@" </dev/null >/dev/full', false, FULL],
  ] as const
) {
  on(ofEachKind, `a server: ${shell}`, async (t, runtime) => {
    const command = commandOf(runtime, "server.ts", "127.0.0.1", 0);
    const server = await listening(startIn(t, shell, command));
    const peer = await openPeer(t);
    await peer.send("hello", server.port);
    await server.exits();
    assert.match(server.stderr, stderr);
    const says = `来自[127.0.0.1:${peer.port}]的消息: hello\n>>>`;
    assert.equal(server.stdout, isShown ? says : "");
  });
}

for (
  const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const
) {
  onEveryRuntime(`${signal} is ${code}`, async (t, runtime) => {
    // tsx takes no SIGHUP, and the shell says so.
    const hangup = signal === "SIGHUP" && runtime.name.startsWith("tsx");
    const end = `${hangup ? "Hangup\n" : ""}exit ${code}\n`;
    const peer = await openPeer(t);
    const args = ["127.0.0.1", peer.port];
    const command = commandOf(runtime, "client.ts", ...args);
    const client = startIn(t, '"$@"', command);
    await client.prints(">>>");
    client.write("hello\n");
    await peer.receives("hello"); // it waits for the reply
    process.kill(-client.pid, signal);
    await client.exits();
    assert.equal(client.stderr, end);

    const server = await listening(
      startIn(t, '"$@"', commandOf(runtime, "server.ts", "127.0.0.1", 0)),
    );
    await peer.send("hello", server.port);
    await server.until(() => server.stdout.endsWith("\n>>>")); // at its prompt
    process.kill(-server.pid, signal);
    await server.exits();
    assert.equal(server.stderr, end);
  });
}
