// The tutorial's conversation, as the README shows it.

import assert from "node:assert/strict";
import type { Program } from "./processes.ts";

/** The first words of each; returns how the server names the client. */
export async function greet(
  server: Program,
  client: Program,
  address = /127\.0\.0\.1/,
): Promise<string> {
  client.write("hello server\n");
  await server.until(() => server.stdout.endsWith("\n>>>"));
  const pattern = RegExp(`^来自\\[(${address.source}):\\d{1,5}\\]的消息: `);
  const from = pattern.exec(server.stdout)?.[0];
  assert(from, server.stdout);
  await server.prints(`${from}hello server\n>>>`);

  server.write("hello client\n");
  await client.prints(">>>hello client\n>>>");
  return from;
}

/** Hold it in a pipe; whoever the two programs are, this is what they print. */
export async function converse(server: Program, client: Program) {
  await client.prints(">>>");
  const from = await greet(server, client);
  client.write("再见 👋🏽\n");
  await server.prints(`${from}hello server\n>>>${from}再见 👋🏽\n>>>`);
  server.write("\n");
  await client.prints(">>>hello client\n>>>\n>>>");
}
