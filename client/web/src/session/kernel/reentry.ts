/** Our own requests to be let in again: made once for a membership, and taken up again when it needs them again. */
import type { Rng } from "../../crypto/bytes";
import { GuestLobby } from "../entry/guest";
import type { RejoinLobby } from "../entry/recovery";
import type { EventOf } from "../events";
import * as sentences from "../catalogue/sentences";
import { load } from "./load";
import type { Me } from "./me";
import type { MeetingInvites } from "./meetingInvites";
import type { RoomSession } from "./room";

/** Return whether that is the lobby in which we ask to be let in again. */
export const isRejoin = (guest: object | null): guest is RejoinLobby => guest instanceof GuestLobby && guest.again;

/** Keeps the requests while a membership lasts: a late answer opens with the keys made for it. */
export class Reentry {
  readonly #rng: Rng;
  #asks: RejoinLobby | null = null;
  /** The leaf of the member that let us in last. */
  #helper: number | null = null;

  constructor(rng: Rng) {
    this.#rng = rng;
  }

  /** Ask the members of `room` to let us in again, in their lobby. */
  async ask(me: Me, room: RoomSession, { own, psks }: MeetingInvites, now: number): Promise<RejoinLobby> {
    await room.membership.rejoinKeys.beginRequest();
    if (this.#asks === null || !this.#asks.isFor(room))
      this.#asks = await (await load()).rejoinLobby(me, room, own, { psks, first: this.#helper, now, rng: this.#rng });
    else this.#asks.beginAgain(now);
    this.#asks.final = room.absentBy !== "";
    return this.#asks;
  }

  /** Return the alarm that says why we ask. */
  reason(room: RoomSession, now: number): EventOf<"Alarm"> {
    if (room.absentBy !== "") return sentences.alarm("rejoining.absent", { who: room.absentBy });
    if (room.needsRejoin) return sentences.alarm("rejoining");
    const { slot: mine } = room.membership.journal;
    const slot = room.serverSlot ?? 0;
    const isOutside = slot === mine && room.isShutOut(now) && !room.sync.elsewhere;
    if (isOutside) return sentences.alarm("rejoining"); // it has been told that it is outside
    return sentences.alarm(slot < mine ? "rejoining.outrun" : "rejoining.server");
  }

  /** Return whether the membership goes on without an answer. */
  async goesOn(guest: RejoinLobby, room: RoomSession, now: number): Promise<boolean> {
    if (room.needsRejoin && !room.isReplaced && guest.nobodyIsAhead(room, now)) {
      await guest.askOnceMore(now);
      await room.resume(now);
    }
    return !room.seeksReadmission;
  }

  /** Forget the requests: we are in by an answer. */
  entered(guest: object): void {
    if (isRejoin(guest) && guest.helpedBy !== null) this.#helper = guest.helpedBy;
    this.#asks = null;
  }
}
