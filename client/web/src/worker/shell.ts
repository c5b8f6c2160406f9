/**
 * The shell around a session, in its worker: sockets in and out, frame transforms, a clock (`client/connection.py`).
 *
 * It decides nothing. It passes inputs to `Session.handle` and performs the effects in order; the transforms ask the
 * session about every frame. An unexpected error ends everything: from then on nothing is sent and nothing is decoded.
 */
import { SnugError } from "../crypto/errors";
import { Identity, Mode } from "../crypto/agreed/roomState";
import { hex, same } from "../crypto/bytes";
import type { MemberRecoveryData } from "../crypto/entry/memberRecovery";
import type { KeptMeetings } from "../kept";
import { type Endpoint, type Effect, type Event, type EventOf, type Input, type OwnStream } from "../session/events";
import type { Contacts } from "../session/entry/contacts";
import { OPTIONS, type Options, type PermissionMeans } from "../session/options";
import { isLarge } from "../session/kernel/largeRoom";
import { Session } from "../session/kernel/session";
import { PROTOCOL_VERSION } from "../wire/limits";
import type { HandleStream, ServerMessage } from "../wire/messages";
import { CommandError, type Sentence, sentence } from "../words/sentence";
import { Connections } from "./doors";
import { Keeper } from "./keeper";
import type { ComebackWish, FromWorker, HostWish, JoinWish, ToWorker, TreeView } from "./messages";
import { type Transformer, Transforms } from "./transforms";

export const TICK = 0.1;
const AWAY = { mic: false, camera: false, screen: false, hand: false, recording: false, away: true };

/** The interface of a shell to its environment. */
export interface Around {
  post(message: FromWorker): void;
  /** Unix seconds that never go back. */
  now(): number;
  /** Return sockets to a server. `own`: the participant's own machine serves the page. */
  connections(origin: string, own: boolean, events: ConstructorParameters<typeof Connections>[2]): Connections;
  /** Return what this device keeps; null if it keeps nothing. */
  kept(): Promise<KeptMeetings | null>;
}

type Wish = Extract<ToWorker, HostWish | JoinWish | ComebackWish>;

/** Runs one participant's session, from the wish to the end of the meeting. */
export class Shell {
  readonly #around: Around;
  readonly #transforms: Transforms;
  #session: Session | null = null;
  #connections: Connections | null = null;
  #wished = false;
  #over = false;
  /** Our leaf while we are a member; a member that rejoins gets another one. */
  #leaf: number | null = null;
  #ticking = false;
  #timer: ReturnType<typeof setInterval> | undefined;
  #events: Event[] = [];
  /** Ufrags of the `media` messages that the server has still to answer at the room's connection. */
  #asked: string[] = [];
  #own: readonly OwnStream[] = [];
  #remote: readonly HandleStream[] = [];
  #large = false;
  /** The last reported leaf and stream of each SSRC. */
  #announced = new Map<number, string>();
  #watching = false;
  #epoch = -1;
  #keeper: Keeper | null = null;
  /** The session's options: the contact book among them changes when the page changes it. */
  readonly #options: { -readonly [K in keyof Options]: Options[K] } = { ...OPTIONS, servers: "ask" };
  /** Effects that wait until the device has kept what they make necessary. */
  #effects: Effect[] = [];
  #waits = false;

