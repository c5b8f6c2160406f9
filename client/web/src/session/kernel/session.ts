/**
 * One participant's session: the lobby, the room, and the transitions between them.
 *
 * `handle(input, now)` returns effects, and is the whole interface. `now` is in Unix seconds and never goes back: the
 * shell anchors a monotonic clock to the wall clock once. Inputs are processed strictly one after another, in the
 * order of the calls; only media frames are sealed and opened between.
 */
import { type Bytes, hex, type Rng, systemRng, utf8 } from "../../crypto/bytes";
import { SnugCryptoError } from "../../crypto/errors";
import { HostSeed, Invite, linkPsk, roomNumber } from "../../crypto/entry/invite";
import { H, SigningKey } from "../../crypto/kdf";
import type * as lobby from "../../crypto/entry/lobby";
import { LINK_PSK_ID } from "../../crypto/agreed/policy";
import { HostRecoveryData } from "../../crypto/entry/recovery";
import { Ledger, Mode, Policy, REPORTS, RejoinTicket, SINGLE_USE } from "../../crypto/agreed/roomState";
import type * as mls from "../../mls";
import type { ServerMessage } from "../../wire/messages";
import { CommandError, type Sentence, sentence } from "../../words/sentence";
import { build as buildFeatures } from "../features/build";
import { Dropped } from "../monitor/dropped";
import { type Endpoint, type Effect, type Ended, type Event, type Input, type InputOf, ROOM } from "../events";
import type { Frames } from "./frames";
import { Vouching } from "../features/identity";
import type { EntryIntent } from "./intents";
import { inviteName, InviteBook } from "../entry/invites";
import { type Entry, GuestLobby } from "../entry/guest";
import { HostLobby } from "../entry/lobby";
import { NOT_LET_IN } from "../entry/refusals";
import { Me } from "./me";
import { Membership } from "./membership";
import { OPTIONS, type Options } from "../options";
import { Pages } from "../features/pages";
import { Roles } from "../features/roles";
import { Reporting } from "../features/reporting";
import { ATTENDANTS_MAX, FIRST_NUMBER, MembersLobby, RejoinHelper } from "../entry/helper";
import { HostReturnLobby, RejoinLobby } from "../entry/recovery";
import { Revocation } from "../features/revocation";
import { carryOut } from "./commands";
import type { Owner } from "./ports";
import { RoomSession } from "./room";
import { Monitor } from "../monitor/monitor";
import * as sentences from "../catalogue/sentences";

interface Common {
  readonly options?: Options;
  readonly now: number;
  readonly rng?: Rng;
}

export interface HostFacts extends Common {
  readonly origin: string;
  readonly name: string;
  readonly title?: string;
  readonly admission?: "ask" | "all";
  /** Further invites to make. */
  readonly invites?: readonly { readonly label: string; readonly once: boolean }[];
  readonly openInvite?: boolean;
}

export interface JoinFacts extends Common {
  readonly link: string;
  readonly name: string;
  readonly greeting?: string;
}

type Guest = GuestLobby | HostReturnLobby;

/** One participant: create it by `host`, `join` or `rejoinAsHost`, feed inputs, perform the effects. */
export class Session implements Owner {
  readonly #me: Me;
  #invite: Invite;
  readonly #book = new InviteBook();
  /** Index of the open invite, for everybody without a personal one; null without one. */
  #open: number | null = null;
  readonly #options: Options;
  readonly #rng: Rng;
  readonly #effects: Effect[] = [];
  #room: RoomSession | null = null;
  #host: HostLobby | null = null;
  #guest: Guest | null = null;
  #members: MembersLobby | null = null;
  #rejoinHelper: RejoinHelper | null = null;
  /** The leaf of the member that let us rejoin last. */
  #helper: number | null = null;
  #kept: HostRecoveryData | null = null;
  #ended: Ended | null = null;
  #publish: InputOf<"Publish"> | null = null;
  /** The hash of the page that we run, kept to report it once we are inside. */
  #page: Bytes | null = null;
  /** As of the last check whether we are a host. */
  #policy: Policy | null = null;
  /** The results of our commits for newcomers, answered at the end of the input that brought them. */
  #admitted: (readonly [EntryIntent, Bytes])[] = [];
  #notAdmitted: (readonly [EntryIntent, Sentence])[] = [];
  #handled: Promise<unknown> = Promise.resolve();

