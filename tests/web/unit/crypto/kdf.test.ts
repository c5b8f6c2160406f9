import assert from "node:assert/strict";
import { test } from "node:test";
import type { Bytes, Rng } from "../../../../client/web/src/crypto/bytes";
import { AuthenticationError, StateError } from "../../../../client/web/src/crypto/errors";
import { padded, prefixed, Reader, uint, unpadded } from "../../../../client/web/src/crypto/fields";
import { H, KDF, mac, SigningKey, seal, unseal, verify } from "../../../../client/web/src/crypto/kdf";
import { compareWithPython } from "./cases";

type Step = ["uint" | "take" | "prefixed" | "text", number] | ["rest" | "end"];

function read(data: Bytes, steps: Step[]): unknown[] {
  const reader = new Reader(data);
  return steps.map(([step, size]) => (size === undefined ? reader[step as "rest"]() : reader[step as "uint"](size)));
}

compareWithPython("kdf", {
  uint,
  prefixed,
  padded,
  unpadded,
  read,
  H,
  KDF,
  mac,
  seal: (key: Bytes, plaintext: Bytes, aad: Bytes, rng: Rng) => seal(key, plaintext, aad, rng),
  unseal,
  public: async (seed: Bytes) => (await SigningKey.fromSeed(seed)).public,
  sign: async (seed: Bytes, message: Bytes) => (await SigningKey.fromSeed(seed)).sign(message),
  verify,
});

test("a seed is kept where it was asked for, and nowhere else", async () => {
  const seed = H(new Uint8Array());
  assert.deepEqual((await SigningKey.fromSeed(seed, true)).seed, seed);
  for (const key of [await SigningKey.fromSeed(seed), await SigningKey.generate(), await SigningKey.fresh()])
    assert.throws(() => key.seed, StateError);
});

test("a key of the browser's own making signs like any", async () => {
  const key = await SigningKey.fresh();
  const message = H(key.public);
  await verify(key.public, message, await key.sign(message));
  await assert.rejects(async () => verify(key.public, key.public, await key.sign(message)), AuthenticationError);
});

test("a read value is a copy: changes of it change nothing else", () => {
  const data = Uint8Array.of(1, 2, 3);
  new Reader(data).take(2)[0] = 9;
  assert.deepEqual(data, Uint8Array.of(1, 2, 3));
});
