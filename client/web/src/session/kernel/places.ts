/**
 * Where the room of a membership is, and what a further server is told in place of the meeting's values.
 *
 * Protocol section 12. The membership knows the meeting's number, passes and chain alone. At a place, this module
 * writes the place's into messages for its server, and reads the meeting's out of the server's answers: a session goes
 * on there as after a restart of its server.
 */
import * as envelope from "../../crypto/agreed/envelope";
import { among, type Bytes, hex, same, utf8 } from "../../crypto/bytes";
import * as invite from "../../crypto/entry/invite";
import { OPENED_MAX, openerKey, placeChain, placeDoorKey, placePass } from "../../crypto/entry/places";
import { H, type SigningKey } from "../../crypto/kdf";
import type { ClientMessage, Commit, Open, ServerMessage, Show } from "../../wire/messages";
import { fitting } from "./journal";
import type { Membership } from "./membership";
import { Place } from "./place";
import type { Here, Room } from "./ports";

/** Passes in one `show`. */
const PASSES_MAX = 16;
/** Places that are remembered. */
const PLACES_MAX = 32;

/**
 * Return the place at that server of the policy's list, from 1; null if the list has no such.
 *
 * `moveKey`: that of before a departure, 32 bytes, if not the current one.
 */
export async function furtherPlace(m: Membership, server: number, moveKey = m.moveKey): Promise<Place | null> {
  const found = m.policy.servers[server - 1];
  if (found === undefined) return null;
  return new Place(server, 0, found.origin, await placeDoorKey(moveKey, found.origin, 0), found.roomAdminPublic);
}

/** Remember a place by its number. */
export function remember(m: Membership, number: Bytes): void {
  m.places.push(number);
  if (m.places.length > PLACES_MAX) m.places.shift();
}

/** The meeting's room at one server: its keys there, and messages as that server has to see them. */
export class PlaceRoom implements Here {
  /** `current`: null where the meeting began. */
  constructor(protected readonly room: Room, public current: Place | null) {}

  // -- the place ------------------------------------------------------------------------------------------

  get isHome(): boolean {
    return this.current === null;
  }

  get origin(): string {
    return this.current?.origin ?? this.room.origin;
  }

  get elsewhere(): string {
    return this.current?.origin ?? "";
  }

  get leadsElsewhere(): boolean {
    return this.room.servers.led(this.room.membership.policy.origins).length > 0;
  }

  get doorKey(): SigningKey {
    return this.current?.doorKey ?? this.room.doorKey;
  }

  get roomAdminPublic(): Bytes {
    return this.current?.roomAdminPublic ?? this.room.roomAdminKeys.current;
  }

  async adminKey(): Promise<SigningKey | null> {
    const { hostKeys: keys, membership: m, roomAdminKeys: known } = this.room;
    const place = this.current;
    if (place !== null && place.attempt > 0) return place.opener;
    if (keys === null) return null;
    if (place !== null) return await keys.roomAdminKey(m.group.groupId, place.roomAdminPublic, place.origin);
    return known.foreign.length > 0 ? null : await keys.roomAdminKey(m.group.groupId, known.current);
  }

  incarnation(process: Bytes): Bytes {
    if (this.current === null) return process;
    return H(utf8("snug 1 place incarnation"), this.current.number, process).slice(0, 8);
  }

  get server(): number {
    return this.current === null ? 0 : 1 + this.room.membership.policy.origins.indexOf(this.current.origin);
  }

  get attempt(): number {
    return this.current?.attempt ?? 0;
  }

  get isOutdated(): boolean {
    return false;
  }

  openers(): Promise<Bytes[]> {
    return Promise.resolve([]);
  }

  async under(moveKey: Bytes): Promise<Place | null> {
    const place = this.current;
    if (place === null) return null;
    const { server, attempt, origin, roomAdminPublic, opener } = place;
    if (attempt === 0) {
      return await furtherPlace(this.room.membership, this.server, moveKey);
    }
    const door = await placeDoorKey(moveKey, origin, attempt);
    return new Place(server, attempt, origin, door, roomAdminPublic, opener);
  }

