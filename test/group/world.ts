// The real group/server.ts and group/client.ts in a simulated world: its time
// is virtual, its network is drawn from a seed, and a seed replays exactly.
// Nothing of the scripts is changed: their types are stripped, and the world
// gives them what they import and the globals that they use.

import { Buffer } from "node:buffer";
import * as crypto from "node:crypto";
import * as events from "node:events";
import { readFileSync } from "node:fs";
import * as module from "node:module";
import process from "node:process";
import { compileFunction } from "node:vm";

// ---- The scripts ----

type Given = Record<string, unknown>;
type Script = (
  given: (name: string) => Given,
  ...globals: unknown[]
) => Record<string, () => number>;
const { stripTypeScriptTypes } = module as unknown as {
  stripTypeScriptTypes: (text: string) => string;
};
const GLOBALS = ["process", "console", "performance", "Math", "setTimeout"]
  .concat("setInterval", "clearInterval", "clearTimeout", "setImmediate");
/** What is looked at inside of the scripts, and how much it may be. */
const BOUNDS: Record<string, Record<string, number>> = {
  "server.ts": { "members.size": 2001, "here.size": 1000, "kept.length": 1024 },
  "client.ts": { "ahead.size": 2048, "unsaid.length": 10_600 },
};
const EDITS = process.env["EDITS"]; // a file with [script, from, to], breaks
const scripts: Record<string, Script> = {};

