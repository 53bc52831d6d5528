// The plainest client there can be for a protocol: it says the lines of its
// stdin and prints those that come.
//   plain-client.ts PROTOCOL NAME HOST PORT

import process from "node:process";
import { createInterface } from "node:readline";
import { JOIN } from "./members.ts";

const [protocol = "", name = "", host = "", port] = process.argv.slice(2);
const print = (lines: string[]) =>
  lines.forEach((line) => process.stdout.write(line + "\n"));
const say = await JOIN[protocol]!(name, { host, port: Number(port) }, print);
print([`* ${name} joined (`]);
for await (const line of createInterface({ input: process.stdin })) {
  say([line]);
}
