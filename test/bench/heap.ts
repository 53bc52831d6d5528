// Loaded before a script: at SIGUSR2 it throws all garbage away and tells how
// many bytes of the heap are left in use.

import process from "node:process";

const collect = Reflect.get(globalThis, "gc") as () => void; // by --expose-gc

process.on("SIGUSR2", () => {
  collect();
  collect(); // what the first one has only marked as gone
  console.error(`${process.memoryUsage().heapUsed} bytes in use`);
});
