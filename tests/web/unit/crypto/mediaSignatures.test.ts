import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, concat, hex, unhex, utf8 } from "../../../../client/web/src/crypto/bytes";
import {
  AuthenticationError,
  MalformedError,
  ReplayError,
  SnugCryptoError,
  ValidationError,
} from "../../../../client/web/src/crypto/errors";
import { H, SigningKey } from "../../../../client/web/src/crypto/kdf";
import { labeled } from "../../../../client/web/src/crypto/labels";
import { certified, digest, FrameList, interval, MEDIA_KEY_LABEL, Run, scope, Signer, UnverifiedFrameError } from "../../../../client/web/src/crypto/media/signatures";
import { AHEAD_MAX, LISTED_MAX, LISTED_TIME, RECOVERY, UNLISTED_KID_MAX, UNLISTED_MAX, WRITE_OFF } from "../../../../client/web/src/crypto/media/verifier";
import { FrameVerifier } from "../../../../client/web/src/crypto/media/verifier";
import { flipped, given, type Outcome, outcomeOf, refused } from "./given";

const EPOCH = 5;
const [AUDIO, VIDEO] = [0x15, 0x25];
const bound = scope(new Uint8Array(16), 3, utf8("authenticator"));
const leafKey = await SigningKey.fromSeed(new Uint8Array(32).fill(1));

async function signer(media = 9, by = leafKey, to = bound): Promise<Signer> {
  const key = await SigningKey.fromSeed(new Uint8Array(32).fill(media), true);
  return new Signer(2, to, key, await by.sign(labeled(MEDIA_KEY_LABEL, certified(to, 2, key.public))));
}

type Frame = readonly [kid: number, counter: number, data: Bytes];

/** A sender who lists what it seals, and a receiver who compares. */
class Bo {
  signer: Signer;
  readonly checker = new FrameVerifier();
  readonly counters = new Map<number, number>();
  now = 100;

  constructor(made: Signer) {
    this.signer = made;
  }

  static async make(): Promise<Bo> {
    return new Bo(await signer());
  }

  frame(kid = AUDIO): Frame {
    const counter = this.counters.get(kid) ?? 0;
    this.counters.set(kid, counter + 1);
    return [kid, counter, utf8(`frame ${counter} of ${kid}`)];
  }

  seal(kid = AUDIO): Frame {
    const sealed = this.frame(kid);
    this.signer.add(...sealed, this.now);
    return sealed;
  }

  play(frame: Frame, epoch = EPOCH): void {
    this.checker.opening(epoch, ...frame, this.now);
    this.checker.opened(epoch, ...frame, this.now);
  }

  async hear(data: Bytes, to = bound, key = leafKey): Promise<void> {
    await this.checker.receive(EPOCH, to, FrameList.decode(data), key.public, this.now);
  }

  async passOn(): Promise<void> {
    for (const data of await this.signer.take()) await this.hear(data);
  }

  /** Sound at 50 frames a second, a list every half second, a look every 100 ms; up to a doubt. */
  async run(seconds: number, listed = true): Promise<void> {
    for (let n = 0; n < Math.round(seconds * 50); n++) {
      this.play(this.seal());
      if (n % 25 === 24) {
        if (listed) await this.passOn();
        else await this.signer.take();
      }
      this.now += 0.02;
      if (n % 5 === 4) {
        this.checker.tick(this.now);
        if (this.checker.doubt !== null) return;
      }
    }
  }

  get found(): string[] {
    return this.checker.findings.splice(0);
  }
}

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
    readonly frames: readonly (readonly [number, number])[];
    readonly lists: readonly string[];
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
    for (const [kid, counter] of frames) made.add(kid, counter, utf8(`${counter} of ${kid}`), 1);
    assert.equal(made.oldest, 1);
    assert.deepEqual((await made.take()).map(hex), lists);
    assert.equal(made.oldest, null);
  }
  assert.ok(made.used);
  assert.equal(hex(made.secret), shared.media_seed);
  assert.deepEqual(await made.take(), [], "nothing to say, nothing said");
});

test("what no sender would write is no list", async () => {
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
      return checker.opening(number(0), number(1), number(2), bytes(3), now);
    case "opened":
      return checker.opened(number(0), number(1), number(2), bytes(3), now);
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
      return checker.listedIn(number(0), number(1), number(2));
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
  const frames = [bo.seal(), bo.seal(), bo.seal(VIDEO)];
  const [data] = await bo.signer.take();
  assert.ok(data);
  for (let size = 0; size < data.length; size++)
    await refused(() => FrameList.decode(data.slice(0, size)), MalformedError);
  for (let at = 0; at < data.length; at++) await refused(() => bo.hear(flipped(data, at)), SnugCryptoError);
  await bo.hear(data);
  bo.checker.doubt = "unverified";
  for (const frame of frames) bo.play(frame);
});

