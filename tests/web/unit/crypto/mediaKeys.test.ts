import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, concat, hex, int, unhex, utf8 } from "../../../../client/web/src/crypto/bytes";
import {
  AuthenticationError,
  MalformedError,
  MissingKeyError,
  ReplayError,
  StateError,
} from "../../../../client/web/src/crypto/errors";
import { H, KDF } from "../../../../client/web/src/crypto/kdf";
import {
  ADD_SWITCH,
  baseStream,
  EpochKeys,
  FutureEpochError,
  FUTURE_BYTES,
  FutureFrames,
  layerStream,
  MediaKeys,
  openFrame,
  sealFrame,
  Stream,
  STREAMS,
} from "../../../../client/web/src/crypto/media/keys";
import { decodeHeader, encodeHeader } from "../../../../client/web/src/crypto/media/sframe";
import * as clearHeader from "../../../../client/web/src/crypto/media/clearHeader";
import { flipped, given, type Outcome, outcomeOf, refused } from "./given";

const none = new Uint8Array(0);
const root = utf8("a meeting's exporter stands here");

/** Each epoch's own secrets, as an exporter gives them to all its members. */
const keys = (epoch: number, leafCount = 3): Promise<EpochKeys> =>
  EpochKeys.derive({
    epoch,
    baseKey: KDF(root, concat(utf8("base"), int(epoch, 1)), 16),
    tags: KDF(root, concat(utf8("tags"), int(epoch, 1)), 32),
    leafCount,
  });

async function enter(
  who: MediaKeys,
  epoch: number,
  now: number,
  ownLeaf: number,
  removed: readonly number[] = [],
): Promise<void> {
  who.install(await keys(epoch), { ownLeaf, removed, isRemoval: false, now });
}

async function member(ownLeaf: number, epoch = 1, now = 0): Promise<MediaKeys> {
  const one = new MediaKeys();
  await enter(one, epoch, now, ownLeaf);
  return one;
}

const epochBits = (data: Bytes): number => decodeHeader(data).kid % 16;

// -- Python's ------------------------------------------------------------------------------------------

interface Tree {
  readonly epoch: number;
  readonly base_key: string;
  readonly tags: string;
  readonly leaf_count: number;
  readonly kids: readonly (readonly number[])[];
  readonly strangers: readonly number[];
  readonly sealed: string;
}
interface Step {
  readonly what: "install" | "seal" | "open" | "sending" | "wipe";
  readonly who: number;
  readonly now: number;
  readonly epoch?: number;
  readonly removed?: readonly number[];
  readonly is_removal?: boolean;
  readonly kind?: clearHeader.Kind;
  readonly stream?: number;
  readonly frame?: string;
  readonly data?: string;
  readonly outcome: Outcome;
}
interface Shared {
  readonly trees: readonly Tree[];
  readonly layers: readonly { readonly base: number; readonly layer: number; readonly stream: Outcome }[];
  readonly bases: readonly (readonly [number, number])[];
  readonly stories: readonly (readonly Step[])[];
}
const shared = given<Shared>("media_keys");

test("layers have Python's stream numbers, and each number is of one stream", async () => {
  for (const { base, layer, stream } of shared.layers)
    assert.deepEqual(await outcomeOf(() => layerStream(base, layer)), stream, `layer ${layer} of ${base}`);
  assert.equal(shared.bases.length, STREAMS);
  for (const [stream, expected] of shared.bases.entries()) assert.deepEqual(baseStream(stream), expected);
});

test("key ids are Python's, and nobody else's", async () => {
  for (const tree of shared.trees) {
    const from = { epoch: tree.epoch, baseKey: unhex(tree.base_key), tags: unhex(tree.tags) };
    const held = await EpochKeys.derive({ ...from, leafCount: tree.leaf_count });
    for (const [leaf, kids] of tree.kids.entries())
      for (const [stream, kid] of kids.entries()) {
        assert.equal(held.kid(leaf, stream), kid);
        assert.deepEqual(held.leafAndStream(kid), [leaf, stream]);
      }
    for (const kid of [...tree.strangers, (tree.kids[0]?.[0] ?? 0) ^ 1])
      await refused(() => held.leafAndStream(kid), MissingKeyError);
    const sealed = await held.key(tree.kids[0]?.[1] ?? 0).encrypt(5, utf8("m"), utf8("frame"));
    assert.equal(hex(sealed), tree.sealed);
  }
});

