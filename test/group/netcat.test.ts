import assert from "node:assert/strict";
import { startHub } from "../support/group.ts";
import { withNetcat } from "../support/netcat.ts";

const title = "a member by hand, with nc and then with socat";
withNetcat(title, startHub, async (hub, bob, turn) => {
  const n = 4 * turn; // lines before these
  bob.write("/join\n");
  await bob.until(() => /^\/join [0-9a-f]{16}\n$/.test(bob.stdout));
  bob.write(`${bob.stdout.trim()} bob\n`);
  const answers = (end: string) =>
    bob.until(() => bob.stdout.endsWith(`\n${end}\n`));
  await answers(`/welcome ${n} bob\n${n + 1} * bob joined (1 here)`);
  bob.write("hello\n");
  await answers(`${n + 2} bob: hello`);
  bob.write("/name robert\n");
  await answers(`${n + 3} * bob is now robert`);
  bob.write("/who\n");
  await answers("* 1 here: robert");
  for (const command of ["/say 1 hello", "/have 0", "/help"]) {
    bob.stdout = "\n";
    bob.write(`${command}\n`); // the first two are for programs
    await bob.until(() => bob.stdout.endsWith("\n") && bob.stdout !== "\n");
    assert.match(bob.stdout, /^\n\* no such command/);
  }
  bob.write("/quit\n");
  await hub.until(() => hub.stdout.endsWith("* robert left (0 here)\n"));
});