/** A script as a function, which returns how to look at what has bounds. */
function load(name: string): Script {
  const file = new URL(`../../group/${name}`, import.meta.url);
  let text = readFileSync(file, "utf8").replace(/^#!/, "//");
  for (
    const [to, a, b] of EDITS ? JSON.parse(readFileSync(EDITS, "utf8")) : []
  ) {
    if (to === name) text = text.replace(a, () => b);
  }
  const code = stripTypeScriptTypes(text).replace(
    /^import\s+(\* as)?([^;]*?)\sfrom\s+("[^"]*");/gm,
    (_, all, names: string, from) => {
      const isDefault = !all && !names.includes("{");
      const given = `given(${from})${isDefault ? ".default" : ""}`;
      return `const ${names.replaceAll(" as ", ": ")} = ${given};`;
    },
  );
  const looks = Object.keys(BOUNDS[name]!).map((it) => `"${it}": () => ${it}`);
  return compileFunction(
    `"use strict"; { ${code}\nreturn { ${looks.join(", ")} }; }`,
    ["given", ...GLOBALS],
    { filename: `group/${name}` },
  ) as Script;
}

// ---- Time and the network ----

export const HUB = "10.0.0.1:6001";
const LIMIT = 60_000; // ms of real time that a world may take
/** What a loop that was stopped sees first. */
const [TIMER, DATAGRAM, REST] = [0, 1, 2];

/** Shares of the datagrams from 0 to 1, times in ms. */
export interface Path {
  drop?: number;
  repeat?: number;
  delay?: number; // so many come up to `late` later
  late?: number;
  base?: number; // one way
  rate?: number; // bytes per ms each way, from a queue of so many bytes
  queue?: number;
}
interface Event {
  time: number;
  act: () => void;
  program: Program | undefined;
  kind: number;
  isOver: boolean;
}
class Exit extends Error {}

export function dice(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class World {
  now = 1000;
  readonly random: () => number; // what people do
  readonly chance: () => number; // what the network does
  readonly own: () => number; // what the scripts draw
  readonly hubs: Program[] = [];
  readonly members: Member[] = [];
  readonly trace: string[] = [];
  readonly faults: string[] = [];
  isVerbose = false; // with all datagrams in the trace
  /** Who has which address. */
  readonly owners = new Map<string, (data: Buffer, from: string) => void>();
  /** Each datagram when it is sent, and each copy of it when it has come. */
  tap = (_from: string, _to: string, _data: Buffer, _hasCome: boolean) => {};
  /** Instead of the dice: how late the copies of a datagram come. */
  lags: (path: Path, data: Buffer, isUp: boolean) => number[] = this.#draw;
  readonly #queue: Event[] = []; // the next one is the last
  readonly #busy = new Map<Path, [number, number]>(); // until when, each way
  readonly #until = performance.now() + LIMIT;
  #isCalling = false;

  constructor(seed: number) {
    [this.random, this.chance] = [dice(seed), dice(seed ^ 0x5bd1e995)];
    this.own = dice(seed ^ 0x2545f491);
  }

  get hub(): Program | undefined {
    return this.hubs.findLast((one) => !one.isDead);
  }

  log(what: string) {
    this.trace.push(`${(this.now / 1000).toFixed(3)} s ${what}`);
  }

  fault(what: string) {
    this.log(`FAULT: ${what}`);
    this.faults.push(this.trace.at(-1)!);
  }

  at(ms: number, act: () => void, program?: Program, kind = REST): Event {
    const event = { time: 0, act, program, kind, isOver: false };
    return this.insert(event, ms);
  }

  insert(event: Event, ms: number): Event {
    event.time = this.now + ms;
    let [low, high] = [0, this.#queue.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#queue[middle]!.time > event.time) low = middle + 1;
      else high = middle;
    }
    this.#queue.splice(low, 0, event);
    return event;
  }

  async run(ms: number) {
    const end = this.now + ms;
    for (let i = 1;; i++) {
      const event = this.#queue.at(-1);
      if (!event || event.time > end || this.faults.length > 0) break;
      this.#queue.pop();
      const { program } = event;
      if (event.isOver || program?.isDead) continue;
      this.now = event.time;
      if (program?.backlog) program.backlog.push(event);
      else this.call(event.act, program);
      for (let i = 0; i < 8; i++) await null; // what the scripts await
      if (program?.isOpen === false && this.isIdle(program)) {
        this.end(program, program.process.exitCode ?? 0);
      }
      if (i % 1000 === 0 && performance.now() > this.#until) {
        throw new Error(`a world that takes more than ${LIMIT / 1000} s`);
      }
    }
    this.now = end;
  }

  call(act: () => void, program?: Program) {
    this.#isCalling = true;
    try {
      act();
    } catch (error) {
      if (error instanceof Exit) return;
      const [what, where] = (error as Error).stack?.split("\n") ?? [];
      this.fault(`${program?.label ?? "a world"} crashes: ${what}${where}`);
      program?.kill();
    } finally {
      this.#isCalling = false;
    }
  }

  /** A program ends; what it does in the same breath counts no more. */
  end(program: Program, code: number) {
    if (!program.isDead) Object.assign(program, { code, endedAt: this.now });
    program.isDead = true;
    if (this.#isCalling) throw new Exit();
  }

  /** Has it nothing to wait for but the network? */
  isIdle(program: Program): boolean {
    return !this.#queue.some((one) =>
      one.program === program && !one.isOver && one.kind !== DATAGRAM
    );
  }

  send(from: string, to: string, data: Buffer, path: Path = {}) {
    this.tap(from, to, data, false);
    if (this.isVerbose) {
      this.log(`${from} > ${to} ${JSON.stringify(`${data}`)}`);
    }
    for (const lag of this.lags(path, data, to === HUB)) {
      this.at(lag, () => {
        const owner = this.owners.get(to);
        if (owner) this.tap(from, to, data, true);
        owner?.(data, from);
      });
    }
  }

  #draw(path: Path, data: Buffer, isUp: boolean): number[] {
    const { drop = 0, repeat = 0, delay = 0, late = 0, base = 1 } = path;
    const [a, b, c] = [this.chance(), this.chance(), this.chance()];
    const [d, e, f] = [this.chance(), this.chance(), this.chance()];
    let lag = base * (0.5 + d / 2) + (c < delay ? e * late : 0);
    if (path.rate) {
      const busy = this.#busy.get(path) ?? [0, 0];
      const start = Math.max(busy[Number(isUp)]!, this.now);
      if ((start - this.now) * path.rate > path.queue!) return [];
      busy[Number(isUp)] = start + (data.length + 28) / path.rate;
      this.#busy.set(path, busy);
      lag += busy[Number(isUp)]! - this.now;
    }
    const lags = a < drop ? [] : [lag];
    return b < repeat ? [...lags, lag + f * late] : lags;
  }
}

// ---- The programs ----

/** A line of a hub. */
export type Place = [run: number, n: number];

/** A running script: what the world gives it, and how it has ended. */
export class Program {
  readonly world: World;
  readonly label: string;
  readonly startedAt: number;
  address: string;
  path: Path = {};
  isDead = false;
  isKilled = false;
  isAway = false; // it was stopped, moved or cut off meanwhile
  isSlow = false; // it was stopped
  code = 0;
  endedAt = 0;
  backlog: Event[] | undefined; // while it is stopped
  readonly lines = [""]; // that a hub has said, by number
  readonly times = [0];
  onOut: (line: string) => void = () => {};
  onErr: (line: string) => void = () => {};
  readonly process = Object.assign(new events.EventEmitter(), {
    argv: ["", ""],
    versions: {},
    exitCode: undefined as number | undefined,
    exit: (code?: number) =>
      this.world.end(this, code ?? this.process.exitCode ?? 0),
    stdin: new events.EventEmitter(),
    stdout: this.#output((line) => this.onOut(line)),
    stderr: this.#output((line) => this.onErr(line)),
  });
  isOpen: boolean | undefined; // its socket
  #receive: (data: Buffer, from: string) => void = () => {};
  #waiting = 0; // bytes in the kernel's buffer while it is stopped
  #unsent = 0; // datagrams in the runtime's hands

  constructor(world: World, label: string, address: string) {
    [this.world, this.label, this.address] = [world, label, address];
    this.startedAt = world.now;
  }

  start(name: string, ...args: string[]) {
    const { world, process } = this;
    process.argv.push(...args);
    const epoch = world.now - 30 - world.own() * 100;
    const later = (kind: number, ms: number) =>
      new Promise((resolve) => world.at(ms, () => resolve(0), this, kind));
    const modules: Record<string, Given> = {
      "node:buffer": { Buffer },
      "node:process": { default: process },
      "node:events": { ...events },
      "node:crypto": {
        ...crypto,
        randomBytes: (n: number) =>
          Buffer.from(Array.from({ length: n }, () => world.own() * 256)),
        randomInt: (a: number, b: number) =>
          Math.floor(a + world.own() * (b - a)),
      },
      "node:dgram": { createSocket: this.#createSocket.bind(this) },
      "node:dns/promises": {
        lookup: (host: string) => Promise.resolve({ address: host, family: 4 }),
      },
      "node:timers/promises": {
        setTimeout: (ms: number) => later(TIMER, Math.max(ms, 1)),
        setImmediate: () => later(REST, 0.001),
      },
      "node:readline": this.readline(),
    };
    const given = (name: string) => modules[name] ?? {};
    const clear = (event?: { timer: Event }) => {
      if (event) event.timer.isOver = true;
    };
    const globals: Given = {
      process,
      performance: { now: () => world.now - epoch },
      console: {
        log: (text: string) => process.stdout.write(`${text}\n`),
        error: (text: string) => process.stderr.write(`${text}\n`),
      },
      Math: Object.assign(Object.create(Math), { random: world.own }),
      setTimeout: this.#timer(false),
      setInterval: this.#timer(true),
      setImmediate: (act: () => void) => world.at(0.001, act, this),
      clearTimeout: clear,
      clearInterval: clear,
    };
    world.call(() => {
      const of = (scripts[name] ??= load(name))(
        given,
        ...GLOBALS.map((it) => globals[it]),
      );
      const look = () => {
        for (const [what, most] of Object.entries(BOUNDS[name]!)) {
          const is = of[what]!();
          if (is > most) world.fault(`${this.label}: ${what} is ${is}`);
        }
        world.at(500, look, this, DATAGRAM);
      };
      look();
    }, this);
  }

  readline(): Given {
    return {};
  }

  #timer(isInterval: boolean) {
    return (act: () => void, ms: number) => {
      const fire = () => {
        if (isInterval) handle.timer = arm();
        act();
      };
      const arm = () => this.world.at(Math.max(ms, 1), fire, this, TIMER);
      const handle = { timer: arm() };
      return handle;
    };
  }

  #output(onLine: (line: string) => void) {
    let rest = "";
    const write = (text: string, onWritten?: () => void) => {
      if (this.isDead) return true;
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        this.world.log(`${this.label}: ${line}`);
        onLine(line);
      }
      if (onWritten) this.world.at(0.01, onWritten, this);
      return true;
    };
    return Object.assign(new events.EventEmitter(), { write });
  }

  #createSocket(_type: string, onMessage: (...args: unknown[]) => void) {
    const { world } = this;
    const socket = Object.assign(new events.EventEmitter(), {
      bind: () => world.at(0.01, () => socket.emit("listening"), this),
      address: () => ({ port: 6001 }),
      setRecvBufferSize() {},
      close: () => this.isOpen = false,
      send: (
        message: string | Buffer | (string | Buffer)[],
        port: number,
        address: string,
        onSent?: (error: null) => void,
      ) => {
        if (this.isDead) return;
        const parts = [message].flat().map((it) => Buffer.from(it as string));
        const [data, to] = [Buffer.concat(parts), `${address}:${port}`];
        if (data.length > 1200) world.fault(`${data.length} bytes to ${to}`);
        if (++this.#unsent > 200) world.fault(`${this.label}'s queue grows`);
        const member = world.members.findLast((one) => one.address === to);
        world.send(this.address, to, data, (member ?? this).path);
        world.at(0.0005, () => {
          this.#unsent--;
          onSent?.(null);
        }, this);
      },
    }).on("message", onMessage);
    this.isOpen = true;
    this.#receive = (data, from) => {
      if (this.isDead || !this.isOpen) return;
      this.#waiting = this.backlog ? this.#waiting + data.length + 600 : 0;
      if (this.#waiting > 4e6) return;
      const [address, port] = from.split(":");
      const info = { address, port: Number(port), size: data.length };
      world.at(0, () => socket.emit("message", data, info), this, DATAGRAM);
    };
    this.moveTo(this.address);
    return socket;
  }

  /** It gets another address; the old one may still lead to it. */
  moveTo(address: string, keepsOld = false) {
    const { owners } = this.world;
    const isOurs = owners.get(this.address) === this.#receive;
    if (isOurs && !keepsOld) owners.delete(this.address);
    this.address = address;
    owners.set(address, this.#receive);
  }

  /** SIGKILL. */
  kill() {
    this.isDead = this.isKilled = true;
    this.endedAt = this.world.now;
  }

  /** SIGSTOP, and SIGCONT after so many ms: timers, datagrams, all the rest. */
  suspend(ms: number) {
    if (this.isDead || this.backlog) return;
    this.backlog = [];
    this.isAway = this.isSlow = true;
    this.world.at(ms, () => {
      const all = this.backlog!.sort((a, b) => a.kind - b.kind);
      this.backlog = undefined;
      for (const [i, it] of all.entries()) this.world.insert(it, i * 1e-4);
    });
  }
}

