// The floor of a round trip: what it costs on this runtime to send a datagram
// there and back, without a prompt, a line or a word on the screen.
//   floor.ts server
//   floor.ts client PORT    never ends; prints a dot for each 100 round trips

import { createSocket } from "node:dgram";
import process from "node:process";

const [role, port = ""] = process.argv.slice(2);
const sk = createSocket("udp4");

if (role === "server") {
  sk.on("message", (msg, { port, address }) => sk.send(msg, port, address));
  sk.bind(0, "127.0.0.1", () => {
    console.error(`listening on port ${sk.address().port}`);
  });
} else {
  let trips = 0;
  const send = () => sk.send("000000", Number(port), "127.0.0.1");
  sk.on("message", () => {
    if (++trips % 100 === 0) process.stdout.write(".");
    send();
  });
  send();
}
