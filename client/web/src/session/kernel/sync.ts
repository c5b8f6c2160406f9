/**
 * In step with the server's room: one connection after another, and the slot there compared with our own.
 *
 * Protocol sections 3, 5 and 6. One method, `step`, compares the slot of the server's room with our own history and
 * takes the next step:
 *
 *     the room is not open       open it at the oldest slot that we can replay from
 *     the room is ahead of us    show our pass, catch up
 *     the room is behind us      show that slot's pass, hand over the blob that followed
 *     no pass of ours fits       open it again, as soon as the server permits it; a host commits
 *     we are in sync             show our pass; then `RoomSession` announces, commits and sends
 *
 * A lost socket, a restarted server and a straggler are therefore one case: being at another slot.
 *
 * Opening (`openRoom`) needs no host: a member passes on the last signature of the room admin that it has (G1). Where
 * that does not help, the server accepts any opening once nobody has been inside for `OPEN_WAIT` seconds (G5).
 */
import { type Bytes, same } from "../../crypto/bytes";
import { OPEN_WAIT } from "../../wire/limits";
import type { Challenge, Committed, Entered, Refused } from "../../wire/messages";
import { type Sentence, sentence } from "../../words/sentence";
import { delay } from "./backoff";
import { Denials } from "./denials";
import { Door } from "./door";
import { RoomConnection } from "./roomConnection";
import { connect, ROOM } from "../events";
import { gateFits } from "./journal";
import { openingToPassOn, openRoom, roomAdmin, signedEntry } from "./opening";
import type { Moving } from "./moving";
import type { Room } from "./ports";
import { Relays } from "./relays";
import * as sentences from "../catalogue/sentences";

/** Seconds until a catch-up that exceeded the server's rate limit is requested again. */
export const CATCH_UP_RETRY = 1.5;
/** Seconds without an acknowledgement of our pass before we connect anew. */
export const SHOW_WAIT = 8;
/**
 * Seconds for which the slot of a restarted server's room must rest before anything new is sent there: while members
 * hand over blobs, the room passes through old slots and has not reached its members' slot.
 */
export const SETTLE = 0.8;
/** Seconds for which members leave it to hosts to open the room, and to others to hand over blobs to it. */
export const MEMBER_WAIT = 1;
export const HAND_OVER_WAIT = 3;
/** Seconds between two tries to open the room without a signature of the room admin. */
export const OPEN_RETRY = 3;
/** Seconds until a blob is handed over again that the server has not taken. */
export const HAND_OVER_RETRY = 2;
/** Seconds until our passes, all refused, are shown again at a slot beyond ours. */
export const SHOW_RETRY = 8;
/** Seconds outside before a person is told, and until we ask to be let in again in the lobby. */
export const OUTSIDE_TELL = 5;
export const OUTSIDE_WAIT = 45;

/** One membership's place in the server's room. */
export class Sync {
  readonly #room: Room;
  readonly #moving: Moving;
  /** The open connection; null without one. */
  connection: RoomConnection | null = null;
  /** The server's current slot; null while it is unknown. */
  slot: number | null = null;
  /** The incarnation of the server's process, 8 bytes; null before we first entered. */
  incarnation: Bytes | null = null;
  /** The slot whose commit we alone cannot read; null without one. */
  stuckAt: number | null = null;
  /** Whether the server's room was opened at a slot that we have, with another history. */
  astray = false;
  /** Whether a host's card shows that the others are elsewhere, and we have heard nobody since. */
  elsewhere = false;
  /** Since when no pass of ours fits, or the room is not open; null while one does. */
  #outsideSince: number | null = null;
  #toldOutside = false;
  /** When we entered a room that was new then: others may be in another one, under keys unknown to us. */
  newRoomSince: number | null = null;
  /**
   * Whether the server claims a slot that it does not hand over: we ask the members to let us in again. The membership
   * stays, and goes on if the server yields (decision 43).
   */
  seeksReadmission = false;
  readonly relays = new Relays();
  readonly #denials = new Denials();
  #settling = false;
  #movedAt: number;
  #reconnectAt: number | null = null;
  #failures = 0;
  /** Since when our pass waits for its acknowledgement. */
  #waitingSince: number | null = null;
  #serverKey: Bytes | null = null;
  readonly door: Door;

