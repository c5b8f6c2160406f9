/**
 * In step with the server's room: one connection after another, and the slot there compared with our own.
 *
 * Protocol sections 3, 5 and 6. One method, `step`, compares the slot of the server's room with our own history and
 * takes the next step:
 *
 *     the room is not open       hosts open it at the oldest slot that they can replay from
 *     the room is ahead of us    show our pass, catch up
 *     the room is behind us      show that slot's pass, hand over the blob that followed
 *     we are in sync             show our pass; then `RoomSession` announces, commits and sends
 *
 * A lost socket, a restarted server and a straggler are therefore one case: being at another slot.
 */
import { among, type Bytes, same } from "../../crypto/bytes";
import * as invite from "../../crypto/entry/invite";
import type { SigningKey } from "../../crypto/entry/invite";
import type { Challenge, Entered, Refused } from "../../wire/messages";
import type { Sentence } from "../../words/sentence";
import { RoomConnection } from "./roomConnection";
import { ROOM } from "../events";
import type { Room } from "./ports";
import * as sentences from "../catalogue/sentences";

/** Seconds until a catch-up that exceeded the server's rate limit is requested again. */
export const CATCH_UP_RETRY = 1.5;
/**
 * Seconds for which the slot of a restarted server's room must rest before anything new is sent there: while members
 * hand over blobs, the room passes through old slots and has not reached its members' slot.
 */
export const SETTLE = 0.8;

/** One membership's place in the server's room. */
export class Sync {
  readonly #room: Room;
  /** The open connection; null without one. */
  connection: RoomConnection | null = null;
  /** The server's current slot; null while it is unknown. */
  slot: number | null = null;
  /** The incarnation of the server's process, 8 bytes; null before we first entered. */
  incarnation: Bytes | null = null;
  /** The slot whose commit we alone cannot read; null without one. */
  stuckAt: number | null = null;
  /** When we entered a room that was new then: others may be in another one, under keys unknown to us. */
  newRoomSince: number | null = null;
  #relay = 0;
  #settling = false;
  #movedAt: number;
  #reconnectAt: number | null = null;
  #failures = 0;
  #away = false;

  /** The key under which the server holds the room, 32 bytes. */
  roomAdminPublic: Bytes;
  /** All keys that may have been it, the newest last. */
  readonly #roomAdmins: Bytes[];
  /** The server's word, which counts when the policy names the key. */
  #toldAdmin: Bytes | null = null;
  #serverKey: Bytes | null = null;

  constructor(room: Room, roomAdminPublic: Bytes, now: number) {
    this.#room = room;
    this.#movedAt = now;
    this.roomAdminPublic = roomAdminPublic;
    this.#roomAdmins = [roomAdminPublic];
    this.keysChanged();
  }

  // -- queries --------------------------------------------------------------------------------------------

  /** The room's numbers at the server since we came in (16 bytes each), the current one last. */
  get numbers(): Bytes[] {
    return this.#roomAdmins.map((key) => invite.roomNumber(this.#room.doorKey.public, key));
  }

