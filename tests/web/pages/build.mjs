// The tests' own pages around parts of the page: `node build.mjs OUT`.
import { createRequire } from "node:module"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const here = fileURLToPath(new URL(".", import.meta.url))
const web = join(here, "../../../client/web")
const { build } = createRequire(join(web, "package.json"))("esbuild")

await build({
  absWorkingDir: here,
  entryPoints: ["crypto.ts", "media.ts", "mediaWorker.ts"],
  outdir: process.argv[2],
  bundle: true,
  format: "esm",
  target: "es2022",
  sourcemap: "inline",
  nodePaths: [join(web, "node_modules")],
  logLevel: "warning",
})
