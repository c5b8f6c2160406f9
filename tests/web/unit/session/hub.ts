/**
 * A server in a few lines, honest and without limits, and participants at it: whole sessions in one process.
 *
 * The real one is Python's, and meets the page's sessions elsewhere; this is for what one wants to try in a moment.
 */
import assert from "node:assert/strict";
import { among, type Bytes, hex, same, utf8 } from "../../../../client/web/src/crypto/bytes";
import { gateOf } from "../../../../client/web/src/crypto/agreed/envelope";
import { chainNext, gate, roomNumber } from "../../../../client/web/src/crypto/entry/invite";
import { H, SigningKey } from "../../../../client/web/src/crypto/kdf";
import {
  type Endpoint,
  endpointKey,
  type Effect,
  type Event,
  type EventOf,
  type Input,
} from "../../../../client/web/src/session/events";
import type { Session } from "../../../../client/web/src/session/kernel/session";
import { encode } from "../../../../client/web/src/wire/layout";
import { ROOM_OPENED, SLOT_TAKEN } from "../../../../client/web/src/wire/layouts/signed";
import type { ClientMessage, Opened, ServerMessage } from "../../../../client/web/src/wire/messages";
import { CommandError, type Sentence } from "../../../../client/web/src/words/sentence";
import { seeded, START, worded } from "./rooms";

export const ORIGIN = "http://127.0.0.1:8080";
/** It opens each room once. */
const OPENING_ID = utf8("opening1");

interface Slot {
  readonly blob: Bytes | null;
  readonly gate: Bytes;
  readonly chain: Bytes;
  readonly before: Bytes;
  readonly signature: Bytes;
  readonly opening: Bytes | null;
}

interface HubRoom {
  readonly number: Bytes;
  /** The slot that it was opened at, and those since. */
  first: number;
  readonly slots: Slot[];
  readonly relays: Bytes[];
}

/** One participant's connection. */
class Link {
  readonly who: Participant;
  readonly endpoint: Endpoint;
  lobby: string | null = null;
  room: HubRoom | null = null;
  shown: number | null = null;
  readonly handle: Bytes;

  constructor(who: Participant, endpoint: Endpoint, handle: Bytes) {
    this.who = who;
    this.endpoint = endpoint;
    this.handle = handle;
  }
}

/** A session, and all that it has told. */
export class Participant {
  readonly label: string;
  readonly session: Session;
  readonly told: Event[] = [];
  readonly effects: Effect[] = [];
  readonly links = new Map<string, Link>();
  alive = true;

  constructor(label: string, session: Session) {
    this.label = label;
    this.session = session;
  }

  events<T extends Event["type"]>(type: T): EventOf<T>[] {
    return this.told.filter((event): event is EventOf<T> => event.type === type);
  }

  alarms(): string[] {
    return this.events("Alarm").map(({ text }) => worded(text));
  }

  statuses(): string[] {
    return this.events("Status").map(({ text }) => worded(text));
  }

  get ended(): string {
    const ended = this.session.ended;
    return ended === null ? "" : worded(ended.text);
  }

  get names(): string[] {
    return [...this.session.names.values()];
  }
}

export class Hub {
  now = START;
  readonly people: Participant[] = [];
  /** Messages on their way, in order. */
  readonly #way: (() => Promise<void>)[] = [];
  readonly #rooms = new Map<string, HubRoom>();
  readonly #links = new Set<Link>();
  #key: SigningKey;
  #incarnation = H(utf8("life 1")).slice(0, 8);
  #handles = 0;
  #lives = 1;
  up = true;
  /** The message that the server sends in place of another; null: nothing. */
  tells: (to: Participant, message: ServerMessage, endpoint: Endpoint) => ServerMessage | null = (_, message) =>
    message;

  private constructor(key: SigningKey) {
    this.#key = key;
  }

  static async start(): Promise<Hub> {
    return new Hub(await SigningKey.generate(seeded("server")));
  }

  async add(label: string, session: Session): Promise<Participant> {
    const who = new Participant(label, session);
    this.people.push(who);
    await this.#perform(who, session.start());
    await this.settle();
    return who;
  }

  /** A person's command, or what the shell says. Throws what can't be done. */
  async feed(who: Participant, input: Input): Promise<void> {
    await this.#perform(who, await who.session.handle(input, this.now));
    await this.settle();
  }

  /** Inputs that come while the ones before are still being handled. */
  async feedAll(who: Participant, inputs: readonly Input[]): Promise<void> {
    const handled = await Promise.all(inputs.map((input) => who.session.handle(input, this.now)));
    for (const effects of handled) await this.#perform(who, effects);
    await this.settle();
  }

