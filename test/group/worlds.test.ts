// The group in simulated networks (world.ts): what must be true of each one.
//
//   npx tsx --test test/group/worlds.test.ts   as npm test does: half a minute
//   SEED=lossy-17 npx tsx --test ...           one again, with all it shows
//   WORLDS=600 npx tsx --test ...              for so many seconds
//   WORLDS=600 SEED=lossy-17 npx tsx ...       one kind, from a seed on
//
// Members are judged from outside: by what is typed, shown and said, by the
// datagrams on their way, and by how they end.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { test } from "node:test";
import { canStrip, HUB, KILLED, type Path, Program, World } from "./world.ts";

// ---- The kinds of worlds ----

interface Kind {
  paths: (Path & { within: number })[]; // one of them, by the seed
  within?: number; // s, so much longer than the path alone takes
  events?: Record<string, number>; // how often
  names?: number; // the share of lines that are /name, of the same few names
  pipe?: number; // so many lines of each, and twelve times as many of the first
  long?: number; // the share of lines that have up to 980 bytes more
  misses?: boolean; // some may miss lines, and are told so
  delay?: number; // ms until its speaker sees a line, at the most
  each?: number; // datagrams for a line that is shown, of 100 worlds and more
  scene?: (party: Party, seed: number) => Promise<void>;
}

// Within so many seconds all have all, and who leaves is gone.
const clean = { within: 1 };
const fair = { drop: 0.05, repeat: 0.05, delay: 0.1, late: 50, within: 8 };
const shaky = { ...fair, within: 60 };
const bad = { drop: 0.3, repeat: 0.3, delay: 0.3, late: 50, within: 15 };
const late = { drop: 0.1, repeat: 0.2, delay: 0.2, late: 8000, within: 30 };
const far = { base: 400, delay: 0.3, late: 50, within: 8 };
const narrow = { base: 25, rate: 16, within: 30 };
const wild = { drop: 0.2, repeat: 0.2, delay: 0.2, late: 3000, within: 60 };
const copies = { repeat: 0.5, late: 60_000, within: 65 };
const paths = [clean, fair, bad, late];
const some = { restart: 1, move: 2, swap: 1, stop: 2, join: 1, leave: 1 };

const misses = true;
const KINDS: Record<string, Kind> = {
  clean: { paths: [clean], delay: 200, each: 1.7, scene: quiet },
  lossy: { paths: [bad], each: 1.64 },
  late: { paths: [late], each: 1.84 },
  far: { paths: [far], each: 1.15 },
  narrow: { paths: [narrow], pipe: 50 },
  piped: { paths: [{ base: 10, within: 6 }], pipe: 400, each: 0.06 },
  pipedLossy: { paths: [{ ...fair, base: 20 }], pipe: 1000, within: 30 },
  slow: { paths: [shaky], pipe: 300, events: { stop: 4 }, long: 0.3, misses },
  restarts: { paths, events: { restart: 3 }, within: 10, scene: quiet },
  moves: { paths, events: { move: 6, swap: 2 }, within: 10 },
  stops: { paths, events: { stop: 6 }, within: 10 },
  leaving: { paths, events: { leave: 5 }, within: 11 },
  interrupts: { paths, events: { interrupt: 4 }, within: 11 },
  names: { paths: [bad], names: 0.4, events: { join: 1, leave: 2 } },
  copies: { paths: [copies], events: { move: 2, leave: 2 }, names: 0.4 },
  all: { paths: [wild], events: some, names: 0.2, misses },
  forged: { paths: [clean], events: { forge: 100 }, delay: 200 },
  faults: { paths: [{ within: 25 }], scene: faults },
  crowd: { paths: [clean], scene: crowd },
  flood: { paths: [clean], scene: flood },
  gone: { paths: [fair], misses, delay: 9000, scene: gone },
};

// ---- The oracle ----

const TEXT = /(\w+)-(\d+)$/; // no two are the same

class Hub extends Program {
  readonly lines = [""]; // that it has said, by number
  readonly here = new Set<string>(); // names
  readonly newest = new Map<string, number>(); // text of each speaker
  readonly peers = new Map<string, Peer>(); // by address and token
}

/** Whom a hub sends to, by what was on the network. */
class Peer {
  cookie = "";
  isProved = false; // has sent its cookie back
  time = 0; // of the last answer
  owed = 0; // answers
  have = 0;
  lost = 0; // it lacks some up to this one
  sent = 0; // and was sent some up to this one
  again = 0; // the newest one that was sent again
  asked = 0; // requests since then, two at the most
  repeats = 0; // datagrams that were sent again just now
}

