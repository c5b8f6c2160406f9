import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const web = join(import.meta.dirname, "../../../client/web");
const style = join(web, "src/app/style");
const tokens = readFileSync(join(style, "tokens.css"), "utf8");

/** A token's colours: in the light and in the dark. */
function colours(name: string): readonly [string, string] {
  const found = new RegExp(`--${name}: light-dark\\((#[0-9a-f]{6}), (#[0-9a-f]{6})\\)`).exec(tokens);
  const both = found ?? new RegExp(`--${name}: ()(#[0-9a-f]{6});`).exec(tokens);
  assert.ok(both, name);
  return [both[1] || (both[2] ?? ""), both[2] ?? ""];
}

/** WCAG 2's relative luminance. */
function luminance(colour: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one: string, other: string): number {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

const SURFACES = ["back", "surface", "raised", "sunken"];

const LEAST: readonly (readonly [string, readonly string[], number])[] = [
  ["text", [...SURFACES, "brass-veil"], 7],
  ["muted", [...SURFACES, "brass-veil"], 4.5],
  ["brass", [...SURFACES, "brass-veil"], 4.5],
  ["on-brass", ["brass-fill", "brass-hover"], 4.5],
  ["alarm-text", ["alarm-surface"], 7],
  ["alarm", [...SURFACES, "alarm-surface"], 4.5],
  ["amber-text", ["amber-surface"], 7],
  ["amber", [...SURFACES, "amber-surface"], 4.5],
  ["tile-text", ["tile"], 7],
  // what is no text: edges of what can be pressed
  ["edge", ["back", "surface", "raised"], 3],
  ["brass-fill", ["back", "surface", "raised"], 3],
  ["alarm-line", ["back", "surface", "alarm-surface"], 3],
  ["amber-line", ["back", "surface", "amber-surface"], 3],
];

test("every colour stands out from what it stands on, in both themes", () => {
  for (const [name, grounds, least] of LEAST) {
    for (const ground of grounds) {
      for (const theme of [0, 1] as const) {
        const found = contrast(colours(name)[theme], colours(ground)[theme]);
        assert.ok(found >= least, `${name} on ${ground} in the ${theme === 0 ? "light" : "dark"}: ${found.toFixed(2)}`);
      }
    }
  }
});

test("contrast is reckoned as WCAG does", () => {
  assert.equal(contrast("#000000", "#ffffff"), 21);
  assert.ok(Math.abs(contrast("#777777", "#ffffff") - 4.48) < 0.01);
});

test("sizes of text are the five, and what moves is done in less than 200 ms", () => {
  // a tile's monogram and the emoji of the code are pictures
  const pictures = ["clamp(14px, 13cqmin, 42px)", "2.5rem", "0.92em", "inherit"];
  // in the tree of the lecture, which is drawn
  const drawn = ["11px", "12px"];
  for (const file of readdirSync(style)) {
    const css = readFileSync(join(style, file), "utf8");
    for (const [, size = ""] of css.matchAll(/font-size:\s*([^;]+);/g)) {
      if (file === "lecture.css" && drawn.includes(size)) continue;
      if (!pictures.includes(size)) assert.match(size, /^var\(--size-[1-5]\)$/, file);
    }
    for (const [all, time = "", unit] of css.matchAll(/(?:animation|transition)[^;]*?\s([\d.]+)(ms|s)\b/g)) {
      if (all.includes("room-float")) continue; // how long a reaction is there
      assert.ok(Number(time) * (unit === "s" ? 1000 : 1) < 200, `${file}: ${time}${unit}`);
    }
  }
});

test("icons are what lucide has", () => {
  execFileSync(process.execPath, [join(web, "icons.mjs"), "--check"], { stdio: "pipe" });
});