  numberUnder(admin: Bytes): Bytes {
    return invite.roomNumber(this.doorKey.public, admin);
  }

  // -- messages -------------------------------------------------------------------------------------------

  /** Return what the server is sent in place of a message; null: nothing. `signed` has made the others. */
  outgoing(message: ClientMessage): ClientMessage | null {
    const place = this.current;
    if (message.type === "show" && (place !== null || this.room.membership.places.length > 0))
      return this.#shown(message, place);
    return place !== null && message.type === "rekey" ? null : message; // the room keeps its number there
  }

  /**
   * Return the passes to show: a blob has the gate of the place where it was made.
   *
   * That is one of the places that we know, for the blob that let us in: we do not have it.
   */
  #shown({ room_passes }: Show, place: Place | null): Show {
    const { journal, places } = this.room.membership;
    const made = journal.entries
      .filter(({ roomPass }) => among(roomPass, room_passes))
      .flatMap((entry) => [
        fitting(entry) ?? entry.roomPass,
        ...(entry.blob === null ? places.toReversed().map((number) => placePass(entry.roomPass, number)) : []),
      ]);
    const here = place === null ? room_passes : room_passes.map((each) => placePass(each, place.number));
    const different = new Map([...here, ...made].map((each) => [hex(each), each]));
    return { type: "show", room_passes: [...different.values()].slice(0, PASSES_MAX) };
  }

  async signed(message: Open | Commit): Promise<Open | Commit> {
    const place = this.current;
    if (place === null) return message;
    const { slot } = message;
    if (message.type === "open") {
      const entry = this.room.membership.journal.entry(slot);
      if (entry === null) throw new TypeError("nobody opens a room at a slot without its pass");
      const gate = invite.gate(placePass(entry.roomPass, place.number));
      const chain = placeChain(entry.chain, place.number);
      return { type: "open", slot, gate, chain, signature: await this.#signature(slot, gate, chain) };
    }
    const { blob } = message;
    const before = place.told.get(slot - 1);
    const after = before === undefined ? null : invite.chainNext(before, slot, blob);
    const opening = after === null ? null : await this.#signature(slot, envelope.gateOf(blob), after);
    return { type: "commit", slot, blob, opening };
  }

  async #signature(slot: number, gate: Bytes, chain: Bytes): Promise<Bytes | null> {
    const key = await this.adminKey();
    return key === null ? null : await key.sign(invite.openMessage(this.numberUnder(key.public), slot, gate, chain));
  }

  /** Return a server's message with the meeting's chain value, if the server's is one of our history. */
  incoming(message: ServerMessage): ServerMessage {
    const place = this.current;
    if (place === null) return message;
    if (message.type !== "entered" && message.type !== "opened" && message.type !== "committed") return message;
    if (message.slot === null || message.chain === null) return message;
    const ours = this.#ours(place, message.slot, message.chain, message.type === "committed" ? message.blob : null);
    return ours === null ? message : { ...message, chain: ours };
  }

  #ours(place: Place, slot: number, chain: Bytes, blob: Bytes | null): Bytes | null {
    place.told.set(slot, chain);
    if (place.told.size > OPENED_MAX) place.told.delete(Math.min(...place.told.keys()));
    const { journal } = this.room.membership;
    for (const [each, value] of journal.chains)
      if (each > place.fed) {
        place.history.append(each, value, journal.digests.get(each) ?? new Uint8Array(32));
        place.fed = each;
      }
    const known = journal.valueAt(place.number, slot);
    if ((known !== null && same(known, chain)) || place.history.has(slot, chain)) {
      journal.recognised(place.number, slot, chain);
      return journal.chains.get(slot) ?? null;
    }
    if (blob === null || slot !== journal.slot + 1) return null;
    const before = journal.valueAt(place.number, slot - 1);
    const rolled = before !== null && same(chain, invite.chainNext(before, slot, blob));
    return rolled || place.history.follows(slot, chain, H(blob)) ? journal.chainAfter(blob) : null;
  }

  signedByServer(slot: number, chain: Bytes): readonly [numbers: readonly Bytes[], chain: Bytes] {
    const place = this.current;
    return place === null
      ? [this.room.roomAdminKeys.numbers, chain]
      : [[place.number], place.told.get(slot) ?? chain];
  }
}

