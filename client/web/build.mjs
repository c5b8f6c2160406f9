// Builds the page's bundle, the same bytes from the same sources: `node build.mjs [OUT]`. Without OUT, it also builds
// the landlord's window, in its own folder.
//
// The output is index.html, address.js, main.js, main.css, worker.js, a chunk for each further language and each view loaded on
// demand, and manifest.json: the SHA-256 of each file, and `hash`, which is SHA-256 over the lines "sha256 name\n" in
// order.
import { build } from "esbuild"
import { createHash } from "node:crypto"
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { basename, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"

const here = fileURLToPath(new URL(".", import.meta.url))
const out = resolve(process.argv[2] ?? join(here, "../../server/page/bundle"))

const common = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  charset: "utf8",
  logLevel: "warning",
  // ts-mls imports these only for suites that the protocol does not have
  external: [
    "@hpke/chacha20poly1305", "@hpke/dhkem-x448", "@hpke/hybridkem-x-wing", "@hpke/ml-kem", "@noble/post-quantum",
    "@noble/ciphers/chacha.js",
  ],
}

/**
 * Return the page with preload links for the imports of main.js: otherwise the browser finds each one only after
 * loading the one before.
 */
function withChunks(html, { outputs }) {
  const wanted = new Set()
  const visit = (path) => {
    for (const { path: to, kind } of outputs[path]?.imports ?? [])
      if (kind === "import-statement" && !wanted.has(to)) {
        wanted.add(to)
        visit(to)
      }
  }
  visit(Object.keys(outputs).find((path) => basename(path) === "main.js"))
  const links = [...wanted].map((path) => basename(path)).sort().map((name) => `<link rel="modulepreload" href="${name}" />\n    `)
  return html.replace('<script type="module"', () => `${links.join("")}<script type="module"`)
}

/** Build one bundle: `entryPoints`, the `html` that loads them, and the manifest. */
async function bundle(to, entryPoints, html) {
  // built beside the old one, then moved in its place: no incomplete page is ever served
  const out = `${to}.new`
  await rm(out, { recursive: true, force: true })
  await mkdir(out, { recursive: true })
  // shared code of page and worker is loaded once
  const { metafile } = await build({
    ...common, entryPoints, splitting: true, chunkNames: "[name]-[hash]", outdir: out, metafile: true,
  })
  await writeFile(join(out, "index.html"), withChunks(await readFile(join(here, html), "utf8"), metafile))
  await writeFile(join(out, "icon.svg"), await readFile(join(here, "src/icon.svg")))

  const names = (await readdir(out)).filter((name) => name !== "manifest.json").sort()
  const sums = new Map()
  for (const name of names) sums.set(name, createHash("sha256").update(await readFile(join(out, name))).digest("hex"))
  const hash = createHash("sha256")
  for (const [name, sum] of sums) hash.update(`${sum} ${name}\n`)
  await writeFile(
    join(out, "manifest.json"),
    `${JSON.stringify({ hash: hash.digest("hex"), files: Object.fromEntries(sums) }, null, 1)}\n`,
  )
  await rm(to, { recursive: true, force: true })
  await rename(out, to)
}

await bundle(out, { address: "src/app/address.ts", main: "src/app/main.tsx", worker: "src/worker/main.ts" }, "src/index.html")
if (process.argv[2] === undefined)
  await bundle(join(here, "../../server/page/landlord"), { main: "src/landlord/main.tsx" }, "src/landlord/index.html")
