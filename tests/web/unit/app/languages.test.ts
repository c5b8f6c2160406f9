import assert from "node:assert/strict";
import { test } from "node:test";
import de from "../../../../client/web/src/words/de";
import type { Words } from "../../../../client/web/src/words/entry";
import enMeeting from "../../../../client/web/src/words/en/meeting";
import enNotes from "../../../../client/web/src/words/en/notes";
import enShell from "../../../../client/web/src/words/en/shell";
import enStart from "../../../../client/web/src/words/en/start";
import { english, render } from "../../../../client/web/src/words/index";
import type { Arg } from "../../../../client/web/src/words/sentence";
import hans from "../../../../client/web/src/words/zh-Hans";
import hant from "../../../../client/web/src/words/zh-Hant";

const all: Words = english;
/** English files that are translated in full. What stands in others is said in English until it is, too. */
const finished: readonly Words[] = [enStart, enMeeting, enShell, enNotes];

const languages: readonly (readonly [string, Words])[] = [
  ["de", de],
  ["zh-Hant", hant],
  ["zh-Hans", hans],
];

/** Which arguments an entry takes, in whichever way it asks for them. */
function takes(words: Words, key: string): readonly string[] {
  const entry = words[key];
  const asked = new Set<string>();
  if (typeof entry === "string") for (const [, name = ""] of entry.matchAll(/\{(\w+)(?::n)?\}/g)) asked.add(name);
  if (typeof entry === "function") {
    // with none, one and many of everything, so that all branches are walked
    for (const value of [0, 1, 2]) {
      const texts = new Proxy({}, {
        get: (_, name) => {
          asked.add(String(name));
          return value === 0 ? "" : "x";
        },
      });
      entry(texts, (name) => {
        asked.add(name);
        return value;
      });
    }
  }
  return [...asked].sort();
}

for (const [language, words] of languages) {
  test(`${language} has every sentence, and none that English hasn't`, () => {
    const missing = finished.flatMap((file) => Object.keys(file)).filter((key) => !Object.hasOwn(words, key));
    assert.deepEqual(missing, []);
    assert.deepEqual(Object.keys(words).filter((key) => !Object.hasOwn(all, key)), []);
  });

  test(`${language} takes the arguments that English takes`, () => {
    for (const key of Object.keys(words)) if (key in all) assert.deepEqual(takes(words, key), takes(all, key), key);
  });

  test(`${language} keeps what is typed as it is`, () => {
    for (const [key, entry] of Object.entries(words)) {
      const there = all[key];
      if (typeof entry !== "string" || typeof there !== "string") continue;
      const commands = (text: string) => (text.match(/`[^`]*`/g) ?? []).sort();
      assert.deepEqual(commands(entry), commands(there), key);
    }
  });
}

test("each of the two Chinese scripts has its own signs alone", () => {
  const simplified = "这们会说话对门开页还进让谁么样听见议请码钥证删务连网个时间";
  const traditional = "這們會說話對門開頁還進讓誰麼樣聽見議請碼鑰證刪務連網個時間";
  const told = (words: Words, signs: string) =>
    Object.entries(words).filter(([, entry]) => [...String(entry)].some((sign) => signs.includes(sign)));
  assert.deepEqual(told(hant, simplified), []);
  assert.deepEqual(told(hans, traditional), []);
  assert.ok(told(hant, traditional).length > 100 && told(hans, simplified).length > 100);
});

test("what a language lacks is said in English, and what nobody has by its key", () => {
  const args: Readonly<Record<string, Arg>> = { origin: "meet.example" };
  assert.equal(render({}, "de", "prejoin.at", args), "At meet.example");
  assert.equal(render({}, "de", "no.such", {}), "no.such");
  assert.equal(render({}, "de", "toString", {}), "toString");
  assert.equal(render({}, "de", "__proto__", {}), "__proto__");
});
