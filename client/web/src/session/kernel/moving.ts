/** When to look for the room at another server of the policy's list (protocol section 12). */
import { OPEN_WAIT } from "../../wire/limits";
import * as sentences from "../catalogue/sentences";
import type { Places } from "./places";
import type { Room } from "./ports";

/** Seconds without the room before a member tries another server. */
export const MOVE_AFTER = 1.5;
/** The same if the room at the next server is open for us: our network works, and the server does. */
export const READY_MOVE_AFTER = 0.5;
/** Seconds for which a member waits to come into step at one server, before it tries the next. */
export const PLACE_WAIT = 3;
/** The same where the meeting began, if that server has let us in: our own network may be slow. */
export const HOME_WAIT = 10;
/** The same where nobody has opened the room yet: without a host, members can open it after `OPEN_WAIT`. */
export const UNOPENED_WAIT = OPEN_WAIT + 4;
/** The same at a further server if no host was there, and members have places of their own. */
export const UNOPENED_MEMBERS_WAIT = 0.5;
/** Seconds for which members look at each other's places; then for as long they leave that, and so on by turns. */
export const MEMBERS_TIME = 30;
/** The members whose places are tried at one server. */
export const OPENERS_MAX = 5;
/** Seconds for which a member waits at a further server for a host that was with it to open the room there. */
export const HOST_WAIT = 0.75;
/** The same for a connection to the first server again, once another one has let us in: our network works. */
export const CHECK_WAIT = 1;
/** Seconds at one server, however its slot changes, without coming into step. */
export const SERVER_MAX = 25;
/** Seconds for which a member tries one server after the other without longer pauses. */
export const SEARCH_TIME = 15;

/** A server of the policy's list, from 1, and an attempt there; 0 where the meeting began. */
type Called = readonly [server: number, attempt: number];

/** One membership's search. It knows no server's word: only whether we are in step, and since when. */
export class Moving {
  readonly #room: Room;
  readonly #places: Places;
  #origin: string;
  #withoutSince: number | null;
  #beganAt: number;
  #movedAt: number;
  #slot: number | null = null;
  /** The server of the list, and attempt there, to go to next. */
  #called: Called | null = null;
  /** The members, but hosts, at whose places we look; and whether a host was with us. */
  #openers: readonly number[] | null = null;
  #hosted = false;
  #notedAt = 0;
  /** Whether the further server has let us in. */
  #reached = false;
  /** Whether the first server was tried again after another one had let us in, and whether it is just now. */
  #checked = false;
  #checks = false;
  /** For the others: they are not here. */
  #looks = false;
  #away = false;
  /** Whether a person was told that we are away. */
  #told = false;
  /** Whether a person was told that the meeting goes on at another server. */
  #promised = false;

  constructor(room: Room, places: Places, now: number) {
    this.#room = room;
    this.#places = places;
    this.#origin = places.origin;
    this.#withoutSince = this.#beganAt = this.#movedAt = now;
  }

