// What the pages tell a reader to type is typed here, and their transcripts are
// held again, both in terminals; and the lesson's steps are run.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { NOT_LINUX } from "../support/linux.ts";
import { kinds, on, type Runtime, runtimes } from "../support/on.ts";
import { play } from "../support/play.ts";
import {
  bound,
  commandOf,
  emptyFolder,
  freePort,
  HERE,
  Program,
  serve,
  type Test,
} from "../support/program.ts";
import { CTRL_C, Terminal } from "../support/terminal.ts";
import { openPeer } from "../support/wire.ts";
import { pages, pairs, runtimeOf, spans, steps } from "./pages.ts";

const TIME = { timeout: 60_000, skip: NOT_LINUX };
const [first = assert.fail("no runtime")] = runtimes;

// ---- Commands ----

const commands = new Map<string, string>(); // where each first stands
for (const { blocks, prose } of pages) {
  const typed = blocks
    .filter(({ language, mark }) => language === "sh" && mark === "")
    .map(({ place, text }) => [text.trim(), place] as const);
  const named = prose.flatMap(({ place, line }) =>
    spans(line).map((code) => [code, place] as const)
  ).filter(([code]) => /^(npx tsx|node|bun|deno run) .*\.ts\b/.test(code));
  for (const [command, place] of [...typed, ...named]) {
    if (/[<|]/.test(command)) continue; // see below, and messages.slow.ts
    if (!commands.has(command)) commands.set(command, place);
  }
}

for (const [command, place] of commands) {
  test(`${place}: ${command}`, TIME, async (t) => {
    const runtime = runtimeOf(command);
    if (!runtime) return t.skip("no such runtime here");
    const [, script = "", rest = ""] = /(\S+\.ts) ?(.*)/.exec(command) ?? [];
    const [name = "", ...options] = rest.split(" ");
    const isMember = script === "group/client.ts";
    const { port } = isMember
      ? await serve(t, first, "group/server.ts")
      : { port: await freePort() };
    const args = script.startsWith("test/")
      ? [port, ...options]
      : [...(isMember ? [name] : []), HERE, port];
    const one = new Terminal(t, commandOf(runtime, script, ...args));
    if (!script.includes("client")) await bound(one, port);
    await one.ends(isMember ? `${name} joined (1 here)\n>>>` : "");
    if (script === "client.ts") await one.shows(">>>");
    one.type(CTRL_C); // the network's own end is 0; tsx may be faster
    const end = /\nexit (0|130), settings as before\n$/;
    await one.until(() => end.test(one.text));
  });
}

// ---- Transcripts ----

/** Whose terminals they show; who types, and what is to be seen before. */
const SCENES: Record<string, string> = {
  "pair-server pair-client": `
    client < hello server
    server < hello client`,
  "lossy-dropped": `
    client < hello server
    server < hello client
    client < are you there?`,
  "lossy-repeated-server lossy-repeated-client": `
    client < hello server
    server < hello client
    client < how are you?
    server < you said that already`,
  "hub-order-alice hub-order-bob": `
    alice < hello
    server > : hello
    bob < hello
    alice > : hello
    alice < I was first
    bob < no, I was`,
  "hub-lost-alice hub-lost-bob": `
    alice < hello
    server > : hello
    bob < hello
    alice > : hello
    alice < do we meet at six?
    server > at six?
    bob < where are you?`,
  "group-bob": `
    alice < hello bob
    bob > hello bob
    bob < hi alice`,
  "group-bob-long": `
    alice < hello bob
    bob > hello bob
    bob < hi alice
    bob > hi alice
    bob < /who
    bob > * 2 here: alice, bob
    alice < /name ally
    bob > * alice is now ally
    alice < /quit`,
};

/** The terminals of a scene, with the network of its command on the page. */
async function cast(t: Test, names: string): Promise<Record<string, Terminal>> {
  const [kind, mark = ""] = [names.split("-")[0]!, names.split(" ")[0]];
  const open = (script: string, ...args: (string | number)[]) => {
    const path = script.includes("-") ? stepOf(t, script) : script;
    return new Terminal(t, [...first.command, path, ...args.map(String)]);
  };
  const serve = async (script: string) => {
    const port = await freePort();
    return await bound(open(script, HERE, port), port);
  };
  if (kind === "group") {
    const { port } = await serve("group/server.ts");
    const alice = open("group/client.ts", "alice", HERE, port);
    await alice.ends("alice joined (1 here)\n>>>");
    const bob = open("group/client.ts", "bob", HERE, port);
    await alice.ends("bob joined (2 here)\n>>>");
    return { alice, bob };
  }
  const server = await serve(kind === "hub" ? "step-hub.ts" : "server.ts");
  let { port } = server;
  const { blocks } = pages[0]!;
  const here = blocks.findIndex((block) => block.mark === mark);
  const command = blocks.slice(0, here).findLast(({ text }) =>
    text.startsWith("npx tsx test/lossy-network.ts 7000 127.0.0.1:6000 ")
  );
  if (command) {
    const [from, to] = [await freePort(), `${HERE}:${port}`];
    const options = command.text.trim().split(" ").slice(5);
    const lossy = commandOf(first, "test/lossy-network.ts", from, to);
    ({ port } = await bound(new Terminal(t, [...lossy, ...options]), from));
  }
  if (kind !== "hub") return { server, client: open("client.ts", HERE, port) };
  const [alice, bob] = ["step-client.ts", "step-client.ts"]
    .map((script) => open(script, HERE, port));
  return { server, alice: alice!, bob: bob! };
}

