/**
 * A member's connection to the room: slots in step with the server, commits, the relay and events.
 *
 * Protocol sections 3, 5 and 6. One method, `#drive`, compares the slot of the server's room with our own history and
 * takes the next step:
 *
 *     the room is not open       hosts open it at the oldest slot that they can replay from
 *     the room is ahead of us    show our pass, catch up
 *     the room is behind us      show that slot's pass, hand over the blob that followed
 *     we are in sync             show our pass; then announce, catch up on relays, commit, send
 *
 * A lost socket, a restarted server and a straggler are therefore one case: being at another slot.
 *
 * The caller awaits each call before the next; only `seal` and `open` may run between.
 */
import { type Bytes, type Rng, same, systemRng } from "../../crypto/bytes";
import { SnugCryptoError } from "../../crypto/errors";
import * as invite from "../../crypto/entry/invite";
import type { HostSeed, SigningKey } from "../../crypto/entry/invite";
import { H } from "../../crypto/kdf";
import { X25519Key } from "../../crypto/primitives";
import type { Challenge, ClientMessage, Committed, Entered, Refused, ServerMessage } from "../../wire/messages";
import { type Arg, CommandError, type Sentence, sentence, verbatim } from "../../words/sentence";
import { Announcements } from "./announcements";
import { type Feature, featuresWith } from "./feature";
import { type AnyContent, type Posted, TEXT_MAX } from "../catalogue/content";
import { RoomConnection } from "./roomConnection";
import { type Effect, type Ended, type Event, type InputOf, type Member, ROOM } from "../events";
import { Frames } from "./frames";
import { CommitQueue } from "./commitQueue";
import type { Intent } from "./intents";
import type { Membership } from "./membership";
import type { Change, Gone, Newcomer, Staged, Valid } from "./verdict";
import { OPTIONS, type Options } from "../options";
import type { FeatureClass, Owner, Room } from "./ports";
import { MessageLog } from "./messageLog";
import * as sentences from "../catalogue/sentences";

/** Seconds until a catch-up that exceeded the server's rate limit is requested again. */
export const CATCH_UP_RETRY = 1.5;
/** Seconds between two members' announcements to a newcomer, who gets no media for half a second anyway. */
export const ANNOUNCE_STEP = 0.01;
/** Seconds that a leaver waits for another member to commit its removal. */
export const SELF_REMOVE_WAIT = 2;
/**
 * Seconds for which the slot of a restarted server's room must rest before anything new is sent there: while members
 * hand over blobs, the room passes through old slots and has not reached its members' slot.
 */
export const SETTLE = 0.8;

export interface RoomFacts {
  readonly origin: string;
  readonly doorKey: SigningKey;
  readonly roomAdminPublic: Bytes;
  readonly hostSeed: HostSeed | null;
  readonly owner: Owner;
  readonly buildFeatures: (room: Room, now: number) => readonly Feature[];
  readonly now: number;
  readonly options?: Options;
  readonly rng?: Rng;
}

/** One member's room. Feed it with `received`, `lost`, `tick` and commands; drain `effects`. */
export class RoomSession implements Room {
  readonly m: Membership;
  readonly origin: string;
  readonly doorKey: SigningKey;
  readonly roomAdminPublic: Bytes;
  hostSeed: HostSeed | null;
  readonly options: Options;
  readonly rng: Rng;
  readonly effects: Effect[] = [];
  /** Set when this membership cannot continue: the facade rejoins with a ticket. */
  needsRejoin = false;
  stuckAt: number | null = null;
  ended: Ended | null = null;
  /** The X25519 key that we announce, for messages to us alone. */
  readonly box: X25519Key;
  /** The open connection; null without one. */
  connection: RoomConnection | null = null;
  readonly announcements = new Announcements();
  readonly features: readonly Feature[];
  readonly frames: Frames;
  #reconnectAt: number | null = null;
  #failures = 0;
  /** The server's current slot. */
  #slot: number | null = null;
  #incarnation: Bytes | null = null;
  #relay = 0;
  #settling = false;
  #movedAt: number;
  #refusal = "";
  readonly #commits: CommitQueue;
  readonly #messageLog: MessageLog;
  #publish: InputOf<"Publish"> | null = null;
  #announceAt: number | null = null;
  #leavingSince: number | null = null;
  #away = false;

