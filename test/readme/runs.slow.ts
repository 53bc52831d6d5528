// What the pages tell a reader to type is typed here, in a terminal; and their
// transcripts are held again, in terminals too, and compared.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { bound, freePort, idle, NOT_LINUX } from "../support/kernel.ts";
import { fileText, pages, runtimeNamed, withoutPorts } from "./pages.ts";
import { ENVIRONMENT, Program, PROJECT } from "../support/processes.ts";
import { on, type Runtime, runtimes } from "../support/runtimes.ts";
import { CTRL_C, Terminal } from "../support/terminal.ts";
import { NO_IPV6 } from "../support/udp.ts";

/** A program in a terminal ends by Ctrl+C. */
async function interrupt(terminal: Terminal, code = "130") {
  terminal.type(CTRL_C);
  const end = RegExp(`\\nexit (${code}), settings as before\\n$`);
  await terminal.until(() => end.test(terminal.screen));
}

/** A server of ours in a terminal, once it listens there. */
async function serve(t: TestContext, command: string[], port: string) {
  const terminal = new Terminal(t, command);
  await bound(port);
  return terminal;
}

// ---- Commands ----

/** One way to try a command: its words are the groups of the pattern. */
type Way = (
  t: TestContext,
  runtime: Runtime,
  words: string[],
) => Promise<void>;

const HOST = "(?: (127\\.0\\.0\\.1|0\\.0\\.0\\.0|::1|::)(?: \\d+)?)?";

/** How to see that a script works, on free ports in place of its own. */
const WAYS: [RegExp, Way][] = [
  [
    RegExp(`^((?:group/)?server\\.ts)${HOST}$`),
    async (t, { command }, [script = "", host = "127.0.0.1"]) => {
      const port = freePort();
      await interrupt(await serve(t, [...command, script, host, port], port));
    },
  ],
  [
    RegExp(`^(client\\.ts)${HOST}$`),
    async (t, { command }, [script = "", host = "127.0.0.1"]) => {
      const port = freePort();
      const client = new Terminal(t, [...command, script, host, port]);
      await client.shows(">>>");
      await interrupt(client);
    },
  ],
  [
    RegExp(`^(group/client\\.ts) (\\S+)${HOST}$`),
    async (t, { command }, [script = "", name = "", host = "127.0.0.1"]) => {
      const port = freePort();
      const hub = [...runtimes[0]!.command, "group/server.ts", host, port];
      await serve(t, hub, port);
      const client = new Terminal(t, [...command, script, name, host, port]);
      await client.shows(`* ${name} joined (1 here)`, ">>>");
      await interrupt(client);
    },
  ],
  [
    /^(test\/lossy-network\.ts) \d+ 127\.0\.0\.1:\d+((?: --\w+ [\d,]+)*)$/,
    async (t, { command }, [script = "", options = ""]) => {
      const port = freePort();
      const to = `127.0.0.1:${freePort()}`;
      const args = options.split(" ").slice(1);
      const network = [...command, script, port, to, ...args];
      // 0, but tsx says 130 if its own handler comes first.
      await interrupt(await serve(t, network, port), "0|130");
    },
  ],
];

/** A run of tests inside a test. */
const TEST = /^npx tsx --test /;

/** What .ci/run does: it cannot be done again inside one of the tests. */
const OF_CI = /^npm (ci|test|run (test:all|check))$/;

/** What other tests try, as below or in claims.slow.ts. */
const ELSEWHERE = /^echo|<\/dev\/null|^npm (init|install|pkg|run bench)/;

/** The runtime that a command names, and what it is to run. */
function parse(command: string): [Runtime, string] {
  const [, npx, node, bun, deno, options = "", rest = ""] =
    /^(?:(npx tsx)|(node)|(bun)|(deno run)((?: --\S+)*)) (.*)$/
      .exec(command) ?? [];
  if (npx) return [runtimeNamed("tsx"), rest];
  if (node) return [runtimeNamed("Node"), rest];
  if (bun) return [runtimeNamed("Bun"), rest];
  const { command: [program = ""], ...one } = runtimeNamed("Deno");
  const asWritten = [program, "run", ...options.split(" ").slice(1)];
  return [{ ...one, command: asWritten }, deno ? rest : ""];
}

const places = new Map<string, string>(); // where each command first stands
for (const { blocks, spans } of pages) {
  const typed = blocks
    .filter(({ language, mark }) => language === "sh" && mark === "")
    .flatMap(({ text, place }) =>
      text.split("\n").map((line) => ({ line, place }))
    );
  const named = spans
    .filter(({ code }) => /^(npx|node|bun|deno) .*\.ts|^npm /.test(code))
    .map(({ code, place }) => ({ line: code, place }));
  for (const { line, place } of [...typed, ...named]) {
    for (const command of line.split(" && ")) {
      if (!places.has(command)) places.set(command, place);
    }
  }
}