async function live(members: readonly MediaKeys[], step: Step): Promise<unknown> {
  const who = members[step.who];
  assert.ok(who);
  const { now, kind = "audio", epoch = 0, stream = 0 } = step;
  switch (step.what) {
    case "install": {
      const [base, tags] = ["base", "tags"].map((label) => H(utf8(label), int(epoch, 4)));
      assert.ok(base && tags);
      const made = await EpochKeys.derive({ epoch, baseKey: base.slice(0, 16), tags, leafCount: 4 });
      const change = { ownLeaf: step.who, removed: step.removed ?? [], isRemoval: step.is_removal ?? false };
      return who.install(made, { ...change, now });
    }
    case "seal":
      return sealFrame(who, kind, stream, unhex(step.frame ?? ""), now);
    case "open": {
      const opened = await openFrame(who, kind, unhex(step.data ?? ""), now);
      return { ...opened, frame: hex(opened.frame) };
    }
    case "sending":
      return who.sendingEpoch(now);
    case "wipe":
      return who.wipe();
  }
}

test("members go through epochs as Python's do: every frame, every refusal", async () => {
  for (const story of shared.stories) {
    const members = Array.from({ length: 4 }, () => new MediaKeys());
    for (const [at, step] of story.entries())
      assert.deepEqual(await outcomeOf(() => live(members, step)), step.outcome, `step ${at}: ${step.what}`);
  }
});

test("epoch keys refuse", async () => {
  const whole = { epoch: 1, baseKey: new Uint8Array(16), tags: new Uint8Array(32), leafCount: 1 };
  for (const wrong of [
    { baseKey: new Uint8Array(15) },
    { tags: new Uint8Array(16) },
    { leafCount: 0 },
    { leafCount: 65_537 },
    { epoch: -1 },
  ])
    await refused(() => EpochKeys.derive({ ...whole, ...wrong }), MalformedError);
  const held = await keys(1);
  for (const [leaf, stream] of [[3, 0], [-1, 0], [0, 8], [0, -1]] as const)
    await refused(() => held.kid(leaf, stream), StateError);
  const kid = held.kid(0, 0);
  held.wipe();
  await refused(() => held.key(kid), StateError, /gone/);
  assert.deepEqual(held.leafAndStream(kid), [0, 0]);
});

test("a wide tree is still a permutation", async () => {
  const held = await EpochKeys.derive({
    epoch: 1,
    baseKey: new Uint8Array(16),
    tags: H(utf8("wide")),
    leafCount: 1025,
  });
  const kids = new Set<number>();
  for (let leaf = 0; leaf < 1025; leaf++)
    for (let stream = 0; stream < STREAMS; stream++) {
      const kid = held.kid(leaf, stream);
      kids.add(kid);
      assert.deepEqual(held.leafAndStream(kid), [leaf, stream]);
    }
  assert.equal(kids.size, 1025 * STREAMS);
});

// -- one epoch -----------------------------------------------------------------------------------------

test("replay, forgery and reflection", async () => {
  const [ada, bo] = [await member(0), await member(1)];
  const data = await ada.seal(0, utf8("m"), utf8("frame"), 0);
  for (let at = 0; at < data.length; at++)
    await assert.rejects(bo.open(utf8("m"), flipped(data, at, 4), 0), (error) => {
      assert.ok([AuthenticationError, MissingKeyError, MalformedError].some((kind) => error instanceof kind));
      return true;
    });
  await refused(() => bo.open(utf8("n"), data, 0), AuthenticationError);
  assert.deepEqual(bo.sender(data, 0), [0, 0]);
  assert.deepEqual((await bo.open(utf8("m"), data, 0)).frame, utf8("frame"));
  await refused(() => bo.open(utf8("m"), data, 0), ReplayError);
  await refused(() => ada.open(utf8("m"), data, 0), AuthenticationError, /our own/);
  await refused(() => bo.open(utf8("m"), none, 0), MalformedError);
});

