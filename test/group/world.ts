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
type State = Record<string, () => number>;
type Script = (given: (name: string) => Given, ...globals: unknown[]) => State;
const { stripTypeScriptTypes } = module as unknown as {
  stripTypeScriptTypes: (text: string) => string;
};
const GLOBALS = "process console performance Math Date setTimeout clearTimeout"
  .concat(" setInterval clearInterval setImmediate clearImmediate").split(" ");
const EDITS = process.env["EDITS"]; // a file: [script, from, to][], breaks to try

/** A script as a function, which returns what the named expressions are. */
function load(name: string, expressions: string[]): Script {
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
  const state = expressions.map((it) => `${JSON.stringify(it)}: () => ${it}`);
  return compileFunction(
    `"use strict"; { ${code}\nreturn { ${state.join(", ")} }; }`,
    ["given", ...GLOBALS],
    { filename: `group/${name}` },
  ) as Script;
}

/** What is looked at inside of the scripts, and how much it may be. */
const BOUNDS: Record<"server.ts" | "client.ts", Record<string, number>> = {
  "server.ts": { "members.size": 2001, "here.size": 1000, "kept.length": 1024 },
  "client.ts": { "ahead.size": 2048, "unsaid.length": 10_600 },
};
const scripts = {
  "server.ts": load("server.ts", Object.keys(BOUNDS["server.ts"])),
  "client.ts": load("client.ts", Object.keys(BOUNDS["client.ts"])),
};

// ---- Time and the network ----

export function dice(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Shares of the datagrams from 0 to 1, times in ms. */
export interface Path {
  drop?: number;
  repeat?: number;
  delay?: number; // so many come up to `late` later
  late?: number;
  base?: number; // one way
  rate?: number; // bytes per ms, of a queue of so many bytes each way
  queue?: number;
}
const [ASAP, TIMER, DATAGRAM] = [2, 0, 1]; // the order in which a loop sees them
interface Event {
  time: number;
  act: () => void;
  program: Program | undefined;
  kind: number;
  dead: boolean;
}
export const HUB = "10.0.0.1:6001";
const LIMIT = 60_000; // ms that a world may take of real time

class Exit extends Error {}

export class World {
  now = 1000;
  readonly random: () => number; // what people do
  readonly chance: () => number; // what the network does
  readonly own: () => number; // what the scripts draw
  readonly path: Path = {};
  readonly hubs: Program[] = [];
  readonly members: Member[] = [];
  readonly faults: string[] = [];
  readonly trace: string[] = [];
  /** Who has which address. */
  readonly owners = new Map<string, (data: Buffer, from: string) => void>();
  /** Each datagram when it is sent, and again each copy when it has come. */
  tap = (_from: string, _to: string, _data: Buffer, _come: boolean) => {};
  /** Instead of the dice: how late the copies of a datagram come. */
  lags?: (from: string, to: string, data: Buffer) => number[];
  #queue: Event[] = []; // the next one is the last
  readonly #until = performance.now() + LIMIT;
  #calling = false;

  constructor(seed: number) {
    [this.random, this.chance] = [dice(seed), dice(seed ^ 0x5bd1e995)];
    this.own = dice(seed ^ 0x2545f491);
  }

  get hub(): Program | undefined {
    return this.hubs.findLast((one) => !one.dead);
  }

  log(what: string) {
    this.trace.push(`${(this.now / 1000).toFixed(3)} s ${what}`);
  }

  fault(what: string) {
    this.log(`FAULT ${what}`);
    this.faults.push(this.trace.at(-1)!);
  }

  at(ms: number, act: () => void, program?: Program, kind = ASAP): Event {
    const time = this.now + Math.max(0, ms);
    return this.insert({ time, act, program, kind, dead: false });
  }

  insert(event: Event): Event {
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
      if (!event || event.time > end) break;
      this.#queue.pop();
      const { program } = event;
      if (event.dead || program?.dead) continue;
      if (program?.stopped) {
        program.backlog.push(event);
        continue;
      }
      this.now = event.time;
      this.call(event.act, program);
      for (let i = 0; i < 8; i++) await null; // what the scripts await
      if (program?.isDone()) this.end(program);
      if (i % 10_000 === 0 && performance.now() > this.#until) {
        throw new Error(`more than ${LIMIT / 1000} s for this world`);
      }
    }
    this.now = end;
  }

  call(act: () => void, program?: Program) {
    this.#calling = true;
    try {
      act();
    } catch (error) {
      if (error instanceof Exit) return;
      const [what, where] = (error as Error).stack?.split("\n") ?? [];
      this.fault(`${program?.label ?? "a world"} crashes: ${what}${where}`);
      program?.kill();
    } finally {
      this.#calling = false;
    }
  }

  /** A program ends; what it does in the same breath counts no more. */
  end(program: Program, code?: number) {
    if (program.dead) return;
    program.dead = true;
    program.endedAt = this.now;
    program.code = code ?? program.process.exitCode ?? 0;
    if (this.#calling) throw new Exit();
  }

  /** Does anything still keep the program running? */
  waitsFor(program: Program): boolean {
    return this.#queue.some((one) =>
      one.program === program && !one.dead && one.kind !== DATAGRAM
    );
  }

  send(from: string, to: string, data: Buffer, path = this.path) {
    this.tap(from, to, data, false);
    const way = from === HUB ? "down" : "up";
    const lags = this.lags?.(from, to, data) ?? this.#draw(path, way, data);
    for (const lag of lags) {
      this.at(lag, () => {
        const owner = this.owners.get(to);
        if (!owner) return;
        this.tap(from, to, data, true);
        owner(data, from);
      });
    }
  }

  readonly #busy = new Map<Path, Record<string, number>>();

  #draw(path: Path, way: string, data: Buffer): number[] {
    const { drop = 0, repeat = 0, delay = 0, late = 0, base = 1 } = path;
    const { rate = Infinity, queue = Infinity } = path;
    const [a, b, c] = [this.chance(), this.chance(), this.chance()];
    const [d, e, f] = [this.chance(), this.chance(), this.chance()];
    let lag = base * (0.5 + d / 2) + (c < delay ? e * late : 0);
    if (rate < Infinity) {
      const busy = this.#busy.get(path) ?? {};
      this.#busy.set(path, busy);
      const wait = Math.max(0, (busy[way] ?? 0) - this.now);
      if (wait * rate > queue) return [];
      busy[way] = this.now + wait + (data.length + 28) / rate;
      lag += busy[way]! - this.now;
    }
    const lags = a < drop ? [] : [lag];
    return b < repeat ? [...lags, lag + f * late] : lags;
  }

  startHub(): Program {
    const hub = new Program(this, `hub${this.hubs.length + 1}`, HUB, false);
    this.hubs.push(hub);
    hub.start("server.ts", HUB.split(":"));
    return hub;
  }

  join(
    name: string,
    address: string,
    options: { label?: string; terminal?: boolean; path?: Path } = {},
  ): Member {
    const { label = name, terminal = false, path = this.path } = options;
    const member = new Member(this, label, address, terminal);
    Object.assign(member, { name, path });
    this.members.push(member);
    member.start("client.ts", [name, ...HUB.split(":")]);
    return member;
  }
}