class Member extends Program {
  hub: Hub | undefined; // whose line it has shown
  n = 0; // the number of this line
  shownOwn = 0; // lines that it has typed and shown
  replies = 0; // to /who
  told = 0; // lines that it does not know to be delivered
  isCut = false; // it has told that there is no answer
}

/** Judges what is said and shown, and what goes over the network. */
class Judge {
  readonly world: World;
  readonly kind: Kind;
  readonly path: Path;
  readonly within: number; // ms
  readonly hubs: Hub[] = [];
  readonly members: Member[] = [];
  readonly typedAt = new Map<string, number>();
  readonly said = new Set<string>();
  answer = ""; // that was overheard by a stranger
  proof = ""; // and a request with a cookie
  datagrams = 0;
  shown = 0; // lines
  missed = 0;

  constructor(kind: Kind, seed: number) {
    [this.world, this.kind] = [new World(seed), kind];
    const { within, ...path } = kind.paths[seed % kind.paths.length]!;
    this.within = (within + (kind.within ?? 0)) * 1000;
    this.path = path;
    this.world.tap = (from, to, data, hasCome) => {
      if (!hasCome) this.datagrams++;
      if (isOne && !hasCome) this.world.log(`${from} > ${to} ${data}`);
      if (to !== HUB && !hasCome) this.answers(to, `${data}`, data.length);
      if (to === HUB && hasCome) this.asks(from, `${data}`);
    };
  }

  get hub(): Hub {
    return this.hubs.at(-1)!;
  }

  get there(): Member[] {
    return this.members.filter((one) => !one.isDead);
  }

  /** Else it is a fault. */
  must(is: boolean, what: string) {
    if (!is) this.world.fault(what);
  }

  /** A hub says each text once, in its speaker's order. */
  says(hub: Hub, line: string) {
    hub.lines.push(line);
    const { here, newest } = hub;
    const [text, speaker = "", number] = TEXT.exec(line) ?? [];
    if (!text) return this.notices(hub, line.toLowerCase());
    const isNext = Number(number) > (newest.get(speaker) ?? 0);
    this.must(isNext, `${text} is said twice, or out of order`);
    this.must(here.has(line.split(": ")[0]!.toLowerCase()), `who? ${line}`);
    newest.set(speaker, Number(number));
    this.said.add(text);
  }

  /** Who comes, goes, and takes another name: no two have the same. */
  notices(hub: Hub, line: string) {
    const { here } = hub;
    const notice = /^\* (\S+) (joined|left|timed out|is now (\S+))(.*)$/;
    const [, name = "", what, other, rest] = notice.exec(line) ?? [];
    const isNew = what === "joined";
    this.must(here.delete(name) !== isNew, `"${line}" cannot be`);
    const its = other ?? (isNew ? name : "");
    this.must(!here.has(its), `${its} is taken`);
    if (its) here.add(its);
    if (other) return;
    this.must(rest === ` (${here.size} here)`, `${here.size} here: ${line}`);
  }

  /** A member shows all from its joining on, in order, and all of a new hub. */
  shows(one: Member, line: string) {
    const { label, hub, n } = one;
    if (/^\* \d+ here: /.test(line)) return void one.replies++;
    const since = (hub ?? one).startedAt;
    const begins = this.hubs.findLast(({ startedAt, lines }) =>
      (startedAt > since && lines[1] === line) ||
      (!hub && line.startsWith(`* ${label}`) && lines.includes(line))
    );
    const missed = Number(find(/^\* lines that you missed: (\d+)$/, line));
    if (missed) one.n += missed;
    else if (hub?.lines[n + 1] === line) one.n++;
    else if (begins) {
      [one.hub, one.n] = [begins, hub ? 1 : begins.lines.lastIndexOf(line)];
    } else this.must(false, `${label}: "${line}", not "${hub?.lines[n + 1]}"`);
    this.must(!missed || this.kind.misses === true, `${label} tells: ${line}`);
    this.missed += missed;
    this.shown++;
    const [text = "", speaker] = TEXT.exec(line) ?? [];
    if (speaker !== label) return;
    one.shownOwn++;
    const delay = this.world.now - this.typedAt.get(text)!;
    const { delay: most = Infinity } = this.kind;
    this.must(delay <= most, `${text} is shown after ${delay} ms`);
  }

