/** A participant's invites to its meeting: the one that it came by, and those that it makes as a host. */
import { hex, type Rng } from "../../crypto/bytes";
import { type Invite, linkPsk } from "../../crypto/entry/invite";
import { LINK_PSK_ID } from "../../crypto/agreed/policy";
import { SINGLE_USE } from "../../crypto/agreed/roomState";
import type * as mls from "../../mls";
import { CommandError, sentence } from "../../words/sentence";
import * as sentences from "../catalogue/sentences";
import { inviteName, InviteBook } from "../entry/invites";
import type { Event, InviteMade } from "../events";
import { currentKeys } from "../features/hostKeyTransfer";
import { Revocation } from "../features/revocation";
import type { RoomSession } from "./room";

interface Wanted {
  readonly label: string;
  readonly once: boolean;
}

/** Lives as long as the participant, through rejoins and changes of host. */
export class MeetingInvites {
  /** The invite that we came by or opened; as a host, the open one. */
  own: Invite;
  readonly book = new InviteBook();
  /** The server whose address the open link has, as it was told at last. */
  at: string;
  /** Index of the open invite, for everybody without a personal one; null without one. */
  open: number | null = null;
  /** Invites that were asked for while the hosts' keys were about to change. */
  #waiting: Wanted[] = [];
  readonly #rng: Rng;

  constructor(own: Invite, rng: Rng) {
    this.own = own;
    this.at = own.origin;
    this.#rng = rng;
  }

  /** The PSK that every newcomer has from the link. */
  get psks(): mls.Psks {
    return new Map([[hex(LINK_PSK_ID), linkPsk(this.own.secret)]]);
  }

  // -- the host role --------------------------------------------------------------------------------------

  /** Record the open invite of a new meeting. */
  opened(): InviteMade {
    this.open = this.own.index;
    this.book.first(this.own.hostPublic);
    return inviteMade(this.own);
  }

  /** Go on as a host, with the invite that we came by. */
  becomeHost(): void {
    this.open = this.own.index & SINGLE_USE ? null : this.own.index;
  }

  /** Make another open link, because former hosts know the keys of the one before. */
  keysChanged(room: RoomSession): Event | null {
    const old = this.open;
    this.open = null;
    if (old === null || room.ended !== null) return null;
    return this.#openAnew(room, room.membership.ledger.revoked.has(old) ? old : null);
  }

  /** Offer no open invite any more. */
  stopHosting(): void {
    this.open = null;
    this.#waiting = [];
  }

  // -- making and revoking --------------------------------------------------------------------------------

  /** Make an invite; CommandError if that is impossible. */
  make(room: RoomSession, wanted: Wanted): InviteMade {
    return inviteMade(this.#make(room, wanted.label, wanted.once), room.here.origin, wanted);
  }

  /**
   * Make an invite; null if the hosts' keys are about to change: `makeWaiting` makes it then.
   *
   * Hosts are asked about every newcomer with an invite of earlier keys, so it would be outdated at once.
   */
  request(room: RoomSession, wanted: Wanted): InviteMade | null {
    if (!keysChange(room)) return this.make(room, wanted);
    this.#waiting.push(wanted);
    return null;
  }

  /** Make the invites that have waited for the hosts' new keys. */
  makeWaiting(room: RoomSession): Event[] {
    if (this.#waiting.length === 0 || keysChange(room)) return [];
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting.map((wanted) => orWhy(() => this.make(room, wanted)));
  }

  #make(room: RoomSession, label: string, once: boolean): Invite {
    const { hostKeys: keys, membership: m } = room;
    if (keys === null) throw new CommandError(sentence("room.host_only"));
    const known = [...m.ledger.used, ...m.ledger.revoked];
    const index = this.book.make(label, once, keys.current.hostPublic, known, this.#rng);
    const servers = room.membership.policy.origins;
    return keys.current.invite(this.own.origin, this.own.secret, index, servers);
  }

  /** Replace the open link after a removal has revoked it: the removed member still holds it. */
  replaceOpen(room: RoomSession): Event | null {
    const old = this.open;
    const { ledger } = room.membership;
    if (old === null || !ledger.revoked.has(old) || room.ended !== null) return null;
    if (keysChange(room)) return null; // `keysChanged` makes one
    this.open = null;
    return this.book.takenBack.has(old) ? null : this.#openAnew(room, old);
  }

  #openAnew(room: RoomSession, replaces: number | null): Event {
    return orWhy(() => {
      this.own = this.#make(room, "", false);
      this.open = this.own.index;
      this.at = room.here.origin;
      return { ...inviteMade(this.own, this.at), replaces };
    });
  }

  /** Revoke an invite, here and with the other hosts. */
  takeBack(room: RoomSession | null, index: number): void {
    room?.feature(Revocation).revoke(index);
    this.book.takenBack.add(index);
  }

  /** Revoke an invite as a person asks; CommandError if it is unknown (`inLobby`: not to us) or over. */
  revoke(room: RoomSession, index: number, inLobby: boolean): Event {
    if (!this.book.known(index) && !inLobby)
      throw new CommandError(sentence("cannot.invite_unknown", { index }));
    if (this.book.takenBack.has(index) || room.membership.ledger.revoked.has(index))
      throw new CommandError(sentence("cannot.invite_over", { index }));
    if (index === this.open) this.open = null;
    this.takeBack(room, index);
    return sentences.status("revoked", { invite: inviteName(index, this.book.label(index)) });
  }

  // -- recording ------------------------------------------------------------------------------------------

  /** Record who joined and left by which invite, and revocations by hosts; add our labels. */
  record(room: RoomSession): void {
    for (const [i, effect] of room.effects.entries()) {
      if (effect.type !== "Tell" || effect.event.type !== "Roster") continue;
      const roster = effect.event;
      this.book.changed(roster);
      const added = roster.added.map((each) => ({ ...each, label: this.book.label(each.invite ?? -1) }));
      room.effects[i] = { type: "Tell", event: { ...roster, added } };
    }
    for (const index of room.feature(Revocation).revoked) this.book.takenBack.add(index);
  }
}

/** Whether invites of the keys that we hold are about to be outdated, or are already. */
const keysChange = (room: RoomSession): boolean => room.membership.ledger.rotationDue || currentKeys(room) === null;

/** Return the invite that `make` makes, or an alarm with the reason that it cannot be made. */
function orWhy(make: () => Event): Event {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return sentences.alarm("not_done", { why: error.sentence });
  }
}

/** Return the event that shows an invite; `at`: the server that has the meeting now. */
export const inviteMade = (invite: Invite, at = "", { label, once } = { label: "", once: false }): InviteMade => ({
  type: "InviteMade",
  link: invite.link(at),
  index: invite.index,
  label,
  once,
  replaces: null,
});
