// Writes src/app/iconShapes.ts and iconShapesLater.ts from the icons of lucide-static that the page uses: `node icons.mjs`;
// with --check it only compares.
import { readFile, writeFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"

const NAMES = [
  "arrow-left", "arrow-right", "chevron-down", "circle-alert", "circle-dot", "copy", "crown", "door-open",
  "download", "ellipsis", "eye", "file", "globe", "hand", "image", "info", "link", "lock", "log-out",
  "message-square", "mic", "mic-off", "monitor", "move", "phone-off", "refresh-cw", "scan-qr-code", "screen-share",
  "screen-share-off", "settings", "shield-check", "signal-low", "smile", "sun-moon", "switch-camera",
  "triangle-alert", "user-check", "users", "video", "video-off", "volume-2", "volume-x", "x",
]
// Of views that `views/room/later.ts` loads, and of no others.
const LATER = [
  "check", "circle-question-mark", "eye-off", "graduation-cap", "keyboard", "layout-grid", "maximize", "paperclip",
  "picture-in-picture-2", "pin", "pin-off", "plus", "qr-code", "send-horizontal", "share-2", "square", "user-minus",
  "user-plus",
]

const here = fileURLToPath(new URL(".", import.meta.url))

/** Return the elements of an icon's file: [[tag, attributes], ...]. */
async function nodes(name) {
  const svg = await readFile(`${here}node_modules/lucide-static/icons/${name}.svg`, "utf8")
  const inside = svg.slice(svg.indexOf(">", svg.indexOf("<svg")))
  return Array.from(inside.matchAll(/<(\w+)([^>]*)\/>/g), ([, tag, text]) => [
    tag, Object.fromEntries(Array.from(text.matchAll(/([\w-]+)="([^"]*)"/g), ([, key, value]) => [key, value])),
  ])
}

/** Return an element of an icon as path data: the parts make up one path for each icon. */
function pathOf([tag, a]) {
  const n = (name) => Number(a[name] ?? 0)
  switch (tag) {
    case "path":
      // a first "m" is absolute only at the beginning of a path; coordinates after its pair stay relative
      return a.d.replace(/^m\s*(-?[\d.]+)[\s,]*(-?[\d.]+)[\s,]*(?=([-\d.])?)/, (_, x, y, more) => `M${x} ${y}${more ? "l" : ""}`)
    case "line":
      return `M${a.x1} ${a.y1}L${a.x2} ${a.y2}`
    case "polyline":
    case "polygon":
      return `M${a.points.trim().replace(/\s+/g, " ")}${tag === "polygon" ? "Z" : ""}`
    case "circle":
      return `M${n("cx") - n("r")} ${n("cy")}a${n("r")} ${n("r")} 0 1 0 ${2 * n("r")} 0a${n("r")} ${n("r")} 0 1 0 ${-2 * n("r")} 0`
    case "ellipse":
      return `M${n("cx") - n("rx")} ${n("cy")}a${n("rx")} ${n("ry")} 0 1 0 ${2 * n("rx")} 0a${n("rx")} ${n("ry")} 0 1 0 ${-2 * n("rx")} 0`
    case "rect": {
      const r = n("rx") || n("ry")
      const [w, h] = [n("width"), n("height")]
      const c = (x, y) => (r ? `a${r} ${r} 0 0 1 ${x} ${y}` : "")
      return `M${n("x") + r} ${n("y")}h${w - 2 * r}${c(r, r)}v${h - 2 * r}${c(-r, r)}h${2 * r - w}${c(-r, -r)}v${2 * r - h}${c(r, -r)}z`
    }
    default:
      throw new Error(`no path for ${tag}`)
  }
}

/** Return the text of the file with these icons. */
async function fileOf(names) {
  const lines = []
  for (const name of names) lines.push(`  "${name}":\n    ${JSON.stringify((await nodes(name)).map(pathOf).join(""))},`)
  return `/**
 * Icons of Lucide (https://lucide.dev), each as one path in a box of 24: written by \`node icons.mjs\`.
 *
 * ISC License, Copyright (c) Lucide Icons and Contributors; parts MIT License, Copyright (c) 2013-present Cole Bemis
 * (Feather). The texts stand in lucide-static's LICENSE.
 */
export const shapes = {
${lines.join("\n")}
} as const;
`
}

for (const [file, names] of [["iconShapes.ts", NAMES], ["iconShapesLater.ts", LATER]]) {
  const path = `${here}src/app/${file}`
  const text = await fileOf(names)
  if (!process.argv.includes("--check")) await writeFile(path, text)
  else if ((await readFile(path, "utf8")) !== text) throw new Error(`src/app/${file} is not what icons.mjs writes`)
}
