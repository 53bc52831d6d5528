// A scene, as a page shows it: who types what, and what stands where then.

import assert from "node:assert/strict";
import { other, type Runtime } from "./on.ts";
import {
  HERE,
  type Program,
  serve,
  start,
  type Test,
  until,
  type Word,
} from "./program.ts";

/** A program in pipes, or a socket of the test's own. */
export interface Actor {
  send(text: string): unknown;
  shown: string[]; // what it got, and nobody has looked at yet
  errors?: string[]; // the same of its stderr
  end?(): void;
  exits?(): Promise<number | null>;
}
export type Cast<One extends Actor = Program> = Record<string, One>;

const WILD = { PORT: "\\d{1,5}", N: "\\d+", ANY: ".*" };

/** A pattern for this text, in which PORT, N and ANY stand for what differs. */
export function like(text: string): RegExp {
  const source = text.replace(/[$()*+.?[\\\]^{|}]/g, "\\$&")
    .replace(/\b(PORT|N|ANY)\b/g, (word) => WILD[word as keyof typeof WILD]);
  return RegExp(`^${source}$`, "s");
}

/**
 * Play a scene, line by line: await play({ alice, bob })`
 *   alice < hello        alice types that
 *   alice bob > hello    it is the next that each of them shows
 *   alice ! hello        the same on stderr
 *   alice ends           there is no more input
 *   alice exits 0`
 * In the end nobody has shown any more. A prompt is a line of its own.
 */
export function play(cast: Cast<Actor>) {
  return (text: TemplateStringsArray, ...values: Word[]): Promise<void> =>
    perform(cast, String.raw({ raw: text }, ...values));
}

async function perform(cast: Cast<Actor>, scene: string) {
  for (const line of scene.split("\n").map((one) => one.trimStart())) {
    if (line === "") continue;
    const [, names = "", act, text = ""] =
      /^([\w ]+?) ([<>!]|exits|ends)(?: (.*))?$/.exec(line) ??
        assert.fail(`not a line of a scene: ${line}`);
    for (const name of names.split(" ")) {
      const one = cast[name] ?? assert.fail(`who is ${name}?`);
      const lines = act === "!" ? one.errors! : one.shown;
      if (act === "<") one.send(text);
      else if (act === "ends") one.end!();
      else if (act === "exits") {
        assert.equal(`${await one.exits!()}`, text, line);
      } else {
        const story = () => `${line} (${name}'s stderr: ${one.errors})`;
        await until(() => lines.length > 0, story);
        assert.match(lines.shift()!, like(text), line);
      }
    }
  }
  for (const [name, { shown, errors = [] }] of Object.entries(cast)) {
    assert.deepEqual([...shown, ...errors], [], `${name} has shown more`);
  }
}

/** A server on this runtime, by its host, and a client on another one, to it. */
export async function pair(t: Test, on: Runtime, [host, to] = [HERE, HERE]) {
  const server = await serve(t, on, "server.ts", host);
  const client = start(t, other(on), "client.ts", to, server.port);
  return { server, client };
}

/** A hub on this runtime and members, each on another one, whom all see join. */
export async function group(t: Test, runtime: Runtime, ...names: string[]) {
  const hub = await serve(t, runtime, "group/server.ts");
  const cast: Cast = { hub };
  for (const [i, name] of names.entries()) {
    const on = other(runtime, i + 1);
    cast[name] = start(t, on, "group/client.ts", name, HERE, hub.port);
    const all = Object.keys(cast).join(" ");
    await play(cast)`${all} > * ${name} joined (${i + 1} here)`;
  }
  return cast;
}
