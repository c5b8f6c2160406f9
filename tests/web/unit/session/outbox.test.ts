import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Bytes, hex, unhex, utf8 } from "../../../../client/web/src/crypto/bytes";
import { MalformedError } from "../../../../client/web/src/crypto/errors";
import { H } from "../../../../client/web/src/crypto/kdf";
import {
  type AnyContent,
  decode,
  encode,
  messageId,
  type Posted,
} from "../../../../client/web/src/session/catalogue/content";
import { CHAINS, Journal, KEPT } from "../../../../client/web/src/session/kernel/journal";
import { imageSize } from "../../../../client/web/src/session/features/imageSize";
import { mimeOf } from "../../../../client/web/src/session/features/images";
import {
  Outbox,
  OutgoingMessage,
  RECENT,
  RECENT_MAX,
  SEEN_MAX,
  SeenDigests,
} from "../../../../client/web/src/session/kernel/outbox";

const say = (text: string): Posted => ({ type: "say", id: H(utf8(text)).slice(0, 16), text, number: 0 });
const digest = (n: number): Bytes => H(utf8(String(n)));

/** Sent: out as the blob of that digest. */
function sent(box: Outbox, text: string, at: number): OutgoingMessage {
  const said = new OutgoingMessage(say(text), at, new Set());
  box.add(said);
  said.digest = H(utf8(text));
  return said;
}

const texts = (box: Outbox): unknown[] => box.unsent().map(({ text }) => text);

test("a message is sent again until it has come back", () => {
  const box = new Outbox();
  const first = sent(box, "one", 0);
  sent(box, "two", 0);
  assert.deepEqual(texts(box), []);
  box.cameBack(first.digest ?? digest(0), 1);
  box.markForResending();
  assert.deepEqual(texts(box), ["two"]);
});

test("a server that has restarted is told again what is recent, and knows what was shown", () => {
  const box = new Outbox();
  const old = sent(box, "old", 0);
  const young = sent(box, "young", RECENT);
  for (const said of [old, young]) box.cameBack(said.digest ?? digest(0), RECENT + 1);
  box.markForResending(-1);
  assert.deepEqual(texts(box), ["young"], "two minutes are over for the other");
  assert.ok(young.shown);
  assert.equal(young.confirmed, false);
  assert.deepEqual(texts(box.afterRejoin()), [], "what was shown once is not sealed anew");
});

test("a rejoin says again what never came back, sealed anew", () => {
  const box = new Outbox();
  const said = sent(box, "one", 0);
  said.blob = new Uint8Array(9);
  said.epochSlot = 4;
  const [again] = box.afterRejoin().unsent();
  assert.deepEqual([again?.text, again?.blob.length, again?.epochSlot], ["one", 0, -1]);
});

test("the outbox is bounded by what has come back", () => {
  const box = new Outbox();
  for (let n = 0; n < 3 * RECENT_MAX; n++) {
    const said = sent(box, String(n), 0);
    box.cameBack(said.digest ?? digest(0), 0);
  }
  box.markForResending(-1);
  assert.equal(box.unsent().length, RECENT_MAX);
});

test("seen ids are remembered, and the oldest forgotten beyond the maximum", () => {
  const seen = new SeenDigests();
  for (let n = 0; n <= SEEN_MAX; n++) seen.add(digest(n));
  assert.equal(seen.has(digest(0)), false);
  assert.ok(seen.has(digest(1)));
  seen.add(digest(1)); // again: it stays where it was, and goes as the next oldest
  assert.ok(seen.has(digest(1)));
  seen.add(digest(-1));
  assert.equal(seen.has(digest(1)), false);
});

test("a journal keeps the last slots and their chain, and hands over what followed", () => {
  const chain = digest(0);
  const journal = new Journal(5, chain, digest(1));
  assert.deepEqual(
    [journal.slot, journal.oldest.blob, journal.entry(4), journal.entry(6)],
    [5, null, null, null],
  );
  const first = journal.chainAfter(utf8("blob 6"));
  for (let slot = 6; slot < 6 + CHAINS + 3; slot++) journal.append(utf8(`blob ${slot}`), digest(slot));
  assert.deepEqual(journal.chains.get(6 + CHAINS - 1) === undefined, false);
  assert.equal(journal.chains.size, CHAINS);
  assert.equal(journal.chains.has(6), false);
  assert.equal(journal.oldest.slot, journal.slot - KEPT);
  assert.deepEqual(journal.entry(journal.slot)?.roomPass, journal.roomPass);
  assert.deepEqual(journal.entry(journal.oldest.slot)?.blob, utf8(`blob ${journal.oldest.slot}`));
  assert.equal(journal.entry(journal.oldest.slot - 1), null);
  assert.notDeepEqual(first, chain);
});