  /** On stderr it says that there is no answer, or that there is one again. */
  tells(one: Member, line: string) {
    const before = one.isCut;
    one.isCut = before
      ? line !== "* the server is back"
      : /^\* no answer from 10.0.0.1:6001, lines waiting: \d+$/.test(line);
    const told = find(/^lines not known to be delivered: (\d+)$/, line);
    one.told += Number(told);
    const isFull = line === "* the group is full, try later";
    if (isFull) one.end();
    const isOther = told !== "" || isFull || /^\* you are \S+$/.test(line);
    this.must(isOther || before !== one.isCut, `${one.label} tells: ${line}`);
  }

  peer(address: string, text: string): Peer {
    const { peers } = this.hub;
    const who = `${address} ${text.slice(1, 17)}`;
    return peers.get(who) ?? peers.set(who, new Peer()).get(who)!;
  }

  /** A datagram to the hub. */
  asks(from: string, text: string) {
    const peer = this.peer(from, text);
    peer.owed++;
    if (peer.cookie && text.includes(`\n/join ${peer.cookie} `)) {
      peer.isProved = true;
      this.proof = text;
    }
    const [, have, lost] = /\n\/have (\d+) (\d+)/.exec(text) ?? [];
    peer.have = Math.max(peer.have, Number(have ?? 0));
    peer.lost = Math.max(peer.lost, Number(lost ?? 0));
    peer.asked = Math.min(peer.asked + 1, 2);
  }

  /** A datagram from the hub, which goes only where there is room for it. */
  answers(to: string, text: string, bytes: number) {
    this.answer = text;
    const peer = this.peer(to, text);
    const cookie = find(/^\/join (\S+)/m, text);
    if (cookie) peer.cookie = cookie;
    const [, number = "0", line = ""] = /^(\d+) (.*)$/m.exec(text) ?? [];
    const n = Number(number);
    const oldest = this.hub.lines.length - 1024; // that is kept
    this.must(line === this.hub.lines[n], `${n} is made up: "${line}"`);
    if (n > 0 && n <= peer.sent) {
      if (n <= peer.again) peer.asked--; // it starts anew
      const isDue = n <= Math.max(peer.lost, oldest) && peer.asked >= 0;
      this.must(isDue, `${to} is sent ${n} again, and did not ask for it`);
      if (peer.repeats++ === 0) this.world.at(5, () => peer.repeats = 0);
      this.must(peer.repeats <= 16, `${to} is sent too much again`);
      peer.again = n;
    }
    peer.sent = Math.max(peer.sent, Number(find(/\n(\d+) [^\n]*\n$/, text)));
    const most = Math.max(oldest, (peer.have || Infinity) + 512);
    this.must(n <= most, `${to} has no room for ${n}`);
    const time = Number(find(/ (\d+)\n/, text));
    if (peer.isProved && time === 0) return;
    this.must(cookie !== "" || time >= peer.time, `${to}: answer ${time} late`);
    peer.time = time;
    // Of a request that waits for room each part is answered.
    this.must(--peer.owed >= -50, `${to} gets answers to no question`);
    const isShort = peer.isProved || (peer.owed >= 0 && bytes <= 80);
    this.must(isShort, `${to} gets ${bytes} bytes without a proof`);
  }

  /** What it typed and no hub has said. */
  unsaid({ typed }: Member): string[] {
    return typed.map((line) => TEXT.exec(line)?.[0] ?? "")
      .filter((text) => text && !this.said.has(text));
  }

  /** What those who are there still lack, or "". */
  missing(): string {
    const { hub, there } = this;
    for (const one of there) {
      const { label, replies } = one;
      const isUpToDate = one.hub === hub && one.n === hub.lines.length - 1;
      const [text] = this.unsaid(one);
      const asked = one.typed.filter((line) => line === "/who").length;
      if (one.leftAt < Infinity) return `${label} is still there`;
      if (!isUpToDate) return `${label} lacks "${hub.lines.at(-1)}"`;
      if (text) return `${label}'s ${text} is not said`;
      if (one.input.length > 0) return `${label}'s pipe is not read`;
      if (replies < asked) return `${label} waits for a reply to /who`;
      this.must(replies === asked, `${label} has a reply to /who twice`);
    }
    return "";
  }

