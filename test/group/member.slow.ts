import assert from "node:assert/strict";
import process from "node:process";
import { describe, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { silentPort, startMember } from "../support/group.ts";
import type { Program } from "../support/processes.ts";
import { ofEachKind, on, type Runtime } from "../support/runtimes.ts";
import { openPeer, type Peer } from "../support/udp.ts";

const COOKIE = "0123456789abcdef";
const RUN = "01234567";

interface Request {
  port: number;
  token: string;
  time: string;
  lines: string[];
}

/** A hub that is the test itself, and does what no hub should. */
class Hub {
  readonly #peer: Peer;
  run = RUN;
  asked: Request = { port: 0, token: "", time: "", lines: [] };
  first = 0; // the number of the member's first line
  #taken = -1; // the number of the last that it was told is taken

  constructor(peer: Peer) {
    this.#peer = peer;
  }

  get port(): number {
    return this.#peer.port;
  }

  /** The next request, but for a repeat that met the answer on its way. */
  async hears(): Promise<string[]> {
    const { text, port } = await this.#peer.receive();
    const [head = "", ...lines] = text.split("\n");
    const said = /^\/say (\d+) /m.exec(text)?.[1];
    if (said && Number(said) <= this.#taken) return this.hears();
    assert(Buffer.byteLength(text) <= 1200);
    const match = /^#([0-9a-f]{16}) (\d+)$/.exec(head);
    assert(match && lines.pop() === "", text); // what follows the last newline
    const [, token = "", time = ""] = match;
    if (this.asked.token) {
      assert.equal(token, this.asked.token);
      assert(Number(time) > Number(this.asked.time), "an old time");
    }
    this.asked = { port, token, time, lines };
    return lines;
  }

  /** The next request with a line like this one; returns that. */
  async awaits(line: RegExp): Promise<string> {
    while (true) {
      const found = (await this.hears()).find((one) => line.test(one));
      if (found !== undefined) return found;
    }
  }

  /** The member's line of this number, counted from 1. */
  say(n: number, text: string): string {
    return `/say ${this.first + n - 1} ${text}`;
  }

  answer(...lines: string[]): Promise<void> {
    return this.send(this.asked.time, lines);
  }

  /** Answer that so many lines of the member's are taken. */
  takes(count: number, ...lines: string[]): Promise<void> {
    this.#taken = this.first + count - 1;
    return this.answer(...lines, `/said ${this.#taken}`);
  }

  /** The member leaves with this line: it has heard all up to the newest. */
  async letsGo(count: number, newest = 0) {
    const quit = this.say(count, "/quit");
    for (let all = 1; (await this.hears()).at(-1) !== quit; all++) {
      assert(all < 5);
      await this.answer(`/sent ${newest}`);
    }
    await this.takes(count, "* goodbye");
  }

  news(...lines: string[]): Promise<void> {
    return this.send("0", lines);
  }

  send(time: string, lines: string[], peer = this.#peer): Promise<void> {
    const { token } = this.asked;
    return this.write([`#${token} ${this.run} ${time}`, ...lines], peer);
  }

  write(lines: string[], peer = this.#peer): Promise<void> {
    return peer.send(lines.join("\n") + "\n", this.asked.port);
  }
}

/** A member that waits for its welcome. */
async function knock(t: TestContext, runtime: Runtime) {
  const hub = new Hub(await openPeer(t));
  const member = startMember(t, runtime, "alice", hub.port);
  const [first = "", ...others] = await hub.hears();
  assert.match(first, /^\/join 0 alice \d+$/);
  assert.deepEqual(others, []); // nothing is said to who has not proved to be there
  hub.first = Number(first.split(" ")[3]) + 1;
  await hub.answer(`/join ${COOKIE}`);
  let [next] = await hub.hears();
  while (next === first) [next] = await hub.hears(); // our answer was late
  assert.equal(next, `/join ${COOKIE} alice ${hub.first - 1}`);
  return { hub, member };
}

async function enter(t: TestContext, runtime: Runtime) {
  const entered = await knock(t, runtime);
  await entered.hub.takes(0, "/welcome 0 alice", "/sent 0");
  return entered;
}

/** Say a line often, until the member asks for this; returns how long it took. */
async function chat(hub: Hub, until: RegExp): Promise<number> {
  const since = performance.now();
  let heard = false;
  const answer = hub.awaits(until).then(() => heard = true);
  for (let n = 1; !heard; n++) {
    await hub.news(`${n} bob: chatter`);
    await pause(20); // ms
  }
  await answer;
  return performance.now() - since;
}

describe("a busy group", { concurrency: 6 }, () => {
  on(ofEachKind, "does not put off a repeat", async (t, runtime) => {
    const { hub, member } = await enter(t, runtime);
    member.write("hello\n");
    await hub.awaits(/^\/say \d+ hello$/);
    const ms = await chat(hub, /^\/say \d+ hello$/);
    assert(ms < 2000, `after ${ms} ms`);
  });

  on(ofEachKind, "is no answer", async (t, runtime) => {
    const { hub, member } = await enter(t, runtime);
    member.write("hello\n");
    await hub.awaits(/^\/say \d+ hello$/);
    const since = performance.now();
    const requests: number[] = []; // when they came, ms
    const hearing = async () => {
      while (performance.now() < since + 8000) {
        await hub.hears();
        requests.push(performance.now());
      }
    };
    const heard = hearing();
    let toldAt = 0;
    for (let n = 1; performance.now() < since + 8000; n++) {
      await hub.news(`${n} bob: chatter`);
      await pause(20); // ms
      if (member.stderr) toldAt ||= performance.now();
    }
    const ms = toldAt - since;
    assert(ms > 4000 && ms < 7000, `told after ${ms} ms`);
    await member.complains(/^\* the server is away, no answer/); // and not back
    await heard;
    const more = requests.filter((at) => at > toldAt).length;
    assert(more < 12, `${more} requests in the last seconds`);
  });

  on(ofEachKind, "hears of who only listens", async (t, runtime) => {
    const { hub } = await enter(t, runtime);
    const ms = await chat(hub, /^\/have [1-9]\d*$/);
    assert(ms < 4000, `after ${ms} ms`);
  });
});

on(ofEachKind, "lines of the group", async (t, runtime) => {
  const { hub, member } = await enter(t, runtime);

  await t.test("a line that came to nobody", async () => {
    await hub.awaits(/^\/have 0$/); // it asks by itself
    await hub.answer("/sent 2");
    await hub.awaits(/^\/have 0 1-2$/);
    await hub.answer("1 bob: one", "2 bob: two", "/sent 2");
    await member.prints("bob: one\nbob: two\n");
  });

  await t.test("what overtakes a line waits for it", async () => {
    member.stdout = "";
    await hub.news("3 bob: three");
    await hub.news("5 bob: five", "8 bob: eight");
    await hub.awaits(/^\/have 3 4-4 6-7$/);
    await hub.answer("6 bob: six", "4 bob: four", "7 bob: seven", "/sent 8");
    const all = ["three", "four", "five", "six", "seven", "eight"];
    await member.prints(all.map((text) => `bob: ${text}\n`).join(""));
  });

  await t.test("many lines at once", async () => {
    await hub.awaits(/^\/have 8$/);
    await hub.answer("/sent 8");
    const since = performance.now();
    await hub.news(
      ...Array.from({ length: 256 }, (_, i) => `${i + 9} bob: ${i}`),
    );
    await hub.awaits(/^\/have 264$/); // soon, so that more can come
    const ms = performance.now() - since;
    assert(ms < 1000, `after ${ms} ms`);
  });
});

on(ofEachKind, "answers to a command", async (t, runtime) => {
  const { hub, member } = await enter(t, runtime);

  await t.test("an answer that comes twice", async () => {
    member.write("/who\n");
    await hub.awaits(/^\/say \d+ \/who$/);
    await hub.takes(1, "* 1 here: alice");
    await hub.takes(1, "* 1 here: alice");
    await hub.news("1 bob: hello");
    await member.prints("* 1 here: alice\nbob: hello\n");
  });

  await t.test("what a server sends is made visible", async () => {
    member.stdout = "";
    member.write("/who\n");
    await hub.awaits(/^\/say \d+ \/who$/);
    const unsafe = "\x1b[2J\x07\r\x9b\u2028\u202e\u2066\x7f";
    const safe =
      "\\u{1b}[2J\\u{7}\\u{d}\\u{9b}\\u{2028}\\u{202e}\\u{2066}\\u{7f}";
    await hub.takes(
      2,
      `* a notice ${unsafe}`,
      `2 bob: ${unsafe}`,
      `3 ${unsafe}`,
    );
    await hub.news(`4 * bob${unsafe} left`);
    const shown = [`bob: ${safe}`, safe, `* bob${safe} left`];
    await member.until(() => member.stdout.endsWith("left\n"));
    const lines = member.stdout.trimEnd().split("\n");
    assert.equal(lines.length, 4);
    for (const line of [`* a notice ${safe}`, ...shown]) {
      assert(lines.includes(line), `${JSON.stringify(lines)} lacks ${line}`);
    }
  });
});

on(ofEachKind, "who is not the one whose name that was", async (t, runtime) => {
  const { hub, member } = await enter(t, runtime);
  await hub.news("1 * alice is now robert");
  await member.prints("* alice is now robert\n");
  await hub.awaits(/^\/have 1$/);
  await hub.answer(`/join ${COOKIE}`);
  await hub.awaits(/^\/join \w+ alice /);
  await hub.takes(0, "/welcome 0 alice", "/sent 1");
  member.write("/name ally\n");
  await hub.awaits(/^\/say \d+ \/name ally$/);
  await hub.takes(1, "/welcome 0 ally", "2 * alice is now ally", "/sent 2");
  await hub.awaits(/^\/have 2$/);
  await hub.answer(`/join ${COOKIE}`);
  await hub.awaits(/^\/join \w+ ally /);
  assert.equal(member.stderr, "");
});

on(ofEachKind, "who has to join again", async (t, runtime) => {
  const { hub, member } = await enter(t, runtime);

  await t.test("a welcome that comes twice", async () => {
    await hub.news("1 bob: one");
    await member.prints("bob: one\n");
    // Its address is another one now; the server is the same.
    await hub.awaits(/^\/have 1$/);
    await hub.answer("/join aaaaaaaaaaaaaaaa");
    await hub.awaits(/^\/join aaaaaaaaaaaaaaaa alice \d+$/);
    assert(hub.asked.lines.includes("/have 1")); // of another it would want all
    await hub.answer("/welcome 0 alice", "1 bob: one", "/sent 1");
    await hub.awaits(/^\/have 1$/);
    await hub.answer("/join bbbbbbbbbbbbbbbb");
    await hub.awaits(/^\/join bbbbbbbbbbbbbbbb alice \d+$/);
    await hub.answer("/welcome 3 alice", "/sent 3"); // does not tell what is shown
    await hub.awaits(/^\/have 1 2-3$/);
    await hub.answer("2 bob: two", "3 bob: three", "/sent 3");
    await member.prints("bob: one\nbob: two\nbob: three\n");
    assert.equal(member.stderr, "");
  });

  await t.test("a server that is new", async () => {
    member.stdout = "";
    member.write("hello\n");
    await hub.awaits(/^\/say \d+ hello$/);
    const before = { ...hub.asked };
    hub.run = "89abcdef";
    await hub.answer("/join aaaaaaaaaaaaaaaa");
    await hub.awaits(/^\/join aaaaaaaaaaaaaaaa alice \d+$/);
    // What it has from the former one counts no more; what it says does.
    const [join, ...others] = hub.asked.lines;
    assert.equal(join, `/join aaaaaaaaaaaaaaaa alice ${hub.first - 1}`);
    assert.deepEqual(others, ["/have 0", hub.say(1, "hello")]);
    const now = hub.asked;
    // Late answers and news of the former one come to nothing.
    hub.asked = before;
    hub.run = RUN;
    await hub.takes(1, "4 bob: four", "1 bob: late", "/sent 4", "* late");
    await hub.send(now.time, ["/said 999999999999", "1 bob: late", "/full"]);
    await hub.news("4 bob: four", "1 bob: late");
    hub.asked = now;
    hub.run = "89abcdef";
    await hub.takes(
      1,
      "/welcome 0 alice",
      "1 * alice joined (1 here)",
      "/sent 1",
    );
    await member.until(() => member.stdout.includes("joined"));
    await member.prints("* alice joined (1 here)\n");
    await member.complains(/^\* the server was away and is back$/m);
  });

  await t.test("a lost proof to a server started anew", async () => {
    member.write("bye\n");
    await hub.awaits(/ bye$/);
    hub.run = "76543210";
    await hub.answer(`/join ${COOKIE}`);
    await hub.awaits(/^\/join /); // which nobody answers
    const since = performance.now();
    await hub.awaits(/^\/join /);
    const took = performance.now() - since;
    assert(took < 2000, `again after ${took} ms, as if the server were away`);
  });
});

on(ofEachKind, "lines of the member", async (t, runtime) => {
  const { hub, member } = await enter(t, runtime);

  await t.test("what is not taken is said again", async () => {
    member.write("one\ntwo\n");
    await hub.awaits(/^\/say \d+ one$/);
    const since = performance.now();
    for (let times = 0; times < 10; times++) { // the hub has no room
      await hub.takes(0);
      await hub.awaits(/^\/say \d+ one$/);
    }
    const ms = performance.now() - since;
    assert(ms > 10 * 40 && ms < 2000, `ten times in ${ms} ms`);
    await hub.takes(1);
    await hub.awaits(/^\/say \d+ two$/);
    assert.deepEqual(hub.asked.lines, ["/have 0", hub.say(2, "two")]);
    await hub.takes(2);
  });

  // The hub keeps the answer to the last number that it took, and no other.
  await t.test("nothing follows a command", async () => {
    member.write("\n\nhello\n\n/who\nbye\n"); // nothing is said by nothing
    await hub.awaits(/^\/say \d+ hello$/);
    const two = ["/have 0", hub.say(3, "hello"), hub.say(4, "/who")];
    assert.deepEqual(hub.asked.lines, two);
    await hub.takes(4, "* 1 here: alice");
    await hub.awaits(/^\/say \d+ bye$/);
    assert.deepEqual(hub.asked.lines, ["/have 0", hub.say(5, "bye")]);
    await hub.takes(5);
  });

  await t.test("a long input takes its time", async () => {
    const lines = Array.from({ length: 500 }, (_, i) => `line ${i + 1}`);
    member.end(lines.join("\n"));
    const said: string[] = [];
    let requests = 0;
    while (said.length < lines.length) {
      const first = await hub.awaits(/^\/say /);
      assert.equal(first, hub.say(6 + said.length, lines[said.length]!));
      const some = hub.asked.lines.filter((line) => line.startsWith("/say "));
      said.push(...some.map((line) => line.replace(/^\/say \d+ /, "")));
      requests++;
      await pause(20); // nothing comes meanwhile: there is one request at a time
      await hub.takes(5 + said.length);
    }
    assert.deepEqual(said, lines);
    assert(requests < 20, `${requests} requests`);
    await hub.letsGo(506);
    assert.equal(await member.exits(), 0);
  });
});

on(ofEachKind, "on the way in", async (t, runtime) => {
  const { hub, member } = await knock(t, runtime);

  await t.test("a new cookie for each /join", async () => {
    const since = performance.now();
    for (let joins = 1; joins <= 5; joins++) {
      await hub.answer(`/join ${`${joins}`.repeat(16)}`);
      await hub.awaits(/^\/join /);
    }
    const ms = performance.now() - since;
    assert(ms > 5 * 50, `five times in ${ms} ms`); // the least pause of a repeat
  });

  await t.test("news before the welcome, and another name", async () => {
    await hub.news("8 * 127.0.0.1:9 joined (2 here)");
    await hub.takes(0, "/welcome 7 127.0.0.1:9", "/sent 8");
    await member.complains(/^\* alice is not free: you are 127\.0\.0\.1:9\b/);
    await member.prints("* 127.0.0.1:9 joined (2 here)\n");
  });

  await t.test("lines that are not kept any more", async () => {
    await hub.news("1500 bob: ahead", "1501 bob: too", "2000 bob: late");
    await hub.awaits(/^\/have 8 9-1499 1502-1999$/);
    await hub.answer("/gone 1998", "1999 bob: nearly late", "/sent 2000");
    await member.prints(
      "* 127.0.0.1:9 joined (2 here)\n* lines that you missed: 1988\n" +
        "bob: ahead\nbob: too\nbob: nearly late\nbob: late\n",
    );
    await hub.awaits(/^\/have 2000$/);
    await hub.answer("/sent 2000");
    member.stdout = "";
    await hub.news("2003 bob: behind a gap");
    await hub.awaits(/^\/have 2000 2001-2002$/);
    await hub.answer("/gone 2002");
    await member.prints("* lines that you missed: 2\nbob: behind a gap\n");
  });

  await t.test("a name that it has got before it had to move", async () => {
    await hub.awaits(/^\/have 2003$/);
    await hub.answer(`/join ${COOKIE}`);
    await hub.awaits(/^\/join \w+ 127\.0\.0\.1:9 /);
    await hub.takes(0, "/welcome 7 alicia", "/sent 2003");
    await hub.awaits(/^\/have 2003$/);
    await member.complains(/^\* alice is not free/); // and nothing else
  });
});

on(ofEachKind, "a full group, and lines to say", async (t, runtime) => {
  const { hub, member } = await knock(t, runtime);
  member.write("one\ntwo\n");
  await hub.awaits(/^\/say \d+ two$/); // by now it has read them
  await hub.answer("/full");
  assert.equal(await member.exits(), 1);
  assert.match(
    member.stderr,
    /^\* the group is full.*\nlines not delivered: 2\n$/,
  );
});

on(ofEachKind, "the input ends before the welcome", async (t, runtime) => {
  const { hub, member } = await knock(t, runtime);
  member.end();
  await pause(50);
  await hub.takes(0, "/welcome 0 alice", "/sent 0");
  await hub.letsGo(1);
  assert.equal(await member.exits(), 0);
  assert.equal(member.stderr, "");
});

on(ofEachKind, "who leaves sees what it said", async (t, runtime) => {
  const { hub, member } = await enter(t, runtime);
  member.end("bye\n");
  await hub.awaits(/^\/say \d+ bye$/);
  await hub.takes(1, "/sent 0"); // it goes out in the next round
  const lines = await hub.hears();
  assert.deepEqual(lines, ["/have 0"]); // and not yet /quit
  await hub.answer("/sent 1");
  await hub.news("1 alice: bye", "3 bob: you leave?"); // a gap, which is not its
  await hub.letsGo(2, 5);
  assert.equal(await member.exits(), 0);
  await member.prints("alice: bye\n* goodbye\n");
});

on(ofEachKind, "Ctrl+C while it leaves", async (t, runtime) => {
  const { hub, member } = await enter(t, runtime);
  const isQuit = (line: string) => line === hub.say(1, "/quit");
  member.end();
  while (!(await hub.hears()).some(isQuit)) await hub.answer("/sent 0");
  process.kill(member.pid, "SIGINT");
  assert((await hub.hears()).some(isQuit)); // and no second one
  const since = performance.now();
  await hub.takes(1, "* goodbye");
  assert.equal(await member.exits(), 130);
  const ms = performance.now() - since;
  assert(ms < 900, `after ${ms} ms, as if it waited for another answer`);
});

on(ofEachKind, "Ctrl+C where no hub is", async (t, runtime) => {
  const { port } = await silentPort(t);
  const member = startMember(t, runtime, "alice", port);
  member.write("hello\n");
  await member.complains(/^\* connecting/);
  const since = performance.now();
  process.kill(member.pid, "SIGINT");
  assert.equal(await member.exits(), 130);
  const ms = performance.now() - since;
  assert(ms < 900, `after ${ms} ms, as if there were somebody to tell`);
  assert.match(member.stderr, /\nlines not delivered: 1\n$/);
});

on(ofEachKind, "Ctrl+C behind lines on their way", async (t, runtime) => {
  const { hub, member } = await enter(t, runtime);
  const lines = ["a", "b", "c"].map((letter) => letter.repeat(350));
  member.write(lines.map((line) => `${line}\n`).join(""));
  await hub.awaits(/^\/say \d+ c+$/); // which is taken, but no answer comes
  const even = Array.from({ length: 40 }, (_, i) => `${2 * i + 2} bob: hello`);
  await hub.news(...even); // to ask for the others takes the room of a line
  await hub.awaits(/^\/have 0 1-1 3-3 /);
  assert.equal(hub.asked.lines.length, 3);
  process.kill(member.pid, "SIGINT");
  await hub.hears();
  await hub.takes(3);
  assert.equal(await hub.awaits(/ \/quit$/), hub.say(4, "/quit"));
  await hub.takes(4, "* goodbye");
  assert.equal(await member.exits(), 130);
  assert.equal(member.stderr, "");
});

/** What the member takes for its hub's would end it, or be shown. */
async function unmoved(hub: Hub, member: Program, n: number) {
  await hub.takes(n, `${n} bob: true`, `/sent ${n}`);
  await member.prints("bob: true\n".repeat(n));
}

on(ofEachKind, "what is its hub's", async (t, runtime) => {
  const { hub, member } = await enter(t, runtime);

  await t.test("datagrams of strangers", async () => {
    member.write("hello\n");
    await hub.awaits(/^\/say \d+ hello$/);
    const { token, time } = hub.asked;
    const evil = ["1 bob: forged", "* forged", "/said 9999999999", "/full"];
    // From the hub's own address, by who has not read our traffic.
    for (
      const head of [
        ...[`#fedcba9876543210 ${RUN} ${time}`, `#${token} 89abcdef ${time}`],
        ...["", `#${token}`, `#${token} `, `#${token} ${RUN}`],
        ...[`# ${RUN} ${time}`, `${token} ${RUN} ${time}`],
        `#${token.toUpperCase()}0 ${RUN} ${time}`,
        ...["/join 0123456789abcdef", "/full"],
      ]
    ) {
      await hub.write([head, ...evil]);
    }
    await hub.write(evil);
    await unmoved(hub, member, 1);
    assert.equal(member.stderr, "");
  });

  await t.test("a reply from another of its addresses", async () => {
    member.write("hello\n");
    await hub.awaits(/^\/say \d+ hello$/);
    const other = await openPeer(t, "127.0.0.2");
    await hub.send(hub.asked.time, ["2 bob: from elsewhere"], other);
    await member.prints("bob: true\nbob: from elsewhere\n");
  });
});