test("only the leaf vouches for its media key, and for one an epoch", async () => {
  const bo = await Bo.make();
  const hers = await signer(7, await SigningKey.fromSeed(new Uint8Array(32).fill(66)));
  hers.add(AUDIO, 0, utf8("hers"), bo.now);
  for (const data of await hers.take()) await refused(() => bo.hear(data), AuthenticationError);
  bo.play(bo.seal());
  await bo.passOn();
  const second = await signer(8);
  for (const counter of [0, 1]) {
    second.add(VIDEO, counter, utf8(""), bo.now);
    const [data] = await second.take();
    if (counter === 1 && data) await refused(() => bo.hear(data), AuthenticationError, /another media key/);
  }
  assert.deepEqual(bo.found, []);
});

test("nobody puts another's key into a list", async () => {
  const bo = await Bo.make();
  bo.seal();
  const [own] = await bo.signer.take();
  assert.ok(own);
  const real = FrameList.decode(own);
  const hers = await SigningKey.fromSeed(new Uint8Array(32).fill(66));
  for (const key of [real.key, hers.public]) {
    const forged = new FrameList(2, 0, key, real.certificate, [new Run(AUDIO, 0, digest(utf8("hers")))]);
    const data = await forged.signed(bound, hers);
    await refused(() => bo.hear(data), AuthenticationError);
  }
});

