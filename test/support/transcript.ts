// The tutorial's conversation, as the README shows it.

import type { Program } from "./processes.ts";

/** Hold it in a pipe; whoever the two programs are, this is what they print. */
export async function converse(server: Program, client: Program) {
  await client.prints(">>>");
  client.write("hello server\n");
  await server.until(() => server.stdout.endsWith("\n>>>"));
  const from = /^来自\[127\.0\.0\.1:\d{1,5}\]的消息: /.exec(server.stdout)?.[0];
  await server.prints(`${from}hello server\n>>>`);

  server.write("hello client\n");
  await client.prints(">>>hello client\n>>>");

  client.write("再见 👋🏽\n");
  await server.prints(`${from}hello server\n>>>${from}再见 👋🏽\n>>>`);
  server.write("\n");
  await client.prints(">>>hello client\n>>>\n>>>");
}
