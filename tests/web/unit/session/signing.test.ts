import { States } from "../../../../client/web/src/session/features/states";
import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../../../client/web/src/crypto/bytes";
import { EPOCH_BITS } from "../../../../client/web/src/crypto/media/keys";
import { INTERVAL } from "../../../../client/web/src/crypto/media/signatures";
import { PUBLISH_AFTER, PUBLISH_EVERY } from "../../../../client/web/src/session/features/oldMediaKeys";
import { LATE, PATIENCE, Signing } from "../../../../client/web/src/session/features/signing";
import { Subscriptions } from "../../../../client/web/src/session/features/subscriptions";
import { Monitor } from "../../../../client/web/src/session/monitor/monitor";
import { load } from "../../../../client/web/src/session/kernel/load";
import { type Room, World } from "./rooms";

await load(); // a shell does so once it is in a room

const meeting = (...names: readonly string[]): Promise<World> =>
  World.of(
    names.map((name) => ({ name })),
    (room, now) => [new Subscriptions(room), new States(room), new Signing(room), new Monitor(room, now)],
  );

/** A frame of a member, as it seals one. */
function seal(room: Room, counter: number, now: number, stream = 0): void {
  const kid = ((7 + stream) << EPOCH_BITS) | (room.membership.group.epoch % (1 << EPOCH_BITS));
  room.feature(Signing).frameSealed(stream, { kid, counter, hash: utf8("of its bytes") }, now);
}

test("frames wait until their list is handed over, however long it takes to sign", async () => {
  const world = await meeting("Ada", "Bo");
  const ada = world.room(0);
  const signing = ada.feature(Signing);
  const began = world.now;
  seal(ada, 0, began);
  await signing.tick(began + INTERVAL); // this leaf has a media key from here on
  seal(ada, 1, began + INTERVAL);
  const late = began + 2 * INTERVAL + PATIENCE + 0.1;
  const ticking = signing.tick(began + 2 * INTERVAL);
  assert.notEqual(signing.pauseReason(late), null, "the list is not signed yet");
  await ticking;
  assert.equal(signing.pauseReason(late), null);
});

test("each stream has lists of its own, which go to its receivers", async () => {
  const world = await meeting("Ada", "Bo");
  const [ada, bo] = [world.room(0), world.room(1)];
  ada.ownSsrc = (stream) => [700, 701][stream] ?? null;
  const began = world.now;
  for (const stream of [0, 1, 4, 5]) seal(ada, 0, began, stream); // sound, and three layers of the camera
  await ada.feature(Signing).tick(began + INTERVAL);
  ada.ownSsrc = (stream) => [700, 801][stream] ?? null;
  for (let counter = 1; counter < 31; counter++) seal(ada, counter, began + INTERVAL, 0);
  for (const stream of [1, 3]) seal(ada, 1, began + INTERVAL, stream); // the screen is not announced
  await ada.feature(Signing).tick(began + 2 * INTERVAL);
  assert.deepEqual(ada.labels.map(({ ssrc }) => ssrc), [700, 701, 700, 801]);
  for (const { size } of ada.labels) assert.ok(size >= 512 && size % 64 === 0);
  const size = ada.labels[2]?.size ?? 0; // of 30 frames
  assert.ok(size > 512 && size < 1024, "sizes are finer than buckets");
  await world.run(1);
  assert.equal(bo.feature(Signing).refused, 0);
});

test("a media key is published only after all members were heard in a later epoch", async () => {
  const world = await meeting("Ada", "Bo", "Cem");
  const [ada, bo, cem] = [world.room(0), world.room(1), world.room(2)];
  const secrets = () => world.opened.filter(({ type }) => type === "media_secret").length;
  seal(bo, 0, world.now);
  await world.run(2);
  // The server withholds one commit from Cem, and with it all that could reveal it.
  world.withheld = (to, from) => (to === cem) !== (from === cem);
  await world.commit(0, {}, [ada, bo]);
  await world.run(LATE + 2 * PUBLISH_AFTER + PUBLISH_EVERY);
  assert.equal(bo.feature(Monitor).oldestEpoch(), world.epoch - 1);
  assert.equal(secrets(), 0, "Cem may still believe lists under it");
  world.withheld = () => false;
  await cem.adopt(0, {}, world.slot, world.epoch);
  await world.run(PUBLISH_AFTER - 5);
  assert.equal(secrets(), 0, "members accept lists of an epoch for a while after they have left it");
  await world.run(15);
  assert.equal(secrets(), 1);
});

test("a removal, and not silence, ends the wait for a member", async () => {
  const world = await meeting("Ada", "Bo", "Cem");
  const [ada, bo, cem] = [world.room(0), world.room(1), world.room(2)];
  seal(bo, 0, world.now);
  await world.run(2);
  cem.asleep = true;
  await world.commit(0, {}, [ada, bo]);
  await world.run(LATE + 2 * PUBLISH_AFTER);
  assert.ok(world.opened.every(({ type }) => type !== "media_secret"));
  await world.commit(0, { removed: [cem.gone] }, [ada, bo]);
  await world.run(PUBLISH_AFTER + 15);
  assert.ok(world.opened.some(({ type }) => type === "media_secret"));
});
