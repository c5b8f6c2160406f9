// Builds the stories: `node build.mjs OUT`. Every .tsx beside this file is taken in.
import { createRequire } from "node:module"
import { copyFile, readdir } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const here = fileURLToPath(new URL(".", import.meta.url))
const web = join(here, "../../../client/web")
const { build } = createRequire(join(web, "package.json"))("esbuild")
const out = process.argv[2]
if (out === undefined) throw new Error("where to?")

const files = (await readdir(here)).filter((name) => name.endsWith(".tsx")).sort()
const entry = `
import { show } from "./show"
${files.map((name, i) => `import s${i} from "./${name}"`).join("\n")}
show([${files.map((_, i) => `...s${i}`).join(", ")}])
`
await build({
  absWorkingDir: here,
  stdin: { contents: entry, resolveDir: here, sourcefile: "main.ts", loader: "ts" },
  outfile: join(out, "main.js"),
  bundle: true,
  format: "esm",
  target: ["es2022"],
  jsx: "automatic",
  jsxImportSource: "preact",
  charset: "utf8",
  nodePaths: [join(web, "node_modules")],
  logLevel: "warning",
})
// as in the bundles: each page has its own sheet, whose order is its own
const style = join(web, "src/app/style")
await build({
  entryPoints: {
    main: join(style, "index.css"), later: join(style, "later.css"),
    landlord: join(web, "src/landlord/landlord.css"), projector: join(web, "src/projector/projector.css"),
    phone: join(web, "src/phone/phone.css"),
  },
  outdir: out,
  bundle: true,
  logLevel: "warning",
})
await copyFile(join(here, "index.html"), join(out, "index.html"))
