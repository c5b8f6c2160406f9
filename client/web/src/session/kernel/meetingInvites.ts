/** A participant's invites to its meeting: the one that it came by, and those that it makes as a host. */
import { hex, type Rng } from "../../crypto/bytes";
import { type HostSeed, type Invite, linkPsk } from "../../crypto/entry/invite";
import { LINK_PSK_ID } from "../../crypto/agreed/policy";
import { SINGLE_USE } from "../../crypto/agreed/roomState";
import type * as mls from "../../mls";
import { CommandError, sentence } from "../../words/sentence";
import * as sentences from "../catalogue/sentences";
import { inviteName, InviteBook } from "../entry/invites";
import type { Event, InviteMade } from "../events";
import { Revocation } from "../features/revocation";
import type { RoomSession } from "./room";

/** Lives as long as the participant, through rejoins and changes of host. */
export class MeetingInvites {
  /** The invite that we came by or opened; as a host, the open one. */
  own: Invite;
  readonly book = new InviteBook();
  /** Index of the open invite, for everybody without a personal one; null without one. */
  #open: number | null = null;
  readonly #rng: Rng;

  constructor(own: Invite, rng: Rng) {
    this.own = own;
    this.#rng = rng;
  }

  /** The PSK that every newcomer has from the link. */
  get psks(): mls.Psks {
    return new Map([[hex(LINK_PSK_ID), linkPsk(this.own.secret)]]);
  }

  /** Return the invite of that index to this meeting. */
  invite(seed: HostSeed, index: number): Invite {
    return seed.invite(this.own.origin, this.own.secret, index, this.own.servers);
  }

  // -- the host role --------------------------------------------------------------------------------------

  /** Record the open invite of a new meeting. */
  opened(): InviteMade {
    this.#open = 0;
    this.book.first();
    return inviteMade(this.own);
  }

  /** Go on as a host, with the invite that we came by. */
  becomeHost(seed: HostSeed): void {
    this.own = this.invite(seed, this.own.index);
    this.#open = this.own.index & SINGLE_USE ? null : this.own.index;
  }

  /** Offer no open invite any more. */
  stopHosting(): void {
    this.#open = null;
  }

  // -- making and revoking --------------------------------------------------------------------------------

  /** Make an invite; CommandError if that is impossible. */
  make(room: RoomSession, wanted: { readonly label: string; readonly once: boolean }): InviteMade {
    if (room.hostSeed === null) throw new CommandError(sentence("room.host_only"));
    const known = [...room.membership.ledger.used, ...room.membership.ledger.revoked];
    const index = this.book.make(wanted.label, wanted.once, known, this.#rng);
    return inviteMade(this.invite(room.hostSeed, index), wanted);
  }

  /** Replace the open link after a removal has revoked it: the removed member still holds it. */
  replaceOpen(room: RoomSession): Event | null {
    const old = this.#open;
    const { ledger } = room.membership;
    if (old === null || !ledger.revoked.has(old) || room.hostSeed === null || room.ended !== null) return null;
    this.#open = null;
    if (this.book.takenBack.has(old)) return null;
    try {
      this.#open = this.book.make("", false, [...ledger.used, ...ledger.revoked], this.#rng);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      return sentences.alarm("not_done", { why: error.sentence });
    }
    this.own = this.invite(room.hostSeed, this.#open);
    return { ...inviteMade(this.own), replaces: old };
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
    if (index === this.#open) this.#open = null;
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
      if (roster.invite !== null)
        room.effects[i] = { type: "Tell", event: { ...roster, label: this.book.label(roster.invite) } };
    }
    for (const index of room.feature(Revocation).revoked) this.book.takenBack.add(index);
  }
}

/** Return the event that shows an invite. */
export const inviteMade = (invite: Invite, { label, once } = { label: "", once: false }): InviteMade => ({
  type: "InviteMade",
  link: invite.link(),
  index: invite.index,
  label,
  once,
  replaces: null,
});
