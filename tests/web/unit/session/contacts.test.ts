import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, hex, utf8 } from "../../../../client/web/src/crypto/bytes";
import { MalformedError } from "../../../../client/web/src/crypto/errors";
import { fingerprint, IdentityKey } from "../../../../client/web/src/crypto/proof/identity";
import { loadLookAlikes } from "../../../../client/web/src/crypto/agreed/names";
import { Ledger } from "../../../../client/web/src/crypto/agreed/ledger";
import { SINGLE_USE } from "../../../../client/web/src/crypto/agreed/roomState";
import { Contacts, decodeContacts, encodeContacts } from "../../../../client/web/src/session/entry/contacts";
import type { Roster } from "../../../../client/web/src/session/events";
import { inviteName, InviteBook } from "../../../../client/web/src/session/entry/invites";
import type { Membership } from "../../../../client/web/src/session/kernel/membership";
import { checkIdentity } from "../../../../client/web/src/session/entry/identityCheck";
import { CommandError } from "../../../../client/web/src/words/sentence";
import { seeded, worded } from "./rooms";

const key = async (n: number): Promise<Bytes> =>
  (await IdentityKey.fromPrivate(new Uint8Array(32).fill(n))).public;
const refusal = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof CommandError);
    return worded(error.sentence);
  }
  throw new assert.AssertionError({ message: "it was done" });
};

test("a contact is found by its fingerprint, before its key was ever met", async () => {
  const book = await Contacts.make(seeded("me"));
  const ada = await key(1);
  const digits = fingerprint(ada);
  book.add(digits.replace(/(.{5})/g, "$1 "), "Ada", 5.7);
  assert.deepEqual(book.find(ada), {
    fingerprint: digits,
    petname: "Ada",
    firstSeen: 5,
    verified: false,
    public: null,
  });
  assert.equal(book.standing(ada), "known");
  assert.equal(book.learn(ada, null, 9, true).firstSeen, 5);
  assert.equal(book.standing(ada), "verified");
  assert.equal(book.standing(await key(2)), "new");
  assert.equal(book.standing(null), "none");
  assert.equal(book.named(digits).petname, "Ada");
  assert.equal(book.add(hex(await key(2)), "bo", 0).public?.length, 32);
  book.learn(await key(4), "Äva", 0);
  assert.deepEqual(
    book.everybody().map(({ petname }) => petname),
    ["Ada", "bo", "Äva"],
  );
  for (const wrong of ["", "12", "zz".repeat(32), "00".repeat(32), hex(ada).slice(2)])
    assert.match(
      refusal(() => book.add(wrong, "Cem", 0)),
      /neither a fingerprint/,
    );
  assert.match(
    refusal(() => book.add(hex(ada), "Dana", 0)),
    /already in the book, as Ada/,
  );
  assert.match(
    refusal(() => book.add(hex(book.own.public), "Dana", 0)),
    /your own key/,
  );
  const eve = hex(await key(3));
  assert.match(
    refusal(() => book.add(eve, "ADA", 0)),
    /you know somebody else as Ada/,
  );
  assert.match(
    refusal(() => book.add(eve, "Eve: hello", 0)),
    /^that is no name for a contact: the name begins with a mark/,
  );
});

test("a book is kept and read again, and nothing else is read", async () => {
  const own = await IdentityKey.fromPrivate(seeded("me")(32));
  const book = new Contacts(own);
  book.learn(await key(1), "Ada", 7, true);
  book.add(fingerprint(await key(2)), "Bo", 8);
  const data = encodeContacts(book);
  const again = await decodeContacts(data);
  assert.deepEqual(again.everybody(), book.everybody());
  assert.deepEqual(again.own.public, own.public);
  assert.deepEqual(encodeContacts(again), data);
  const text = new TextDecoder().decode(data);
  for (const wrong of [
    "",
    "{}",
    "[]",
    text.slice(1),
    text.replace('"version":1', '"version":2'),
    text.replace("Ada", "A:da"),
    text.replace('"first_seen":7', '"first_seen":-7'),
    `{"type":"book",${text.slice(1)}`,
  ])
    await assert.rejects(decodeContacts(utf8(wrong)), MalformedError, wrong.slice(0, 60));
});

