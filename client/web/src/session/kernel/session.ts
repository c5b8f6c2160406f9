/**
 * One participant's session: the lobby, the room, and the transitions between them.
 *
 * `handle(input, now)` returns effects, and is the whole interface. `now` is in Unix seconds and never goes back: the
 * shell anchors a monotonic clock to the wall clock once. Inputs are processed strictly one after another, in the
 * order of the calls; only media frames are sealed and opened between.
 */
import { checkAll } from "../addresses";
import { type Bytes, type Rng, systemRng } from "../../crypto/bytes";
import { SnugError } from "../../crypto/errors";
import { canonicalOrigin, HostKeys, HostSeed, Invite } from "../../crypto/entry/invite";
import type { MemberRecoveryData } from "../../crypto/entry/memberRecovery";
import type { HostRecoveryData } from "../../crypto/entry/recovery";
import { MIRROR, Mode, type Policy, REPORTS, SIXTEEN, STRICT } from "../../crypto/agreed/roomState";
import type { ServerMessage } from "../../wire/messages";
import { CommandError, type Sentence, sentence } from "../../words/sentence";
import { build as buildFeatures } from "../features/build";
import { CollectedEvidence } from "../features/collectedEvidence";
import { type Endpoint, type Effect, type Ended, type Event, type Input, type InputOf, ROOM } from "../events";
import type { Frames } from "./frames";
import { type Entry, GuestLobby } from "../entry/guest";
import type { HostLobby } from "../entry/lobby";
import { Admissions } from "./admissions";
import { RepeatedAlarms } from "./alarms";
import { type Arrival, enterMeeting, foundMeeting } from "./entering";
import { Comeback, Keeping } from "./keeping";
import { KnownServers } from "./knownServers";
import { load, loadedLater } from "./load";
import { Me } from "./me";
import { inviteMade, MeetingInvites } from "./meetingInvites";
import { OPTIONS, type Options } from "../options";
import { Pages } from "../features/pages";
import { Reporting } from "../features/reporting";
import type { HostReturnLobby } from "../entry/recovery";
import { Readmission } from "./readmission";
import { isRejoin, Reentry } from "./reentry";
import { carryOut } from "./commands";
import { RoomSession } from "./room";
import { ServerLink } from "./serverLink";
import type { Common, HostFacts, JoinFacts } from "./sessionFacts";
import { Monitor } from "../monitor/monitor";
import * as reasons from "../catalogue/reasons";
import * as sentences from "../catalogue/sentences";

type Guest = GuestLobby | HostReturnLobby;

/** One participant: create it by `host`, `join` or `rejoinAsHost`, feed inputs, perform the effects. */
export class Session {
  readonly #me: Me;
  readonly #invites: MeetingInvites;
  readonly #admissions: Admissions;
  readonly #readmission: Readmission;
  readonly #options: Options;
  readonly #servers: KnownServers;
  readonly #rng: Rng;
  readonly #effects: Effect[] = [];
  readonly #repeated = new RepeatedAlarms();
  #room: RoomSession | null = null;
  #host: HostLobby | null = null;
  #numbers = 0;
  /** Numbers newcomers and returning hosts, as our person is told them. */
  readonly #nextNumber = (): number => ++this.#numbers;
  #guest: Guest | null = null;
  readonly #reentry: Reentry;
  #kept: HostRecoveryData | null = null;
  #comeback: Comeback | null = null;
  readonly #keeping: Keeping;
  #ended: Ended | null = null;
  readonly #link: ServerLink;
  #publish: InputOf<"Publish"> | null = null;
  /** The hash of the page that we run, kept to report it once we are inside. */
  #page: Bytes | null = null;
  /** As of the last check whether we are a host. */
  #policy: Policy | null = null;
  #handled: Promise<unknown> = Promise.resolve();

