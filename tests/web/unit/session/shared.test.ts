import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { unhex } from "../../../../client/web/src/crypto/bytes";
import { loadLookAlikes } from "../../../../client/web/src/crypto/agreed/names";
import { IdentityKey } from "../../../../client/web/src/crypto/proof/identity";
import { interval } from "../../../../client/web/src/session/monitor/heartbeats";
import { Contacts, decodeContacts, encodeContacts } from "../../../../client/web/src/session/entry/contacts";
import { isName, piecesOf } from "../../../../client/web/src/session/features/filesharing";
import { Freshness } from "../../../../client/web/src/session/monitor/freshness";
import { InviteBook } from "../../../../client/web/src/session/entry/invites";
import { checkIdentity } from "../../../../client/web/src/session/entry/identityCheck";
import { fromBase64, toBase64 } from "../../../../client/web/src/wire/codec";
import { worded } from "./rooms";

type Pairs<T> = readonly (readonly [number, T])[];

const vectors = JSON.parse(readFileSync(join(import.meta.dirname, "../shared/session.json"), "utf8")) as {
  readonly freshness: readonly {
    readonly others: Pairs<boolean>;
    readonly words: readonly (readonly [leaf: number, until: number, lease: number])[];
    readonly host: boolean;
    readonly now: number;
    readonly ended: readonly number[];
    readonly until: number;
    readonly lacks: readonly [boolean, boolean];
    readonly missing: readonly number[];
  }[];
  readonly intervals: Pairs<number>;
  readonly draws: readonly {
    readonly known: number[];
    readonly drawn: number[];
    readonly single: boolean;
    readonly index: number;
  }[];
  readonly file_names: Pairs<boolean>;
  readonly pieces: Pairs<number>;
  readonly looks: readonly {
    readonly name: string;
    readonly public: string | null;
    readonly standing: string;
    readonly contact: string | null;
    readonly fingerprint: string | null;
    readonly warnings: readonly string[];
  }[];
  readonly book: { readonly data: string; readonly names: readonly string[] };
};

test("freshness is reckoned alike", () => {
  for (const { others, words, host, now, ended, until, lacks, missing } of vectors.freshness) {
    const fresh = new Freshness();
    for (const [leaf, at, lease] of words) fresh.confirm(leaf, at, lease);
    for (const leaf of ended) fresh.endLease(leaf);
    assert.equal(fresh.until(new Map(others), host), until);
    const lacking = fresh.lacks(new Map(others), now, host);
    assert.deepEqual([lacking.noHost, lacking.few], lacks);
    assert.deepEqual(fresh.missing(new Map(others), now), missing);
  }
  for (const [members, seconds] of vectors.intervals) assert.equal(interval(members), seconds);
});

test("invites are drawn alike", () => {
  for (const { known, drawn, single, index } of vectors.draws) {
    const left = [...drawn];
    const made = new InviteBook().make("", single, new Uint8Array(32), known, () => {
      const next = left.shift() ?? 0;
      return Uint8Array.of(next >> 8, next & 255);
    });
    assert.equal(made, index);
  }
});

test("files may be called alike, and have as many pieces", () => {
  for (const [character, allowed] of vectors.file_names)
    assert.equal(isName(`a${String.fromCodePoint(character)}b`), allowed, character.toString(16));
  for (const [size, pieces] of vectors.pieces) assert.equal(piecesOf(size), pieces);
});

test("names and identities look alike odd", async () => {
  await loadLookAlikes();
  const keys = await Promise.all(
    [1, 2].map(async (n) => (await IdentityKey.fromPrivate(new Uint8Array(32).fill(n))).public),
  );
  const book = new Contacts(await IdentityKey.fromPrivate(new Uint8Array(32).fill(9)));
  book.learn(keys[0]!, "Ada", 0, true);
  book.learn(keys[1]!, "Bo", 0);
  for (const { name, public: key, warnings, ...rest } of vectors.looks) {
    const seen = checkIdentity(name, key === null ? null : unhex(key), book, [
      [3, "Cem"],
      [4, "CEM"],
    ]);
    assert.deepEqual(seen.warnings.map(worded), warnings, name);
    assert.deepEqual({ standing: seen.standing, contact: seen.contact, fingerprint: seen.fingerprint }, rest);
  }
});

test("a contact book is the same bytes", async () => {
  const book = await decodeContacts(fromBase64(vectors.book.data));
  assert.deepEqual(
    book.everybody().map(({ petname }) => petname),
    vectors.book.names,
  );
  assert.equal(toBase64(encodeContacts(book)), vectors.book.data);
});
