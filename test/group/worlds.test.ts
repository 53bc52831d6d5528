// The group in simulated networks (world.ts): what must be true of every one.
//
//   npm test                               half a minute of worlds by new seeds
//   SEED=lossy-17 npm test                 the one that failed, with its trace
//   WORLDS=3600 node test/group/worlds.test.ts       so many seconds of worlds
//
// Members are judged from outside only: by what was typed, shown and said, by
// datagrams on the wire, and by how they end.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { spawn, spawnSync } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { dice, HUB, type Member, type Path, type Program } from "./world.ts";
import { World } from "./world.ts";

// ---- The oracle ----

/** What is known of a hub, which may be gone. */
interface Log {
  lines: string[]; // by number
  times: number[];
  said: Map<string, number>; // by label, the newest serial
}

/** Where a member may stand: the next line that it shows is one of these. */
type Place = [run: number, n: number];

class Judge {
  readonly world: World;
  readonly within: number; // ms
  readonly logs: Log[] = [];
  readonly places = new Map<Member, Place[]>();
  readonly said = new Map<string, { run: number; at: number }>();
  readonly typedAt = new Map<string, number>();
  readonly private = new Set<string>(); // notices for one alone
  readonly cookies = new Set<string>(); // address, token and cookie
  readonly proved = new Set<string>(); // address and token
  readonly balance = new Map<string, number>(); // datagrams, of who is unproved
  readonly sentAt = new Map<string, number>();
  readonly haves = new Map<string, number>(); // by address and token
  readonly speakers = new Map<string, string>(); // by name, who is here
  replies = 0; // to /who
  shown = 0;
  missed = 0;
  worst = 0; // ms from typed to shown
  up = 0;
  down = 0;
  silence = 0; // ms, the longest of a member
  lost = new Map<Member, number>(); // lines, as it tells
  own = new Map<Member, number>(); // lines of its own that it has shown

  constructor(world: World, within: number) {
    [this.world, this.within] = [world, within];
    world.tap = (from, to, data, come) => {
      if (to === HUB) this.fromClient(from, data, come);
      else this.fromHub(to, data, come);
    };
  }

  hub(hub: Program) {
    const run = this.logs.length;
    const log: Log = { lines: [""], times: [0], said: new Map() };
    this.logs.push(log);
    for (const one of [this.cookies, this.proved, this.speakers, this.haves]) {
      one.clear();
    }
    hub.onOut = (shown) => {
      const line = shown.replace(/^来自\[\S+\]的消息: /, "");
      log.lines.push(line);
      log.times.push(this.world.now);
      if (line.startsWith("* ")) return this.notices(line);
      const [, name = "", text = "", label = "", serial] =
        /^(\S+): ((\w+)-(\d+))$/.exec(line) ?? [];
      if (!text) return;
      const speaker = this.speakers.get(name) || label;
      if (speaker !== label || !this.speakers.has(name)) {
        this.world.fault(`${label} speaks as ${name}, who is ${speaker}`);
      }
      this.speakers.set(name, label);
      const before = this.said.get(text);
      if (before?.run === run) this.world.fault(`${text} is said twice`);
      else if (before) this.unsure(before.run, before.at, `${text} again`);
      if (Number(serial) <= (log.said.get(label) ?? -1)) {
        this.world.fault(`${text} is said out of order`);
      }
      log.said.set(label, Number(serial));
      this.said.set(text, { run, at: this.world.now });
    };
  }

  /** Who comes, goes, and takes another name: no two have one name. */
  notices(line: string) {
    const { speakers, world } = this;
    const [, name = "", what, rest = ""] = /^\* (\S+) (\S+) (.*)$/.exec(line) ??
      [];
    const isNew = what === "joined";
    if (speakers.has(name) === isNew) world.fault(`"${line}" cannot be`);
    const speaker = speakers.get(name) ?? "";
    speakers.delete(name);
    if (what === "is") {
      const other = rest.slice(4);
      if (speakers.has(other)) {
        world.fault(`"${line}", a name that is not free`);
      }
      speakers.set(other, speaker);
      return;
    }
    if (isNew) speakers.set(name, "");
    const size = Number(/\((\d+) here\)$/.exec(line)?.[1]);
    if (size !== speakers.size) {
      world.fault(`"${line}", but ${speakers.size} are`);
    }
  }

