/** Links in the chat: what is one, where it ends, and when its text hides where it leads. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { linked } from "../../../../client/web/src/app/links";

/** The parts of a text; a link as [text, host, the host as it is written]. */
const parts = (text: string): unknown[] =>
  linked(text).map((part) => (typeof part === "string" ? part : [part.text, part.url.host, part.written]));

const only = (text: string): unknown => {
  const found = parts(text);
  assert.equal(found.length, 1, text);
  return found[0];
};

test("an address with https is a link, and nothing else is", () => {
  assert.deepEqual(parts("see https://example.org/a?b#c and more"), [
    "see ", ["https://example.org/a?b#c", "example.org", null], " and more",
  ]);
  for (const text of [
    "http://example.org", "javascript:alert(1)", "www.example.org", "example.org", "//example.org", "https:example.org",
    "data:text/html,x", "https://", "https:///", "https://:8080", "ftp://example.org", "blob:https:x",
  ].flatMap((text) => [text, text.toUpperCase()]))
    assert.equal(only(text), text);
  // nothing is lost on the way
  for (const text of ["", "no link", "a https://[x b https://example.org, c"])
    assert.equal(linked(text).map((part) => (typeof part === "string" ? part : part.text)).join(""), text);
});

test("an address ends where the sentence goes on", () => {
  for (const [text, link] of [
    ["(https://example.org/a)", "https://example.org/a"],
    ["https://example.org/a_(b)", "https://example.org/a_(b)"],
    ["https://example.org/a_(b).", "https://example.org/a_(b)"],
    ["Is it https://example.org?", "https://example.org"],
    ["https://example.org/,", "https://example.org/"],
    ["“https://example.org/x”", "https://example.org/x"],
    ["<https://example.org/x>", "https://example.org/x"],
    ["请看https://example.org/x。", "https://example.org/x"],
    ["https://example.org/x\nnext", "https://example.org/x"],
    ["**https://example.org/x**", "https://example.org/x"],
  ] as const) {
    const found = linked(text).filter((part) => typeof part !== "string");
    assert.deepEqual(found.map((part) => part.text), [link]);
  }
  assert.equal(linked("https://a.example https://b.example").length, 3);
});

test("the host is the one that the browser goes to, and a different writing of it is told", () => {
  assert.deepEqual(only("https://EXAMPLE.org/"), ["https://EXAMPLE.org/", "example.org", null]);
  assert.deepEqual(only("https://bücher.example"), ["https://bücher.example", "xn--bcher-kva.example", "bücher.example"]);
  const mixed = "https://ex\u0430mple.org/"; // a Cyrillic letter
  assert.deepEqual(only(mixed), [mixed, "xn--exmple-4nf.org", "ex\u0430mple.org"]);
  assert.deepEqual(only("https://example.org\\@evil.example/"), ["https://example.org\\@evil.example/", "example.org", null]);
  assert.deepEqual(only("https://0x7f.1/"), ["https://0x7f.1/", "127.0.0.1", "0x7f.1"]);
  assert.deepEqual(only("https://ｅxample.org"), ["https://ｅxample.org", "example.org", "ｅxample.org"]);
});

test("a name before the host, and what nobody sees, make no link", () => {
  assert.equal(only("https://bank.example@evil.example/"), "https://bank.example@evil.example/");
  assert.equal(only("https://bank.example:x@evil.example/"), "https://bank.example:x@evil.example/");
  // an invisible character ends it
  assert.deepEqual(parts("https://bank.example\u202Egro.live"), [["https://bank.example", "bank.example", null], "\u202Egro.live"]);
});

test("nothing is lost of a long text of brackets and signs", () => {
  for (const long of [`https://${"(".repeat(4000)}${")".repeat(3990)}`, `https://a.example/${").".repeat(3990)}x`]) {
    const text = linked(long).map((part) => (typeof part === "string" ? part : part.text)).join("");
    assert.ok(text === long);
  }
  assert.equal(linked("https://a.example ".repeat(400)).length, 800);
});
