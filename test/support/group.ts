// The group chat as programs on some runtime, and members of the test's own
// that speak its protocol by hand.

import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { freePort, socketOf } from "./kernel.ts";
import { commandOf, listening, type Server, start } from "./pair.ts";
import { Program } from "./processes.ts";
import { here, type Runtime, runtimes } from "./runtimes.ts";

const DEADLINE = 30_000; // ms
const HEAD = /^#[0-9a-f]{16} [0-9a-f]{8} (\d+)$/; // token, run, time

/** As many as there can be, of those that are there, beginning behind this one. */
export function others(than: Runtime): Runtime[] {
  const next = here.indexOf(than) + 1;
  return runtimes.map((_, i) => here[(next + i) % here.length] ?? than);
}

/** A hub that listens on a free port. */
export function startHub(
  t: TestContext,
  runtime: Runtime,
  options?: { unread: boolean },
): Promise<Server> {
  const command = commandOf(runtime, "group/server.ts", "127.0.0.1", 0);
  return listening(new Program(t, command, options));
}

/** A hub on this port; members may knock before it listens. */
export function startHubOn(
  t: TestContext,
  runtime: Runtime,
  port: number,
): Program {
  return start(t, runtime, "group/server.ts", "127.0.0.1", port);
}

/** A member in a pipe. */
export function startMember(
  t: TestContext,
  runtime: Runtime,
  name: string,
  port: number,
): Program {
  return start(t, runtime, "group/client.ts", name, "127.0.0.1", port);
}

/** A member in a pipe that has seen itself join. */
export async function join(
  t: TestContext,
  runtime: Runtime,
  name: string,
  port: number,
): Promise<Program> {
  const member = startMember(t, runtime, name, port);
  await member.until(() => member.stdout.includes(`* ${name} joined (`));
  return member;
}

/** How often a text stands in another. */
export function count(text: string, part: string): number {
  return text.split(part).length - 1;
}

/** A socket that speaks to a hub, and keeps all that comes back. */
export class Raw {
  datagrams: Uint8Array[] = [];
  lines: string[] = []; // but for the heads
  token = ""; // of a program; who speaks by hand has none
  hub: number; // its port
  readonly #socket: Socket;
  have = 0; // the highest number that came
  #time = Math.trunc(performance.now()); // of the newest request
  #answered = 0; // the newest that was answered
  #closed = false;
  #look = () => {};

  constructor(socket: Socket, hub: number) {
    this.#socket = socket;
    this.hub = hub;
    socket.on("message", (bytes) => {
      this.datagrams.push(bytes);
      const lines = bytes.toString().replace(/\n$/, "").split("\n");
      const head = HEAD.exec(lines[0]!);
      if (head) lines.shift();
      this.#answered = Math.max(this.#answered, Number(head?.[1] ?? 0));
      this.lines.push(...lines);
      for (const line of lines) {
        this.have = Math.max(this.have, parseInt(line) || 0);
      }
      this.#look();
    });
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** Go without a word. */
  close() {
    if (!this.#closed) this.#socket.close();
    this.#closed = true;
  }

  /** Keep nothing of what came until now. */
  forget() {
    this.datagrams = [];
    this.lines = [];
  }

  send(data: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#socket.send(
        data,
        this.hub,
        "127.0.0.1",
        (error) => error ? reject(error) : resolve(),
      )
    );
  }

  /** Send it at once and then every half of a second until that is true. */
  async repeats(data: string | (() => string), done: () => boolean) {
    const send = () => this.send(typeof data === "string" ? data : data());
    const timer = setInterval(() => void send(), 500); // ms
    try {
      await send();
      await this.until(done);
    } finally {
      clearInterval(timer);
    }
  }

  /** What a program sends: these lines behind a head. */
  #behind(lines: string[]): string {
    return [`#${this.token} ${++this.#time}`, ...lines, ""].join("\n");
  }

  request(...lines: string[]): Promise<void> {
    return this.send(this.#behind(lines));
  }

  /** Say it as a program does, again and again until it is answered. */
  async ask(...lines: string[]) {
    const first = this.#time + 1;
    await this.repeats(
      () => this.#behind(lines),
      () => this.#answered >= first,
    );
  }

  /** Wait until this is true of what came. */
  async until(done: () => boolean) {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        const last = JSON.stringify(this.lines.slice(-20), null, 1);
        reject(new Error(`waited in vain, the last lines are ${last}`));
      }, DEADLINE);
      this.#look = () => {
        if (!done()) return;
        clearTimeout(timer);
        this.#look = () => {};
        resolve();
      };
      this.#look();
    });
  }

  /** Wait for a line, behind its number if it has one. */
  async hears(text: string) {
    await this.until(() => this.heard.includes(text));
  }

  /** The lines without their numbers. */
  get heard(): string[] {
    return this.lines.map((line) => line.replace(/^\d+ /, ""));
  }

  /** How many of its lines are taken, by the newest answer. */
  get said(): number {
    const answers = this.lines.filter((line) => line.startsWith("/said "));
    return Number(answers.at(-1)?.slice("/said ".length) ?? 0);
  }

  /** Ask something that has an answer: what was sent before has been dealt with. */
  async settles() {
    if (this.token) return await this.ask(`/have ${this.have}`);
    await this.#knock(/^\/(join|welcome) /);
  }

  /** The cookie for this socket. */
  async cookie(): Promise<string> {
    const answer = await this.#knock(/^\/join /);
    return answer.slice("/join ".length);
  }

  async #knock(answer: RegExp): Promise<string> {
    const { length } = this.lines;
    const line = () => this.lines.slice(length).find((one) => answer.test(one));
    const knock = () => this.token ? this.#behind(["/join"]) : "/join";
    await this.repeats(knock, () => line() !== undefined);
    return line()!;
  }
}

export async function openRaw(
  t: TestContext,
  hub: number,
  address = "127.0.0.1",
): Promise<Raw> {
  const recvBufferSize = 1 << 20; // bytes: as much as the system allows
  const socket = createSocket({ type: "udp4", recvBufferSize });
  socket.bind(0, address);
  await once(socket, "listening");
  const raw = new Raw(socket, hub);
  t.after(() => raw.close());
  return raw;
}

/** A raw socket that has joined by hand under this name, as with netcat. */
export async function joinRaw(
  t: TestContext,
  hub: number,
  name: string,
): Promise<Raw> {
  const raw = await openRaw(t, hub);
  await raw.repeats(
    `/join ${await raw.cookie()} ${name}`,
    () => raw.lines.some((line) => / joined \(/.test(line)),
  );
  return raw;
}

/** One that has joined as a program does; its first line is number 1. */
export async function joinProgram(
  t: TestContext,
  hub: number,
  name: string,
): Promise<Raw> {
  const raw = await openRaw(t, hub);
  raw.token = randomBytes(8).toString("hex");
  await raw.ask(`/join ${await raw.cookie()} ${name} 0`);
  await raw.until(() => raw.lines.some((line) => / joined \(/.test(line)));
  return raw;
}

/** A port that nobody answers, until it is set free; nobody else gets it then. */
export async function silentPort(t: TestContext) {
  const port = Number(freePort());
  const socket = createSocket("udp4").bind(port, "127.0.0.1");
  await once(socket, "listening");
  let open = true;
  const free = () => {
    if (open) socket.close();
    open = false;
  };
  t.after(free);
  return { port, free };
}

/** Wait until the hub has taken all datagrams out of its socket. */
export async function drained(port: number, most = 0) {
  while (socketOf(port).waiting > most) await turn();
}
