// What the pages promise beside their commands and transcripts.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { silentPort } from "../support/group.ts";
import { bound, freePort, NOT_LINUX } from "../support/kernel.ts";
import { listening, start, startClient } from "../support/pair.ts";
import { NO_NAMESPACES, openNamespace } from "../support/namespace.ts";
import { emptyFolder, Program } from "../support/processes.ts";
import { ofEachKind, on, type Runtime, runtimes } from "../support/runtimes.ts";
import { Terminal } from "../support/terminal.ts";
import { converse } from "../support/transcript.ts";
import { openPeer } from "../support/udp.ts";
import {
  fileText,
  pages,
  pairs,
  runtimeNamed,
  spansOf,
  withoutPorts,
} from "./pages.ts";

/** The text of the block with this mark, which is the same in both languages. */
function block(language: string, mark: string): string {
  const found = pages.flatMap(({ blocks }) => blocks)
    .find((one) => one.language === language && one.mark === mark);
  assert(found, `there is no \`\`\`${language} ${mark}`);
  return found.text;
}

/** All pages of one name have it as a code span. */
function claimed(code: string) {
  const says = pairs.find((pair) =>
    pair.every(({ spans }) => spans.some((span) => span.code === code))
  );
  assert(says, `no page says \`${code}\` in both languages`);
}

// ---- The Python ----

/** The server or the client of the page, on this port. */
function startPython(t: TestContext, role: string, port: string | number) {
  const code = block("python", role).replace("6000", `${port}`);
  return new Program(t, ["python3", "-u", "-c", code]);
}

/** The page's server in Python on a port that is free. */
async function pythonServer(t: TestContext) {
  const port = freePort();
  const server = startPython(t, "server", port);
  await bound(port);
  return { server, port: Number(port) };
}

test("the Python of the page holds the conversation", async (t) => {
  const { server, port } = await pythonServer(t);
  const client = startPython(t, "client", port);
  await client.prints(">>>");
  await converse(server, client);
});

test("the Python of the page ends at a byte that is not UTF-8", async (t) => {
  const { server, port } = await pythonServer(t);
  await (await openPeer(t)).send(Uint8Array.of(0xff), port);
  server.write("yes\n".repeat(99));
  assert.equal(await server.exits(), 1);
  assert.match(server.stderr, /UnicodeDecodeError/);
});

test("the Python of the page goes over to a stranger", async (t) => {
  const [peer, stranger] = [await openPeer(t), await openPeer(t)];
  const client = startPython(t, "client", peer.port);
  await client.prints(">>>");
  client.write("hello\n");
  const port = await peer.receives("hello");
  await stranger.send("hello from me", port);
  await client.prints(">>>hello from me\n>>>");
  client.write("how are you?\n");
  await stranger.receives("how are you?");
});

test("the Python of the page, its input, and long lines", async (t) => {
  const peer = await openPeer(t);
  const client = startPython(t, "client", peer.port);
  client.end("hello\n");
  await peer.send("x".repeat(1025), await peer.receives("hello"));
  assert.equal(await client.exits(), 1);
  assert.equal(client.stdout, `>>>${"x".repeat(1024)}\n>>>`);
  assert.match(client.stderr, /EOFError/);

  const other = startPython(t, "client", peer.port);
  other.write("x".repeat(65508) + "\n");
  assert.equal(await other.exits(), 1);
  assert.match(other.stderr, /OSError: .*Message too long/);
});

// ---- The bot ----

/** A script in a folder of its own, with this package.json if any. */
function startAlone(
  t: TestContext,
  runtime: Runtime,
  text: string,
  { module = "", args = [] as (string | number)[] } = {},
): Program {
  const cwd = emptyFolder(t);
  writeFileSync(join(cwd, "server.ts"), text);
  if (module) writeFileSync(join(cwd, "package.json"), module);
  const command = [...runtime.command, "server.ts", ...args.map(String)];
  return new Program(t, command, { cwd });
}

function startBot(t: TestContext, runtime: Runtime, port = 0) {
  const line = 'const inp = await input(">>>");';
  claimed(line);
  const [before, after, more] = fileText("server.ts").split(line);
  assert(after !== undefined && more === undefined);
  const bot = [before, block("ts", "bot"), after].join("");
  const args = ["127.0.0.1", port];
  const program = startAlone(t, runtime, bot, { args });
  program.end(); // as </dev/null
  return program;
}