  /** How a member has ended. */
  ended(one: Member) {
    const { leftAt, endedAt, told, code, typed, shownOwn } = one;
    if (!one.isDead || code === KILLED) return;
    const [first, second = Infinity] = one.interrupts;
    const who = `${one.label}, told of ${told}, ended at ${endedAt}:`;
    const must = (is: boolean, what: string) => this.must(is, `${who} ${what}`);
    must(leftAt < Infinity, "ends without a reason");
    must(this.unsaid(one).length <= told, "lost lines");
    must(code === (first ? 130 : told > 0 ? 1 : 0), `ends with ${code}`);
    const most = first ? first + 1100 : leftAt + this.within;
    const isSoon = endedAt <= Math.min(most, second + 50);
    must(isSoon || one.stoppedUntil > 0, `leaves late, from ${leftAt}`);
    if (first || this.kind.misses || one.path !== this.path) return;
    must(told === 0, "all is said");
    if (this.hubs.length > 1) return;
    const own = typed.filter((line) => TEXT.test(line)).length;
    must(shownOwn >= own, `has shown ${shownOwn} of its ${own} lines`);
  }
}

const find = (pattern: RegExp, text: string) => pattern.exec(text)?.[1] ?? "";

// ---- Who is there, and what happens ----

class Party extends Judge {
  #texts = 0;
  #ports = 1024; // no two move to the same

  startHub() {
    if (this.hubs.length > 0 && !this.hub.isDead) return;
    const hub = new Hub(this.world, `hub${this.hubs.length + 1}`, HUB);
    hub.onOut = (line) => this.says(hub, line.replace(/^来自\S+的消息: /, ""));
    this.hubs.push(hub);
    hub.start("server.ts", ...HUB.split(":"));
  }

  join(name: string, address: string): Member {
    const one = new Member(this.world, name, address);
    one.path = this.path;
    one.onOut = (line) => this.shows(one, line);
    one.onErr = (line) => this.tells(one, line);
    this.members.push(one);
    one.start("client.ts", name, ...HUB.split(":"));
    return one;
  }

  async meet(size: number): Promise<Member[]> {
    this.startHub();
    await this.world.run(50);
    for (const name of ["ann", "ben", "cid", "dan", "eve"].slice(0, size)) {
      this.join(name, `10.0.0.${this.members.length + 2}:1000`);
      await this.world.run(this.world.random() * 100);
    }
    await this.world.run(3000);
    return this.members;
  }

  /** Say so many lines, some of them long. */
  say(one: Member, count = 1) {
    const { world, kind: { long = 0.02 } } = this;
    if (one.isDead || one.leftAt < Infinity) return;
    const lines = Array.from({ length: count }, () => {
      const text = `${one.label}-${++this.#texts}`;
      this.typedAt.set(text, world.now);
      const size = world.random() < long ? world.pick(980) : 0;
      return `${".".repeat(size)}${text}`;
    });
    one.type(...lines);
  }

  talk(one: Member) {
    const { world, kind: { names = 0 } } = this;
    if (one.isDead) return;
    this.say(one, world.random() < 0.1 ? 5 : 1);
    const what = world.random();
    if (what < 0.04) one.type("/who", "/who");
    else if (what < 0.08 + names) one.type(`/name n${world.pick(4)}`);
  }

  /** Something happens to one; another may have to do with it. */
  happen(what: string, one = this.any(), other = this.any()) {
    const { world, there } = this;
    if (!one || !other) return;
    const ms = 100 + world.random() ** 3 * 9000; // mostly not long
    const address = `10.0.9.9:${++this.#ports}`;
    const isVariant = world.random() < 0.3;
    world.log(`${what}: ${one.label}`);
    const happens: Record<string, () => void> = {
      restart: () => {
        this.hub.end();
        world.at(ms, () => this.startHub());
      },
      stop: () => (isVariant ? this.hub : one).stoppedUntil = world.now + ms,
      move: () => one.moveTo(address, isVariant),
      swap: () => { // one takes the other's address over
        one.moveTo(other.address);
        other.moveTo(address);
      },
      join: () => this.talk(this.join("fay", address)),
      leave: () => this.leave(one, isVariant ? "SIGTERM" : undefined),
      interrupt: () => this.leave(one, "SIGINT"),
      forge: () => { // what was overheard comes from another address
        const data = Buffer.from(this.answer);
        for (const it of there) it.receive(data, HUB);
        world.send(address, HUB, data);
        const proof = this.proof.replace(/ \d+/, ` ${world.now * 1e3 | 0}`);
        world.send(address, HUB, Buffer.from(proof));
      },
    };
    happens[what]!();
  }