  static async create(membership: Membership, facts: RoomFacts): Promise<RoomSession> {
    const rng = facts.rng ?? systemRng;
    const room = new RoomSession(membership, facts, rng, await X25519Key.generate(rng));
    for (const feature of room.features) await feature.begin();
    return room;
  }

  private constructor(membership: Membership, facts: RoomFacts, rng: Rng, box: X25519Key) {
    this.m = membership;
    this.origin = facts.origin;
    this.doorKey = facts.doorKey;
    this.roomAdminPublic = facts.roomAdminPublic;
    this.hostSeed = facts.hostSeed;
    this.options = facts.options ?? OPTIONS;
    this.rng = rng;
    this.box = box;
    this.#movedAt = facts.now;
    this.features = facts.buildFeatures(this, facts.now);
    this.#commits = new CommitQueue(this, this.features, facts.owner);
    this.#messageLog = new MessageLog(this, this.features);
    this.frames = new Frames(this, this.features);
  }

  // -- commands -------------------------------------------------------------------------------------------

  /** Connect, and report the first roster. */
  start(): void {
    this.perform({ type: "Connect", endpoint: ROOM });
    this.#tellRoster([], [], null);
  }

  /** Return the feature of that class; TypeError if this membership has none. */
  feature<A>(kind: FeatureClass<A>): A {
    for (const each of this.features) if (each instanceof kind) return each;
    throw new TypeError(`no ${kind.name} here`);
  }

  /** Whether incoming messages may be old, because we are catching up. */
  get catchingUp(): boolean {
    return this.connection?.catchingUp ?? false;
  }

