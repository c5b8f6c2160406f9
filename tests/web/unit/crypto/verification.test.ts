import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { type Bytes, hex, unhex } from "../../../../client/web/src/crypto/bytes";
import { EMOJI } from "../../../../client/web/src/crypto/proof/emoji";
import { MalformedError } from "../../../../client/web/src/crypto/errors";
import {
  type CodeContext,
  codeEmoji,
  CodeRun,
  commitment,
  commitmentsDigest,
  grouped,
  indices,
  longCode,
  shortCode,
} from "../../../../client/web/src/crypto/proof/verification";
import { flipped, given, refused, seeded } from "./given";

const zeros = (size: number): Bytes => new Uint8Array(size);

test("long codes are Python's", async () => {
  const { long } = given<{ readonly long: readonly (readonly [string, string, string, string])[] }>("codes");
  for (const [authenticator, transcript, code, read] of long) {
    assert.equal(longCode(unhex(authenticator), unhex(transcript)), code);
    assert.equal(grouped(code), read);
  }
  assert.ok(long.some(([, , code]) => code.startsWith("0")), "leading zeros stay");
  for (const [first, second] of [[31, 32], [33, 31], [32, 33], [0, 64], [32, 31]] as const)
    await refused(() => longCode(zeros(first), zeros(second)), MalformedError);
});

// -- the short code ------------------------------------------------------------------------------------

interface Known {
  readonly emoji: readonly (readonly [string, string])[];
  readonly runs: readonly {
    readonly sid: string;
    readonly group_id: string;
    readonly chain: string;
    readonly authenticator: string;
    readonly tree_hash: string;
    readonly members: readonly Readonly<
      Record<"signature_key" | "share" | "commitment", string> & { leaf: number }
    >[];
    readonly v: string;
    readonly code: string;
    readonly words: readonly string[];
  }[];
}
const known = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../crypto/short_code.json"), "utf8"),
) as Known;

test("the signs are Python's", () => {
  assert.deepEqual(EMOJI, known.emoji);
  assert.deepEqual(indices(0x041083 + 1), [1, 1, 2, 4]);
  assert.deepEqual(codeEmoji(2 ** 24 - 1).map(([, word]) => word), Array(4).fill("tractor"));
});

test("members who play a known run come to its code", () => {
  for (const run of known.runs) {
    const ground: CodeContext = {
      sid: unhex(run.sid),
      groupId: unhex(run.group_id),
      chain: unhex(run.chain),
      authenticator: unhex(run.authenticator),
      treeHash: unhex(run.tree_hash),
    };
    // in another order than that of leaves, which must not matter
    const members = run.members.toReversed();
    const keys = new Map(members.map((m) => [m.leaf, unhex(m.signature_key)]));
    for (const m of members)
      assert.equal(hex(commitment(ground, m.leaf, unhex(m.signature_key), unhex(m.share))), m.commitment);
    const v = commitmentsDigest(new Map(members.map((m) => [m.leaf, unhex(m.commitment)])));
    assert.equal(hex(v), run.v);
    const shares = new Map(members.map((m) => [m.leaf, unhex(m.share)]));
    const code = shortCode(v, shares, ground.authenticator, ground.treeHash);
    assert.equal(code.toString(16).padStart(6, "0"), run.code);
    assert.deepEqual(codeEmoji(code).map(([, word]) => word), run.words);
    const runs = members.map((m) => new CodeRun(ground, keys, m.leaf, unhex(m.share)));
    play(runs);
    assert.deepEqual(new Set(runs.map((each) => each.code)), new Set([code]));
  }
});

function grounds(seed: string): [CodeContext, (count: number) => Bytes] {
  const draw = seeded(seed);
  const [sid, groupId, chain, authenticator, treeHash] = [draw(16), draw(16), draw(32), draw(32), draw(32)];
  return [{ sid, groupId, chain, authenticator, treeHash }, draw];
}

function aRun(
  count: number,
  seed = "a run",
  change: (leaf: number, ground: CodeContext) => CodeContext = (_, same) => same,
): CodeRun[] {
  const [ground, draw] = grounds(seed);
  const keys = new Map(Array.from({ length: count }, (_, leaf) => [leaf, draw(32)]));
  return [...keys.keys()].map((leaf) => new CodeRun(change(leaf, ground), keys, leaf, draw(32)));
}

function commitAll(runs: readonly CodeRun[]): void {
  for (const hearer of runs) for (const one of runs) hearer.committed(one.ownLeaf, one.ownCommitment());
}

/** Everybody tells everybody. */
function play(runs: readonly CodeRun[], order: readonly number[] = [...runs.keys()]): void {
  const said = order.map((at) => runs[at]).filter((run) => run !== undefined);
  for (const hearer of runs) for (const one of said) hearer.committed(one.ownLeaf, one.ownCommitment());
  for (const hearer of runs) for (const one of said) hearer.revealed(one.ownLeaf, ...one.ownReveal());
  for (const run of runs) assert.equal(run.judge(), null);
}