  /** Lost or repeated with a hub: only what it said in its last moments. */
  unsure(run: number, at: number, what: string) {
    const end = this.world.hubs[run]!.endedAt;
    if (at + this.within < end) this.world.fault(`${what}, long after its hub`);
  }

  member(member: Member) {
    this.places.set(member, []);
    member.onOut = (line) => this.shows(member, line);
    member.onErr = (line) => {
      const lost = /^lines .*delivered.*: (\d+)/.exec(line)?.[1];
      if (lost) this.lost.set(member, Number(lost));
    };
  }

  shows(member: Member, line: string) {
    const { logs, world } = this;
    const places = this.places.get(member)!;
    const count = Number(/^\* lines that you missed: (\d+)$/.exec(line)?.[1]);
    if (count > 0) this.missed += count;
    const next: Place[] = [];
    const isJoining = line.startsWith(`* ${member.name}`) &&
      / joined \(/.test(line);
    for (const [run, { lines }] of logs.entries()) {
      const firsts = places.filter(([r]) => r === run).map(([, n]) => n);
      const isLater = places.length > 0
        ? places.some(([r]) => r < run)
        : world.hubs[run]!.startedAt > member.startedAt;
      if (isLater) firsts.push(0);
      if (places.length === 0 && count > 0) firsts.push(...lines.keys());
      for (const n of firsts) {
        if (count > 0 && n + count < lines.length) next.push([run, n + count]);
        else if (lines[n + 1] === line) next.push([run, n + 1]);
      }
      if (places.length > 0 || !isJoining) continue;
      for (const [n, one] of lines.entries()) {
        if (one === line) next.push([run, n]);
      }
    }
    if (next.length > 0) {
      for (const [run, n] of places) {
        const at = logs[run]!.times[n + 1];
        const isLost = next.every(([r]) => r > run) && at !== undefined;
        if (isLost) {
          this.unsure(run, at, `${member.label} has no line ${n + 1}`);
        }
      }
      this.places.set(member, next);
      this.shown++;
      const text = /: (\w+-\d+)$/.exec(line)?.[1] ?? "";
      const delay = world.now - (this.typedAt.get(text) ?? world.now);
      if (text.startsWith(`${member.label}-`)) {
        this.own.set(member, (this.own.get(member) ?? 0) + 1);
      }
      if (!member.isAway) this.worst = Math.max(this.worst, delay);
      return;
    }
    const isSaid = logs.some(({ lines }) => lines.includes(line));
    if (/^\* \d+ here: /.test(line)) this.replies++;
    const isOwn = line === "" || (line.startsWith("* ") && !isSaid);
    const mayBe = this.private.has(line);
    if (isOwn && mayBe) return;
    const due = places.map(([run, n]) => logs[run]!.lines[n + 1]).join(" or ");
    world.fault(`${member.label} shows "${line}", "${due}" is due`);
  }

  fromClient(from: string, data: Buffer, come: boolean) {
    const [head = "", line = ""] = data.toString("latin1", 0, 120).split("\n");
    if (!come) {
      this.up++;
      const before = this.sentAt.get(from) ?? this.world.now;
      this.silence = Math.max(this.silence, this.world.now - before);
      this.sentAt.set(from, this.world.now);
      return;
    }
    const who = `${from} ${head.slice(1, 17)}`;
    this.balance.set(who, (this.balance.get(who) ?? 0) + 1);
    const have = /\n\/have (\d+)/.exec(data.toString("latin1", 0, 200))?.[1];
    if (have) this.haves.set(who, Math.max(this.haves.get(who) ?? 0, +have));
    const cookie = /^\/join (\S+)/.exec(line)?.[1];
    if (this.cookies.has(`${who} ${cookie}`)) this.proved.add(who);
  }

  /** Only who has proved its address gets more than it sends. */
  fromHub(to: string, data: Buffer, come: boolean) {
    const text = data.toString();
    const who = `${to} ${text.slice(1, 17)}`;
    if (come) {
      for (const [line] of text.matchAll(/^\* .*/gm)) this.private.add(line);
      return;
    }
    this.down++;
    const cookie = /^\/join (\S+)/m.exec(text)?.[1];
    if (cookie) this.cookies.add(`${who} ${cookie}`);
    const first = Number(/^(\d+) /m.exec(text)?.[1] ?? 0);
    const room = (this.haves.get(who) ?? Infinity) + 512;
    const oldest = this.logs.at(-1)!.lines.length - 1024; // that is kept
    if (first > room && first > oldest) {
      this.world.fault(`${to} gets ${first}, has room for ${room}`);
    }
    if (this.proved.has(who)) return;
    const left = (this.balance.get(who) ?? 0) - 1;
    this.balance.set(who, left);
    if (left < 0 || data.length > 80) {
      this.world.fault(
        `${to} has proved nothing and gets ${data.length} bytes`,
      );
    }
  }

  /** Its lines that no hub has said. */
  unsaid({ typed }: Member): string[] {
    return typed.map(({ text }) => text).filter((text) =>
      /^\w+-\d+$/.test(text) && !this.said.has(text)
    );
  }

  /** What is still missing to those who are there, or "". */
  missing(): string {
    const { logs, world } = this;
    const run = logs.length - 1;
    const last = logs[run]!.lines.length - 1;
    for (const one of world.members.filter((one) => !one.dead)) {
      const [unsaid] = this.unsaid(one);
      if (one.leftAt < Infinity) return `${one.label} does not end`;
      if (unsaid) return `nobody has said ${unsaid}`;
      const isThere = this.places.get(one)!.some(([r, n]) =>
        r === run && n === last
      );
      if (!isThere) {
        return `${one.label} lacks line ${last}: ${logs[run]!.lines[last]}`;
      }
    }
    return "";
  }

  /** How did those end who are gone? */
  ends(row: Row) {
    const isSure = !row.misses && !row.events?.stopHub && !row.events?.restart;
    for (const one of this.world.members) {
      if (!one.dead || one.isKilled) continue;
      const lost = this.unsaid(one).length;
      const told = this.lost.get(one) ?? 0;
      const { label, code, interrupts } = one;
      const took = one.endedAt - one.leftAt;
      const fault = (what: string) => this.world.fault(`${label} ${what}`);
      if (one.leftAt === Infinity) fault("ends by itself");
      if (lost > told && interrupts < 2) {
        fault(`lost ${lost}, tells of ${told}`);
      }
      if (code === 0 && told + lost > 0) fault(`lost ${lost}, but ends with 0`);
      if (isSure && interrupts === 0 && code !== 0) fault(`ends with ${code}`);
      if (took > this.within) fault(`takes ${took} ms to leave`);
      if (interrupts > 0 && code !== 130) fault(`ends with ${code}, not 130`);
      if (interrupts > 0 && took > 1100 && !one.isAway) fault("is still there");
      const own = one.typed.filter(({ text }) => /^\w+-\d+$/.test(text)).length;
      if (isSure && code === 0 && (this.own.get(one) ?? 0) < own) {
        fault(`ends before it has shown its own ${own} lines`);
      }
    }
  }
}

// ---- Parties ----

type Happening =
  | "restart"
  | "move"
  | "swap"
  | "stop"
  | "stopHub"
  | "outage"
  | "reborn"
  | "leave"
  | "interrupt";

interface Row {
  path?: Path;
  within: number; // s, from the last line until all have all
  events?: Partial<Record<Happening, number>>; // how often
  names?: boolean; // all want the same ones
  pipe?: number; // so many lines of each at once
  misses?: boolean; // some may miss lines, and are told
  delay?: number; // ms from typed to shown, at the most
  each?: number; // datagrams for what one member shows of one line
  span?: number; // s
  forged?: boolean; // strangers who know all but the tokens
  scene?: (party: Party, seed: number) => Promise<void>;
}

const bad = { drop: 0.3, repeat: 0.3, delay: 0.3, late: 50 };
const slow = { drop: 0.1, repeat: 0.2, delay: 0.2, late: 8000 };
const fair = { drop: 0.05, repeat: 0.05, delay: 0.1, late: 50 };
const each = { restart: 1, move: 2, swap: 1, stop: 1, stopHub: 1, outage: 1 };

const ROWS: Record<string, Row> = {
  clean: { within: 1, delay: 60, each: 1.5 },
  lossy: { path: bad, within: 15 },
  lossier: { path: { ...bad, drop: 0.6, late: 300 }, within: 60 },
  late: { path: slow, within: 30 },
  far: { path: { drop: 0.02, base: 400, delay: 0.3, late: 100 }, within: 15 },
  piped: { path: { ...fair, base: 20 }, pipe: 2000, within: 30, span: 8 },
  pipedFar: {
    path: { base: 100 },
    pipe: 2000,
    within: 30,
    span: 8,
    each: 0.06,
  },
  narrow: { path: { base: 25, rate: 16, queue: 2e4 }, pipe: 200, within: 60 },
  restarts: { events: { restart: 3 }, within: 10 },
  restartsBad: { path: bad, events: { restart: 3 }, within: 20 },
  restartsLate: { path: slow, events: { restart: 3 }, within: 40 },
  copies: {
    path: { repeat: 0.5, late: 60_000 },
    events: { restart: 1, leave: 2, reborn: 2 },
    within: 70,
  },
  moves: { path: fair, events: { move: 6 }, within: 10 },
  movesLate: { path: slow, events: { move: 6, swap: 2 }, within: 40 },
  stops: { path: fair, events: { stop: 4 }, within: 10 },
  hubStops: { path: fair, events: { stopHub: 3 }, within: 10 },
  outages: { path: fair, events: { outage: 3 }, within: 35, misses: true },
  reborn: { path: fair, events: { reborn: 4 }, within: 15 },
  leaving: { path: fair, events: { leave: 4 }, within: 15 },
  leavingBad: { path: bad, events: { leave: 5 }, within: 40 },
  interrupts: { path: fair, events: { interrupt: 4 }, within: 15 },
  names: { path: fair, names: true, within: 15 },
  all: {
    path: { drop: 0.2, repeat: 0.2, delay: 0.2, late: 3000 },
    events: { ...each, reborn: 1, leave: 1, interrupt: 1 },
    names: true,
    misses: true,
    within: 60,
  },
  forged: { forged: true, within: 1, delay: 60 },
  herd: { path: { ...fair, drop: 0.01, base: 10 }, within: 10, scene: herd },
  crowd: { within: 5, scene: crowd },
  flood: { path: { base: 10 }, within: 5, scene: flood },
  gone: { path: { base: 10 }, within: 10, misses: true, scene: gone },
  faults: { within: 25, scene: faults },
};

class Party {
  readonly world: World;
  readonly row: Row;
  readonly judge: Judge;
  readonly random: () => number;
  readonly seats: Member[] = []; // who sits there, one after the other
  #serial = 0;
  #until = 0;

