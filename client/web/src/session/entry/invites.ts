/**
 * A host's records of the meeting's invites: which exist, for whom, who used them, which leaked.
 *
 * A label never leaves this program. An invite's index is 15 random bits (two hosts must not draw the same index) and
 * the bit `SINGLE_USE`; index 0 is the open invite of a new meeting.
 */
import { type Bytes, type Rng, utf8 } from "../../crypto/bytes";
import { isVisible } from "../../crypto/agreed/names";
import { NO_INVITE } from "../../crypto/proof/admission";
import { SINGLE_USE } from "../../crypto/agreed/roomState";
import { CommandError, type Sentence, sentence } from "../../words/sentence";
import type { InviteRow, Roster } from "../events";
import type { Membership } from "../kernel/membership";

/** Maximum label size in bytes of UTF-8. */
export const LABEL_MAX = 64;
/** Maximum number of invites that one host makes in one meeting. */
export const MINE_MAX = 1000;
/** Attempts to draw a free index; if all fail, hardly any index is free. */
const DRAWS = 1000;

/**
 * Pure bookkeeping; it lives as long as the participant, through rejoins and changes of host.
 *
 * All of it is bounded: by `MINE_MAX`, by the 4,096 people of a meeting, and by the number of revocations.
 */
export class InviteBook {
  /** Our labels, by index. */
  readonly #mine = new Map<number, { readonly label: string; readonly hostPublic: Bytes }>();
  /** For each index, the names of members who came in by it, in order. */
  readonly #came = new Map<number, string[]>();
  readonly #byLeaf = new Map<number, number>();
  /** For each index, the name of the last removed member who came in by it. */
  readonly #removed = new Map<number, string>();
  /** Revoked by a host (a removal's revocation is in the ledger as well). */
  readonly takenBack = new Set<number>();
  readonly #alarmed = new Set<number>();

  // -- new invites ---------------------------------------------------------------------------------------

  /** Record the open invite of a new meeting. */
  first(hostPublic: Bytes): void {
    this.#mine.set(0, { label: "", hostPublic });
  }

  /**
   * Make an invite and return its index; `known` are indices that are in use already, `hostPublic` (32 bytes) is the
   * host key in its link.
   *
   * CommandError if the label is too long or has control characters, or if there are too many invites.
   */
  make(label: string, single: boolean, hostPublic: Bytes, known: Iterable<number>, rng: Rng): number {
    if (utf8(label).length > LABEL_MAX || !isVisible(label))
      throw new CommandError(sentence("cannot.label", { most: LABEL_MAX }));
    if (this.#mine.size >= MINE_MAX) throw new CommandError(sentence("cannot.invites", { most: MINE_MAX }));
    const all = [...known, ...this.#mine.keys(), ...this.#came.keys(), ...this.takenBack, 0, NO_INVITE];
    const taken = new Set(all.map((index) => index & ~SINGLE_USE));
    for (let draw = 0; draw < DRAWS; draw++) {
      const [high = 0, low = 0] = rng(2);
      const number = ((high << 8) | low) & ~SINGLE_USE;
      if (taken.has(number)) continue;
      const index = single ? number | SINGLE_USE : number;
      this.#mine.set(index, { label, hostPublic });
      return index;
    }
    throw new CommandError(sentence("cannot.invites_all"));
  }

  // -- recording -------------------------------------------------------------------------------------------

  /** Record a new membership: the ledger names the invites of the members before us. */
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

  /** Record the members who joined and left by an adopted commit. */
  changed(roster: Roster): void {
    for (const member of roster.removed) {
      const index = this.#byLeaf.get(member.leaf);
      this.#byLeaf.delete(member.leaf);
      if (index !== undefined && !roster.left.includes(member.leaf) && !roster.rejoined)
        this.#removed.set(index, member.name);
    }
    for (const { leaf, name, invite } of roster.added) {
      if (invite === null) continue;
      this.#byLeaf.set(leaf, invite);
      if (!roster.rejoined) this.#cameBy(invite).push(name);
    }
  }

  /** Return whether this is the first alarm about that invite: each is reported once. */
  firstAlarm(index: number): boolean {
    const first = !this.#alarmed.has(index);
    this.#alarmed.add(index);
    return first;
  }

  // -- queries ---------------------------------------------------------------------------------------------

  /** Return our label, which may be empty; null for an invite that another host made. */
  label(index: number): string | null {
    return this.#mine.get(index)?.label ?? null;
  }

  /** Return the host key in the link of our own invite; null for an invite that another host made. */
  madeIn(index: number): Bytes | null {
    return this.#mine.get(index)?.hostPublic ?? null;
  }

  /** Return the name of the last member who came in by it; null without one. */
  cameIn(index: number): string | null {
    return this.#came.get(index)?.at(-1) ?? null;
  }

  /** Return the name of the removed member who came in by it; null without one. */
  removedWith(index: number): string | null {
    return this.#removed.get(index) ?? null;
  }

  /** Return whether there is anything to revoke: an own invite, or one that somebody has used. */
  known(index: number): boolean {
    return this.#mine.has(index) || this.#came.has(index);
  }

  /** Return all known invites: our own in order of creation, then the others by index. */
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

/** Return the phrase that names an invite in a sentence. */
export function inviteName(index: number, label: string | null): Sentence {
  if (label) return sentence("invite.label", { label, index });
  if (index === 0) return sentence("invite.open");
  return sentence(label === null ? "invite.other" : "invite.number", { index });
}
