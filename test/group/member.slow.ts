// A member, and a hub of the test's own that does what a hub does, and what none
// should: what the member asks, shows and says then.

import assert from "node:assert/strict";
import type { Buffer } from "node:buffer";
import { describe } from "node:test";
import { idle, memory, NOT_LINUX } from "../support/linux.ts";
import { kinds, on, type Runtime, thrice } from "../support/on.ts";
import { play } from "../support/play.ts";
import {
  commandOf,
  HERE,
  Program,
  start,
  type Test,
  until,
} from "../support/program.ts";
import { openSocket, Peer } from "../support/wire.ts";

const MEMBER = "group/client.ts";

const COOKIE = "0123456789abcdef";

/**
 * An actor: "hub > /have 7" is a request, "hub < /sent 7" its answer; " | "
 * stands between lines. The member's own lines count from 1 here.
 */
class Hub extends Peer {
  token = "";
  times: number[] = []; // of all requests, on the member's clock
  answering = "aaaaaaaa"; // the run of the hub that answers
  #request = "";
  #answeredAt = Infinity; // ms
  #first = -1; // the number before the member's first line

  protected override take(bytes: Buffer) {
    const [head = "", ...lines] = bytes.toString().trimEnd().split("\n");
    assert.match(head, /^#[0-9a-f]{16} \d{1,15}$/);
    assert(bytes.length <= 1200, `${bytes.length} bytes`);
    this.token = head.slice(1, 17);
    this.times.push(Number(head.slice(18)));
    if (this.#first < 0) this.#first = Number(lines[0]?.split(" ")[3]);
    const text = lines.join(" | ").replace(
      /(\/say |\/join \w+ \w+ )(\d+)/g,
      (_, words, n) => `${words}${n - this.#first}`,
    ).replace( // nothing is lost
      /(\/have (\d+)) (-?\d+)/,
      (all, had, n, lost) => Number(lost) > Number(n) ? all : had,
    );
    // It is repeated until answered, which may meet on the way.
    const isLate = performance.now() > this.#answeredAt + 1000;
    if (text === this.#request && !isLate) return;
    this.shown.push(text);
    [this.#request, this.#answeredAt] = [text, Infinity];
  }

  /** Answer the newest request. */
  override send(text: string) {
    this.#answeredAt = Math.min(this.#answeredAt, performance.now());
    return this.says(text, { time: this.times.at(-1)! });
  }

  says(text: string, { time = 0, run = this.answering, token = this.token }) {
    const lines = text.replaceAll(" | ", "\n").replace(
      /^\/said (\d+)/gm,
      (_, n) => `/said ${this.#first + Number(n)}`,
    );
    return super.send(`#${token} ${run} ${time}\n${lines}\n`);
  }

  /** An actor that says what is no answer, or not this hub's. */
  as(how: { time?: number; run?: string; token?: string } = {}) {
    return { shown: [], send: (text: string) => this.says(text, how) };
  }
}

/** A member that has joined such a hub. */
async function joins(t: Test, runtime: Runtime) {
  const hub = new Hub(await openSocket(t));
  const alice = start(t, runtime, MEMBER, "alice", HERE, hub.port);
  await play({ hub, alice })`
    hub > /join 0 alice 0
    hub < /join ${COOKIE}
    hub > /join ${COOKIE} alice 0
    hub < /welcome 6 alice2 | /sent 6 | /said 0
    alice ! * you are alice2
    hub > /have 6
    hub < /sent 7 | 7 bob: hi
    alice > bob: hi`;
  return { hub, alice, news: hub.as() };
}

describe("a member", { concurrency: 9 }, () => {
  on(kinds, "of a hub that is killed", async (t, runtime) => {
    const cast = await joins(t, runtime);
    const { hub } = cast;
    const fresh = hub.as({ run: "bbbbbbbb" });
    const stranger = hub.as({ token: "fedcba9876543210" });
    await play({ ...cast, fresh, stranger })`
      alice < hello
      hub > /have 7 | /say 1 hello
      hub < /said 1 | /sent 8 | 8 alice2: hello
      alice > alice2: hello
      news < 10 bob: two
      hub > /have 8 9
      stranger < 9 no | 10 no
      fresh < 9 no | 10 no | /join ${COOKIE}
      news < * no | /full | /goodbye | /welcome 0 no | /join no
      hub < 9 bob: \x1b[2J\u202e | 10 bob: two | /sent 10
      alice > bob: \\u{1b}[2J\\u{202e}
      alice > bob: two
      news < 10 bob: two | 11 bob: three
      alice > bob: three
      news < 21 bob: four | /gone 20
      alice > * lines that you missed: 9
      alice > bob: four
      alice < /who
      alice < again
      hub > /have 21 | /say 2 /who
      hub < /said 2 | /sent 21 | * 1 here: alice2
      alice > * 1 here: alice2
      hub > /have 21 | /say 3 again`;
    hub.answering = "cccccccc";
    await play({ ...cast, killed: hub.as({ run: "aaaaaaaa" }) })`
      hub < /join ${COOKIE}
      hub > /join ${COOKIE} alice2 2 | /have 0 | /say 3 again
      killed < 22 no | /said 3
      hub < /welcome 0 alice2 | /said 3 | /sent 2 | 1 * alice2 joined (1 here) | 2 alice2: again
      alice > * alice2 joined (1 here)
      alice > alice2: again
      alice < bye
      hub > /have 2 | /say 4 bye
      hub < /said 4 | /sent 3 | 3 alice2: bye
      alice > alice2: bye
      alice ends
      hub > /have 3 | /quit
      hub < /goodbye
      alice exits 0`;
  });

  on(kinds, "when the group is full", async (t, runtime) => {
    const hub = new Hub(await openSocket(t));
    const alice = start(t, runtime, MEMBER, "alice", HERE, hub.port);
    await play({ hub, alice })`
      hub > /join 0 alice 0
      hub < /join ${COOKIE}
      hub > /join ${COOKIE} alice 0
      hub < /full
      alice ! * the group is full, try later
      alice exits 1`;
  });

  on(kinds, "of a hub that does not answer", async (t, runtime) => {
    await play(await joins(t, runtime))`
      alice < one
      hub > /have 7 | /say 1 one
      alice ! * no answer from 127.0.0.1:PORT, lines waiting: 1
      hub < /said 1 | /sent 7
      alice ! * the server is back
      alice < two
      hub > /have 7 | /say 2 two
      alice ends
      alice ! * no answer from 127.0.0.1:PORT, lines waiting: 1
      alice ! lines not known to be delivered: 1
      alice exits 1`;
  });

  // The times are those of its own clock: only upper bounds are the machine's.
  on(kinds, "repeats ever less often", async (t, runtime) => {
    const hub = new Hub(await openSocket(t));
    start(t, runtime, MEMBER, "alice", HERE, hub.port);
    const { times } = hub;
    const since = () => (times.at(-1) ?? 0) - (times[0] ?? 0);
    await until(() => since() > 25_000, () => `${times}`, 40_000);
    const gaps = times.slice(1).map((time, i) => time - times[i]!);
    assert(gaps.every((ms) => ms >= 220 && ms < 4500), `${gaps}`);
    assert(gaps.length > 10 && gaps.length < 45, `${gaps}`);
    assert(Math.max(...gaps) > 2000, `${gaps}`);
  });

  on(kinds, "that has two million lines to say", async (t, runtime) => {
    const hub = new Hub(await openSocket(t));
    const args = ["alice", HERE, hub.port] as const;
    const shell = ["sh", "-c", 'seq 2000000 | "$@"', "sh"];
    const command = commandOf(runtime, MEMBER, ...args);
    const alice = new Program(t, shell.concat(command));
    await play({ hub })`hub > /join 0 alice 0`;
    await idle(alice.pid);
    const size = memory(alice.pid);
    assert(size < 150, `it takes ${size} MB`);
  }, { skip: NOT_LINUX });
});

on(kinds, "Ctrl+C at a silent hub: a second, or none", async (t, runtime) => {
  const ends = async (presses: number) => {
    const { hub, alice } = await joins(t, runtime);
    await play({ hub, alice })`
      alice < hello
      hub > /have 7 | /say 1 hello`;
    const since = performance.now();
    alice.signal("SIGINT");
    await play({ hub })`hub > /have N | /quit`;
    if (presses > 1) alice.signal("SIGINT");
    await play({ alice })`
      alice exits 130
      alice ! lines not known to be delivered: 1`;
    return performance.now() - since;
  };
  await thrice(t, async () => {
    const [once, twice] = [await ends(1), await ends(2)];
    assert(once > 950 && once < 1500, `once: ${once} ms`);
    assert(twice < 700, `twice: ${twice} ms`);
  });
});
