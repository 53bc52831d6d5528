// Lines in a pipe: each is sent once, in order, whatever happens to the others.

import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { kinds, on, other, runtimes } from "../support/on.ts";
import { idle, memory, NOT_LINUX } from "../support/linux.ts";
import { play } from "../support/play.ts";
import {
  bound,
  commandOf,
  freePort,
  HERE,
  Program,
  serve,
  start,
} from "../support/program.ts";
import { openPeer } from "../support/wire.ts";

const bytes = new TextEncoder();
const ANY = Uint8Array.from({ length: 256 }, (_, i) => i)
  .filter((byte) => byte !== 0x0a && byte !== 0x0d);
const TEXT = new TextDecoder().decode(ANY);

on(runtimes, "lines of any bytes, however chunked", async (t, runtime) => {
  const peer = await openPeer(t);
  const client = start(t, runtime, "client.ts", HERE, peer.port);
  const han = bytes.encode("汉字");
  client.write(Uint8Array.of(...bytes.encode("one\n"), ...han.slice(0, 2)));
  let shown = ">>>";
  for (const line of ["one", "汉字", "two", "", TEXT, " last "]) {
    await peer.receives(line);
    if (line === "one") client.write(Uint8Array.of(...han.slice(2), 0x0d));
    if (line === "汉字") {
      await pause(150); // however late it comes, this \n belongs to that \r
      client.write(bytes.encode("\ntwo\r\n\n"));
      client.write(Uint8Array.of(...ANY, ...bytes.encode("\n last ")));
      client.end();
    }
    await peer.send("so");
    await client.prints(shown += "so\n>>>");
  }
  assert.equal(await client.exits(), 0);
  assert.equal(client.stderr, "");
});

on(runtimes, "5,000 lines, each used once, in order", async (t, runtime) => {
  const numbers = Array.from({ length: 5000 }, (_, i) => i);
  const server = await serve(t, runtime, "server.ts");
  server.end(numbers.map((i) => `reply ${i}\n`).join(""));
  const args = [HERE, server.port] as const;
  const client = start(t, other(runtime), "client.ts", ...args);
  client.end(numbers.map((i) => `line ${i}`).join("\n")); // the last has no \n

  assert.equal(await client.exits(30_000), 0);
  assert.equal(
    client.stdout,
    `>>>${numbers.map((i) => `reply ${i}\n>>>`).join("")}`,
  );
  const [from] = server.stdout.split("line 0");
  await server.prints(numbers.map((i) => `${from}line ${i}\n>>>`).join(""));
  assert.equal(client.stderr + server.stderr, "");
});

on(
  runtimes,
  "the server's input ends: so does the server",
  async (t, runtime) => {
    const server = await serve(t, runtime, "server.ts");
    const peer = await openPeer(t);
    server.end("1\n2");
    await peer.send("one", server.port);
    await play({ server, peer })`
    server > 来自[127.0.0.1:PORT]的消息: one
    server > >>>
    peer > 1
    peer < two
    server > 来自[127.0.0.1:PORT]的消息: two
    server > >>>
    peer > 2
    peer < three
    server > 来自[127.0.0.1:PORT]的消息: three
    server > >>>
    server exits 0`;
  },
);

const LONGEST = "x".repeat(65_507);
const TOO_LONG = [
  `${LONGEST}x`,
  "汉".repeat(21_836),
  "x".repeat(10_000_000),
];

on(runtimes, "lines that are too long", async (t, runtime) => {
  const peer = await openPeer(t);
  const client = start(t, runtime, "client.ts", HERE, peer.port);
  await play({ client })`client > >>>`;
  for (const line of TOO_LONG) {
    client.write(`${line}\n${LONGEST}\n`);
    await play({ client })`
      client ! not sent: send EMSGSIZE 127.0.0.1:PORT
      client > >>>`;
    await peer.receives(LONGEST);
    await play({ client, peer })`
      peer < so
      client > so
      client > >>>`;
  }
});

// Without permission to broadcast, the kernel refuses this and sends nothing;
// without a network, it knows no way there.
on(runtimes, "no way to the server's address", async (t, runtime) => {
  const client = start(t, runtime, "client.ts", "255.255.255.255");
  client.end("hello?\nhello??\n");
  await client.exits();
  await play({ client })`
    client > >>>
    client ! not sent: ANY
    client > >>>
    client ! not sent: ANY
    client > >>>
    client exits 0`;
  const why = runtime.name === "Deno" ? /UNKNOWN/ : /EACCES|ENETUNREACH/;
  assert.match(client.stderr, why);
});

on(kinds, "two million piped lines wait outside", async (t, runtime) => {
  const peer = await openPeer(t);
  const port = await freePort();
  const piped = (script: string, port: number) => {
    const shell = ["sh", "-c", 'seq 2000000 | "$@"', "sh"];
    return new Program(t, shell.concat(commandOf(runtime, script, HERE, port)));
  };
  const server = await bound(piped("server.ts", port), port);
  await peer.send("hello server", port);
  await peer.receives("1");
  const client = piped("client.ts", peer.port);
  await peer.receives("1");
  await peer.send("hello client");
  await peer.receives("2");
  for (const { pid } of [server, client]) {
    await idle(pid);
    const size = memory(pid);
    assert(size < 150, `it takes ${size} MB`);
  }
}, { skip: NOT_LINUX });
