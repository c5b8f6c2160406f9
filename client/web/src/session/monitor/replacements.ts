/**
 * A member that came back in the place of a program that is still running: two programs have its keys.
 *
 * Protocol section 6. A program that has asked to rejoin says so in its heartbeats (`Act.REJOIN`). Another heartbeat of
 * that old membership proves that another program runs it, if it cannot be older than the rejoin.
 */
import { Act, Heartbeat } from "../../crypto/agreed/heartbeat";
import { type Bytes, same } from "../../crypto/bytes";
import { SnugError } from "../../crypto/errors";
import * as sentences from "../catalogue/sentences";
import type { Room } from "../kernel/ports";
import type { Change } from "../kernel/verdict";
import { type Heartbeats, trim } from "./heartbeats";

/** Seconds after a rejoin during which the program before it may still go on without an alarm. */
export const GRACE = 10;
/** Replaced memberships that are remembered. */
export const REPLACED_MAX = 16;

/** A membership that a rejoin has ended, at `slot` and at the time `at`. */
interface Replaced {
  readonly key: Bytes;
  readonly slot: number;
  readonly name: string;
  readonly at: number;
}

/** The last rejoins, each until its old membership is heard: then everybody is told, once. */
export class Replacements {
  readonly #room: Room;
  readonly #heartbeats: Heartbeats;
  /** By the old leaf. */
  readonly #replaced = new Map<number, Replaced>();

  constructor(room: Room, heartbeats: Heartbeats) {
    this.#room = room;
    this.#heartbeats = heartbeats;
  }

  /** Remember the membership that a rejoin in the current slot has ended. */
  adopted(change: Change, now: number): void {
    if (!change.rejoined) return;
    const { slot } = this.#room.membership.journal;
    for (const { leaf, name, key } of change.removed) this.#remember(leaf, { key, slot, name, at: now });
  }

  /** Remember our own membership of before: we have just come back. */
  cameBack(old: Room): void {
    const { membership: m } = this.#room;
    const key = m.signatureKey(m.ownLeaf);
    if (key === null) return;
    const replaced = { key, slot: m.journal.slot, name: m.name(m.ownLeaf), at: Infinity };
    this.#remember(old.membership.ownLeaf, replaced);
  }

  #remember(leaf: number, replaced: Replaced): void {
    this.#replaced.delete(leaf);
    this.#replaced.set(leaf, replaced);
    trim(this.#replaced, REPLACED_MAX);
  }

  /** Process any member's heartbeat, still encoded and unverified. */
  async heard(payload: Bytes): Promise<void> {
    if (this.#replaced.size === 0) return;
    let beat: Heartbeat, replaced: Replaced | undefined;
    try {
      beat = Heartbeat.decode(payload);
      replaced = this.#replaced.get(beat.leaf);
      if (replaced === undefined || beat.since >= replaced.slot || !this.#isLater(beat, replaced)) return;
      if (beat.pending.some(({ act }) => act === Act.REJOIN)) return; // its own, which the server keeps from it
      await beat.verify(this.#room.number, replaced.key);
    } catch (error) {
      if (error instanceof SnugError) return;
      throw error;
    }
    this.#replaced.delete(beat.leaf);
    this.#room.tell(sentences.alarm("replaced", { name: replaced.name }));
  }

  /**
   * Return whether a heartbeat of the old membership cannot be older than its end.
   *
   * It names the rejoin's slot with our chain, or acknowledges a heartbeat of ours that we sent later.
   */
  #isLater(beat: Heartbeat, replaced: Replaced): boolean {
    const { membership: m } = this.#room;
    const chain = m.journal.chains.get(beat.slot);
    if (beat.slot >= replaced.slot && chain !== undefined && same(chain, beat.chain)) return true;
    const answered = this.#heartbeats.sentAt(beat.got.find((g) => g.leaf === m.ownLeaf)?.seq ?? 0);
    // A member that has not seen our present membership acknowledges heartbeats of the one before.
    return beat.slot >= this.#heartbeats.since && answered !== null && answered > replaced.at + GRACE;
  }
}
