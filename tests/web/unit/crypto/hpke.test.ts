import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, type Rng, utf8 } from "../../../../client/web/src/crypto/bytes";
import { StateError } from "../../../../client/web/src/crypto/errors";
import * as hpke from "../../../../client/web/src/crypto/hpke";
import { X25519Key } from "../../../../client/web/src/crypto/primitives";
import { type Case, compareWithPython } from "./cases";
import { given, unhex } from "./given";

interface Vector {
  readonly info: string;
  readonly ikm_e: string;
  readonly sk_em: string;
  readonly sk_rm: string;
  readonly ikm_r: string;
  readonly pk_rm: string;
  readonly enc: string;
  readonly plaintext: string;
  readonly encryptions: readonly (readonly [number, string, string, string])[];
  readonly exports: readonly (readonly [string, string])[];
}

const { cases, rfc9180 } = given<{ readonly cases: readonly Case[]; readonly rfc9180: readonly Vector[] }>("hpke");
const CONTEXT = utf8("context");
const EMPTY = new Uint8Array();
const derived = async (ikm: Bytes): Promise<X25519Key> => hpke.deriveKeyPair(ikm, true);

compareWithPython(
  "hpke",
  {
    seal: async (key: Bytes, info: Bytes, aad: Bytes, plaintext: Bytes, rng: Rng) => {
      const { enc, ciphertext, exporter } = await hpke.seal(key, info, aad, plaintext, rng);
      return [enc, ciphertext, exporter.export(CONTEXT, 48)];
    },
    open: async (key: Bytes, enc: Bytes, info: Bytes, aad: Bytes, ciphertext: Bytes) => {
      const opened = await hpke.open(await X25519Key.fromPrivate(key), enc, info, aad, ciphertext);
      return [opened.plaintext, opened.exporter.export(CONTEXT, 48)];
    },
    derive: async (ikm: Bytes) => {
      const pair = await derived(ikm);
      return [pair.private, pair.public];
    },
    public: async (key: Bytes) => (await X25519Key.fromPrivate(key)).public,
    export: async (key: Bytes, enc: Bytes, ciphertext: Bytes, context: Bytes, length: number) => {
      const own = await X25519Key.fromPrivate(key);
      return (await hpke.open(own, enc, utf8("info"), utf8("aad"), ciphertext)).exporter.export(context, length);
    },
  },
  cases,
);

test("RFC 9180, A.1.1: the first message, and what is exported", async () => {
  assert.equal(rfc9180.length, 1);
  for (const vector of rfc9180) {
    const [info, plaintext] = [unhex(vector.info), unhex(vector.plaintext)];
    const [receiver, ephemeral] = [await derived(unhex(vector.ikm_r)), await derived(unhex(vector.ikm_e))];
    assert.deepEqual(receiver.private, unhex(vector.sk_rm));
    assert.deepEqual(receiver.public, unhex(vector.pk_rm));
    assert.deepEqual(ephemeral.private, unhex(vector.sk_em));
    const first = vector.encryptions[0] ?? assert.fail("no message");
    const [aad, ciphertext] = [unhex(first[1]), unhex(first[3])];
    const sealed = await hpke.seal(receiver.public, info, aad, plaintext, () => ephemeral.private);
    assert.deepEqual(sealed.enc, unhex(vector.enc));
    assert.deepEqual(sealed.ciphertext, ciphertext);
    const opened = await hpke.open(receiver, sealed.enc, info, aad, ciphertext);
    assert.deepEqual(opened.plaintext, plaintext);
    for (const [context, value] of vector.exports) {
      assert.deepEqual(sealed.exporter.export(unhex(context), 32), unhex(value));
      assert.deepEqual(opened.exporter.export(unhex(context), 32), unhex(value));
    }
  }
});

test("a context seals once: a second message would use the nonce again", async () => {
  const { public: receiver } = await X25519Key.generate();
  const sender = await hpke.Sender.setup(receiver, EMPTY);
  await sender.seal(EMPTY, EMPTY);
  assert.throws(() => sender.seal(EMPTY, EMPTY), StateError);
});

test("a private half is kept where it was asked for, and nowhere else", async () => {
  const key = await X25519Key.generate(undefined, true);
  assert.deepEqual((await X25519Key.fromPrivate(key.private)).public, key.public);
  const held = await X25519Key.fromPrivate(key.private);
  assert.throws(() => held.private, StateError);
});
