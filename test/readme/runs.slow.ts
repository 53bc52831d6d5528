// What the pages tell a reader to type is typed here, in terminals: commands,
// transcripts, the lesson's steps; and what may go wrong goes wrong.

import assert from "node:assert/strict";
import { test } from "node:test";
import { socketOf } from "../support/linux.ts";
import { NO_NAMESPACES, openNamespace } from "../support/namespace.ts";
import { all, kinds, on, type Runtime } from "../support/on.ts";
import { Program, type Test, until } from "../support/program.ts";
import { Terminal } from "../support/terminal.ts";
import { cells, folderOf, pages, pairs, spans, steps, table } from "./pages.ts";

const TIME = { timeout: 60_000, skip: NO_NAMESPACES } as const;
const NAMES = { npx: "tsx", node: "Node", bun: "Bun", deno: "Deno" };

/** What a command starts, on another runtime if given; "" is not here. */
function wordsOf(command: string, other?: Runtime): string[] {
  const [called, ...rest] = command.replace(/ (tsx|run)(?= )/, "").split(" ");
  const name = NAMES[called as keyof typeof NAMES];
  const { command: start } = other ??
    all.find((one) => one.name.startsWith(name)) ?? { command: [""] };
  return called === "deno" ? [start[0]!, "run", ...rest] : [...start, ...rest];
}

/** A network of a test's own, in which all ports are as printed. */
async function openDesk(t: Test, language = 0) {
  const { enter, pid } = await openNamespace(t);
  const listens = (port: number) => socketOf(port, pid);
  const folder = folderOf(t, [], steps(pairs[0]![language]!));
  /** Type a command; STEP/ is the folder with the scripts of the steps. */
  async function type(command: string, runtime?: Runtime) {
    const words = wordsOf(command.replace("STEP", folder), runtime);
    const one = new Terminal(t, [...enter, ...words]);
    const [port = command.includes("group") ? "6001" : "6000"] =
      /(?<=network.ts )\d+/.exec(command) ?? [];
    const isServer = !/client|bot/.test(command);
    await one.until(() => isServer ? listens(Number(port)) : one.text !== "");
    return one;
  }
  return { enter, listens, type };
}

// ---- Commands ----

const commands = pages.flatMap(({ blocks, prose }) => [
  ...blocks.filter(({ mark }) => mark === "").map(({ text }) => text.trim()),
  ...prose.flatMap(({ line }) => spans(line)),
]).filter((code) =>
  /^(npx tsx|node|bun|deno run) [^|<]+\.ts\b[^|<]*$/.test(code)
);

for (const command of new Set(commands)) {
  test(command, TIME, async (t) => {
    if (wordsOf(command)[0] === "") return t.skip("no such runtime here");
    const one = await (await openDesk(t)).type(command);
    if (command.includes("client")) await one.ends(">>>");
  });
}

// ---- Transcripts ----

const PAIR = `
    server $ npx tsx server.ts
    network $
    client $ npx tsx client.ts 127.0.0.1 7000
    client < hello server
    server < hello client`;
const HUB = `
    server $ npx tsx STEP/hub.ts
    network $
    alice $ npx tsx STEP/client.ts 127.0.0.1 7000
    bob $ npx tsx STEP/client.ts 127.0.0.1 7000
    alice < hello
    server > : hello
    bob < hello
    alice > : hello`;
const GROUP = `
    hub $ npx tsx group/server.ts
    alice $ npx tsx group/client.ts alice
    alice > * alice joined (1 here)
    bob $ npx tsx group/client.ts bob
    alice > * bob joined (2 here)
    alice < hello bob
    bob > alice: hello bob
    bob < hi alice`;

/** Who starts what ($; nothing: the page's last network), types (<), sees (>). */
const SCENES: Record<string, string> = {
  "pair-server pair-client": `
    server $ npx tsx server.ts
    client $ npx tsx client.ts
    client < hello server
    server < hello client`,
  "dropped-client": `${PAIR}
    client < are you there?`,
  "repeated-server repeated-client": `${PAIR}
    client < how are you?
    server < you said that already`,
  "order-alice order-bob": `${HUB}
    alice < I was first
    bob < no, I was`,
  "lost-alice lost-bob": `${HUB}
    alice < do we meet at six?
    server > at six?
    bob < where are you?`,
  "group-bob": GROUP,
  "long-bob": `${GROUP}
    bob > bob: hi alice
    bob < /who
    bob > * 2 here: alice, bob
    alice < /name ally
    bob > * alice is now ally
    alice < /quit`,
};

type How = { language?: number; network?: string; runtime?: Runtime };

async function perform(t: Test, scene: string, how: How) {
  const { language, network = "", runtime } = how;
  const desk = await openDesk(t, language);
  const cast: Record<string, Terminal> = {};
  const acts = scene.matchAll(/(\w+) ([$<>]) ?(.*)/g);
  for (const [, who = "", act, text = ""] of acts) {
    if (act === "$") cast[who] = await desk.type(text || network, runtime);
    const one = cast[who]!;
    if (act === ">") await one.until(() => one.text.includes(`${text}\n`));
    if (act !== "<") continue;
    await one.until(() => /(>>>|[?？])$/.test(one.text));
    one.type(text); // seen before Enter: what comes then cannot overtake it
    await one.ends(text);
    one.type("\r");
  }
  return cast;
}