/** A client, and the pipe that it reads. */
export class Member extends Program {
  readonly name: string; // that it wants
  readonly typed: string[] = [];
  places: Place[] = []; // to which it has shown all, as far as can be known
  shownOwn = 0; // lines that it has typed and shown
  replies = 0; // to /who
  told = 0; // lines that it does not know to be delivered
  leftAt = Infinity; // when its input ended
  interrupts: number[] = [];
  #isPaused = false;
  readonly #input: string[][] = []; // in chunks
  readonly #keyboard = Object.assign(new events.EventEmitter(), {
    isClosed: false,
    pause: () => this.#isPaused = true,
    resume: () => {
      if (this.#keyboard.isClosed) throw new Error("resumed after its end");
      this.#isPaused = false;
      this.#flow();
    },
    close: () => {
      if (this.#keyboard.isClosed) return;
      this.#keyboard.isClosed = true;
      this.#keyboard.emit("close");
    },
  });

  constructor(world: World, name: string, address: string, label: string) {
    super(world, label, address);
    this.name = name;
  }

  override readline(): Given {
    return { createInterface: () => this.#keyboard };
  }

  get isRead(): boolean {
    return this.#input.length === 0;
  }

  /** Whole chunks: the lines of one come although it was paused meanwhile. */
  #flow() {
    this.world.at(0.01, () => {
      if (this.#isPaused || this.#keyboard.isClosed) return;
      const lines = this.#input.shift() ?? [];
      for (const line of lines) {
        if (this.#keyboard.isClosed) break;
        if (this.interrupts.length === 0) this.typed.push(line);
        this.#keyboard.emit("line", line);
      }
      if (lines.length > 0) this.#flow();
      else if (this.leftAt < Infinity) this.#keyboard.close();
    }, this);
  }

  type(...lines: string[]) {
    for (let i = 0; i < lines.length; i += 500) {
      this.#input.push(lines.slice(i, i + 500));
    }
    this.#flow();
  }

  /** At the end of the pipe, or by a signal. */
  leave(signal?: "SIGINT" | "SIGTERM") {
    this.leftAt = Math.min(this.leftAt, this.world.now);
    if (signal === "SIGINT") this.interrupts.push(this.world.now);
    if (!signal) this.#flow();
    else this.world.at(0, () => void this.process.emit(signal), this);
  }
}
