import assert from "node:assert/strict";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { openRaw, type Raw } from "./group.ts";
import { plainest, start, startNetwork } from "./pair.ts";
import { openPeer } from "./udp.ts";

const COUNT = 100; // datagrams
const TIME = { timeout: 60_000 };

function network(t: TestContext, ...args: (string | number)[]) {
  return start(t, plainest, "test/lossy-network.ts", ...args);
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

/** So many of the datagrams as they come to a server, and the ms it took. */
async function first(
  t: TestContext,
  count: number,
  ...options: (string | number)[]
) {
  const server = await openPeer(t);
  const program = await startNetwork(t, server.port, ...options);
  const client = await openRaw(t, program.port);
  const start = performance.now();
  for (const text of numbers) await client.send(text);
  const came = [];
  while (came.length < count) came.push((await server.receive()).text);
  return { came, took: performance.now() - start };
}

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
  const { came } = await first(t, COUNT, "--delay", 50, "--late", 5);
  assert.notDeepEqual(came, numbers);
  assert.deepEqual(came.toSorted(), numbers.toSorted());
});

test("a long way: all comes, later, in order", TIME, async (t) => {
  const { came, took } = await first(t, COUNT, "--latency", "200,0");
  assert.deepEqual(came, numbers);
  assert(took >= 200, `${took} ms`);
});

test("jitter: all comes, in another order", TIME, async (t) => {
  const { came } = await first(t, COUNT, "--latency", 20, "--jitter", 20);
  assert.notDeepEqual(came, numbers);
  assert.deepEqual(came.toSorted(), numbers.toSorted());
});

test("jitter loses no other datagrams", TIME, async (t) => {
  const options = ["--drop", "30,0", "--seed", 7];
  const { came } = await through(t, "SIGINT", ...options);
  const jitter = ["--latency", 5, "--jitter", 5];
  const shaken = await first(t, came.length, ...options, ...jitter);
  assert.deepEqual(shaken.came.toSorted(), came.toSorted());
});

test("a narrow link: what finds no room is lost", TIME, async (t) => {
  // 100 datagrams of 1 or 2 bytes and 28 of headers, 24 kbit in all.
  const { took } = await first(t, COUNT, "--rate", 120);
  assert(took >= 23_700 / 120, `${took} ms`);
  const narrow = ["--rate", 20, "--queue", 300];
  const { came, said } = await through(t, "SIGINT", ...narrow);
  assert.deepEqual(
    came.slice(0, 8),
    numbers.slice(0, 8),
    "the first find room",
  );
  assert.deepEqual(came, numbers.filter((text) => came.includes(text)));
  assert(came.length < COUNT, "nothing was lost");
  assert.match(said, /^to .*, [1-9]\d* found the queue full, \d+ bytes$/m);
});

test("a new address for each client", TIME, async (t) => {
  const server = await openPeer(t);
  const options = ["--move", 0.3, "--latency", 20];
  const program = await startNetwork(t, server.port, ...options);
  const clients = [
    await openRaw(t, program.port),
    await openRaw(t, program.port),
  ];
  const ports = clients.map(() => new Set<number>());
  while (ports.some((some) => some.size < 3)) {
    for (const [i, client] of clients.entries()) {
      await client.send(`${i}`);
      const { text, port } = await server.receive();
      assert.equal(text, `${i}`);
      ports[i]!.add(port);
      await server.send("answer", port);
    }
  }
  assert(![...ports[0]!].some((port) => ports[1]!.has(port)));
  for (const client of clients) await client.hears("answer");
});

test("an outage: nothing comes for a while", TIME, async (t) => {
  const server = await openPeer(t);
  const program = await startNetwork(t, server.port, "--outage", "0.4,0.2");
  const client = await openRaw(t, program.port);
  let sent = 0;
  const timer = setInterval(() => client.send(`${sent++}`), 1); // ms
  t.after(() => clearInterval(timer));
  for (let last = 0, missing = 0; missing < 20;) {
    const now = Number((await server.receive()).text);
    [last, missing] = [now, now - last - 1];
  }
});

test("a network's arguments", TIME, async (t) => {
  const help = network(t, "--help");
  assert.equal(await help.exits(), 0);
  assert.match(help.stdout, /^usage: lossy-network\.ts LISTEN HOST:PORT/);
  const to = "127.0.0.1:6001";
  for (
    const args of [
      ...[[], ["0", "6001"], ["0", to, "more"], ["x", to], ["65536", to]],
      ...[["0", to, "--drop", "101"], ["0", to, "--nonsense"]],
      ...[["0", to, "--delay", "1,2,3"], ["0", to, "--seed", "x"]],
      ...[["0", to, "--rate", "-1"], ["0", to, "--move", "1,2"]],
    ]
  ) {
    const program = network(t, ...args);
    assert.equal(await program.exits(), 2, args.join(" "));
    await program.complains(/see --help/);
    assert.equal(program.stdout, "");
  }
});
