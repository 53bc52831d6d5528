// The real group/server.ts and group/client.ts in a simulated world: its time
// is virtual, its network is drawn from a seed, and a seed replays exactly.
// Nothing of the scripts is changed: their types are stripped, and the world
// gives them what they import and the globals that they use.

import { Buffer } from "node:buffer";
import * as crypto from "node:crypto";
import { EventEmitter, once } from "node:events";
import { readFileSync } from "node:fs";
import * as module from "node:module";
import { compileFunction } from "node:vm";

// ---- The scripts ----

type Given = Record<string, unknown>;
type Act = (...args: unknown[]) => void;
type Script = (...given: unknown[]) => () => boolean;

/** What must be true inside of the scripts: nothing grows without end. */
const BOUNDS: Record<string, string> = {
  "server.ts": "members.size < 2002 && here.size < 1001 && kept.length < 1025",
  "client.ts": "ahead.size < 2049 && unsaid.length < 10_600",
};
const scripts: Record<string, Script> = {};
const { stripTypeScriptTypes } = module as unknown as {
  stripTypeScriptTypes?: (text: string) => string;
};
export const canStrip = stripTypeScriptTypes !== undefined;

/** A script as a function of its modules and globals. */
function load(name: string, globals: string[]) {
  const file = new URL(`../../group/${name}`, import.meta.url);
  const text = readFileSync(file, "utf8");
  const code = stripTypeScriptTypes!(text).replace(
    /^import ([^;]*?)\s+from ("[^"]*");/gm,
    (_, names, from) => `const ${names.replace("* as", "")} = given[${from}];`,
  );
  const all = `"use strict"; ${code}\nreturn () => ${BOUNDS[name]};`;
  const filename = `group/${name}`;
  return compileFunction(all, ["given", ...globals], { filename }) as Script;
}

// ---- Time and the network ----

export const HUB = "10.0.0.1:6001";
export const KILLED = 137; // its exit code
const QUEUE = 1200; // ms of waiting before a narrow path, which then drops

/** Shares of the datagrams from 0 to 1, times in ms. */
export interface Path {
  drop?: number;
  repeat?: number;
  delay?: number; // so many come up to `late` later
  late?: number;
  base?: number; // one way at the most, at least half of it
  rate?: number; // bytes per ms
  busy?: number; // until then
}
export class World {
  now = 1000;
  readonly trace: string[] = [];
  readonly faults: string[] = [];
  readonly owners = new Map<string, Program>(); // by address
  /** Each datagram when it is sent, and each copy of it when it has come. */
  tap = (_from: string, _to: string, _data: Buffer, _hasCome: boolean) => {};
  /** How late the copies of a datagram come. */
  lags: (path: Path, bytes: number) => number[] = this.#draw;
  /** What is to happen, the next one is the last. */
  readonly #queue: { time: number; act: () => void; program?: Program }[] = [];
  readonly #until = performance.now() + 60_000; // it takes no longer
  #seed: number;

  constructor(seed: number) {
    this.#seed = seed + 1;
  }

  /** From 0 to 1 (Park and Miller's generator). */
  random(): number {
    this.#seed = this.#seed * 48271 % 0x7fffffff;
    return this.#seed / 0x7fffffff;
  }

  /** A whole number below n. */
  pick(n: number): number {
    return Math.floor(this.random() * n);
  }

  log(what: string) {
    this.trace.push(`${(this.now / 1000).toFixed(3)} s ${what}`);
  }

  fault(what: string) {
    if (this.faults.length > 0) return; // it may be why
    this.log(`FAULT: ${what}`);
    this.faults.push(this.trace.at(-1)!);
  }

  at(ms: number, act: () => void, program?: Program) {
    const time = this.now + ms;
    let [low, high] = [0, this.#queue.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#queue[middle]!.time > time) low = middle + 1;
      else high = middle;
    }
    this.#queue.splice(low, 0, { time, act, ...(program && { program }) });
  }

