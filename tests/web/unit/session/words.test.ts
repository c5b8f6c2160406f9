import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Language } from "../../../../client/web/src/app/model";
import { english, loadEnglish, render } from "../../../../client/web/src/words/index";
import type { Arg } from "../../../../client/web/src/words/sentence";
import de from "../../../../client/web/src/words/de";
import hans from "../../../../client/web/src/words/zh-Hans";
import hant from "../../../../client/web/src/words/zh-Hant";

interface Row {
  readonly key: string;
  readonly args: Readonly<Record<string, Arg>>;
  readonly texts: Readonly<Record<Language, string>>;
}

const rows = JSON.parse(readFileSync(join(import.meta.dirname, "../shared/sentences.json"), "utf8")) as readonly Row[];
const words = { en: english, de, "zh-Hans": hans, "zh-Hant": hant };

test("the page fills a template in as the headless client does, in every language", async () => {
  await loadEnglish();
  assert.ok(rows.length > 50);
  for (const { key, args, texts } of rows)
    for (const [language, text] of Object.entries(texts) as [Language, string][])
      assert.equal(render(words[language], language, key, args), text, `${key}, ${language}`);
});
