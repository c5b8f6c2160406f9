import assert from "node:assert/strict";
import { test } from "node:test";
import type { Bytes } from "../../../../client/web/src/crypto/bytes";
import { AuthenticationError, MissingKeyError, ReplayError } from "../../../../client/web/src/crypto/errors";
import { FutureEpochError } from "../../../../client/web/src/crypto/media/keys";
import { UnverifiedFrameError } from "../../../../client/web/src/crypto/media/signatures";
import type { Kind } from "../../../../client/web/src/crypto/media/clearHeader";
import {
  AHEAD_MAX, type FrameCrypto, Incoming, Outgoing, PATIENCE, TOO_LARGE, UNVERIFIED_TIME,
} from "../../../../client/web/src/worker/frames";
import { AUDIO_SIZE } from "../../../../client/web/src/wire/limits";

/** A frame that says of itself what is to become of it: epoch, counter, key or not, and how often it waits. */
type What = "open" | "future" | "unverified" | "forged" | "replay" | "unkeyed" | "broken";

const frame = (epoch: number, counter: number, key = false, what: What = "open", stream = 1): Bytes =>
  new Uint8Array([epoch, counter, key ? 0 : 1, ["open", "future", "unverified", "forged", "replay", "unkeyed", "broken"].indexOf(what), stream]);

class Fake implements FrameCrypto {
  sealing = true;
  waits = true;
  /** Frames open in any order, as WebCrypto does it. */
  slow = 0;

  async seal(_kind: Kind, _stream: number, data: Bytes): Promise<Bytes | null> {
    return this.sealing ? new Uint8Array([0xee, ...data]) : null;
  }

  async open(_ssrc: number, _kind: Kind, data: Bytes): Promise<{ leaf: number; stream: number; epoch: number; counter: number; frame: Bytes }> {
    for (let i = 0; i < this.slow; i++) await null;
    const [epoch = 0, counter = 0, first = 0, what = 0, stream = 1] = data;
    if (what === 1 && this.waits) throw new FutureEpochError("early");
    if (what === 2 && this.waits) throw new UnverifiedFrameError("unsigned");
    if (what === 3) throw new AuthenticationError("forged");
    if (what === 4) throw new ReplayError("again");
    if (what === 5) throw new MissingKeyError("whose?");
    if (what === 6) throw new TypeError("a fault");
    return { leaf: 3, stream, epoch, counter, frame: new Uint8Array([first, counter]) };
  }
}

class Rig {
  readonly crypto = new Fake();
  readonly given: string[] = [];
  asked = 0;
  now = 1000;
  readonly incoming: Incoming<string>;

  constructor(kind: Kind = "video") {
    this.incoming = new Incoming<string>(kind, 7, this.crypto, {
      give: (item, data) => {
        assert.equal(data.length, 2, "what was opened, never what came");
        this.given.push(item);
      },
      askKey: () => void this.asked++,
    });
  }

  async come(epoch: number, counter: number, key = false, what: What = "open"): Promise<void> {
    await this.incoming.frame(frame(epoch, counter, key, what), `${epoch}.${counter}`, this.now);
  }

  /** Of a layer, at an RTP timestamp. */
  async layer(stream: number, counter: number, timestamp: number, key = false, what: What = "open"): Promise<void> {
    await this.incoming.frame(frame(1, counter, key, what, stream), `${stream}.${counter}`, this.now, timestamp);
  }

  async later(seconds: number): Promise<void> {
    this.now += seconds;
    await this.incoming.tick(this.now);
  }
}

test("video frames are delivered from a key frame on, in the order in which they were sealed", async () => {
  const rig = new Rig();
  await rig.come(1, 3);
  assert.deepEqual(rig.given, []);
  assert.equal(rig.asked, 1);
  await rig.come(1, 4, true);
  for (const counter of [5, 6, 7]) await rig.come(1, counter);
  assert.deepEqual(rig.given, ["1.4", "1.5", "1.6", "1.7"]);
  assert.equal(rig.incoming.opened, 5);
  assert.equal(rig.incoming.skipped, 1);
  assert.equal(rig.incoming.leaf, 3);
});

test("the decoder waits for an overtaken frame, without a request for a key frame", async () => {
  const rig = new Rig();
  await rig.come(1, 0, true);
  for (const counter of [2, 3]) await rig.come(1, counter);
  assert.deepEqual(rig.given, ["1.0"]);
  await rig.later(PATIENCE / 2);
  await rig.come(1, 1);
  assert.deepEqual(rig.given, ["1.0", "1.1", "1.2", "1.3"]);
  await rig.later(PATIENCE);
  assert.equal(rig.asked, 0);
});