  constructor(world: World, row: Row) {
    [this.world, this.row] = [world, row];
    this.judge = new Judge(world, row.within * 1000);
    this.random = world.random;
  }

  startHub() {
    if (!this.world.hub) this.judge.hub(this.world.startHub());
  }

  join(name: string, address: string, label = name): Member {
    const options = {
      label,
      terminal: this.random() < 0.3,
      path: { ...this.row.path },
    };
    const member = this.world.join(name, address, options);
    this.judge.member(member);
    return member;
  }

  /** Say so many lines, no two of which are the same. */
  say(member: Member, lines = 1) {
    if (member.dead || member.leftAt < Infinity) return;
    for (let i = 0; i < lines; i++) {
      const text = `${member.label}-${++this.#serial}`;
      this.judge.typedAt.set(text, this.world.now);
      member.type(text);
    }
  }

  talk(seat: number) {
    const { world, random, row } = this;
    const member = this.seats[seat]!;
    if (world.now > this.#until) return;
    this.say(member, random() < 0.1 ? 5 : 1);
    const what = random();
    if (what < 0.03) member.type("/who");
    if (what > 0.95) member.type(`/name ${member.label}${this.#serial}`);
    if (what < 0.3 && row.names) member.type(`/name n${what * 10 | 0}`);
    world.at(random() * 2000, () => this.talk(seat));
  }

  newAddress(): string {
    return `10.0.1.1:${1024 + Math.floor(this.random() * 60_000)}`;
  }

  happen(what: Happening) {
    const { world, random, seats } = this;
    const seat = Math.floor(random() * seats.length);
    const [one, other] = [seats[seat]!, seats[(seat + 1) % seats.length]!];
    const [ms, address] = [random() ** 3, this.newAddress()];
    if (what === "restart") {
      world.hub?.kill();
      world.at(20 + ms * 9000, () => this.startHub());
    }
    if (what === "stopHub" && world.hub) suspend(world.hub, 100 + ms * 6000);
    if (one.dead) return;
    if (what === "move") {
      one.isAway = true;
      one.moveTo(address, random() < 0.3);
    }
    if (what === "swap" && !other.dead) {
      const [a, b] = [one.address, other.address];
      one.moveTo(address);
      other.moveTo(a);
      one.moveTo(b);
    }
    if (what === "stop") suspend(one, 100 + ms * 6000);
    if (what === "outage") {
      one.isAway = true;
      Object.assign(one.path!, { drop: 1 });
      world.at(100 + ms * 20_000, () => one.path = { ...this.row.path });
    }
    if (what === "reborn") {
      one.kill();
      world.at(100 + ms * 3000, () => {
        const label = `${one.label}x`;
        const to = random() < 0.5 ? one.address : address;
        seats[seat] = this.join(one.name, to, label);
      });
    }
    if (what === "leave" || what === "interrupt") {
      if (random() < 0.5) this.say(one, Math.floor(random() * 60));
      const how = what === "interrupt" ? "SIGINT" : "SIGTERM";
      world.at(random() * 200, () => {
        if (what === "leave" && random() < 0.7) one.leave();
        else one.signal(how);
        if (random() < 0.2) world.at(50, () => one.signal(how));
      });
    }
  }

  async run() {
    const { world, random, row } = this;
    const span = (row.span ?? 30) * 1000;
    this.startHub();
    await world.run(50);
    const size = 3 + Math.floor(random() * 3);
    for (let i = 0; i < size; i++) {
      const name = ["ann", "ben", "cid", "dan", "eve"][i]!;
      this.seats.push(this.join(name, `10.0.0.${i + 2}:1000`));
      await world.run(random() * 500);
    }
    await world.run(3000);
    this.#until = world.now + span;
    for (const i of this.seats.keys()) {
      if (row.pipe) {
        world.at(random() * 2000, () => this.say(this.seats[i]!, row.pipe));
      } else this.talk(i);
    }
    for (const [what, times = 0] of Object.entries(row.events ?? {})) {
      for (let i = 0; i < times; i++) {
        world.at(random() * span, () => this.happen(what as Happening));
      }
    }
    if (row.forged) this.forge();
    await world.run(span);
    await this.settle();
  }

  /** Soon all have all, and then there is little to be heard. */
  async settle() {
    const { world, row, judge } = this;
    this.startHub();
    const end = world.now + row.within * 1000;
    while (judge.missing() && world.now < end) await world.run(200);
    const missing = judge.missing();
    if (missing) world.fault(`after ${row.within} s ${missing}`);
    for (const one of world.members) one.path = {};
    await world.run(10_000);
    const before = judge.up;
    await world.run(30_000);
    const there = world.members.filter((one) => !one.dead);
    const each = (judge.up - before) / there.length;
    if (each > 9) world.fault(`${each} requests of each in 30 s of silence`);
    for (const { address, label } of there) {
      const at = judge.sentAt.get(address) ?? 0;
      if (at < world.now - 16_000) world.fault(`${label} is silent for 16 s`);
    }
  }

  /** What somebody off the path can send, from any address to any other. */
  forge() {
    const { world, random } = this;
    if (world.now > this.#until) return;
    const head = `#${
      Math.floor(random() * 2 ** 53).toString(16).padStart(16, "0")
    }`;
    const [n, time] = [Math.floor(random() * 50), Math.floor(random() * 1e6)];
    const lines = [
      `/say ${n} forged`,
      `/say ${n} /quit`,
      "/join 0 eve 0",
      "x",
      `/join ${head.slice(1)} eve 0`,
      `/have ${n}`,
      "/full",
      `/gone ${n}`,
      `${n} forged`,
      `/said ${n}`,
      "/welcome 0 eve",
      "* forged",
      `/sent ${n}`,
    ];
    const text = `${this.pick([head, "#", ""])} ${time} 0\n${
      this.pick(lines)
    }\n`;
    const one = this.pick(this.seats).address;
    const up = random() < 0.5;
    if (up) world.send(one, HUB, Buffer.from(text));
    else world.owners.get(one)?.(Buffer.from(text), HUB);
    world.at(random() * 50, () => this.forge());
  }

  pick<T>(from: T[]): T {
    return from[Math.floor(this.random() * from.length)]!;
  }
}

function suspend(program: Program, ms: number) {
  if (program.dead || program.stopped) return;
  program.isAway = true;
  program.stop();
  program.world.at(ms, () => program.continue());
}

// ---- Scenes ----

/** A member whose program is not ours. */
class Peer {
  readonly world: World;
  readonly address: string;
  readonly name: string;
  isIn = false;
  isFull = false;
  #time = 0;
  #cookie = "0";
  #have = 0;
  #said = 0;

  constructor(world: World, address: string, name: string) {
    [this.world, this.address, this.name] = [world, address, name];
    world.owners.set(address, (data) => this.hear(data.toString()));
  }

  hear(text: string) {
    for (const line of text.split("\n")) {
      const [word = "", first = ""] = line.split(" ");
      if (word === "/join") [this.#cookie, this.isIn] = [first, false];
      if (word === "/welcome") this.isIn = true;
      if (word === "/full") this.isFull = true;
      if (word === "/said") this.#said = Math.max(this.#said, Number(first));
      if (/^\d+$/.test(word)) this.#have = Math.max(this.#have, Number(word));
    }
  }

  /** Ask for what it has not, say so many lines, and tell late what it has. */
  ask(lines: string[] = [], lateness = 0) {
    const { world, name, address } = this;
    const token = Buffer.from(name).toString("hex").padStart(16, "0");
    const have = this.#have;
    world.at(lateness, () => {
      const text = [`#${token} ${++this.#time}`];
      if (!this.isIn) text.push(`/join ${this.#cookie} ${name} 0`);
      text.push(`/have ${have}`);
      for (const [i, line] of lines.entries()) {
        text.push(`/say ${this.#said + 1 + i} ${line}`);
      }
      world.send(address, HUB, Buffer.from(text.join("\n") + "\n"));
    });
  }
}

/** A hub starts anew, and hundreds of members want in again at once. */
async function herd(party: Party) {
  const { world } = party;
  party.startHub();
  await world.run(50);
  for (let i = 0; i < 150; i++) {
    party.seats.push(party.join(`m${i}`, `10.1.0.${i}:1000`));
    await world.run(20);
  }
  await world.run(3000);
  world.hub?.kill();
  await world.run(2000);
  await party.settle();
}

/** No more than 250 come from one address, and no more than 1000 at all. */
async function crowd(party: Party) {
  const { world } = party;
  party.startHub();
  await world.run(50);
  const peers: Peer[] = [];
  const join = async (ip: string, size: number) => {
    const more = Array.from(
      { length: size },
      (_, i) => new Peer(world, `${ip}:${2000 + i}`, `p${peers.length + i}`),
    );
    peers.push(...more);
    for (
      let i = 0;
      i < 20 && more.some((one) => !one.isIn && !one.isFull);
      i++
    ) {
      for (const one of more) if (!one.isIn && !one.isFull) one.ask();
      await world.run(100);
    }
    const count = more.filter((one) => one.isIn).length;
    const full = more.filter((one) => one.isFull).length;
    return `${count} in, ${full} not`;
  };
  const expect = (is: string, want: string) => {
    if (is !== want) world.fault(`${is}, instead of ${want}`);
  };
  expect(await join("10.2.0.1", 251), "250 in, 1 not");
  for (const ip of [2, 3, 4]) {
    expect(await join(`10.2.0.${ip}`, 250), "250 in, 0 not");
  }
  expect(await join("10.2.0.5", 1), "0 in, 1 not");
  peers[0]!.ask(["/quit"]);
  await world.run(100);
  expect(await join("10.2.0.6", 1), "1 in, 0 not");
}

/** Fifty names from one address talk as much as they can, and read slowly. */
async function flood(party: Party) {
  const { world, seats, judge } = party;
  party.startHub();
  await world.run(50);
  for (const [i, name] of ["ann", "ben", "cid"].entries()) {
    seats.push(party.join(name, `10.0.0.${i + 2}:1000`));
  }
  await world.run(1000);
  const lines = Array.from({ length: 60 }, () => "x");
  for (let i = 0; i < 50; i++) {
    const peer = new Peer(world, `10.2.0.1:${2000 + i}`, `p${i}`);
    const ask = () => {
      peer.ask(lines, peer.isIn ? 4800 : 0);
      world.at(45 + 10 * world.random(), ask);
    };
    ask();
  }
  await world.run(8000);
  for (let i = 0; i < 10; i++) {
    for (const one of seats) party.say(one);
    await world.run(1000);
  }
  seats.push(party.join("dan", "10.0.0.9:1000"));
  await world.run(3000);
  if (!judge.places.get(seats[3]!)?.length) world.fault("a newcomer waits 3 s");
}

/** Who is silent for 2 minutes is dropped; who comes back is told. */
async function gone(party: Party) {
  const { world, seats, judge } = party;
  party.startHub();
  for (const [i, name] of ["ann", "ben", "cid"].entries()) {
    seats.push(party.join(name, `10.0.0.${i + 2}:1000`));
  }
  await world.run(1000);
  const [ann, ben, cid] = seats as [Member, Member, Member];
  party.say(cid);
  await world.run(1000);
  cid.kill();
  const at = judge.sentAt.get(cid.address)!;
  Object.assign(ben.path!, { drop: 1 });
  for (let i = 0; i < 150; i++) {
    party.say(ann, i === 70 ? 1500 : 1);
    await world.run(1000);
  }
  const { lines, times } = judge.logs[0]!;
  const n = lines.findIndex((line) => line.startsWith("* cid timed out"));
  const after = (times[n] ?? 0) - at;
  if (after < 119e3 || after > 123e3) {
    world.fault(`cid timed out after ${after} ms`);
  }
  Object.assign(ben.path!, { drop: 0 });
  await party.settle();
  if (!lines.some((line) => line.startsWith("* ben timed out"))) {
    world.fault("ben is not dropped");
  }
  if (judge.missed < 500) {
    world.fault(`ben is told of ${judge.missed} missed lines`);
  }
}

const LAGS = [[], [1, 1.2], [450], [1, 450], [3300], [1, 3300]];
const POSITIONS = 50; // datagrams of the conversation that are hit
const HITS = POSITIONS * LAGS.length + 1;

/**
 * A short conversation in which up to two datagrams are lost, repeated or late,
 * and a hub starts anew, or a member moves, or its address is taken over. Small
 * seeds are all plans of two faults, and all of one of each; others are drawn.
 */
async function faults(party: Party, seed: number) {
  const { world, seats } = party;
  const draw = dice(seed);
  const k = seed - HITS ** 2;
  let plan = [-1, seed % HITS, Math.floor(seed / HITS)];
  if (k >= 0) plan = [k % (4 * POSITIONS), Math.floor(k / 4 / POSITIONS), 0];
  if (k >= 4 * POSITIONS * HITS) {
    plan = [4 * POSITIONS, HITS, HITS].map((most) => Math.floor(draw() * most));
  }
  const [event = 0, ...hits] = plan;
  let n = -1;
  world.lags = () => {
    n++;
    if (n === event >> 2) world.at(0, () => happens[event % 4]!());
    const hit = hits.find((hit) =>
      hit > 0 && (hit - 1) / LAGS.length >> 0 === n
    );
    return hit ? LAGS[(hit - 1) % LAGS.length]! : [1];
  };
  party.startHub();
  await world.run(20);
  const [ann, ben] = [
    party.join("ann", "10.0.0.2:1"),
    party.join("ben", "10.0.0.3:1"),
  ];
  seats.push(ann, ben);
  const happens = [
    () => {
      world.hub?.kill();
      party.startHub();
    },
    () => ann.moveTo("10.0.0.2:2"),
    () => {
      ann.moveTo("10.0.0.2:2", true);
      world.at(700, () => ann.moveTo("10.0.0.2:1", true));
    },
    () => {
      ann.moveTo("10.0.0.2:2");
      ben.moveTo("10.0.0.2:1");
    },
  ];
  world.at(60, () => party.say(ann));
  world.at(65, () => party.say(ben));
  world.at(70, () => ann.type("/who", "/name anna"));
  world.at(90, () => party.say(ann));
  world.at(600, () => ann.leave());
  world.at(1800, () => party.say(ben));
  world.at(1900, () => ben.leave());
  await world.run(6000);
  for (let i = 0; i < 20 && party.judge.missing(); i++) await world.run(1000);
  const missing = party.judge.missing();
  if (missing) world.fault(`after 26 s ${missing}, ${plan}`);
}

// ---- The run ----

const [, KIND = "", NUMBER] = /^([a-z]*)-?(\d*)$/i.exec(
  process.env["SEED"] ?? "",
) ?? [];
const IS_ONE = KIND && NUMBER && !process.env["WORLDS"];
const SECONDS = Number(process.env["WORLDS"] ?? 25);
const FIRST = Number(NUMBER || Math.floor(Math.random() * 1e9));
const KINDS = KIND ? [KIND] : Object.keys(ROWS);

/** One world, and what it must be in the end. */
async function run(kind: string, seed: number): Promise<Judge> {
  const world = new World(seed);
  const row = ROWS[kind]!;
  const party = new Party(world, row);
  const { judge } = party;
  await (row.scene?.(party, seed) ?? party.run()).catch(({ message }: Error) =>
    world.fault(message)
  );
  judge.ends(row);
  const { worst, shown, missed } = judge;
  const each = (judge.up + judge.down) / shown;
  const { delay = Infinity, each: most = Infinity } = row;
  if (worst > delay) world.fault(`a line is shown after ${worst} ms`);
  if (each > most) world.fault(`${each} datagrams for a line shown`);
  if (!row.misses && missed > 0) world.fault(`${missed} lines are missed`);
  return judge;
}

/** Worlds of a kind, until the time is over or three of them are at fault. */
async function runAll(kind: string) {
  const end = performance.now() + SECONDS * 1000 / KINDS.length;
  let [seed, faults, lines, shown, datagrams] = [FIRST, 0, 0, 0, 0];
  do {
    const judge = await run(kind, seed++);
    const [fault] = judge.world.faults;
    lines += judge.said.size;
    shown += judge.shown;
    datagrams += judge.up + judge.down;
    if (fault) console.log(`SEED=${kind}-${seed - 1}: ${fault}`);
    if (fault && ++faults === 3) break;
    if (IS_ONE) console.log(judge.world.trace.join("\n"));
  } while (!IS_ONE && performance.now() < end);
  const sum = `${lines} lines, ${shown} times shown, ${datagrams} datagrams`;
  console.log(`${kind}: ${seed - FIRST} worlds, ${sum}`);
}

/** The Node that is to run the worlds: it strips types, as ours may not. */
const node = ["execPath", "NODE26", "NODE24", "NODE22"].map((name) =>
  process.env[name] ?? process.execPath
).find((node) => {
  const asked = spawnSync(node ?? "", ["-p", "process.features.typescript"]);
  return String(asked.stdout).trim() === "strip";
});

const HOW = "to see one again: SEED=KIND-NUMBER npm test";

// In a process of its own, which can be ended whatever the scripts do.
if (process.env["IN_WORLDS"]) {
  for (const kind of KINDS) await runAll(kind);
} else {
  const skip = !node && "needs Node 22.18 or later, which strips types";
  test(`worlds, SEED=${KIND}${KIND && "-"}${FIRST}`, { skip }, async () => {
    const env = {
      ...process.env,
      IN_WORLDS: "1",
      SEED: `${KIND}-${FIRST}`,
      NODE_TEST_CONTEXT: undefined,
    };
    const child = spawn(node!, [
      "--no-warnings",
      fileURLToPath(import.meta.url),
    ], {
      env,
      stdio: ["ignore", "pipe", "inherit"],
      timeout: (SECONDS * 1.2 + 60) * 1000,
    });
    const faults: string[] = [];
    const ended = once(child, "close");
    for await (const line of createInterface({ input: child.stdout })) {
      console.log(line);
      if (line.startsWith("SEED=")) faults.push(line);
    }
    const [code, signal] = await ended;
    if (code !== 0) faults.push(`the worlds end with ${code ?? signal}`);
    if (faults.length > 0) assert.fail(`${faults.join("\n")}\n(${HOW})`);
  });
}
