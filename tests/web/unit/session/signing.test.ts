import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, utf8 } from "../../../../client/web/src/crypto/bytes";
import { EPOCH_BITS } from "../../../../client/web/src/crypto/media/keys";
import { INTERVAL } from "../../../../client/web/src/crypto/media/signatures";
import { encodeHeader } from "../../../../client/web/src/crypto/media/sframe";
import { PATIENCE, Signing } from "../../../../client/web/src/session/features/signing";
import { World } from "./rooms";

test("frames wait until their list is handed over, however long it takes to sign", async () => {
  const world = await World.of([{ name: "Ada" }, { name: "Bo" }], (room) => [new Signing(room)]);
  const [ada] = world.rooms;
  assert.ok(ada !== undefined);
  const signing = ada.feature(Signing);
  const kid = (7 << EPOCH_BITS) | (ada.membership.group.epoch % (1 << EPOCH_BITS));
  const seal = (counter: number, now: number): void =>
    signing.frameSealed(0, concat(encodeHeader(kid, counter), utf8("a frame")), now);

  const began = world.now;
  seal(0, began);
  await signing.tick(began + INTERVAL); // this leaf has a media key from here on
  seal(1, began + INTERVAL);
  const late = began + 2 * INTERVAL + PATIENCE + 0.1;
  const ticking = signing.tick(began + 2 * INTERVAL);
  assert.notEqual(signing.pauseReason(late), null, "the list is not signed yet");
  await ticking;
  assert.equal(signing.pauseReason(late), null);
});
