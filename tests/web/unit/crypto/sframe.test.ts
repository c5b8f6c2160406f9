import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { type Bytes, concat, hex, int, unhex, utf8 } from "../../../../client/web/src/crypto/bytes";
import {
  AuthenticationError,
  MalformedError,
  MissingKeyError,
  ReplayError,
  StateError,
} from "../../../../client/web/src/crypto/errors";
import {
  decodeHeader,
  encodeHeader,
  expand,
  extract,
  FrameKey,
  labels,
  Opener,
  REPLAY_WINDOW,
  ReplayWindow,
  Sealer,
  SUITE,
  TAG_SIZE,
} from "../../../../client/web/src/crypto/media/sframe";
import { flipped, given, refused } from "./given";

const none = new Uint8Array(0);
const key = (kid = 9): FrameKey => new FrameKey(extract(new Uint8Array(16)), kid);

// -- the public vectors --------------------------------------------------------------------------------

interface HeaderVector {
  readonly kid: number;
  readonly ctr: number;
  readonly encoded: string;
}
type FrameVector = Readonly<Record<string, string>> & {
  readonly cipher_suite: number;
  readonly kid: number;
  readonly ctr: number;
};

/** RFC 9605, appendix C.3, the suite in use: so that a checkout without the vectors' file has it too. */
const RFC: FrameVector = {
  cipher_suite: 4,
  kid: 291,
  ctr: 17767,
  base_key: "000102030405060708090a0b0c0d0e0f",
  sframe_key_label: "534672616d6520312e3020536563726574206b65792000000000000001230004",
  sframe_salt_label: "534672616d6520312e30205365637265742073616c742000000000000001230004",
  sframe_secret: "d926952ca8b7ec4a95941d1ada3a5203ceff8cceee34f574d23909eb314c40c0",
  sframe_key: "d34f547f4ca4f9a7447006fe7fcbf768",
  sframe_salt: "75234edefe07819026751816",
  metadata: "4945544620534672616d65205747",
  nonce: "75234edefe07819026755d71",
  aad: "99012345674945544620534672616d65205747",
  pt: "64726166742d696574662d736672616d652d656e63",
  ct: "9901234567b7412c2513a1b66dbb48841bbaf17f598751176ad847681a69c6d0b091c07018ce4adb34eb",
} as unknown as FrameVector;

async function checkFrame(vector: FrameVector): Promise<void> {
  const of = (name: string): Bytes => unhex(vector[name] ?? "missing");
  const { kid, ctr } = vector;
  const [keyLabel, saltLabel] = labels(kid);
  assert.equal(hex(keyLabel), vector["sframe_key_label"]);
  assert.equal(hex(saltLabel), vector["sframe_salt_label"]);
  const secret = extract(of("base_key"));
  assert.equal(hex(secret), vector["sframe_secret"]);
  const [frameKeyBytes, salt] = expand(secret, kid);
  assert.equal(hex(frameKeyBytes), vector["sframe_key"]);
  assert.equal(hex(salt), vector["sframe_salt"]);
  const frameKey = new FrameKey(secret, kid);
  assert.equal(hex(frameKey.nonce(ctr)), vector["nonce"]);
  assert.equal(hex(concat(encodeHeader(kid, ctr), of("metadata"))), vector["aad"]);
  const sealed = await frameKey.encrypt(ctr, of("metadata"), of("pt"));
  assert.equal(hex(sealed), vector["ct"]);
  const [counter, frame] = await new Opener(frameKey).open(of("metadata"), sealed);
  assert.deepEqual([counter, hex(frame)], [ctr, vector["pt"]]);
  const opener = new Opener(frameKey);
  const forged = flipped(sealed, sealed.length - 1);
  await refused(() => opener.open(of("metadata"), forged), AuthenticationError);
  await refused(() => opener.open(concat(of("metadata"), utf8("x")), sealed), AuthenticationError);
}

test("the RFC's own frame", () => checkFrame(RFC));

const vectorsAt = process.env["SNUG_VECTORS"] ?? join(import.meta.dirname, "../../../../shared/vectors");
const file = join(vectorsAt, "sframe/test-vectors.json");

const skip = existsSync(file) ? false : `no vectors at ${file}: set SNUG_VECTORS`;

