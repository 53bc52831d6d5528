import assert from "node:assert/strict";
import process from "node:process";
import { describe } from "node:test";
import { silentPort } from "../support/group.ts";
import { NOT_LINUX } from "../support/kernel.ts";
import { commandOf, startClient } from "../support/pair.ts";
import { on, onEveryRuntime, withOlderBuns } from "../support/runtimes.ts";
import { Terminal } from "../support/terminal.ts";
import { openPeer } from "../support/udp.ts";

describe("a reply that stays away", { concurrency: 12 }, () => {
  onEveryRuntime("said once in a wait, in every wait", async (t, runtime) => {
    const peer = await openPeer(t);
    const place = RegExp(
      `^no reply from 127\\.0\\.0\\.1:${peer.port} yet.*not connected.*Ctrl\\+C`,
    );
    const [client, other] = await Promise.all([
      startClient(t, runtime, peer.port),
      startClient(t, runtime, peer.port),
    ]);
    client.end("anyone?\nanyone else?\n");
    const port = await peer.receives("anyone?");
    const since = performance.now();
    assert.equal(client.stderr, "");
    other.write("first\n");
    const otherPort = await peer.receives("first");
    await client.complains(place);
    const after = performance.now() - since;
    assert(after > 4700 && after < 7500, `after ${after} ms`);

    await other.complains(place);
    await peer.send("late", otherPort);
    await other.prints(">>>late\n>>>");
    other.stderr = "";
    other.write("second\n");
    await peer.receives("second");
    await other.complains(place);
    await client.complains(place); // said again after 5 s, it would be there
    await client.prints(">>>");
    await peer.send("late", otherPort);
    await other.prints(">>>late\n>>>late\n>>>");

    await peer.send("late", port);
    await client.prints(">>>late\n>>>");
    await peer.receives("anyone else?");
    await peer.send("soon", port);
    assert.equal(await client.exits(), 0);
    await client.prints(">>>late\n>>>soon\n>>>");
    await client.complains(place);
  });

  on(withOlderBuns, "a client before its server", async (t, runtime) => {
    const { port, free } = await silentPort(t);
    free();
    const client = await startClient(t, runtime, port);
    client.write("hello?\n");
    await client.complains(/^no reply/); // and it lives
    client.end();
    client.stderr = "";
    process.kill(-client.pid, "SIGINT");
    assert.equal(await client.exits(), 130);
    assert.equal(client.stderr, "");
    assert.equal(client.stdout, ">>>");
  });

  onEveryRuntime("another address replies", async (t, runtime) => {
    if (NOT_LINUX) return t.skip("only on Linux is 127.0.0.2 there as well");
    const peer = await openPeer(t);
    const other = await openPeer(t, "127.0.0.2", peer.port);
    const stranger = await openPeer(t, "127.0.0.3"); // has another port, too
    const client = await startClient(t, runtime, peer.port);
    client.write("hello\n");
    const port = await peer.receives("hello");
    await stranger.send("hello", port, "127.0.0.1");
    await client.complains(/^no reply/);
    client.stderr = "";
    for (let i = 0; i < 3; i++) await other.send("hello", port, "127.0.0.1");
    await client.complains(/^a reply came from 127\.0\.0\.2: start with/);
    await peer.send("hello", port);
    await client.prints(">>>hello\n>>>");
    await client.complains(/127\.0\.0\.2/);
  });

  onEveryRuntime("said above what is typed meanwhile", async (t, runtime) => {
    const peer = await openPeer(t);
    const args = ["127.0.0.1", peer.port];
    const command = commandOf(runtime, "client.ts", ...args);
    const client = new Terminal(t, command, { cols: 200, rows: 24 });
    await client.shows(">>>");
    client.type("one\r");
    const port = await peer.receives("one");
    client.type("two\rha");
    await client.shows(">>>one", "ha");
    await client.until(() => /no reply/.test(client.screen));
    const notice = /^no reply .*$/m.exec(client.screen)?.[0] ?? "";
    await client.shows(">>>one", notice, "ha");
    await peer.send("1", port);
    await client.shows(">>>one", notice, "1", ">>>two", "ha");
    await peer.receives("two");
    await peer.send("2", port);
    await client.shows(">>>one", notice, "1", ">>>two", "2", ">>>ha");
    client.type("lf\r");
    await peer.receives("half");
  });
});
