import { States } from "../../../../client/web/src/session/features/states";
import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, utf8 } from "../../../../client/web/src/crypto/bytes";
import { EPOCH_BITS } from "../../../../client/web/src/crypto/media/keys";
import { INTERVAL } from "../../../../client/web/src/crypto/media/signatures";
import { encodeHeader } from "../../../../client/web/src/crypto/media/sframe";
import { LATE, PATIENCE, PUBLISH_AFTER, PUBLISH_EVERY, Signing } from "../../../../client/web/src/session/features/signing";
import { Subscriptions } from "../../../../client/web/src/session/features/subscriptions";
import { Monitor } from "../../../../client/web/src/session/monitor/monitor";
import { type Room, World } from "./rooms";

const meeting = (...names: readonly string[]): Promise<World> =>
  World.of(
    names.map((name) => ({ name })),
    (room, now) => [new Subscriptions(room), new States(room), new Signing(room), new Monitor(room, now)],
  );

/** A frame of a member, as it seals one. */
function seal(room: Room, counter: number, now: number): void {
  const kid = (7 << EPOCH_BITS) | (room.membership.group.epoch % (1 << EPOCH_BITS));
  room.feature(Signing).frameSealed(0, concat(encodeHeader(kid, counter), utf8("a frame")), now);
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
