// The four scripts in somebody's project: its compiler, its settings and its
// linters find nothing. These tools are no part of this project; the variable
// TOOLS names a node_modules folder that has them, as .ci/run installs them.

import assert from "node:assert/strict";
import {
  cpSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { describe, test, type TestContext } from "node:test";
import { emptyFolder, Program, PROJECT } from "../support/processes.ts";

const SCRIPTS = [
  "server.ts",
  "client.ts",
  "group/server.ts",
  "group/client.ts",
];
const TOOLS = process.env["TOOLS"] ?? "";
const skip = TOOLS === "" && !process.env["CI"] && "TOOLS names no folder";

const TSC_56 = "typescript56/bin/tsc";
const TSC_59 = "typescript59/bin/tsc";
const TSC_7 = "typescript7/bin/tsc";
const ESLINT = "eslint/bin/eslint.js";
const BIOME = "@biomejs/biome/bin/biome";

const STRICTEST = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noFallthroughCasesInSwitch: true,
  noImplicitOverride: true,
  noImplicitReturns: true,
  noPropertyAccessFromIndexSignature: true,
  noUncheckedIndexedAccess: true,
  noUnusedLocals: true,
  noUnusedParameters: true,
  isolatedModules: true,
  skipLibCheck: true,
};

const RECOMMENDED = `import tseslint from "typescript-eslint";
export default tseslint.config(tseslint.configs.recommendedTypeChecked, {
  languageOptions: {
    parserOptions: {
      projectService: true,
      tsconfigRootDir: import.meta.dirname,
    },
  },
});
`;

/** A project that has these tools and settings, and copies of the scripts. */
function project(t: TestContext, compilerOptions?: object): string {
  const cwd = emptyFolder(t);
  symlinkSync(TOOLS, join(cwd, "node_modules"));
  writeFileSync(join(cwd, "package.json"), '{ "type": "module" }');
  if (compilerOptions) {
    const settings = JSON.stringify({ compilerOptions });
    writeFileSync(join(cwd, "tsconfig.json"), settings);
  }
  for (const script of SCRIPTS) {
    mkdirSync(dirname(join(cwd, script)), { recursive: true });
    cpSync(join(PROJECT, script), join(cwd, script));
  }
  return cwd;
}

/** Run a tool in that project; what it says, which is nothing if all is well. */
async function run(
  t: TestContext,
  cwd: string,
  tool: string,
  ...args: string[]
) {
  const command = [process.execPath, join(TOOLS, tool), ...args];
  const program = new Program(t, command, { cwd });
  const code = await program.exits();
  const said = program.stdout + program.stderr;
  assert.equal(code, 0, said);
  return said;
}

describe("in somebody's project", { skip }, () => {
  for (const tsc of [TSC_56, TSC_59, TSC_7]) {
    const name = dirname(dirname(tsc));
    for (
      const settings of [
        { target: "es2020", module: "nodenext" },
        { target: "esnext", module: "preserve", moduleResolution: "bundler" },
      ]
    ) {
      test(`${name}, ${settings.target}, ${settings.module}`, async (t) => {
        const cwd = project(t, { ...STRICTEST, ...settings });
        assert.equal(await run(t, cwd, tsc, "--noEmit"), "");
      });
    }

    test(`${name}, the settings of tsc --init`, async (t) => {
      const cwd = project(t);
      await run(t, cwd, tsc, "--init");
      assert.equal(await run(t, cwd, tsc, "--noEmit"), "");
    });

    // 5.6 does not know all of the settings that a Vite project has.
    test(`${name}, Vite's tsconfig.node.json`, {
      skip: tsc === TSC_56,
    }, async (t) => {
      const cwd = project(t);
      const template = "create-vite/template-react-ts/tsconfig.node.json";
      const settings = readFileSync(join(TOOLS, template), "utf8");
      const ours = settings.replace('["vite.config.ts"]', '["**/*.ts"]');
      assert.notEqual(ours, settings);
      writeFileSync(join(cwd, "tsconfig.json"), ours);
      assert.equal(await run(t, cwd, tsc, "--noEmit"), "");
    });
  }

  test("typescript-eslint, recommendedTypeChecked", async (t) => {
    const cwd = project(t, { ...STRICTEST, module: "nodenext" });
    writeFileSync(join(cwd, "eslint.config.mjs"), RECOMMENDED);
    assert.equal(await run(t, cwd, ESLINT, ...SCRIPTS), "");
  });

  test("Biome, and the compiler after Biome's safe fixes", async (t) => {
    const cwd = project(t, { ...STRICTEST, module: "nodenext" });
    await run(t, cwd, BIOME, "lint", ...SCRIPTS);
    await run(t, cwd, BIOME, "check", "--write", ...SCRIPTS);
    assert.match(readFileSync(join(cwd, "server.ts"), "utf8"), /^\t/m);
    assert.equal(await run(t, cwd, TSC_7, "--noEmit"), "");
  });
});
