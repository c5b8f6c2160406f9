// Unit tests for a browser, with as much of Node as they use: `node unit.mjs OUT`.
import { createRequire } from "node:module"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const here = fileURLToPath(new URL(".", import.meta.url))
const web = join(here, "../../../client/web")
const { build } = createRequire(join(web, "package.json"))("esbuild")

await build({
  absWorkingDir: here,
  entryPoints: ["unit.ts"],
  outdir: process.argv[2],
  bundle: true,
  format: "esm",
  target: "es2022",
  sourcemap: "inline",
  nodePaths: [join(web, "node_modules")],
  define: { "import.meta.dirname": '""' },
  alias: {
    "node:test": join(here, "node/test.ts"),
    "node:assert/strict": join(here, "node/assert.ts"),
    "node:fs": join(here, "node/files.ts"),
    "node:path": join(here, "node/files.ts"),
  },
  logLevel: "warning",
})