for (const [command, place] of places) {
  const title = `${place}: ${command}`;
  if (ELSEWHERE.test(command)) continue;
  const [runtime, script] = parse(command);
  const [pattern, way] = WAYS.find(([pattern]) => pattern.test(script)) ??
    [];
  if (OF_CI.test(command)) {
    test(title, () => {
      const runs = RegExp(`\\b${command}(?![\\w:])`).test(fileText(".ci/run"));
      assert(runs, `.ci/run does not run it`);
    });
  } else if (TEST.test(command)) {
    const named = runtimes.find(({ name }) => command.includes(`: ${name}"`));
    on([named ?? runtimes[0]!], title, () => {
      const limits = { env: ENVIRONMENT, cwd: PROJECT, timeout: 120_000 };
      // One test of a file is enough: all of them are tried elsewhere.
      const some = command.includes("-pattern")
        ? command
        : command.replace("--test", "--test --test-name-pattern=Python");
      const { stdout } = spawnSync("sh", ["-c", some], limits);
      assert.match(stdout.toString(), /^# pass [1-9]\d*\n# fail 0$/m);
      return Promise.resolve();
    }, 120_000);
  } else if (!pattern || !way) {
    test(title, () => assert.fail("no test knows how to try this command"));
  } else {
    on([runtime], title, async (t) => {
      if (NOT_LINUX) return t.skip(NOT_LINUX);
      if (script.includes(" ::") && NO_IPV6) return t.skip(NO_IPV6);
      await way(t, runtime, pattern.exec(script)!.slice(1));
    });
  }
}

on([runtimeNamed("tsx")], "a line from a script", async (t) => {
  if (NOT_LINUX) return t.skip(NOT_LINUX);
  const command = "echo done | npx tsx group/client.ts bot";
  assert(places.has(command), `no page says ${command}`);
  const port = freePort();
  const hub = run(t, "group/server.ts", "127.0.0.1", port);
  await bound(port);
  const client = new Program(t, ["sh", "-c", `${command} 127.0.0.1 ${port}`]);
  assert.equal(await client.exits(), 0, client.stderr);
  assert.equal(client.stderr, "");
  assert.match(client.stdout, /^bot: done$/m);
  await shows(hub, "bot: done");
});

// ---- Transcripts ----

const NO_NETCAT = spawnSync("nc", ["-h"]).error && !process.env["CI"];
const WIDE = { cols: 160, rows: 40 }; // no line of a transcript needs two rows

/** A script of the project in a terminal. */
function run(t: TestContext, script: string, ...args: string[]): Terminal {
  const { command } = runtimeNamed("tsx");
  return new Terminal(t, [...command, script, ...args], WIDE);
}

async function shows(terminal: Terminal, text: string) {
  await terminal.until(() => terminal.screen.includes(text));
}

/** Type a line, and wait until the program has dealt with it. */
async function say(terminal: Terminal, text: string) {
  const { y } = terminal.cursor;
  terminal.type(`${text}\r`);
  await terminal.until(() => terminal.cursor.y > y);
  await idle(terminal.pid);
}

/** The options that a command of the README gives to the bad network. */
function disturbance(first: string): string[] {
  const form = RegExp(`lossy-network\\.ts \\S+ \\S+ (${first} .*--seed .*)`);
  const found = [...places.keys()].map((command) => form.exec(command)?.[1]);
  const all = found.find((one) => one);
  assert(all, `no command has ${first} and --seed`);
  return all.split(" ");
}

/** A server, a bad network before it, and two clients. */
async function startPair(t: TestContext, kind: string) {
  const [behind, port] = [freePort(), freePort()];
  const server = run(t, "server.ts", "127.0.0.1", behind);
  await bound(behind);
  const args = [port, `127.0.0.1:${behind}`, ...disturbance(kind)];
  const network = run(t, "test/lossy-network.ts", ...args);
  await shows(network, "listening on port ");
  const client = run(t, "client.ts", "127.0.0.1", port);
  await client.shows(">>>");
  const second = run(t, "client.ts", "127.0.0.1", port);
  await second.shows(">>>");
  return { server, network, client, second };
}

async function greet(server: Terminal, client: Terminal) {
  await say(client, "hello server");
  await shows(server, "hello server\n>>>");
  await say(server, "hello client");
  await shows(client, "hello client\n>>>");
}

/** The scenes of a play: what is done, and the terminals then to be compared. */
const SCENES: Record<string, (t: TestContext) => Promise<Terminal[]>> = {
  "lossy-dropped, lossy-summary": async (t) => {
    const { server, network, client } = await startPair(t, "--drop");
    await greet(server, client);
    await say(client, "are you there?");
    await shows(client, "no reply");
    network.type(CTRL_C);
    return [client, network];
  },
  "lossy-repeated-server, lossy-repeated-client": async (t) => {
    const { server, client } = await startPair(t, "--repeat");
    await greet(server, client);
    await server.until(() =>
      /client\n.*hello server\n>>>$/.test(server.screen)
    );
    await say(server, "you said that already");
    await say(client, "how are you?");
    return [server, client];
  },
  "lossy-late": async (t) => {
    const { server, network, client, second } = await startPair(t, "--delay");
    await say(client, "I was first");
    await idle(network.pid);
    await say(second, "I was second");
    await shows(server, "I was second\n>>>");
    await say(server, "hello second");
    await shows(server, "I was first\n>>>");
    await say(server, "hello first");
    return [server];
  },
  "group-bob": async (t) => {
    const { bob } = await startGroup(t);
    return [bob];
  },
  "group-bob-long": async (t) => {
    const { alice, bob } = await startGroup(t);
    await say(bob, "/who");
    await shows(bob, "here: ");
    await say(alice, "/name ally");
    await shows(bob, "now ally");
    await say(alice, "/quit");
    return [bob];
  },
  "netcat": async (t) => {
    const port = await startHub(t);
    const netcat = new Terminal(t, ["nc", "-u", "127.0.0.1", port], WIDE);
    await say(netcat, "/join");
    await netcat.until(() => /\/join \w+\n$/.test(netcat.screen));
    const [join] = /\/join \w+/.exec(netcat.screen)!;
    await say(netcat, `${join} bob`);
    await shows(netcat, "bob joined");
    await say(netcat, "hello");
    await shows(netcat, "bob: hello");
    const alice = run(t, "group/client.ts", "alice", "127.0.0.1", port);
    await shows(netcat, "alice joined");
    await shows(alice, "alice joined");
    await say(alice, "hi bob");
    await shows(netcat, "hi bob");
    await say(netcat, "/who");
    await shows(netcat, "here: ");
    await say(netcat, "/quit");
    return [netcat];
  },
};

async function startHub(t: TestContext): Promise<string> {
  const port = freePort();
  run(t, "group/server.ts", "127.0.0.1", port);
  await bound(port);
  return port;
}

async function startGroup(t: TestContext) {
  const port = await startHub(t);
  const alice = run(t, "group/client.ts", "alice", "127.0.0.1", port);
  await shows(alice, "alice joined");
  const bob = run(t, "group/client.ts", "bob", "127.0.0.1", port);
  await shows(bob, "bob joined");
  await say(alice, "hello bob");
  await shows(bob, "hello bob");
  await say(bob, "hi alice");
  await shows(bob, "bob: hi alice");
  return { alice, bob };
}

/** A screen without what differs from run to run, or is the test's own. */
function normal(text: string): string {
  return withoutPorts(text).replace(/\b[0-9a-f]{16}\b/g, "COOKIE")
    .replace(/\nexit \d+, settings as before\n$/, "").trimEnd();
}

const transcripts = pages.flatMap(({ blocks }) => blocks)
  .filter(({ language }) => language === "text")
  .map(({ place, mark, text }) => ({ place, name: mark, text: normal(text) }));

test("a test knows how each transcript came about", () => {
  const known = Object.keys(SCENES).flatMap((names) => names.split(", "));
  for (const { place, name } of transcripts) {
    assert(known.includes(name), `${place}: transcript "${name}" is unknown`);
  }
  for (const name of known) {
    const found = transcripts.filter((one) => one.name === name);
    assert.equal(found.length, 2, `transcripts "${name}", one a language`);
  }
});

for (const [names, play] of Object.entries(SCENES)) {
  const options = { timeout: 60_000, skip: NOT_LINUX };
  test(`transcript of ${names}`, options, async (t) => {
    if (names === "netcat" && NO_NETCAT) return t.skip("no netcat here");
    const terminals = await play(t);
    for (const [i, name] of names.split(", ").entries()) {
      const terminal = terminals[i]!;
      for (const { place, name: called, text } of transcripts) {
        if (name !== called) continue;
        await terminal.until(() => normal(terminal.screen) === text)
          .catch(() => assert.equal(text, normal(terminal.screen), place));
      }
    }
  });
}
