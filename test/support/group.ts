// The group chat as programs on some runtime, and members of the test's own
// that speak its protocol by hand.

import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { socketOf } from "./kernel.ts";
import { commandOf, listening, type Server, start } from "./pair.ts";
import { Program } from "./processes.ts";
import { on, type Runtime, runtimes } from "./runtimes.ts";

const DEADLINE = 30_000; // ms

const there = runtimes.filter((one) => one.version !== "");

/** As many as there can be, of those that are there, beginning behind this one. */
export function others(than: Runtime): Runtime[] {
  const next = there.indexOf(than) + 1;
  return runtimes.map((_, i) => there[(next + i) % there.length] ?? than);
}

/** Run one test on the runtimes of these names. */
export function onThese(
  names: string[],
  title: string,
  body: (t: TestContext, runtime: Runtime) => Promise<void>,
  timeout?: number,
) {
  on(runtimes.filter(({ name }) => names.includes(name)), title, body, timeout);
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
  lines: string[] = [];
  readonly #socket: Socket;
  hub: number; // its port
  #closed = false;
  #look = () => {};

  constructor(socket: Socket, hub: number) {
    this.#socket = socket;
    this.hub = hub;
    socket.on("message", (bytes) => {
      this.datagrams.push(bytes);
      this.lines.push(...bytes.toString().replace(/\n$/, "").split("\n"));
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

  /** Ask something that has an answer: what was sent before has been dealt with. */
  async settles() {
    const before = this.datagrams.length;
    await this.send("/have 999999999999999");
    await this.until(() =>
      this.datagrams.slice(before).some((one) =>
        /^\/(have|join) /m.test(one.toString())
      )
    );
  }

  /** The cookie for this socket. */
  async cookie(): Promise<string> {
    const before = this.lines.length;
    await this.send("");
    await this.until(() =>
      this.lines.length > before && this.lines.at(-1)!.startsWith("/join ")
    );
    return this.lines.at(-1)!.slice("/join ".length);
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

/** A raw socket that has joined under this name. */
export async function joinRaw(
  t: TestContext,
  hub: number,
  name: string,
): Promise<Raw> {
  const raw = await openRaw(t, hub);
  await raw.send(`/join ${await raw.cookie()} ${name}`);
  await raw.until(() => raw.lines.some((line) => / joined \(/.test(line)));
  return raw;
}

/** A port that nobody else gets, and nobody answers, until it is set free. */
export async function silentPort(t: TestContext) {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
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