test("the public vectors", { skip }, async () => {
  const all = JSON.parse(readFileSync(file, "utf8")) as { header: HeaderVector[]; sframe: FrameVector[] };
  let held = 0;
  for (const { kid, ctr, encoded } of all.header) {
    const data = concat(unhex(encoded), utf8("rest"));
    if (Number.isSafeInteger(kid) && Number.isSafeInteger(ctr)) {
      held++;
      assert.equal(hex(encodeHeader(kid, ctr)), encoded);
      assert.deepEqual(decodeHeader(data), { kid, counter: ctr, size: encoded.length / 2 });
      const cut = unhex(encoded).slice(0, -1);
      await refused(() => decodeHeader(cut), MalformedError);
    } else await refused(() => decodeHeader(data), MalformedError, /beyond 2\^53/);
  }
  assert.ok(held > 150 && held < all.header.length);
  const ours = all.sframe.filter((vector) => vector.cipher_suite === SUITE);
  assert.equal(ours.length, 1);
  for (const vector of ours) await checkFrame(vector);
});

// -- Python's ------------------------------------------------------------------------------------------

type SealedFrame = Readonly<Record<"metadata" | "frame" | "sealed", string> & { counter: number }>;

interface Shared {
  readonly headers: readonly { readonly kid: number; readonly counter: number; readonly encoded: string }[];
  readonly read: readonly { readonly data: string; readonly header: readonly number[] | null }[];
  readonly too_large: readonly string[];
  readonly keys: readonly {
    readonly base_key: string;
    readonly kid: number;
    readonly secret: string;
    readonly key: string;
    readonly salt: string;
    readonly frames: readonly SealedFrame[];
  }[];
}
const shared = given<Shared>("sframe");

test("headers are Python's, and what Python refuses is refused", async () => {
  for (const { kid, counter, encoded } of shared.headers) {
    assert.equal(hex(encodeHeader(kid, counter)), encoded);
    assert.deepEqual(decodeHeader(unhex(encoded)), { kid, counter, size: encoded.length / 2 });
  }
  for (const { data, header } of shared.read) {
    if (header === null) await refused(() => decodeHeader(unhex(data)), MalformedError);
    else assert.deepEqual(Object.values(decodeHeader(unhex(data))), header, data);
  }
  for (const data of shared.too_large) await refused(() => decodeHeader(unhex(data)), MalformedError);
  for (const value of [-1, 2 ** 53, 1.5, Number.NaN]) {
    await refused(() => encodeHeader(value, 0), MalformedError);
    await refused(() => encodeHeader(0, value), MalformedError);
    await refused(() => key(value), MalformedError);
  }
});

test("keys and frames are Python's", async () => {
  for (const row of shared.keys) {
    const secret = extract(unhex(row.base_key));
    assert.equal(hex(secret), row.secret);
    assert.deepEqual(expand(secret, row.kid).map(hex), [row.key, row.salt]);
    const frameKey = new FrameKey(secret, row.kid);
    const opener = new Opener(frameKey);
    for (const { counter, metadata, frame, sealed } of row.frames) {
      assert.equal(hex(await frameKey.encrypt(counter, unhex(metadata), unhex(frame))), sealed);
      const [found, opened] = await opener.open(unhex(metadata), unhex(sealed));
      assert.deepEqual([found, hex(opened)], [counter, frame]);
    }
  }
});

// -- sealing and opening -------------------------------------------------------------------------------

test("no byte of a frame can be changed or left out", async () => {
  const sealer = new Sealer(key());
  const opener = new Opener(key());
  for (let number = 0; number < 3; number++) {
    const data = await sealer.seal(utf8("meta"), utf8("frame"));
    assert.equal(data.length, 2 + 5 + TAG_SIZE);
    for (let at = 0; at < data.length; at++)
      for (const wrong of [data.slice(0, at), flipped(data, at, 16)])
        await assert.rejects(opener.open(utf8("meta"), wrong), (error) => {
          assert.ok(
            [AuthenticationError, MalformedError, MissingKeyError].some((kind) => error instanceof kind),
          );
          return true;
        });
    await refused(() => opener.open(utf8("mets"), data), AuthenticationError);
    const [counter, frame] = await opener.open(utf8("meta"), data);
    assert.deepEqual([counter, frame], [number, utf8("frame")]);
  }
  assert.equal(sealer.sealed, 3);
});

test("a sealer never reuses a counter, however many frames are sealed at once, and stops", async () => {
  const sealer = new Sealer(key(), 20);
  const order: number[] = [];
  const frames = Array.from({ length: 20 }, (_, i) => new Uint8Array(i % 3 === 0 ? 60_000 : 1));
  await Promise.all(
    frames.map(async (frame) => order.push(decodeHeader(await sealer.seal(none, frame)).counter)),
  );
  assert.deepEqual(order, [...frames.keys()], "and they come out in the order of their counters");
  for (let i = 0; i < 2; i++) await refused(() => sealer.seal(none, none), StateError, /all the frames/);
  assert.equal(sealer.sealed, 20);
});