  /** Return whether we are connected and in step with the server, so that messages reach the others now. */
  isSynced(now: number): boolean {
    const { connection } = this;
    return (
      connection !== null &&
      connection.entered &&
      this.#slot === this.m.journal.slot &&
      connection.shown !== null &&
      connection.shown >= this.#slot &&
      connection.syncDone &&
      !(this.#settling && now - this.#movedAt < SETTLE) &&
      this.stuckAt === null &&
      !this.needsRejoin &&
      this.ended === null
    );
  }

  /** The server's current slot; null while it is unknown. */
  get serverSlot(): number | null {
    return this.#slot;
  }

  /** The key that signs receipts on this connection (32 bytes); null without a connection. */
  get serverKey(): Bytes | null {
    return this.connection?.serverKey ?? null;
  }

  /** Our handle at the server on this connection, 8 bytes; empty until we have entered. */
  get handle(): Bytes {
    return this.connection?.handle ?? new Uint8Array();
  }

  /** Whether a media engine has published its parameters. */
  get hasMedia(): boolean {
    return this.#publish !== null;
  }

  /** The incarnation of the server's process, 8 bytes; null before we first entered. */
  get incarnation(): Bytes | null {
    return this.#incarnation;
  }

  /** The room's number at the server, 16 bytes. */
  get number(): Bytes {
    return invite.roomNumber(this.doorKey.public, this.roomAdminPublic);
  }

  /** Take over from `old` after a rejoin: resend unconfirmed messages, and show none twice. */
  async carryOver(old: RoomSession): Promise<void> {
    this.#messageLog.carryOver(old.#messageLog);
    this.#commits.carryOver(old.#commits);
    for (const feature of this.features) await feature.carryOver(old);
  }

  /** Queue an intent, and commit it as soon as possible. */
  async queue(intent: Intent, now: number): Promise<void> {
    this.#commits.add(intent);
    await this.#drive(now);
  }

  /** Queue an intent, unless an equal one is queued already. */
  async queueOnce(intent: Intent, now: number): Promise<void> {
    if (!this.#commits.has(intent)) await this.queue(intent, now);
  }

  /** Our index among the members, by leaf. */
  get memberIndex(): number {
    return this.m.members().findIndex(({ leaf }) => leaf === this.m.ownLeaf);
  }

  /** Our index among the hosts if we are a host, else among the other members, by leaf. */
  get rank(): number {
    const own = this.m.ownLeaf;
    const alike = this.m.isHost(own);
    return this.m.members().filter(({ leaf, host }) => leaf < own && host === alike).length;
  }

  /** Return whether the tree has no host, or no host has been active lately. */
  hostless(now: number): boolean {
    const hosts = this.m.members().filter(({ host }) => host);
    return !hosts.some(({ leaf }) => this.heardRecently(leaf, now));
  }

  /** Return whether data signed by this leaf has arrived in the last seconds. */
  heardRecently(leaf: number, now: number): boolean {
    return this.features.some((feature) => feature.heardRecently(leaf, now));
  }

  /** Whether no intent is queued, no commit is under way and we are not stuck. */
  get idle(): boolean {
    return this.#commits.idle && this.stuckAt === null;
  }

  /** Send a chat message; CommandError if the text is empty or too long. */
  async say(text: string, now: number): Promise<void> {
    const size = Array.from(text).length;
    if (size < 1 || size > TEXT_MAX) throw new CommandError(sentence("room.text_size", { most: TEXT_MAX }));
    await this.post({ type: "say", id: this.rng(16), text }, now);
  }

  /** Send a message to all members; resend it after a lost connection until all can have it. */
  async post(what: Posted, now: number): Promise<void> {
    this.#messageLog.post(what, now);
    await this.#drive(now);
  }

  /** Remove the member at `leaf`; CommandError if the leaf is empty or our own, or we are not a host. */
  async remove(leaf: number, now: number): Promise<void> {
    const signatureKey = this.m.signatureKey(leaf);
    if (signatureKey === null || leaf === this.m.ownLeaf)
      throw new CommandError(sentence("room.nobody_else_there", { leaf }));
    this.hostOnly();
    await this.queue({ type: "RemoveIntent", leaf, signatureKey }, now);
  }

  /** Check that we are a host; CommandError if not. */
  hostOnly(): void {
    if (!this.m.isHost(this.m.ownLeaf)) throw new CommandError(sentence("room.host_only"));
  }

  /** Propose our own removal; leave when it is committed, or after two seconds. */
  async leave(now: number): Promise<void> {
    this.#leavingSince ??= now;
    if (this.m.members().length === 1 || this.connection === null || !this.connection.entered)
      this.finish("left", sentence("room.you_left"));
    else await this.#drive(now);
  }

  /** Publish our media transport parameters and streams, now and on every new connection. */
  async publish(media: InputOf<"Publish">, now: number): Promise<void> {
    this.#publish = media;
    if (this.connection !== null) this.connection.syncDone = false;
    await this.#drive(now);
  }

  /** Become a host: another host has sent us the seed. */
  takeHostSeed(seed: HostSeed): void {
    this.hostSeed = seed;
  }

  /** Forget the seed: we are no host any more. */
  dropHostSeed(): void {
    this.hostSeed = null;
  }

  // -- the connection -------------------------------------------------------------------------------------

  /** Handle a lost or failed connection: reconnect after 0.2 s, later after up to 1.5 s. */
  async lost(why: Sentence, now: number): Promise<void> {
    if (this.connection?.entered) this.#messageLog.lost(now);
    this.connection = null;
    this.#slot = null;
    for (const feature of this.features) await feature.lost(why, now);
    if (this.ended !== null) return;
    if (!this.#away) {
      this.#away = true;
      this.tell(sentences.status("away", { why }));
    }
    this.#reconnectAt = now + Math.min(0.2 * 2 ** this.#failures, 1.5);
    this.#failures++;
    this.perform({ type: "RemoteStreams", streams: [] });
  }

  /** Do the work that is due at `now`. */
  async tick(now: number): Promise<void> {
    if (this.ended !== null) return;
    if (this.#reconnectAt !== null && now >= this.#reconnectAt) {
      this.#reconnectAt = null;
      this.perform({ type: "Connect", endpoint: ROOM });
    }
    if (this.#leavingSince !== null && now - this.#leavingSince > SELF_REMOVE_WAIT) {
      this.finish("left", sentence("room.you_left"));
      return;
    }
    this.#commits.tick(now);
    const { connection } = this;
    if (connection !== null && connection.catchUpAgain !== null && now >= connection.catchUpAgain) {
      connection.catchUpAgain = null;
      connection.catchingUp = false;
    }
    if (!this.catchingUp) this.#messageLog.tellMissed();
    await this.#drive(now);
    for (const feature of featuresWith(this.features, "tick")) await feature.tick(now);
  }

  /** Process a message from the server on the room's connection. */
  async received(message: ServerMessage, now: number): Promise<void> {
    if (this.ended !== null) return;
    const before = this.#slot;
    await this.#hear(message, now);
    if (this.#slot !== before) this.#movedAt = now;
    await this.#drive(now);
  }

  async #hear(message: ServerMessage, now: number): Promise<void> {
    const { connection } = this;
    switch (message.type) {
      case "challenge": // once a connection: a new one excuses gaps
        if (connection === null) await this.#challenged(message);
        break;
      case "entered":
        this.#entered(message);
        break;
      case "opened":
        this.#slot = message.slot;
        await this.#checkReceipt(message.slot, message.chain, message.signature, now);
        break;
      case "shown":
        this.#shown(message.slot);
        break;
      case "committed":
        await this.#committed(message, now);
        break;
      case "stale":
        this.#slot = message.slot;
        if (connection !== null) connection.handingOver = null;
        break;
      case "regated":
        this.#regated(message.slot);
        break;
      case "caught_up":
        this.#relay = Math.max(this.#relay, message.relay);
        if (connection !== null) connection.catchingUp = false;
        this.#messageLog.countMissing(message.missing);
        break;
      case "relayed":
        await this.#relayed(message.relay, message.blob, now);
        break;
      case "broadcasted":
        for (const feature of featuresWith(this.features, "broadcastReceived"))
          if (await feature.broadcastReceived(message.blob, now)) break;
        break;
      case "refused":
        this.#refused(message, now);
        for (const feature of this.features) await feature.serverNotice(message.code, message.text, now);
        break;
      case "closing":
        for (const feature of this.features) await feature.serverNotice(message.code, message.text, now);
        this.tell(sentences.status("closing", { text: message.text }));
        break;
      case "transport":
        this.perform({ type: "MediaTransport", transport: message });
        break;
      case "streams":
        this.perform({ type: "RemoteStreams", streams: message.streams });
        for (const feature of this.features) await feature.streams(message.streams, now);
        break;
      default: // no member has signed arrivals and departures of handles
    }
  }

  async #relayed(number: number, blob: Bytes, now: number): Promise<void> {
    // Only without a gap: the missing relays can still be lost with the connection.
    if (number === this.#relay + 1) this.#relay = number;
    const digest = H(blob);
    for (const feature of featuresWith(this.features, "relayed")) await feature.relayed(number, digest, now);
    await this.#messageLog.relayed(blob, now);
  }

  async #challenged(challenge: Challenge): Promise<void> {
    this.connection = new RoomConnection(challenge.nonce, challenge.server_key);
    const nonce = this.rng(32);
    const message = invite.doorMessage(this.origin, this.number, challenge.nonce, nonce);
    this.send({
      type: "room_door",
      door_key: this.doorKey.public,
      room_admin_key: this.roomAdminPublic,
      nonce,
      signature: await this.doorKey.sign(message),
    });
  }

  #entered(entered: Entered): void {
    const { connection } = this;
    if (connection === null || connection.entered) return;
    connection.entered = true;
    connection.handle = entered.handle;
    this.#slot = entered.slot;
    this.#failures = 0;
    const restarted = this.#incarnation !== null && !same(this.#incarnation, entered.incarnation);
    this.#incarnation = entered.incarnation;
    if (restarted) {
      this.#relay = 0;
      this.#settling = true;
    }
    this.#messageLog.markForResending(restarted); // a restarted server has lost its relays
    if (this.#away) {
      this.#away = false;
      this.tell(sentences.status("back"));
    }
  }

