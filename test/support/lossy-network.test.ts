import assert from "node:assert/strict";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { openRaw, type Raw } from "./group.ts";
import { start, startNetwork } from "./pair.ts";
import { runtimes } from "./runtimes.ts";
import { openPeer } from "./udp.ts";

const COUNT = 100; // datagrams
const TIME = { timeout: 60_000 };

function network(t: TestContext, ...args: (string | number)[]) {
  return start(t, runtimes[0]!, "test/lossy-network.ts", ...args);
}

/** What is left of some datagrams to a server, and what the network says. */
async function through(
  t: TestContext,
  signal: "SIGINT" | "SIGTERM",
  ...options: (string | number)[]
) {
  const server = await openPeer(t);
  const program = await startNetwork(t, server.port, ...options);
  const client: Raw = await openRaw(t, program.port);
  for (let i = 0; i < COUNT; i++) await client.send(`${i}`);
  const came: string[] = [];
  while (!came.includes("end")) {
    await client.send("end");
    came.push((await server.receive()).text);
  }
  process.kill(program.pid, signal);
  assert.equal(await program.exits(), 0);
  return { came: came.filter((text) => text !== "end"), said: program.stdout };
}

const numbers = Array.from({ length: COUNT }, (_, i) => `${i}`);

test("a network that is good", TIME, async (t) => {
  const { came, said } = await through(t, "SIGTERM");
  assert.deepEqual(came, numbers);
  assert.match(
    said,
    /^to the server: \d+ datagrams, 0 dropped, 0 repeated, 0 delayed\nfrom the server: 0 datagrams, 0 dropped, 0 repeated, 0 delayed\n$/,
  );
});

test("a network that loses, the same for a seed", TIME, async (t) => {
  const options = ["--drop", "30,0", "--seed", 7];
  const { came, said } = await through(t, "SIGINT", ...options);
  const share = came.length / COUNT;
  assert(share > 0.55 && share < 0.85, `${share}`);
  assert.deepEqual(came, numbers.filter((text) => came.includes(text)));
  assert.match(
    said,
    /^to the server: \d+ datagrams, \d+ dropped, 0 repeated/,
  );
  assert.deepEqual((await through(t, "SIGINT", ...options)).came, came);
  options[3] = 8;
  assert.notDeepEqual((await through(t, "SIGINT", ...options)).came, came);
});

test("a network that repeats", TIME, async (t) => {
  const { came } = await through(t, "SIGINT", "--repeat", 100);
  assert.deepEqual(came, numbers.flatMap((text) => [text, text]));
});

test("a network that delays", TIME, async (t) => {
  const { came } = await through(t, "SIGINT", "--delay", 50, "--late", 5);
  assert.notDeepEqual(came, numbers.filter((text) => came.includes(text)));
  assert.deepEqual(came, [...new Set(came)]);
});

test("a network's arguments", TIME, async (t) => {
  const help = network(t, "--help");
  assert.equal(await help.exits(), 0);
  assert.match(help.stdout, /^usage: lossy-network\.ts LISTEN HOST:PORT/);
  const to = "127.0.0.1:6001";
  for (
    const args of [
      ...[[], ["0"], ["0", "6001"], ["0", to, "more"], ["x", to]],
      ...[["65536", to], ["0", to, "--drop", "101"], ["0", to, "--nonsense"]],
      ...[["0", to, "--drop", "x"], ["0", to, "--delay", "1,2,3"]],
      ...[["0", to, "--late", "-"], ["0", to, "--seed", "x"]],
    ]
  ) {
    const program = network(t, ...args);
    assert.equal(await program.exits(), 2, args.join(" "));
    await program.complains(/see --help/);
    assert.equal(program.stdout, "");
  }
});
