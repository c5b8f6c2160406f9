/**
 * Rooms without MLS and without a server's core: members that share an epoch, and a relay that gives all of them the
 * same in the same order, until it is told to do otherwise. What features do with each other is tested on them.
 */
import assert from "node:assert/strict";
import { type Bytes, hex, type Rng, same, utf8 } from "../../../../client/web/src/crypto/bytes";
import { H, SigningKey } from "../../../../client/web/src/crypto/kdf";
import { labeled } from "../../../../client/web/src/crypto/labels";
import { X25519Key } from "../../../../client/web/src/crypto/primitives";
import { Ledger } from "../../../../client/web/src/crypto/agreed/ledger";
import { Policy } from "../../../../client/web/src/crypto/agreed/roomState";
import type { ApplicationMessage } from "../../../../client/web/src/mls";
import { Announcements, announcementText, LABEL } from "../../../../client/web/src/session/kernel/announcements";
import { Announcer } from "../../../../client/web/src/session/kernel/announcer";
import { MessageLog } from "../../../../client/web/src/session/kernel/messageLog";
import type { Feature } from "../../../../client/web/src/session/kernel/feature";
import { type Announce, type AnyContent, decode, encode } from "../../../../client/web/src/session/catalogue/content";
import type { Effect, Event, EventOf, Member } from "../../../../client/web/src/session/events";
import type { Intent } from "../../../../client/web/src/session/kernel/intents";
import type { Change, Gone } from "../../../../client/web/src/session/kernel/verdict";
import { OPTIONS, type Options } from "../../../../client/web/src/session/options";
import type { FeatureClass, Room as Ports } from "../../../../client/web/src/session/kernel/ports";
import { english as first, render } from "../../../../client/web/src/words/index";
import later from "../../../../client/web/src/words/enLater";
import type { Sentence } from "../../../../client/web/src/words/sentence";

export const START = 1_790_000_000;

/** Bytes that are the same in every run. */
export function seeded(seed: string): Rng {
  let drawn = 0;
  return (count) => {
    const parts: number[] = [];
    while (parts.length < count) parts.push(...H(utf8(`${seed} ${drawn++}`)));
    return Uint8Array.from(parts.slice(0, count));
  };
}

const SENTENCES = { ...first, ...later };

/** A sentence in English. */
export const worded = ({ key, args }: Sentence): string => render(SENTENCES, "en", key, args ?? {});

export interface Person {
  readonly name: string;
  readonly host?: boolean;
}

interface Blob {
  readonly from: Room;
  readonly what: AnyContent;
  readonly data: Bytes;
}

/** The state that all members share, and the server between them. */
export class World {
  readonly rooms: Room[] = [];
  now = START;
  epoch = 3;
  slot = 3;
  relays = 0;
  incarnation: Bytes = new Uint8Array(8).fill(7);
  readonly chains = new Map<number, Bytes>([[3, H(utf8("chain 3"))]]);
  /** Whether a receiver gets nothing that a sender relays or broadcasts. */
  withheld: (to: Room, from: Room) => boolean = () => false;
  /** Relays that the server has and has not given out yet; null: it gives them out at once. */
  held: (() => Promise<void>)[] | null = null;
  /** All that members have said so far. */
  readonly opened: AnyContent[] = [];
  readonly #blobs = new Map<string, Blob>();
  #generation = 0;
  readonly #giving: (() => Promise<void>)[] = [];
  #busy = false;

  static async of(
    people: readonly Person[],
    features: (room: Ports, now: number) => Feature[],
    options?: Partial<Options>,
  ): Promise<World> {
    const world = new World();
    for (const [leaf, person] of people.entries())
      world.rooms.push(await Room.make(world, leaf, person, options ?? {}));
    for (const room of world.rooms) room.begin(features);
    for (const room of world.rooms) await room.goLevel();
    return world;
  }

  room(leaf: number): Room {
    const room = this.rooms.find((each) => each.leaf === leaf);
    assert.ok(room);
    return room;
  }

  /** Time passes, a tenth of a second at a time. */
  async run(seconds: number): Promise<void> {
    const end = this.now + seconds;
    while (this.now < end - 1e-6) {
      this.now += 0.1;
      for (const room of this.rooms) if (!room.asleep) await room.tick();
    }
  }

