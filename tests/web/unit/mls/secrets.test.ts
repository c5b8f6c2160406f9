import assert from "node:assert/strict";
import { test } from "node:test";
import { hex, systemRng } from "../../../../client/web/src/crypto/bytes";
import { MissingKeyError, ReplayError, ValidationError } from "../../../../client/web/src/crypto/errors";
import { MAX_GAP, type RatchetKind, SecretTree, WINDOW } from "../../../../client/web/src/mls/secrets";

const KINDS: readonly RatchetKind[] = ["application", "handshake"];

/** Two members' views of one epoch of four leaves. */
function both(): readonly [SecretTree, SecretTree] {
  const secret = systemRng(32);
  return [new SecretTree(4, secret.slice()), new SecretTree(4, secret.slice())];
}

test("sender and receiver derive the same keys, each leaf and kind its own", () => {
  const [sender, receiver] = both();
  const seen = new Set<string>();
  for (const leaf of [2, 0, 3, 1])
    for (const kind of KINDS)
      for (let generation = 0; generation < 3; generation++) {
        const sent = sender.next(leaf, kind);
        assert.equal(sent.generation, generation);
        const got = receiver.peek(leaf, kind, generation);
        assert.deepEqual([hex(got.key), hex(got.nonce)], [hex(sent.key), hex(sent.nonce)]);
        got.consume();
        seen.add(hex(sent.key));
      }
  assert.equal(seen.size, 24);
});

test("looking changes nothing, and a used key is overwritten and gone", () => {
  const [, tree] = both();
  const first = hex(tree.peek(1, "application", 3).key);
  const looked = tree.peek(1, "application", 3);
  assert.equal(hex(looked.key), first);
  looked.consume();
  assert.equal(hex(looked.key), "00".repeat(16));
  assert.throws(() => tree.peek(1, "application", 3), ReplayError);
  const skipped = tree.peek(1, "application", 1);
  skipped.consume();
  assert.equal(hex(skipped.key), "00".repeat(16));
  assert.throws(() => tree.peek(1, "application", 1), ReplayError);
  tree.peek(1, "application", 0).consume();
});

test("kept keys of skipped generations open these and no later ones", () => {
  const [sender, receiver] = both();
  for (let n = 0; n < 5; n++) sender.next(1, "application");
  receiver.peek(1, "application", 4).consume();
  // from the key of generation 0 nothing else follows: only 0 to 3 are here, each by its own key
  const keys = [0, 1, 2, 3].map((generation) => hex(receiver.peek(1, "application", generation).key));
  assert.equal(new Set(keys).size, 4);
});

test("the gap and the window are bounded", () => {
  const [, tree] = both();
  assert.throws(
    () => tree.peek(0, "application", MAX_GAP + 1),
    (error) => error instanceof ValidationError && error.rule === "SNUG-17",
  );
  tree.peek(0, "application", MAX_GAP).consume();
  tree.peek(0, "application", MAX_GAP + 10).consume();
  const oldest = MAX_GAP + 10 - WINDOW - 1; // 0 to 199 and 201 to 209 were skipped: the last 200 stay
  assert.throws(() => tree.peek(0, "application", oldest - 1), ReplayError);
  tree.peek(0, "application", oldest + 1).consume();
});

test("a bad message far ahead costs its derivations once", () => {
  const [, tree] = both();
  const key = tree.peek(0, "application", MAX_GAP).key;
  assert.equal(tree.peek(0, "application", MAX_GAP).key, key, "kept, not derived anew");
  const near = tree.peek(0, "application", 3);
  near.consume();
  assert.equal(tree.peek(0, "application", MAX_GAP).key, key, "kept when an earlier generation is used");
  tree.peek(0, "application", MAX_GAP).consume();
  assert.equal(hex(key), "00".repeat(16));
});

test("a past tree keeps others' application keys alone", () => {
  const [, tree] = both();
  tree.peek(1, "handshake", 0).consume();
  tree.peek(1, "application", 2).consume();
  tree.onlyApplication(0);
  for (const [leaf, kind] of [
    [0, "application"],
    [0, "handshake"],
    [1, "handshake"],
    [2, "handshake"],
  ] as const)
    assert.throws(() => tree.peek(leaf, kind, 1), MissingKeyError, `${leaf} ${kind}`);
  tree.peek(1, "application", 1).consume();
  tree.peek(2, "application", 0).consume();
});

test("a leaf that is not there has no keys, and a wiped tree has none at all", () => {
  const [, tree] = both();
  assert.throws(() => tree.peek(4, "application", 0), MissingKeyError);
  tree.peek(0, "application", 0);
  tree.wipe();
  for (const leaf of [0, 1]) assert.throws(() => tree.peek(leaf, "application", 0), MissingKeyError);
});

test("the secret that a tree begins with is overwritten when it is first used", () => {
  const secret = systemRng(32);
  const tree = new SecretTree(2, secret);
  tree.next(0, "application");
  assert.equal(hex(secret), "00".repeat(32));
});