/** One membership's way through the places of its meeting. */
export class Places extends PlaceRoom {
  /** Under which we came to the place, 32 bytes. */
  #moveKey: Bytes | null = null;
  /** Of the keys for our own places; drawn when it is needed. */
  #seed: Bytes | null = null;

  constructor(room: Room) {
    super(room, null);
  }

  /** Take over from the membership before a rejoin: the others know our keys. */
  carryOver(old: Places): void {
    this.#seed = old.#seed;
  }

  /** Begin at that server if the policy lists it. */
  async begin(origin: string): Promise<void> {
    await this.go(1 + this.room.membership.policy.origins.indexOf(origin));
  }

  // -- places of members ------------------------------------------------------------------------------------

  override async openers(): Promise<Bytes[]> {
    const keys = this.room.membership.policy.origins.map((origin) => this.#opener(origin));
    return (await Promise.all(keys)).map((key) => key.public);
  }

  #opener(origin: string): Promise<SigningKey> {
    this.#seed ??= this.room.rng(32);
    return openerKey(this.#seed, origin);
  }

  /** Return that member's place at that server; null if it has announced no key for it. */
  async #ofMember(server: number, leaf: number): Promise<Place | null> {
    const { policy, ownLeaf, moveKey } = this.room.membership;
    const origin = policy.servers[server - 1]?.origin;
    if (origin === undefined) return null;
    const own = leaf === ownLeaf ? await this.#opener(origin) : null;
    const admin = own?.public ?? this.room.announcements.opener(leaf, server);
    if (admin === null) return null;
    return new Place(server, leaf + 1, origin, await placeDoorKey(moveKey, origin, leaf + 1), admin, own);
  }

  // -- the way ----------------------------------------------------------------------------------------------

  override get isOutdated(): boolean {
    const { moveKey, policy } = this.room.membership;
    const place = this.current;
    if (place === null) return false;
    const left = this.#moveKey !== null && !same(this.#moveKey, moveKey);
    if (place.attempt > 0) return left;
    const listed = policy.servers.find(({ origin }) => origin === place.origin);
    return listed !== undefined && (left || !same(listed.roomAdminPublic, place.roomAdminPublic));
  }

  /**
   * Go on to the next place: that of the first of `leaves` (ascending) that has one, or another server.
   *
   * After the last server of the policy's list comes the first of all.
   */
  async next(leaves: readonly number[] = []): Promise<void> {
    const { server, attempt } = this.current ?? { server: 0, attempt: 0 };
    for (const leaf of server > 0 ? leaves : [])
      if (leaf >= attempt && (await this.go(server, leaf + 1))) return;
    await this.go(server + 1);
  }

  /** Return that server of the policy's list, or the next one to which our page goes; 0: none. */
  #skipped(server: number): number {
    const { origins } = this.room.membership.policy;
    const at = origins.findIndex((origin, i) => i + 1 >= server && this.room.servers.leads(origin));
    return server === 0 ? 0 : at + 1;
  }

  /**
   * Go on to that server of the policy's list, from 1; to the first of all if the list has no such.
   *
   * `attempt`: to that member's place, and not at all if it has none. A server to which our page does not go is passed
   * over. Return whether we go.
   */
  async go(wanted: number, at = 0): Promise<boolean> {
    const m = this.room.membership;
    const server = this.#skipped(wanted);
    const attempt = server === wanted ? at : 0;
    const place = attempt > 0 ? await this.#ofMember(server, attempt - 1) : await furtherPlace(m, server);
    if (attempt > 0 && place === null) return false;
    this.#moveKey = m.moveKey;
    this.current = place;
    m.place = place?.number ?? null;
    if (m.place === null || among(m.place, m.places)) return true;
    remember(m, m.place);
    return true;
  }
}