  /** Why a command can't be done. */
  async refusal(who: Participant, input: Input): Promise<string> {
    try {
      await this.feed(who, input);
    } catch (error) {
      if (error instanceof CommandError) return worded(error.sentence);
      throw error;
    }
    throw new assert.AssertionError({ message: "it was done" });
  }

  async settle(): Promise<void> {
    for (let next = this.#way.shift(); next !== undefined; next = this.#way.shift()) await next();
  }

  async run(seconds: number): Promise<void> {
    for (const end = this.now + seconds; this.now < end - 1e-6;) {
      this.now += 0.1;
      for (const who of this.people)
        if (who.alive) await this.#perform(who, await who.session.handle({ type: "Tick" }, this.now));
      await this.settle();
    }
  }

  async until(what: () => boolean, seconds = 30): Promise<void> {
    for (const end = this.now + seconds; !what();) {
      assert.ok(this.now < end, "it did not happen in time");
      await this.run(0.1);
    }
  }

  /** Cut a participant's connections to rooms, or all. */
  async cut(who: Participant): Promise<void> {
    for (const link of [...who.links.values()]) await this.#lose(link);
    await this.settle();
  }

  /** The process stops, and another one begins, which knows of nothing. */
  async restart(): Promise<void> {
    this.#rooms.clear();
    this.#key = await SigningKey.generate(seeded(`server ${++this.#lives}`));
    this.#incarnation = H(utf8(`life ${this.#lives}`)).slice(0, 8);
    for (const link of [...this.#links]) await this.#lose(link);
    await this.settle();
  }

  async #lose(link: Link): Promise<void> {
    this.#links.delete(link);
    link.who.links.delete(endpointKey(link.endpoint));
    const why: Sentence = { key: "verbatim", args: { text: "cut" } };
    if (link.who.alive) await this.#input(link.who, { type: "Lost", endpoint: link.endpoint, why, answered: false });
  }

  async #input(who: Participant, input: Input): Promise<void> {
    await this.#perform(who, await who.session.handle(input, this.now));
  }

  async #perform(who: Participant, effects: readonly Effect[]): Promise<void> {
    for (const effect of effects) {
      if (effect.type === "Tell") who.told.push(effect.event);
      else if (effect.type === "Connect") await this.#connect(who, effect.endpoint);
      else if (effect.type === "Disconnect") {
        const link = who.links.get(endpointKey(effect.endpoint));
        who.links.delete(endpointKey(effect.endpoint));
        // what was sent before still goes out
        if (link !== undefined) this.#way.push(() => Promise.resolve(void this.#links.delete(link)));
      } else if (effect.type === "Transmit") {
        const link = who.links.get(endpointKey(effect.endpoint));
        if (link !== undefined) this.#way.push(() => this.#heard(link, effect.message));
      } else who.effects.push(effect);
    }
  }

