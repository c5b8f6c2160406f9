/** Our help for crashed hosts and members out of step: in our lobby as a host, or while no host is active. */
import type { Bytes, Rng } from "../../crypto/bytes";
import type { Invite } from "../../crypto/entry/invite";
import type { Answer } from "../../crypto/entry/answers";
import * as lobby from "../../crypto/entry/lobby";
import { ATTENDANTS_MAX } from "../entry/attendants";
import type { Attended, MembersLobby, RejoinHelper } from "../entry/helper";
import type { HostLobby } from "../entry/lobby";
import type { PostedMessage } from "../entry/lobbyConnections";
import type { Effect, Knocked } from "../events";
import { interval } from "../monitor/heartbeats";
import { load } from "./load";
import type { RoomSession } from "./room";

/** Intervals between beats after which only members of our own room can still count as heard. */
export const HEARD_BEFORE = 4;
/** Seconds between two requests for a card of a host elsewhere. */
export const ASK_EVERY = 10;

/** Attends the lobby while it is our turn, and has the room commit the requests that come there. */
export class Readmission {
  readonly #nextNumber: () => number;
  readonly #rng: Rng;
  /** The lobby that we attend as a member; null while we don't. */
  members: MembersLobby | null = null;
  #helper: RejoinHelper | null = null;
  #alone = false;
  #askedAt = 0;
  /** Of our last request for a card. */
  #nonce: Bytes | null = null;

  constructor(nextNumber: () => number, rng: Rng) {
    this.#nextNumber = nextNumber;
    this.#rng = rng;
  }

  /** Do what is due, in the host's lobby if there is one; return the effects of leaving the lobby. */
  async attend(room: RoomSession, host: HostLobby | null, link: Invite, now: number): Promise<Effect[]> {
    let left: Effect[] = [];
    const attend =
      host === null && room.sync.isEntered && room.rank < ATTENDANTS_MAX && room.hostless(now);
    if (!attend) left = this.close();
    else this.members ??= new (await load()).MembersLobby(link, this.#rng);
    await this.members?.tick(now);
    const place = host ?? this.members;
    this.#alone = this.#isAlone(room, now);
    if (place !== null) {
      if (room.isSynced(now)) await place.follow(room.here.origin);
      const helper = await this.#helping(room);
      for (const wanted of await helper.tick(room, place, now)) await room.queue(wanted, now);
      const days = [...place.entered];
      if (this.#alone && days.length > 0 && now - this.#askedAt >= ASK_EVERY) {
        this.#askedAt = now;
        const nonce = (this.#nonce = this.#rng(16));
        for (const day of days) await place.post(day, { type: "CardRequest", nonce });
      }
    }
    return left;
  }

  /**
   * Return whether we have heard nobody for long, in rooms that were new when we entered them.
   *
   * The hosts' keys may have changed while we were away: after a restart of the server the others meet under another
   * number. Or somebody departed at a further server, and they have another place there.
   */
  #isAlone(room: RoomSession, now: number): boolean {
    const { membership: m, sync } = room;
    const members = m.members();
    if (sync.newRoomSince === null || now - sync.newRoomSince < HEARD_BEFORE * interval(members.length)) return false;
    const others = members.filter(({ leaf }) => leaf !== m.ownLeaf);
    if (others.length > 0 && !others.some(({ leaf }) => room.heardRecently(leaf, now))) return true;
    sync.newRoomSince = null;
    return false;
  }

  /** Process a request, an offer or another host's card; return the question for our person, if any. */
  async messagePosted(
    day: number,
    { message: said, handle }: PostedMessage,
    room: RoomSession,
    now: number,
  ): Promise<Knocked | null> {
    if (said.type === "Card" && this.#alone && this.#nonce !== null)
      await (await load()).cardPosted(said, this.#nonce, room);
    if (said.type !== "RecoveryMessage") return null;
    return await (await this.#helping(room)).messagePosted(said, { day, handle }, room, now);
  }

  /** Return whether a returning host asks, or has asked, under that number. */
  isHost(number: number): boolean {
    return this.#helper?.isHost(number) ?? false;
  }

  /** Let a host come back, or refuse it; CommandError if none asks under that number. */
  async decide(number: number, admit: boolean, room: RoomSession, now: number): Promise<void> {
    (await this.#helping(room)).decide(number, admit, now);
  }

  /** Return the numbers of the returning hosts that our person may still answer. */
  waiting(now: number): number[] {
    return this.#helper?.waiting(now) ?? [];
  }

  /** Answer a request, in that lobby: our commit of it has come back. */
  async answer(
    number: number,
    answer: Answer,
    pieces: readonly lobby.Piece[],
    room: RoomSession,
    place: Attended,
    now: number,
  ): Promise<void> {
    await (await this.#helping(room)).answer(number, answer, pieces, place, now);
  }

  /** Leave the lobby; return the effects of that. */
  close(): Effect[] {
    const left = this.members;
    this.members = null;
    left?.close();
    return left?.effects ?? [];
  }

  async #helping(room: RoomSession): Promise<RejoinHelper> {
    return (this.#helper ??= new (await load()).RejoinHelper(room.doorKey.seed, this.#nextNumber, this.#rng));
  }
}