  async run(ms: number) {
    const end = this.now + ms;
    while (this.faults.length === 0) {
      const event = this.#queue.at(-1);
      if (!event || event.time > end) break;
      this.#queue.pop();
      this.now = event.time;
      const { act, program } = event;
      if (program?.isDead) continue;
      const stop = (program?.stoppedUntil ?? 0) - this.now;
      if (stop > 0) this.at(stop, act, program);
      else act();
      for (let i = 0; i < 8; i++) await null; // what the scripts await
      if (performance.now() > this.#until) this.fault("takes too long");
    }
    this.now = end;
  }

  send(from: string, to: string, data: Buffer) {
    this.tap(from, to, data, false);
    const path = this.owners.get(to === HUB ? from : to)?.path ?? {};
    for (const lag of this.lags(path, data.length)) {
      this.at(lag, () => {
        this.tap(from, to, data, true);
        this.owners.get(to)?.receive(data, from);
      });
    }
  }

  #draw(path: Path, bytes: number): number[] {
    const { drop = 0, repeat = 0, delay = 0, late = 0, base = 1 } = path;
    let lag = base * (0.5 + this.random() / 2);
    if (this.random() < delay) lag += this.random() * late;
    if (path.rate) {
      const wait = Math.max((path.busy ?? 0) - this.now, 0);
      if (wait > QUEUE) return [];
      path.busy = this.now + wait + (bytes + 28) / path.rate;
      lag += path.busy - this.now;
    }
    const lags = this.random() < drop ? [] : [lag];
    if (this.random() < repeat) lags.push(lag + this.random() * late);
    return lags;
  }
}

// ---- The programs ----

