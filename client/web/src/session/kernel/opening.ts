/**
 * Opening the room at the server, and the room admin's signature for that (protocol section 3, G1 and G3).
 *
 * The signature opens a slot's gate alone. It names the room's number, which depends on the room admin's key (G8).
 * Hosts change that key. The signatures of earlier keys still tell which slots were hosts', but a server takes those of
 * its room's key alone.
 */
import * as envelope from "../../crypto/agreed/envelope";
import type { Bytes } from "../../crypto/bytes";
import * as invite from "../../crypto/entry/invite";
import { SnugError } from "../../crypto/errors";
import type { SigningKey } from "../../crypto/kdf";
import type { Committed } from "../../wire/messages";
import type { Entry } from "./journal";
import type { Room } from "./ports";
import type { RoomConnection } from "./roomConnection";

/**
 * Open the room at the slot `signed` by the room admin; null: by a host's signature, or by none.
 *
 * `at` is the server's slot, null while the room is not open.
 */
export async function openRoom(
  room: Room,
  connection: RoomConnection,
  signed: Entry | null,
  at: number | null,
  now: number,
): Promise<void> {
  const { journal } = room.membership;
  connection.openedAt = now;
  connection.openedSlot = at;
  const hosts = (await roomAdmin(room)) !== null;
  const best = hosts ? (at === null ? journal.oldest : journal.newest) : signed;
  const { slot, roomPass, chain, opening } = best ?? journal.oldest;
  const gate = invite.gate(roomPass);
  const signature = best === null ? null : ((await signOpening(room, slot, gate, chain)) ?? opening);
  room.send(await room.here.signed({ type: "open", slot, gate, chain, signature }));
}

/** Return the earliest (or newest) slot that we can replay from, with a signature for this room. */
export async function signedEntry(room: Room, order: { newest: boolean }): Promise<Entry | null> {
  for (const entry of room.membership.journal.signed(order))
    if ((await openingToPassOn(room, entry)) !== null) return entry;
  return null;
}

/** Return the key under which the server holds the room; null unless we are a host that has it. */
export const roomAdmin = (room: Room): Promise<SigningKey | null> => room.here.adminKey();

/** Return our signature (64 bytes) for a slot, its gate and the chain after it; null without the key. */
export async function signOpening(room: Room, slot: number, gate: Bytes, chain: Bytes): Promise<Bytes | null> {
  const key = await roomAdmin(room);
  if (key === null) return null;
  return await key.sign(invite.openMessage(room.here.numberUnder(key.public), slot, gate, chain));
}

/** Return the signature that came with a slot, by any key of the room so far; null without a valid one. */
export async function validOpening(room: Room, message: Committed): Promise<Bytes | null> {
  const { slot, blob, chain, opening } = message;
  if (opening === null) return null;
  const { here } = room;
  for (const admin of here.isHome ? room.roomAdminKeys.all.toReversed() : [here.roomAdminPublic])
    if (await isBy(admin, room, slot, envelope.gateOf(blob), chain, opening)) return opening;
  return null;
}

/** Return the signature of a host's slot that the server takes now; null if we have none and cannot sign. */
export async function openingToPassOn(room: Room, entry: Entry): Promise<Bytes | null> {
  const { slot, chain, blob, opening } = entry;
  if (opening === null || blob === null) return null;
  if (await isCurrent(room, entry)) return opening;
  return await signOpening(room, slot, envelope.gateOf(blob), chain);
}

/** Return whether the key under which the server holds the room has signed this slot. */
export async function isCurrent(room: Room, { slot, chain, blob, opening }: Entry): Promise<boolean> {
  if (opening === null || blob === null) return false;
  return await isBy(room.here.roomAdminPublic, room, slot, envelope.gateOf(blob), chain, opening);
}

async function isBy(
  admin: Bytes,
  room: Room,
  slot: number,
  gate: Bytes,
  chain: Bytes,
  opening: Bytes,
): Promise<boolean> {
  try {
    const [, signed] = room.here.signedByServer(slot, chain);
    await invite.verifyOpening(admin, room.here.numberUnder(admin), slot, gate, signed, opening);
  } catch (error) {
    if (!(error instanceof SnugError)) throw error;
    return false;
  }
  return true;
}