/** What is typed is seen before Enter: what comes then cannot overtake it. */
async function act(one: Terminal, act: string, text: string) {
  if (act === ">") return await one.until(() => one.text.includes(`${text}\n`));
  await one.ends(">>>");
  one.type(text);
  await one.ends(`>>>${text}`);
  one.type("\r");
}

const withoutPorts = (text: string) =>
  text.replace(/(127\.0\.0\.1:)\d+/g, "$1PORT").trimEnd();

const transcripts = pages.flatMap(({ blocks }) => blocks)
  .filter(({ language }) => language === "text");

test("a test knows how each transcript came about", () => {
  const known = Object.keys(SCENES).flatMap((names) => names.split(" "));
  const found = new Set(transcripts.map(({ mark }) => mark));
  assert.deepEqual([...found].toSorted(), known.toSorted());
});

for (const [names, scene] of Object.entries(SCENES)) {
  test(`transcript of ${names}`, TIME, async (t) => {
    const terminals = await cast(t, names);
    for (const [, who, how, text] of scene.matchAll(/(\w+) ([<>]) (.*)/g)) {
      await act(terminals[who!]!, how!, text!);
    }
    for (const name of names.split(" ")) {
      const one = terminals[name.split("-").at(-1)!] ?? terminals["bob"] ??
        terminals["client"]!;
      for (const { place, mark, text } of transcripts) {
        if (mark !== name) continue;
        const wanted = withoutPorts(text);
        await one.until(() => withoutPorts(one.text) === wanted)
          .catch(() => assert.equal(withoutPorts(one.text), wanted, place));
      }
    }
  });
}

// ---- The lesson's steps ----

/** A script of a step, in a folder of its own. */
function stepOf(t: Test, name: string, language = 0): string {
  const path = join(emptyFolder(t), name);
  writeFileSync(path, steps(pairs[0]![language]!)[name]!);
  return path;
}

async function serveStep(t: Test, runtime: Runtime, name: string, lang = 0) {
  const port = await freePort();
  const command = [...runtime.command, stepOf(t, name, lang), HERE, `${port}`];
  return await bound(new Program(t, command), port);
}

on(kinds, "a bot answers all but bots", async (t, runtime) => {
  const peer = await openPeer(t);
  for (const language of [0, 1]) {
    const bot = await serveStep(t, runtime, "step-bot.ts", language);
    bot.end("back at two\n");
    await peer.send("bot: hello", bot.port);
    await peer.send("hello", bot.port);
    await peer.receives("bot: back at two");
    await peer.send("hello", bot.port);
    await peer.receives("bot: back at two"); // and nothing before it
  }
});

on(kinds, "both at any time", async (t, runtime) => {
  const server = await serveStep(t, runtime, "step-server.ts");
  const script = stepOf(t, "step-client.ts");
  const command = [...runtime.command, script, HERE, `${server.port}`];
  await play({ server, client: new Program(t, command) })`
    server client > >>>
    server < is anybody there?
    server > nobody has written yet
    server > >>>
    client < one
    client > >>>
    server > 来自[127.0.0.1:PORT]的消息: one
    server < two
    server > >>>
    client > two
    server < three
    server > >>>
    client > three
    client ends
    client exits 0`;
});

on(kinds, "the ten-line hub passes on to all others", async (t, runtime) => {
  const hub = await serveStep(t, runtime, "step-hub.ts");
  const [alice, bob] = [await openPeer(t), await openPeer(t)];
  await alice.send("hello\n", hub.port);
  await hub.until(() => hub.stdout.includes(": hello\n"));
  await bob.send("hi", hub.port);
  await alice.receives(`127.0.0.1:${bob.port}: hi\n`);
  await alice.send("how are you?");
  await bob.receives(`127.0.0.1:${alice.port}: how are you?\n`);
  hub.send("dinner!");
  for (const one of [alice, bob]) await one.receives("hub: dinner!\n");
});
