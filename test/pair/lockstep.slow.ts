import { startClient, startServer } from "../support/pair.ts";
import { another, onEveryRuntime } from "../support/runtimes.ts";

onEveryRuntime("1,000 lines in lock step", async (t, runtime) => {
  const server = await startServer(t, runtime);
  const client = await startClient(t, another(runtime), server.port);

  client.write("line 0\n");
  await server.until(() => server.stdout.endsWith("\n>>>"));
  const from = server.stdout.slice(0, server.stdout.indexOf("line 0"));
  let serverShows = `${from}line 0\n>>>`;
  let clientShows = ">>>";
  for (let i = 0; i < 1000; i++) {
    await server.prints(serverShows);
    server.write(`reply ${i}\n`);
    await client.prints(clientShows += `reply ${i}\n>>>`);
    client.write(`line ${i + 1}\n`);
    serverShows += `${from}line ${i + 1}\n>>>`;
  }
});