// ---- The programs ----

/** A running script: what the world gives it, and what it has done. */
export class Program {
  readonly world: World;
  readonly label: string;
  readonly terminal: boolean;
  address: string;
  dead = false;
  stopped = false;
  code = 0; // when it has ended
  endedAt = 0;
  path?: Path; // else it is the world's
  backlog: Event[] = []; // what waits while it is stopped
  waiting = 0; // bytes in the kernel's buffer meanwhile
  unsent = 0; // datagrams in the runtime's hands
  isOpen = false; // its socket
  isKilled = false;
  isAway = false; // stopped or moved at times
  onOut: (line: string) => void = () => {};
  onErr: (line: string) => void = () => {};
  readonly startedAt: number;
  readonly process = Object.assign(new events.EventEmitter(), {
    argv: ["", ""],
    env: {},
    versions: { node: "24" },
    platform: "linux",
    exitCode: undefined as number | undefined,
    exit: (code?: number) => this.world.end(this, code),
    kill: () => true,
    stdin: stream({ isTTY: false, setRawMode() {}, unref() {} }),
    stdout: this.#output((line) => this.onOut(line)),
    stderr: this.#output((line) => this.onErr(line)),
  });
  state: State = {};
  #receive: (data: Buffer, from: string) => void = () => {};

  constructor(world: World, label: string, address: string, terminal: boolean) {
    [this.world, this.label] = [world, label];
    [this.address, this.terminal] = [address, terminal];
    this.startedAt = world.now;
    this.process.stdin.isTTY = this.process.stdout.isTTY = terminal;
  }

