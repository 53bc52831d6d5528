// The load of the group's benchmark: many members in one process. It does what
// it reads from stdin, line by line, and answers each with its counts, as JSON.
//   load.ts PROTOCOL PORT NUMBER    the number of this process, for the names
//   join MEMBERS TALKERS   have so many members, the first ones of them talkers
//   talk                   begin to say lines, and count from 0
//   stop                   say no more, and wait until all of it came back
//   count                  just tell

import process from "node:process";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { JOIN, type Say } from "./members.ts";

/** What one process has seen. */
export interface Counts {
  at: number; // ms on its clock
  processor: number; // ms that it used itself
  members: number;
  said: number; // lines
  lines: number; // that came, of all members together
}

const WINDOW = 8; // lines that a talker says at once, the next when it heard them
const AT_ONCE = 16; // members that join at the same time
const SETTLE = 300; // ms for the last lines to reach all members
const PATIENCE = 5000; // ms; a line that did not come back by then is lost

const [protocol = "", port, number] = process.argv.slice(2);
const members: Talker[] = [];
let talking = false;
let [said, lines] = [0, 0];

class Talker {
  #say: Say = () => {};
  #own: string; // how its lines begin
  talks = false;
  waiting = 0; // lines of its own that did not come back yet

  constructor(i: number) {
    this.#own = `m${number}${1000 + i}`;
  }

  async join(i: number) {
    // A hub takes 250 members from one address at the most.
    const from = `127.0.0.${1 + i % 8}`;
    const place = { host: "127.0.0.1", port: Number(port), from };
    const hear = (all: string[]) => this.#hear(all);
    this.#say = await JOIN[protocol]!(this.#own, place, hear);
    return this;
  }

  #hear(all: string[]) {
    lines += all.length;
    if (this.waiting === 0) return;
    const own = `${this.#own}: `;
    this.waiting -= all.filter((line) => line.includes(own)).length;
    this.talk();
  }

  talk() {
    if (!talking || !this.talks || this.waiting > 0) return;
    const texts: string[] = [];
    while (texts.length < WINDOW) {
      texts.push(`line ${++said} of somebody who talks a lot`);
    }
    this.waiting = WINDOW;
    this.#say(texts);
  }
}

async function obey(command: string | undefined, count = 0, talkers = 0) {
  if (command === "join") {
    while (members.length < count) {
      const { length } = members;
      const more = Math.min(AT_ONCE, count - length);
      members.push(
        ...await Promise.all(
          Array.from(
            { length: more },
            (_, i) => new Talker(length + i).join(length + i),
          ),
        ),
      );
    }
    members.forEach((member, i) => member.talks = i < talkers);
    await pause(SETTLE);
  } else if (command === "talk") {
    [said, lines] = [0, 0];
    talking = true;
    members.forEach((member) => member.talk());
  } else if (command === "stop") {
    talking = false;
    const began = performance.now();
    while (members.some(({ waiting }) => waiting > 0)) {
      if (performance.now() - began > PATIENCE) break;
      await pause(20);
    }
    members.forEach((member) => member.waiting = 0);
    await pause(SETTLE);
  }
}

function counted(): Counts {
  const { user, system } = process.cpuUsage(); // µs
  return {
    at: performance.now(),
    processor: (user + system) / 1000,
    members: members.length,
    said,
    lines,
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  const [command, count, talkers] = line.split(" ");
  await obey(command, Number(count), Number(talkers));
  console.log(JSON.stringify(counted()));
}
