// Runs the page's unit tests in Node: `node unit.mjs [part of a file's name ...]`.
import { build } from "esbuild"
import { spawn } from "node:child_process"
import { mkdtemp, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const here = fileURLToPath(new URL(".", import.meta.url))
const folder = join(here, "../../tests/web/unit")
const parts = process.argv.slice(2)
const files = (await readdir(folder, { recursive: true }))
  .filter((name) => /\.test\.tsx?$/.test(name) && (parts.length === 0 || parts.some((part) => name.includes(part))))
  .map((name) => join(folder, name))
if (files.length === 0) throw new Error("no test of that name")

const out = await mkdtemp(join(tmpdir(), "snug-unit-"))
// A process takes half a second to start and load its code: two processes run all files.
const PROCESSES = Math.min(2, files.length)
const groups = Array.from({ length: PROCESSES }, (_, group) => files.filter((_, at) => at % PROCESSES === group))
try {
  await build({
    absWorkingDir: here,
    entryPoints: groups.map((_, group) => `group-${group}`),
    outdir: out,
    plugins: [
      {
        name: "groups",
        setup(made) {
          made.onResolve({ filter: /^group-\d+$/ }, ({ path }) => ({ path, namespace: "groups" }))
          made.onLoad({ filter: /.*/, namespace: "groups" }, ({ path }) => ({
            contents: groups[Number(path.replace("group-", ""))].map((file) => `import ${JSON.stringify(file)}`).join("\n"),
            resolveDir: folder,
          }))
        },
      },
    ],
    outExtension: { ".js": ".mjs" },
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    jsx: "automatic",
    jsxImportSource: "preact",
    sourcemap: "inline",
    nodePaths: [join(here, "node_modules")],
    // tests and the tested code share one copy: signals of two copies do not notify each other
    alias: { "@preact/signals": join(here, "node_modules/@preact/signals/dist/signals.mjs") },
    define: { "import.meta.dirname": JSON.stringify(folder) },
    banner: { js: "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);" },
    logLevel: "warning",
  })
  const built = (await readdir(out, { recursive: true })).filter((name) => name.endsWith(".mjs")).map((name) => join(out, name))
  const child = spawn(process.execPath, ["--enable-source-maps", "--test", ...built], { stdio: "inherit" })
  process.exitCode = await new Promise((done) => child.on("exit", (code) => done(code ?? 1)))
} finally {
  await rm(out, { recursive: true, force: true })
}