on(
  ofEachKind,
  "the bot answers, and survives what is sent to it",
  async (t, runtime) => {
    const { port } = await listening(startBot(t, runtime));
    const peer = await openPeer(t);
    await peer.send("!hello", port);
    await peer.receives("you said HELLO");
    for (const byte of ["\0", "\x1b", "ΐ"]) { // its capital has three characters
      await peer.send("!" + byte.repeat(14_000), port);
      const { bytes } = await peer.receive();
      assert(bytes.length <= 1200, `${bytes.length} bytes`);
      await peer.send(byte.repeat(65_507 / Buffer.byteLength(byte)), port);
    }
    await peer.send("! once more", port);
    await peer.receives("you said  ONCE MORE"); // and nothing before it
  },
);

on(
  ofEachKind,
  "two bots and a forged datagram come to rest",
  async (t, runtime) => {
    if (NOT_LINUX) return t.skip(NOT_LINUX);
    const first = await listening(startBot(t, runtime));
    process.kill(-first.pid, "SIGSTOP");
    const forger = createSocket("udp4").bind(0, "127.0.0.1");
    await once(forger, "listening");
    const { port: forged } = forger.address();
    await new Promise((sent) => forger.send("!go", first.port, sent));
    forger.close(); // the second bot gets its port
    const second = startBot(t, runtime, forged);
    await bound(String(forged));
    process.kill(-first.pid, "SIGCONT");
    await second.until(() => second.stdout.includes("you said GO\n"));
    const peer = await openPeer(t);
    for (const port of [first.port, forged]) {
      await peer.send("!still there?", port);
      await peer.receives("you said STILL THERE?");
    }
    for (const bot of [first, second]) {
      await bot.until(() => bot.stdout.includes("!still there?\n"));
      const count = bot.stdout.trimEnd().split("\n").length;
      assert.equal(count, 2, bot.stdout.slice(0, 500));
    }
  },
);

const SAY = `import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind((sys.argv[1], 0))
sock.sendto(b"!hello", ("127.0.0.1", int(sys.argv[2])))
if sys.argv[3:]: print(sock.recv(1200).decode())`;

on(ofEachKind, "a peer that the bot cannot reach", async (t, runtime) => {
  if (NO_NAMESPACES) return t.skip(NO_NAMESPACES);
  const namespace = await openNamespace(t);
  const inside = async (...command: string[]) => {
    const program = namespace.run(...command);
    assert.equal(await program.exits(), 0, program.stderr);
    return program.stdout;
  };
  await inside("ip", "addr", "add", "192.0.2.1/32", "dev", "lo");
  const bot = await listening(startBot(t, namespace.of(runtime)));
  process.kill(-bot.pid, "SIGSTOP");
  await inside("python3", "-c", SAY, "192.0.2.1", String(bot.port));
  await inside("ip", "addr", "del", "192.0.2.1/32", "dev", "lo");
  process.kill(-bot.pid, "SIGCONT");
  await bot.complains(/^not sent: /);
  const more = ["127.0.0.1", String(bot.port), "and wait"];
  assert.equal(await inside("python3", "-c", SAY, ...more), "you said HELLO\n");
});

// ---- What is seen when it does not work ----

const deno = runtimeNamed("Deno");
const [tsx, ...nodes] = runtimes.filter(({ name }) => /Node/.test(name));
const node20 = { // without tsx
  name: "Node 20",
  version: tsx!.version.startsWith("20.") ? tsx!.version : "",
  command: [tsx!.command[0]!],
};

function package_(type: string): string {
  return JSON.stringify({ name: "mine", ...(type && { type }) });
}

async function silentClient(t: TestContext, runtime: Runtime, line: string) {
  const { port } = await silentPort(t);
  const client = await startClient(t, runtime, port);
  client.write(line + "\n");
  return client;
}

/** How to see each message, and on which runtimes. */
const MESSAGES: Record<
  string,
  [Runtime[], (t: TestContext, runtime: Runtime) => Program | Promise<Program>]
