// A group in conversation: a hub, a network before it and members, each a
// process of its own. What the members show is read line by line, and at the
// end everybody must have shown every line once, all in the same order.

import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { startHub } from "./group.ts";
import { commandOf, type Server, startNetwork } from "./pair.ts";
import { endWith, ENVIRONMENT, PROJECT } from "./processes.ts";
import { quantile } from "./quantile.ts";
import type { Runtime } from "./runtimes.ts";

/** A member in a pipe. */
export class Member {
  readonly name: string;
  readonly pid: number;
  shown: string[] = []; // what members said, "NAME: TEXT"
  times: number[] = []; // when each was shown, ms
  notices: string[] = [];
  stderr = "";
  /** The exit code, once it has ended. */
  code: number | null | undefined;
  readonly #child: ChildProcessWithoutNullStreams;
  #rest = "";
  #look = () => {};

  constructor(
    t: TestContext,
    runtime: Runtime,
    name: string,
    port: number,
    host = "127.0.0.1",
  ) {
    this.name = name;
    const script = "group/client.ts";
    const command = commandOf(runtime, script, name, host, port);
    const [file = "", ...args] = command;
    this.#child = spawn(file, args, {
      cwd: PROJECT,
      env: ENVIRONMENT,
      detached: true,
    });
    assert(this.#child.pid, `cannot start ${file}`);
    this.pid = this.#child.pid;
    endWith(t, this.pid);
    this.#child.stdin.on("error", () => {}); // the exit code tells
    this.#child.stdout.setEncoding("utf8").on("data", (text) => {
      this.#read(text);
    });
    this.#child.stderr.setEncoding("utf8").on("data", (text) => {
      this.stderr += text;
    });
    this.#child.on("close", (code) => {
      this.code = code;
      this.#look();
    });
  }

  #read(text: string) {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    const now = performance.now();
    for (const line of lines) {
      if (line.startsWith("* ")) this.notices.push(line);
      else {
        this.shown.push(line);
        this.times.push(now);
      }
    }
    this.#look();
  }

  say(...lines: string[]) {
    this.#child.stdin.write(lines.join("\n") + "\n");
  }

  /** No more input: wait for the end, which must be a good one. */
  async leaves() {
    this.#child.stdin.end();
    await this.until(() => this.code !== undefined, 60_000);
    assert.equal(this.code, 0, `${this.name}: ${this.stderr}`);
  }

  get joined(): boolean {
    return this.notices.some((one) => one.startsWith(`* ${this.name} joined`));
  }

  /** Wait until this is true; false if it is not after so many ms. */
  until(done: () => boolean, ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (result: boolean) => {
        clearTimeout(timer);
        this.#look = () => {};
        resolve(result);
      };
      const timer = setTimeout(() => settle(done()), ms);
      this.#look = () => {
        if (done()) settle(true);
        else if (this.code !== undefined) settle(false);
      };
      this.#look();
    });
  }
}

/** Members m1, m2 ..., on these runtimes in turn, that have joined. */
export async function gather(
  t: TestContext,
  runtimes: Runtime[],
  count: number,
  port: number,
): Promise<Member[]> {
  const members = Array.from(
    { length: count },
    (_, i) => new Member(t, runtimes[i % runtimes.length]!, `m${i + 1}`, port),
  );
  for (const member of members) {
    const joined = await member.until(() => member.joined, 60_000);
    assert(joined, `${member.name} has not joined: ${member.stderr}`);
  }
  return members;
}

/** Everybody has shown everything once, in one order, each in its own order. */
export function agree(members: Member[], said: Map<string, string[]>) {
  const all = [...said].flatMap(([name, texts]) =>
    texts.map((text) => `${name}: ${text}`)
  );
  const [first] = members;
  for (const member of members) {
    const shown = new Set(member.shown);
    const missing = all.filter((line) => !shown.has(line));
    const who = `${member.name} of ${members.length}`;
    const lost = `${who}: ${missing.length} lost; ${member.stderr}`;
    assert.deepEqual(missing.slice(0, 5), [], lost);
    assert.equal(shown.size, member.shown.length, `${who}: lines came twice`);
    assert.equal(shown.size, all.length, `${who}: lines that nobody said`);
    const other = member.shown.findIndex((line, i) => line !== first!.shown[i]);
    assert.equal(other, -1, `${who}: another order from line ${other} on`);
    assert.doesNotMatch(member.stderr, /missed|not delivered|not said/);
    assert.deepEqual(member.notices.filter((one) => /missed/.test(one)), []);
  }
  for (const [name, texts] of said) {
    assert.deepEqual(
      first!.shown.filter((line) => line.startsWith(`${name}: `)),
      texts.map((text) => `${name}: ${text}`),
    );
  }
}

