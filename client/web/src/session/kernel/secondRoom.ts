/**
 * A second connection: to the meeting's room at a further server, for its heartbeats alone (protocol section 12).
 *
 * It opens that room, shows passes, hands over the commits that have come, and carries broadcasts. Nothing that its
 * server says has any effect on the membership: a heartbeat counts because a member has signed it.
 */
import type { Bytes } from "../../crypto/bytes";
import * as invite from "../../crypto/entry/invite";
import { OPEN_WAIT } from "../../wire/limits";
import type { ClientMessage, Refused, ServerMessage } from "../../wire/messages";
import { connect, type Endpoint } from "../events";
import { delay } from "./backoff";
import { Door } from "./door";
import type { Entry } from "./journal";
import type { Place } from "./place";
import { PlaceRoom } from "./places";
import type { Room } from "./ports";
import { RoomConnection } from "./roomConnection";

/** Seconds at most between two tries to connect. */
export const RETRY_MAX = 30;
/** Seconds between two tries to open the room, and to hand over the same commit. */
export const AGAIN = 3;
/** Seconds for which a commit is left to the member whose turn it is to hand it over, and per further member. */
export const TURN = 0.5;
export const TURN_STEP = 0.05;
/** Slots by which that room may be behind us. If it is further behind, a host opens it anew. */
export const BEHIND_MAX = 3;

/** One such connection. */
export class SecondRoom {
  /** How heartbeats name that room, 8 bytes; null before we first entered. */
  incarnation: Bytes | null = null;
  /** Whether the departure itself is handed over there as well: to members from whom it was withheld. */
  handsOverDeparture = false;
  readonly #room: Room;
  readonly here: PlaceRoom;
  readonly #door: Door;
  #departure: number | null;
  #connection: RoomConnection | null = null;
  #slot: number | null = null;
  #behindSince: number | null = null;
  #enteredAt: number;
  #failures = 0;
  #connectAt: number | null;

  /**
   * `place`: null where the meeting began. `departure`: the place is that of before the departure with this slot.
   * `opens`: whether it opens a room there that nobody has opened.
   */
  constructor(
    room: Room,
    readonly endpoint: Endpoint,
    place: Place | null,
    now: number,
    departure: number | null = null,
    readonly opens = true,
  ) {
    this.#room = room;
    this.here = new PlaceRoom(room, place);
    this.#door = new Door(room, this.here, false);
    this.#departure = departure;
    this.#enteredAt = this.#connectAt = now;
  }

  // -- for the mirror -------------------------------------------------------------------------------------

  /** The commit of that slot is a departure: it is not handed over to this place, which it leaves. */
  departs(slot: number): void {
    this.#departure = slot;
  }

  /** Whether the room there has our history, and our pass fits. */
  get isReady(): boolean {
    return this.#slot === this.#last && (this.#connection?.shown ?? -1) >= this.#last;
  }

