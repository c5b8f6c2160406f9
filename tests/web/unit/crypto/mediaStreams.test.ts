/** A receiver that gets the lists of some streams only: each stream is judged by its own lists. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../../../client/web/src/crypto/bytes";
import { AuthenticationError, ReplayError, ValidationError } from "../../../../client/web/src/crypto/errors";
import { FrameList, UnverifiedFrameError } from "../../../../client/web/src/crypto/media/signatures";
import { AHEAD_MAX, GRACE, RECOVERY } from "../../../../client/web/src/crypto/media/verifier";
import { refused } from "./given";
import { AUDIO, Bo, EPOCH, type Frame, LARGE, streamOf, VIDEO } from "./frameLists";

/** Seconds for which a page holds frames that no list names. */
const HOLD = 2.5;

/** Sound and video at 25 frames a second, lists twice a second. */
class Watcher {
  readonly withheld = new Set<number>();
  readonly #held = new Map<Frame, number>();

  constructor(readonly bo: Bo) {}

  #plays(frame: Frame): boolean {
    try {
      this.bo.play(frame);
      return true;
    } catch (error) {
      if (!(error instanceof UnverifiedFrameError)) return error instanceof ValidationError ? false : fail(error);
      if (!this.#held.has(frame)) this.#held.set(frame, this.bo.now);
      return false;
    }
  }

  /** Play what comes; the frames of the video that were played at once, or when their list came. */
  async watch(seconds: number, videoIsForged = false): Promise<number> {
    const { bo } = this;
    let played = 0;
    for (let n = 0; n < Math.round(seconds * 25); n++) {
      this.#plays(bo.seal(AUDIO));
      const [kid, counter, data] = bo.seal(VIDEO);
      played += Number(this.#plays([kid, counter, videoIsForged ? utf8("mallory's") : data]));
      bo.now += 0.04;
      if (n % 12 === 11) {
        for (const data of await bo.lists()) if (!this.withheld.has(FrameList.decode(data).stream)) await bo.hear(data);
        for (const [frame, since] of [...this.#held]) {
          const late = bo.now - since > HOLD;
          const plays = !late && this.#plays(frame);
          played += Number(plays && frame[0] === VIDEO);
          if (late || plays) this.#held.delete(frame);
        }
      }
      if (n % 3 === 2) bo.checker.tick(bo.now);
    }
    return played;
  }
}

function fail(error: unknown): never {
  throw error;
}

test("lists of one stream do not stand for those of another, however long they come", async () => {
  const watcher = new Watcher(await Bo.make());
  const { bo } = watcher;
  await watcher.watch(4);
  watcher.withheld.add(streamOf(VIDEO));
  const played = await watcher.watch(2.5, true);
  assert.equal(bo.checker.doubt, "unverified");
  assert.ok(played <= 2.2 * 25, "two seconds, as with no lists at all");
  assert.equal(await watcher.watch(GRACE + 0.5, true), 0);
  assert.deepEqual(bo.found, ["unverified"]);
  assert.equal(await watcher.watch(40, true), 0);
  assert.equal(bo.checker.doubt, "unverified");
  watcher.withheld.clear();
  const began = bo.now;
  while (bo.checker.doubt !== null) {
    await watcher.watch(0.48);
    assert.ok(bo.now < began + RECOVERY + 5);
  }
  assert.ok(bo.now >= began + RECOVERY - 0.5);
  assert.deepEqual(bo.found, ["verified"]);
});

test("a lost list of one stream says nothing about another", async () => {
  const bo = await Bo.make();
  bo.seal(AUDIO);
  bo.seal(VIDEO);
  await bo.passOn();
  bo.seal(VIDEO);
  await bo.lists(); // lost
  for (const kid of [AUDIO, VIDEO]) {
    const [, counter] = bo.frame(kid);
    bo.play([kid, counter, utf8("mallory's")]);
    bo.seal(kid);
  }
  await bo.passOn();
  assert.deepEqual(bo.found, ["forged"], "the lists of the sound are complete, and a lost one may have named the picture");
  assert.equal(bo.checker.listedIn(EPOCH, streamOf(AUDIO), AUDIO, 5), 2);
  assert.equal(bo.checker.listedIn(EPOCH, streamOf(VIDEO), VIDEO, 1), null);
  assert.equal(bo.checker.listedIn(EPOCH, streamOf(VIDEO), LARGE, 0), null);
});

test("frames far ahead of their stream are reported, though lists of another come", async () => {
  const watcher = new Watcher(await Bo.make());
  const { bo } = watcher;
  await watcher.watch(2);
  const ahead = (bo.counters.get(VIDEO) ?? 0) + AHEAD_MAX + 50;
  for (let n = 0; n < 60; n++) {
    await refused(() => bo.play([VIDEO, ahead + n, utf8("mallory's")]), UnverifiedFrameError);
    bo.seal(AUDIO);
    await bo.passOn();
    bo.now += 0.04;
    bo.checker.tick(bo.now);
  }
  assert.equal(bo.checker.doubt, "unverified");
});

test("a frame that was held and is not the sender's accuses nobody: anybody may have made it", async () => {
  const watcher = new Watcher(await Bo.make());
  const { bo } = watcher;
  watcher.withheld.add(streamOf(VIDEO));
  await watcher.watch(6);
  assert.deepEqual(bo.found, ["unverified"]);
  const [kid, counter] = bo.seal(AUDIO);
  await refused(() => bo.play([kid, counter, utf8("the server's")]), UnverifiedFrameError);
  await bo.passOn();
  assert.equal(bo.checker.doubt, "unverified");
  assert.deepEqual(bo.found, []);
});

test("a list of one stream is no list of another", async () => {
  const bo = await Bo.make();
  bo.seal(AUDIO);
  const [first] = await bo.lists();
  assert.ok(first);
  await bo.hear(first);
  bo.seal(VIDEO);
  await bo.passOn(); // number 0 too
  await refused(() => bo.hear(first), ReplayError);
  const { leaf, key, certificate, runs, signature } = FrameList.decode(first);
  const other = new FrameList(leaf, 1, 1, key, certificate, runs, signature);
  await refused(() => bo.checker.receive(EPOCH, new Uint8Array(56), other, key, bo.now), AuthenticationError);
});
