// Loaded before a script: at SIGUSR2 it throws all garbage away and tells how
// many bytes are left in use.

import process from "node:process";

const collect = Reflect.get(globalThis, "gc") as () => void; // by --expose-gc

process.on("SIGUSR2", () => {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  console.error(`${heapUsed + external} bytes in use`);
});
