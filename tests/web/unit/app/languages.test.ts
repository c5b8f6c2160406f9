import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import de from "../../../../client/web/src/words/de";
import type { Words } from "../../../../client/web/src/words/entry";
import type { Language } from "../../../../client/web/src/app/model";
import { english, render } from "../../../../client/web/src/words/index";
import type { Arg, Sentence } from "../../../../client/web/src/words/sentence";
import hans from "../../../../client/web/src/words/zh-Hans";
import hant from "../../../../client/web/src/words/zh-Hant";

const all: Words = english;

const languages: readonly (readonly [Language, Words])[] = [
  ["de", de],
  ["zh-Hant", hant],
  ["zh-Hans", hans],
];

/** What is said alike everywhere, and stands in English alone. */
const COMMON: readonly string[] = ["verbatim"];

/** What a language says as English does, because it says so: anything else that is the same was forgotten. */
const ALIKE: Readonly<Record<string, readonly string[]>> = {
  de: [
    "meet.chat",
    "meet.chat_told",
    "meet.code",
    "meet.hand",
    "meet.reacted",
    "meet.shortcut",
    "prejoin.optional",
    "room.ruled",
    "since.and",
    "since.policy",
    "theme.system",
  ],
  "zh-Hant": ["since.policy"],
  "zh-Hans": ["since.policy"],
};

/** Where English names a command of the terminal with a number, the page has a button, and no number to press. */
const NUMBERS: Readonly<Record<string, readonly string[]>> = {
  "alarm.double_beat.host": ["leaf"],
  "alarm.gone": ["leaf"],
  "alarm.unreadable_commit": ["leaf"],
  "alarm.unreadable_commit.again": ["leaf", "victimLeaf"],
};

/** Sentences that send a person to a button, by the button's own words. */
const BUTTONS: Readonly<Record<string, string>> = {
  "cant.no_code_yet": "meet.compare",
  "dropped.proof": "meet.alarm_evidence",
  "alarm.stale": "meet.override_yes",
  "alarm.stale.no_host": "meet.override_yes",
};

/** What Python says, with the arguments that it says it of. */
const { rows } = JSON.parse(readFileSync(join(import.meta.dirname, "../shared/words.json"), "utf8")) as {
  readonly rows: readonly { readonly key: string; readonly args: Readonly<Record<string, Arg>> }[];
};

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

/** An argument's texts, those of lists and of sentences inside as well. */
function within(arg: Arg): readonly string[] {
  if (arg === null || typeof arg === "boolean") return [];
  if (typeof arg !== "object") return [String(arg)];
  if (Array.isArray(arg)) return (arg as readonly (string | Sentence)[]).slice(0, 5).flatMap(within);
  return Object.values((arg as Sentence).args ?? {}).flatMap(within);
}

for (const [language, words] of languages) {
  test(`${language} has every sentence, and none that English hasn't`, () => {
    assert.deepEqual(Object.keys(all).filter((key) => !Object.hasOwn(words, key)), COMMON);
    assert.deepEqual(Object.keys(words).filter((key) => !Object.hasOwn(all, key)), []);
  });

  test(`${language} takes the arguments that English takes`, () => {
    for (const key of Object.keys(words)) {
      const wanted = takes(all, key).filter((name) => !NUMBERS[key]?.includes(name));
      assert.deepEqual(takes(words, key), wanted, key);
    }
  });

  test(`${language} says nothing in English but what it says so itself`, () => {
    const said = (table: Words, key: string) => {
      const args = Object.fromEntries(takes(all, key).map((name) => [name, name]));
      return render(table, "en", key, args);
    };
    const alike = Object.keys(words).filter((key) => said(words, key) === said(all, key));
    assert.deepEqual(alike.sort(), ALIKE[language]);
  });

  test(`${language} says what Python says of the same people and numbers, with nothing left open`, () => {
    for (const { key, args } of rows) {
      const said = render(words, language, key, args);
      assert.doesNotMatch(said, /[{}]|undefined|\bnull\b|\[object|(^| )\/[a-z]/, `${key}: ${said}`);
      for (const [name, arg] of Object.entries(args)) {
        if (NUMBERS[key]?.includes(name) || !takes(all, key).includes(name)) continue;
        // a leak is told of somebody, of whom the sentence may not say the name
        for (const text of within(arg))
          assert.ok(said.includes(text) || !render(all, "en", key, args).includes(text), `${key}, ${name}: ${said}`);
      }
    }
  });

  test(`${language} names buttons as they are called`, () => {
    for (const [key, button] of Object.entries(BUTTONS)) {
      const name = String(words[button]);
      const said = render(words, language, key, { who: ["Ada"] });
      assert.ok(name.length > 1 && (said.includes(`„${name}“`) || said.includes(`「${name}」`) || said.includes(`“${name}”`)), said);
    }
  });

  test(`${language} keeps what is typed as it is`, () => {
    const typed = (text: string) => (text.match(/`[^`]*`|https?:\/\/[\w.:/#]+|snug [a-z-]+|--[a-z]+/g) ?? []).sort();
    for (const key of Object.keys(words)) {
      const args = Object.fromEntries(takes(all, key).map((name) => [name, "x"]));
      const there = typed(render(all, "en", key, args)).filter((text) => text !== "--contacts");
      assert.deepEqual(typed(render(words, language, key, args)), there, key);
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