  private constructor(me: Me, invite: Invite, options: Options, rng: Rng, now: number, founds = false) {
    this.#me = me;
    this.#link = new ServerLink(invite.origin, now, founds);
    this.#admissions = new Admissions(rng);
    this.#invites = new MeetingInvites(invite, rng);
    this.#readmission = new Readmission(this.#nextNumber, rng);
    this.#reentry = new Reentry(rng);
    this.#options = options;
    this.#servers = new KnownServers(invite, options);
    this.#keeping = new Keeping(options.keep);
    this.#rng = rng;
  }

  // -- constructors ----------------------------------------------------------------------------------------

  /**
   * Open a meeting at a server, with the open invite and the further invites in `invites`. `servers`: where it can go on.
   *
   * ValidationError("SNUG-11") for the name, CommandError for a label and a strange server, MalformedError.
   */
  static async host(facts: HostFacts): Promise<Session> {
    const { origin, servers = [], name, title = "", admission = "ask", openInvite = true, now } = facts;
    const { options = OPTIONS, rng = systemRng } = facts;
    const again = facts.again?.fields ?? null;
    const me = await Me.make(name, rng);
    const seed = again?.hostKeys?.current ?? (await HostSeed.fromRandom(rng));
    const { secret, index } = again?.hostKeys ? again.invite : { secret: rng(16), index: 0 };
    const link = seed.invite(origin, secret, index, servers.map(canonicalOrigin));
    checkAll(origin, link.servers);
    const session = new Session(me, link, options, rng, now, true);
    const mode = admission === "all" ? Mode.WAVE_IN : Mode.ASK;
    const chosen = [[options.reports, REPORTS], [options.mirror, MIRROR], [options.sixteen, SIXTEEN], [options.strict, STRICT]] as const;
    const flags = chosen.reduce((all, [is, flag]) => all | (is ? flag : 0), 0);
    const founded = await foundMeeting({ me, seed, link, title, mode, flags, now, rng });
    const keys = new HostKeys([seed]);
    const room = await session.#makeRoom(founded, keys, now);
    session.#room = room;
    await room.start();
    session.#host = await session.#hostLobby(keys, now);
    session.#policy = founded.membership.policy;
    if (openInvite) session.#tell(session.#invites.opened());
    for (const wanted of facts.invites ?? []) session.#tell(session.#invites.make(room, wanted));
    await session.#collect(now);
    return session;
  }