  /** Broadcast a blob to all that are connected there, if we may. */
  broadcast(blob: Bytes): void {
    if ((this.#connection?.shown ?? -Infinity) >= (this.#slot ?? 0) - 1) this.#send({ type: "broadcast", blob, ssrc: null });
  }

  /** Close the connection for good. */
  close(): void {
    this.#room.perform({ type: "Disconnect", endpoint: this.endpoint });
  }

  // -- inputs ---------------------------------------------------------------------------------------------

  /** Handle a lost or failed connection. */
  lost(now: number): void {
    this.#connection = this.#slot = null;
    this.#connectAt = now + delay(this.#failures++, this.#room.rng, RETRY_MAX);
  }

  /** Do the work that is due at `now`. */
  async tick(now: number): Promise<void> {
    if (this.#connectAt !== null && now >= this.#connectAt) {
      this.#connectAt = null;
      this.#room.perform(connect(this.endpoint, this.here.elsewhere));
    }
    await this.#step(now);
  }

  /** Process a message of that server; return a blob that a member has broadcast there. */
  async received(raw: ServerMessage, now: number): Promise<Bytes | null> {
    const connection = this.#connection;
    const message = this.here.incoming(raw);
    if (message.type === "broadcasted") return message.blob;
    if (message.type === "challenge" && connection === null) {
      this.#connection = new RoomConnection(message.nonce, message.server_key);
      const door = await this.#door.message(message, now);
      if (door !== null) this.#send(door);
    } else if (message.type === "moved_to") this.#connection = null; // `Redirects` connects to another node
    else if (message.type === "permit") this.#door.given(message.permit);
    else if (message.type === "committed" || message.type === "stale") this.#moveTo(message.slot);
    else if (connection !== null)
      switch (message.type) {
        case "entered":
          connection.entered = true;
          this.#enteredAt = now;
          this.incarnation = this.here.incarnation(message.incarnation);
          this.#failures = 0;
          this.#door.entered();
          this.#moveTo(message.slot);
          break;
        case "opened":
          if (message.slot !== this.#slot) connection.shown = null;
          this.#moveTo(message.slot);
          break;
        case "shown":
          connection.shown = message.slot;
          connection.showing = null;
          break;
        case "refused":
          this.#refused(connection, message);
      }
    await this.#step(now);
    return null;
  }

  #moveTo(slot: number | null): void {
    if (slot === this.#slot) return;
    this.#slot = slot;
    this.#behindSince = null;
    if (this.#connection !== null) this.#connection.refusals = 0;
  }

  #refused(connection: RoomConnection, refused: Refused): void {
    if (refused.about === "room_door") this.#door.refused(refused);
    else if (refused.about === "show") {
      connection.refusals++;
      connection.showing = null;
    } else if (refused.code === "pass") connection.shown = null;
  }

  // -- steps ----------------------------------------------------------------------------------------------

  /** The last slot that the room there is to have. */
  get #last(): number {
    if (this.#departure === null) return this.#room.membership.journal.slot;
    return this.handsOverDeparture ? this.#departure : this.#departure - 1;
  }

  async #step(now: number): Promise<void> {
    const connection = this.#connection;
    const { journal } = this.#room.membership;
    const slot = this.#slot;
    if (connection === null || !connection.entered || this.#room.ended !== null) return;
    if (slot === null || connection.refusals > 1) {
      const first = this.#departure === null ? this.#last : this.#departure - 1;
      await this.#open(connection, journal.entry(first), now);
    } else if ((connection.shown ?? -1) < Math.min(slot, this.#last))
      this.#show(connection, journal.entry(Math.min(slot, this.#last)));
    else if (this.#last - slot > BEHIND_MAX && (await this.here.adminKey()) !== null)
      // Many changed the room at once. One by one they take longer, and members keep only the last ones.
      await this.#open(connection, journal.entry(this.#last), now);
    else if (slot < this.#last) await this.#handOver(connection, journal.entry(slot + 1), now);
  }

  /** Open the room: with the hosts' key at once, else when the server permits that to anybody (G5). */
  async #open(connection: RoomConnection, entry: Entry | null, now: number): Promise<void> {
    const before = connection.openedAt;
    if (entry === null || (before !== null && now - before < AGAIN)) return;
    if (!this.opens || ((await this.here.adminKey()) === null && now - this.#enteredAt <= OPEN_WAIT)) return;
    connection.openedAt = now;
    connection.refusals = 0;
    const { slot, chain } = entry;
    const gate = invite.gate(entry.roomPass);
    this.#send(await this.here.signed({ type: "open", slot, gate, chain, signature: null }));
  }

  #show(connection: RoomConnection, entry: Entry | null): void {
    if (connection.showing !== null) return;
    connection.showing = this.#slot;
    const only = entry !== null && connection.refusals === 0;
    this.#send({ type: "show", room_passes: only ? [entry.roomPass] : this.#room.membership.journal.roomPasses });
  }

  /** Hand over the commit that the room lacks, if it is our turn, or nobody else has done it. */
  async #handOver(connection: RoomConnection, entry: Entry | null, now: number): Promise<void> {
    if (entry === null || entry.blob === null) return;
    this.#behindSince ??= now;
    const { slot, blob } = entry;
    const n = this.#room.membership.members().length;
    const turn = (((this.#room.memberIndex - slot) % n) + n) % n;
    const wait = turn > 0 ? TURN + TURN_STEP * turn : 0;
    const again = connection.handingOver === slot && now - connection.handedOverAt < AGAIN;
    if (now - this.#behindSince < wait || again) return;
    connection.handingOver = slot;
    connection.handedOverAt = now;
    this.#send(await this.here.signed({ type: "commit", slot, blob, opening: null }));
  }

  #send(message: ClientMessage): void {
    const told = this.here.outgoing(message);
    if (told !== null) this.#room.perform({ type: "Transmit", endpoint: this.endpoint, message: told });
  }
}