test("a forged counter blocks nothing", async () => {
  const [ada, bo] = [await member(0), await member(1)];
  const kid = (await keys(1)).kid(0, 0);
  const forged = concat(encodeHeader(kid, 2 ** 50), new Uint8Array(40));
  await refused(() => bo.open(none, forged, 0), AuthenticationError);
  assert.equal((await bo.open(none, await ada.seal(0, none, none, 0), 0)).counter, 0);
});

test("the first frame of a stream opens once, however many copies are opened at once", async () => {
  const [ada, bo] = [await member(0), await member(1)];
  for (let round = 0; round < 3; round++) {
    const data = await ada.seal(0, none, int(round, 1), 0);
    const forged = flipped(data, data.length - 1);
    const tries = [forged, data, data, forged, data, data].map((copy) => bo.open(none, copy, 0));
    const outcomes = (await Promise.allSettled(tries)).map((each) =>
      each.status === "fulfilled" ? "opened" : (each.reason as Error).constructor,
    );
    assert.equal(outcomes.filter((each) => each === "opened").length, 1);
    assert.equal(outcomes.filter((each) => each === ReplayError).length, 3);
    assert.equal(outcomes.filter((each) => each === AuthenticationError).length, 2);
  }
});

test("counters are taken in the call itself, and frames come out in their order", async () => {
  const ada = await member(0);
  const order: number[] = [];
  const sizes = [90_000, 1, 30_000, 1, 1, 60_000, 1];
  const sealing = sizes.map(async (size) => {
    order.push(decodeHeader(await ada.seal(1, none, new Uint8Array(size), 0)).counter);
  });
  await Promise.all(sealing);
  assert.deepEqual(order, [0, 1, 2, 3, 4, 5, 6]);
});

// -- what changes while a frame is being sealed or opened ----------------------------------------------

test("a frame that is being sealed when somebody is removed leaves under the new keys", async () => {
  const ada = await member(0);
  const next = await keys(2);
  const sealing = ada.seal(0, none, utf8("after"), 10);
  assert.equal(ada.sendingEpoch(10), 1);
  ada.install(next, { ownLeaf: 0, removed: [2], isRemoval: true, now: 10.001 });
  const data = await sealing;
  assert.equal(epochBits(data), 2);
  const [bo, eve] = [await member(1, 2, 10), await member(2)];
  assert.deepEqual((await bo.open(none, data, 10.001)).frame, utf8("after"));
  await refused(() => eve.open(none, data, 10.001), MissingKeyError);
});

test("a frame that is being sealed when keys are wiped does not leave", async () => {
  const ada = await member(0);
  const sealing = ada.seal(0, none, utf8("x"), 0);
  ada.wipe();
  await refused(() => sealing, MissingKeyError);
});

test("a frame that is being sealed at an Add leaves as it was begun", async () => {
  const ada = await member(0);
  const next = await keys(2);
  const sealing = ada.seal(0, none, utf8("x"), 10);
  ada.install(next, { ownLeaf: 0, removed: [], isRemoval: false, now: 10 });
  assert.equal(epochBits(await sealing), 1);
});

test("a frame that is being opened when its sender is removed, or keys go, is not given out", async () => {
  const eve = await member(2);
  const next = await keys(2);
  const changes: ((bo: MediaKeys) => void)[] = [
    (bo) => bo.install(next, { ownLeaf: 1, removed: [2], isRemoval: true, now: 9 }),
    (bo) => bo.wipe(),
  ];
  for (const change of changes) {
    const bo = await member(1);
    const opening = bo.open(none, await eve.seal(0, none, utf8("x"), 9), 9);
    change(bo);
    await refused(() => opening, MissingKeyError);
  }
});

// -- epoch changes -------------------------------------------------------------------------------------

test("after an Add senders switch after half a second; a removal overtakes it", async () => {
  const ada = await member(0);
  await enter(ada, 2, 10, 0);
  assert.equal(ada.sendingEpoch(10 + ADD_SWITCH - 0.01), 1);
  assert.equal(ada.sendingEpoch(10 + ADD_SWITCH), 2);
  await enter(ada, 3, 10.1, 0, [2]);
  assert.equal(epochBits(await ada.seal(0, none, none, 10.1)), 3);
});

