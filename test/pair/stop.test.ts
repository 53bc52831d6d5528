// Ctrl+Z and `fg`: the script, and whatever started it, stops and goes on.

import type { TestContext } from "node:test";
import { count } from "../support/group.ts";
import { commandOf } from "../support/pair.ts";
import { on, runtimes, withOlderBuns } from "../support/runtimes.ts";
import { CTRL_D, CTRL_Z, Terminal } from "../support/terminal.ts";
import { openPeer } from "../support/udp.ts";

const PROMPT = /[$#] $/;
const SHELL = ["bash", "--norc", "--noprofile", "-i"];
const npx = { ...runtimes[0]!, name: "npx tsx", command: ["npx", "tsx"] };

/** Type a command, and wait until the shell has printed this and a prompt. */
async function run(terminal: Terminal, command: string, prints: RegExp) {
  const { length } = terminal.screen;
  terminal.type(`${command}\r`);
  await terminal.until(() => {
    const [, ...rows] = terminal.screen.slice(length).split("\n");
    return prints.test(rows.join("\n")) && PROMPT.test(rows.at(-1) ?? "");
  });
}

async function startShell(t: TestContext): Promise<Terminal> {
  const terminal = new Terminal(t, SHELL, { cols: 80, rows: 50 });
  await terminal.until(() => PROMPT.test(terminal.screen));
  await run(terminal, "settings=$(stty -g)", /^/);
  return terminal;
}

/** The shell lives, and the terminal's settings are those of its commands. */
async function checkShell(terminal: Terminal) {
  const test = '[ "$(stty -g)" = "$settings" ] && echo as before';
  await run(terminal, test, /^as before$/m);
}

/** The screen, in which a line may take two rows. */
function joined(terminal: Terminal): string {
  return terminal.screen.replaceAll("\n", "");
}

async function stop(terminal: Terminal) {
  const stops = () => count(terminal.screen, "Stopped");
  const before = stops();
  terminal.type(CTRL_Z);
  await terminal.until(() => stops() > before && PROMPT.test(terminal.screen));
  await checkShell(terminal);
}

on([npx, ...withOlderBuns], "Ctrl+Z and fg", async (t, runtime) => {
  const terminal = await startShell(t);
  const command = commandOf(runtime, "server.ts", "127.0.0.1", 0);
  terminal.type(`${command.join(" ")}\r`);
  await terminal.until(() => /listening on port \d+\n$/.test(terminal.screen));
  const port = Number(/listening on port (\d+)/.exec(terminal.screen)![1]);
  const peer = await openPeer(t);
  await peer.send("one", port);
  await terminal.until(() => terminal.screen.endsWith(": one\n>>>"));

  terminal.type("ab"); // stopped at the prompt
  await terminal.until(() => terminal.screen.endsWith(">>>ab"));
  await stop(terminal);
  await peer.send("two", port);
  terminal.type("fg\r");
  await terminal.until(() => terminal.screen.endsWith("\n>>>ab"));
  terminal.type("c");
  await terminal.until(() => terminal.screen.endsWith("\n>>>abc"));
  terminal.type("\r");
  await peer.receives("abc");
  await terminal.until(() => terminal.screen.endsWith(": two\n>>>"));
  terminal.type("d\r");
  await peer.receives("d");
  await terminal.until(() => terminal.screen.endsWith(">>>d\n"));

  terminal.type("ef"); // stopped while it waits
  await terminal.until(() => terminal.screen.endsWith("\nef"));
  await stop(terminal);
  await peer.send("three", port);
  terminal.type("fg\r");
  await terminal.until(() => terminal.screen.endsWith(": three\n>>>ef"));
  terminal.type("g\r");
  await peer.receives("efg");
  await stop(terminal);
  terminal.type("fg\r");
  // An empty line that readline draws anew is a space.
  await terminal.until(() => /\n ?$/.test(terminal.screen));
  await peer.send("four", port);
  await terminal.until(() => terminal.screen.endsWith(": four\n>>>"));

  const long = "x".repeat(90); // two rows
  terminal.type(long);
  await terminal.until(() => joined(terminal).endsWith(`>>>${long}`));
  await stop(terminal);
  terminal.type("fg\r"); // the shell shows the command, which stays
  const shown = `${command.join(" ")}>>>${long}`;
  await terminal.until(() => joined(terminal).endsWith(shown));
  terminal.type("\r");
  await peer.receives(long);
  terminal.type(CTRL_D);
  await terminal.until(() => PROMPT.test(terminal.screen));
  await run(terminal, "echo $?", /^0$/m);
  await checkShell(terminal);
});

on(withOlderBuns, "Ctrl+Z where no shell waits", async (t, runtime) => {
  const command = commandOf(runtime, "server.ts", "127.0.0.1", 0);
  const terminal = new Terminal(t, command);
  await terminal.until(() => /listening on port \d+\n$/.test(terminal.screen));
  const port = Number(/\d+/.exec(terminal.screen));
  const peer = await openPeer(t);
  await peer.send("one", port);
  await terminal.until(() => terminal.screen.endsWith(": one\n>>>"));
  terminal.type("ab");
  await terminal.until(() => terminal.screen.endsWith(">>>ab"));
  terminal.type(CTRL_Z);
  terminal.type("c\r");
  await peer.receives("abc");
  terminal.type(CTRL_D);
  await terminal.until(() =>
    terminal.screen.endsWith("exit 0, settings as before\n")
  );
});