  constructor(room: Room, moving: Moving, now: number) {
    this.#room = room;
    this.#moving = moving;
    this.door = new Door(room, room.here, room.membership.journal.slot === 0);
    this.#movedAt = now;
  }

  // -- queries --------------------------------------------------------------------------------------------

  /** Whether the server has let us into the room on this connection. */
  get isEntered(): boolean {
    return this.connection?.entered ?? false;
  }

  /** Whether incoming messages may be old, because we are catching up. */
  get catchingUp(): boolean {
    return this.connection?.catchingUp ?? false;
  }

  /** Whether the server has not answered the pass that we showed, or not taken the blob that we handed over. */
  get isUnanswered(): boolean {
    const { connection, slot } = this;
    if (connection === null || slot === null) return false;
    return connection.showing !== null || connection.handingOver === slot + 1;
  }

  /** Return whether we are connected and in step with the server, so that messages reach the others now. */
  isSynced(now: number): boolean {
    const connection = this.connection;
    const room = this.#room;
    return (
      connection !== null &&
      connection.entered &&
      this.slot === room.membership.journal.slot &&
      connection.shown !== null &&
      connection.shown >= this.slot &&
      connection.syncDone &&
      !(this.#settling && now - this.#movedAt < SETTLE) &&
      this.stuckAt === null &&
      !room.needsRejoin &&
      room.ended === null
    );
  }

  /** Whether the gate of our slot is wrong, and a commit of ours opens the room: we are a host. */
  get mayOnlyCommit(): boolean {
    const room = this.#room;
    return (
      this.connection !== null &&
      this.connection.refusals > 1 &&
      room.hostKeys !== null &&
      this.slot === room.membership.journal.slot &&
      !this.astray &&
      !room.needsRejoin &&
      this.stuckAt === null
    );
  }

  /** Whether the room is open and at our slot, and the server has not let us in by our pass yet. */
  get awaitsEntry(): boolean {
    const mine = this.#room.membership.journal.slot;
    const { connection } = this;
    return (
      connection !== null &&
      this.slot === mine &&
      connection.showing !== null &&
      (connection.shown === null || connection.shown < mine)
    );
  }

  // -- connections ----------------------------------------------------------------------------------------

  /** Forget the connection. */
  lost(): void {
    this.connection = null;
    this.slot = null;
    this.relays.lost();
  }

  /** Connect again after a random time, longer after each failure. */
  reconnect(why: Sentence, now: number): void {
    if (this.#moving.wentAway(this.#room.leavesServer))
      this.#room.tell(sentences.status(this.incarnation === null ? "away.first" : "away", { why }));
    this.#reconnectAt = now + delay(this.#moving.soon(this.#failures++, now), this.#room.rng);
    this.#room.perform({ type: "RemoteStreams", streams: [] });
  }

  /** Connect at once, if we are about to: the network has changed. */
  hurry(now: number): void {
    if (this.#reconnectAt !== null) this.#reconnectAt = now;
  }

  /** Connect, anew too, or allow a catch-up, when its time has come. */
  async tick(now: number): Promise<void> {
    if (this.#reconnectAt !== null && now >= this.#reconnectAt) {
      this.#reconnectAt = null;
      await this.#moving.connecting(now);
      this.#room.perform(connect(ROOM, this.#room.here.elsewhere));
    }
    if (this.elsewhere && this.#hearsOthers(now)) this.elsewhere = false;
    const connection = this.connection;
    const mine = this.#room.membership.journal.slot;
    const denies = this.#denials.goesOn(this.#room.here.origin, now);
    const inside = this.slot === mine && (connection?.shown ?? -1) >= mine && !denies;
    if (this.#moving.tick(now, inside, this.isEntered, this.slot) && this.#reconnectAt === null) {
      await this.giveUp(now);
      return;
    }
    if (connection === null) return;
    if (connection.catchUpAgain !== null && now >= connection.catchUpAgain) {
      connection.catchUpAgain = null;
      connection.catchingUp = false;
    }
    if (!this.awaitsEntry) this.#waitingSince = null;
    else if (this.#waitingSince === null) this.#waitingSince = now;
    else if (now - this.#waitingSince > SHOW_WAIT) {
      this.#waitingSince = null;
      await this.giveUp(now);
      return;
    }
    await this.#waitOutside(now);
  }

  /** Connect anew: this connection leads nowhere. */
  async giveUp(now: number, why: "away.unanswered" | "away.denied" = "away.unanswered"): Promise<void> {
    this.#room.perform({ type: "Disconnect", endpoint: ROOM });
    await this.#room.lost(sentence(why), now);
  }

  /** Open the room's door on a new connection. */
  async challenged(challenge: Challenge, now: number): Promise<void> {
    const room = this.#room;
    // Another process knows no room of before; or it is another node, and sends us back to ours.
    const known = this.#serverKey === null || same(challenge.server_key, this.#serverKey);
    const key = known || !room.here.isHome ? null : room.membership.policy.roomAdminPublic;
    this.connection = new RoomConnection(challenge.nonce, challenge.server_key);
    const message = await this.door.message(challenge, now, key);
    if (message !== null) room.send(message);
  }

  /** Take the state of the room that we have entered; return whether the server has restarted. */
  entered(connection: RoomConnection, entered: Entered, now: number): boolean {
    if (this.#serverKey !== null && !same(this.#serverKey, connection.serverKey)) this.#room.roomAdminKeys.takeLatest();
    this.#serverKey = connection.serverKey;
    if (entered.slot === null && this.#room.here.isHome && !this.#room.roomAdminKeys.isLatest) {
      this.#room.roomAdminKeys.takeLatest(); // the server has forgotten the room
      this.#room.perform({ type: "Disconnect", endpoint: ROOM });
      this.lost();
      this.#reconnectAt = now;
      return false;
    }
    connection.entered = true;
    this.door.entered();
    connection.handle = entered.handle;
    this.opened(entered.slot, entered.chain, now);
    const denies = this.#denials.goesOn(this.#room.here.origin, now);
    if (!denies) this.#failures = 0;
    const incarnation = this.#room.here.incarnation(entered.incarnation);
    const restarted = this.incarnation !== null && !same(this.incarnation, incarnation);
    this.incarnation = incarnation;
    if (restarted || entered.slot === null) this.newRoomSince ??= now;
    if (restarted) {
      this.relays.restarted();
      this.#settling = true;
    }
    if (this.#room.here.isHome && !denies) this.#moving.cameBack();
    return restarted;
  }

  // -- the server's answers -------------------------------------------------------------------------------

  /** Record the server's current slot. */
  moveTo(slot: number | null, now: number): void {
    if (slot === this.slot) return;
    this.slot = slot;
    this.#movedAt = now;
    const { connection } = this;
    const beyond = slot !== null && slot > this.#room.membership.journal.slot;
    if (connection !== null && !(beyond && now - connection.refusedAt < SHOW_RETRY)) this.showAgain();
  }

  /** The room was opened at that slot, with that chain, or moves on while we are outside. */
  opened(slot: number | null, chain: Bytes | null, now: number): void {
    const { connection } = this;
    const known = slot === null ? undefined : this.#room.membership.journal.chains.get(slot);
    const other = known !== undefined && (chain === null || !same(known, chain));
    if (connection !== null && (other || known === undefined)) connection.agreed = null;
    const claimed = slot !== null && chain !== null && (known === undefined || other);
    if (connection !== null) connection.claimed = claimed ? [slot, chain] : null;
    // It has let us in there, with our chain. Refusals will show what is true.
    if (other && slot === this.slot && connection !== null && connection.shown !== null) return;
    this.astray = other;
    this.moveTo(slot, now);
    if (connection === null) return;
    connection.committed = connection.shown = null;
    if (known !== undefined && !other) connection.agreed = slot;
    if (known === undefined ? slot === null : chain !== null && same(known, chain)) this.showAgain();
  }

  /** The server's room has, in that slot, a blob that does not follow from our own history. */
  anotherHistory(message: Committed): void {
    if (this.connection?.tellsTwoStories(this.#room.membership.journal.slot, message))
      this.#room.tell(sentences.twoStories(message.slot));
    else this.astray = true;
  }

  /** The room goes on from our own history, up to that slot. */
  goesOn(slot: number): void {
    if (slot > this.#room.membership.journal.slot) this.astray = false;
    if (this.connection !== null) this.connection.agreed = Math.max(this.connection.agreed ?? 0, slot);
  }

  /** Show our passes anew, whatever was refused at the slot before. */
  showAgain(): void {
    if (this.connection !== null) this.connection.refusals = 0;
  }

  /** The server knows that we hold the pass of `slot`. */
  shown(slot: number): void {
    const connection = this.connection;
    if (connection === null) return;
    const wanted = connection.showing;
    connection.showing = null;
    connection.shown = slot;
    if (wanted !== null && slot < wanted) connection.refusals++; // a gate that a host has closed
  }

  /** Our commit came too late: the server is at `slot`. */
  stale(slot: number, now: number): void {
    this.moveTo(slot, now);
  }

  /** All commits up to `slot` have arrived, or are lost. */
  caughtUp(slot: number, now: number): void {
    this.moveTo(slot, now);
    if (this.connection !== null) this.connection.catchingUp = false;
  }

  /** The server has refused one of our messages. */
  async refused(connection: RoomConnection, refused: Refused, now: number): Promise<void> {
    const { about, code } = refused;
    if (about === "room_door") this.door.refused(refused);
    else if (about === "show") {
      this.#showRefused(connection);
      if (connection.refusals > 1) connection.refusedAt = now;
    } else if (about === "commit") connection.handingOver = null;
    else if (about === "catch_up") {
      if (code === "pass" || code === "gone") connection.reachRefused(this.slot, this.#room.membership.journal.slot);
      else if (code === "rate") connection.catchUpAgain = now + CATCH_UP_RETRY;
      else connection.catchingUp = false;
    } else if (about === "media") {
      connection.published = null;
      connection.syncDone &&= code !== "pass";
    }
    if (code !== "pass" || !["commit", "media", "broadcast", "relay"].includes(about)) return;
    const acknowledged = connection.shown !== null && connection.shown >= (this.slot ?? 0);
    connection.shown = null;
    if (acknowledged && this.#denials.denied(this.#room.here.origin, now)) await this.giveUp(now, "away.denied");
  }

  #showRefused(connection: RoomConnection): void {
    const entry = this.#room.membership.journal.entry(connection.showing ?? 0);
    if (connection.refusals === 0 && entry !== null && connection.committed === entry.slot && gateFits(entry) === true)
      // The server has signed a chain over this gate, and says that it is another.
      this.#room.tell(sentences.alarm("gate_denied"));
    connection.refusals++;
    connection.showing = null;
  }

  /** Request the way to the others' slot anew, as if nothing had been refused or left unanswered. */
  askAgain(): void {
    const { connection } = this;
    if (connection === null || !connection.entered) return;
    connection.catchingUp = false;
    connection.showing = connection.catchUpAgain = null;
    this.showAgain();
    this.catchUp(connection);
  }

  // -- steps ----------------------------------------------------------------------------------------------

  /** Take the next step towards the server's slot; return the connection once we are in sync. */
  async step(now: number): Promise<RoomConnection | null> {
    const connection = this.connection;
    const room = this.#room;
    if (connection === null || !connection.entered || room.ended !== null || room.needsRejoin) return null;
    const mine = room.membership.journal.slot;
    if (this.slot === null) {
      if (connection.openedAt === null && (await roomAdmin(room)) !== null) await openRoom(room, connection, null, this.slot, now);
    } else if (this.astray) this.isShown(connection, mine); // and `#waitOutside` opens the room again
    else if (this.slot > mine) {
      // Any pass of the last slots is enough to catch up (G4).
      const shown = connection.shown !== null || this.isShown(connection, mine);
      if (shown && this.stuckAt === null) this.catchUp(connection);
    } else if (this.slot < mine) await this.#handOver(connection, this.slot, now);
    else if (this.isShown(connection, mine)) return connection;
    return null;
  }

  /** Return whether anything new may be sent: the slot of a restarted server's room has come to rest. */
  hasSettled(now: number): boolean {
    if (this.#settling && now - this.#movedAt < SETTLE) return false;
    this.#settling = false;
    return true;
  }

  /** Request what we have missed, unless that is under way. */
  catchUp(connection: RoomConnection): void {
    if (connection.catchingUp) return;
    connection.catchingUp = true;
    this.#room.send({ type: "catch_up", slot: this.#room.membership.journal.slot, relay: this.relays.number });
  }

  /** Return whether the server knows that we hold the pass of `slot`; show the pass if that is still to do. */
  isShown(connection: RoomConnection, slot: number): boolean {
    if (connection.shown !== null && connection.shown >= slot) return true;
    if (connection.showing !== null) return false;
    if (connection.refusals > 1) {
      if (this.stuckAt === null) connection.reachRefused(this.slot, this.#room.membership.journal.slot);
      return false;
    }
    const { journal } = this.#room.membership;
    const entry = journal.entry(slot);
    connection.showing = slot;
    if (entry !== null && connection.refusals === 0 && gateFits(entry) !== false)
      this.#room.send({ type: "show", room_passes: [entry.roomPass] });
    else {
      // The author of that slot named another gate: a gate before it is open too (G3).
      connection.refusals = 1;
      this.#room.send({ type: "show", room_passes: journal.roomPasses });
    }
    return false;
  }

  /** Open the room again if no pass of ours fits, or nobody opens it. */
  async #waitOutside(now: number): Promise<void> {
    const { connection } = this;
    const room = this.#room;
    if (connection === null || !connection.entered || room.ended !== null || room.needsRejoin) return;
    if (this.stuckAt !== null) return; // `Recovery` decides
    const { journal } = room.membership;
    if (!this.#isOutside(connection, journal.oldest.slot, now)) {
      if (connection.shown !== null) this.#comeIn();
      return;
    }
    this.#outsideSince ??= now;
    const waited = now - this.#outsideSince;
    const tell = this.slot !== null && waited > OUTSIDE_TELL && !this.#toldOutside;
    if (tell && !room.seeksReadmission) {
      this.#toldOutside = true; // otherwise it has been reported that we ask to be let in again
      room.tell(sentences.alarm("outside"));
    }
    if (connection.openedAt === null || connection.openedSlot !== this.slot) {
      if (this.slot !== null || waited > MEMBER_WAIT) {
        const signed = await signedEntry(room, { newest: this.slot !== null });
        await openRoom(room, connection, signed, this.slot, now);
      }
    } else if (waited > OPEN_WAIT && now - connection.openedAt > OPEN_RETRY)
      await openRoom(room, connection, null, this.slot, now);
  }

  /** Return whether the room is not open, or stands where neither our passes nor our blobs lead to us. */
  #isOutside(connection: RoomConnection, oldest: number, now: number): boolean {
    if (this.slot === null || this.astray || connection.refusals > 1) return true;
    // Members with older blobs may still hand them over.
    return this.slot < oldest && now - this.#movedAt > HAND_OVER_WAIT;
  }

  /** Return whether `Recovery` has to ask the members: no pass fits for long, or they are elsewhere. */
  isShutOut(now: number): boolean {
    return this.elsewhere || (this.#outsideSince !== null && now - this.#outsideSince > OUTSIDE_WAIT);
  }

  #hearsOthers(now: number): boolean {
    const { ownLeaf } = this.#room.membership;
    return this.#room.membership.members().some(({ leaf }) => leaf !== ownLeaf && this.#room.heardRecently(leaf, now));
  }

  #comeIn(): void {
    this.#outsideSince = null;
    if (!this.#toldOutside) return;
    this.#toldOutside = false;
    this.#room.tell(sentences.status("cleared.outside"));
  }

  /** Send the server, which is behind us, the blob that follows its slot. */
  async #handOver(connection: RoomConnection, slot: number, now: number): Promise<void> {
    const { journal } = this.#room.membership;
    const following = journal.entry(slot + 1);
    if (following === null || following.blob === null || journal.entry(slot) === null) return;
    const waits = connection.handingOver === slot + 1 && now - connection.handedOverAt < HAND_OVER_RETRY;
    if (!waits && this.isShown(connection, slot)) {
      connection.handingOver = slot + 1;
      connection.handedOverAt = now;
      const opening = await openingToPassOn(this.#room, following);
      const commit = { type: "commit", slot: slot + 1, blob: following.blob, opening } as const;
      this.#room.send(await this.#room.here.signed(commit));
    }
  }
}
