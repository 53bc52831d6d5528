// Who is at the other end: nobody, many, a stranger, somebody who is gone.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { drained, idle, NOT_LINUX, socketOf } from "../support/linux.ts";
import { NO_NAMESPACES, openNamespace } from "../support/namespace.ts";
import { all, on, other, runtimes } from "../support/on.ts";
import { pair, play } from "../support/play.ts";
import { bound, HERE, type Program, start } from "../support/program.ts";
import { clientOf, openPeer, type Peer, serverOf } from "../support/wire.ts";

on(runtimes, "two clients are answered in turn", async (t, runtime) => {
  const { server, client: one } = await pair(t, runtime);
  const two = start(t, other(runtime, 2), "client.ts", HERE, server.port);
  await play({ server, one, two })`
    one two > >>>
    one < one
    server > 来自[127.0.0.1:PORT]的消息: one
    server > >>>
    two < two
    server < hello one
    one > hello one
    one > >>>
    server > 来自[127.0.0.1:PORT]的消息: two
    server > >>>
    server < hello two
    two > hello two
    two > >>>`;
});

on(runtimes, "the client hears its server alone", async (t, runtime) => {
  const { peer: server, client } = await clientOf(t, runtime);
  const strangers = [
    await openPeer(t, "127.0.0.2", server.port), // another address
    await openPeer(t), // another port
  ];
  await play({ client, server })`
    client > >>>
    client < hello server
    server > hello server`;
  for (const one of strangers) await one.send("forged", server.from);
  await play({ client, server })`
    client ! ignored: a datagram from 127.0.0.2:PORT
    server < hello client
    client > hello client
    client > >>>`;
  for (const one of strangers) await one.send("forged", server.from);
  await play({ client, server })`
    client < still you?
    server > still you?
    server < yes
    client > yes
    client > >>>`;
}, { skip: NOT_LINUX });

describe("a reply that stays away", { concurrency: 18 }, () => {
  on(runtimes, "is told once in a wait, after 5 s", async (t, runtime) => {
    const { peer: server, client } = await clientOf(t, runtime);
    await play({ client, server })`
      client > >>>
      client < anyone?
      server > anyone?`;
    const since = performance.now();
    await play({ client })`client ! no reply from 127.0.0.1:PORT yet`;
    const after = performance.now() - since;
    assert(after > 4700 && after < 7500, `after ${after} ms`);
    await play({ client, server })`
      server < late
      client > late
      client > >>>
      client < anyone else?
      client < a third?
      client ends
      server > anyone else?
      client ! no reply from 127.0.0.1:PORT yet
      server < late
      client > late
      client > >>>
      server > a third?
      server < soon
      client > soon
      client > >>>
      client exits 0`;
  });

  on(all, "and so it is where nobody listens", async (t, runtime) => {
    const { peer, client } = await clientOf(t, runtime);
    peer.close();
    client.send("hello?");
    await client.until(() => /^no reply from .* yet$/m.test(client.stderr));
    assert.equal(client.code, undefined); // it waits on
  });
});

// The kernel tells a socket that a datagram found nobody, and Bun then does not
// send the next one.
on(all, "a client that is no longer there", async (t, runtime) => {
  const { server, peer: gone } = await serverOf(t, runtime);
  const next = await openPeer(t);
  await gone.send("one");
  await play({ server })`
    server > 来自[127.0.0.1:PORT]的消息: one
    server > >>>`;
  await next.send("two", server.port);
  gone.close();
  server.write("to nobody\nto the next\n");
  await next.receives("to the next");
  assert.doesNotMatch(server.stderr, /^not sent/m); // though Bun tells of it
});

on(all, "a server that is no longer there", async (t, runtime) => {
  const { peer: server, client } = await clientOf(t, runtime);
  await play({ client, server })`
    client > >>>
    client < one
    server > one
    server < 1
    client > 1
    client > >>>`;
  for (const text of ["2", "3", "4"]) await server.send(text);
  await idle(client.pid);
  server.close();
  for (const text of ["2", "3", "4"]) client.send(`to nobody ${text}`);
  const shown = ">>>1\n>>>2\n>>>3\n>>>4\n>>>";
  await client.prints(shown);
  const next = await openPeer(t, HERE, server.port);
  client.send("to the next");
  await next.receives("to the next");
  await next.send("5");
  await client.prints(`${shown}5\n>>>`);
  assert.doesNotMatch(client.stderr, /^not sent/m); // though Bun tells of it
}, { skip: NOT_LINUX });

// Both start without arguments: 127.0.0.1 and 6000 are the default.
on(runtimes, "peers that cannot be answered", async (t, runtime) => {
  const there = await openNamespace(t);
  const server = await bound(start(t, there.of(runtime), "server.ts"), 6000);
  const { address } = socketOf(6000, server.pid)!;
  assert.equal(address, "0100007F:1770"); // 127.0.0.1 and 6000, as Linux has it
  await there.forge("203.0.113.1", 0, 6000, "from port 0"); // is not shown
  for (const host of ["203.0.113.1", "255.255.255.255"]) {
    await there.forge(host, 5000, 6000, "answer me");
    await play({ server })`
      server > 来自[${host}:5000]的消息: answer me
      server > >>>
      server < an answer
      server ! not sent: ANY`;
    const [why] = server.stderr.split("\n").slice(-2);
    assert.match(why!, /ENETUNREACH|EACCES|UNKNOWN/);
  }
  const client = start(t, there.of(runtime), "client.ts");
  await play({ server, client })`
    client > >>>
    client < hello
    server > 来自[127.0.0.1:PORT]的消息: hello
    server > >>>
    server < hello
    client > hello
    client > >>>`;
}, { skip: NO_NAMESPACES });

/** Send 300 datagrams to a program, which shows 256 of them, a line for each. */
async function crowd(one: Program, peer: Peer, from: string) {
  const before = one.stdout;
  const shown = (texts: string[]) =>
    before + texts.map((text) => `${from}${text}\n>>>`).join("");
  await peer.send("first");
  await one.prints(shown(["first"]));
  const all = Array.from({ length: 300 }, (_, i) => `${i}`);
  for (const [i, text] of all.entries()) {
    if (i % 30 === 0) await drained(peer.from); // so the kernel loses none
    await peer.send(text);
  }
  await drained(peer.from);
  assert.equal(socketOf(peer.from)?.lost, 0, "lost on the way");
  await idle(one.pid);
  for (const line of all.slice(0, 257)) {
    one.send(line);
    await peer.receives(line);
  }
  await peer.send("last");
  await one.prints(shown(["first", ...all.slice(0, 256), "last"]));
}

on(runtimes, "256 datagrams wait for the server", async (t, runtime) => {
  const { server, peer } = await serverOf(t, runtime);
  await crowd(server, peer, `来自[127.0.0.1:${peer.port}]的消息: `);
}, { skip: NOT_LINUX });

on(runtimes, "256 datagrams wait for the client", async (t, runtime) => {
  const { client, peer } = await clientOf(t, runtime);
  await client.prints(">>>");
  client.send("hello server");
  await peer.receives("hello server");
  await crowd(client, peer, "");
}, { skip: NOT_LINUX });