test("all members come to one code, in whatever order they hear", () => {
  const shuffled = fc
    .integer({ min: 2, max: 12 })
    .chain((count) => fc.shuffledSubarray([...Array(count).keys()], { minLength: count }));
  fc.assert(
    fc.property(shuffled, fc.string(), (order, seed) => {
      const runs = aRun(order.length, seed);
      play(runs, order);
      assert.equal(new Set(runs.map((run) => run.code)).size, 1);
      assert.notEqual(runs[0]?.code, null);
    }),
    { numRuns: 40 },
  );
});

test("one other bit anywhere is a finding or another code", () => {
  for (const field of ["sid", "groupId", "chain", "authenticator", "treeHash"] as const) {
    const runs = aRun(3, field, (leaf, ground) =>
      leaf === 0 ? { ...ground, [field]: flipped(ground[field], 0) } : ground,
    );
    commitAll(runs);
    for (const hearer of runs) for (const one of runs) hearer.revealed(one.ownLeaf, ...one.ownReveal());
    const verdicts = runs.map((run) => run.judge());
    if (field === "treeHash") {
      // not in the commitments: then the codes tell
      assert.deepEqual(verdicts, [null, null, null]);
      assert.notEqual(runs[0]?.code, runs[1]?.code);
      assert.equal(runs[1]?.code, runs[2]?.code);
    } else {
      assert.deepEqual(verdicts[1], { kind: "cheat", leaf: 0 });
      assert.equal(runs[1]?.code, null);
    }
  }
});

test("a share that was not committed to is named", () => {
  const runs = aRun(3);
  const [ada, bo, cem] = runs;
  assert.ok(ada && bo && cem);
  commitAll(runs);
  ada.revealed(1, ...bo.ownReveal());
  assert.equal(ada.judge(), null);
  ada.revealed(2, cem.digest, zeros(32));
  assert.deepEqual(ada.judge(), { kind: "cheat", leaf: 2 });
  assert.equal(ada.code, null);
});

test("another V is a fork and not a cheat", () => {
  const [ada, bo] = aRun(2);
  const other = aRun(2, "another run")[1];
  assert.ok(ada && bo && other);
  ada.committed(0, ada.ownCommitment());
  ada.committed(1, other.ownCommitment());
  bo.committed(0, ada.ownCommitment());
  bo.committed(1, bo.ownCommitment());
  ada.revealed(1, ...bo.ownReveal());
  assert.deepEqual(ada.judge(), { kind: "fork", leaf: 1 });
});

test("a share that is revealed before all have committed waits", () => {
  const runs = aRun(2);
  const [ada, bo] = runs;
  assert.ok(ada && bo);
  for (const one of runs) bo.committed(one.ownLeaf, one.ownCommitment());
  ada.revealed(1, ...bo.ownReveal());
  assert.deepEqual([ada.shown, ada.complete, ada.judge(), ada.waitingFor()], [true, false, null, [0, 1]]);
  for (const one of runs) ada.committed(one.ownLeaf, one.ownCommitment());
  assert.deepEqual([ada.complete, ada.judge(), ada.waitingFor(), ada.code], [true, null, [0], null]);
  ada.revealed(0, ...ada.ownReveal());
  assert.equal(ada.judge(), null);
  assert.notEqual(ada.code, null);
});

test("the first word of a leaf counts, and strangers count for nothing", () => {
  const runs = aRun(2);
  const [ada, bo] = runs;
  assert.ok(ada && bo);
  commitAll(runs);
  const v = ada.digest;
  ada.committed(1, zeros(32));
  ada.committed(7, zeros(32));
  assert.deepEqual(ada.digest, v);
  ada.revealed(7, v, zeros(32));
  ada.revealed(1, ...bo.ownReveal());
  ada.revealed(1, v, zeros(32));
  assert.equal(ada.judge(), null);
  assert.deepEqual(ada.waitingFor(), [0]);
});

test("a commitment is nobody else's", () => {
  const [ada] = aRun(2);
  assert.ok(ada);
  for (const leaf of [0, 1]) ada.committed(leaf, ada.ownCommitment());
  for (const leaf of [0, 1]) ada.revealed(leaf, ...ada.ownReveal());
  assert.deepEqual(ada.judge(), { kind: "cheat", leaf: 1 });
});

test("sizes", async () => {
  const hashes = { chain: zeros(32), authenticator: zeros(32), treeHash: zeros(32) };
  const good = { sid: zeros(16), groupId: zeros(5), ...hashes };
  for (const field of ["sid", "chain", "authenticator"] as const)
    for (const size of [0, 15, 31, 33])
      await refused(
        () => new CodeRun({ ...good, [field]: zeros(size) }, new Map([[0, zeros(32)]]), 0, zeros(32)),
        MalformedError,
      );
  await refused(() => new CodeRun(good, new Map([[0, zeros(32)]]), 0, zeros(31)), MalformedError);
  await refused(() => new CodeRun(good, new Map([[0, zeros(33)]]), 0, zeros(32)), MalformedError);
  const [ada] = aRun(2);
  assert.ok(ada);
  await refused(() => ada.committed(1, zeros(31)), MalformedError);
  await refused(() => ada.revealed(1, zeros(32), zeros(33)), MalformedError);
  await refused(() => ada.revealed(1, zeros(31), zeros(32)), MalformedError);
});
