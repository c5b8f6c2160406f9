/** The place where a commit was made, for a member that has not been there (protocol section 5). */
import { gateOf } from "../../crypto/agreed/envelope";
import { type Bytes, same } from "../../crypto/bytes";
import { gate } from "../../crypto/entry/invite";
import { placeDoorKey, placePass } from "../../crypto/entry/places";
import { Place } from "./place";
import { remember } from "./places";
import type { Room } from "./ports";

/** Members' places at a server that are tried for a commit whose gate is unknown: each costs a key. */
const OPENED_TRIED = 16;

/**
 * Note where a commit was made, if that is a place of this meeting where we have not been.
 *
 * A blob names the gate of the place where it was made. To a host that comes back late, and is handed the others'
 * commits, that gate would be a wrong one. `opens`: the pass of the epoch after it, 32 bytes.
 */
export async function notePlace(room: Room, blob: Bytes, opens: Bytes): Promise<void> {
  const m = room.membership;
  const named = gateOf(blob);
  const fits = (number: Bytes): boolean => same(gate(placePass(opens, number)), named);
  if (same(gate(opens), named) || m.places.some(fits)) return;
  for await (const { number } of listedPlaces(room)) if (fits(number)) return remember(m, number);
}

/** Yield the places at the policy's servers: the hosts', and those of members with the lowest leaves. */
async function* listedPlaces(room: Room): AsyncGenerator<Place> {
  const m = room.membership;
  for (const [at, { origin, roomAdminPublic }] of m.policy.servers.entries()) {
    const members = m.members().map(({ leaf }) => ({ attempt: leaf + 1, admin: room.announcements.opener(leaf, at + 1) }));
    const opened = members.filter(({ admin }) => admin !== null).slice(0, OPENED_TRIED);
    for (const { attempt, admin } of [{ attempt: 0, admin: roomAdminPublic }, ...opened])
      if (admin !== null)
        yield new Place(at + 1, attempt, origin, await placeDoorKey(m.moveKey, origin, attempt), admin);
  }
}