test("a frame that does not come in time stops delivery until a requested key frame", async () => {
  const rig = new Rig();
  await rig.come(1, 0, true);
  await rig.come(1, 2);
  await rig.later(PATIENCE);
  assert.equal(rig.asked, 1);
  await rig.come(1, 1); // too late
  await rig.come(1, 3);
  assert.deepEqual(rig.given, ["1.0"]);
  await rig.come(1, 4, true);
  await rig.come(1, 5);
  assert.deepEqual(rig.given, ["1.0", "1.4", "1.5"]);
  assert.equal(rig.incoming.failed, 0);
});

test("a key frame passes over what is missing, and nothing older is given out after it", async () => {
  const rig = new Rig();
  await rig.come(1, 0, true);
  await rig.come(1, 2);
  await rig.come(1, 4, true);
  await rig.come(1, 1);
  await rig.come(1, 3);
  await rig.come(1, 5);
  assert.deepEqual(rig.given, ["1.0", "1.4", "1.5"]);
  assert.equal(rig.asked, 0);
});

test("the number of frames that wait for a missing one is bounded", async () => {
  const rig = new Rig();
  await rig.come(1, 0, true);
  for (let i = 0; i <= AHEAD_MAX; i++) await rig.come(1, 2 + i);
  assert.equal(rig.asked, 1);
  assert.deepEqual(rig.given, ["1.0"]);
});

test("a new epoch begins at its first frame, behind what the one before still owes", async () => {
  const rig = new Rig();
  await rig.come(1, 0, true);
  await rig.come(1, 2);
  await rig.come(2, 0);
  await rig.come(2, 1);
  assert.deepEqual(rig.given, ["1.0"]);
  await rig.come(1, 1);
  assert.deepEqual(rig.given, ["1.0", "1.1", "1.2", "2.0", "2.1"]);
});

test("sound is given at once, and never behind what was sealed later", async () => {
  const rig = new Rig("audio");
  for (const counter of [5, 7, 6, 8]) await rig.come(1, counter);
  await rig.come(2, 0);
  await rig.come(1, 9);
  assert.deepEqual(rig.given, ["1.5", "1.7", "1.8", "2.0"]);
  assert.equal(rig.asked, 0);
  assert.equal(rig.incoming.failed, 0);
});

test("a frame that doesn't open is given to nobody", async () => {
  for (const kind of ["audio", "video"] as const) {
    const rig = new Rig(kind);
    await rig.come(1, 0, true);
    await rig.come(1, 1, false, "forged");
    assert.deepEqual(rig.given, ["1.0"]);
    assert.equal(rig.incoming.failed, 1);
    assert.equal(rig.incoming.lastFailed, rig.now);
    assert.equal(rig.asked, kind === "video" ? 1 : 0);
    await rig.come(1, 2, false, "unkeyed");
    assert.equal(rig.incoming.unkeyed, 1);
    await rig.come(1, 3, true);
    assert.deepEqual(rig.given, ["1.0", "1.3"]);
  }
});

test("a key frame with more pixels than a camera has is refused before the decoder", async () => {
  const header = (width: number, height: number): Bytes =>
    new Uint8Array([0x10, 0, 0, 0x9d, 0x01, 0x2a, width & 255, width >> 8, height & 255, height >> 8]);
  const opened = async (frame: Bytes): Promise<[number, number, number]> => {
    const given: Bytes[] = [];
    const crypto: FrameCrypto = {
      seal: async () => null,
      open: async () => ({ leaf: 3, stream: 1, epoch: 1, counter: 0, frame }),
    };
    let asked = 0;
    const incoming = new Incoming<null>("video", 7, crypto, { give: (_, data) => void given.push(data), askKey: () => void asked++ });
    await incoming.frame(new Uint8Array(20), null, 1000);
    return [given.length, incoming.failed, asked];
  };
  assert.deepEqual(await opened(header(4096, 2304)), [1, 0, 0]);
  assert.deepEqual(await opened(header(2304, 4096)), [1, 0, 0]);
  // the two upper bits of a side are its scale
  assert.deepEqual(await opened(header(0x4000 | 640, 0xc000 | 360)), [1, 0, 0]);
  for (const [width, height] of [[4096, 2305], [16383, 16383], [8192, 8192], [0xffff, 0xffff]] as const)
    assert.deepEqual(await opened(header(width, height)), [0, 1, 1], `${width} x ${height}`);
});

test("a replay leaves no hole", async () => {
  const rig = new Rig();
  await rig.come(1, 0, true);
  await rig.come(1, 0, true, "replay");
  await rig.come(1, 1);
  assert.deepEqual(rig.given, ["1.0", "1.1"]);
  assert.equal(rig.asked, 0);
});

