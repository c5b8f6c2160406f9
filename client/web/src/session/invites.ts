/**
 * What a host's program knows of the meeting's invites: which, for whom, who came in by them, which leaked.
 *
 * A label never leaves this program. An invite's index is 15 random bits (two hosts must not take the same
 * one) and the bit `SINGLE_USE`; index 0 is the open invite that a meeting begins with.
 */
import { type Rng, utf8 } from "../crypto/bytes";
import { NO_INVITE } from "../crypto/report";
import { SINGLE_USE } from "../crypto/roomState";
import { CommandError, type Sentence, sentence } from "../words/sentence";
import type { InviteRow, Roster } from "./events";
import type { Membership } from "./membership";

/** UTF-8 bytes of a label. */
export const LABEL_MAX = 64;
/** Invites that one host makes in one meeting. */
export const MINE_MAX = 1000;
/** Draws for a free index; after that there are none to speak of. */
const DRAWS = 1000;

const CONTROLS = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/**
 * Pure bookkeeping; it lives as long as the participant, through rejoins and changes of host.
 *
 * All of it is bounded: by `MINE_MAX`, by the 4,096 people of a meeting, by what hosts take back.
 */
export class InviteBook {
  /** Our labels, by index. */
  readonly #mine = new Map<number, string>();
  /** Names of who came in by each, in that order. */
  readonly #came = new Map<number, string[]>();
  readonly #byLeaf = new Map<number, number>();
  /** By index, the name of whoever came in by it and was removed. */
  readonly #removed = new Map<number, string>();
  /** Taken back by a host's word (a removal is in the ledger besides). */
  readonly takenBack = new Set<number>();
  readonly #alarmed = new Set<number>();

  // -- making --------------------------------------------------------------------------------------------

  /** The open invite that the meeting begins with exists. */
  first(): void {
    this.#mine.set(0, "");
  }

  /**
   * A new invite's index; `known` are indices that are in use already.
   *
   * CommandError when the label is too long, has control characters, or there are too many invites.
   */
  make(label: string, single: boolean, known: Iterable<number>, rng: Rng): number {
    if (utf8(label).length > LABEL_MAX || CONTROLS.test(label))
      throw new CommandError(sentence("cant.label", { most: LABEL_MAX }));
    if (this.#mine.size >= MINE_MAX) throw new CommandError(sentence("cant.invites", { most: MINE_MAX }));
    const all = [...known, ...this.#mine.keys(), ...this.#came.keys(), ...this.takenBack, 0, NO_INVITE];
    const taken = new Set(all.map((index) => index & ~SINGLE_USE));
    for (let draw = 0; draw < DRAWS; draw++) {
      const [high = 0, low = 0] = rng(2);
      const number = ((high << 8) | low) & ~SINGLE_USE;
      if (taken.has(number)) continue;
      const index = single ? number | SINGLE_USE : number;
      this.#mine.set(index, label);
      return index;
    }
    throw new CommandError(sentence("cant.invites_all"));
  }

  // -- what happened ---------------------------------------------------------------------------------------

  /** We are in a room: who was there before us came in by what the ledger says. */
  enter(m: Membership): void {
    this.#byLeaf.clear();
    for (const [leaf, index] of m.ledger.invites) {
      this.#byLeaf.set(leaf, index);
      const name = m.name(leaf);
      const came = this.#cameBy(index);
      if (leaf !== m.ownLeaf && !came.includes(name)) came.push(name);
    }
  }

  #cameBy(index: number): string[] {
    const names = this.#came.get(index) ?? [];
    this.#came.set(index, names);
    return names;
  }

  /** Who came and went by a change that was adopted. */
  changed(roster: Roster): void {
    for (const member of roster.removed) {
      const index = this.#byLeaf.get(member.leaf);
      this.#byLeaf.delete(member.leaf);
      if (index !== undefined && !roster.left.includes(member.leaf) && !roster.rejoined)
        this.#removed.set(index, member.name);
    }
    if (roster.invite === null) return;
    for (const member of roster.added) {
      this.#byLeaf.set(member.leaf, roster.invite);
      if (!roster.rejoined) this.#cameBy(roster.invite).push(member.name);
    }
  }

  /** Whether nobody has been alarmed about that invite yet: each is told of once. */
  firstAlarm(index: number): boolean {
    const first = !this.#alarmed.has(index);
    this.#alarmed.add(index);
    return first;
  }

  // -- what is known ---------------------------------------------------------------------------------------

  /** Our label for it, perhaps empty; null for an invite that another host has made. */
  label(index: number): string | null {
    return this.#mine.get(index) ?? null;
  }

  /** The name of who came in by it last, if anybody has. */
  cameIn(index: number): string | null {
    return this.#came.get(index)?.at(-1) ?? null;
  }

  /** The name of who came in by it and was removed, if that is why it opens nothing. */
  removedWith(index: number): string | null {
    return this.#removed.get(index) ?? null;
  }

  /** Whether there is anything to take back: an invite of ours, or one that somebody has come in by. */
  known(index: number): boolean {
    return this.#mine.has(index) || this.#came.has(index);
  }

  /** All invites known here, our own first, in the order in which they were made. */
  rows(m: Membership): InviteRow[] {
    const others = [...new Set([...this.#came.keys(), ...this.takenBack])].filter((n) => !this.#mine.has(n));
    return [...this.#mine.keys(), ...others.sort((a, b) => a - b)].map((index) => ({
      index,
      label: this.label(index),
      once: (index & SINGLE_USE) !== 0,
      usedBy: [...(this.#came.get(index) ?? [])],
      revoked: this.takenBack.has(index) || m.ledger.revoked.has(index),
    }));
  }
}

/** An invite as it stands in a sentence. */
export function called(index: number, label: string | null): Sentence {
  if (label) return sentence("invite.label", { label, index });
  if (index === 0) return sentence("invite.open");
  return sentence(label === null ? "invite.other" : "invite.number", { index });
}
