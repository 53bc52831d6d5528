// The real scripts on paths that lose, repeat, delay and move, while members
// are suspended and the hub is killed and started again. At the end every line
// must have been shown once by everybody, in one order. What happens is drawn
// from a seed; how long is said in seconds:
//
//   SEED=7 SECONDS=3600 npx tsx --test test/group/random.quiet.ts
//
// A hub that is killed takes with it what it alone knew: a line that somebody
// had not shown at that moment may be lost, or come twice, but not thrice. So
// that these are few, every other time nobody says anything for a while before.

import assert from "node:assert/strict";
import process from "node:process";
import { type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { startHubOn } from "../support/group.ts";
import { freePort } from "../support/kernel.ts";
import { type Server, startNetwork } from "../support/pair.ts";
import { endGroup, type Program } from "../support/processes.ts";
import { generator, SEED } from "../support/random.ts";
import { Member } from "../support/conversation.ts";
import { ofEachKind, on } from "../support/runtimes.ts";

const SECONDS = Number(process.env["SECONDS"] ?? 60);
const MEMBERS = 6;

interface Line {
  text: string; // no two are the same
  since: number; // s
  unsure: boolean; // somebody had not shown it when the hub was killed
}

/** A member behind a path of its own. */
interface Seat {
  member: Member;
  network: Server;
  lines: Line[]; // that it must show
  leaving: boolean;
  stopped: boolean;
}

function textOf(shown: string): string {
  return shown.slice(shown.lastIndexOf(": ") + 2);
}

/** How often a member shows each text. */
function counts({ shown }: Member): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of shown) {
    const text = textOf(line);
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return counts;
}

class Party {
  readonly #t: TestContext;
  readonly #random: () => number;
  readonly #chatter: () => number;
  readonly #port = Number(freePort());
  readonly #since = performance.now();
  readonly #said = new Map<string, Line>();
  #hub: Program | undefined;
  #newest = 0;
  #leaving: Promise<void>[] = [];
  seats: Seat[] = [];
  quiet = false; // nobody says anything
  events = 0;
  story: string[] = [];

  constructor(t: TestContext, seed: number) {
    this.#t = t;
    this.#random = generator(seed);
    this.#chatter = generator(~seed);
  }

  get #now(): number {
    return (performance.now() - this.#since) / 1000;
  }

  /** A number from 0 to below n. */
  #draw(n: number): number {
    return Math.floor(this.#random() * n);
  }

  #pick<T>(these: T[]): T {
    return these[this.#draw(these.length)]!;
  }

