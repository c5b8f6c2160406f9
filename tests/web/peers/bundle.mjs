// One program of a test as a single file for Node: `node bundle.mjs ENTRY OUT`, with the page's packages.
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const web = join(dirname(fileURLToPath(import.meta.url)), "../../../client/web")
const { build } = createRequire(join(web, "package.json"))("esbuild")
const [entry, outfile] = process.argv.slice(2)

await build({
  absWorkingDir: web,
  entryPoints: [entry],
  outfile,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  sourcemap: "inline",
  nodePaths: [join(web, "node_modules")],
  logLevel: "warning",
  // ts-mls asks for these only for suites that the protocol does not have
  external: ["@hpke/dhkem-x448", "@hpke/hybridkem-x-wing", "@hpke/ml-kem", "@noble/post-quantum"],
})