  constructor(around: Around) {
    this.#around = around;
    this.#transforms = new Transforms({
      now: () => around.now(),
      crypto: {
        seal: (kind, stream, frame, now) =>
          this.#session?.frames?.seal(kind, stream, frame, now) ?? Promise.resolve(null),
        open: async (ssrc, kind, data, now) => {
          const frames = this.#session?.frames ?? null; // those of another membership after a rejoin
          if (frames === null) throw new SnugError("not in a meeting");
          return await frames.open(ssrc, kind, data, now);
        },
      },
      wantOwnKeyFrame: (stream, layer) => around.post({ type: "wantOwnKeyFrame", stream, layer }),
      wantKeyFrame: (ssrc) => around.post({ type: "wantKeyFrame", ssrc }),
      began: () => this.#count(),
      broken: (error) => this.broken(error),
    });
  }

  /** Handle a message of the page. */
  async hear(message: ToWorker): Promise<void> {
    try {
      await this.#hear(message);
    } catch (error) {
      this.broken(error);
    }
  }

  /** Attach a transform that the browser has created for a stream. */
  transform(transformer: Transformer): void {
    try {
      this.#transforms.begin(transformer);
    } catch (error) {
      this.broken(error);
    }
  }

  /** This device's network has changed if `certain`; else media have fallen silent, and it may have. */
  async networkChanged(certain: boolean): Promise<void> {
    try {
      await this.#feed({ type: "NetworkChanged", certain });
    } catch (error) {
      this.broken(error);
    }
  }

  /** Fail closed after an unexpected error. */
  broken(error: unknown): void {
    console.error(error);
    if (this.#over) return;
    this.#end();
    this.#around.post({ type: "broken", why: sentence("shell.broken", { why: String(error) }) });
  }

  // -- the page --------------------------------------------------------------------------------------------

  async #hear(message: ToWorker): Promise<void> {
    switch (message.type) {
      case "host":
      case "join":
      case "comeBack":
        return await this.#begin(message);
      case "farewell":
        await this.#feed(message.away ? { type: "SetState", state: AWAY } : { type: "Leave" });
        if (message.sent !== null) Atomics.store(message.sent, 0, 1);
        return;
      case "forget":
        return await this.#keeper?.stop();
      case "book":
        this.#options.contacts = await this.#book();
        return;
      case "command":
        return await this.#command(message.ask, message.command);
      case "publish":
        this.#own = message.media.streams;
        this.#transforms.publish(message.media.streams);
        await this.#feed(message.media);
        return;
      case "count":
        return this.#count();
      case "silence":
        return await this.networkChanged(false);
      case "watchTree":
        this.#watching = message.on;
        this.#epoch = -1;
        return this.#tree(sentence("tree.now"), null, 0);
    }
  }

  async #begin(wish: Wish): Promise<void> {
    if (this.#wished) return;
    this.#wished = true;
    const now = this.#around.now();
    let session: Session;
    try {
      session = await this.#made(wish, now);
    } catch (error) {
      if (!(error instanceof CommandError || error instanceof SnugError)) throw error;
      this.#wished = false; // another wish may succeed
      return this.#around.post({ type: "refused", ask: 0, why: error.sentence });
    }
    this.#session = session;
    this.#connections = this.#around.connections(session.origin, wish.own, {
      received: (endpoint, message) => void this.#received(endpoint, message).catch((error) => this.broken(error)),
      lost: (endpoint, ...how) => void this.#lost(endpoint, ...how).catch((error) => this.broken(error)),
    });
    this.#around.post({ type: "done", ask: 0 });
    this.#perform(session.start());
    this.#look(session);
    this.#timer = setInterval(() => void this.#tick().catch((error) => this.broken(error)), TICK * 1000);
  }

  async #made(wish: Wish, now: number): Promise<Session> {
    const kept = await this.#around.kept();
    this.#keeper = kept && new Keeper(kept, wish.type === "host");
    const options = Object.assign(this.#options, { keep: kept !== null, contacts: await this.#book() });
    switch (wish.type) {
      case "host":
        Object.assign(options, { reports: wish.reports, mirror: wish.mirror, sixteen: wish.sixteen, strict: wish.strict, permission: this.#means(wish) });
        return Session.host({ ...wish, options, now });
      case "join":
        options.showIdentity = wish.showIdentity;
        return Session.join({ ...wish, options, now });
      case "comeBack": {
        const data = await this.#keeper?.read(wish.id, now);
        if (data == null) throw new CommandError(sentence("note.not_kept"));
        const { invite, name, standing } = data.fields;
        const { title, mode, origins } = standing.fields.policy;
        const servers = origins.filter((each) => invite.servers.includes(each)); // that our person knows
        const admission = mode === Mode.WAVE_IN ? "all" : "ask";
        if (wish.again) return Session.host({ origin: invite.origin, servers, name, title, admission, again: data, options, now });
        return Session.comeBack(data, { options, now });
      }
    }
  }

  /** Return this device's contact book; null without one. Only a device that has one loads the code for it. */
  async #book(): Promise<Contacts | null> {
    const kept = await this.#around.kept();
    try {
      if (kept === null || (await kept.book()) === null) return null;
      return await (await import("../keptBook")).readBook(kept);
    } catch (error) {
      console.warn(error); // the meeting goes on without it, and the page says why there is none
      return null;
    }
  }

  /** Write a contact into the book on the device. */
  async #learn({ public: key, name, at, verified }: EventOf<"BookChanged">): Promise<void> {
    const kept = await this.#around.kept();
    if (kept === null) return;
    const { changeBook } = await import("../keptBook");
    await changeBook(kept, (book) => {
      book?.learn(key, name, at, verified);
      return book;
    });
  }

  /** What opens the room, as the page has it: it forgets each token that the session takes. */
  #means({ password, tokens }: HostWish): PermissionMeans {
    const left = [...tokens];
    return {
      password,
      takeToken: (keys) => {
        const at = left.findIndex(({ week, key }) => same(keys.get(week) ?? new Uint8Array(), key));
        const [token = null] = at < 0 ? [] : left.splice(at, 1);
        if (token !== null) this.#around.post({ type: "spent", token });
        return token;
      },
    };
  }

  async #command(ask: number, command: Input): Promise<void> {
    if (command.type === "SetState") this.#keeper?.shows(command.state, this.#around.now());
    try {
      await this.#feed(command);
    } catch (error) {
      if (!(error instanceof CommandError || error instanceof SnugError)) throw error;
      return this.#around.post({ type: "refused", ask, why: error.sentence });
    }
    this.#around.post({ type: "done", ask });
  }

  #count(): void {
    const session = this.#session;
    const silent =
      session === null
        ? sentence("cannot.not_inside")
        : (session.pauseReason(this.#around.now()) ?? (this.#transforms.varies ? sentence("shell.sizes_vary") : null));
    const counts = {
      sealed: this.#transforms.sealed(),
      silent,
      streams: this.#transforms.streams(),
      waiting: session?.waiting(this.#around.now()) ?? null,
    };
    this.#around.post({ type: "counts", counts });
  }

  // -- the session -----------------------------------------------------------------------------------------

  /**
   * Pass an input to the session and perform its effects. CommandError, with a sentence, for a command that can't be
   * done.
   */
  async #feed(what: Input): Promise<readonly Event[]> {
    const session = this.#session;
    // evidence can still be saved after the end
    if (session === null || (this.#over && what.type !== "SaveEvidence")) return [];
    const effects = await session.handle(what, this.#around.now());
    const told = this.#perform(effects);
    this.#look(session);
    return told;
  }

  /** Report the session's visible state after each input: our leaf, and the end. */
  #look(session: Session): void {
    const leaf = session.ownLeaf;
    if (session.inside && leaf !== null && leaf !== this.#leaf) {
      this.#leaf = leaf;
      const policy = session.room?.membership.policy;
      this.#around.post({
        type: "inside",
        ownLeaf: leaf,
        origin: session.origin,
        at: session.room?.here.origin ?? session.origin,
        title: policy?.title ?? "",
        locked: policy?.mode === Mode.LOCKED,
        servers: policy?.origins ?? [],
        mirrored: policy?.mirrored ?? false,
        reports: policy?.reports ?? false,
      });
    }
    if (session.ended !== null && !this.#over) this.#end();
  }

  /** Stop everything. Queued messages are still sent: the session's last ones are among them. */
  #end(): void {
    this.#over = true;
    this.#transforms.stop();
    clearInterval(this.#timer);
    if (!this.#waits) this.#connections?.close();
  }

  async #tick(): Promise<void> {
    if (this.#ticking || this.#over) return; // a slow tick must not pile up others
    this.#ticking = true;
    try {
      await this.#feed({ type: "Tick" });
    } finally {
      this.#ticking = false;
    }
    this.#transforms.tick();
  }

  /** Perform effects in order, and return the events among them. */
  #perform(effects: readonly Effect[]): readonly Event[] {
    this.#effects.push(...effects);
    this.#work();
    return effects.flatMap((effect) => (effect.type === "Tell" ? [effect.event] : []));
  }

  #work(): void {
    while (!this.#waits) {
      const effect = this.#effects.shift();
      if (effect === undefined) break;
      switch (effect.type) {
        case "Keep":
          this.#keep(effect.data);
          break;
        case "Tell":
          this.#events.push(effect.event);
          if (effect.event.type === "Roster") {
            this.#transforms.keysChanged();
            const large = isLarge(effect.event.members.map(({ leaf }) => leaf));
            if (large !== this.#large) this.#streams((this.#large = large));
          }
          if (effect.event.type === "BookChanged") {
            const { name } = effect.event;
            const told = (kept: boolean) => this.#post({ type: "book", name, kept });
            void this.#learn(effect.event).then(() => told(true), () => told(false));
          }
          break;
        case "Save":
          this.#post({ type: "save", what: effect.what, data: effect.data });
          break;
        case "Connect":
          if (isRoom(effect.endpoint)) this.#asked = [];
          this.#connections?.connect(effect.endpoint, effect.path, effect.origin);
          break;
        case "ConnectSoon":
          void this.#connections?.connectSoon(effect.origin).catch(console.warn); // without it, it takes longer
          break;
        case "Disconnect":
          this.#connections?.disconnect(effect.endpoint);
          if (isRoom(effect.endpoint)) this.#republish();
          break;
        case "Transmit":
          if (effect.message.type === "media") this.#asked.push(effect.message.ufrag);
          this.#connections?.transmit(effect.endpoint, effect.message);
          break;
        case "MediaTransport":
          this.#post({ type: "transport", transport: effect.transport, ufrag: this.#asked.shift() ?? "" });
          break;
        case "RemoteStreams":
          this.#remote = effect.streams;
          this.#streams(this.#large);
          break;
      }
    }
    this.#flush();
  }

  /** Keep this on the device, and let the effects wait that follow. */
  #keep(data: MemberRecoveryData | null): void {
    const keeper = this.#keeper;
    if (keeper === null) return;
    this.#waits = true;
    void keeper.keep(data, this.#around.now()).finally(() => {
      this.#waits = false;
      this.#work();
      if (this.#over && !this.#waits) this.#connections?.close();
    });
  }

  #streams(large: boolean): void {
    this.#post({ type: "streams", streams: this.#remote, own: this.#own, large });
  }

  /** Post a message after the events that happened before it. */
  #post(message: FromWorker): void {
    this.#flush();
    this.#around.post(message);
  }

  #flush(): void {
    if (this.#events.length === 0) return;
    const events = this.#events;
    this.#events = [];
    this.#around.post({ type: "events", events });
  }

  async #received(endpoint: Endpoint, message: ServerMessage): Promise<void> {
    if (message.type === "challenge" && message.version !== PROTOCOL_VERSION) {
      const text = sentence("alarm.version", { theirs: message.version, ours: PROTOCOL_VERSION });
      this.#around.post({ type: "events", events: [{ type: "Alarm", kind: "version", text }] });
    }
    const room = isRoom(endpoint);
    const refused = room && message.type === "refused" && message.about === "media";
    // a notice, not an answer: a part of the server has died, and our media with it
    const lost = refused && message.code === "lost";
    // an earlier connection of ours still holds the streams' numbers: another link has other ones
    const taken = refused && message.code === "ssrc";
    // an answer, although without a transport
    if (refused && !lost) this.#asked.shift();
    const told = await this.#feed({ type: "Received", endpoint, message });
    if (!room) return;
    if ((lost || taken) && this.#leaf !== null && !this.#over) this.#around.post({ type: "mediaLost" });
    if (message.type === "committed" || message.type === "relayed" || message.type === "broadcasted")
      this.#transforms.keysChanged(); // retry frames that arrived before their keys or announcement
    this.#announce();
    const roster = told.findLast((event): event is EventOf<"Roster"> => event.type === "Roster") ?? null;
    this.#tree(changeOf(roster), roster, message.type === "committed" ? message.blob.length : 0);
  }

  async #lost(endpoint: Endpoint, why: Sentence, answered: boolean, byServer: boolean): Promise<void> {
    await this.#feed({ type: "Lost", endpoint, why, answered, byServer });
    if (isRoom(endpoint)) this.#republish();
  }

  /** Have the page make another link: the next connection is another one for the media server, too. */
  #republish(): void {
    if (this.#leaf !== null && !this.#over && this.#session?.ended === null) this.#post({ type: "republish" });
  }

  /** Report the owner of each listed stream that exactly one member has announced. */
  #announce(): void {
    const announced = this.#session?.room?.announcements;
    if (announced === undefined) return;
    const known = new Map<number, string>();
    for (const { ssrc } of this.#remote) {
      const [first, ...others] = announced.announcers(ssrc);
      if (first === undefined || others.length > 0) continue;
      const [leaf, stream] = first;
      known.set(ssrc, `${leaf} ${stream}`);
      if (this.#announced.get(ssrc) !== known.get(ssrc)) this.#around.post({ type: "announced", ssrc, leaf, stream });
    }
    this.#announced = known;
  }

  /** Report the tree of a new epoch, and the change that began it. */
  #tree(what: Sentence, roster: EventOf<"Roster"> | null, bytes: number): void {
    const m = this.#session?.room?.membership;
    if (!this.#watching || m === undefined || m.group.epoch === this.#epoch) return;
    this.#epoch = m.group.epoch;
    const nodes = m.group.treeView().map((node) =>
      node.kind === "blank" || node.encryptionKey === null
        ? null
        : {
            key: hex(node.encryptionKey),
            name: node.identity === null ? null : Identity.decode(node.identity).name,
            held: node.held,
            unmerged: node.unmergedLeaves,
          },
    );
    const by = roster?.members.find(({ leaf }) => leaf === roster.by)?.name ?? null;
    const view: TreeView = { epoch: this.#epoch, by, what, ownLeaf: m.ownLeaf, nodes, bytes };
    this.#post({ type: "tree", view });
  }
}

const isRoom = (endpoint: Endpoint): boolean => endpoint.day === null && endpoint.further === null;

function changeOf(roster: EventOf<"Roster"> | null): Sentence {
  const names = (members: readonly { readonly name: string }[]): string[] => members.map(({ name }) => name);
  if (roster?.rejoined) return sentence("tree.rejoined", { names: names(roster.added) });
  if (roster !== null && roster.added.length > 0) return sentence("tree.added", { names: names(roster.added) });
  if (roster !== null && roster.removed.length > 0) return sentence("tree.removed", { names: names(roster.removed) });
  return sentence("tree.healed");
}
