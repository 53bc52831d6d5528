import assert from "node:assert/strict";
import { describe } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { joinProgram, startHub } from "../support/group.ts";
import { ofEachKind, on } from "../support/runtimes.ts";

// They mostly wait.
describe("a member that is behind", { concurrency: 6 }, () => {
  on(ofEachKind, "a hub keeps 1,024 lines", async (t, runtime) => {
    const hub = await startHub(t, runtime);
    const alice = await joinProgram(t, hub.port, "alice");
    const bob = await joinProgram(t, hub.port, "bob"); // with line 2
    let said = 0;
    const say = async (upTo: number) => {
      while (said < upTo) {
        alice.forget();
        const some = Array.from({ length: 50 }, (_, i) => `${said + 1 + i}`);
        await alice.ask(
          `/have ${alice.have}`,
          ...some.filter((k) => Number(k) <= upTo).map((k) =>
            `/say ${k} line ${k}`
          ),
        );
        said = alice.said;
      }
    };
    // While bob could still ask for them, none is thrown away, and one alone
    // may have two thirds of the room.
    const since = performance.now();
    await say(650);
    await bob.ask("/have 2");
    assert(performance.now() - since < 4000);
    const stuck = performance.now();
    await say(1100);
    // He has made no progress for five seconds: the others go on without him.
    const took = (performance.now() - stuck) / 1000;
    assert(took > 2 && took < 10, `after ${took} s`);

    // Of 1,102 lines it still has those from number 79 on.
    bob.forget();
    await bob.ask("/have 2 3-1102");
    assert(bob.lines.includes("/gone 78"), bob.lines.join("\n"));
    assert(bob.lines.includes("79 alice: line 77"), bob.lines.join("\n"));
    bob.forget();
    await bob.ask("/have 78 79-90");
    await bob.hears("alice: line 77");
    assert(!bob.lines.some((line) => line.startsWith("/gone")));

    // However far he is behind: he goes on with what is kept, and can leave.
    await say(3000);
    bob.forget();
    await bob.ask("/have 78 79-514"); // and no more was sent to him
    const gone = Number(/^\/gone (\d+)$/m.exec(bob.lines.join("\n"))?.[1]);
    assert(gone > 1500, bob.lines.join("\n"));
    await bob.ask(`/have ${gone}`);
    await bob.hears(`alice: line ${gone - 1}`);
    while (bob.said === 0) { // for at most five seconds, see above
      await bob.ask("/say 1 /quit");
      await pause(100);
    }
    await bob.hears("* goodbye");
  });
});