  keep(from: Room, what: AnyContent): Bytes {
    const data = encode(what);
    const blob = H(utf8(`${this.#generation++}`), data);
    this.opened.push(what);
    this.#blobs.set(hex(blob), { from, what: decode(data), data });
    return blob;
  }

  async relay(blob: Bytes): Promise<void> {
    const kept = this.#blobs.get(hex(blob));
    assert.ok(kept);
    const number = ++this.relays;
    for (const to of this.rooms) {
      if (to !== kept.from && this.withheld(to, kept.from)) continue;
      (this.held ?? this.#giving).push(() => to.relayed(number, blob, kept.from, kept.what, kept.data));
    }
    await this.#give();
  }

  /** One after the other: what is said in answer to something comes after it, with everybody. */
  async #give(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    for (let give = this.#giving.shift(); give !== undefined; give = this.#giving.shift()) await give();
    this.#busy = false;
  }

  async broadcast(from: Room, blob: Bytes): Promise<void> {
    for (const to of this.rooms) if (to !== from && !this.withheld(to, from)) await to.broadcastReceived(blob);
  }

  /** A commit takes the next slot: whoever is in `told` adopts it. */
  async commit(by: number, change: Partial<Change>, told: readonly Room[] = this.rooms): Promise<void> {
    this.slot++;
    this.epoch++;
    this.chains.set(this.slot, H(utf8(`chain ${this.slot}`)));
    for (const room of told) await room.adopt(by, change, this.slot, this.epoch);
  }
}

/** One member, as far as features see a room. */
export class Room {
  readonly leaf: number;
  readonly name: string;
  readonly host: boolean;
  readonly world: World;
  readonly key: SigningKey;
  readonly box: X25519Key;
  readonly rng: Rng;
  readonly options: Options;
  readonly announcements = new Announcements();
  readonly effects: Effect[] = [];
  readonly told: Event[] = [];
  features: readonly Feature[] = [];
  isInSync = false;
  asleep = false;
  catchingUp = false;
  hasMedia = false;
  ownSsrc = (_stream: number): number | null => null;
  /** The streams of the blobs that went to receivers of a stream, and their sizes. */
  readonly labels: { readonly ssrc: number; readonly size: number }[] = [];
  hostKeys = null;
  serverNonce = null;
  stuckAt: number | null = null;
  needsRejoin = false;
  seeksReadmission = false;
  awaitsEntry = false;
  waitingIntents: readonly Intent[] = [];
  leaving = false;
  ended: Event | null = null;
  serverKey: Bytes | null = new Uint8Array(32).fill(5);
  serverSlot: number | null;
  permit: Bytes | null = null;
  readonly tokenKeys = new Map<number, Bytes>();
  origin = "http://127.0.0.1:8080";
  readonly here = { origin: "http://127.0.0.1:8080" };
  number: Bytes = new Uint8Array(16).fill(6);
  doorHandle: Bytes;
  readonly membership;
  readonly #relaying: Bytes[] = [];
  readonly #passing: Bytes[] = [];

  static async make(world: World, leaf: number, person: Person, options: Partial<Options>): Promise<Room> {
    const rng = seeded(`${person.name} ${leaf}`);
    return new Room(
      world,
      leaf,
      person,
      { ...OPTIONS, ...options },
      rng,
      await SigningKey.generate(rng, true),
      await X25519Key.generate(rng),
    );
  }

