/** A room at a further server of the policy's list (protocol section 12). */
import type { Bytes } from "../../crypto/bytes";
import * as invite from "../../crypto/entry/invite";
import { PlaceHistory } from "../../crypto/entry/places";
import type { SigningKey } from "../../crypto/kdf";

/** A room at a further server: the hosts', or that of a member. */
export class Place {
  /** The room's number there, 16 bytes. */
  readonly number: Bytes;
  readonly history: PlaceHistory;
  /** The server's chain values by slot, as it has told them. */
  readonly told = new Map<number, Bytes>();
  /** The last slot in the history. */
  fed = -1;

  /**
   * `server`: its index in the policy's list, from 1. `attempt`: 0 at the hosts' place; else the leaf of the member
   * whose place it is, plus 1. `opener`: our key, if it is our own place.
   */
  constructor(
    readonly server: number,
    readonly attempt: number,
    readonly origin: string,
    readonly doorKey: SigningKey,
    readonly roomAdminPublic: Bytes,
    readonly opener: SigningKey | null = null,
  ) {
    this.number = invite.roomNumber(doorKey.public, roomAdminPublic);
    this.history = new PlaceHistory(this.number);
  }
}