  /** The number by which we enter the room at the server, 16 bytes. */
  get serverNumber(): Bytes {
    return invite.roomNumber(this.#room.doorKey.public, this.roomAdminPublic);
  }

  /** Whether the server has let us into the room on this connection. */
  get isEntered(): boolean {
    return this.connection?.entered ?? false;
  }

  /** Whether incoming messages may be old, because we are catching up. */
  get catchingUp(): boolean {
    return this.connection?.catchingUp ?? false;
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

  /** Whether a host has set the gate of the slot that we are stuck at to our pass: it is void. */
  get regated(): boolean {
    const shown = this.connection?.shown ?? null;
    return shown !== null && this.stuckAt !== null && shown >= this.stuckAt;
  }

  // -- connections ----------------------------------------------------------------------------------------

  /** Forget the connection. */
  lost(): void {
    this.connection = null;
    this.slot = null;
  }

  /** Connect again after 0.2 s, later after up to 1.5 s. */
  reconnect(why: Sentence, now: number): void {
    if (!this.#away) {
      this.#away = true;
      this.#room.tell(sentences.status("away", { why }));
    }
    this.#reconnectAt = now + Math.min(0.2 * 2 ** this.#failures, 1.5);
    this.#failures++;
    this.#room.perform({ type: "RemoteStreams", streams: [] });
  }

  /** Connect, or allow a catch-up, when its time has come. */
  tick(now: number): void {
    if (this.#reconnectAt !== null && now >= this.#reconnectAt) {
      this.#reconnectAt = null;
      this.#room.perform({ type: "Connect", endpoint: ROOM });
    }
    const connection = this.connection;
    if (connection !== null && connection.catchUpAgain !== null && now >= connection.catchUpAgain) {
      connection.catchUpAgain = null;
      connection.catchingUp = false;
    }
  }

  /** Open the room's door on a new connection. */
  async challenged(challenge: Challenge): Promise<void> {
    const room = this.#room;
    // Another process knows no room of before: members meet under the current key.
    if (this.#serverKey !== null && !same(challenge.server_key, this.#serverKey)) this.#takeCurrent();
    this.#serverKey = challenge.server_key;
    this.connection = new RoomConnection(challenge.nonce, challenge.server_key);
    const nonce = room.rng(32);
    const message = invite.doorMessage(room.origin, this.serverNumber, challenge.nonce, nonce);
    room.send({
      type: "room_door",
      door_key: room.doorKey.public,
      room_admin_key: this.roomAdminPublic,
      nonce,
      signature: await room.doorKey.sign(message),
    });
  }

  /** Take the state of the room that we have entered; return whether the server has restarted. */
  entered(connection: RoomConnection, entered: Entered, now: number): boolean {
    if (entered.slot === null && !same(this.roomAdminPublic, this.#room.membership.policy.roomAdminPublic)) {
      // The server has forgotten the room: members meet under the current key.
      this.#takeCurrent();
      this.#room.perform({ type: "Disconnect", endpoint: ROOM });
      this.lost();
      this.#reconnectAt = now;
      return false;
    }
    connection.entered = true;
    connection.handle = entered.handle;
    this.moveTo(entered.slot, now);
    this.#failures = 0;
    const restarted = this.incarnation !== null && !same(this.incarnation, entered.incarnation);
    this.incarnation = entered.incarnation;
    if (restarted || entered.slot === null) this.newRoomSince = now;
    if (restarted) {
      this.#relay = 0;
      this.#settling = true;
    }
    if (this.#away) {
      this.#away = false;
      this.#room.tell(sentences.status("back"));
    }
    return restarted;
  }

  // -- the server's answers -------------------------------------------------------------------------------

  /** Record the server's current slot. */
  moveTo(slot: number | null, now: number): void {
    if (slot === this.slot) return;
    this.slot = slot;
    this.#movedAt = now;
  }

  /** The server knows that we hold the pass of `slot`. */
  shown(slot: number): void {
    const connection = this.connection;
    if (connection === null) return;
    const wanted = connection.showing;
    connection.showing = null;
    connection.shown = slot;
    if (wanted !== null && slot < wanted) connection.refusedAt = wanted; // our pass fits an older gate only
  }

  /** Our commit came too late: the server is at `slot`. */
  stale(slot: number, now: number): void {
    this.moveTo(slot, now);
    if (this.connection !== null) this.connection.handingOver = null;
  }

  /** The server holds the room under that key (G7). */
  rekeyed(roomAdminPublic: Bytes): void {
    this.#toldAdmin = roomAdminPublic;
    this.#follow();
  }

  /** The policy names a room admin key, perhaps another one than before. */
  keysChanged(): void {
    const named = this.#room.membership.policy.roomAdminPublic;
    if (!among(named, this.#roomAdmins)) this.#roomAdmins.push(named);
    this.#follow();
  }

  #follow(): void {
    if (this.#toldAdmin !== null && among(this.#toldAdmin, this.#roomAdmins)) this.roomAdminPublic = this.#toldAdmin;
  }

  #takeCurrent(): void {
    this.roomAdminPublic = this.#room.membership.policy.roomAdminPublic;
    this.#toldAdmin = null;
  }

  /** A host has replaced the gate of `slot`. */
  gateReplaced(slot: number): void {
    const connection = this.connection;
    if (connection === null) return;
    connection.refusedAt = connection.showing = null;
    if (connection.shown !== null) connection.shown = Math.min(connection.shown, slot - 1);
    if (this.stuckAt !== null) this.showWhileStuck();
  }

  /** A relay has arrived. */
  relayed(number: number): void {
    // Only without a gap: the missing relays can still be lost with the connection.
    if (number === this.#relay + 1) this.#relay = number;
  }

  /** All relays up to `relay` have arrived, or are lost. */
  caughtUp(relay: number): void {
    this.#relay = Math.max(this.#relay, relay);
    if (this.connection !== null) this.connection.catchingUp = false;
  }

  /** The server has refused one of our messages. */
  refused(connection: RoomConnection, { about, code }: Refused, now: number): void {
    if (about === "show") {
      connection.refusedAt = connection.showing;
      connection.showing = null;
    } else if (about === "commit") {
      connection.handingOver = null;
      if (code === "pass") connection.shown = null;
    } else if (about === "catch_up") {
      if (code === "pass" || code === "gone")
        this.#room.giveUp(); // the missed blobs are no longer available
      else if (code === "rate") connection.catchUpAgain = now + CATCH_UP_RETRY;
      else connection.catchingUp = false;
    } else if (about === "media" && code === "pass") {
      connection.shown = null;
      connection.syncDone = false;
    } else if ((about === "broadcast" || about === "relay") && code === "pass") connection.shown = null;
  }

  /** Show the pass that we have: hosts that find the slot void set its gate to that pass. */
  showWhileStuck(): void {
    const connection = this.connection;
    if (connection === null) return;
    connection.shown = connection.refusedAt = null;
    connection.showing = this.stuckAt;
    this.#room.send({ type: "show", room_pass: this.#room.membership.journal.roomPass });
  }

  // -- steps ----------------------------------------------------------------------------------------------

  /** Take the next step towards the server's slot; return the connection once we are in sync. */
  async step(): Promise<RoomConnection | null> {
    const connection = this.connection;
    const room = this.#room;
    if (connection === null || !connection.entered || room.ended !== null || room.needsRejoin) return null;
    const mine = room.membership.journal.slot;
    if (this.slot === null) await this.#openRoom(connection);
    else if (this.slot > mine) {
      if (this.#isShown(connection, mine)) this.catchUp(connection);
    } else if (this.slot < mine) this.#handOver(connection, this.slot);
    else {
      const regates = connection.refusedAt === mine && connection.regatedAt !== mine;
      const roomAdmin = regates ? await this.#roomAdmin() : null;
      if (roomAdmin !== null) await this.#regate(connection, roomAdmin);
      else if (this.#isShown(connection, mine)) return connection;
    }
    return null;
  }

  /** Return the key under which the server holds the room, if we are a host that has it. */
  async #roomAdmin(): Promise<SigningKey | null> {
    const { hostKeys, membership: m } = this.#room;
    return hostKeys === null ? null : await hostKeys.roomAdminKey(m.group.groupId, this.roomAdminPublic);
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
    this.#room.send({ type: "catch_up", slot: this.#room.membership.journal.slot, relay: this.#relay });
  }

  /** Return whether the server knows that we hold the pass of `slot`; show the pass if that is still to do. */
  #isShown(connection: RoomConnection, slot: number): boolean {
    if (connection.shown !== null && connection.shown >= slot) return true;
    if (connection.showing !== null) return false;
    if (connection.refusedAt === slot) {
      // Too far behind for the server and for blobs handed over.
      if (this.slot !== null && this.slot > slot && this.stuckAt === null) this.#room.giveUp();
      return false;
    }
    const entry = this.#room.membership.journal.entry(slot);
    if (entry !== null) {
      connection.showing = slot;
      this.#room.send({ type: "show", room_pass: entry.roomPass });
    }
    return false;
  }

  async #openRoom(connection: RoomConnection): Promise<void> {
    const room = this.#room;
    const roomAdmin = connection.opening ? null : await this.#roomAdmin();
    if (roomAdmin === null) return;
    connection.opening = true;
    const { slot, roomPass, chain } = room.membership.journal.oldest;
    const gate = invite.gate(roomPass);
    const message = invite.openMessage(this.serverNumber, slot, gate, chain, connection.nonce);
    const signature = await roomAdmin.sign(message);
    room.send({ type: "open", slot, gate, chain, signature });
  }

  /** Send the server, which is behind us, the blob that follows its slot. */
  #handOver(connection: RoomConnection, slot: number): void {
    const { journal } = this.#room.membership;
    const following = journal.entry(slot + 1);
    if (following === null || following.blob === null || journal.entry(slot) === null) return;
    if (this.#isShown(connection, slot) && connection.handingOver !== slot + 1) {
      connection.handingOver = slot + 1;
      const { blob, roomPass } = following;
      this.#room.send({ type: "commit", slot: slot + 1, blob, gate: invite.gate(roomPass) });
    }
  }

  /** Replace the gate of this slot: its author posted a gate that is not our pass's (G5). */
  async #regate(connection: RoomConnection, roomAdmin: SigningKey): Promise<void> {
    const { slot, roomPass } = this.#room.membership.journal;
    const gate = invite.gate(roomPass);
    connection.regatedAt = slot;
    const signature = await roomAdmin.sign(invite.regateMessage(this.serverNumber, slot, gate, connection.nonce));
    this.#room.send({ type: "regate", slot, gate, signature });
  }
}
