/**
 * Places: the rooms in which a meeting goes on at other servers (docs/reference/protocol.md, section 12).
 *
 * A place has a door, a room admin key, passes and a chain of its own. So a server that has one of them cannot tell by
 * any value that it sees which room at another server is the same meeting.
 */
import { type Bytes, among, concat, same, utf8 } from "../bytes";
import { exactly, uint } from "../fields";
import { H, KDF, SigningKey } from "../kdf";
import { NUMBER_SIZE, originField } from "./invite";

/** The last slots at which a place can have been opened. */
export const OPENED_MAX = 64;

/**
 * Return the door key of the place at that server with the number `attempt` (0 to 65,535).
 *
 * MalformedError if the origin is not canonical.
 */
export function placeDoorKey(moveKey: Bytes, origin: string, attempt: number): Promise<SigningKey> {
  exactly(moveKey, 32, "a move key");
  const label = concat(utf8("snug 1 move door"), originField(origin), uint(attempt, 2));
  return SigningKey.fromSeed(KDF(moveKey, label), true);
}

/**
 * Return the key with which a member opens the place of its own at that server.
 *
 * `seed`: 32 bytes that nobody else has. MalformedError if the origin is not canonical.
 */
export function openerKey(seed: Bytes, origin: string): Promise<SigningKey> {
  exactly(seed, 32, "a seed");
  return SigningKey.fromSeed(KDF(seed, concat(utf8("snug 1 place opener"), originField(origin))));
}

/** Return the pass (32 bytes) of an epoch at the place with this room number (16 bytes). */
export function placePass(roomPass: Bytes, number: Bytes): Bytes {
  exactly(number, NUMBER_SIZE, "a room's number");
  return KDF(exactly(roomPass, 32, "a pass"), concat(utf8("snug 1 place pass"), number));
}

/** Return the chain value (32 bytes) with which that place is opened at the slot of `chain`. */
export function placeChain(chain: Bytes, number: Bytes): Bytes {
  exactly(number, NUMBER_SIZE, "a room's number");
  return H(utf8("snug 1 chain"), number, exactly(chain, 32, "a chain value"));
}

/**
 * Our history as the server of a place may have it.
 *
 * The place was opened at one of our last slots, nobody says which. From there its chain goes on as ours.
 */
export class PlaceHistory {
  /** The one of the opening at the last slot last. */
  #values: readonly Bytes[] = [];
  readonly #known = new Map<number, readonly Bytes[]>();

  /** `slots`: number, chain value and H(blob) of our slots in order, as for `append`. */
  constructor(
    readonly number: Bytes,
    slots: Iterable<readonly [number, Bytes, Bytes]> = [],
  ) {
    for (const each of slots) this.append(...each);
  }

  /** Record our next slot: the chain value after it, and H(blob). The first one's is not needed. */
  append(slot: number, chain: Bytes, digest: Bytes): void {
    const values = this.#values.map((value) => H(value, uint(slot, 8), digest));
    this.#values = [...values, placeChain(chain, this.number)].slice(-OPENED_MAX);
    this.#known.set(slot, this.#values);
    this.#known.delete(slot - OPENED_MAX);
  }

  /** Return whether the server's chain value after that slot is one of our history. */
  has(slot: number, chain: Bytes): boolean {
    return among(chain, this.#known.get(slot) ?? []);
  }

  /** Return whether the server's chain value goes on from our history by a blob with that H(blob). */
  follows(slot: number, chain: Bytes, digest: Bytes): boolean {
    return (this.#known.get(slot - 1) ?? []).some((before) => same(chain, H(before, uint(slot, 8), digest)));
  }
}