> = {
  "the port is taken, stop its program or choose another": [
    [tsx!],
    async (t, runtime) => {
      const { port } = await openPeer(t);
      return start(t, runtime, "server.ts", "127.0.0.1", port);
    },
  ],
  "not an address of this machine": [
    [tsx!],
    (t, runtime) => start(t, runtime, "server.ts", "192.0.2.1"), // RFC 5737
  ],
  "no reply from 127.0.0.1:6000 yet": [
    [tsx!],
    (t, runtime) => silentClient(t, runtime, "hello"),
  ],
  "a reply came from": [
    [tsx!],
    async (t, runtime) => {
      const peer = await openPeer(t, "0.0.0.0");
      const client = await startClient(t, runtime, peer.port, "127.0.0.2");
      client.write("hello\n");
      await peer.send("hello", await peer.receives("hello"), "127.0.0.1");
      return client;
    },
  ],
  "not sent: 65508 bytes, a datagram holds 65507": [
    [tsx!],
    (t, runtime) => silentClient(t, runtime, "x".repeat(65508)),
  ],
  'Requires net access to "127.0.0.1:6000"': [
    [deno],
    (t, { command: [program = ""] }) =>
      new Program(t, [program, "run", "server.ts"]),
  ],
  'Unknown file extension ".ts"': [
    [node20],
    (t, runtime) =>
      startAlone(t, runtime, fileText("server.ts"), {
        module: package_("module"),
      }),
  ],
  "Failed to load the ES module": [
    nodes,
    (t, runtime) =>
      startAlone(t, runtime, fileText("server.ts"), {
        module: package_("commonjs"),
      }),
  ],
  MODULE_TYPELESS_PACKAGE_JSON: [
    nodes,
    (t, runtime) =>
      startAlone(t, runtime, fileText("server.ts"), { module: package_("") }),
  ],
  'Top-level await is currently not supported with the "cjs" output format': [
    [tsx!],
    (t, runtime) => startAlone(t, runtime, "await Promise.resolve();"),
  ],
  "TypeScript enum is not supported in strip-only mode": [
    nodes,
    (t, runtime) => startAlone(t, runtime, "enum Side { Left, Right }"),
  ],
};

const IN_A_SHELL = "Stopped";
const NOT_TRIED = /^(PowerShell|Windows): /; // such a row names its source

test("a test knows how to see each message", () => {
  const known = [...Object.keys(MESSAGES), IN_A_SHELL];
  for (const { rows } of pages) {
    for (const { place, head, cells: [seen = ""] } of rows) {
      if (!/^(You see|你看到)$/.test(head) || NOT_TRIED.test(seen)) continue;
      const message = spansOf(seen).join();
      assert(known.includes(message), `${place}: no test for ${seen}`);
    }
  }
  known.forEach(claimed);
  claimed("tsc --init"); // which test/pair/copied.slow.ts tries
});

for (const [message, [these, provoke]] of Object.entries(MESSAGES)) {
  on(these, `"${message}"`, async (t, runtime) => {
    const program = await provoke(t, runtime);
    const wanted = withoutPorts(message);
    await program.until(() => withoutPorts(program.stderr).includes(wanted));
  });
}

const BASH = ["bash", "--norc", "-i"];
const TIME = { timeout: 60_000, skip: NOT_LINUX };

test(
  "a background job stops, and does not with </dev/null",
  TIME,
  async (t) => {
    const shell = new Terminal(t, BASH, { cols: 120, rows: 24 });
    const start = `npx tsx server.ts 127.0.0.1 ${freePort()}`;
    shell.type(`set -b; ${start} &\r`); // -b: tell at once
    await shell.until(() => / Stopped +npx/.test(shell.screen));
    shell.type("kill -9 %1\r");
    const background = "npx tsx server.ts </dev/null &";
    claimed(background);
    const port = freePort();
    shell.type(background.replace("server.ts", `server.ts 127.0.0.1 ${port}`));
    shell.type("\r");
    await bound(port);
  },
);

// ---- A project of one's own ----

on(nodes, "npm pkg set type=module", async (t, runtime) => {
  claimed("npm pkg set type=module");
  const cwd = emptyFolder(t);
  writeFileSync(join(cwd, "package.json"), package_("commonjs"));
  const set = ["npm", "pkg", "set", "type=module"];
  assert.equal(await new Program(t, set, { cwd }).exits(), 0);
  writeFileSync(join(cwd, "server.ts"), fileText("server.ts"));
  const args = ["server.ts", "127.0.0.1", "0"];
  await listening(new Program(t, [...runtime.command, ...args], { cwd }));
});

on(nodes, "a name that ends in .mts", async (t, runtime) => {
  const cwd = emptyFolder(t);
  writeFileSync(join(cwd, "package.json"), package_("commonjs"));
  writeFileSync(join(cwd, "server.mts"), fileText("server.ts"));
  const args = ["server.mts", "127.0.0.1", "0"];
  await listening(new Program(t, [...runtime.command, ...args], { cwd }));
});