const withoutPorts = (text: string) =>
  text.replace(/(127\.0\.0\.1:)\d+/g, "$1PORT").trimEnd();

const transcripts = pages.flatMap(({ blocks }) =>
  blocks.map((block, i) => {
    const before = blocks.slice(0, i).map(({ text }) => text.trim());
    const network = before.findLast((text) => text.includes("lossy-network"));
    return { ...block, network: network ?? "" };
  })
).filter(({ language }) => language === "text");

test("a test knows how each transcript came about", () => {
  const known = Object.keys(SCENES).join(" ").split(" ");
  const found = new Set(transcripts.map(({ mark }) => mark));
  assert.deepEqual([...found].toSorted(), known.toSorted());
});

for (const [names, scene] of Object.entries(SCENES)) {
  test(`transcript of ${names}`, TIME, async (t) => {
    const these = transcripts.filter(({ mark }) =>
      names.split(" ").includes(mark)
    );
    const cast = await perform(t, scene, { network: these[0]!.network });
    for (const { place, mark, text } of these) {
      const one = cast[mark.split("-")[1]!]!;
      await one.until(() => withoutPorts(one.text) === withoutPorts(text))
        .catch(() => assert.equal(one.text, text, place));
    }
  });
}

// ---- The lesson's steps ----

on(kinds, "a bot answers all but bots", async (t, runtime) => {
  const scene = `
    bot $ npx tsx STEP/bot.ts
    bot < back at two
    one $ npx tsx client.ts
    one < hello
    one > bot: back at two
    two $ npx tsx client.ts
    two < bot: hello
    bot > : bot: hello
    one < hello again
    one > bot: back at two
    bot > : hello again`;
  for (const language of [0, 1]) {
    const { two } = await perform(t, scene, { language, runtime });
    assert.doesNotMatch(two!.text, /back/);
  }
}, TIME);

on(kinds, "both at any time", async (t, runtime) => {
  const scene = `
    server $ npx tsx STEP/both.ts
    client $ npx tsx STEP/client.ts
    server < is anybody there?
    server > nobody has written yet
    client < one
    server > : one
    client < two
    server > : two
    server < three
    client > three`;
  await perform(t, scene, { runtime });
}, TIME);

// ---- When it does not work ----

/** While a server has port 6000: a command; own.ts, package.json or a line. */
const RUNS: Record<string, [string, string?]> = {
  "no reply from 127.0.0.1:6000 yet": ["npx tsx client.ts", "hello"],
  EADDRINUSE: ["npx tsx server.ts"],
  ENOTFOUND: ["npx tsx client.ts 127.0.0.1:6000"],
  EAI_AGAIN: ["npx tsx client.ts udp.example"],
  "not a host and a port from 1 to 65535": ["npx tsx client.ts 7000"],
  'Requires net access to "127.0.0.1:6000"': ["deno run server.ts"],
  "Cannot find module": ["npx tsx sevrer.ts"],
  "Cannot use import statement": ["node server.ts", '{ "type": "commonjs" }'],
  MODULE_TYPELESS_PACKAGE_JSON: ["node server.ts", "{}"],
  "Top-level await is currently not supported": ["npx tsx own.ts", "await 0"],
  "enum is not supported in strip-only mode": ["node own.ts", "enum Side {}"],
  EADDRNOTAVAIL: ["npx tsx server.ts 192.0.2.1"],
  EACCES: ["npx tsx client.ts 127.255.255.255", "hello"],
  EMSGSIZE: ["npx tsx client.ts", "x".repeat(65_508)],
  ENETUNREACH: ["npx tsx client.ts 192.0.2.1", "hello"],
};

test("a test knows how to see each message", () => {
  // What other tests see, or the one below, or only a person on a desk.
  const others =
    /^(`(ignored: |Stopped|�|Unknown|Need to|npm warn)|PowerShell|[^`]+$)/;
  const seen = table.prose.map(({ line }) => cells(line)[0] ?? "")
    .filter((cell) => cell && !others.test(cell)).flatMap(spans);
  assert.deepEqual(seen.toSorted(), Object.keys(RUNS).toSorted());
});

for (const [message, [command, given = ""]] of Object.entries(RUNS)) {
  test(message, TIME, async (t) => {
    const words = wordsOf(command);
    if (words[0] === "") return t.skip("no such runtime here");
    const { enter, type } = await openDesk(t);
    await type("npx tsx server.ts");
    const file = command === "node server.ts" ? "package.json" : "own.ts";
    const cwd = folderOf(t, ["server.ts", "client.ts"], { [file]: given });
    const program = new Program(t, [...enter, ...words], { cwd });
    program.send(given);
    await until(() => program.stderr.includes(message), () => program.stderr);
  });
}

test("a job in the background", TIME, async (t) => {
  const { enter, listens } = await openDesk(t);
  const shell = new Terminal(t, [...enter, "bash", "--norc", "-i"]);
  const row = table.prose.find(({ line }) => line.startsWith("| `Stopped`"))!;
  const command = spans(row.line).find((one) => one.startsWith("npx "))!;
  shell.type(`set -b; ${command.replace(">log", ">/dev/null")}\r`); // -b: tell at once
  await shell.until(() => listens(6000));
  shell.type("kill %1\r");
  await shell.until(() => !listens(6000) && /Terminated/.test(shell.text));
  shell.type("clear; npx tsx server.ts &\r");
  await shell.until(() => / Stopped +npx/.test(shell.text));
});