  private constructor(me: Me, invite: Invite, options: Options, rng: Rng) {
    this.#me = me;
    this.#invite = invite;
    this.#options = options;
    this.#rng = rng;
  }

  // -- constructors ----------------------------------------------------------------------------------------

  /**
   * Open a meeting at a server, with the open invite and the further invites in `invites`.
   *
   * ValidationError("SNUG-11") if the name is not allowed, CommandError if a label is not.
   */
  static async host(facts: HostFacts): Promise<Session> {
    const { origin, name, title = "", admission = "ask", openInvite = true, now } = facts;
    const { options = OPTIONS, rng = systemRng } = facts;
    const me = await Me.make(name, rng);
    const seed = await HostSeed.fromRandom(rng);
    const secret = rng(16);
    const session = new Session(me, seed.invite(origin, secret, 0), options, rng);
    const first = new Policy({
      version: 1,
      hosts: [me.public],
      hostPublic: seed.hostPublic,
      mode: admission === "all" ? Mode.WAVE_IN : Mode.ASK,
      title,
      flags: options.reports ? REPORTS : 0,
    });
    const group = await me.found(first, now);
    const doorKey = await SigningKey.generate(rng, true);
    const roomAdmin = await seed.roomAdminKey(group.groupId);
    const number = roomNumber(doorKey.public, roomAdmin.public);
    const membership = await Membership.create(group, {
      room: number,
      slot: 0,
      chain: H(utf8("snug 1 chain"), number),
      ledger: new Ledger({ keys: new Set([hex(me.public)]) }),
      linkPsk: linkPsk(secret),
      now,
      rng,
    });
    const facilities = { origin, doorKey, roomAdminPublic: roomAdmin.public, hostSeed: seed, now, options, rng };
    const room = await RoomSession.create(membership, { ...facilities, owner: session, buildFeatures });
    session.#room = room;
    room.start();
    session.#host = await session.#hostLobby(seed, now);
    session.#policy = membership.policy;
    if (openInvite) {
      session.#open = 0;
      session.#book.first();
      session.#tellInvite(session.#invite, "", false);
    }
    for (const wanted of facts.invites ?? []) session.#newInvite(room, wanted);
    await session.#collect(now);
    return session;
  }