export interface Plan {
  members: number;
  lines: number; // that each of them says
  /** ms between two lines of a member, or all at once as in a pipe. */
  pace: "piped" | [from: number, to: number];
  /** Options of the network. */
  path: string;
  /** s from the last line said until all have shown all. */
  within: number;
}

export interface Result {
  took: number; // s from the last line said to the last one shown
  delays: number[]; // ms from said to shown, in the order of being shown
  datagrams: number; // of both directions
  bytes: number; // of these, with headers
}

/**
 * Run until what it gives is in time, so many times at most: another program may
 * have had the processor for a moment. What run() itself throws is not forgiven.
 */
export async function inTime<Given>(
  t: TestContext,
  run: () => Promise<Given>,
  check: (given: Given) => void,
  tries = 3,
): Promise<Given> {
  while (true) {
    const given = await run();
    try {
      check(given);
      return given;
    } catch (error) {
      if (--tries === 0) throw error;
      t.diagnostic(`once more: ${(error as Error).message}`);
    }
  }
}

/** End a network; returns how much it was given, and carried. */
export async function summary(network: Server) {
  process.kill(network.pid, "SIGTERM");
  await network.exits();
  assert.doesNotMatch(network.stderr, /lost here/, "the machine is too slow");
  const sum = (pattern: RegExp) =>
    [...network.stdout.matchAll(pattern)]
      .reduce((total, [, n]) => total + Number(n), 0);
  return {
    datagrams: sum(/server: (\d+) datagrams/g),
    bytes: sum(/, (\d+) bytes$/gm),
  };
}

/** Talk as planned, and see that everybody has it all. */
export async function converse(
  t: TestContext,
  runtime: Runtime,
  others: Runtime[],
  plan: Plan,
  seed: number,
): Promise<Result> {
  const { lines, pace } = plan;
  const hub = await startHub(t, runtime);
  const path = plan.path.split(" ").filter((word) => word !== "");
  // A rate that bounds nothing, so that the network counts the bytes.
  const options = ["--rate", 1e6, ...path, "--seed", seed];
  const network = await startNetwork(t, hub.port, ...options);
  const members = await gather(t, others, plan.members, network.port);

  const texts = Array.from({ length: lines }, (_, i) => `line ${i + 1}`);
  const saidAt = new Map<string, number>();
  let last = 0;
  await Promise.all(members.map(async (member) => {
    const say = (...some: string[]) => {
      last = performance.now();
      for (const text of some) saidAt.set(`${member.name}: ${text}`, last);
      member.say(...some);
    };
    if (pace === "piped") return say(...texts);
    const [from, to] = pace;
    await pause(Math.random() * (to - from));
    for (const text of texts) {
      say(text);
      await pause(from + Math.random() * (to - from));
    }
  }));
  const all = lines * members.length;
  const patience = plan.within * 1000 + 60_000; // ms: late is told from never
  await Promise.all(
    members.map((one) => one.until(() => one.shown.length >= all, patience)),
  );
  agree(members, new Map(members.map(({ name }) => [name, texts])));
  const shown = Math.max(...members.map((one) => one.times.at(-1)!));
  const took = (shown - last) / 1000;
  const showings = members.flatMap(({ shown, times }) =>
    shown.map((line, i) => ({ at: times[i]!, said: saidAt.get(line)! }))
  );
  const delays = showings.toSorted((a, b) => a.at - b.at)
    .map(({ at, said }) => at - said);
  await Promise.all(members.map((one) => one.leaves()));
  assert.doesNotMatch(hub.stderr, /Error/);
  // Nobody came or went, but at the beginning and at the end.
  const notices = hub.stdout.match(/^\* .*/gm) ?? [];
  const joined = notices.filter((one) => / joined \(/.test(one));
  const left = notices.filter((one) => / left \(/.test(one));
  assert.equal(joined.length, members.length, notices.join("\n"));
  assert.equal(left.length + joined.length, notices.length, notices.join("\n"));
  const result = { took, delays, ...await summary(network) };

  const deliveries = all * members.length;
  const per = (n: number) => (n / deliveries).toFixed(2);
  t.diagnostic(
    `hub on ${runtime.name}; ${plan.members} members, ${lines} lines each, ` +
      `${pace} ms; path: ${plan.path || "clean"}; SEED=${seed}`,
  );
  t.diagnostic(
    `all at all ${took.toFixed(2)} s after the last; ` +
      `said to shown ${quantile(delays, 0.5).toFixed(0)} ms (median), ` +
      `${quantile(delays, 0.99).toFixed(0)} ms (99 %); ` +
      `a delivery: ${per(result.datagrams)} datagrams, ${per(result.bytes)} B`,
  );
  return result;
}
