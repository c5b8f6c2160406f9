import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, utf8 } from "../../../../client/web/src/crypto/bytes";
import { AuthenticationError, ValidationError } from "../../../../client/web/src/crypto/errors";
import { FrameList, UnverifiedFrameError } from "../../../../client/web/src/crypto/media/signatures";
import { AHEAD_MAX, GRACE, LISTED_MAX, LISTED_TIME, RECOVERY, UNLISTED_KID_MAX, UNLISTED_MAX, WRITE_OFF } from "../../../../client/web/src/crypto/media/verifier";
import { refused } from "./given";
import { EPOCH, AUDIO, bound, leafKey, type Frame, named, Bo } from "./frameLists";

test("an honest sender gives no alarm; two seconds without a list do, once", async () => {
  const bo = await Bo.make();
  await bo.run(10);
  assert.deepEqual(bo.found, []);
  const began = bo.now;
  await bo.run(5, false);
  assert.ok(bo.now - began >= 2 && bo.now - began <= 2.15);
  assert.equal(bo.checker.doubt, "unverified");
  await refused(() => bo.play(bo.seal()), UnverifiedFrameError);
  bo.now += GRACE - 0.1;
  bo.checker.tick(bo.now);
  assert.deepEqual(bo.found, [], "its lists may still come");
  assert.deepEqual(bo.reported(), ["unverified"]);
  assert.deepEqual(bo.reported(), [], "told once");
  // and ten seconds of lists make it good
  const doubted = bo.now;
  await bo.lists();
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

test("lists that come a little later end the doubt, and nobody is blamed", async () => {
  const bo = await Bo.make();
  await bo.run(5);
  for (let n = 0; n < 110; n++) {
    bo.play(bo.seal());
    bo.now += 0.02;
  }
  bo.checker.tick(bo.now);
  assert.equal(bo.checker.doubt, "unverified");
  await bo.passOn();
  assert.equal(bo.checker.doubt, null);
  bo.play(bo.seal());
  assert.deepEqual(bo.reported(), []);
});

test("a doubt does not end while one frame that was played is in no list", async () => {
  const bo = await Bo.make();
  bo.play([AUDIO, 0, utf8("mallory's, in an epoch without lists")], EPOCH + 16);
  await bo.run(3, false);
  for (let n = 0; n < 100; n++) bo.seal();
  await bo.passOn();
  assert.equal(bo.checker.doubt, "unverified");
  assert.deepEqual(bo.reported(), ["unverified"]);
});

test("a forgery in the grace is reported at once and alone", async () => {
  const bo = await Bo.make();
  await bo.run(1);
  const [kid, counter] = bo.seal();
  bo.play([kid, counter, utf8("mallory's")]);
  bo.now += 0.02;
  for (let n = 0; n < 110; n++) {
    bo.play(bo.seal());
    bo.now += 0.02;
  }
  bo.checker.tick(bo.now);
  assert.equal(bo.checker.doubt, "unverified");
  await bo.passOn();
  assert.deepEqual(bo.found, ["forged"]);
  assert.deepEqual(bo.reported(), []);
});

test("a verifier that is behind with lists judges only frames that were opened when its tick was due", async () => {
  const bo = await Bo.make();
  await bo.run(5);
  const due = bo.now;
  const waiting: Bytes[] = [];
  for (let n = 0; n < 150; n++) {
    bo.play(bo.seal());
    bo.now += 0.02;
    if (n % 25 === 24) waiting.push(...(await bo.lists()));
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
  assert.deepEqual(bo.reported(), ["unverified"], "no list had come when this look was due");
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
  bo.checker.opening(EPOCH, named([kid, counter, forged]), bo.now);
  await bo.passOn();
  await refused(() => bo.checker.opened(EPOCH, named([kid, counter, forged]), bo.now), ValidationError, /SNUG-22/);
  assert.deepEqual(bo.found, ["forged"], "who sealed it has the members' keys");
  bo.play([kid, counter, data]);
});

test("a sender who falls into doubt while a frame is opened is not played on", async () => {
  const bo = await Bo.make();
  const frame = bo.seal();
  bo.checker.opening(EPOCH, named(frame), bo.now);
  bo.checker.doubt = "unverified";
  await refused(() => bo.checker.opened(EPOCH, named(frame), bo.now), AuthenticationError, /in doubt/);
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

test("frames far ahead without any list are reported", async () => {
  for (const cut of [false, true]) {
    const bo = await Bo.make();
    await bo.run(2);
    await bo.lists();
    const ahead = (bo.counters.get(AUDIO) ?? 0) + AHEAD_MAX + 50;
    for (let n = 0; n < 25; n++) {
      await refused(() => bo.play([AUDIO, ahead, utf8("mallory's")]), UnverifiedFrameError);
      bo.now += 0.1;
      if (cut) bo.checker.excuse(bo.now + 2);
      bo.checker.tick(bo.now);
    }
    assert.equal(bo.checker.doubt, "unverified");
    assert.deepEqual(bo.reported(), ["unverified"]);
  }
});

test("a frame after its list is forgotten is refused, and accuses nobody", async () => {
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
  assert.deepEqual(one.reported(), ["unverified"]);
  const many = await Bo.make();
  for (let n = 0; n < UNLISTED_MAX; n++)
    many.play([AUDIO + 16 * (n % 7), Math.floor(n / 7), utf8("mallory's")]);
  assert.deepEqual(many.found, []);
  many.play([AUDIO, UNLISTED_MAX / 7, utf8("one more")]);
  assert.deepEqual(many.reported(), ["unverified"]);
  // and of one key id where its lists have come, so that none is far ahead
  const listed = await Bo.make();
  for (let n = 0; n < UNLISTED_KID_MAX; n++) {
    listed.seal();
    if (n % 100 === 99) await listed.passOn();
  }
  for (let n = 0; n < UNLISTED_KID_MAX; n++) listed.play([AUDIO, UNLISTED_KID_MAX + n, utf8("mallory's")]);
  assert.deepEqual(listed.found, []);
  listed.checker.opened(EPOCH, named([AUDIO, 2 * UNLISTED_KID_MAX, utf8("mallory's")]), listed.now);
  assert.deepEqual(listed.reported(), ["unverified"]);
});

test("the memory of lists is bounded by number and by age", async () => {
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

test("excused frames are bounded too, and forgotten after a minute", async () => {
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
    assert.deepEqual(bo.reported(), pause === 0 ? ["unverified"] : []);
  }
});

test("excused frames of past epochs count as well", async () => {
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
  assert.deepEqual(bo.reported(), ["unverified"]);
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
    assert.deepEqual(bo.reported(), pause === 0 ? ["unverified"] : []);
  }
});
