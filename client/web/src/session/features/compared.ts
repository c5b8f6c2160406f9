/**
 * The codes that a person has compared, and the changes in the room since (protocol section 8).
 *
 * Members are identified by their leaves' signature keys. A rejoin keeps the key, and nobody else gets it: a member
 * that rejoins is not new, and a member that takes over a name or a leaf is.
 */
import { hex } from "../../crypto/bytes";
import { CommandError, type Sentence, sentence } from "../../words/sentence";
import type { Comparison } from "../events";
import { inviteName } from "../entry/invites";
import type { Membership } from "../kernel/membership";
import type { Change } from "../kernel/verdict";
import { changes as policyChanges } from "./roles";

/** Changes that are kept as sentences; newcomers are identified by keys, without this limit. */
export const CHANGES_MAX = 200;
/** Epochs whose digits a person may still confirm. */
export const DIGITS_MAX = 16;
/**
 * Minimum number of digits that identify the compared code: a committer who changes the keys until a new code begins
 * like one that was read out has 10^10 beginnings to try.
 */
export const DIGITS_MIN = 10;
/** Seconds within which nobody can have read 40 digits. */
export const JUST_NOW = 10;

/** A code that was shown: its epoch, and the members that it covers (names by signature key, hex). */
export interface ShownCode {
  readonly epoch: number;
  readonly members: ReadonlyMap<string, string>;
  readonly at: number;
}

interface Digits extends ShownCode {
  readonly digits: string;
  /** Whether a member came in with this epoch. */
  readonly newcomers: boolean;
}

interface Basis {
  readonly how: "short" | "digits";
  readonly same: boolean;
  readonly seen: ShownCode;
}

/** Return the members' names by signature key (hex). */
export const membersOf = (m: Membership): Map<string, string> =>
  new Map(m.members().map(({ leaf, name }) => [hex(m.signatureKey(leaf) ?? new Uint8Array()), name]));

/** One person's codes and comparisons, for as long as the meeting lasts. */
export class Comparisons {
  #basis: Basis | null = null;
  #digits: Digits[] = [];
  #changes: { readonly epoch: number; readonly text: Sentence }[] = [];
  #here: Map<string, string> = new Map();

  /** Start with the first epoch, or the first after a rejoin: then members may have come and gone. */
  begin(m: Membership, now: number): void {
    const here = membersOf(m);
    const epoch = m.group.epoch;
    const came = this.#here.size === 0 ? [] : [...here].filter(([key]) => !this.#here.has(key));
    const went = [...this.#here].filter(([key]) => !here.has(key));
    for (const [, name] of came) this.#changed(epoch, sentence("since.came_meanwhile", { name }));
    for (const [, name] of went) this.#changed(epoch, sentence("since.went_meanwhile", { name }));
    this.#here = here;
    this.#shown({ epoch, members: here, at: now, digits: m.code, newcomers: came.length > 0 });
  }

  /** Record an adopted commit (`m`: the membership after it); return whether more than keys changed. */
  adopted(change: Change, m: Membership, now: number): boolean {
    const epoch = m.group.epoch;
    const said = sentences(change, m);
    for (const text of said) this.#changed(epoch, text);
    this.#here = membersOf(m);
    const newcomers = change.added.length > 0 && !change.rejoined;
    this.#shown({ epoch, members: this.#here, at: now, digits: m.code, newcomers });
    return said.length > 0;
  }

  #changed(epoch: number, text: Sentence): void {
    this.#changes.push({ epoch, text });
    if (this.#changes.length > CHANGES_MAX) this.#changes.shift();
  }

  #shown(digits: Digits): void {
    this.#digits.push(digits);
    if (this.#digits.length > DIGITS_MAX) this.#digits.shift();
  }

  // -- a person's statements -----------------------------------------------------------------------------

  /** Record that the four words of `seen` have been compared. */
  short(same: boolean, seen: ShownCode): void {
    this.#basis = { how: "short", same, seen };
  }

  /**
   * Record a comparison of the long code: the current one, or the one that begins with `which`.
   *
   * CommandError if the epoch of the compared digits cannot be determined.
   */
  digits(same: boolean, which: string, now: number): void {
    let found = this.#digits.at(-1);
    if (which) {
      if (which.length < DIGITS_MIN || !/^[0-9]+$/.test(which))
        throw new CommandError(sentence("cannot.digits_few", { least: DIGITS_MIN }));
      const alike = this.#digits.filter((d) => d.digits.startsWith(which));
      if (alike.length === 0) throw new CommandError(sentence("cannot.digits_none"));
      // A committer can choose a few first digits, and so make them stand for other members.
      if (new Set(alike.map((d) => d.digits)).size > 1) throw new CommandError(sentence("cannot.digits_two"));
      found = alike.at(-1);
    } else if (this.#digits.slice(1).some((d) => d.newcomers && now - d.at < JUST_NOW)) {
      throw new CommandError(sentence("cannot.digits_new", { least: DIGITS_MIN }));
    }
    if (found !== undefined) this.#basis = { how: "digits", same, seen: found };
  }

  // -- queries -------------------------------------------------------------------------------------------

  /** Whether the last statement was that the codes are the same. */
  get verified(): boolean {
    return this.#basis !== null && this.#basis.same;
  }

  /** Return the changes since the comparison; null without one. `news`: this epoch has added to them. */
  state(m: Membership, news: boolean): Comparison | null {
    const basis = this.#basis;
    if (basis === null) return null;
    const known = (leaf: number): boolean =>
      basis.same && basis.seen.members.has(hex(m.signatureKey(leaf) ?? new Uint8Array()));
    const members = m.members().map((member) => ({ ...member, newSince: !known(member.leaf) }));
    const since = this.#changes.filter(({ epoch }) => epoch > basis.seen.epoch).map(({ text }) => text);
    return {
      type: "Comparison",
      epoch: m.group.epoch,
      compared: basis.seen.epoch,
      how: basis.how,
      same: basis.same,
      news,
      members,
      changes: since,
      text: comparisonText(
        basis,
        since,
        members.filter((member) => member.newSince).map((member) => member.name),
      ),
    };
  }
}

function comparisonText(basis: Basis, since: readonly Sentence[], names: readonly string[]): Sentence {
  if (!basis.same) return sentence("compared.different");
  if (since.length === 0) return sentence("compared.same");
  if (names.length === 0) return sentence("compared.since", { changes: since });
  return sentence("compared.since.new", { changes: since, names });
}

/** Return a commit's changes that matter to a comparison, each with its author. */
function sentences(change: Change, m: Membership): Sentence[] {
  const by = m.who(change.by);
  const said: Sentence[] = [];
  if (!change.rejoined) {
    for (const { name, invite } of change.added)
      said.push(
        change.back
          ? sentence("since.back", { name })
          : invite === null
          ? sentence("since.came", { name, by })
          : sentence("since.came_by", { name, by, invite: inviteName(invite, "") }),
      );
    for (const { leaf, name } of change.removed)
      said.push(
        change.left.has(leaf) ? sentence("since.left", { name }) : sentence("since.removed", { name, by }),
      );
  }
  for (const event of policyChanges(change, m))
    if (event.kind === "host" || event.kind === "no_host")
      said.push(sentence("since.policy", { text: event.text }));
  return said;
}
