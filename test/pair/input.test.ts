import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { start, startClient, startServer } from "../support/pair.ts";
import { another, onEveryRuntime } from "../support/runtimes.ts";
import { openPeer } from "../support/udp.ts";

const bytes = new TextEncoder();
const ANY = Uint8Array.from({ length: 256 }, (_, i) => i)
  .filter((byte) => byte !== 0x0a && byte !== 0x0d);

onEveryRuntime("a client's lines, however chunked", async (t, runtime) => {
  const peer = await openPeer(t);
  const client = await startClient(t, runtime, peer.port);

  const han = bytes.encode("汉字");
  client.write(Uint8Array.of(...bytes.encode("one\n"), ...han.slice(0, 2)));
  const port = await peer.receives("one"); // so that first chunk has been read
  await peer.send("1", port);
  await client.prints(">>>1\n>>>");
  client.write(Uint8Array.of(...han.slice(2), ...bytes.encode("\r")));
  await peer.receives("汉字");
  await peer.send("2", port);
  await client.prints(">>>1\n>>>2\n>>>");

  await pause(200); // however late it comes, this \n belongs to that \r
  client.write(Uint8Array.of(
    ...bytes.encode("\nthree\r\nfour\n\n"),
    ...ANY,
    ...bytes.encode("\n five "),
  ));
  await peer.receives("three");
  client.end();
  await peer.send("3", port);
  await peer.receives("four");
  await peer.send("4", port);
  await peer.receives("");
  await peer.send("", port);
  await peer.receives(new TextDecoder().decode(ANY));
  await peer.send(Uint8Array.of(0x1b, 0xff), port);
  await peer.receives(" five ");
  await peer.send("5", port);
  assert.equal(await client.exits(), 0);
  await client.prints(
    ">>>1\n>>>2\n>>>3\n>>>4\n>>>\n>>>\\u{1b}\ufffd\n>>>5\n>>>",
  );
  assert.equal(client.stderr, "");
});

onEveryRuntime("a server's lines, however chunked", async (t, runtime) => {
  const server = await startServer(t, runtime);
  const peer = await openPeer(t);
  const says = `来自[127.0.0.1:${peer.port}]的消息: `;

  const han = bytes.encode("汉字");
  server.write(Uint8Array.of(...bytes.encode("one\n"), ...han.slice(0, 2)));
  await peer.send("1", server.port);
  await peer.receives("one");
  server.write(Uint8Array.of(...han.slice(2), ...bytes.encode("\r")));
  await peer.send("2", server.port);
  await peer.receives("汉字"); // at once, whatever comes behind that \r
  await pause(200);
  server.write("\n\n five ");
  await peer.send("", server.port);
  await peer.receives("");
  server.end();
  await peer.send("4", server.port);
  await peer.receives(" five ");
  await peer.send("5", server.port);
  assert.equal(await server.exits(), 0);
  await server.prints(
    `${says}1\n>>>${says}2\n>>>${says}\n>>>${says}4\n>>>${says}5\n>>>`,
  );
  assert.equal(server.stderr, "");
});

onEveryRuntime("5,000 lines, each used once, in order", async (t, runtime) => {
  const numbers = Array.from({ length: 5000 }, (_, i) => i);
  const server = await startServer(t, runtime);
  server.end(numbers.map((i) => `reply ${i}\n`).join(""));
  const client = start(
    t,
    another(runtime),
    "client.ts",
    "127.0.0.1",
    server.port,
  );
  client.end(numbers.map((i) => `line ${i}\n`).join(""));

  assert.equal(await client.exits(), 0);
  await client.prints(
    `>>>${numbers.map((i) => `reply ${i}\n>>>`).join("")}`,
  );
  const from = server.stdout.slice(0, server.stdout.indexOf("line 0"));
  await server.prints(
    numbers.map((i) => `${from}line ${i}\n>>>`).join(""),
  );
  assert.equal(client.stderr + server.stderr, "");
});
