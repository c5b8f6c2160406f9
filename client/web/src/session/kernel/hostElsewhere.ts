/** A host's card in the lobby, while we hear nobody in our room. */
import * as lobby from "../../crypto/entry/lobby";
import { SnugError } from "../../crypto/errors";
import type { RoomSession } from "./room";

/**
 * Ask to be let in again if the card is a host's: the meeting goes on in another room.
 *
 * It can be a former host's card: so we stay, and go on here if we hear somebody after all.
 */
export async function cardPosted(day: number, card: lobby.Card, room: RoomSession, now: number): Promise<void> {
  for (const key of room.membership.policy.linkKeys) {
    try {
      await lobby.verifyCard(card, key, room.origin, day, now);
    } catch (error) {
      if (error instanceof SnugError) continue;
      throw error;
    }
    room.sync.elsewhere = true;
    return;
  }
}