  /** Knock with a link; MalformedError or UnsupportedError if the link is wrong, with the reason. */
  static async join(facts: JoinFacts): Promise<Session> {
    const { link, name, greeting = "", options = OPTIONS, now, rng = systemRng } = facts;
    const me = await Me.make(name, rng);
    const session = new Session(me, Invite.parse(link), options, rng, now);
    session.#guest = await GuestLobby.open({
      link: session.#invites.own,
      name,
      greeting,
      ...(await me.newLeaf()),
      psks: session.#invites.psks,
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
    const session = new Session(me, kept.hostKeys.first.invite(kept.origin, kept.secret, 0, kept.servers), options, rng, now);
    session.#kept = kept;
    const leaf = { ...(await me.newLeaf()), psks: session.#invites.psks };
    const { HostReturnLobby } = await load();
    session.#guest = await HostReturnLobby.open({ kept, ...leaf, now, rng });
    await session.#collect(now);
    return session;
  }

  /** Come back as the same member, with what the device has kept (the effect `Keep`, SNUG-8). */
  static async comeBack(kept: MemberRecoveryData, facts: Common): Promise<Session> {
    const { options = OPTIONS, now, rng = systemRng } = facts;
    const me = Me.again(kept.fields.name, kept.fields.signature, rng);
    const session = new Session(me, kept.fields.invite, options, rng, now);
    const comeback = await Comeback.begin(kept);
    const { psks } = session.#invites;
    const { comebackLobby } = await load();
    session.#guest = await comebackLobby(me, kept, comeback.keys, session.#servers, { psks, first: null, final: true, now, rng });
    session.#comeback = comeback;
    await session.#collect(now);
    return session;
  }

  /** Return the data for a host to keep, sealed, for `rejoinAsHost`; null for others. */
  kept(): HostRecoveryData | null {
    const [room, later] = [this.#room, loadedLater()];
    return room === null || later === null ? null : later.recoveryData(this.#me, room, this.#invites.own);
  }

  async #hostLobby(keys: HostKeys, now: number): Promise<HostLobby> {
    const { HostLobby } = await load();
    const { book, own } = this.#invites;
    const { secret, origin } = own;
    const contacts = this.#options.contacts;
    const takeBack = (index: number): void => this.#invites.takeBack(this.#room, index);
    return await HostLobby.open({ keys, secret, origin, book, takeBack, nextNumber: this.#nextNumber, contacts, now, rng: this.#rng });
  }

  // -- for the shell ---------------------------------------------------------------------------------------

  /** Return the first effects. */
  start(): Effect[] {
    return this.#drain();
  }

  /** The origin of the server that holds this meeting. */
  get origin(): string {
    return this.#invites.own.origin;
  }

  /** The reason that the session ended; null while it runs. */
  get ended(): Ended | null {
    return this.#ended;
  }

  /** Whether we are a member of a room that the server has opened, or let us into. */
  get inside(): boolean {
    return this.#room !== null && this.#link.contacted;
  }

  /** Our leaf; null while we are not a member. */
  get ownLeaf(): number | null {
    return this.#room?.membership.ownLeaf ?? null;
  }

  /** The members' names by leaf; empty while we are not a member. */
  get names(): Map<number, string> {
    return new Map((this.#room?.membership.members() ?? []).map(({ leaf, name }) => [leaf, name]));
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
    if (this.#host === null || this.#room === null) return null;
    return [...this.#host.waiting(this.#room.membership, now), ...this.#readmission.waiting(now)];
  }

  /** Return the reason that our media may not be sent now; null: it may. */
  pauseReason(now: number): Sentence | null {
    return this.#room === null ? sentence("cannot.not_inside") : this.#room.frames.pauseReason(now);
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
        const { effects, inputs, ended } = this.#link.check(what, now);
        this.#effects.push(...effects);
        for (const each of inputs) await this.#dispatch(each, now);
        if (ended !== null) this.#end(ended);
        await this.#collect(now);
      } else if (what.type === "SaveEvidence" && this.#ended.reason === "dropped" && this.#room !== null) {
        await this.#room.feature(CollectedEvidence).save(what.names, now);
        this.#gather(this.#room);
      }
      return this.#repeated.merged(this.#drain(), now);
    });
    this.#handled = done.catch(() => undefined);
    return done;
  }

  async #dispatch(what: Input, now: number): Promise<void> {
    switch (what.type) {
      case "Received":
        if (what.endpoint.further !== null) return await this.#room?.further(what, now);
        return await this.#received(what.endpoint, what.message, now);
      case "Lost":
        if (what.endpoint.further !== null) return await this.#room?.further(what, now);
        return await this.#lost(what, now);
      case "NetworkChanged":
        for (const part of [this.#room, this.#host, this.#guest, this.#readmission.members]) part?.hurry(now);
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
      case "Refuse":
      case "Replace": {
        const host = this.#asHost();
        return await (await load()).decide(host, room, this.#readmission, what, now);
      }
      case "NewInvite":
      case "ListInvites":
      case "Revoke": {
        const host = this.#asHost();
        return this.#told((await load()).aboutInvites(what, host, room, this.#invites));
      }
      default:
        return await carryOut(room, what, now);
    }
  }

  async #received(endpoint: Endpoint, message: ServerMessage, now: number): Promise<void> {
    const room = this.#room;
    if (endpoint.day === null) return room?.received(message, now);
    const { members } = this.#readmission;
    if (members !== null && room !== null) {
      const said = await members.received(endpoint.day, message);
      if (typeof said !== "boolean") await this.#readmission.messagePosted(endpoint.day, said, room, now);
    } else if (this.#host !== null && room !== null && this.#guest === null) {
      const about = { day: endpoint.day, message, now };
      this.#told(await (await load()).inLobby(this.#host, room, this.#readmission, about));
    }
    await this.#guest?.received(endpoint.day, message, now);
  }

  async #lost({ endpoint, why, byServer }: InputOf<"Lost">, now: number): Promise<void> {
    if (endpoint.day === null) return void (await this.#room?.lost(why, now, byServer));
    this.#host?.lost(endpoint.day, now);
    this.#readmission.members?.lost(endpoint.day, now);
    this.#guest?.lost(endpoint.day, why, now);
  }

  #inRoom(command: Input["type"]): RoomSession {
    if (this.#room === null) {
      // This error comes first for hosts' commands: nobody outside is a host.
      const hostly = ["Admit", "Refuse", "Replace", "NewInvite", "ListInvites", "Revoke"];
      throw new CommandError(sentence(hostly.includes(command) ? "room.host_only" : "cannot.not_inside"));
    }
    return this.#room;
  }

  #asHost(): HostLobby {
    if (this.#host === null) throw new CommandError(sentence("room.host_only"));
    return this.#host;
  }

  async #leave(now: number): Promise<void> {
    if (!this.#link.contacted) this.#end(this.#link.left());
    else if (this.#room !== null) await this.#room.leave(now);
    else this.#end({ type: "Ended", reason: "left", text: sentence("room.you_left") });
  }

  // -- between lobby and room ------------------------------------------------------------------------------

  /** Pass results between lobby and room, and collect effects. */
  async #collect(now: number): Promise<void> {
    if (this.#room !== null) {
      this.#invites.record(this.#room);
      await loadedLater()?.answerReadmitted(this.#admissions, this.#room, this.#readmission, this.#host, now);
      if (this.#host !== null) {
        const { serve } = await load();
        for (const event of await serve(this.#host, this.#room, this.#invites, this.#admissions, now))
          this.#tell(event);
      }
    }
    if (this.#guest !== null) await this.#checkGuest(this.#guest, now);
    const room = this.#room;
    if (room !== null) {
      if (this.#policy !== room.membership.policy) {
        this.#policy = room.membership.policy;
        if (room.hostKeys !== null && !room.membership.isHost(room.membership.ownLeaf)) this.#stopHosting(room);
      }
      if (room.hostKeys !== null && this.#host === null) await this.#becomeHost(room.hostKeys, now);
      await this.#considerRejoin(room, now);
    }
    for (const part of [this.#room, this.#host, this.#guest, this.#readmission.members])
      this.#gather(part);
    if (room !== null && room.ended !== null && this.#ended === null) this.#close(room.ended); // it told
  }

  #gather(part: { readonly effects: Effect[] } | null): void {
    if (part !== null) this.#effects.push(...part.effects.splice(0));
  }

  /** Let crashed hosts and members out of step back in, as a host or while no host is active. */
  async #attendLobby(room: RoomSession, now: number): Promise<void> {
    if (this.#guest !== null || room.ended !== null) this.#effects.push(...this.#readmission.close());
    else this.#effects.push(...(await this.#readmission.attend(room, this.#host, this.#invites.own, now)));
  }

  // -- entering, again too --------------------------------------------------------------------------------

  async #checkGuest(guest: Guest, now: number): Promise<void> {
    if (guest.refusal !== null) {
      this.#closeGuest(guest);
      if (this.#room === null) this.#end({ type: "Ended", reason: "refused", text: guest.refusal });
      else this.#room.finish("refused", guest.refusal);
    } else if (guest.entry !== null) await this.#enter(guest, guest.entry, now);
  }

  #closeGuest(guest: Guest): void {
    guest.close();
    this.#gather(guest);
    this.#guest = null;
  }

  async #enter(guest: Guest, entry: Entry, now: number): Promise<void> {
    let arrival: Arrival;
    try {
      arrival = await enterMeeting(entry, this.#invites.own.secret, { now, rng: this.#rng });
    } catch (error) {
      if (!(error instanceof SnugError)) throw error;
      if (!(guest instanceof GuestLobby) || isRejoin(guest)) {
        guest.entry = null; // the answer may be from a former member: another may still come
        return;
      }
      guest.refusal = sentence("refusal.unusable", { why: reasons.inFull(error) });
      await this.#checkGuest(guest, now);
      return;
    }
    const old = this.#room;
    const kept = this.#kept;
    const before = kept?.hostKeys ?? this.#comeback?.hostKeys ?? null; // our program's, before it ended
    const hostKeys = old === null ? before : old.hostKeys;
    const room = await this.#makeRoom(arrival, hostKeys, now);
    this.#policy = null;
    this.#admissions.clear();
    this.#reentry.entered(guest);
    this.#invites.book.enter(arrival.membership);
    this.#closeGuest(guest);
    this.#gather(old);
    if (old !== null || kept !== null) this.#effects.push({ type: "Disconnect", endpoint: ROOM });
    if (old !== null) await room.carryOver(old);
    else if (this.#comeback !== null) room.membership.rejoinKeys.carryOver(this.#comeback.keys);
    room.feature(Monitor).letIn(now - entry.answer.at, old === null && kept !== null);
    this.#room = room; // media use the new keys from here on
    await room.feature(Reporting).take(entry.answer.admission);
    await room.start(guest.origin);
    if (before !== null && this.#host === null && room.membership.isHost(room.membership.ownLeaf)) {
      await this.#becomeHost(before, now);
      const opened = before.seeds.length === 1 ? null : this.#invites.keysChanged(room);
      this.#tell(opened ?? inviteMade(this.#invites.own));
    }
    if (this.#publish !== null) await room.publish(this.#publish, now);
    if (this.#page !== null && old === null) await room.feature(Pages).run(this.#page, now);
  }

  #makeRoom({ membership, ...keys }: Arrival, hostKeys: HostKeys | null, now: number): Promise<RoomSession> {
    const [servers, options, rng, owner] = [this.#servers, this.#options, this.#rng, this.#admissions];
    return RoomSession.create(membership, { ...keys, servers, hostKeys, owner, buildFeatures, now, options, rng });
  }

  /** Ask to be let in again while the room needs it, and stop if it goes on without. */
  async #considerRejoin(room: RoomSession, now: number): Promise<void> {
    const guest = this.#guest;
    if (guest === null && room.seeksReadmission && room.ended === null) {
      this.#host?.close(); // until we are in again; guests there knock at our next card
      this.#effects.push(...this.#readmission.close());
      this.#tell(this.#reentry.reason(room, now));
      this.#guest = await this.#reentry.ask(this.#me, room, this.#invites, now);
    } else if (isRejoin(guest) && (await this.#reentry.goesOn(guest, room, now))) this.#closeGuest(guest);
  }

  async #becomeHost(keys: HostKeys, now: number): Promise<void> {
    this.#invites.becomeHost();
    this.#host = await this.#hostLobby(keys, now);
    this.#tell(sentences.status("host"));
  }

  /** Forget, as far as a program can, what only hosts have: we have lost or given up the host role. */
  #stopHosting(room: RoomSession): void {
    room.dropHostKeys();
    this.#admissions.clear();
    this.#invites.stopHosting();
    this.#host?.close();
    this.#gather(this.#host);
    this.#host = null;
    this.#tell(sentences.status("no_host"));
  }

  #end(ended: Ended): void {
    this.#close(ended);
    this.#tell(ended);
  }

  #close(ended: Ended): void {
    this.#ended = ended;
    this.#effects.push(...this.#keeping.over(ended));
    this.#effects.push(...this.#readmission.close());
    this.#host?.close();
    this.#gather(this.#host);
  }

  #told(event: Event | null): void {
    if (event !== null) this.#tell(event);
  }

  #tell(event: Event): void {
    this.#effects.push({ type: "Tell", event });
  }

  #drain(): Effect[] {
    if (this.#ended === null)
      this.#effects.unshift(...this.#keeping.due(this.#me, this.#room, this.#invites.own, this.#comeback));
    return this.#link.performed(this.#effects.splice(0));
  }
}