  /** All that the script can import, and its globals. */
  start(name: keyof typeof scripts, args: string[]) {
    const { world } = this;
    this.process.argv.push(...args);
    const epoch = world.now - 30 - world.own() * 100;
    const performance = { now: () => world.now - epoch };
    const later = (kind: number) => (ms = 0, value?: unknown) => {
      const wait = kind === TIMER ? Math.max(ms, 1) : 0.001;
      return new Promise((resolve) =>
        world.at(wait, () => resolve(value), this, kind)
      );
    };
    const modules: Record<string, Given> = {
      "node:buffer": { Buffer },
      "node:process": { default: this.process },
      "node:events": { ...events, default: events.EventEmitter },
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
        setTimeout: later(TIMER),
        setImmediate: (value?: unknown) => later(ASAP)(0, value),
      },
      "node:readline": this.readline(),
    };
    const given = (name: string) =>
      new Proxy(modules[name] ?? {}, {
        get(module, key) {
          if (key in module) return module[String(key)];
          throw new Error(`worlds do not know ${String(key)} of ${name}`);
        },
      });
    const clear = (event?: { timer: Event }) => {
      if (event) event.timer.dead = true;
    };
    const { stdout, stderr } = this.process;
    const globals: Given = {
      process: this.process,
      performance,
      console: {
        log: (text: unknown) => stdout.write(`${text}\n`),
        error: (text: unknown) => stderr.write(`${text}\n`),
      },
      Math: Object.assign(Object.create(Math), { random: world.own }),
      Date: { now: () => 1.8e12 + performance.now() },
      setTimeout: this.#timer(false),
      setInterval: this.#timer(true),
      setImmediate: (
        act: (...args: unknown[]) => void,
        ...args: unknown[]
      ) => ({
        timer: world.at(0.001, () => act(...args), this),
      }),
      clearTimeout: clear,
      clearInterval: clear,
      clearImmediate: clear,
    };
    world.call(() => {
      this.state = scripts[name](given, ...GLOBALS.map((it) => globals[it]));
    }, this);
    const look = () => {
      for (const [what, most] of Object.entries(BOUNDS[name])) {
        const is = this.state[what]?.() ?? 0;
        if (is > most) world.fault(`${this.label}: ${what} is ${is}`);
      }
      world.at(500, look, this, DATAGRAM);
    };
    world.at(10, look, this, DATAGRAM);
  }

  readline(): Given {
    return {};
  }

  isDone(): boolean {
    return false;
  }

  #timer(again: boolean) {
    return (act: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => {
      const arm = () => this.world.at(Math.max(ms, 1), fire, this, TIMER);
      const fire = () => {
        if (again) handle.timer = arm();
        act(...args);
      };
      const handle = { timer: arm(), unref() {}, ref() {} };
      return handle;
    };
  }

  #output(onLine: (line: string) => void) {
    let rest = "";
    const write = (text: string, done?: () => void) => {
      if (this.dead) return true;
      if (done) this.world.at(0.01, done, this);
      // deno-lint-ignore no-control-regex
      const lines = (rest + text).replace(/\r|\x1b\[[\d;?]*\w/g, "").split(
        "\n",
      );
      rest = lines.pop() ?? "";
      for (const line of lines) {
        this.world.log(`${this.label}: ${line}`);
        onLine(line);
      }
      return true;
    };
    return stream({ isTTY: false, write, end: write, columns: 80 });
  }

  #createSocket(_type: unknown, onMessage?: (...args: unknown[]) => void) {
    const { world } = this;
    const [ip = "", port] = HUB.split(":");
    const socket = Object.assign(new events.EventEmitter(), {
      bind: () => void world.at(0.01, () => socket.emit("listening"), this),
      connect: () => void world.at(0.01, () => socket.emit("connect"), this),
      address: () => ({ address: ip, port: Number(port), family: "IPv4" }),
      setRecvBufferSize() {},
      ref() {},
      unref() {},
      close: () => {
        this.isOpen = false;
        world.at(0.01, () => socket.emit("close"), this);
      },
      /** With port and address, or connected; with a callback or without. */
      send: (message: string | Buffer | Given[], ...rest: unknown[]) => {
        if (this.dead || !this.isOpen) return;
        const parts = [message].flat() as (string | Buffer)[];
        const data = Buffer.concat(
          parts.map((it) => Buffer.from(it as string)),
        );
        const [to, host] = rest.filter((it) => typeof it !== "function");
        const address = to === undefined ? HUB : `${host}:${to}`;
        if (data.length > 1200) {
          world.fault(`${this.label}: ${data.length} bytes`);
        }
        const path = world.members.find((one) => one.address === address);
        world.send(this.address, address, data, this.path ?? path?.path);
        if (++this.unsent > 200) {
          world.fault(`${this.label}: queue of datagrams`);
        }
        const sent = rest.find((it) => typeof it === "function");
        world.at(0.0005, () => {
          this.unsent--;
          (sent as ((error: null) => void) | undefined)?.(null);
        }, this);
      },
    });
    if (onMessage) socket.on("message", onMessage);
    this.isOpen = true;
    this.#receive = (data, from) => {
      if (this.dead || !this.isOpen) return;
      if (this.stopped && (this.waiting += data.length + 600) > 4e6) return;
      const [address, port] = from.split(":");
      const info = { address, port: Number(port), size: data.length };
      world.at(0, () => socket.emit("message", data, info), this, DATAGRAM);
    };
    this.moveTo(this.address);
    return socket;
  }

  /** It gets another address; the old one may lead to it for a while. */
  moveTo(address: string, keepsOld = false) {
    const { owners } = this.world;
    const isOurs = owners.get(this.address) === this.#receive;
    if (isOurs && !keepsOld) owners.delete(this.address);
    this.address = address;
    owners.set(address, this.#receive);
  }

  /** SIGKILL. */
  kill() {
    this.dead = this.isKilled = true;
    this.endedAt = this.world.now;
  }

  /** SIGSTOP; nothing runs, and the kernel keeps what comes, up to a bound. */
  stop() {
    [this.stopped, this.waiting] = [true, 0];
  }

  /** SIGCONT: timers first, then datagrams, then all the rest. */
  continue() {
    this.stopped = false;
    const all = this.backlog.splice(0).sort((a, b) => a.kind - b.kind);
    for (const [i, event] of all.entries()) {
      event.time = this.world.now + i * 1e-4;
      this.world.insert(event);
    }
  }
}

