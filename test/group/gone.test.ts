import assert from "node:assert/strict";
import { joinRaw, startHub, startMember } from "../support/group.ts";
import { onEveryRuntime } from "../support/runtimes.ts";
import { openPeer } from "../support/udp.ts";

onEveryRuntime("a hub keeps 1,024 lines", async (t, runtime) => {
  const hub = await startHub(t, runtime);
  const alice = await joinRaw(t, hub.port, "alice");
  const bob = await joinRaw(t, hub.port, "bob"); // with line 2
  for (let i = 1; i <= 1100; i++) {
    await alice.send(`/say ${i} line ${i}`);
    if (i % 50) continue;
    await alice.until(() => alice.lines.includes(`/said ${i}`));
  }

  // Of 1,102 lines it still has those from number 79 on.
  bob.forget();
  await bob.send("/have 1");
  await bob.until(() => bob.lines.some((line) => /^79 /.test(line)));
  assert(bob.lines.includes("/gone 78"), bob.lines.join("\n"));
  assert(bob.lines.includes("79 alice: line 77"));
  bob.forget();
  await bob.send("/have 78");
  await bob.until(() => bob.lines.includes("79 alice: line 77"));
  assert(!bob.lines.some((line) => line.startsWith("/gone")));
});

onEveryRuntime("a member is told what it missed", async (t, runtime) => {
  const hub = await openPeer(t); // one whose lines the test chooses
  const alice = startMember(t, runtime, "alice", hub.port);
  let { text, port } = await hub.receive();
  assert.match(text, /^\/join/);
  await hub.send("/join 0123456789abcdef", port);
  while (text.trimEnd() !== "/join 0123456789abcdef alice") {
    ({ text, port } = await hub.receive());
  }
  await hub.send("/welcome 7 alice\n8 * alice joined (2 here)", port);
  await alice.prints("* alice joined (2 here)\n");
  await hub.send("2000 bob: late", port);
  while (text.trimEnd() !== "/have 8") ({ text } = await hub.receive());
  await hub.send("/gone 1998\n1999 bob: nearly late", port);
  await alice.prints(
    "* alice joined (2 here)\n* you missed 1990 lines\nbob: nearly late\n",
  );
  while (text.trimEnd() !== "/have 1999") ({ text } = await hub.receive());
  await hub.send("2000 bob: late", port);
  await alice.until(() =>
    alice.stdout.endsWith("bob: nearly late\nbob: late\n")
  );
  assert.equal(alice.stderr, "");
});