  private constructor(
    world: World,
    leaf: number,
    person: Person,
    options: Options,
    rng: Rng,
    key: SigningKey,
    box: X25519Key,
  ) {
    this.world = world;
    this.leaf = leaf;
    this.name = person.name;
    this.host = person.host ?? false;
    this.options = options;
    this.rng = rng;
    this.key = key;
    this.box = box;
    this.doorHandle = H(utf8(`handle ${leaf}`)).slice(0, 8);
    this.serverSlot = world.slot;
    const room = this;
    const chains = new Map(world.chains);
    this.membership = {
      ownLeaf: leaf,
      rejoinKeys: { hasRequests: false },
      room: this.number,
      heartbeatKey: H(utf8("beat key")),
      epochSlot: world.slot,
      code: "1234567890".repeat(4),
      policy: new Policy({ version: 1, hosts: [], hostPublic: new Uint8Array(32) }),
      ledger: new Ledger(),
      group: {
        epoch: world.epoch,
        groupId: utf8("the group"),
        treeHash: H(utf8("tree")),
        epochAuthenticator: H(utf8(`epoch ${world.epoch}`)),
        export: (label: string) => H(utf8(`${label} ${room.membership.group.epoch}`)),
      },
      journal: {
        slot: world.slot,
        get chain(): Bytes {
          return chains.get(this.slot) ?? new Uint8Array(32);
        },
        chains,
      },
      here: null as readonly Room[] | null,
      rooms: (): readonly Room[] => room.membership.here ?? world.rooms,
      members: (): Member[] => room.membership.rooms().map((r) => ({ leaf: r.leaf, name: r.name, host: r.host })),
      signatureKey: (at: number): Bytes | null =>
        room.membership.rooms().find((r) => r.leaf === at)?.key.public ?? null,
      leafOf: (known: Bytes): number | null =>
        room.membership.rooms().find((r) => same(r.key.public, known))?.leaf ?? null,
      name: (at: number): string => room.membership.rooms().find((r) => r.leaf === at)?.name ?? "somebody",
      who: (at: number): string => room.membership.name(at),
      isHost: (at: number): boolean => room.membership.rooms().find((r) => r.leaf === at)?.host ?? false,
      sign: (label: string, data: Bytes): Promise<Bytes> => room.key.sign(labeled(label, data)),
    };
  }

  get asPorts(): Ports {
    return this as unknown as Ports;
  }

  get handle(): Bytes {
    return this.isInSync ? this.doorHandle : new Uint8Array();
  }

  get incarnation(): Bytes {
    return this.world.incarnation;
  }

  get memberIndex(): number {
    return this.membership.members().findIndex(({ leaf }) => leaf === this.leaf);
  }

  begin(features: (room: Ports, now: number) => Feature[]): void {
    this.features = features(this.asPorts, this.world.now);
  }

  feature<A>(kind: FeatureClass<A>): A {
    for (const each of this.features) if (each instanceof kind) return each;
    throw new TypeError(`no ${kind.name} here`);
  }

  isSynced(): boolean {
    return this.isInSync;
  }

  readonly messages = { said: (): number => 0, stated: (): void => undefined };

  holdReason(now: number): Sentence | null {
    for (const feature of this.features) {
      const reason = feature.holdReason(now);
      if (reason !== null) return reason;
    }
    return null;
  }

  pauseReason(now: number): Sentence | null {
    for (const feature of this.features) {
      const reason = feature.pauseReason(now);
      if (reason !== null) return reason;
    }
    return null;
  }

  speaks(now: number): boolean {
    return this.isInSync && this.holdReason(now) === null;
  }

  commitsWait(): boolean {
    return false;
  }

  // -- what features do -------------------------------------------------------------------------------------------

  tell(event: Event): void {
    this.told.push(event);
  }

  perform(effect: Effect): void {
    this.effects.push(effect);
  }

  async relay(what: AnyContent): Promise<Bytes> {
    const blob = this.world.keep(this, what);
    this.#relaying.push(blob);
    return blob;
  }

  async post(what: AnyContent): Promise<void> {
    await this.relay(what);
    await this.flush();
  }

  send(message: { readonly type: string; readonly blob?: Bytes }): void {
    if (message.type === "relay" && message.blob !== undefined) this.#relaying.push(message.blob);
    // the server answers at once, whatever it withholds
    if (message.type === "ping") for (const feature of this.features) feature.serverHeard(this.world.now);
  }

  broadcast(blob: Bytes, _heartbeat = false, ssrc: number | null = null): void {
    if (ssrc !== null) this.labels.push({ ssrc, size: blob.length });
    this.#passing.push(blob);
  }

  finish(reason: EventOf<"Ended">["reason"], text: Sentence): void {
    this.ended = { type: "Ended", reason, text };
    this.told.push(this.ended);
  }