test("frames come out in the order in which they went in, however long each takes", async (t) => {
  const frameKey = key();
  const done: ((data: Bytes) => void)[] = [];
  t.mock.method(frameKey, "encrypt", () => new Promise<Bytes>((resolve) => done.push(resolve)));
  const sealer = new Sealer(frameKey);
  const order: number[] = [];
  const sealing = [0, 1, 2].map(async (n) => {
    await sealer.seal(none, none);
    order.push(n);
  });
  for (const n of [2, 1, 0]) {
    assert.deepEqual(order, []);
    done[n]?.(none);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(sealing);
  assert.deepEqual(order, [0, 1, 2]);
});

test("a counter is spent even when sealing fails", async (t) => {
  const frameKey = key();
  const sealer = new Sealer(frameKey);
  const broken = t.mock.method(frameKey, "encrypt", () => Promise.reject(new Error("no memory")));
  const [first, second] = [sealer.seal(none, none), sealer.seal(none, none)];
  await assert.rejects(first, /no memory/);
  await assert.rejects(second, /no memory/);
  broken.mock.restore();
  assert.equal(decodeHeader(await sealer.seal(none, none)).counter, 2);
});

test("another key's frame is refused before anything", async () => {
  const opener = new Opener(key(9));
  const data = await new Sealer(key(10)).seal(none, none);
  await refused(() => opener.open(none, data), MissingKeyError);
  assert.equal(opener.window.highest, -1);
});

// -- replays -------------------------------------------------------------------------------------------

test("replays, and the window's edge", async () => {
  const frameKey = key();
  const opener = new Opener(frameKey);
  const frame = (counter: number): Promise<Bytes> => frameKey.encrypt(counter, none, int(counter, 4));
  const newest = REPLAY_WINDOW + 1;
  assert.equal((await opener.open(none, await frame(2)))[0], 2);
  await refused(async () => opener.open(none, await frame(2)), ReplayError);
  assert.equal((await opener.open(none, await frame(newest)))[0], newest);
  await refused(async () => opener.open(none, await frame(1)), ReplayError, /too old/);
  await refused(async () => opener.open(none, await frame(2)), ReplayError, /received before/);
  assert.equal((await opener.open(none, await frame(3)))[0], 3);
});

test("one of several copies that are opened at once opens", async () => {
  const frameKey = key();
  const opener = new Opener(frameKey);
  for (const counter of [0, 1, 5000]) {
    const data = await frameKey.encrypt(counter, none, utf8("x"));
    const tries = await Promise.allSettled(Array.from({ length: 5 }, () => opener.open(none, data)));
    assert.equal(tries.filter(({ status }) => status === "fulfilled").length, 1);
    for (const each of tries)
      if (each.status === "rejected") assert.ok(each.reason instanceof ReplayError, String(each.reason));
  }
});

test("a forged frame moves no window", async () => {
  const frameKey = key();
  const opener = new Opener(frameKey);
  const first = await frameKey.encrypt(5, none, utf8("x"));
  const far = await frameKey.encrypt(2 ** 52, none, utf8("x"));
  for (const data of [far, first])
    await refused(() => opener.open(none, flipped(data, data.length - 1)), AuthenticationError);
  assert.equal(opener.window.highest, -1);
  assert.ok(opener.unused);
  assert.equal((await opener.open(none, first))[0], 5);
  assert.ok(!opener.unused);
  assert.equal((await opener.open(none, far))[0], 2 ** 52);
  await refused(() => opener.open(none, far), ReplayError);
});

test("the window against a plain model", () => {
  // steps from the highest: mostly small ones, so that the window's slots are used again and again
  const step = fc.oneof(fc.integer({ min: -20, max: 12 }), fc.integer({ min: -20, max: 12 }), fc.nat(5000));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 16 }), (steps, size) => {
      const window = new ReplayWindow(size);
      const seen = new Set<number>();
      let highest = -1;
      for (const by of steps) {
        const counter = Math.max(0, highest + by);
        if (!seen.has(counter) && counter > highest - size) {
          window.check(counter);
          window.advance(counter);
          seen.add(counter);
          highest = Math.max(highest, counter);
        } else assert.throws(() => window.check(counter), ReplayError);
        assert.equal(window.highest, highest);
      }
    }),
    { numRuns: 1000 },
  );
});