  any(): Member | undefined {
    return this.there[this.world.pick(this.there.length)];
  }

  leave(one: Member, signal?: string) {
    const { world } = this;
    this.say(one, world.pick(60));
    if (world.random() < 0.2) one.path = { drop: 1 };
    const leave = () => one.leave(signal);
    world.at(world.random() * 200, leave);
    if (signal && world.random() < 0.3) world.at(250, leave);
  }

  async play() {
    const { world, kind } = this;
    const all = await this.meet(3 + world.pick(3));
    const span = kind.pipe ? 7000 : 30_000;
    if (kind.pipe) all.at(-1)!.path = { ...this.path, base: 200 };
    for (const [i, one] of all.entries()) {
      const lines = (kind.pipe ?? 0) * (i === 0 ? 12 : 1);
      const begin = 3000 + world.random() * 2000; // all keep up, by then
      if (lines) world.at(begin, () => this.say(one, lines));
      for (let ms = 0; !lines && ms < span; ms += world.random() * 2000) {
        world.at(ms, () => this.talk(one));
      }
    }
    for (const [what, times] of Object.entries(kind.events ?? {})) {
      for (let i = 0; i < times; i++) {
        world.at(world.random() * span, () => this.happen(what));
      }
    }
    await world.run(span);
    await this.settle();
  }

  /** Soon all have all. */
  async settle() {
    const { world } = this;
    this.startHub();
    const end = world.now + this.within;
    while (this.missing() && world.now < end) await world.run(100);
    const missing = this.missing();
    this.must(missing === "", `${missing} after ${this.within} ms`);
  }
}

// ---- Scenes ----

/** In silence, and then without a hub, there is little to be heard. */
async function quiet(party: Party) {
  await party.play();
  for (const one of party.there) one.path = {};
  await party.world.run(60_000);
  // A router forgets who is silent for more than half a minute.
  for (const [s, least, most] of [[31, 4, 18], [60, 15, 60]] as const) {
    const before = party.datagrams;
    await party.world.run(s * 1000);
    const each = (party.datagrams - before) / party.there.length;
    const is = each >= least && each <= most;
    party.must(is, `${each} datagrams of each in ${s} s`);
    const told = party.there.every(({ isCut }) => isCut === (s === 60));
    party.must(told, `they are told wrongly whether an answer comes`);
    party.hub.end();
  }
}

/** Who says much under fifty names, and hears late of it, leaves room. */
async function flood(party: Party) {
  const { world } = party;
  const [ann] = await party.meet(2) as [Member];
  for (let i = 0; i < 50; i++) {
    const one = party.join(`f${i}`, `10.0.9.1:${1000 + i}`);
    one.path = { base: 1000 };
    one.onOut = () => {}; // what it shows costs too much time
    party.say(one, 200);
  }
  for (let i = 0; i < 15; i++) {
    await world.run(250);
    party.must(ann.shownOwn === i, `line ${i} takes over 250 ms`);
    party.say(ann);
  }
  for (const one of party.there) one.end();
}

/** No more than 250 come from one address, and no more than 1000 at all. */
async function crowd(party: Party) {
  const { world } = party;
  await party.meet(0);
  for (const ip of [1, 2, 3, 4, 5]) {
    for (let i = 0; i < 251; i++) {
      const one = party.join(`m${ip}_${i}`, `10.0.${ip}.1:${1000 + i}`);
      world.at(2500, () => one.end()); // it is here, and costs no more time
    }
    await world.run(2500);
    const [count, most] = [party.hub.here.size, Math.min(ip * 250, 1000)];
    party.must(count === most, `${count} are in, not ${most}`);
  }
}

/** Who is silent for 2 minutes is dropped; who comes back is told. */
async function gone(party: Party) {
  const { world } = party;
  const [ann, ben, cid] = await party.meet(3) as [Member, Member, Member];
  cid.end();
  ben.path = { drop: 1 };
  for (let i = 0; i < 150; i++) {
    party.say(ann, 15);
    await world.run(1000);
    const [least, most] = [i < 100 ? 3 : 1, i > 125 ? 1 : 3];
    const { size } = party.hub.here;
    party.must(size >= least && size <= most, `${size} here after ${i} s`);
  }
  ben.path = {};
  await party.settle();
  party.must(party.missed > 1000, `${party.missed} lines are missed`);

  // Who stands still for a minute does not take its network for a slow one.
  ann.type("/who");
  await world.run(0.2);
  ann.stoppedUntil = world.now + 60_000;
  await world.run(60_000);
  ann.path = { drop: 1 };
  party.say(ann);
  await world.run(100);
  ann.path = {};
  await party.settle();
}

