/**
 * A member's room: the commands of a person, and the parts of the session that carry them out.
 *
 * Protocol sections 3, 5 and 6. `Sync` keeps in step with the server's room, `CommitQueue` has our commits and
 * `ReceivedCommits` everybody's, `MessageLog` the relay, `Announcer` our streams, `Frames` the media. `ServerMessages`
 * hands the server's messages to them.
 *
 * The caller awaits each call before the next; only `seal` and `open` may run between.
 */
import { type Bytes, type Rng, systemRng } from "../../crypto/bytes";
import type { HostKeys, SigningKey } from "../../crypto/entry/invite";
import { X25519Key } from "../../crypto/primitives";
import type { ClientMessage, ServerMessage } from "../../wire/messages";
import { CommandError, type Sentence, sentence } from "../../words/sentence";
import { goAhead } from "./ahead";
import { Announcements } from "./announcements";
import { Announcer } from "./announcer";
import { type Feature, featuresWith } from "./feature";
import type { AnyContent, Posted } from "../catalogue/content";
import { connect, type Effect, type Ended, type Event, type InputOf, ROOM } from "../events";
import { Frames } from "./frames";
import { CommitQueue } from "./commitQueue";
import type { Intent } from "./intents";
import type { KnownServers } from "./knownServers";
import type { Membership } from "./membership";
import { OPTIONS, type Options } from "../options";
import type { FeatureClass, Owner, Room } from "./ports";
import { MessageLog } from "./messageLog";
import { Moving } from "./moving";
import { Places } from "./places";
import { ReceivedCommits, tellRoster } from "./receivedCommits";
import { RoomAdminKeys } from "./roomAdminKeys";
import { ServerMessages } from "./serverMessages";
import { Sync } from "./sync";

/** Seconds that a leaver waits until it can propose its removal. */
const LEAVE_MAX = 6;
/** Seconds for which members expect a host whose connection may have broken in the lobby. */
const LEFT_FOR = 20;
export interface RoomFacts {
  readonly servers: KnownServers;
  readonly doorKey: SigningKey;
  readonly roomAdminPublic: Bytes;
  readonly hostKeys: HostKeys | null;
  readonly owner: Owner;
  readonly buildFeatures: (room: Room, now: number) => readonly Feature[];
  readonly now: number;
  readonly options?: Options;
  readonly rng?: Rng;
}

/** One member's room. Feed it with `received`, `lost`, `tick` and commands; drain `effects`. */
export class RoomSession implements Room {
  readonly origin: string;
  readonly servers: KnownServers;
  readonly doorKey: SigningKey;
  hostKeys: HostKeys | null;
  readonly options: Options;
  readonly effects: Effect[] = [];
  /** Set when this membership cannot continue: the facade rejoins with a ticket. */
  needsRejoin = false;
  leftAt = 0;
  isReplaced = false;
  absentBy = "";
  /** Whether the connection ends because we go on elsewhere by ourselves. */
  leavesServer = false;
  #goesWithAll = false;
  ended: Ended | null = null;
  /** The X25519 key that we announce, for messages to us alone. */
  readonly box: X25519Key;
  readonly announcements = new Announcements();
  readonly roomAdminKeys: RoomAdminKeys;
  readonly here: Places;
  readonly #moving: Moving;
  readonly sync: Sync;
  readonly features: readonly Feature[];
  readonly frames: Frames;
  readonly #commits: CommitQueue;
  readonly messages: MessageLog;
  readonly #announcer: Announcer;
  readonly #receivedCommits: ReceivedCommits;
  #leaveAt: number | null = null;
  readonly #serverMessages: ServerMessages;

  static async create(membership: Membership, facts: RoomFacts): Promise<RoomSession> {
    const rng = facts.rng ?? systemRng;
    const room = new RoomSession(membership, facts, rng, await X25519Key.generate(rng));
    for (const feature of room.features) await feature.begin();
    return room;
  }