  #shown(slot: number): void {
    const { connection } = this;
    if (connection === null) return;
    const wanted = connection.showing;
    connection.showing = null;
    connection.shown = slot;
    if (wanted !== null && slot < wanted) connection.refusedAt = wanted; // our pass fits an older gate only
  }

  #regated(slot: number): void {
    const { connection } = this;
    if (connection === null) return;
    connection.refusedAt = connection.showing = null;
    if (connection.shown !== null) connection.shown = Math.min(connection.shown, slot - 1);
    if (this.stuckAt !== null) this.#showWhileStuck(connection);
  }

  #refused(refused: Refused, now: number): void {
    const { connection } = this;
    if (connection === null) return;
    const { about, code } = refused;
    if (about === "show") {
      connection.refusedAt = connection.showing;
      connection.showing = null;
    } else if (about === "commit") {
      connection.handingOver = null;
      if (code === "pass") connection.shown = null;
      else if (code === "size") this.#commits.refused(verbatim(refused.text));
    } else if (about === "catch_up") {
      if (code === "pass" || code === "gone")
        this.needsRejoin = true; // the missed blobs are no longer available
      else if (code === "rate") connection.catchUpAgain = now + CATCH_UP_RETRY;
      else connection.catchingUp = false;
    } else if (about === "media" && code === "pass") {
      connection.shown = null;
      connection.syncDone = false;
    } else if (about === "broadcast" && code === "pass") connection.shown = null;
    else if (about === "relay" && code === "pass") {
      this.#messageLog.markForResending();
      this.#announceAt = now;
      connection.shown = null;
    }
    // The page reports a lost media server, and sends media again.
    const lost = about === "media" && code === "lost";
    if (code !== "pass" && !lost && about !== "open" && refused.text !== this.#refusal) {
      this.#refusal = refused.text; // reported once, however often it recurs
      this.tell(sentences.refused(refused.text));
    }
  }

  // -- synchronisation ------------------------------------------------------------------------------------

  async #drive(now: number): Promise<void> {
    const { connection } = this;
    if (connection === null || !connection.entered || this.ended !== null || this.needsRejoin) return;
    const mine = this.m.journal.slot;
    if (this.#slot === null) await this.#openRoom(connection);
    else if (this.#slot > mine) {
      if (this.#isShown(connection, mine) && !connection.catchingUp) this.#catchUp(connection);
    } else if (this.#slot < mine) this.#handOver(connection, this.#slot);
    else if (connection.refusedAt === mine && this.hostSeed !== null && connection.regatedAt !== mine)
      await this.#regate(connection, this.hostSeed);
    else if (this.#isShown(connection, mine)) await this.#whenSynced(connection, now);
  }

  #catchUp(connection: RoomConnection): void {
    connection.catchingUp = true;
    this.send({ type: "catch_up", slot: this.m.journal.slot, relay: this.#relay });
  }

  /** Return whether the server knows that we hold the pass of `slot`; show the pass if that is still to do. */
  #isShown(connection: RoomConnection, slot: number): boolean {
    if (connection.shown !== null && connection.shown >= slot) return true;
    if (connection.showing !== null) return false;
    if (connection.refusedAt === slot) {
      // Too far behind for the server and for blobs handed over.
      if (this.#slot !== null && this.#slot > slot && this.stuckAt === null) this.needsRejoin = true;
      return false;
    }
    const entry = this.m.journal.entry(slot);
    if (entry !== null) {
      connection.showing = slot;
      this.send({ type: "show", room_pass: entry.roomPass });
    }
    return false;
  }

  async #openRoom(connection: RoomConnection): Promise<void> {
    if (this.hostSeed === null || connection.opening) return;
    connection.opening = true;
    const { slot, roomPass, chain } = this.m.journal.oldest;
    const gate = invite.gate(roomPass);
    const roomAdmin = await this.hostSeed.roomAdminKey(this.m.group.groupId);
    const signature = await roomAdmin.sign(invite.openMessage(this.number, slot, gate, chain, connection.nonce));
    this.send({ type: "open", slot, gate, chain, signature });
  }

  /** Send the server, which is behind us, the blob that follows its slot. */
  #handOver(connection: RoomConnection, slot: number): void {
    const following = this.m.journal.entry(slot + 1);
    if (following === null || following.blob === null || this.m.journal.entry(slot) === null) return;
    if (this.#isShown(connection, slot) && connection.handingOver !== slot + 1) {
      connection.handingOver = slot + 1;
      const { blob, roomPass } = following;
      this.send({ type: "commit", slot: slot + 1, blob, gate: invite.gate(roomPass) });
    }
  }

  /** Replace the gate of this slot: its author posted a gate that is not our pass's (G5). */
  async #regate(connection: RoomConnection, seed: HostSeed): Promise<void> {
    const { slot, roomPass } = this.m.journal;
    const gate = invite.gate(roomPass);
    connection.regatedAt = slot;
    const roomAdmin = await seed.roomAdminKey(this.m.group.groupId);
    const signature = await roomAdmin.sign(invite.regateMessage(this.number, slot, gate, connection.nonce));
    this.send({ type: "regate", slot, gate, signature });
  }

  async #whenSynced(connection: RoomConnection, now: number): Promise<void> {
    if (this.stuckAt !== null) return;
    if (!connection.syncDone) {
      connection.syncDone = true;
      if (!connection.catchingUp) this.#catchUp(connection);
      if (this.#publish !== null) {
        const { ufrag, password, fingerprint, feedback = false, takesRtx: rtx = false } = this.#publish;
        const streams = this.#publish.streams.map(({ ssrc, kind, layers = [], rtx: again = [] }) => ({
          ssrc, kind, layers: [...layers], rtx: [...again],
        }));
        this.send({ type: "media", ufrag, password, fingerprint, streams, feedback, rtx });
        for (const feature of this.features) await feature.published(now);
      }
      this.#announceAt = now;
    }
    if (this.#settling && now - this.#movedAt < SETTLE) return;
    this.#settling = false;
    if (!connection.featuresNotified) {
      connection.featuresNotified = true;
      for (const feature of this.features) await feature.synced(now);
    }
    if (this.#announceAt !== null && now >= this.#announceAt) {
      this.#announceAt = null;
      await this.#announce(connection);
    }
    if (this.#leavingSince !== null) {
      for (const feature of featuresWith(this.features, "leaving")) await feature.leaving(now);
      return;
    }
    await this.#messageLog.sendWaiting();
    await this.#commits.sendNext(now);
  }

  async #announce(connection: RoomConnection): Promise<void> {
    const streams = (this.#publish?.streams ?? []).map(({ ssrc, kind, stream }) => ({ ssrc, kind, stream }));
    await this.relay({ type: "announce", handle: connection.handle, box: this.box.public, streams });
  }

  // -- commits --------------------------------------------------------------------------------------------

  async #committed(message: Committed, now: number): Promise<void> {
    this.#slot = Math.max(this.#slot ?? 0, message.slot);
    if (this.connection?.handingOver === message.slot) this.connection.handingOver = null;
    const { journal } = this.m;
    if (message.slot <= journal.slot) {
      const known = journal.chains.get(message.slot);
      if (known !== undefined && !same(known, message.chain)) this.tell(sentences.twoStories(message.slot));
      return;
    }
    // `#drive` catches up.
    if (message.slot !== journal.slot + 1 || this.stuckAt !== null || this.needsRejoin) return;
    if (!same(message.chain, journal.chainAfter(message.blob))) this.tell(sentences.twoStories(message.slot));
    else await this.#checkReceipt(message.slot, message.chain, message.signature, now);
    const own = this.#commits.slotTaken(message.blob);
    if (own !== null) await this.#adopt(own, message.blob, now);
    else await this.#judge(message.blob, now);
  }

  async #judge(blob: Bytes, now: number): Promise<void> {
    const verdict = await this.m.judge(blob);
    switch (verdict.type) {
      case "Valid": {
        if (!verdict.removesUs) {
          await this.#adopt(verdict, blob, now);
          return;
        }
        const { sender } = verdict.view;
        if (this.#leavingSince !== null) this.finish("left", sentence("room.you_left"));
        else this.finish("removed", sentence("room.removed_by", { by: this.m.who(sender ?? -1) }));
        return;
      }
      case "Void": {
        const slot = this.m.journal.slot + 1;
        this.m.void(blob);
        if (this.connection !== null) this.connection.shown = null; // our pass must be shown for this slot too
        this.tell(sentences.voidCommit(verdict.text, this.#authorName(verdict.author), slot));
        for (const feature of this.features) await feature.voided(slot, verdict.author, now);
        return;
      }
      case "Stuck": {
        this.stuckAt = this.m.journal.slot + 1;
        for (const feature of featuresWith(this.features, "stuck")) await feature.stuck(blob, now);
        this.tell(sentences.stuck(this.#authorName(verdict.author)));
        if (this.connection !== null) this.#showWhileStuck(this.connection);
      }
    }
  }

  /** Show the pass that we have: hosts that find the slot void set its gate to that pass. */
  #showWhileStuck(connection: RoomConnection): void {
    connection.shown = connection.refusedAt = null;
    connection.showing = this.stuckAt;
    this.send({ type: "show", room_pass: this.m.journal.roomPass });
  }

  /** Whether a host has set the gate of the slot that we are stuck at to our pass: it is void. */
  get regated(): boolean {
    const shown = this.connection?.shown ?? null;
    return shown !== null && this.stuckAt !== null && shown >= this.stuckAt;
  }

  /** Go on after the slot that we are stuck at: its commit, `blob`, is void. */
  async passOver(blob: Bytes, now: number): Promise<void> {
    const { regated, stuckAt } = this;
    if (stuckAt === null) return;
    this.stuckAt = null;
    this.m.void(blob);
    if (this.connection !== null && !regated) this.connection.shown = this.connection.showing = null;
    for (const feature of this.features) await feature.voided(stuckAt, null, now);
  }

  /** Stop here, and rejoin with a ticket. */
  giveUp(): void {
    this.needsRejoin = true;
  }

  /** Return the author's name for a person; "a member or the server" if it is unknown. */
  #authorName(leaf: number | null): Arg {
    return leaf === null ? sentence("room.member_or_server") : this.m.who(leaf);
  }

  async #adopt(step: Valid | Staged, blob: Bytes, now: number): Promise<void> {
    const change = await this.m.adopt(step, blob, now);
    for (const { leaf } of change.removed) this.announcements.forget(leaf);
    if (this.connection !== null) this.connection.refusedAt = null;
    if (step.type === "Staged") this.#commits.adopted(step);
    // Members announce one after the other, to spare a large room's server a burst.
    if (change.added.length > 0) this.#announceAt = now + ANNOUNCE_STEP * this.memberIndex;
    this.#tellRoster(change.added, change.removed, change.by, change);
    for (const feature of this.features) await feature.adopted(change, now);
    await this.#messageLog.newEpoch(now);
  }

  async #checkReceipt(slot: number, chain: Bytes, signature: Bytes, now: number): Promise<void> {
    if (this.connection === null) return;
    try {
      await invite.verifyReceipt(this.connection.serverKey, this.number, slot, chain, signature);
    } catch (error) {
      if (!(error instanceof SnugCryptoError)) throw error;
      this.tell(sentences.receipt());
      return;
    }
    for (const feature of this.features) await feature.receipt(slot, chain, signature, now);
  }

  // -- the relay ------------------------------------------------------------------------------------------

  /** Broadcast a blob to the present members: the server neither numbers nor stores it. */
  broadcast(blob: Bytes): void {
    this.send({ type: "broadcast", blob });
  }

  /** Send to all members through the relay, and return the blob; only while in sync. */
  relay(what: AnyContent): Promise<Bytes> {
    return this.#messageLog.relay(what);
  }

  // -- output ---------------------------------------------------------------------------------------------

  /** Send a message on the room's connection. */
  send(message: ClientMessage): void {
    this.perform({ type: "Transmit", endpoint: ROOM, message });
  }

  /** Show an event. */
  tell(event: Event): void {
    this.perform({ type: "Tell", event });
  }

  /** Have the shell perform an effect. */
  perform(effect: Effect): void {
    this.effects.push(effect);
  }

  #tellRoster(
    added: readonly Newcomer[],
    removed: readonly Gone[],
    by: number | null,
    change: Change | null = null,
  ): void {
    const { epoch } = this.m.group;
    const asMember = ({ leaf, name }: Newcomer): Member => ({ leaf, name, host: this.m.isHost(leaf) });
    this.tell({
      type: "Roster",
      epoch,
      members: this.m.members(),
      added: added.map(asMember),
      removed: removed.map(({ leaf, name }) => ({ leaf, name, host: false })),
      by,
      rejoined: change?.rejoined ?? false,
      invite: change?.invite ?? null,
      label: null,
      left: [...(change?.left ?? [])].sort((a, b) => a - b),
    });
    this.tell({ type: "Code", epoch, digits: this.m.code });
  }

  /** End this membership: erase the media keys, report the reason and disconnect. */
  finish(reason: Ended["reason"], text: Sentence): void {
    if (this.ended !== null) return;
    this.ended = { type: "Ended", reason, text };
    this.m.media.wipe();
    this.tell(this.ended);
    this.perform({ type: "Disconnect", endpoint: ROOM });
  }
}
