import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, concat, hex, unhex, utf8 } from "../../../../client/web/src/crypto/bytes";
import { AuthenticationError, MalformedError, ReplayError, SnugError } from "../../../../client/web/src/crypto/errors";
import { H, SigningKey } from "../../../../client/web/src/crypto/kdf";
import { labeled } from "../../../../client/web/src/crypto/labels";
import { certified, FrameList, interval, MEDIA_KEY_LABEL, nameOf, Run, scope, Signer } from "../../../../client/web/src/crypto/media/signatures";
import { FrameVerifier } from "../../../../client/web/src/crypto/media/verifier";
import { flipped, given, type Outcome, outcomeOf, refused } from "./given";
import { encodeHeader } from "../../../../client/web/src/crypto/media/sframe";
import { EPOCH, AUDIO, LARGE, VIDEO, bound, leafKey, named, signer, Bo } from "./frameLists";

// -- Python's ------------------------------------------------------------------------------------------

type Row = readonly [
  now: number,
  what: string,
  told: readonly (number | string)[],
  outcome: Outcome,
  doubt: string | null,
  found: readonly string[],
  unlisted: number,
  excused: number,
];
interface Shared {
  readonly leaf_seed: string;
  readonly media_seed: string;
  readonly scope: { readonly room: string; readonly slot: number; readonly authenticator: string };
  readonly bound: string;
  readonly intervals: readonly (readonly [number, number])[];
  readonly adds: readonly {
    readonly frames: readonly (readonly [stream: number, ssrc: number | null, kid: number, counter: number])[];
    readonly lists: readonly (readonly [ssrc: number | null, data: string])[];
  }[];
  readonly read: readonly { readonly data: string; readonly good: boolean }[];
  readonly stories: readonly (readonly Row[])[];
}
const shared = given<Shared>("media_signatures");
const sharedLeaf = await SigningKey.fromSeed(unhex(shared.leaf_seed));
const sharedBound = unhex(shared.bound);

test("lists are Python's, byte by byte", async () => {
  const { room, slot, authenticator } = shared.scope;
  assert.equal(hex(scope(unhex(room), slot, unhex(authenticator))), shared.bound);
  for (const [members, seconds] of shared.intervals) assert.equal(interval(members), seconds);
  const media = await SigningKey.fromSeed(unhex(shared.media_seed), true);
  const vouched = labeled(MEDIA_KEY_LABEL, certified(sharedBound, 2, media.public));
  const made = new Signer(2, sharedBound, media, await sharedLeaf.sign(vouched));
  assert.ok(!made.used);
  for (const { frames, lists } of shared.adds) {
    for (const [stream, ssrc, kid, counter] of frames)
      made.add(stream, ssrc, named([kid, counter, utf8(`${counter} of ${kid}`)]), 1);
    assert.equal(made.oldest, 1);
    assert.deepEqual((await made.take()).map(({ ssrc, data }) => [ssrc, hex(data)]), lists);
    assert.equal(made.oldest, null);
  }
  assert.ok(made.used);
  assert.equal(hex(made.secret), shared.media_seed);
  assert.deepEqual(await made.take(), [], "nothing to say, nothing said");
});

test("a list that no sender would write is refused", async () => {
  for (const { data, good } of shared.read) {
    if (good) {
      const heard = FrameList.decode(unhex(data));
      assert.equal(hex(concat(heard.body, heard.signature)), data);
    } else await refused(() => FrameList.decode(unhex(data)), MalformedError);
  }
});

async function act(checker: FrameVerifier, epoch: number, row: Row): Promise<number | null | void> {
  const [now, what, told] = row;
  const number = (at: number): number => Number(told[at]);
  const bytes = (at: number): Bytes => unhex(String(told[at]));
  switch (what) {
    case "opening":
      return checker.opening(number(0), named([number(1), number(2), bytes(3)]), now);
    case "opened":
      return checker.opened(number(0), named([number(1), number(2), bytes(3)]), now);
    case "hear":
      return checker.receive(epoch, sharedBound, FrameList.decode(bytes(0)), sharedLeaf.public, now);
    case "tick":
      return checker.tick(now);
    case "excuse":
      return checker.excuse(number(0));
    case "end_epoch":
      return checker.endEpoch(number(0), now);
    case "publish":
      return checker.markDisclosed(bytes(0));
    case "listed_in":
      return checker.listedIn(number(0), number(1), number(2), number(3));
    case "end_all":
      return checker.endAll(now);
    default:
      throw new Error(what);
  }
}

test("a checker doubts, finds and forgives as Python's does, at every step", async () => {
  for (const [which, story] of shared.stories.entries()) {
    const checker = new FrameVerifier();
    let epoch = EPOCH;
    for (const [at, row] of story.entries()) {
      const [now, what, told, outcome, doubt, found, unlisted, excused] = row;
      const where = `story ${which}, step ${at}: ${what}`;
      assert.deepEqual(await outcomeOf(() => act(checker, epoch, row)), outcome, where);
      assert.equal(checker.doubt, doubt, where);
      assert.deepEqual(checker.findings.splice(0), found, where);
      assert.ok(Math.abs(checker.unlisted(now) - unlisted) < 1e-6, where);
      assert.ok(Math.abs(checker.excused(now) - excused) < 1e-6, where);
      if (what === "end_epoch") epoch = Number(told[0]) + 1;
    }
  }
});

// -- who is believed -----------------------------------------------------------------------------------