  /**
   * Let time pass. Return whether this connection is to be given up for another server's.
   *
   * `entered`: this server has let us in; `inside`: and we are in step; `slot`: its open room's.
   */
  tick(now: number, inside: boolean, entered: boolean, slot: number | null): boolean {
    if (slot !== this.#slot) {
      this.#slot = slot; // others hand over what happened
      this.#movedAt = now;
    }
    this.#reached ||= entered && !this.#places.isHome;
    if (inside) this.cameBack(true);
    if (inside || this.#room.needsRejoin) {
      this.#withoutSince = this.#openers = null;
      this.#checked = this.#looks = false;
      return false;
    }
    this.#withoutSince ??= now;
    if (this.#openers === null) this.#noteOpeners(now, true);
    if (!this.#isDue(now)) return false;
    if (entered && slot === null && !this.#places.isHome && this.#goesOnFromAnEmptyServer(now)) return true;
    const waited = now - Math.max(this.#beganAt, this.#movedAt);
    return waited > this.#wait(now, entered, slot) || now - this.#beganAt > SERVER_MAX;
  }

  /** Return the seconds for which we wait at this place to come into step. */
  #wait(now: number, entered: boolean, slot: number | null): number {
    const { isHome, attempt } = this.#places;
    if (entered && slot === null && attempt === 0) {
      if (isHome || this.#leaves(now).length === 0) return UNOPENED_WAIT;
      if (!this.#hosted) return UNOPENED_MEMBERS_WAIT;
    }
    if (this.#checks && !entered) return CHECK_WAIT;
    return entered && isHome ? HOME_WAIT : PLACE_WAIT;
  }

  /** Return the members at whose places we look now. */
  #leaves(now: number): readonly number[] {
    return (now - this.#notedAt) % (2 * MEMBERS_TIME) < MEMBERS_TIME ? (this.#openers ?? []) : [];
  }

  /**
   * Note at whose places to look: of all, in one order, whomever each of us has heard.
   *
   * `own`: at ours too; not if we look for others while we are in step.
   */
  #noteOpeners(now: number, own: boolean): void {
    const { membership: m } = this.#room;
    const isHeard = (leaf: number): boolean => leaf === m.ownLeaf || this.#room.heardRecently(leaf, now);
    this.#hosted = m.members().some(({ leaf, host }) => host && isHeard(leaf));
    if (this.#openers === null) this.#notedAt = now;
    const guests = m.members().filter(({ leaf, host }) => !host && (own || leaf !== m.ownLeaf));
    this.#openers = guests.map(({ leaf }) => leaf).slice(0, OPENERS_MAX);
  }

  /**
   * Return whether to leave a place where nobody has opened the room.
   *
   * Perhaps our own network was away, and the others are where they were: so we look there once more before we open the
   * room here. A host that was with us may be on its way: so it has a moment to come.
   */
  #goesOnFromAnEmptyServer(now: number): boolean {
    if (this.#looks || this.#checked) return this.#looks;
    if (this.#hosted && now - this.#beganAt < HOST_WAIT) return false;
    this.#checked = true;
    this.#called = [0, 0];
    return true;
  }

  /** Return the failures that count for the pause before the next connection: few while we search. */
  soon(failures: number, now: number): number {
    const searches = this.#withoutSince !== null && now - this.#withoutSince < SEARCH_TIME;
    return searches && this.#places.leadsElsewhere ? 0 : failures;
  }

  /** Choose the server for the next connection. */
  async connecting(now: number): Promise<void> {
    const called = this.#called;
    this.#checks = this.#checked && called?.[0] === 0;
    if (called !== null) {
      if (!(await this.#places.go(...called))) await this.#places.go(called[0]);
    } else if (this.#isDue(now)) await this.#places.next(this.#reached ? this.#leaves(now) : []);
    this.#looks &&= !this.#places.isHome;
    this.#beganAt = now;
    this.#called = null;
    this.#reached = false;
  }

  /** The server has not answered us for some seconds: the next connection goes to another one. */
  unanswered(now: number): void {
    if (this.#openers === null) this.#noteOpeners(now, true);
    this.#withoutSince = now - MOVE_AFTER;
  }

  /**
   * Go on with the next connection at that place, or at the next if `called` is null, although we are in step.
   *
   * `together`: a host calls all there.
   */
  leave(now: number, called: Called | null, together: boolean): void {
    this.#promised = together && called !== null && called[0] !== this.#places.server;
    this.#noteOpeners(now, called !== null);
    this.#withoutSince = now - MOVE_AFTER;
    this.#called = called;
    this.#looks = called === null;
    this.#checked = called !== null;
    this.#told ||= called === null; // else a host has said so, or nobody notices
  }

  /** Note that the connection is lost; return whether to tell that: it was there before. */
  wentAway(silently: boolean): boolean {
    const tells = !this.#away && !silently;
    this.#away = true;
    this.#told ||= tells;
    return tells;
  }

  /**
   * Tell that a server has let us in again: a further one only once we are in step there.
   *
   * The same holds for the old one after a move that a host has called: the search may go on.
   */
  cameBack(inStep = false): void {
    if (!this.#away || (this.#promised && !inStep)) return;
    const [told, promised] = [this.#told, this.#promised];
    this.#away = this.#told = this.#promised = false;
    const { origin } = this.#places;
    const moved = origin !== this.#origin;
    this.#origin = origin;
    if (moved) this.#room.tell(sentences.status("back.moved", { origin }));
    else if (promised) this.#room.tell(sentences.status("back.stayed", { origin }));
    else if (told) this.#room.tell(sentences.status("back"));
  }

  #isDue(now: number): boolean {
    if (this.#withoutSince === null) return false;
    if (!this.#places.leadsElsewhere && this.#places.isHome) return false;
    return now - this.#withoutSince >= (this.#room.nextIsReady ? READY_MOVE_AFTER : MOVE_AFTER);
  }
}