test("an epoch that is ready is used at once, and another one is not", async () => {
  const ada = await member(0);
  await enter(ada, 2, 10, 0);
  for (const other of [1, 3]) ada.ready(other, 10.1);
  assert.equal(ada.sendingEpoch(10.1), 1);
  ada.ready(2, 10.2);
  assert.equal(epochBits(await ada.seal(0, none, none, 10.2)), 2);
  ada.ready(2, 99);
  assert.equal(ada.sendingEpoch(10.3), 2);
});

test("the sending epoch never goes back, whatever the clock does", async () => {
  const ada = await member(0);
  await enter(ada, 2, 10, 0);
  assert.equal(epochBits(await ada.seal(0, none, none, 11)), 2);
  assert.equal(ada.sendingEpoch(10.1), 2);
  assert.equal(epochBits(await ada.seal(0, none, none, 10.1)), 2);
});

test("secrets of ended epochs are forgotten", async () => {
  const made = await Promise.all([1, 2, 18].map((epoch) => keys(epoch)));
  const [ended, displaced, wiped] = made;
  assert.ok(ended && displaced && wiped);
  const [first, second, third] = made.map((one) => one.kid(0, 0));
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  const bo = new MediaKeys();
  const change = { ownLeaf: 1, removed: [], isRemoval: true };
  bo.install(ended, { ...change, isRemoval: false, now: 0 });
  bo.install(displaced, { ...change, now: 10 });
  assert.equal(ended.key(first).kid, first);
  bo.install(wiped, { ...change, now: 12 });
  await refused(() => ended.key(first), StateError, /gone/);
  await refused(() => displaced.key(second), StateError, /gone/);
  assert.equal(wiped.key(third).kid, third);
  bo.wipe();
  await refused(() => wiped.key(third), StateError, /gone/);
  await refused(() => bo.install(wiped, { ...change, now: 13 }), StateError, /can't follow/);
});

test("the next member at a removed leaf is heard", async () => {
  const [bo, old] = [await member(1), await member(2)];
  const before = await old.seal(0, none, utf8("before"), 9);
  await enter(bo, 2, 10, 1, [2]);
  const fresh = await member(2, 2, 10);
  assert.equal((await bo.open(none, await fresh.seal(0, none, none, 10), 10)).leaf, 2);
  await refused(() => bo.open(none, before, 10), MissingKeyError, /removed/);
});

test("frames of the next four epochs are worth waiting for, and open once their epoch comes", async () => {
  const bo = await member(1);
  for (let epoch = 2; epoch < 17; epoch++) {
    const data = await (await member(0, epoch)).seal(0, none, none, 0);
    await assert.rejects(bo.open(none, data, 0), (error) => {
      assert.equal(error instanceof FutureEpochError, epoch <= 5);
      return error instanceof MissingKeyError;
    });
  }
  const [ada, cem] = [await member(0, 16), await member(1, 15)];
  const waiting = new FutureFrames<Bytes>();
  const data = await ada.seal(0, none, utf8("early"), 0);
  await refused(() => cem.open(none, data, 0), FutureEpochError);
  waiting.hold(data, 0, data.length);
  await enter(cem, 16, 0.3, 1);
  const [held] = waiting.release(0.3);
  assert.ok(held);
  assert.deepEqual((await cem.open(none, held, 0.3)).frame, utf8("early"));
  assert.equal(waiting.length, 0);
});

test("at most 64 wait for at most a second", () => {
  const waiting = new FutureFrames<number>();
  for (let n = 0; n < 70; n++) waiting.hold(n, 0.001 * n, 1);
  assert.deepEqual([waiting.length, waiting.dropped], [64, 6]);
  waiting.expire(1);
  assert.equal(waiting.length, 64);
  assert.deepEqual(waiting.release(1.0105), Array.from({ length: 59 }, (_, i) => i + 11));
  assert.equal(waiting.dropped, 11);
  waiting.hold(1, 5, 1);
  waiting.expire(6);
  assert.deepEqual([waiting.length, waiting.dropped], [0, 12]);
  assert.deepEqual(waiting.release(6), []);
});

test("the bytes of waiting frames are bounded", () => {
  const waiting = new FutureFrames<number>();
  for (let n = 0; n < 10; n++) waiting.hold(n, 0.001 * n, FUTURE_BYTES / 4);
  assert.deepEqual([waiting.length, waiting.dropped], [4, 6]);
  waiting.hold(10, 0.1, FUTURE_BYTES + 1);
  assert.deepEqual([waiting.length, waiting.dropped], [0, 11]);
  waiting.hold(11, 0.2, FUTURE_BYTES);
  assert.deepEqual(waiting.release(0.2), [11]);
});

// -- the clear header ----------------------------------------------------------------------------------

const keyFrame = concat(unhex("1002009d012a80026801"), utf8("data"));
const deltaFrame = concat(unhex("110200"), utf8("data"));

test("the clear headers are the constant ones, and no others are taken", async () => {
  assert.equal(hex(clearHeader.KEY_HEADER), "f0ffff9d012a10001000");
  assert.equal(hex(clearHeader.DELTA_HEADER), "f1ffff");
  assert.deepEqual(clearHeader.headerFor("audio", none), none);
  assert.equal(clearHeader.headerFor("video", keyFrame), clearHeader.KEY_HEADER);
  assert.equal(clearHeader.headerFor("video", deltaFrame), clearHeader.DELTA_HEADER);
  assert.deepEqual(clearHeader.split("audio", utf8("rest")), [none, utf8("rest")]);
  for (const header of [clearHeader.KEY_HEADER, clearHeader.DELTA_HEADER])
    assert.deepEqual(clearHeader.split("video", concat(header, utf8("rest"))), [header, utf8("rest")]);
  assert.deepEqual(clearHeader.metadata("audio", none), utf8("a"));
  assert.deepEqual(clearHeader.metadata("video", utf8("h")), utf8("vh"));
  await refused(() => clearHeader.headerFor("video", none), MalformedError, /empty/);
  for (const wrong of ["", "f1ff", hex(keyFrame), "f0ffff9d012a8002680178", "f3ffff78", "f0ffff9d012a100010"])
    await refused(() => clearHeader.split("video", unhex(wrong)), MalformedError);
});

test("the clear header and the kind are authenticated, and streams carry their own kind", async () => {
  const [ada, bo] = [await member(0), await member(1)];
  const data = await sealFrame(ada, "video", Stream.VIDEO, keyFrame, 0);
  const rest = data.slice(clearHeader.KEY_HEADER.length);
  assert.deepEqual(data.slice(0, clearHeader.KEY_HEADER.length), clearHeader.KEY_HEADER);
  await refused(() => openFrame(bo, "video", concat(clearHeader.DELTA_HEADER, rest), 0), AuthenticationError);
  await refused(() => openFrame(bo, "audio", rest, 0), AuthenticationError);
  const audio = await sealFrame(ada, "audio", Stream.AUDIO, utf8("opus"), 0);
  await refused(() => openFrame(bo, "video", concat(clearHeader.DELTA_HEADER, audio), 0), AuthenticationError);
  assert.deepEqual((await openFrame(bo, "video", data, 0)).frame, keyFrame);
  for (const [kind, stream] of [["audio", Stream.VIDEO], ["video", Stream.AUDIO], ["audio", 4]] as const)
    await refused(() => sealFrame(ada, kind, stream, utf8("x"), 0), StateError);
  // a member who doesn't keep to it is found out
  const wrongKind = await ada.seal(Stream.VIDEO, utf8("a"), utf8("x"), 0);
  await refused(() => openFrame(bo, "audio", wrongKind, 0), MalformedError, /leaf 0 sends audio/);
  const delta = clearHeader.metadata("video", clearHeader.DELTA_HEADER);
  const lying = concat(clearHeader.DELTA_HEADER, await ada.seal(Stream.VIDEO, delta, keyFrame, 0));
  await refused(() => openFrame(bo, "video", lying, 0), MalformedError, /contradicts/);
  const empty = concat(clearHeader.DELTA_HEADER, await ada.seal(Stream.VIDEO, delta, none, 0));
  await refused(() => openFrame(bo, "video", empty, 0), MalformedError, /empty/);
});
