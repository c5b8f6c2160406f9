/**
 * Members whose names knocks have: heard or silent, and whether a knock may take a silent one's place.
 *
 * Two present members never have names that look alike (SNUG-11). So a person who knocks from a second device, while the
 * first one is still on the list, cannot come in beside it. A server can make any member silent. Silence therefore proves
 * nothing, and a knock takes a silent member's place only if it shows what that member has shown: its identity, or the
 * personal invite that admitted it.
 */
import { type Bytes, same } from "../../crypto/bytes";
import type { OpenedKnock } from "../../crypto/entry/hostsLobby";
import { skeletons } from "../../crypto/agreed/names";
import { SINGLE_USE } from "../../crypto/agreed/roomState";
import { type Sentence, sentence } from "../../words/sentence";
import type { Knocked, Proof } from "../events";
import { Vouching } from "../features/identity";
import type { Room } from "../kernel/ports";
import { Monitor } from "../monitor/monitor";

/** Minimum seconds between two looks at who is silent now, and between two reports about one knock. */
export const LOOK_EVERY = 1;
export const TELL_EVERY = 10;

/** A member whose name a knock has, or a name that looks like it; `proof` is set for silent ones only. */
export interface NameHolder {
  readonly leaf: number;
  readonly key: Bytes;
  readonly name: string;
  readonly silent: boolean;
  readonly proof: Proof | null;
  /** The knock shows the personal invite that admitted it. */
  readonly sameInvite: boolean;
}

/** Return what a host should know before it decides. */
export function warning({ name, silent, proof }: NameHolder): Sentence {
  if (!silent) return sentence("warning.name_held", { name });
  if (proof === null) return sentence("warning.name_silent", { name });
  return sentence(proof === "identity" ? "warning.name_silent.identity" : "warning.name_silent.invite", { name });
}

/** Finds the members whose names knocks have, at one moment. */
export class NameHolders {
  readonly #room: Room;
  readonly #now: number;
  readonly #byLook: ReadonlyMap<string, number>;

  constructor(room: Room, now: number) {
    this.#room = room;
    this.#now = now;
    this.#byLook = new Map(room.membership.members().flatMap(({ leaf, name }) => looks(name).map((look) => [look, leaf])));
  }

  /** Return the member whose name that knock has; null if nobody has it. */
  of(knock: OpenedKnock): NameHolder | null {
    const leaf = looks(knock.name).map((look) => this.#byLook.get(look)).find((each) => each !== undefined);
    if (leaf === undefined) return null;
    const m = this.#room.membership;
    const key = m.signatureKey(leaf) ?? new Uint8Array();
    const silent = this.#room.feature(Monitor).isSilent(leaf, this.#now);
    const found: NameHolder = { leaf, key, name: m.name(leaf), silent, proof: null, sameInvite: false };
    if (!silent || m.isHost(leaf)) return found; // a host comes back by the return key (SNUG-9)
    const shown = this.#room.feature(Vouching).identityOf(key);
    const sameInvite = (knock.index & SINGLE_USE) !== 0 && knock.index === m.ledger.inviteOf(leaf);
    const proven = shown !== null && knock.identity !== null && same(knock.identity, shown);
    return { ...found, proof: proven ? "identity" : sameInvite ? "invite" : null, sameInvite };
  }
}

const looks = (name: string): string[] => skeletons(name).map((look, at) => `${at}${look}`);

/** Return whether both are the same news for a host. */
export const sameHolder = (one: NameHolder | null, other: NameHolder | null): boolean =>
  one === null || other === null
    ? one === other
    : one.leaf === other.leaf && same(one.key, other.key) && one.silent === other.silent &&
      one.proof === other.proof && one.sameInvite === other.sameInvite;

/** Return what a host is told of a knock whose name that member has; `knocked` is without it. */
export function withHolder(knocked: Knocked, holder: NameHolder | null): Knocked {
  if (holder === null) return knocked;
  const { name: looksLike, silent, proof } = holder;
  return { ...knocked, looksLike, silent, proof, warnings: [warning(holder), ...knocked.warnings] };
}