function stream<T extends object>(members: T) {
  return Object.assign(new events.EventEmitter(), members);
}

/** A client, and its person or pipe. */
export class Member extends Program {
  name = ""; // that it wants at first
  typed: { text: string; at: number }[] = [];
  leftAt = Infinity; // when its input ended
  interrupts = 0;
  #paused = false;
  #input: string[][] = []; // chunks of a pipe
  #atEnd = false;
  readonly #keyboard = Object.assign(new events.EventEmitter(), {
    closed: false,
    line: "",
    setPrompt() {},
    prompt() {},
    getCursorPos: () => ({ rows: 0, cols: 0 }),
    pause: () => void (this.#paused = true),
    resume: () => {
      if (this.#keyboard.closed) throw new Error("resumed after its end");
      this.#paused = false;
      this.#flow();
    },
    close: () => {
      if (this.#keyboard.closed) return;
      this.#keyboard.closed = true;
      this.#keyboard.emit("close");
    },
  });

  override readline(): Given {
    const createInterface = () => this.#keyboard;
    const nothing = () => {};
    const [moveCursor, clearScreenDown] = [nothing, nothing];
    const [cursorTo, clearLine] = [nothing, nothing];
    return {
      createInterface,
      moveCursor,
      clearScreenDown,
      cursorTo,
      clearLine,
    };
  }

  override isDone(): boolean {
    const reads = !this.#keyboard.closed && !this.#paused;
    return !this.isOpen && !reads && !this.world.waitsFor(this);
  }

  /** Whole chunks: the lines of one come although it was paused meanwhile. */
  #flow() {
    this.world.at(0.01, () => {
      if (this.#paused || this.#keyboard.closed) return;
      const lines = this.#input.shift();
      for (const text of lines ?? []) {
        if (this.#keyboard.closed) continue;
        if (this.leftAt === Infinity || this.#atEnd) {
          this.typed.push({ text, at: this.world.now });
        }
        this.#keyboard.emit("line", text);
      }
      if (lines) this.#flow();
      else if (this.#atEnd) this.#keyboard.close();
    }, this);
  }

  type(...lines: string[]) {
    for (let i = 0; i < lines.length; i += 500) {
      this.#input.push(lines.slice(i, i + 500));
    }
    this.#flow();
  }

  /** Ctrl+D, or the end of the pipe. */
  leave() {
    this.leftAt = Math.min(this.leftAt, this.world.now);
    this.#atEnd = true;
    this.#flow();
  }

  signal(name: string) {
    const { now } = this.world;
    this.leftAt = Math.min(this.leftAt, now);
    if (name === "SIGINT") this.interrupts++;
    const target = this.terminal && name === "SIGINT"
      ? this.#keyboard
      : this.process;
    this.world.at(0, () => {
      if (!target.emit(name)) {
        this.world.fault(`${this.label} hears no ${name}`);
      }
    }, this);
  }
}