  /** Send all waiting messages: a feature never sees its message come back while it sends it. */
  async flush(): Promise<void> {
    while (this.isInSync && this.#relaying.length + this.#passing.length > 0) {
      for (const blob of this.#relaying.splice(0)) await this.world.relay(blob);
      for (const blob of this.#passing.splice(0)) await this.world.broadcast(this, blob);
    }
  }

  // -- what happens to them --------------------------------------------------------------------------------------

  async tick(): Promise<void> {
    for (const feature of this.features) await feature.tick(this.world.now);
    await this.flush();
  }

  async goLevel(): Promise<void> {
    this.isInSync = true;
    for (const feature of this.features) await feature.synced(this.world.now);
    await this.flush();
  }

  async lose(): Promise<void> {
    this.isInSync = false;
    this.#relaying.length = this.#passing.length = 0;
    for (const feature of this.features)
      await feature.lost({ key: "verbatim", args: { text: "cut" } }, this.world.now, true);
  }

  /** Something that this member says by a person's wish. */
  async act(done: Promise<void> | void): Promise<void> {
    await done;
    await this.flush();
  }

  async relayed(number: number, blob: Bytes, from: Room, what: AnyContent, data: Bytes): Promise<void> {
    for (const feature of this.features) await feature.relayed(number, H(blob), this.world.now);
    if (from !== this) await this.hear(from, what, number, data);
    await this.flush();
  }

  /** A member's message, authentic; `generation` orders those of one member. */
  async hear(from: Room, what: AnyContent, generation = 1, data: Bytes = encode(what)): Promise<void> {
    const received: ApplicationMessage = {
      type: "ApplicationMessage",
      sender: from.leaf,
      epoch: this.membership.group.epoch,
      generation,
      authenticatedData: new Uint8Array(),
      data,
      tbs: data,
      signature: new Uint8Array(64),
    };
    const announcer = new Announcer(this.asPorts, this.features);
    const table = new MessageLog(this.asPorts, this.features, announcer).handlers;
    for (const handler of table.get(what.type) ?? []) await handler(received, what, this.world.now);
  }

  /** The message in which this member announces itself, with no streams. */
  async announcement(): Promise<Announce> {
    const { leaf, doorHandle: handle, membership: m } = this;
    const what = { leaf, epoch: m.group.epoch, count: 1, handle, box: this.box.public, streams: [], openers: [] };
    const signature = await m.sign(LABEL, announcementText(m.group.groupId, what));
    return { type: "announce", first: leaf, last: leaf, announcements: [{ ...what, signature }] };
  }

  async broadcastReceived(blob: Bytes): Promise<boolean> {
    for (const feature of this.features) if (await feature.broadcastReceived(blob, this.world.now)) return true;
    return false;
  }

  async adopt(by: number, change: Partial<Change>, slot: number, epoch: number): Promise<void> {
    const gone = new Set((change.removed ?? []).map((removed) => removed.leaf));
    this.membership.here = this.membership
      .rooms()
      .filter((room) => !gone.has(room.leaf) || (change.added ?? []).some((a) => a.leaf === room.leaf));
    this.membership.journal.slot = slot;
    this.membership.journal.chains.set(slot, this.world.chains.get(slot) ?? new Uint8Array(32));
    this.membership.group.epoch = epoch;
    this.membership.group.epochAuthenticator = H(utf8(`epoch ${epoch}`));
    this.membership.epochSlot = slot;
    this.serverSlot = slot;
    if (gone.size > 0 && !change.rejoined) this.membership.heartbeatKey = H(utf8(`beat key ${epoch}`));
    const whole: Change = {
      by,
      added: [],
      removed: [],
      rejoined: false,
      replaced: false,
      policyBefore: this.membership.policy,
      policyAfter: this.membership.policy,
      left: new Set(),
      returned: false,
      rotated: false,
      stuckSlot: null,
    back: false,
    withdrawn: [],
      ...change,
    };
    for (const feature of this.features) await feature.adopted(whole, this.world.now);
    await this.flush();
  }

  /** As it stands in a change that removes this member. */
  get gone(): Gone {
    return { leaf: this.leaf, name: this.name, key: this.key.public };
  }

  // -- what a person saw -----------------------------------------------------------------------------------------

  events<T extends Event["type"]>(type: T): EventOf<T>[] {
    return this.told.filter((event): event is EventOf<T> => event.type === type);
  }

  /** Alarms of a kind, in English; all without one. */
  alarms(kind?: string): string[] {
    return this.events("Alarm")
      .filter((alarm) => kind === undefined || alarm.kind === kind)
      .map(({ text }) => worded(text));
  }

  statuses(kind: string): string[] {
    return this.events("Status")
      .filter((status) => status.kind === kind)
      .map(({ text }) => worded(text));
  }
}
