import { withNetcat } from "../support/netcat.ts";
import { startServer } from "../support/pair.ts";

const title = "our server, nc and then socat as the client";
withNetcat(title, startServer, async (server, client) => {
  client.write("hello server\n");
  await server.until(() => server.stdout.endsWith(": hello server\n>>>"));
  server.write("hello client\n");
  await client.prints("hello client");
});
