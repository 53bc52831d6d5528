import assert from "node:assert/strict";
import { describe } from "node:test";
import { startClient } from "../support/pair.ts";
import { onEveryRuntime } from "../support/runtimes.ts";
import { openPeer } from "../support/udp.ts";

describe("a reply that stays away", { concurrency: 12 }, () => {
  onEveryRuntime("said once in a wait", async (t, runtime) => {
    const peer = await openPeer(t);
    const place = RegExp(`127\\.0\\.0\\.1:${peer.port}\\b.*Ctrl\\+C`);
    const client = await startClient(t, runtime, peer.port);
    const since = performance.now();
    client.end("anyone?\nanyone else?\n");
    const port = await peer.receives("anyone?");
    assert.equal(client.stderr, "");
    await client.complains(place);
    const after = performance.now() - since;
    assert(after > 4900 && after < 10_000, `after ${after} ms`);

    // If it were said again after 5 more seconds, another would say it later.
    const another = await startClient(t, runtime, peer.port);
    another.write("and me?\n");
    await peer.receives("and me?");
    await another.complains(place);
    await client.complains(place);
    await client.prints(">>>");

    await peer.send("late", port);
    await client.prints(">>>late\n>>>");
    await peer.receives("anyone else?");
    await peer.send("soon", port);
    assert.equal(await client.exits(), 0);
    await client.prints(">>>late\n>>>soon\n>>>");
    await client.complains(place);
  });

  onEveryRuntime("said in every wait", async (t, runtime) => {
    const peer = await openPeer(t);
    const client = await startClient(t, runtime, peer.port);
    for (const text of ["first", "second"]) {
      client.stderr = "";
      client.write(`${text}\n`);
      const port = await peer.receives(text);
      await client.complains(/no reply/);
      await peer.send("late", port);
      await client.until(() => client.stdout.endsWith("late\n>>>"));
    }
  });
});