test("a journal knows what opens a room: the openings that it can replay from, and the passes that may fit", () => {
  const journal = new Journal(5, digest(0), digest(1));
  assert.deepEqual(journal.signed(), []);
  journal.append(utf8("blob 6"), digest(6), digest(106));
  journal.append(utf8("blob 7"), digest(7));
  journal.append(utf8("blob 8"), digest(8), digest(108));
  assert.deepEqual([journal.signed()[0]?.slot, journal.signed({ newest: true })[0]?.slot], [6, 8]);
  for (let slot = 9; slot < 9 + KEPT + 3; slot++) journal.append(utf8(`blob ${slot}`), digest(Math.min(slot, 12)));
  assert.deepEqual(journal.signed(), [], "no host has taken one of the slots that are kept");
  const passes = journal.roomPasses.map((pass) => hex(pass));
  assert.deepEqual(passes, [12, 11, 8].map((n) => hex(digest(n))), "each once, the newest first, the last host's too");
});

test("contents come back as they were, and anything else is malformed", () => {
  const contents: AnyContent[] = [
    say("\u{1f600} and “quotes”"),
    {
      type: "announce",
      first: 0,
      last: 0xffff_ffff,
      announcements: [
        {
          leaf: 3,
          epoch: 2 ** 53 - 1,
          count: 1,
          handle: new Uint8Array(8),
          box: digest(1),
          streams: [{ ssrc: 7, kind: "audio", stream: 0 }],
          signature: new Uint8Array(64),
          openers: [digest(2)],
        },
      ],
    },
    { type: "revoked", invites: [0, 65535] },
    { type: "code_open", sid: new Uint8Array(16), epoch: 3, chain: digest(2), leaves: [0, 1] },
  ];
  for (const content of contents) assert.deepEqual(decode(encode(content)), content);
  const id = "AAAAAAAAAAAAAAAAAAAAAA==";
  const wrong = [
    "",
    "\ufeff{}",
    "[]",
    `{"type":"say","id":"${id}","text":""}`,
    `{"type":"say","id":"AAAA","text":"x"}`,
    `{"type":"say","id":"${id}","text":"\\ud800"}`,
    `{"type":"say","id":"${id}","text":"x","more":1}`,
    `{"type":"nothing"}`,
    `{"type":"revoked","invites":[]}`,
    `{"type":"revoked","invites":[65536]}`,
    `{"type":"state","mic":1,"camera":false,"screen":false,"hand":false,"recording":false}`,
    "[".repeat(100_000),
  ];
  for (const text of wrong) assert.throws(() => decode(utf8(text)), MalformedError, text.slice(0, 60));
  assert.throws(() => decode(Uint8Array.of(0x22, 0xff, 0x22)), MalformedError, "not UTF-8");
});

test("a mark is of what is said, by whom, under which id", () => {
  const one = { type: "say", id: new Uint8Array(16), text: "x", number: 0 } as const;
  const picture = { type: "image", id: one.id, mime: "image/png", data: utf8("x"), number: 0 } as const;
  const marks = [
    messageId(one, digest(1)),
    messageId(one, digest(2)),
    messageId({ ...one, text: "y" }, digest(1)),
    messageId({ ...one, id: digest(3).slice(0, 16) }, digest(1)),
    messageId(picture, digest(1)),
    messageId({ ...picture, mime: "image/gif" }, digest(1)),
  ];
  assert.equal(new Set(marks.map((m) => m.join())).size, marks.length);
});

test("the size of an image is what its headers claim, as Python reads them", () => {
  const sizes = JSON.parse(readFileSync(join(import.meta.dirname, "../shared/image_sizes.json"), "utf8")) as [string, number[] | null][];
  assert.ok(sizes.length > 250 && sizes.some(([, size]) => size === null));
  for (const [data, size] of sizes) assert.deepEqual(imageSize(unhex(data)), size, data);
});

test("the first bytes of an image decide its type", () => {
  const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0);
  assert.equal(mimeOf(png), "image/png");
  assert.equal(mimeOf(Uint8Array.of(0xff, 0xd8, 0xff, 0xe0)), "image/jpeg");
  assert.equal(mimeOf(utf8("RIFF....WEBPVP8 ")), "image/webp");
  assert.equal(mimeOf(utf8("GIF89a")), "image/gif");
  for (const other of [utf8("<svg/>"), png.subarray(1), utf8("RIFF....WAVE"), new Uint8Array()])
    assert.equal(mimeOf(other), null);
});
