import assert from "node:assert/strict";
import { test } from "node:test";
import { duration, languageFor, listed, loadEnglish, number, render, size, speak, speaking, whole, word } from "../../../../client/web/src/words/index";
import { sentence, verbatim } from "../../../../client/web/src/words/sentence";

const words = {
  plain: "{who} says {what}.",
  counted: "{n:n} of {m}",
  plural: "{names} {names|is|are}",
  invites: "{n|invite {index}|{n:n} invites}",
  flags: "{yes|1|0}{no|1|0}{nothing|1|0}{text|1|0}{empty|1|0}",
  upper: "{what:capital} {what:clause}",
};
const say = (key: string, args: Parameters<typeof render>[3]) => render(words, "en", key, args);

test("arguments stand where their braces are, and what is in them is not read again", () => {
  assert.equal(say("plain", { who: "Ada", what: "{who}" }), "Ada says {who}.");
  assert.equal(say("plain", { who: "$&", what: "$1" }), "$& says $1.");
  assert.equal(say("plain", { who: "Ada" }), "Ada says {what}.");
});

test("numbers are written as they are, or as the language does", () => {
  assert.equal(say("counted", { n: 1204, m: 5000 }), "1,204 of 5000");
  assert.equal(render(words, "de", "counted", { n: 1204, m: 5000 }), "1.204 of 5000");
});

test("sentences stand within sentences, and in lists", () => {
  const inner = sentence("plain", { who: "Bo", what: "hello" });
  assert.equal(say("plain", { who: verbatim("Ada"), what: inner }), "Ada says Bo says hello..");
  assert.equal(say("plain", { who: ["Ada", verbatim("Bo"), "Cem"], what: "so" }), "Ada, Bo and Cem says so.");
});

test("a form is chosen by the number of an argument", () => {
  assert.equal(say("plural", { names: ["Ada"] }), "Ada is");
  assert.equal(say("plural", { names: ["Ada", "Bo"] }), "Ada and Bo are");
  assert.equal(say("invites", { n: 1, index: 7 }), "invite 7");
  assert.equal(say("invites", { n: 1204, index: 7 }), "1,204 invites");
  assert.equal(say("flags", { yes: true, no: false, nothing: null, text: "x", empty: "" }), "10010");
});

test("an argument may begin with a capital letter, or lose its full stop", () => {
  assert.equal(say("upper", { what: "the end." }), "The end. the end");
  assert.equal(say("upper", { what: "{a} $&" }), "{a} $& {a} $&");
});

test("a reason stands by itself as a sentence", async () => {
  assert.equal(whole(verbatim("the link is cut off")), "The link is cut off.");
  assert.equal(whole(verbatim("Is it?")), "Is it?");
  await speak("zh-Hant");
  assert.equal(whole(verbatim("連結不完整")), "連結不完整。");
  await speak("en");
});

test("lists are those of the terminal", () => {
  assert.equal(listed([]), "");
  assert.equal(listed(["Ada"]), "Ada");
  assert.equal(listed(["Ada", "Bo"]), "Ada and Bo");
  assert.equal(listed(["1", "2", "3", "4", "5", "6"]), "1, 2, 3, 4, 5 and 6");
  assert.equal(listed(["1", "2", "3", "4", "5", "6", "7"]), "1, 2, 3, 4, 5 and 2 more");
});

test("a reader's language is found among what the browser says", () => {
  const cases: readonly (readonly [readonly string[], string])[] = [
    [[], "en"], [["fr", "de-AT"], "de"], [["en-GB", "de"], "en"], [["fr", "pt"], "en"],
    [["zh"], "zh-Hans"], [["zh-CN"], "zh-Hans"], [["zh-SG"], "zh-Hans"], [["zh-TW"], "zh-Hant"],
    [["zh-HK"], "zh-Hant"], [["zh-MO"], "zh-Hant"], [["zh-Hant"], "zh-Hant"], [["zh-Hans-HK"], "zh-Hans"],
    [["zh-Hant-CN"], "zh-Hant"], [["yue"], "zh-Hant"], [["ZH-tw"], "zh-Hant"],
  ];
  for (const [tags, language] of cases) assert.equal(languageFor(tags), language, tags.join());
});

test("a language is spoken from when its words have come, and the last wish counts", async () => {
  assert.equal(speaking(), "en");
  const late = speak("de");
  const last = speak("zh-Hant");
  await Promise.all([late, last]);
  assert.equal(speaking(), "zh-Hant");
  assert.equal(word("app.close"), "關閉");
  assert.equal(listed(["Ada", "Bo"]), "Ada和Bo");
  await speak("de");
  assert.equal(word("app.close"), "Schließen");
  assert.equal(listed(["Ada", "Bo", "Cem"]), "Ada, Bo und Cem");
  assert.equal(number(1204), "1.204");
  await speak("en");
  assert.equal(word("app.close"), "Close");
});

test("lengths of time and sizes are told in whole words", () => {
  assert.equal(duration(-3), "0 seconds");
  assert.equal(duration(59.9), "59 seconds");
  assert.equal(duration(60), "1 minute");
  assert.equal(duration(3600), "1 hour");
  assert.equal(duration(3900), "1 hour and 5 minutes");
  assert.equal(size(1), "1 byte");
  assert.equal(size(999), "999 bytes");
  assert.equal(size(12_400), "12.4 kB");
  assert.equal(size(8_388_608), "8.4 MB");
});

test("the page names its buttons where the terminal names commands", async () => {
  await loadEnglish();
  assert.equal(
    word(sentence("compared.since.new", { changes: ["Eve came in"], names: ["Eve"] })),
    "Since you compared codes: Eve came in. You have not compared codes with “Eve”: compare again under Code.",
  );
});

test("what a language lacks is said in English, and what nobody has by its key", () => {
  assert.equal(render({}, "de", "prejoin.at", { origin: "meet.example" }), "At meet.example");
  assert.equal(render({}, "de", "no.such", {}), "no.such");
  assert.equal(render({}, "de", "toString", {}), "toString");
  assert.equal(render({}, "de", "__proto__", {}), "__proto__");
});