  private constructor(readonly membership: Membership, facts: RoomFacts, readonly rng: Rng, box: X25519Key) {
    this.origin = facts.servers.first;
    this.servers = facts.servers;
    this.doorKey = facts.doorKey;
    this.hostKeys = facts.hostKeys;
    this.options = facts.options ?? OPTIONS;
    this.box = box;
    this.roomAdminKeys = new RoomAdminKeys(membership, facts.doorKey.public, facts.roomAdminPublic);
    this.here = new Places(this);
    this.#moving = new Moving(this, this.here, facts.now);
    this.sync = new Sync(this, this.#moving, facts.now);
    this.features = facts.buildFeatures(this, facts.now);
    this.#commits = new CommitQueue(this, this.features, facts.owner);
    this.#announcer = new Announcer(this, this.features);
    this.messages = new MessageLog(this, this.features, this.#announcer);
    const parts = { sync: this.sync, queue: this.#commits, messageLog: this.messages, announcer: this.#announcer };
    this.#receivedCommits = new ReceivedCommits(this, this.features, parts);
    this.#serverMessages = new ServerMessages(this, this.features, { ...parts, receivedCommits: this.#receivedCommits });
    this.frames = new Frames(this, this.features);
  }

  // -- commands -------------------------------------------------------------------------------------------

  /** Connect, to that server if the policy lists it, and report the first roster. */
  async start(at = ""): Promise<void> {
    await this.here.begin(at);
    this.perform(connect(ROOM, this.here.elsewhere));
    tellRoster(this);
  }

  /** Return the feature of that class; TypeError if this membership has none. */
  feature<A>(kind: FeatureClass<A>): A {
    for (const each of this.features) if (each instanceof kind) return each;
    throw new TypeError(`no ${kind.name} here`);
  }

  /** Whether incoming messages may be old, because we are catching up. */
  get catchingUp(): boolean {
    return this.sync.catchingUp;
  }

  /** Whether the room is open at our slot, and the server has not acknowledged our pass yet. */
  get awaitsEntry(): boolean {
    return this.sync.awaitsEntry;
  }

  /** Whether the server claims a later slot, and refuses to hand over the way to it. */
  get outOfReach(): boolean {
    return this.sync.connection?.outOfReach ?? false;
  }

  /** Return whether no pass of ours has fit for long. */
  isShutOut(now: number): boolean {
    return this.sync.isShutOut(now);
  }

  /** Request the way to the others' slot anew. */
  askAgain(): void { this.sync.askAgain(); }

  /** Return whether we are connected and in step with the server, so that messages reach the others now. */
  isSynced(now: number): boolean {
    return this.sync.isSynced(now);
  }

  /** Whether the room at the next server of the list is open for us. */
  get nextIsReady(): boolean {
    return featuresWith(this.features, "nextIsReady").some((feature) => feature.nextIsReady());
  }

  /** Whether the server has not answered our pass, or not taken the blob that we handed over. */
  get isUnanswered(): boolean { return this.sync.isUnanswered; }

  /** The server's current slot; null while it is unknown. */
  get serverSlot(): number | null {
    return this.sync.slot;
  }

  /** What reopens the room at the server under its number there, 40 bytes; null without one. */
  get permit(): Bytes | null {
    return this.sync.door.permit(this.roomAdminKeys.number);
  }

  /** The hashes of the token keys that the server has shown us, by week. */
  get tokenKeys(): ReadonlyMap<number, Bytes> {
    return this.sync.door.tokenKeys;
  }

  /** The key that signs receipts on this connection (32 bytes); null without a connection. */
  get serverKey(): Bytes | null {
    return this.sync.connection?.serverKey ?? null;
  }

  /** Our handle at the server on this connection, 8 bytes; empty until we have entered. */
  get handle(): Bytes {
    return this.sync.connection?.handle ?? new Uint8Array();
  }

  /** Whether a media engine has published its parameters. */
  get hasMedia(): boolean {
    return this.#announcer.media !== null;
  }

  /** Return the SSRC under which we announce that stream of ours; null if we don't. */
  readonly ownSsrc = (stream: number): number | null => this.#announcer.ownSsrc(stream);

  /** The incarnation of the server's process, 8 bytes; null before we first entered. */
  get incarnation(): Bytes | null {
    return this.sync.incarnation;
  }

  /** The meeting's first number, 16 bytes: what members sign and seal is bound to it. */
  get number(): Bytes {
    return this.membership.room;
  }

  /** The nonce of this connection's challenge, for what the room admin signs; null without one. */
  get serverNonce(): Bytes | null {
    return this.sync.connection?.nonce ?? null;
  }

  /** Take over from `old` after a rejoin: resend unconfirmed messages, and show none twice. */
  async carryOver(old: RoomSession): Promise<void> {
    this.membership.rejoinKeys.carryOver(old.membership.rejoinKeys);
    this.sync.door.carryOver(old.sync.door);
    this.here.carryOver(old.here);
    this.announcements.carryOver(old.announcements);
    this.messages.carryOver(old.messages);
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
    return this.membership.members().findIndex(({ leaf }) => leaf === this.membership.ownLeaf);
  }

  /** Our index among the hosts if we are a host, else among the other members, by leaf. */
  get rank(): number {
    const own = this.membership.ownLeaf;
    const alike = this.membership.isHost(own);
    return this.membership.members().filter(({ leaf, host }) => leaf < own && host === alike).length;
  }

  /**
   * Return whether the tree has no host, or no host has been active lately.
   *
   * Nor since a connection has left the room, as the server says: it can have been the host's, which may come back at
   * once. The server decides nothing by that: members wait in the lobby a little sooner.
   */
  hostless(now: number): boolean {
    const hosts = this.membership.members().filter(({ host }) => host);
    const since = now - this.leftAt < LEFT_FOR ? this.leftAt : 0;
    return !hosts.some(({ leaf }) => this.heardRecently(leaf, now, since));
  }

  heardRecently(leaf: number, now: number, since = 0): boolean {
    return this.features.some((feature) => feature.heardRecently(leaf, now, since));
  }

  /** Whether no intent is queued, no commit is under way and we are not stuck. */
  get idle(): boolean {
    return this.#commits.idle && this.stuckAt === null;
  }

  /** Our intents that have not been done yet, in order. */
  get waitingIntents(): readonly Intent[] { return this.#commits.waiting; }

  /** Return whether our commits, except removals, wait for something other than the server. */
  commitsWait(now: number): boolean {
    return featuresWith(this.features, "holdsCommits").some((feature) => feature.holdsCommits(now));
  }

  /** Return null if messages may be sealed for the room; else why they wait. */
  holdReason(now: number): Sentence | null {
    const reasons = featuresWith(this.features, "holdReason").map((feature) => feature.holdReason(now));
    return reasons.find((reason) => reason !== null) ?? null;
  }

  /** Return null if sound and video may be sealed; else why they wait. */
  pauseReason(now: number): Sentence | null { return this.frames.pauseReason(now); }

  /** Return whether messages reach the others now, and may be sealed for the room. */
  speaks(now: number): boolean { return this.isSynced(now) && this.holdReason(now) === null; }

  /** Send a message to all members; resend it after a lost connection until all can have it. */
  async post(what: Posted, now: number): Promise<void> {
    this.messages.post(what, now);
    await this.#drive(now);
  }

  /** Remove the member at `leaf`; CommandError if the leaf is empty or our own, or we are not a host. */
  async remove(leaf: number, now: number): Promise<void> {
    const signatureKey = this.membership.signatureKey(leaf);
    if (signatureKey === null || leaf === this.membership.ownLeaf)
      throw new CommandError(sentence("room.nobody_else_there", { leaf }));
    this.hostOnly();
    await this.queue({ type: "RemoveIntent", leaf, signatureKey }, now);
  }

  /** Check that we are a host; CommandError if not. */
  hostOnly(): void {
    if (!this.membership.isHost(this.membership.ownLeaf)) throw new CommandError(sentence("room.host_only"));
  }

  /** Propose our own removal; leave when it is committed, or a few seconds after the first proposal. */
  async leave(now: number): Promise<void> {
    this.#leaveAt ??= now + LEAVE_MAX;
    if (this.membership.members().length === 1 || !this.sync.isEntered) this.finish("left", sentence("room.you_left"));
    else await this.#drive(now);
  }

  /** Leave then, whether our removal is committed or not, if no earlier time is set. */
  leaveBy(at: number): void { this.#leaveAt = Math.min(this.#leaveAt ?? Infinity, at); }

  /** Publish our media transport parameters and streams, now and on every new connection. */
  async publish(media: InputOf<"Publish">, now: number): Promise<void> {
    this.#announcer.media = media;
    if (this.sync.connection !== null) this.sync.connection.syncDone = false;
    await this.#drive(now);
  }

  /** Host with these keys from now on: another host has sent them, or we have made the newest. */
  takeHostKeys(keys: HostKeys): void {
    this.hostKeys = keys;
  }

  /** Forget the keys: we are no host any more. */
  dropHostKeys(): void {
    this.hostKeys = null;
  }

  // -- the connection ------------------------------------------------------------------------------------

  /** Handle a lost or failed connection. */
  async lost(why: Sentence, now: number, byServer = false): Promise<void> {
    if (this.sync.isEntered) {
      this.messages.lost(now, this.#goesWithAll);
      if (why.key === "away.unanswered" || why.key === "away.denied") this.#moving.unanswered(now);
    }
    this.sync.lost();
    for (const feature of this.features) await feature.lost(why, now, byServer);
    if (this.ended === null) this.sync.reconnect(why, now);
  }

  /**
   * Leave this place, and look for the room at that one, or at the next.
   *
   * `server`: an index in the policy's list. Everybody goes there, and nothing that came before is lost.
   */
  async lookElsewhere(now: number, server: number | null = null, attempt = 0, together = true): Promise<void> {
    this.#moving.leave(now, server === null ? null : [server, attempt], together);
    this.leavesServer = true;
    this.#goesWithAll = server !== null && together;
    await this.sync.giveUp(now);
    this.leavesServer = this.#goesWithAll = false;
  }

  /** Connect at once, if we are about to. */
  hurry(now: number): void {
    this.sync.hurry(now);
  }

  /** Do the work that is due at `now`. */
  async tick(now: number): Promise<void> {
    if (this.ended !== null) return;
    await this.sync.tick(now);
    await this.#serverMessages.tick(now);
    if (this.#leaveAt !== null && now > this.#leaveAt) {
      this.finish("left", sentence("room.you_left"));
      return;
    }
    this.#commits.tick(now);
    if (!this.catchingUp) this.messages.tellMissed(now);
    await this.#drive(now);
    this.messages.tellHeld(now);
    for (const feature of featuresWith(this.features, "tick")) await feature.tick(now);
  }

  /** Process a message from the server on the room's connection. */
  async received(message: ServerMessage, now: number): Promise<void> {
    if (this.ended !== null) return;
    if (await this.#serverMessages.received(this.here.incoming(message), now)) await this.#drive(now);
  }

  /** Process a message, or the loss, of a connection to a further room. */
  async further(what: InputOf<"Received"> | InputOf<"Lost">, now: number): Promise<void> {
    if (this.ended !== null) return;
    for (const feature of featuresWith(this.features, "further")) await feature.further(what, now);
  }

  async #drive(now: number): Promise<void> {
    goAhead(this, this.sync, this.#announcer);
    const connection = await this.sync.step(now);
    if (this.sync.mayOnlyCommit) {
      const heal: Intent = { type: "HealIntent", epoch: this.membership.group.epoch };
      if (!this.#commits.hasHeal(heal.epoch)) this.#commits.add(heal);
      await this.#commits.sendNext(now);
    }
    if (connection === null || this.stuckAt !== null) return;
    if (!connection.syncDone) {
      connection.syncDone = true;
      this.sync.catchUp(connection);
      await this.#announcer.publish(connection, now);
    }
    if (!this.sync.hasSettled(now)) return;
    if (!connection.featuresNotified) {
      connection.featuresNotified = true;
      for (const feature of this.features) await feature.synced(now);
    }
    await this.#announcer.announceIfDue(now);
    if (this.#leaveAt === null) {
      await this.messages.sendWaiting(now);
      await this.#commits.sendNext(now);
    } else for (const feature of featuresWith(this.features, "leaving")) await feature.leaving(now);
  }

  // -- the relay ------------------------------------------------------------------------------------------

  /** Broadcast a blob to the present members, or to those who receive the stream `ssrc`. */
  broadcast(blob: Bytes, heartbeat = false, ssrc: number | null = null): void {
    this.send({ type: "broadcast", blob, ssrc });
    if (heartbeat) for (const feature of featuresWith(this.features, "heartbeatSent")) feature.heartbeatSent(blob);
  }

  /** Send to all members through the relay, and return the blob; only while in sync. */
  relay(what: AnyContent): Promise<Bytes> {
    return this.messages.relay(what);
  }

  // -- output ---------------------------------------------------------------------------------------------

  /** Send a message on the room's connection. */
  send(message: ClientMessage): void {
    const told = this.here.outgoing(message);
    if (told === null) return;
    this.sync.connection?.asks(message.type);
    this.perform({ type: "Transmit", endpoint: ROOM, message: told });
  }

  /** Show an event. */
  tell(event: Event): void {
    this.perform({ type: "Tell", event });
  }

  /** Have the shell perform an effect. */
  perform(effect: Effect): void {
    this.effects.push(effect);
  }

  // -- the course of this membership ---------------------------------------------------------------------

  /** The slot whose commit we alone cannot read; null without one. */
  get stuckAt(): number | null {
    return this.sync.stuckAt;
  }

  /** Go on after the slot that we are stuck at: its commit, `blob`, is void. */
  passOver(blob: Bytes, now: number): Promise<void> {
    return this.#receivedCommits.passOver(blob, now);
  }

  /** Stop here, and rejoin with a ticket; for good if our leaf is `replaced` at our request, or gone. */
  giveUp({ replaced = false, absentBy = "" } = {}): void {
    [this.needsRejoin, this.absentBy] = [true, absentBy];
    this.isReplaced ||= replaced || absentBy !== "";
  }

  /** Whether we ask to be let in again: we need to, or the server keeps the others' slot from us. */
  get seeksReadmission(): boolean {
    return this.needsRejoin || this.sync.seeksReadmission;
  }

  /** Ask the members to let us in again, and keep this membership meanwhile; or stop asking. */
  seekReadmission(on: boolean): void {
    this.sync.seeksReadmission = on;
  }

  /** Go on in this membership: nobody is ahead of it. A commit that nobody could read is void. */
  async resume(now: number): Promise<void> {
    this.needsRejoin = false;
    this.sync.seeksReadmission = false;
    for (const feature of featuresWith(this.features, "resumed")) await feature.resumed(now);
    await this.#drive(now);
  }

  /** Whether we have proposed our own removal. */
  get leaving(): boolean { return this.#leaveAt !== null; }

  /** End this membership: erase the media keys, report the reason and disconnect. */
  finish(reason: Ended["reason"], text: Sentence): void {
    if (this.ended !== null) return;
    this.ended = { type: "Ended", reason, text };
    this.membership.media.wipe();
    this.tell(this.ended);
    this.perform({ type: "Disconnect", endpoint: ROOM });
    for (const feature of featuresWith(this.features, "ending")) feature.ending();
  }
}
