/** A host's card in the lobby, while we hear nobody in our room. */
import type { Bytes } from "../../crypto/bytes";
import * as lobby from "../../crypto/entry/lobby";
import { SnugError } from "../../crypto/errors";
import type { RoomSession } from "./room";

/**
 * Ask to be let in again if the card is a host's answer to our request `nonce`: the meeting goes on in another room.
 *
 * It can be a former host's card: so we stay, and go on here if we hear somebody after all.
 */
export async function cardPosted(card: lobby.Card, nonce: Bytes, room: RoomSession): Promise<void> {
  for (const key of room.membership.policy.linkKeys) {
    try {
      await lobby.verifyCard(card, key, room.origin, [nonce]);
    } catch (error) {
      if (error instanceof SnugError) continue;
      throw error;
    }
    room.sync.elsewhere = true;
    return;
  }
}
