import assert from "node:assert/strict";
import { test } from "node:test";
import generator from "qrcode-generator";
import { qr } from "../../../../client/web/src/app/qrModules";

const LINK = `https://meet.example/#2${"Yx3_-9".repeat(15)}`;

/** The text that another implementation reads. */
function other(text: string): boolean[][] {
  const code = generator(0, "M");
  code.addData(text, "Byte");
  code.make();
  const size = code.getModuleCount();
  return Array.from({ length: size }, (_, y) => Array.from({ length: size }, (_, x) => code.isDark(y, x)));
}

/** The mask that a symbol says it has. */
function maskOf(rows: readonly (readonly boolean[])[]): number {
  const bits = [8, 8, 8].map((y, i) => Number(rows[y]?.[2 + i]));
  return ((bits[0] ?? 0) * 4 + (bits[1] ?? 0) * 2 + (bits[2] ?? 0)) ^ 0b101;
}

test("codes of every version are what another implementation makes", () => {
  const sizes = new Set<number>();
  for (let length = 1; length <= 2331; length += length < 300 ? 11 : 37) {
    const text = LINK.repeat(25).slice(0, length);
    const theirs = other(text);
    sizes.add(theirs.length);
    assert.deepEqual(qr(text, maskOf(theirs)), theirs, `${length} bytes`);
  }
  assert.equal(sizes.size, 40);
});

test("every mask is written as the standard says", () => {
  for (let mask = 0; mask < 8; mask++) assert.equal(maskOf(qr(LINK, mask)), mask);
});

test("the mask is chosen among all eight, and the same one each time", () => {
  const chosen = new Set(Array.from({ length: 40 }, (_, i) => maskOf(qr(`${LINK}${i}`))));
  assert.ok(chosen.size >= 3);
  assert.deepEqual(qr(LINK), qr(LINK));
});

test("a text that is too long is refused", () => {
  qr("a".repeat(2331));
  assert.throws(() => qr("a".repeat(2332)), RangeError);
});