  /** Knock with a link; MalformedError or UnsupportedError if the link is wrong, with the reason. */
  static async join(facts: JoinFacts): Promise<Session> {
    const { link, name, greeting = "", options = OPTIONS, now, rng = systemRng } = facts;
    const me = await Me.make(name, rng);
    const session = new Session(me, Invite.parse(link), options, rng);
    session.#guest = await GuestLobby.open({
      link: session.#invite,
      name,
      greeting,
      makePackage: (at) => me.package(at),
      psks: session.#psks(),
      identity: options.showIdentity ? (options.contacts?.own ?? null) : null,
      now,
      rng,
    });
    await session.#collect(now);
    return session;
  }

  /** Return to a meeting as a host after a crash, with the data that `kept` gave before (SNUG-9). */
  static async rejoinAsHost(kept: HostRecoveryData, facts: Common): Promise<Session> {
    const { options = OPTIONS, now, rng = systemRng } = facts;
    const me = await Me.make(kept.name, rng);
    const session = new Session(me, kept.hostSeed.invite(kept.origin, kept.secret, 0), options, rng);
    session.#kept = kept;
    const psks = session.#psks();
    session.#guest = await HostReturnLobby.open({ kept, makePackage: (at) => me.package(at), psks, now, rng });
    await session.#collect(now);
    return session;
  }

  /** Return the data for a host to keep, sealed, for `rejoinAsHost`; null for others. */
  kept(): HostRecoveryData | null {
    const room = this.#room;
    if (room === null || room.hostSeed === null) return null;
    return new HostRecoveryData({
      hostSeed: room.hostSeed,
      doorSeed: room.doorKey.seed,
      secret: this.#invite.secret,
      groupId: room.m.group.groupId,
      origin: this.#invite.origin,
      name: this.#me.name,
    });
  }

  #psks(): mls.Psks {
    return new Map([[hex(LINK_PSK_ID), linkPsk(this.#invite.secret)]]);
  }

  #hostLobby(seed: HostSeed, now: number): Promise<HostLobby> {
    const { secret, origin } = this.#invite;
    const contacts = this.#options.contacts;
    const takeBack = (index: number): void => this.#takeBack(index);
    return HostLobby.open({ seed, secret, origin, book: this.#book, takeBack, contacts, now, rng: this.#rng });
  }

  // -- for the shell ---------------------------------------------------------------------------------------

  /** Return the first effects. */
  start(): Effect[] {
    return this.#drain();
  }

  /** The origin of the server that holds this meeting. */
  get origin(): string {
    return this.#invite.origin;
  }

  /** The reason that the session ended; null while it runs. */
  get ended(): Ended | null {
    return this.#ended;
  }

  /** Whether we are a member. */
  get inside(): boolean {
    return this.#room !== null;
  }

  /** Our leaf; null while we are not a member. */
  get ownLeaf(): number | null {
    return this.#room?.m.ownLeaf ?? null;
  }

  /** The members' names by leaf; empty while we are not a member. */
  get names(): Map<number, string> {
    return new Map((this.#room?.m.members() ?? []).map(({ leaf, name }) => [leaf, name]));
  }

  /** Return the name of the member at a leaf; null if there is no member. */
  nameOf(leaf: number): string | null {
    return this.names.get(leaf) ?? null;
  }

  /** Our membership, which the shell may read (its tree, the announcers of a stream) and must not change. */
  get room(): RoomSession | null {
    return this.#room;
  }

  /** Return the numbers of the knocks that wait for a host's answer; null if we are not a host. */
  waiting(now: number): readonly number[] | null {
    return this.#host === null || this.#room === null ? null : this.#host.waiting(this.#room.m, now);
  }

  /** Return the reason that our media may not be sent now; null: it may. */
  pauseReason(now: number): Sentence | null {
    return this.#room === null ? sentence("cant.not_inside") : this.#room.frames.pauseReason(now);
  }

  /** Seals and opens media frames under the room's current keys; null while we are not a member. */
  get frames(): Frames | null {
    return this.#room?.frames ?? null;
  }

  // -- handle ----------------------------------------------------------------------------------------------

  /** Process one input, after all earlier ones. CommandError if a command cannot be carried out. */
  handle(what: Input, now: number): Promise<Effect[]> {
    const done = this.#handled.then(async () => {
      if (this.#ended === null) {
        await this.#dispatch(what, now);
        await this.#collect(now);
      } else if (what.type === "SaveEvidence" && this.#ended.reason === "dropped" && this.#room !== null) {
        await this.#room.feature(Dropped).save(what.names, now);
        this.#gather(this.#room);
      }
      return this.#drain();
    });
    this.#handled = done.catch(() => undefined);
    return done;
  }

  async #dispatch(what: Input, now: number): Promise<void> {
    switch (what.type) {
      case "Received":
        return await this.#received(what.endpoint, what.message, now);
      case "Lost":
        if (!what.endpoint.probe) await this.#lost(what.endpoint, what.why, now);
        else if (this.#room !== null)
          await this.#room.feature(Dropped).probeLost(what.why, what.answered, now);
        return;
      case "Tick": {
        const host = this.#guest === null ? this.#host : null; // only one of them at a time
        for (const part of [this.#room, host, this.#guest]) await part?.tick(now);
        if (this.#room !== null) await this.#attendLobby(this.#room, now);
        return;
      }
      case "Publish":
        this.#publish = what;
        return await this.#room?.publish(what, now);
      case "RunsPage":
        this.#page = what.hash;
        return await this.#room?.feature(Pages).run(what.hash, now);
      case "Leave":
        return await this.#leave(now);
    }
    const room = this.#inRoom(what.type);
    switch (what.type) {
      case "Admit":
        return await this.#admit(this.#asHost(), room, what.knock, now);
      case "Refuse":
        return await this.#asHost().refuse(what.knock, NOT_LET_IN, now);
      case "NewInvite":
        this.#asHost();
        return this.#newInvite(room, what);
      case "ListInvites":
        this.#asHost();
        return this.#tell({ type: "Invites", rows: this.#book.rows(room.m) });
      case "Revoke":
        return this.#revoke(this.#asHost(), room, what.index);
      default:
        return await carryOut(room, what, now);
    }
  }

  async #received(endpoint: Endpoint, message: ServerMessage, now: number): Promise<void> {
    const room = this.#room;
    if (endpoint.probe) {
      await room?.feature(Dropped).probeReceived(message, now);
      return;
    }
    if (endpoint.day === null) {
      if (room !== null) await room.received(message, now);
      else if (this.#guest instanceof HostReturnLobby) await this.#guest.receivedInRoom(message);
      return;
    }
    if (this.#members !== null && room !== null) {
      const said = await this.#members.received(endpoint.day, message);
      if (typeof said !== "boolean" && said.type === "RecoveryMessage")
        await this.#helping(room).messagePosted(endpoint.day, said, room, now);
    } else if (this.#host !== null && room !== null && this.#guest === null)
      await this.#inLobby(this.#host, room, endpoint.day, message, now);
    await this.#guest?.received(endpoint.day, message, now);
  }

  /** Process a message in a lobby where we are a host. */
  async #inLobby(host: HostLobby, room: RoomSession, day: number, message: ServerMessage, now: number): Promise<void> {
    const left = await host.received(day, message, room.m, now);
    switch (left?.type) {
      case "Knocked":
        this.#tell({ ...left, label: this.#book.label(left.invite) });
        if (room.m.policy.mode === Mode.WAVE_IN && !room.feature(Roles).seedExposed)
          await this.#admit(host, room, left.knock, now);
        return;
      case "RejoinIntent":
        return await room.queue(left, now);
      case "RecoveryMessage":
        return await this.#helping(room).messagePosted(day, left, room, now);
    }
  }

  /** Let a newcomer in: the room commits it, and `admitted` or `notAdmitted` has the result. */
  async #admit(host: HostLobby, room: RoomSession, knock: number, now: number): Promise<void> {
    await room.queue(host.admit(knock, now), now);
  }

  async #lost(endpoint: Endpoint, why: Sentence, now: number): Promise<void> {
    if (endpoint.day === null) {
      await this.#room?.lost(why, now);
      return;
    }
    this.#host?.lost(endpoint.day, now);
    this.#members?.lost(endpoint.day, now);
    this.#guest?.lost(endpoint.day, why, now);
  }

  #inRoom(command: Input["type"]): RoomSession {
    if (this.#room === null) {
      // This error comes first for hosts' commands: nobody outside is a host.
      const hostly = ["Admit", "Refuse", "NewInvite", "ListInvites", "Revoke"];
      throw new CommandError(sentence(hostly.includes(command) ? "room.host_only" : "cant.not_inside"));
    }
    return this.#room;
  }

  #asHost(): HostLobby {
    if (this.#host === null) throw new CommandError(sentence("room.host_only"));
    return this.#host;
  }

  async #leave(now: number): Promise<void> {
    if (this.#room !== null) await this.#room.leave(now);
    else {
      const ended: Ended = { type: "Ended", reason: "left", text: sentence("room.you_left") };
      this.#end(ended);
      this.#tell(ended);
    }
  }

  // -- between lobby and room ------------------------------------------------------------------------------

  /** Pass results between lobby and room, and collect effects. */
  async #collect(now: number): Promise<void> {
    if (this.#room !== null) {
      this.#keepBook(this.#room);
      await this.#answerHelped(this.#room);
      if (this.#host !== null) await this.#serve(this.#host, this.#room, now);
    }
    if (this.#guest !== null) await this.#checkGuest(this.#guest, now);
    const room = this.#room;
    if (room !== null) {
      if (this.#policy !== room.m.policy) {
        this.#policy = room.m.policy;
        if (room.hostSeed !== null && !room.m.isHost(room.m.ownLeaf)) this.#stopHosting(room);
      }
      if (room.hostSeed !== null && this.#host === null) await this.#becomeHost(room.hostSeed, now);
      if (room.needsRejoin && this.#guest === null && room.ended === null) await this.#rejoin(room, now);
    }
    for (const part of [this.#room, this.#host, this.#guest, this.#members]) this.#gather(part);
    if (room !== null && room.ended !== null && this.#ended === null) this.#end(room.ended);
  }

  #gather(part: { readonly effects: Effect[] } | null): void {
    if (part !== null) this.#effects.push(...part.effects.splice(0));
  }

  async #serve(host: HostLobby, room: RoomSession, now: number): Promise<void> {
    const { m } = room;
    for (const [done, welcome] of this.#admitted.splice(0)) {
      const identity = await host.answer(done.knock, await this.#answer(room, done, welcome));
      if (done.type === "AddIntent") host.used(done.invite);
      if (identity !== null)
        room.feature(Vouching).recordIdentity(done.keyPackage.leafNode.signatureKey, identity);
    }
    for (const [intent, why] of this.#notAdmitted.splice(0))
      if (intent.type === "AddIntent" || intent.type === "RejoinIntent") await host.notAdded(intent, why, m);
    for (const index of new Set([...m.ledger.revoked, ...this.#book.takenBack])) await host.revoke(index);
    if (m.policy.mode === Mode.LOCKED) await host.lock(now);
    this.#replaceOpen(room);
  }

  /** Record who joined and left by which invite, and revocations by hosts; add our labels. */
  #keepBook(room: RoomSession): void {
    for (const [i, effect] of room.effects.entries()) {
      if (effect.type !== "Tell" || effect.event.type !== "Roster") continue;
      const roster = effect.event;
      this.#book.changed(roster);
      if (roster.invite !== null)
        room.effects[i] = { type: "Tell", event: { ...roster, label: this.#book.label(roster.invite) } };
    }
    for (const index of room.feature(Revocation).revoked) this.#book.takenBack.add(index);
  }

  // -- invites ---------------------------------------------------------------------------------------------

  #link(seed: HostSeed, index: number): Invite {
    return seed.invite(this.#invite.origin, this.#invite.secret, index, this.#invite.servers);
  }

  #tellInvite(invite: Invite, label: string, once: boolean, replaces: number | null = null): void {
    this.#tell({ type: "InviteMade", link: invite.link(), index: invite.index, label, once, replaces });
  }

  #newInvite(room: RoomSession, wanted: { readonly label: string; readonly once: boolean }): void {
    if (room.hostSeed === null) throw new CommandError(sentence("room.host_only"));
    const known = [...room.m.ledger.used, ...room.m.ledger.revoked];
    const index = this.#book.make(wanted.label, wanted.once, known, this.#rng);
    this.#tellInvite(this.#link(room.hostSeed, index), wanted.label, wanted.once);
  }

  /** Replace the open link after a removal has revoked it: the removed member still holds it. */
  #replaceOpen(room: RoomSession): void {
    const old = this.#open;
    const { ledger } = room.m;
    if (old === null || !ledger.revoked.has(old) || room.hostSeed === null || room.ended !== null) return;
    this.#open = null;
    if (this.#book.takenBack.has(old)) return;
    try {
      this.#open = this.#book.make("", false, [...ledger.used, ...ledger.revoked], this.#rng);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      this.#tell(sentences.notDone(error.sentence));
      return;
    }
    this.#invite = this.#link(room.hostSeed, this.#open);
    this.#tellInvite(this.#invite, "", false, old);
  }

  #takeBack(index: number): void {
    this.#room?.feature(Revocation).revoke(index);
    this.#book.takenBack.add(index);
  }

  #revoke(host: HostLobby, room: RoomSession, index: number): void {
    if (!this.#book.known(index) && !host.knows(index))
      throw new CommandError(sentence("cant.invite_unknown", { index }));
    if (this.#book.takenBack.has(index) || room.m.ledger.revoked.has(index))
      throw new CommandError(sentence("cant.invite_over", { index }));
    if (index === this.#open) this.#open = null;
    this.#takeBack(index);
    this.#tell(sentences.status("revoked", { invite: inviteName(index, this.#book.label(index)) }));
  }

  /** Let crashed hosts and members out of step back in, as a host or while no host is active. */
  async #attendLobby(room: RoomSession, now: number): Promise<void> {
    if (this.#guest !== null || room.ended !== null) {
      this.#closeMembers();
      return;
    }
    const helper = this.#helping(room);
    const { isEntered } = room.sync;
    const attend = this.#host === null && isEntered && room.rank < ATTENDANTS_MAX && room.hostless(now);
    if (!attend) this.#closeMembers();
    else this.#members ??= new MembersLobby(this.#invite, this.#rng);
    await this.#members?.tick(now);
    const place = this.#host ?? this.#members;
    if (place === null) return;
    for (const wanted of await helper.tick(room, place, now)) await room.queue(wanted, now);
  }

  #helping(room: RoomSession): RejoinHelper {
    return (this.#rejoinHelper ??= new RejoinHelper(room.doorKey.seed, this.#rng));
  }

  #closeMembers(): void {
    this.#members?.close();
    this.#gather(this.#members);
    this.#members = null;
  }

  // -- for the room ----------------------------------------------------------------------------------------

  /** Answer the newcomer of `intent` at the end of this input: `#answerHelped` or `#serve` does. */
  admitted(intent: EntryIntent, welcome: Bytes): void {
    this.#admitted.push([intent, welcome]);
  }

  /** Refuse the newcomer of `intent` at the end of this input: `#serve` does. */
  notAdmitted(intent: EntryIntent, why: Sentence): void {
    this.#notAdmitted.push([intent, why]);
  }

  /** Answer members and hosts whom we have let in again as a `RejoinHelper`. */
  async #answerHelped(room: RoomSession): Promise<void> {
    const place = this.#host ?? this.#members;
    for (const [done, welcome] of this.#admitted)
      if (done.knock >= FIRST_NUMBER && place !== null)
        await this.#helping(room).answer(done.knock, await this.#answer(room, done, welcome), place);
    this.#admitted = this.#admitted.filter(([{ knock }]) => knock < FIRST_NUMBER);
    // After a failure, the requester asks again, or asks another member.
    const failed = this.#host === null ? [] : this.#notAdmitted;
    this.#notAdmitted = failed.filter(([{ knock }]) => knock < FIRST_NUMBER);
  }

  async #answer(room: RoomSession, done: EntryIntent, welcome: Bytes): Promise<lobby.Answer> {
    const { m } = room;
    return {
      type: "Answer",
      welcome,
      doorSeed: room.doorKey.seed,
      roomAdminPublic: room.roomAdminPublic,
      heartbeatKey: m.handHeartbeatKey(),
      slot: m.journal.slot,
      chain: m.journal.chain,
      ledger: m.ledger.encode(),
      admission: await room.feature(Reporting).admissionFor(done.keyPackage.leafNode.signatureKey),
    };
  }

  async #checkGuest(guest: Guest, now: number): Promise<void> {
    if (guest.refusal !== null) {
      this.#closeGuest(guest);
      const ended: Ended = { type: "Ended", reason: "refused", text: guest.refusal };
      this.#end(ended);
      this.#tell(ended);
    } else if (guest.entry !== null) await this.#enter(guest, guest.entry, now);
  }

  #closeGuest(guest: Guest): void {
    guest.close();
    this.#gather(guest);
    this.#guest = null;
  }

  async #enter(guest: Guest, { answer, group }: Entry, now: number): Promise<void> {
    const { roomAdminPublic } = answer;
    const rng = this.#rng;
    const doorKey = await SigningKey.fromSeed(answer.doorSeed, true);
    let membership: Membership;
    try {
      membership = await Membership.create(group, {
        room: roomNumber(doorKey.public, roomAdminPublic),
        slot: answer.slot,
        chain: answer.chain,
        ledger: Ledger.decode(answer.ledger),
        linkPsk: linkPsk(this.#invite.secret),
        now,
        handed: answer.heartbeatKey,
        rng,
      });
    } catch (error) {
      if (!(error instanceof SnugCryptoError)) throw error;
      if (!(guest instanceof GuestLobby) || guest instanceof RejoinLobby) {
        guest.entry = null; // the answer may be from a former member: another may still come
        return;
      }
      guest.refusal = sentence("refusal.unusable", { why: sentences.inFull(error) });
      await this.#checkGuest(guest, now);
      return;
    }
    const old = this.#room;
    const kept = this.#kept;
    const hostSeed = old === null ? (kept?.hostSeed ?? null) : old.hostSeed;
    const options = this.#options;
    const facilities = { origin: this.#invite.origin, doorKey, roomAdminPublic, hostSeed, now, options, rng };
    const room = await RoomSession.create(membership, { ...facilities, owner: this, buildFeatures });
    this.#policy = null;
    this.#admitted = [];
    this.#notAdmitted = [];
    if (guest instanceof RejoinLobby && guest.helpedBy !== null) this.#helper = guest.helpedBy;
    this.#book.enter(membership);
    this.#closeGuest(guest);
    this.#gather(old);
    if (old !== null || kept !== null) this.#effects.push({ type: "Disconnect", endpoint: ROOM });
    if (old !== null) await room.carryOver(old);
    else if (kept !== null) room.feature(Monitor).forgetConfirmations();
    this.#room = room; // media use the new keys from here on
    await room.feature(Reporting).take(answer.admission);
    room.start();
    if (kept !== null && this.#host === null) {
      await this.#becomeHost(kept.hostSeed, now);
      this.#tellInvite(this.#invite, "", false);
    }
    if (this.#publish !== null) await room.publish(this.#publish, now);
    if (this.#page !== null && old === null) await room.feature(Pages).run(this.#page, now);
  }

  async #rejoin(room: RoomSession, now: number): Promise<void> {
    const { m } = room;
    const { slot, chain } = m.journal;
    const ticket = { groupId: m.group.groupId, slot, chain, stuck: room.stuckAt !== null };
    this.#host?.close(); // until we are in again; guests there knock at our next card
    this.#closeMembers();
    this.#tell(sentences.alarm("rejoining"));
    this.#guest = await RejoinLobby.begin({
      link: this.#invite,
      name: this.#me.name,
      old: room,
      makePackage: (at, nonce, by) => this.#me.package(at, new RejoinTicket({ ...ticket, nonce, by })),
      psks: this.#psks(),
      first: this.#helper,
      now,
      rng: this.#rng,
    });
  }

  async #becomeHost(seed: HostSeed, now: number): Promise<void> {
    this.#invite = this.#link(seed, this.#invite.index);
    this.#open = this.#invite.index & SINGLE_USE ? null : this.#invite.index;
    this.#host = await this.#hostLobby(seed, now);
    this.#tell(sentences.status("host"));
  }

  /** Forget, as far as a program can, what only hosts have: we have lost or given up the host role. */
  #stopHosting(room: RoomSession): void {
    room.dropHostSeed();
    this.#admitted = [];
    this.#notAdmitted = [];
    this.#open = null;
    this.#host?.close();
    this.#gather(this.#host);
    this.#host = null;
    this.#tell(sentences.status("no_host"));
  }

  #end(ended: Ended): void {
    this.#ended = ended;
    this.#closeMembers();
    this.#host?.close();
    this.#gather(this.#host);
  }

  #tell(event: Event): void {
    this.#effects.push({ type: "Tell", event });
  }

  #drain(): Effect[] {
    return this.#effects.splice(0);
  }
}