test("any cut or changed list is refused, and changes nothing", async () => {
  const bo = await Bo.make();
  const frames = [bo.seal(VIDEO), bo.seal(VIDEO), bo.seal(LARGE)];
  const [data] = await bo.lists();
  assert.ok(data);
  for (let size = 0; size < data.length; size++)
    await refused(() => FrameList.decode(data.slice(0, size)), MalformedError);
  for (let at = 0; at < data.length; at++) await refused(() => bo.hear(flipped(data, at)), SnugError);
  await bo.hear(data);
  bo.checker.doubt = "unverified";
  for (const frame of frames) bo.play(frame);
});

test("only the leaf vouches for its media key, and for one an epoch", async () => {
  const bo = await Bo.make();
  const hers = await signer(7, await SigningKey.fromSeed(new Uint8Array(32).fill(66)));
  hers.add(0, null, named([AUDIO, 0, utf8("hers")]), bo.now);
  for (const { data } of await hers.take()) await refused(() => bo.hear(data), AuthenticationError);
  bo.play(bo.seal());
  await bo.passOn();
  const second = await signer(8);
  for (const counter of [0, 1]) {
    second.add(0, null, named([AUDIO, counter, utf8("")]), bo.now);
    const [made] = await second.take();
    if (counter === 1 && made) await refused(() => bo.hear(made.data), AuthenticationError, /another media key/);
  }
  assert.deepEqual(bo.found, []);
});

test("nobody puts another's key into a list", async () => {
  const bo = await Bo.make();
  bo.seal();
  const [own] = await bo.lists();
  assert.ok(own);
  const real = FrameList.decode(own);
  const hers = await SigningKey.fromSeed(new Uint8Array(32).fill(66));
  for (const key of [real.key, hers.public]) {
    const forged = new FrameList(2, 0, 0, key, real.certificate, [new Run(AUDIO, 0, named([AUDIO, 0, utf8("hers")]).hash)]);
    const data = await forged.signed(bound, hers);
    await refused(() => bo.hear(data), AuthenticationError);
  }
});

test("a list of another epoch, room or fork is nothing", async () => {
  const bo = await Bo.make();
  bo.seal();
  const [data] = await bo.lists();
  assert.ok(data);
  for (const other of [
    scope(new Uint8Array(16), 4, utf8("authenticator")),
    scope(utf8("another room    "), 3, utf8("authenticator")),
    scope(new Uint8Array(16), 3, utf8("another fork")),
  ])
    await refused(() => bo.hear(data, other), AuthenticationError);
  await bo.hear(data);
});

test("a list is heard once, also when copies come at once, and in order", async () => {
  const bo = await Bo.make();
  bo.seal();
  const [first] = await bo.lists();
  bo.seal();
  const [second] = await bo.lists();
  assert.ok(first && second);
  const tries = await Promise.allSettled([bo.hear(second), bo.hear(second)]);
  assert.deepEqual(tries.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  for (const again of [first, second]) await refused(() => bo.hear(again), ReplayError);
});

test("a frame is named once, and a member has eight streams", async () => {
  const bo = await Bo.make();
  for (let kid = 0; kid < 8; kid++) {
    bo.signer.add(kid % 4, null, named([kid, 0, utf8("first")]), bo.now);
    await bo.passOn();
  }
  bo.signer.add(0, null, named([8, 0, utf8("a ninth")]), bo.now);
  await refused(() => bo.passOn(), MalformedError, /more streams/);
  bo.signer.add(1, null, named([1, 0, utf8("once more")]), bo.now);
  await refused(() => bo.passOn(), MalformedError, /earlier list/);
  bo.signer.add(0, null, named([1, 1, utf8("of another stream")]), bo.now);
  await refused(() => bo.passOn(), MalformedError, /another stream/);
});

test("a key that was told signs nothing any more, and anybody makes the same signatures", async () => {
  const bo = await Bo.make();
  bo.seal();
  const [real] = await bo.lists();
  assert.ok(real);
  const heard = FrameList.decode(real);
  const anybody = await SigningKey.fromSeed(bo.signer.secret);
  const same = new FrameList(2, 0, 0, heard.key, heard.certificate, heard.runs);
  assert.deepEqual(await same.signed(bound, anybody), real);
  await bo.hear(real);
  bo.checker.markDisclosed(anybody.public);
  bo.seal();
  await refused(() => bo.passOn(), AuthenticationError, /no longer secret/);
});

test("a frame that is sealed while lists are being signed is in the next list", async () => {
  const made = await signer();
  made.add(0, 1, named([AUDIO, 0, utf8("0")]), 1);
  const [taking] = [made.take()];
  made.add(0, 1, named([AUDIO, 1, utf8("1")]), 2);
  const again = made.take();
  const lists = [...(await taking), ...(await again)].map(({ data }) => FrameList.decode(data));
  const shown = lists.map(({ number, runs: [run] }) => [number, run?.first, run?.length]);
  assert.deepEqual(shown, [
    [0, 0, 1],
    [1, 1, 1],
  ]);
  const checker = new FrameVerifier();
  for (const heard of lists) await checker.receive(EPOCH, bound, heard, leafKey.public, 3);
});

test("a hash has twelve bytes and covers header and ciphertext, whoever computes it", async () => {
  for (const size of [0, 20, 1023, 1024, 9000]) {
    const frame = concat(encodeHeader(AUDIO, 300), new Uint8Array(size).fill(7));
    const hash = H(frame).slice(0, 12);
    assert.deepEqual(await nameOf(frame), { kid: AUDIO, counter: 300, hash });
  }
  await refused(() => nameOf(new Uint8Array(0)), MalformedError);
});