test("frames wait for their keys and are tried again in their order", async () => {
  const rig = new Rig();
  await rig.come(1, 0, true, "future");
  await rig.come(1, 1, false, "unverified");
  await rig.come(1, 2, false, "future");
  assert.deepEqual(rig.given, []);
  assert.equal(rig.incoming.held, 3);
  rig.crypto.waits = false;
  await rig.incoming.keysChanged(rig.now);
  assert.deepEqual(rig.given, ["1.0", "1.1", "1.2"]);
  assert.equal(rig.incoming.held, 0);
});

test("the bound also covers frames that wait for different things", async () => {
  const rig = new Rig("audio");
  for (const [counter, what] of ["unverified", "future", "unverified"].entries()) await rig.come(1, counter, false, what as What);
  rig.crypto.waits = false;
  await rig.incoming.keysChanged(rig.now);
  assert.deepEqual(rig.given, ["1.0", "1.1", "1.2"]);
});

test("frames that came while others were being tried again come after them", async () => {
  const rig = new Rig("audio");
  await rig.come(1, 0, false, "future");
  await rig.come(1, 1, false, "future");
  rig.crypto.waits = false;
  rig.crypto.slow = 5;
  await Promise.all([rig.incoming.keysChanged(rig.now), rig.come(1, 2), rig.come(1, 3)]);
  assert.deepEqual(rig.given, ["1.0", "1.1", "1.2", "1.3"]);
});

test("frames wait for a second, and for signatures a little longer; then they are refused", async () => {
  const rig = new Rig();
  await rig.come(1, 0, true, "future");
  await rig.come(1, 1, false, "unverified");
  await rig.later(1.01);
  assert.deepEqual([rig.incoming.unkeyed, rig.incoming.failed], [1, 0]);
  await rig.later(UNVERIFIED_TIME);
  assert.deepEqual([rig.incoming.unkeyed, rig.incoming.failed], [1, 1]);
  rig.crypto.waits = false;
  await rig.incoming.keysChanged(rig.now);
  assert.deepEqual(rig.given, []);
});

test("a key frame is asked for at most once a second, and less often in the end", async () => {
  const rig = new Rig();
  await rig.come(1, 0);
  const asked: number[] = [];
  for (let i = 0; i < 200; i++) {
    const before = rig.asked;
    await rig.later(0.1);
    if (rig.asked > before) asked.push(Math.round((rig.now - 1000) * 10) / 10);
  }
  assert.deepEqual(asked.map(Math.round), [1, 2, 4, 9, 14, 19]);
});

test("an unknown error is no verdict on a frame", async () => {
  const rig = new Rig();
  await assert.rejects(rig.come(1, 0, true, "broken"), TypeError);
  assert.deepEqual(rig.given, []);
});

// -- out ---------------------------------------------------------------------------------------------------

const sound = (size: number): Bytes => new Uint8Array(size).fill(0x78);
const picture = (key: boolean): Bytes => new Uint8Array([key ? 0 : 1, 2, 3]);

test("every packet of sound leaves in one size", async () => {
  const sizes = new Set<number>();
  const outgoing = new Outgoing("audio", 0, new Fake(), () => assert.fail("no key frame of sound"));
  for (let size = 1; size <= AUDIO_SIZE; size++) sizes.add((await outgoing.frame(sound(size), 0))?.length ?? 0);
  assert.deepEqual([...sizes], [AUDIO_SIZE + 1]);
  assert.equal(outgoing.sealed, AUDIO_SIZE);
  assert.equal(await outgoing.frame(sound(AUDIO_SIZE + 1), 0), null);
  assert.equal(outgoing.varies, false);
  for (let i = 0; i < TOO_LARGE; i++) assert.equal(await outgoing.frame(sound(200), 0), null);
  assert.equal(outgoing.varies, true);
  for (let i = 0; i < 300; i++) await outgoing.frame(sound(80), 0);
  assert.equal(outgoing.varies, false);
});

test("no unsealed frame leaves, and the next frame that leaves is a key frame", async () => {
  const crypto = new Fake();
  let asked = 0;
  const outgoing = new Outgoing("video", 1, crypto, () => asked++);
  assert.notEqual(await outgoing.frame(picture(true), 0), null);
  crypto.sealing = false;
  assert.equal(await outgoing.frame(picture(false), 1), null);
  assert.equal(await outgoing.frame(picture(false), 1.1), null);
  assert.equal(asked, 1);
  crypto.sealing = true;
  assert.equal(await outgoing.frame(picture(false), 1.5), null, "it would refer to what nobody has");
  assert.equal(await outgoing.frame(picture(false), 2.1), null);
  assert.equal(asked, 2);
  assert.notEqual(await outgoing.frame(picture(true), 2.2), null);
  assert.notEqual(await outgoing.frame(picture(false), 2.3), null);
  assert.deepEqual([outgoing.sealed, outgoing.withheld], [3, 4]);
  assert.equal(await outgoing.frame(new Uint8Array(0), 3), null);
});

