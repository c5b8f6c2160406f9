/** "Find my name": the forms that are searched for, the mask over them, and the scale of guesses. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { test } from "node:test";
import { hex, utf8 } from "../../../../client/web/src/crypto/bytes";
import { placeOf, stepOf } from "../../../../client/web/src/landlord/auc";
import { controlOf, findingOf, formsOf, request, type Searched } from "../../../../client/web/src/landlord/find";
import type { Now } from "../../../../client/web/src/landlord/now";

const texts = (text: string): readonly string[] => formsOf(text).map(({ bytes, width }) => `${width}:${hex(bytes)}`);
const plain = (text: string): readonly string[] =>
  formsOf(text).filter(({ width }) => width === 0).map(({ bytes }) => new TextDecoder().decode(bytes));

test("a text is searched for as Python and JSON hold it", () => {
  deepEqual(texts("Zoé"), ["1:5a6fc3a9", "1:5a6fe9", "2:5a006f00e900", "4:5a0000006f000000e9000000", `1:${hex(utf8("Zo\\u00e9"))}`]);
  deepEqual(texts("Ada"), ["1:416461", "2:410064006100", "4:410000006400000061000000"], "too short for hex and Base64");
  // 王 has no Latin-1 form; an emoji needs four bytes
  ok(!texts("王小明").some((form) => form.startsWith("1:8b")));
  deepEqual(texts("Bo🦉").filter((form) => form.startsWith("2:")), []);
  ok(texts("Bo🦉").includes(`1:${hex(utf8("Bo\\ud83e\\udd89"))}`));
});

test("and in hex and Base64, wherever it stands", () => {
  const found = plain("Zephyrine");
  ok(found.includes("5a6570687972696e65"));
  ok(found.includes("5A6570687972696E65"));
  for (const before of ["", "x", "xy"])
    for (const after of ["", "z", "zz"]) {
      const whole = btoa(`${before}Zephyrine${after}`);
      ok(found.some((form) => whole.includes(form)), whole);
    }
  // the URL alphabet, where it is another
  ok(plain("~~~???").some((form) => form.includes("-") || form.includes("_")));
});

test("the server is sent no form as it is", () => {
  const forms = formsOf("Zephyrine");
  const sent = JSON.parse(request(forms, (count) => Uint8Array.from({ length: count }, (_, i) => 200 + i))) as {
    readonly mask: string;
    readonly forms: readonly { readonly masked: string; readonly width: number }[];
  };
  const bytes = (text: string) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const mask = bytes(sent.mask);
  equal(mask.length, 32);
  forms.forEach((form, i) => {
    const masked = bytes(sent.forms[i]?.masked ?? "");
    equal(masked.some((byte, at) => byte === form.bytes[at]), false);
    deepEqual(masked.map((byte, at) => byte ^ (mask[at % 32] ?? 0)), form.bytes);
    equal(sent.forms[i]?.width, form.width);
  });
});

const searched = (...counts: readonly number[]): Searched => ({
  read: 1000, complete: true, processes: 2, silent: 0,
  hits: counts.map((count) => ({ in_files: 0, elsewhere: count, around: count > 0 ? ["a name"] : [] })),
});

test("nothing was found, where the same search found what has to be there", () => {
  const now = { disclosure: { rooms: [{ number: "00ff" }], own_keys: ["Ed25519"] } } as unknown as Now;
  const control = controlOf(now);
  deepEqual([control.name, hex(control.form.bytes)], ["room", "00ff"]);
  const without = controlOf({ disclosure: { rooms: [], own_keys: ["Ed25519"] } } as unknown as Now);
  deepEqual([without.name, hex(without.form.bytes)], ["key", hex(utf8("Ed25519"))]);
  const absent = findingOf("Zoe", control, searched(0, 0, 1));
  deepEqual([absent.memory, absent.controlFound, absent.whole], [0, true, true]);
  equal(findingOf("Zoe", control, searched(0, 0, 0)).controlFound, false);
  const found = findingOf("Zoe", control, searched(2, 1, 1));
  deepEqual([found.memory, found.around], [3, ["a name"]]);
  equal(findingOf("Zoe", control, { ...searched(0, 1), silent: 1 }).whole, false);
});

test("a guess has a place between a coin toss and certainty", () => {
  deepEqual([0.3, 0.48, 0.5, 0.75, 1].map(placeOf), [0, 0, 0, 0.5, 1]);
  deepEqual([0.48, 0.54, 0.67, 0.79, 0.83, 1].map(stepOf), ["coin", "coin", "hint", "often", "often", "certain"]);
});