const POINTS = 40; // datagrams of the conversation, each of which can be hit
const LAGS = [[], [1, 1.2], [450], [3300], [1, 3300]];
const EVENTS = ["restart", "move", "swap"];

/**
 * A short conversation in which two datagrams are lost, repeated or late, and
 * at one point the hub starts anew, a member moves, or takes over the other's
 * address, or none of it: 2,444,200 seeds, one after the other, are all cases.
 */
async function faults(party: Party, seed: number) {
  const { world } = party;
  const digits = [POINTS * LAGS.length, 101, POINTS * EVENTS.length + 1];
  const cases = digits.reduce((all, digit) => all * digit);
  let which = seed * 7919 % cases; // no factor in common: all come
  const [first, apart, event] = digits.map((digit) => {
    const rest = which % digit;
    which = (which - rest) / digit;
    return rest;
  }) as [number, number, number];
  const second = (first + apart) % digits[0]!;
  await party.meet(0);
  const ann = party.join("ann", "10.0.0.2:1");
  const ben = party.join("ben", "10.0.0.3:1");
  let n = 0;
  world.lags = () => {
    const what = EVENTS[Math.floor(event / POINTS)];
    const happen = () => party.happen(what!, ann, ben);
    if (event % POINTS === n && what) world.at(0, happen);
    const hit = [first, second].find((hit) => hit % POINTS === n) ?? Infinity;
    n++;
    return LAGS[Math.floor(hit / POINTS)] ?? [1];
  };
  world.at(60, () => party.say(ann));
  world.at(65, () => party.say(ben));
  world.at(70, () => ann.type("/who", "/name anna"));
  world.at(90, () => party.say(ann));
  world.at(600, () => ann.leave());
  world.at(1800, () => party.say(ben));
  world.at(1900, () => ben.leave());
  await world.run(6000);
  await party.settle();
}

// ---- The run ----

const { SEED = "", WORLDS = "" } = process.env;
const [, KIND = SEED, NUMBER] = /^([a-z]*)-?(\d*)$/i.exec(SEED) ?? [];
const isOne = KIND && NUMBER && !WORLDS;
const kinds = KIND ? [KIND] : Object.keys(KINDS);
const first = Number(NUMBER || Math.floor(Math.random() * 1e9));
const skip = !canStrip && "a Node that strips types is needed: 22.18 or later";
assert(!skip || SEED + WORLDS === "", skip || "");
assert(kinds[0]! in KINDS, `${kinds[0]} is not a kind of worlds`);

/** Play worlds of this kind for so long; returns what is wrong, or "". */
async function play(name: string, ms: number): Promise<string> {
  const [kind, end] = [KINDS[name]!, performance.now() + ms];
  let [seed, datagrams, shown] = [first, 0, 0];
  do {
    const party = new Party(kind, seed);
    const { faults, trace } = party.world;
    await (kind.scene?.(party, seed) ?? party.play())
      .catch(({ stack }: Error) => faults.push(stack!));
    party.members.forEach((one) => party.ended(one));
    if (isOne) console.log(trace.join("\n"));
    if (faults[0]) return `SEED=${name}-${seed}: ${faults[0]}`;
    seed++;
    datagrams += party.datagrams;
    shown += party.shown;
  } while (!isOne && performance.now() < end);
  console.log(`${name}: ${seed - first} worlds`);
  const [cost, { each = Infinity }] = [datagrams / shown, kind];
  const isCheap = cost <= each || seed - first < 100; // few tell nothing
  return isCheap ? "" : `${name}: ${cost} datagrams for a line that is shown`;
}

// All worlds before the test: it makes promises ten times slower.
const found: string[] = [];
for (const kind of skip ? [] : kinds) {
  found.push(await play(kind, Number(WORLDS || 25) * 1000 / kinds.length));
}
test(`worlds, SEED=${KIND && `${KIND}-`}${first}`, { skip }, () => {
  assert.equal(found.filter((fault) => fault).join("\n"), "");
});
