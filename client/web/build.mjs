// Builds the page's bundle, the same bytes from the same sources: `node build.mjs [OUT]`. Without OUT, it also builds
// the landlord's window, the lecture's projector and its page for phones, in their own folders.
//
// The output is index.html, address.js, main.js, main.css, worker.js, service.js, a chunk for each further language and each
// view loaded on demand, icons, app.webmanifest for browsers that install it, and manifest.json: the SHA-256 of each file, and `hash`, which is SHA-256 over the lines "sha256 name\n" in
// order. blur.js, blur.wasm and blur.tflite are loaded when somebody turns blur on, and neither before nor for the hash.
// Beside each file that Brotli makes smaller is NAME.br, for the server to send; `brotli` in the manifest has
// their SHA-256. The hash doesn't cover them: another release of Node may pack the same file otherwise.
import { build } from "esbuild"
import { minify } from "terser"
import { createHash } from "node:crypto"
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { basename, dirname, extname, join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { brotliCompress, constants } from "node:zlib"

const here = fileURLToPath(new URL(".", import.meta.url))
const out = resolve(process.argv[2] ?? join(here, "../../server/page/bundle"))

/**
 * Functions of ts-mls that make encoders and decoders of others, and do nothing else. It calls them when it is loaded, so
 * esbuild would keep all that it makes: most of it is for messages that Snug reads and writes by itself.
 */
const PURE = [
  "bigintMapEncoder", "contramapBufferEncoder", "contramapBufferEncoders", "decodeBase64Record", "decodeBigintMap",
  "decodeNumberRecord", "decodeOptional", "decodeVarLenType", "base64RecordEncoder", "encode", "enumNumberToKey",
  "failDecoder", "flatMapDecoder", "mapDecoder", "mapDecoderOption", "mapDecoders", "mapDecodersOption",
  "numberRecordEncoder", "openEnumNumberEncoder", "openEnumNumberToKey", "optionalEncoder", "orDecoder", "succeedDecoder",
  "varLenTypeEncoder",
]

const withoutUnused = {
  name: "without unused encoders",
  setup(build) {
    const calls = new RegExp(`(?<!function |[\\w.$])(?:${PURE.join("|")})\\(`, "g")
    build.onLoad({ filter: /[\\/]ts-mls[\\/]dist[\\/].*\.js$/ }, async ({ path }) => ({
      contents: (await readFile(path, "utf8")).replace(calls, (call) => `/* @__PURE__ */ ${call}`),
    }))
  },
}

/**
 * Chunks are made of whole files, by the sets of entries that need them: a file that comes later and shares a file with
 * the first ones makes a chunk of its own of that, which every page loads. These get copies: the exchange of tokens, which
 * alone needs SHA-512; scrypt; and what makes images smaller.
 */
const ownCopies = {
  name: "own copies",
  setup(build) {
    const namespace = "copy"
    build.onResolve({ filter: /^@noble\/hashes\/|\/(?:imageSize|limits)$/ }, async ({ path, importer, pluginData, ...from }) => {
      const wanted = importer.includes("@noble/curves") || path.endsWith("/scrypt.js") || importer.endsWith("/shrink.ts")
      if (pluginData === namespace || !wanted) return undefined
      const found = await build.resolve(path, { importer, kind: from.kind, resolveDir: from.resolveDir, pluginData: namespace })
      // chunks are named by the paths of what is in them: they are the same on every machine
      return { path: relative(here, found.path), namespace }
    })
    build.onResolve({ filter: /^\.\//, namespace }, ({ path, importer }) => ({ path: join(dirname(importer), path), namespace }))
    build.onLoad({ filter: /.*/, namespace }, async ({ path }) => ({
      contents: await readFile(join(here, path), "utf8"), loader: extname(path) === ".ts" ? "ts" : "js",
    }))
  },
}

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
  plugins: [withoutUnused, ownCopies],
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

/** The package that finds the person in front of a background: the files of it that the page serves, as they are. */
const BLUR = join(here, "node_modules/@twilio/video-processors/dist/build")
const MODEL = { "blur.wasm": "tflite-simd-1-0-0.wasm", "blur.tflite": "selfie_segmentation_landscape.tflite" }

/**
 * Write the files of the blur, and return a line "sha256 name" for each. The worker is one file: it may load no other. It has the
 * notice that the licence of the package wants.
 */
async function blur(out) {
  for (const [name, from] of Object.entries(MODEL)) await writeFile(join(out, name), await readFile(join(BLUR, from)))
  // the package asks for these in Node alone
  const external = ["fs", "path"]
  await build({ ...common, external, entryPoints: { blur: "src/blur/main.ts" }, outdir: out })
  await shorten(join(out, "blur.js"))
  const notice = (await readFile(join(BLUR, "../../LICENSE.md"), "utf8")).trim()
  await writeFile(join(out, "blur.js"), `/*\n${notice}\n*/\n${await readFile(join(out, "blur.js"), "utf8")}`)
  const lines = [...Object.keys(MODEL), "blur.js"].map(async (name) => `${sha256(await readFile(join(out, name)))} ${name}\n`)
  return (await Promise.all(lines)).join("")
}

const sha256 = (data) => createHash("sha256").update(data).digest("hex")

/** Bytes above which packing as small as possible takes too long: five seconds for a seventh of the size. */
const LARGE = 1 << 20

/** Pack data as small as Brotli can, which takes a second for 400 kB. */
const packed = (data) =>
  promisify(brotliCompress)(data, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: data.length < LARGE ? constants.BROTLI_MAX_QUALITY : 9,
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
      [constants.BROTLI_PARAM_SIZE_HINT]: data.length,
    },
  })

/** What a browser needs to install the page, copied as it is: packing images anew would change the hash. */
const INSTALLED = ["app.webmanifest", "icon-192.png", "icon-512.png", "icon-maskable.png"]

/** Write a script shorter than esbuild does: terser inlines and folds more, which saves a thirtieth with Brotli. */
async function shorten(path) {
  const { code } = await minify(await readFile(path, "utf8"), { module: true, ecma: 2020, compress: { ecma: 2020, passes: 2 } })
  await writeFile(path, code)
}

/**
 * Build one bundle: `entryPoints`, the `html` that loads them, `copied` files, and the manifest. `first` writes files whose
 * sums the code is to know.
 */
async function bundle(to, entryPoints, html, copied = [], first = async () => "") {
  // built beside the old one, then moved in its place: no incomplete page is ever served
  const out = `${to}.new`
  await rm(out, { recursive: true, force: true })
  await mkdir(out, { recursive: true })
  const define = { BLUR_SUMS: JSON.stringify(await first(out)) }
  // shared code of page and worker is loaded once
  const { metafile } = await build({
    ...common, define, entryPoints, splitting: true, chunkNames: "[name]-[hash]", outdir: out, metafile: true,
  })
  await Promise.all(Object.keys(metafile.outputs).filter((path) => path.endsWith(".js")).map((path) => shorten(join(out, basename(path)))))
  await writeFile(join(out, "index.html"), withChunks(await readFile(join(here, html), "utf8"), metafile))
  for (const name of ["icon.svg", ...copied]) await writeFile(join(out, name), await readFile(join(here, "src", name)))

  const names = (await readdir(out)).filter((name) => name !== "manifest.json").sort()
  const files = {}
  const brotli = {}
  await Promise.all(
    names.map(async (name) => {
      const data = await readFile(join(out, name))
      files[name] = sha256(data)
      const small = await packed(data)
      if (small.length >= data.length) return
      brotli[name] = sha256(small)
      await writeFile(join(out, `${name}.br`), small)
    }),
  )
  const hash = sha256(names.map((name) => `${files[name]} ${name}\n`).join(""))
  const inOrder = (sums) => Object.fromEntries(names.flatMap((name) => (name in sums ? [[name, sums[name]]] : [])))
  const manifest = { hash, files: inOrder(files), brotli: inOrder(brotli) }
  await writeFile(join(out, "manifest.json"), `${JSON.stringify(manifest, null, 1)}\n`)
  await rm(to, { recursive: true, force: true })
  await rename(out, to)
}

const ENTRIES = {
  address: "src/app/address.ts", later: "src/app/style/later.css", main: "src/app/main.tsx", service: "src/service/main.ts",
  worker: "src/worker/main.ts",
}
await bundle(out, ENTRIES, "src/index.html", INSTALLED, blur)
if (process.argv[2] === undefined)
  for (const name of ["landlord", "projector", "phone"])
    await bundle(join(here, "../../server/page", name), { main: `src/${name}/main.tsx` }, `src/${name}/index.html`)
