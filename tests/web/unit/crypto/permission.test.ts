import assert from "node:assert/strict";
import { test } from "node:test";
import { ristretto255_oprf } from "@noble/curves/ed25519.js";
import { type Bytes, hex, unhex } from "../../../../client/web/src/crypto/bytes";
import * as permission from "../../../../client/web/src/crypto/entry/permission";
import { Exchange, PREFIX, Voucher } from "../../../../client/web/src/crypto/entry/voucher";
import { AuthenticationError } from "../../../../client/web/src/crypto/errors";
import { mac } from "../../../../client/web/src/crypto/kdf";
import { compareWithPython } from "./cases";
import { given } from "./given";

const { voprf } = ristretto255_oprf;

compareWithPython("permission", {
  week: permission.weekOf,
  spendable: permission.spendable,
  key_hash: permission.keyHash,
  message: permission.proofMessage,
  password: async (password: string, origin: string, salt: Bytes, cost: number, text: Bytes) =>
    mac(await permission.passwordKey(password, origin, salt, cost), text),
  token: (week: number, key: Bytes, input: Bytes, output: Bytes, text: Bytes) =>
    permission.tokenProof({ week, key, input, output }, text),
  parse: (text: string) => ({ type: "Voucher", ...Voucher.parse(text) }),
  check: (text: string, key: Bytes) => Voucher.parse(text).check(key),
});

interface Rfc {
  readonly SEED: string;
  readonly KEY_INFO: string;
  readonly SECRET_KEY: string;
  readonly PUBLIC_KEY: string;
  readonly BLIND: string;
  readonly ROWS: readonly (readonly [string, string, string, string, string])[];
  readonly BATCH_BLIND: string;
  readonly BATCH_BLINDED: string;
  readonly BATCH_EVALUATED: string;
  readonly BATCH_PROOF: string;
}
const rfc = given<unknown>("rfc9497") as unknown as Rfc;
const key = unhex(rfc.PUBLIC_KEY);

test("RFC 9497 A.1.2: keys, evaluations, proofs and outputs", () => {
  const pair = voprf.deriveKeyPair(unhex(rfc.SEED), unhex(rfc.KEY_INFO));
  assert.equal(hex(pair.secretKey), rfc.SECRET_KEY);
  assert.equal(hex(pair.publicKey), rfc.PUBLIC_KEY);
  for (const [input, blinded, evaluated, proof, output] of rfc.ROWS) {
    const [i, b, e, p] = [unhex(input), unhex(blinded), unhex(evaluated), unhex(proof)];
    assert.equal(hex(voprf.blindEvaluate(pair.secretKey, pair.publicKey, b).evaluated), evaluated);
    assert.equal(hex(voprf.finalize(i, unhex(rfc.BLIND), e, b, key, p)), output);
    const wrong = p.slice();
    wrong[0] = (wrong[0] ?? 0) ^ 1;
    assert.throws(() => voprf.finalize(i, unhex(rfc.BLIND), e, b, key, wrong));
  }
});

test("RFC 9497 A.1.2: the batch", () => {
  const [one, two] = rfc.ROWS;
  assert.ok(one !== undefined && two !== undefined);
  const items = [
    { input: unhex(one[0]), blind: unhex(rfc.BLIND), evaluated: unhex(one[2]), blinded: unhex(one[1]) },
    { input: unhex(two[0]), blind: unhex(rfc.BATCH_BLIND), evaluated: unhex(rfc.BATCH_EVALUATED), blinded: unhex(rfc.BATCH_BLINDED) },
  ];
  assert.deepEqual(voprf.finalizeBatch(items, key, unhex(rfc.BATCH_PROOF)).map(hex), [one[4], two[4]]);
});

const WEEK = 2971;
const server = (fill: number) => {
  const pair = voprf.deriveKeyPair(new Uint8Array(32).fill(fill), new Uint8Array());
  const evaluate = (blinded: Bytes): Bytes => {
    const { evaluated, proof } = voprf.blindEvaluate(pair.secretKey, pair.publicKey, blinded);
    return Uint8Array.from([...proof, ...evaluated]);
  };
  return { key: Uint8Array.from(pair.publicKey), secret: pair.secretKey, evaluate };
};
const voucherFor = (publicKey: Bytes): Voucher => {
  const raw = [0, 0, WEEK >> 8, WEEK & 255, ...new Uint8Array(32), ...permission.keyHash(WEEK, publicKey)];
  return Voucher.parse(PREFIX + Buffer.from(raw).toString("base64url"));
};

test("a token is the output that the key gives for its input", () => {
  const { key: publicKey, secret, evaluate } = server(1);
  const asked = new Exchange(voucherFor(publicKey), publicKey, 3);
  const tokens = asked.finish(asked.blinded.map(evaluate));
  assert.equal(new Set(tokens.map(({ input }) => hex(input))).size, 3);
  const evaluator = ristretto255_oprf.voprf as unknown as { evaluate(key: Uint8Array, input: Uint8Array): Uint8Array };
  for (const { input, output } of tokens) assert.equal(hex(evaluator.evaluate(secret, input)), hex(output));
});

test("tokens of another key are refused, whatever part is wrong", () => {
  const [ours, other] = [server(1), server(2)];
  const asked = new Exchange(voucherFor(ours.key), ours.key, 2);
  const right = asked.blinded.map(ours.evaluate);
  const wrong = asked.blinded.map(other.evaluate);
  const [one = new Uint8Array(), two = new Uint8Array()] = right;
  const flipped = one.slice();
  flipped[40] = (flipped[40] ?? 0) ^ 1;
  for (const answer of [wrong, [one, wrong[1] ?? one], [two, one], [one], [one, new Uint8Array(96)], [flipped, two]])
    assert.throws(() => asked.finish(answer), AuthenticationError);
  assert.throws(() => new Exchange(voucherFor(ours.key), other.key, 1), AuthenticationError);
});