test("a list of another epoch, room or fork is nothing", async () => {
  const bo = await Bo.make();
  bo.seal();
  const [data] = await bo.signer.take();
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
  const [first] = await bo.signer.take();
  bo.seal();
  const [second] = await bo.signer.take();
  assert.ok(first && second);
  const tries = await Promise.allSettled([bo.hear(second), bo.hear(second)]);
  assert.deepEqual(tries.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  for (const again of [first, second]) await refused(() => bo.hear(again), ReplayError);
});

test("a frame is named once, and a member has eight streams", async () => {
  const bo = await Bo.make();
  for (let kid = 0; kid < 8; kid++) {
    bo.signer.add(kid, 0, utf8("first"), bo.now);
    await bo.passOn();
  }
  bo.signer.add(8, 0, utf8("a ninth"), bo.now);
  await refused(() => bo.passOn(), MalformedError, /more streams/);
  bo.signer.add(1, 0, utf8("once more"), bo.now);
  await refused(() => bo.passOn(), MalformedError, /earlier list/);
});

test("a key that was told signs nothing any more, and anybody makes the same signatures", async () => {
  const bo = await Bo.make();
  bo.seal();
  const [real] = await bo.signer.take();
  assert.ok(real);
  const heard = FrameList.decode(real);
  const anybody = await SigningKey.fromSeed(bo.signer.secret);
  const same = new FrameList(2, 0, heard.key, heard.certificate, heard.runs);
  assert.deepEqual(await same.signed(bound, anybody), real);
  await bo.hear(real);
  bo.checker.markDisclosed(anybody.public);
  bo.seal();
  await refused(() => bo.passOn(), AuthenticationError, /no secret/);
});

test("what is sealed while lists are being signed stands in the next", async () => {
  const made = await signer();
  made.add(AUDIO, 0, utf8("0"), 1);
  const [taking] = [made.take()];
  made.add(AUDIO, 1, utf8("1"), 2);
  const again = made.take();
  const lists = [...(await taking), ...(await again)].map((data) => FrameList.decode(data));
  const shown = lists.map(({ number, runs: [run] }) => [number, run?.first, run?.length]);
  assert.deepEqual(shown, [
    [0, 0, 1],
    [1, 1, 1],
  ]);
  const checker = new FrameVerifier();
  for (const heard of lists) await checker.receive(EPOCH, bound, heard, leafKey.public, 3);
});

// -- what is found out ---------------------------------------------------------------------------------

test("an honest sender gives no alarm; two seconds without a list do, once", async () => {
  const bo = await Bo.make();
  await bo.run(10);
  assert.deepEqual(bo.found, []);
  const began = bo.now;
  await bo.run(5, false);
  assert.ok(bo.now - began >= 2 && bo.now - began <= 2.15);
  assert.deepEqual(bo.found, ["unverified"]);
  await refused(() => bo.play(bo.seal()), UnverifiedFrameError);
  assert.deepEqual(bo.found, [], "told once");
  // and ten seconds of lists make it good
  const doubted = bo.now;
  await bo.signer.take();
  while (bo.checker.doubt !== null) {
    const frames = Array.from({ length: 25 }, () => bo.seal());
    bo.now += 0.5;
    await bo.passOn();
    for (const frame of frames) bo.play(frame);
    assert.ok(bo.now < doubted + 12);
  }
  assert.ok(bo.now - doubted >= RECOVERY);
  assert.deepEqual(bo.found, ["verified"]);
});

test("who is behind with lists judges only what was opened when the look was due", async () => {
  const bo = await Bo.make();
  await bo.run(5);
  const due = bo.now;
  const waiting: Bytes[] = [];
  for (let n = 0; n < 150; n++) {
    bo.play(bo.seal());
    bo.now += 0.02;
    if (n % 25 === 24) waiting.push(...(await bo.signer.take()));
  }
  bo.checker.tick(due);
  assert.deepEqual(bo.found, []);
  for (const data of waiting)
    await bo.checker.receive(EPOCH, bound, FrameList.decode(data), leafKey.public, bo.now);
  bo.checker.tick(bo.now);
  assert.deepEqual(bo.found, []);
  for (let n = 0; n < 150; n++) {
    bo.play(bo.seal());
    bo.now += 0.02;
  }
  bo.checker.tick(bo.now - 0.9);
  assert.deepEqual(bo.found, ["unverified"], "no list had come when this look was due");
});

test("a frame in another's name is found when the list comes, and one that lists pass over", async () => {
  for (const passedOver of [false, true]) {
    const bo = await Bo.make();
    bo.seal();
    const [kid, counter] = passedOver ? bo.frame() : bo.seal();
    bo.seal();
    bo.play([kid, counter, utf8("mallory's")]);
    assert.deepEqual(bo.found, [], "it was played: that is the price of playing at once");
    await bo.passOn();
    assert.deepEqual(bo.found, ["forged"]);
    assert.equal(bo.checker.doubt, "forged");
    await refused(() => bo.play(bo.seal()), UnverifiedFrameError);
  }
});

test("a frame whose place is taken is refused before it is opened", async () => {
  const bo = await Bo.make();
  const real = bo.seal();
  await bo.passOn();
  await refused(() => bo.play([real[0], real[1], utf8("mallory's")]), ValidationError, /^SNUG-22: /);
  assert.deepEqual(bo.found, [], "nothing was played, and the server alone can make such bytes");
  bo.play(real);
});

test("a list that comes while a frame is opened is heeded: a forged one is not played", async () => {
  const bo = await Bo.make();
  const [kid, counter, data] = bo.seal();
  const forged = utf8("mallory's");
  bo.checker.opening(EPOCH, kid, counter, forged, bo.now);
  await bo.passOn();
  await refused(() => bo.checker.opened(EPOCH, kid, counter, forged, bo.now), ValidationError, /SNUG-22/);
  assert.deepEqual(bo.found, ["forged"], "who sealed it has the members' keys");
  bo.play([kid, counter, data]);
});

test("who falls into doubt while a frame is opened is not played on", async () => {
  const bo = await Bo.make();
  const frame = bo.seal();
  bo.checker.opening(EPOCH, ...frame, bo.now);
  bo.checker.doubt = "unverified";
  await refused(() => bo.checker.opened(EPOCH, ...frame, bo.now), AuthenticationError, /meanwhile/);
  await bo.passOn();
  bo.play(frame);
});

test("one frame far ahead waits and makes no other too old", async () => {
  const bo = await Bo.make();
  await bo.run(2);
  const next = bo.counters.get(AUDIO) ?? 0;
  for (const ahead of [AHEAD_MAX + 1, 10_000])
    await refused(() => bo.play([AUDIO, next + ahead, utf8("mallory's")]), UnverifiedFrameError, /far ahead/);
  await bo.run(5);
  assert.deepEqual(bo.found, []);
});

test("what comes after its list is forgotten is refused, and accuses nobody", async () => {
  const bo = await Bo.make();
  await bo.run(2);
  const held: Frame[] = [];
  for (let list = 0; list < 30; list++) {
    for (let n = 0; n < 15; n++) {
      held.push(bo.seal());
      bo.now += 1 / 15;
    }
    await bo.passOn();
  }
  let late = 0;
  for (const frame of held)
    try {
      bo.play(frame);
    } catch (error) {
      if (!(error instanceof AuthenticationError)) throw error;
      late++;
    }
  bo.checker.tick(bo.now);
  await bo.run(5);
  assert.deepEqual(bo.found, []);
  assert.ok(late >= held.length - 7 * 15 && late < held.length, "those of the last seconds are still listed");
});

test("around a reconnect nothing is held against anybody, but forgery", async () => {
  const bo = await Bo.make();
  await bo.run(1.2, false);
  bo.checker.excuse(Infinity); // away
  await bo.run(1.2, false);
  bo.checker.excuse(bo.now + 2); // back
  await bo.run(1.2, false);
  assert.deepEqual(bo.found, []);
  await bo.run(10);
  assert.deepEqual(bo.found, []);
  const [kid, counter] = bo.seal();
  bo.checker.excuse(bo.now + 2);
  bo.play([kid, counter, utf8("mallory's")]);
  await bo.passOn();
  assert.deepEqual(bo.found, ["forged"]);
});

test("a flood is bounded and found, of one key id and of many", async () => {
  const one = await Bo.make();
  for (let counter = 0; counter < UNLISTED_KID_MAX; counter++) one.play([AUDIO, counter, utf8("mallory's")]);
  assert.deepEqual(one.found, []);
  await refused(() => one.play([AUDIO, UNLISTED_KID_MAX, utf8("mallory's")]), UnverifiedFrameError);
  assert.deepEqual(one.found, ["unverified"]);
  const many = await Bo.make();
  for (let n = 0; n < UNLISTED_MAX; n++)
    many.play([AUDIO + 16 * (n % 7), Math.floor(n / 7), utf8("mallory's")]);
  assert.deepEqual(many.found, []);
  many.play([AUDIO, UNLISTED_MAX / 7, utf8("one more")]);
  assert.deepEqual(many.found, ["unverified"]);
  // and of one key id where its lists have come, so that none is far ahead
  const listed = await Bo.make();
  for (let n = 0; n < UNLISTED_KID_MAX; n++) {
    listed.seal();
    if (n % 100 === 99) await listed.passOn();
  }
  for (let n = 0; n < UNLISTED_KID_MAX; n++) listed.play([AUDIO, UNLISTED_KID_MAX + n, utf8("mallory's")]);
  assert.deepEqual(listed.found, []);
  listed.checker.opened(EPOCH, AUDIO, 2 * UNLISTED_KID_MAX, utf8("mallory's"), listed.now);
  assert.deepEqual(listed.found, ["unverified"]);
});

test("what is kept of lists is bounded by number as well as by age", async () => {
  for (const age of [0, LISTED_TIME]) {
    const bo = await Bo.make();
    const frames = Array.from({ length: age > 0 ? 10 : LISTED_MAX }, () => bo.seal());
    await bo.passOn();
    for (const frame of frames.slice(0, 2)) bo.play(frame);
    bo.now += age;
    bo.seal();
    await bo.passOn();
    const [first] = frames;
    assert.ok(first);
    if (age > 0) await refused(() => bo.play(first), AuthenticationError, /too late/);
    else bo.play(first); // its run reaches into the last 1,024
    for (let n = 0; n < LISTED_MAX; n++) bo.seal();
    await bo.passOn();
    await refused(() => bo.play(first), AuthenticationError, /too late/);
    assert.deepEqual(bo.found, []);
  }
});

test("what is excused is bounded too, and forgotten after a minute", async () => {
  for (const pause of [0, 20]) {
    const bo = await Bo.make();
    let counter = 0;
    for (let cut = 0; cut < 7; cut++) {
      bo.checker.excuse(bo.now + 2);
      for (let n = 0; n < 40 && bo.checker.doubt === null; n++) {
        bo.play([AUDIO, counter++, utf8("mallory's")]);
        bo.now += 0.03;
        bo.checker.tick(bo.now);
      }
      bo.now += pause;
    }
    assert.deepEqual(bo.found, pause === 0 ? ["unverified"] : []);
  }
});

test("what is excused in epochs that are over counts as well", async () => {
  const bo = await Bo.make();
  for (let epoch = EPOCH; epoch < EPOCH + 12; epoch++) {
    bo.checker.excuse(bo.now + 2);
    for (let counter = 0; counter < 40 && bo.checker.doubt === null; counter++) {
      bo.play([AUDIO, counter, utf8("mallory's")], epoch);
      bo.now += 0.02;
    }
    bo.checker.endEpoch(epoch, bo.now);
    bo.checker.tick(bo.now);
  }
  assert.deepEqual(bo.found, ["unverified"]);
});

test("an epoch's end forgets its frames but not what they owed, for a minute", async () => {
  for (const pause of [0, WRITE_OFF]) {
    const bo = await Bo.make();
    for (let epoch = EPOCH; epoch < EPOCH + 8; epoch++) {
      for (let counter = 0; counter < 25 && bo.checker.doubt === null; counter++) {
        bo.play([AUDIO, counter, utf8("mallory's")], epoch);
        bo.now += 0.02;
      }
      bo.checker.endEpoch(epoch, bo.now);
      bo.checker.tick(bo.now);
      bo.now += pause;
    }
    assert.deepEqual(bo.found, pause === 0 ? ["unverified"] : []);
  }
});

test("a hash has sixteen bytes and covers header and ciphertext", () => {
  assert.deepEqual(digest(utf8("header and ciphertext")), H(utf8("header and ciphertext")).slice(0, 16));
});
