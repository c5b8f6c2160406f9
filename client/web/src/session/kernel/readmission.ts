/** Our help for crashed hosts and members out of step: in our lobby as a host, or while no host is active. */
import type { Rng } from "../../crypto/bytes";
import type { Invite } from "../../crypto/entry/invite";
import type * as lobby from "../../crypto/entry/lobby";
import { ATTENDANTS_MAX, type LobbyPost, MembersLobby, RejoinHelper } from "../entry/helper";
import type { HostLobby } from "../entry/lobby";
import type { Effect, Knocked } from "../events";
import type { RoomSession } from "./room";

/** Attends the lobby while it is our turn, and has the room commit the requests that come there. */
export class Readmission {
  readonly #rng: Rng;
  /** The lobby that we attend as a member; null while we don't. */
  members: MembersLobby | null = null;
  #helper: RejoinHelper | null = null;

  constructor(rng: Rng) {
    this.#rng = rng;
  }

  /** Do what is due, in the host's lobby if there is one; return the effects of leaving the lobby. */
  async attend(room: RoomSession, host: HostLobby | null, link: Invite, now: number): Promise<Effect[]> {
    let left: Effect[] = [];
    const helper = this.#helping(room);
    const attend =
      host === null && room.sync.isEntered && room.rank < ATTENDANTS_MAX && room.hostless(now);
    if (!attend) left = this.close();
    else this.members ??= new MembersLobby(link, this.#rng);
    await this.members?.tick(now);
    const place = host ?? this.members;
    if (place !== null)
      for (const wanted of await helper.tick(room, place, now)) await room.queue(wanted, now);
    return left;
  }

  /** Process a request, or another member's offer; return the question for our person, if any. */
  messagePosted(day: number, said: lobby.RecoveryMessage, room: RoomSession, now: number): Promise<Knocked | null> {
    return this.#helping(room).messagePosted(day, said, room, now);
  }

  /** Let a host come back, or refuse it; CommandError if none asks under that number. */
  decide(number: number, admit: boolean, room: RoomSession, now: number): void {
    this.#helping(room).decide(number, admit, now);
  }

  /** Return the numbers of the returning hosts that our person may still answer. */
  waiting(now: number): number[] {
    return this.#helper?.waiting(now) ?? [];
  }

  /** Answer a request, in that lobby: our commit of it has come back. */
  async answer(number: number, answer: lobby.Answer, room: RoomSession, place: LobbyPost): Promise<void> {
    await this.#helping(room).answer(number, answer, place);
  }

  /** Leave the lobby; return the effects of that. */
  close(): Effect[] {
    const left = this.members;
    this.members = null;
    left?.close();
    return left?.effects ?? [];
  }

  #helping(room: RoomSession): RejoinHelper {
    return (this.#helper ??= new RejoinHelper(room.doorKey.seed, this.#rng));
  }
}
