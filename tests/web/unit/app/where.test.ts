/** A page that was opened under another origin than its server's says so: the operator's most common mistake. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Where } from "../../../../client/web/src/app/model";
import { PreJoin } from "../../../../client/web/src/app/preJoin";
import { misnamed } from "../../../../client/web/src/app/where";
import { sentence } from "../../../../client/web/src/words/sentence";

const OPENED = "https://meet.example";
const told = sentence("contact.misnamed", { theirs: "http://127.0.0.1:8080", ours: OPENED });
const at = (facts: Partial<Where>): Where => ({
  origin: "http://127.0.0.1:8080",
  pageOrigin: OPENED,
  own: false,
  lecture: false,
  hash: null,
  peers: [],
  ...facts,
});

test("a page of a server with another name names both", () => {
  assert.deepEqual(misnamed(at({}), OPENED), told);
});

test("a page of its server, of the own machine, or without a server has no such trouble", () => {
  assert.equal(misnamed(at({ origin: OPENED }), OPENED), null);
  assert.equal(misnamed(at({ own: true }), OPENED), null);
  assert.equal(misnamed(at({ origin: null }), OPENED), null);
  assert.equal(misnamed(at({}), "https://elsewhere.example"), null);
});

test("a link to the page's own address tells the cause, and one to another server is another matter", () => {
  const form = new PreJoin();
  // a link of a meeting, whose secret matters to nobody
  const link = (origin: string): string => `${origin}/#1KYsgGmLyx9Gk7ob7pKFDcQbW5s3CHYTfpvQcxeMnstM73XJAWDyJF-JjQ4c0c9ZuAAA-zc1t1u4P7wiUiKNwrc3d`;
  assert.equal(form.follow(link(OPENED), at({})), false);
  assert.deepEqual(form.linkTrouble.value, told);
  assert.equal(form.follow(link("https://elsewhere.example"), at({})), false);
  assert.equal(form.linkTrouble.value?.key, "note.other_server");
});