/** A running script, what the world gives it, and the pipe that it reads. */
export class Program {
  readonly world: World;
  readonly label: string;
  readonly startedAt: number;
  address: string;
  path: Path | undefined; // to the hub
  stoppedUntil = 0; // by SIGSTOP
  isDead = false;
  code = 0;
  endedAt = 0;
  leftAt = Infinity; // when its input ended, or a signal came
  readonly interrupts: number[] = []; // when Ctrl+C was pressed
  readonly typed: string[] = []; // lines that it has read
  readonly input: string[] = []; // lines that it has not read
  onOut = (_line: string) => {};
  onErr = (_line: string) => {};
  readonly #process = Object.assign(new EventEmitter(), {
    argv: ["", ""],
    versions: {},
    exitCode: undefined as number | undefined,
    exit: (code?: number) => this.end(code ?? this.#process.exitCode ?? 0),
    stdin: new EventEmitter(),
    stdout: this.#output((line) => this.onOut(line)),
    stderr: this.#output((line) => this.onErr(line)),
  });
  readonly #socket = Object.assign(new EventEmitter(), {
    bind: () => this.world.at(0.01, () => this.#socket.emit("listening"), this),
    close() {},
    send: this.#send.bind(this),
  });
  readonly #keyboard = Object.assign(new EventEmitter(), {
    isPaused: false,
    isClosed: false,
    pause: () => this.#keyboard.isPaused = true,
    resume: () => {
      if (this.#keyboard.isClosed) throw new Error("resumed after its end");
      this.#keyboard.isPaused = false;
      this.#flow();
    },
    close: () => {
      if (this.#keyboard.isClosed) return;
      this.#keyboard.isClosed = true;
      this.#keyboard.emit("close");
    },
  });

  constructor(world: World, label: string, address: string) {
    [this.world, this.label, this.address] = [world, label, address];
    this.startedAt = world.now;
    this.moveTo(address);
  }

  start(name: string, ...args: string[]) {
    const { world } = this;
    const process = this.#process;
    process.argv.push(...args);
    const epoch = world.now - 30 - world.random() * 100;
    const setTimeout = (act: Act, ms: number, ...args: unknown[]) =>
      world.at(Math.max(ms, 1), () => act(...args), this);
    const setImmediate = (act: Act) => world.at(0.001, act, this);
    const setInterval = (act: Act, ms: number) => {
      const again = () => (setTimeout(again, ms), act());
      setTimeout(again, ms);
    };
    const given: Given = {
      "node:crypto": {
        ...crypto,
        randomBytes: (n: number) => Buffer.alloc(n).map(() => world.pick(256)),
        randomInt: (a: number, b: number) => a + world.pick(b - a),
      },
      "node:dgram": {
        createSocket: (_: string, receive: Act) =>
          this.#socket.on("message", receive),
      },
      "node:dns/promises": {
        lookup: (host: string) => Promise.resolve({ address: host, family: 4 }),
      },
      "node:events": { once },
      "node:process": process,
      "node:readline": { createInterface: () => this.#keyboard },
      "node:timers/promises": {
        setTimeout: (ms: number) => new Promise((go) => setTimeout(go, ms)),
        setImmediate: () => new Promise(setImmediate),
      },
    };
    const globals: Given = {
      performance: { now: () => world.now - epoch },
      console: { error: (text: string) => process.stderr.write(`${text}\n`) },
      Math: Object.create(Math, { random: { value: () => world.random() } }),
      ...{ setTimeout, setInterval, setImmediate },
    };
    const script = scripts[name] ??= load(name, Object.keys(globals));
    const look = script(given, ...Object.values(globals));
    setInterval(() => {
      if (!look()) world.fault(`${this.label} breaks ${BOUNDS[name]}`);
    }, 500);
  }

  #output(onLine: (line: string) => void) {
    const write = (text: string, onWritten?: () => void) => {
      if (this.isDead) return;
      for (const line of text.split("\n").slice(0, -1)) {
        this.world.log(`${this.label}: ${line}`);
        onLine(line);
      }
      if (onWritten) this.world.at(0.01, onWritten, this);
    };
    return Object.assign(new EventEmitter(), { write });
  }

  #send(
    message: string | (string | Buffer)[],
    port: number,
    address: string,
    onSent = (_: unknown) => {},
  ) {
    if (this.isDead) return;
    const { world } = this;
    const parts = [message].flat().map((part) => Buffer.from(part as string));
    const data = Buffer.concat(parts);
    if (data.length > 1200) world.fault(`${this.label} sends ${data.length} B`);
    world.send(this.address, `${address}:${port}`, data);
    world.at(0.0005, () => onSent(null), this);
  }

  receive(data: Buffer, from: string) {
    const [address, port] = from.split(":");
    const info = { address, port: Number(port) };
    this.world.at(0, () => this.#socket.emit("message", data, info), this);
  }

  /** It gets another address; the old one may still lead to it. */
  moveTo(address: string, keepsOld = false) {
    const { owners } = this.world;
    const isOurs = owners.get(this.address) === this;
    if (isOurs && !keepsOld) owners.delete(this.address);
    this.address = address;
    owners.set(address, this);
  }

  /** SIGKILL, or by itself. */
  end(code = KILLED) {
    if (this.isDead) return;
    [this.isDead, this.code, this.endedAt] = [true, code, this.world.now];
  }

  type(...lines: string[]) {
    this.world.log(`${this.label} < ${lines}`);
    this.input.push(...lines);
    this.#flow();
  }

  /** At the end of the pipe, or by a signal. */
  leave(signal?: string) {
    this.leftAt = Math.min(this.leftAt, this.world.now);
    if (signal === "SIGINT") this.interrupts.push(this.world.now);
    const emit = () => this.#process.emit(signal!);
    if (signal) this.world.at(0, emit, this);
    else this.#flow();
  }

  /** Whole chunks: the lines of one come although it was paused meanwhile. */
  #flow() {
    const { world, input, typed } = this;
    world.at(0.01, () => {
      const keyboard = this.#keyboard;
      if (keyboard.isPaused || keyboard.isClosed) return;
      const lines = input.splice(0, 500);
      for (const line of lines) {
        typed.push(line);
        keyboard.emit("line", line);
      }
      if (lines.length > 0) this.#flow();
      else if (this.leftAt < Infinity) keyboard.close();
    }, this);
  }
}
