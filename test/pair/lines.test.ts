// Lines in a pipe: each is sent once, in order, whatever happens to the others.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { setTimeout as pause } from "node:timers/promises";
import { idle, memory, NOT_LINUX } from "../support/linux.ts";
import { kinds, on, runtimes } from "../support/on.ts";
import { pair, play } from "../support/play.ts";
import { inShell, ours, Program, start } from "../support/program.ts";
import { clientOf, openPeer, serverOf } from "../support/wire.ts";

/** A byte for each character, which is no text. */
const bytes = (characters: string) => Buffer.from(characters, "latin1");
const ANY = bytes(String.fromCharCode(...Array(256).keys()))
  .filter((byte) => byte !== 0x0a && byte !== 0x0d);

on(runtimes, "lines of any bytes, however chunked", async (t, runtime) => {
  const { peer, client } = await clientOf(t, runtime);
  const han = Buffer.from("汉字").toString("latin1");
  client.write(bytes(`one\n${han.slice(0, 2)}`));
  let shown = ">>>";
  for (const line of ["one", "汉字", "two", "", `${ANY}`, " last "]) {
    await peer.receives(line);
    if (line === "one") client.write(bytes(`${han.slice(2)}\r`));
    if (line === "汉字") {
      await pause(150); // however late it comes, this \n belongs to that \r
      client.write("\ntwo\r\n\n");
      client.write(ANY);
      client.end("\n last ");
    }
    await peer.send("so");
    await client.prints(shown += "so\n>>>");
  }
  assert.equal(await client.exits(), 0);
  assert.equal(client.stderr, "");
});

on(runtimes, "5,000 lines, each used once, in order", async (t, runtime) => {
  const lines = Array.from({ length: 5000 }, (_, i) => `line ${i}`);
  const { server, client } = await pair(t, runtime);
  server.end(`${lines.join("\n")}\n`);
  client.end(lines.join("\n")); // the last has no \n
  assert.equal(await client.exits(30_000), 0);
  await client.prints(`>>>${lines.map((line) => `${line}\n>>>`).join("")}`);
  const [from] = server.stdout.split("line 0");
  await server.prints(lines.map((line) => `${from}${line}\n>>>`).join(""));
  assert.equal(client.stderr + server.stderr, "");
});

on(runtimes, "the server ends with its input", async (t, runtime) => {
  const { server, peer } = await serverOf(t, runtime);
  server.end("1\n2");
  await play({ server, peer })`
    peer < one
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
});

const LONGEST = "x".repeat(65_507);
const TOO_LONG = [`${LONGEST}x`, "汉".repeat(21_836), "x".repeat(10_000_000)];

on(runtimes, "lines that are too long", async (t, runtime) => {
  const { peer, client } = await clientOf(t, runtime);
  await play({ client })`client > >>>`;
  for (const line of TOO_LONG) {
    client.write(`${line}\n${LONGEST}\n`);
    await peer.receives(LONGEST);
    await play({ client, peer })`
      client ! not sent: send EMSGSIZE 127.0.0.1:PORT
      client > >>>
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
  const command = ours(runtime)("client", peer.port);
  const client = new Program(t, inShell('seq 2000000 | "$@"', command));
  await peer.receives("1");
  await peer.send("hello client");
  await peer.receives("2");
  await idle(client.pid);
  const size = memory(client.pid);
  assert(size < 150, `it takes ${size} MB`);
}, { skip: NOT_LINUX });