  #tell(what: string) {
    this.story.push(`${this.#now.toFixed(1)} s: ${what}`);
  }

  startHub() {
    const runtime = this.#pick(ofEachKind);
    this.#hub = startHubOn(this.#t, runtime, this.#port);
    this.#tell(`hub on ${runtime.name}`);
  }

  async newcomer() {
    const dice = [this.#draw(31), this.#draw(11), this.#draw(11)];
    const path = ["--drop", dice[0]!, "--repeat", dice[1]!, "--delay", dice[2]!]
      .concat("--latency", this.#draw(60), "--jitter", this.#draw(20))
      .concat("--move", 3 + this.#draw(20), "--seed", this.#draw(2 ** 31));
    const runtime = this.#pick(ofEachKind);
    const network = await startNetwork(this.#t, this.#port, ...path);
    const name = `m${++this.#newest}`;
    const member = new Member(this.#t, runtime, name, network.port);
    const seat = { member, network, lines: [], leaving: false, stopped: false };
    await member.until(() => member.joined, 60_000);
    assert(member.joined, `${name} has not joined: ${member.stderr}`);
    this.#tell(`${name} on ${runtime.name} is in, ${path.join(" ")}`);
    this.seats.push(seat);
  }

  /** Somebody says something, by dice of its own: when is chance. */
  chat() {
    const here = this.seats.filter((one) => !one.leaving);
    const speaker = here[Math.floor(this.#chatter() * here.length)];
    if (speaker && !this.quiet) this.say(speaker);
  }

  say(seat: Seat, count = 1) {
    const texts: string[] = [];
    for (let i = 0; i < count; i++) {
      const text = `${seat.member.name}-${this.#said.size + 1}`;
      const line = { text, since: this.#now, unsure: false };
      this.#said.set(text, line);
      for (const { leaving, lines } of this.seats) {
        if (!leaving) lines.push(line);
      }
      texts.push(text);
    }
    seat.member.say(...texts);
  }

  /** Something happens, as the dice fall. */
  async event() {
    this.events++;
    const here = this.seats.filter((one) => !one.leaving && !one.stopped);
    const seat = this.#pick(here);
    const { name } = seat.member;
    switch (this.#draw(8)) {
      case 0:
      case 1:
        this.#tell(`${name} says 150 lines at once`);
        return this.say(seat, 150);
      case 2:
      case 3: {
        const ms = 100 + this.#draw(8000);
        this.#tell(`${name} is suspended for ${ms} ms`);
        return this.#suspend(seat, ms);
      }
      case 4: {
        const ms = 100 + this.#draw(3000);
        this.#tell(`the hub is suspended for ${ms} ms`);
        process.kill(-this.#hub!.pid, "SIGSTOP");
        await pause(ms);
        return process.kill(-this.#hub!.pid, "SIGCONT");
      }
      case 5: {
        const ms = this.#draw(3000);
        if (this.#draw(4) > 0) {
          this.quiet = true;
          await this.settles(15);
        }
        this.#killHub();
        this.quiet = false;
        await pause(ms);
        return this.startHub();
      }
      case 6:
        if (here.length < 4) return;
        this.#tell(`${name} leaves`);
        seat.leaving = true;
        this.#leaving.push(seat.member.leaves());
        this.#leaving.at(-1)!.catch(() => {}); // allLeft tells
        return this.newcomer();
      default:
        this.#tell(`${name} takes another name`);
        seat.member.say(`/name ${name}.${this.#draw(100)}`);
    }
  }

  #suspend(seat: Seat, ms: number) {
    const { pid } = seat.member;
    process.kill(-pid, "SIGSTOP");
    seat.stopped = true;
    setTimeout(() => {
      process.kill(-pid, "SIGCONT");
      seat.stopped = false;
    }, ms);
  }

  /** What somebody has not shown by now may be lost with the hub, or not. */
  #killHub() {
    endGroup(this.#hub!.pid);
    let unsure = 0;
    for (const { member, lines } of this.seats) {
      const shown = counts(member);
      for (const line of lines) {
        if (!shown.has(line.text)) {
          line.unsure = true;
          unsure++;
        }
      }
    }
    this.#tell(`the hub is killed, ${unsure} showings are unsure`);
  }

  /** Everybody has all that is sure. */
  async settles(seconds: number) {
    for (const { member, lines } of this.seats.filter((one) => !one.leaving)) {
      const all = () => {
        const shown = counts(member);
        return lines.every((one) => one.unsure || shown.has(one.text));
      };
      const deadline = performance.now() + seconds * 1000;
      while (!all() && performance.now() < deadline) await pause(200);
    }
  }

  /** Those that left have done so well. */
  async allLeft() {
    await Promise.all(this.#leaving);
  }

  /** Once, in one order, and nothing is missing. */
  check() {
    const here = this.seats.filter((one) => !one.leaving);
    for (const { member, lines } of here) {
      const { name, stderr, notices } = member;
      const shown = counts(member);
      const sure = lines.filter((one) => !one.unsure);
      const lost = sure.filter((one) => !shown.has(one.text));
      const list = lost.slice(0, 5).map(({ text, since }) =>
        `${text} of ${since.toFixed(1)} s`
      );
      assert.deepEqual(list, [], `${name} lacks ${lost.length} lines`);
      for (const [text, count] of shown) {
        const line = this.#said.get(text);
        assert(line, `${name} shows "${text}", which nobody said`);
        const most = line.unsure ? 2 : 1;
        const when = `of ${line.since.toFixed(1)} s`;
        assert(count <= most, `${name} shows ${text} ${when} ${count} times`);
      }
      assert.doesNotMatch(stderr, /taken|not delivered|Error/, name);
      assert.deepEqual(notices.filter((one) => /missed|timed/.test(one)), []);
    }
    const sure = ({ member }: Seat) =>
      member.shown.map(textOf).filter((one) => !this.#said.get(one)!.unsure);
    const [first = [], ...others] = here.map(sure);
    for (const [i, other] of others.entries()) {
      const [theirs, ours] = [new Set(other), new Set(first)];
      assert.deepEqual(
        other.filter((text) => ours.has(text)),
        first.filter((text) => theirs.has(text)),
        `${here[i + 1]!.member.name} shows another order`,
      );
    }
  }

  get count(): string {
    const lines = [...this.#said.values()];
    const unsure = lines.filter((one) => one.unsure).length;
    const shown = this.seats.reduce(
      (sum, one) => sum + one.member.shown.length,
      0,
    );
    return `${this.events} events, ${lines.length} lines, ` +
      `${unsure} of them unsure, ${shown} showings`;
  }
}

on(ofEachKind.slice(0, 1), "a random party", async (t) => {
  t.diagnostic(`SEED=${SEED} SECONDS=${SECONDS} repeats it`);
  const party = new Party(t, SEED);
  party.startHub();
  for (let i = 0; i < MEMBERS; i++) await party.newcomer();
  const end = performance.now() + SECONDS * 1000;
  const talk = setInterval(() => party.chat(), 100);
  try {
    while (performance.now() < end) {
      await party.event();
      await pause(1500);
    }
    clearInterval(talk);
    await party.settles(30);
    await party.allLeft();
    party.check();
  } catch (error) {
    for (const line of party.story.slice(-60)) t.diagnostic(line);
    throw error;
  } finally {
    clearInterval(talk);
    t.diagnostic(party.count);
  }
}, (SECONDS + 180) * 1000);