test("a knock with a contact's name and another key is told", async () => {
  await loadLookAlikes();
  const book = await Contacts.make(seeded("me"));
  const [ada, other] = [await key(1), await key(2)];
  book.learn(ada, "Ada", 0);
  assert.deepEqual(checkIdentity("Ada", ada, book).warnings, []);
  assert.deepEqual(checkIdentity("Bo", ada, book).warnings.map(worded), ["You know this key as Ada."]);
  assert.deepEqual(checkIdentity("ADA", null, book).warnings.map(worded), [
    "This name looks like that of your contact Ada, and comes without Ada's key: it may be somebody else.",
  ]);
  const seen = checkIdentity("Ada", other, book, [[4, "Ada"]], "here");
  assert.deepEqual([seen.standing, seen.contact, seen.fingerprint], ["new", null, fingerprint(other)]);
  assert.equal(seen.warnings.length, 2);
  assert.equal(checkIdentity("Ada", other, null).standing, "new");
});

test("invites: drawn, told apart, used, taken back", () => {
  const book = new InviteBook();
  book.first(new Uint8Array(32));
  const draws = [Uint8Array.of(0, 0), Uint8Array.of(0x7f, 0xff), Uint8Array.of(0x80, 5), Uint8Array.of(0, 6)];
  const rng = (): Bytes => draws.shift() ?? new Uint8Array(2);
  assert.equal(book.make("Bo", false, new Uint8Array(32), [], rng), 5); // 0 is the open invite, 7fff stands for none
  assert.equal(book.make("", true, new Uint8Array(32), [5], rng), 6 | SINGLE_USE);
  assert.match(
    refusal(() => book.make("", false, new Uint8Array(32), [], rng)),
    /nearly all invites/,
  );
  assert.match(
    refusal(() => book.make("ü".repeat(33), false, new Uint8Array(32), [], seeded("x"))),
    /at most 64 bytes/,
  );
  assert.match(
    refusal(() => book.make("a\u202eb", false, new Uint8Array(32), [], seeded("x"))),
    /only characters that show/,
  );
  assert.equal(worded(inviteName(5, book.label(5))), "the invite for “Bo” (no. 5)");
  assert.equal(worded(inviteName(0, book.label(0))), "the shared link");
  assert.equal(worded(inviteName(9, book.label(9))), "an invite that another host made (no. 9)");
  const roster: Roster = {
    type: "Roster",
    epoch: 1,
    members: [],
    added: [
      { leaf: 1, name: "Bo", host: false, invite: 5, label: null },
      { leaf: 2, name: "Cem", host: false, invite: null, label: null },
      { leaf: 3, name: "Dana", host: false, invite: 9, label: null },
    ],
    removed: [],
    by: 0,
    rejoined: false,
    left: [],
  };
  book.changed(roster);
  assert.deepEqual([book.cameIn(5), book.cameIn(9)], ["Bo", "Dana"], "each by its own");
  book.changed({ ...roster, added: [], removed: [{ leaf: 1, name: "Bo", host: false }] });
  assert.equal(book.removedWith(5), "Bo");
  book.takenBack.add(77);
  const m = { ledger: new Ledger({ revoked: new Set([5]) }) } as unknown as Membership;
  assert.deepEqual(
    book
      .rows(m)
      .map(({ index, label, once, usedBy, revoked }) => [index, label, once, usedBy.length, revoked]),
    [
      [0, "", false, 0, false],
      [5, "Bo", false, 1, true],
      [6 | SINGLE_USE, "", true, 0, false],
      [9, null, false, 1, false],
      [77, null, false, 0, true],
    ],
  );
  assert.ok(book.firstAlarm(5));
  assert.ok(!book.firstAlarm(5));
});
