// Part 2: how long it takes from the command to the bound socket, and to the
// first prompt.

import { listening, start, startServer } from "../support/pair.ts";
import { type Program } from "../support/processes.ts";
import { runtimes } from "../support/runtimes.ts";
import {
  bench,
  end,
  median,
  MISSING,
  type Options,
  progress,
  PYTHON,
  pythonScript,
  spread,
  table,
} from "./tools.ts";

const PORT = 9; // of nobody: the client only gets as far as its first prompt

/** Milliseconds until a program is there, and then its end. */
async function timed(start: () => Promise<Program>): Promise<number> {
  const began = performance.now();
  const program = await start();
  const took = performance.now() - began;
  end(program);
  return took;
}

async function prompt(client: Program): Promise<Program> {
  await client.prints(">>>");
  return client;
}

/** For each contestant, how to start its server and its client. */
function contestants() {
  const all = runtimes.filter(({ version }) => version !== "").map((
    runtime,
  ) => ({
    name: runtime.name,
    server: () => startServer(bench, runtime),
    client: () => prompt(start(bench, runtime, "client.ts", "127.0.0.1", PORT)),
  }));
  const python = {
    name: "Python",
    server: () => listening(pythonScript("peer.py", "server", 0)),
    client: () => prompt(pythonScript("peer.py", "client", PORT)),
  };
  return PYTHON ? [python, ...all] : all;
}

export async function startTimes({ quick }: Options): Promise<string> {
  const rounds = quick ? 3 : 15;
  const all = contestants().map((one) => ({
    ...one,
    bound: [] as number[],
    prompted: [] as number[],
  }));
  for (let round = 0; round <= rounds; round++) {
    progress(`start: round ${round} of ${rounds}`);
    for (const { server, client, bound, prompted } of all) {
      const [toSocket, toPrompt] = [await timed(server), await timed(client)];
      if (round === 0) continue; // the files come from the disk
      bound.push(toSocket);
      prompted.push(toPrompt);
    }
  }
  const python = all.find(({ name }) => name === "Python");
  const rows = ["Python", ...runtimes.map(({ name }) => name)].map((name) => {
    const one = all.find((one) => one.name === name);
    if (!one) return [name, MISSING];
    const times = python ? median(one.prompted) / median(python.prompted) : NaN;
    return [name, spread(one.bound), spread(one.prompted), times.toFixed(1)];
  });
  const head = ["", "bound, ms", "first prompt, ms", "prompt / Python"];
  return `## 2. Start

${table(head, rows)}

From the command to the server's bound socket (it names its port), and to the
client's first prompt, seen from the program that started them. ${rounds} rounds in
turn, after one that is not counted; median and quartiles.
`;
}
