/** The room admin's signature that opens a slot's gate alone (protocol section 3, G1 and G3). */
import * as envelope from "../../crypto/agreed/envelope";
import type { Bytes } from "../../crypto/bytes";
import * as invite from "../../crypto/entry/invite";
import { SnugCryptoError } from "../../crypto/errors";
import type { Committed } from "../../wire/messages";
import type { Room } from "./ports";

/** Return our signature (64 bytes) for a slot, its gate and the chain after it; null if we are no host. */
export async function signOpening(room: Room, slot: number, gate: Bytes, chain: Bytes): Promise<Bytes | null> {
  if (room.hostSeed === null) return null;
  const roomAdmin = await room.hostSeed.roomAdminKey(room.membership.group.groupId);
  return roomAdmin.sign(invite.openMessage(room.number, slot, gate, chain));
}

/** Return the signature that came with a slot, to pass on with its blob; null without a valid one. */
export async function validOpening(room: Room, message: Committed): Promise<Bytes | null> {
  const { slot, blob, chain, opening } = message;
  if (opening === null) return null;
  try {
    await invite.verifyOpening(room.roomAdminPublic, room.number, slot, envelope.gateOf(blob), chain, opening);
  } catch (error) {
    if (!(error instanceof SnugCryptoError)) throw error;
    return null;
  }
  return opening;
}
