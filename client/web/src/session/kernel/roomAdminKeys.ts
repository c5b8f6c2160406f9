/**
 * The keys under which the server has held the room (protocol section 3, G8).
 *
 * Hosts change the room admin's key: the policy names the next one first, and the server learns it later. The room's
 * number at the server depends on the key.
 */
import { among, type Bytes, same } from "../../crypto/bytes";
import * as invite from "../../crypto/entry/invite";
import type { Membership } from "./membership";

/** The public halves, 32 bytes each, as one membership knows them. */
export class RoomAdminKeys {
  readonly #membership: Membership;
  readonly #doorPublic: Bytes;
  /** The key under which the server holds the room. */
  current: Bytes;
  /** All keys that may have been it, the newest last; openings by each of them are hosts'. */
  readonly all: Bytes[];
  /** The server's word, which counts when the policy names the key. */
  #told: Bytes | null = null;

  /** `current` is the key under which the server holds the room. */
  constructor(membership: Membership, doorPublic: Bytes, current: Bytes) {
    this.#membership = membership;
    this.#doorPublic = doorPublic;
    this.current = current;
    this.all = [current];
    this.policyChanged();
  }

  /** The room's numbers at the server since we came in (16 bytes each), the current one last. */
  get numbers(): Bytes[] {
    return [...this.all, ...this.foreign].map((key) => invite.roomNumber(this.#doorPublic, key));
  }

  /** The number by which we enter the room at the server, 16 bytes. */
  get number(): Bytes {
    return invite.roomNumber(this.#doorPublic, this.current);
  }

  /** Record the key that the policy names, perhaps another one than before. */
  policyChanged(): void {
    const named = this.#membership.policy.roomAdminPublic;
    if (!among(named, this.all)) this.all.push(named);
    this.#follow();
  }

  /** Record the server's word that it holds the room under that key. */
  rekeyed(key: Bytes): void {
    this.#told = key;
    this.#follow();
  }

  /**
   * The key under which the server says that it holds the room, if no policy has named that key.
   *
   * A hostile host has handed the room to it, or the server lies: no host can sign there.
   */
  get foreign(): Bytes[] {
    return this.#told === null || among(this.#told, this.all) ? [] : [this.#told];
  }

  #follow(): void {
    if (this.#told !== null && among(this.#told, this.all)) this.current = this.#told;
  }

  /** Whether the server holds the room under the key that the policy names. */
  get isLatest(): boolean {
    return same(this.current, this.#membership.policy.roomAdminPublic) && this.foreign.length === 0;
  }

  /** Go on under the key that the policy names: members meet there once the server has forgotten us. */
  takeLatest(): void {
    this.current = this.#membership.policy.roomAdminPublic;
    this.#told = null;
  }
}