test("a refusal of the keys lets nothing out, and a fault is one", async () => {
  const crypto = new Fake();
  const outgoing = new Outgoing("audio", 0, crypto, () => undefined);
  crypto.seal = async () => {
    throw new MissingKeyError("no keys");
  };
  assert.equal(await outgoing.frame(sound(80), 0), null);
  crypto.seal = async () => {
    throw new TypeError("a fault");
  };
  await assert.rejects(outgoing.frame(sound(80), 0), TypeError);
});

test("another size begins with a key frame, and each is counted by itself", async () => {
  const rig = new Rig();
  await rig.layer(1, 70, 1000, true);
  await rig.layer(1, 71, 2000);
  await rig.layer(5, 3, 3000, true);
  await rig.layer(5, 4, 4000);
  await rig.layer(1, 75, 5000, true);
  await rig.layer(1, 76, 6000);
  assert.deepEqual(rig.given, ["1.70", "1.71", "5.3", "5.4", "1.75", "1.76"]);
  assert.equal(rig.incoming.skipped, 0);
  await rig.later(PATIENCE);
  assert.equal(rig.asked, 0);
});

test("late frames of the previous layer are passed over, key frames too", async () => {
  const rig = new Rig();
  await rig.layer(1, 0, 1000, true);
  await rig.layer(5, 0, 4000, true);
  await rig.layer(1, 1, 2000);
  await rig.layer(1, 2, 3000, true);
  await rig.layer(5, 1, 5000);
  assert.deepEqual(rig.given, ["1.0", "5.0", "5.1"]);
  assert.equal(rig.incoming.skipped, 2);
  assert.equal(rig.asked, 0);
});

test("a size whose key frame was overtaken waits for it", async () => {
  const rig = new Rig();
  await rig.layer(1, 0, 1000, true);
  await rig.layer(5, 1, 3000);
  await rig.layer(5, 2, 4000);
  assert.deepEqual(rig.given, ["1.0"]);
  await rig.layer(5, 0, 2000, true);
  assert.deepEqual(rig.given, ["1.0", "5.0", "5.1", "5.2"]);
  assert.equal(rig.asked, 0);
});

test("a size whose key frame doesn't come is no use without one, which is asked for", async () => {
  const rig = new Rig();
  await rig.layer(1, 0, 1000, true);
  await rig.layer(5, 1, 3000);
  await rig.later(PATIENCE);
  assert.equal(rig.asked, 1);
  await rig.layer(5, 2, 4000);
  await rig.layer(5, 0, 2000, true); // behind one that was sealed after it
  assert.deepEqual(rig.given, ["1.0"]);
  await rig.layer(5, 3, 5000, true);
  assert.deepEqual(rig.given, ["1.0", "5.3"]);
});

test("two changes of layer while a key frame is overtaken cost nothing", async () => {
  const rig = new Rig();
  await rig.layer(1, 0, 1000, true);
  await rig.layer(6, 1, 4000);
  await rig.layer(5, 0, 2000, true);
  await rig.layer(6, 0, 3000, true);
  assert.deepEqual(rig.given, ["1.0", "5.0", "6.0", "6.1"]);
});

test("a size is not gone on with where it was left", async () => {
  const rig = new Rig();
  await rig.layer(1, 0, 1000, true);
  await rig.layer(5, 0, 2000, true);
  await rig.layer(1, 1, 3000);
  await rig.later(PATIENCE);
  assert.deepEqual(rig.given, ["1.0", "5.0"]);
  assert.equal(rig.asked, 1);
});

test("timestamps go round", async () => {
  const rig = new Rig();
  await rig.layer(1, 0, 0xfffffff0, true);
  await rig.layer(5, 0, 0x10, true);
  await rig.layer(1, 1, 0xfffffff8, true);
  assert.deepEqual(rig.given, ["1.0", "5.0"]);
});

test("a size that was left and is come back to gives out nothing a second time", async () => {
  const rig = new Rig();
  await rig.layer(1, 5, 1000, true);
  await rig.layer(5, 0, 2000, true);
  await rig.layer(1, 5, 3000, true);
  await rig.layer(1, 4, 3000, true);
  assert.deepEqual(rig.given, ["1.5", "5.0"]);
  await rig.layer(1, 6, 4000, true);
  assert.deepEqual(rig.given, ["1.5", "5.0", "1.6"]);
});