  async #connect(who: Participant, endpoint: Endpoint): Promise<void> {
    const link = new Link(who, endpoint, H(utf8(`handle ${this.#handles++}`)).slice(0, 8));
    who.links.set(endpointKey(endpoint), link);
    this.#links.add(link);
    if (!this.up) {
      this.#way.push(() => this.#lose(link));
      return;
    }
    const nonce = H(utf8(`nonce ${this.#handles}`));
    this.#send(link, { type: "challenge", version: 1, origin: ORIGIN, nonce, server_key: this.#key.public, permission: null });
  }

  #send(link: Link, honest: ServerMessage): void {
    const message = this.tells(link.who, honest, link.endpoint);
    if (message === null) return;
    this.#way.push(async () => {
      if (link.who.links.get(endpointKey(link.endpoint)) !== link || !link.who.alive) return;
      await this.#input(link.who, { type: "Received", endpoint: link.endpoint, message });
    });
  }

  #others(link: Link): Link[] {
    return [...this.#links].filter(
      (other) =>
        other !== link && (link.room === null ? other.lobby === link.lobby : other.room === link.room),
    );
  }

  async #heard(link: Link, message: ClientMessage): Promise<void> {
    if (!this.#links.has(link)) return;
    const incarnation = this.#incarnation;
    switch (message.type) {
      case "lobby_door":
        link.lobby = hex(message.lobby_key);
        this.#send(link, {
          type: "entered",
          handle: link.handle,
          incarnation,
          slot: null,
          chain: null,
          handles: [],
          node: null,
        });
        return;
      case "post":
        for (const other of this.#others(link))
          if (message.to === null || among(other.handle, message.to))
            this.#send(other, { type: "posted", handle: link.handle, blob: message.blob });
        return;
      case "room_door": {
        const number = roomNumber(message.door_key, message.room_admin_key);
        const room = this.#rooms.get(hex(number)) ?? { number, first: 0, slots: [], relays: [] };
        this.#rooms.set(hex(number), room);
        link.room = room;
        const slot = room.slots.length === 0 ? null : room.first + room.slots.length - 1;
        const chain = room.slots.at(-1)?.chain ?? null;
        this.#send(link, { type: "entered", handle: link.handle, incarnation, slot, chain, handles: [], node: null });
        return;
      }
    }
    if (link.room !== null) await this.#inRoom(link, link.room, message);
  }

  async #opened(room: HubRoom, slot: number, chain: Bytes): Promise<Opened> {
    const text = encode(ROOM_OPENED, { number: room.number, openingId: OPENING_ID, slot, chain });
    return { type: "opened", slot, chain, opening_id: OPENING_ID, signature: await this.#key.sign(text) };
  }

  async #inRoom(link: Link, room: HubRoom, message: ClientMessage): Promise<void> {
    const current = room.first + room.slots.length - 1;
    const floor = Math.max(0, room.slots.findLastIndex((slot) => slot.opening !== null));
    const all = [...this.#links].filter((other) => other.room === room);
    const shown = all.filter((other) => other.shown !== null);
    switch (message.type) {
      case "open": {
        if (room.slots.length > 0) return;
        room.first = message.slot;
        const { slot, chain } = message;
        const opened = await this.#opened(room, slot, chain);
        const { signature } = opened;
        room.slots.push({ blob: null, gate: message.gate, chain, before: chain, signature, opening: null });
        for (const other of all) this.#send(other, opened);
        return;
      }
      case "show": {
        const gates = message.room_passes.map(gate);
        const at = room.slots.findLastIndex((slot) => gates.some((each) => same(slot.gate, each)));
        if (at < 0) {
          this.#send(link, {
            type: "refused",
            code: "pass",
            text: "no such pass",
            about: "show",
            fatal: false,
          });
          return;
        }
        // the gates since a host's last slot are open, and count for the current slot
        link.shown = at >= floor ? current : room.first + at;
        this.#send(link, { type: "shown", slot: link.shown });
        return;
      }
      case "commit": {
        if (message.slot !== current + 1) {
          this.#send(link, { type: "stale", asked: message.slot, slot: current });
          return;
        }
        if (message.opening === null && (link.shown === null || link.shown < room.first + floor)) {
          this.#send(link, {
            type: "refused",
            code: "pass",
            text: "show your pass",
            about: "commit",
            fatal: false,
          });
          return;
        }
        const before = room.slots.at(-1)?.chain ?? new Uint8Array(32);
        const { blob, opening, slot } = message;
        const chain = chainNext(before, slot, blob);
        const taken = { number: room.number, openingId: OPENING_ID, slot, before, blob: H(blob) };
        const signature = await this.#key.sign(encode(SLOT_TAKEN, taken));
        room.slots.push({ blob, gate: gateOf(blob), chain, before, signature, opening });
        const committed = { slot, blob, chain, before, opening_id: OPENING_ID, signature, opening };
        // who may not have the blob still learns that the room moves on
        const opened = await this.#opened(room, slot, chain);
        for (const other of all)
          this.#send(other, other.shown === null ? opened : { type: "committed", ...committed });
        return;
      }
      case "ping":
        return this.#send(link, { type: "pong" });
      case "catch_up": {
        for (const [i, slot] of room.slots.entries())
          if (room.first + i > message.slot && slot.blob !== null)
            this.#send(link, {
              type: "committed",
              slot: room.first + i,
              blob: slot.blob,
              chain: slot.chain,
              before: slot.before,
              opening_id: OPENING_ID,
              signature: slot.signature,
              opening: slot.opening,
            });
        for (const [i, blob] of room.relays.entries())
          if (i + 1 > message.relay) this.#send(link, { type: "relayed", relay: i + 1, blob });
        this.#send(link, { type: "caught_up", slot: current, relay: room.relays.length, missing: 0 });
        return;
      }
      case "relay":
        room.relays.push(message.blob);
        for (const other of shown)
          this.#send(other, { type: "relayed", relay: room.relays.length, blob: message.blob });
        return;
      case "broadcast":
        for (const other of shown)
          if (other !== link) this.#send(other, { type: "broadcasted", blob: message.blob });
    }
  }
}
