/** The implementation of `Model`: turns events of worker and devices into state for views, and passes on commands. */
import { batch, computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { Clock } from "../clock";
import type { Command, Event, EventOf, OwnState } from "../session/events";
import type { Counts, FromWorker, ToWorker, TreeView } from "../worker/messages";
import { CommandError, type Sentence, sentence } from "../words/sentence";
import { Attention } from "./attention";
import { OwnCall } from "./call";
import { Chat } from "./chat";
import { Comebacks } from "./comebacks";
import { chatCommands, copy, deviceCommands, leaveTo, sessionCommands, toggleRecording } from "./commands";
import type { Around } from "./mediaSide";
import { download } from "./download";
import { keepUp } from "./keepUp";
import { Meeting } from "./meeting";
import type { Commands, Encryption, Model, Person, Place, Tile, Toast, Unable, Where } from "./model";
import { Passing } from "./passing";
import { tilesOf } from "./people";
import { Preferences } from "./preferences";
import { OwnIdentity } from "./identities";
import { PermissionForm } from "./permissionForm";
import { normal, PreJoin } from "./preJoin";
import { Visible } from "./visible";
import { freeTab, learnHash, misnamed } from "./where";
import { WorkerLink } from "./workerLink";

const TREES_MAX = 200;
/** Milliseconds for which a toast is shown. */
const TOAST_TIME = 6000;
/** Milliseconds between two requests for the counts. */
const COUNT_EVERY = 1000;

/** Ends of a meeting after which a person can knock again. */
const KNOCK_AFTER: readonly string[] = ["left", "refused", "failed", "dropped"];

/** The counts before the first report. */
const NOTHING: Counts = { sealed: {}, silent: null, streams: [], waiting: null };

export class Store implements Model {
  readonly #around: Around;
  readonly #link = new WorkerLink();
  readonly #clock = new Clock();
  readonly #preJoin = new PreJoin();
  readonly comebacks: Comebacks;
  readonly #toasts = new Passing<Toast>(TOAST_TIME);
  readonly #chat: Chat;
  readonly #meeting: Meeting;
  readonly #counts: Signal<Counts> = signal(NOTHING);
  #timer: ReturnType<typeof setInterval> | undefined;
  #seconds: ReturnType<typeof setInterval>;

  readonly language;
  readonly theme;
  readonly place = signal<Place>("start");
  readonly unable = signal<Unable | null>(null);
  readonly where: Signal<Where>;
  readonly now = signal(Math.floor(Date.now() / 1000));
  readonly going = this.#preJoin.going;
  readonly name = this.#preJoin.name;
  readonly remember = this.#preJoin.remember;
  readonly title = this.#preJoin.title;
  readonly greeting = this.#preJoin.greeting;
  readonly admission = this.#preJoin.admission;
  readonly servers = this.#preJoin.servers;
  readonly mirror = this.#preJoin.mirror;
  readonly reports = this.#preJoin.reports;
  readonly sixteen = this.#preJoin.sixteen;
  readonly strict = this.#preJoin.strict;
  readonly linkTrouble = this.#preJoin.linkTrouble;
  readonly kept;
  readonly nameTrouble = this.#preJoin.nameTrouble;
  readonly opening = this.#preJoin.opening;
  readonly permissionForm: PermissionForm;
  readonly attention: Attention;
  readonly devices;
  readonly identity: OwnIdentity;
  readonly preview;
  readonly ownLevel;
  readonly mic;
  readonly camera;

  readonly waiting = signal<Model["waiting"]["value"]>(null);
  readonly ended = signal<Model["ended"]["value"]>(null);
  readonly roomTitle;
  readonly locked;
  readonly roomServers;
  readonly reportable;
  readonly ownLeaf;
  readonly people;
  readonly amHost;
  readonly tiles;
  readonly levels;
  readonly speaker;
  readonly layout = signal<"grid" | "speaker">("grid");
  readonly onlySpeaker = signal(false);
  /** The other member who spoke last. */
  readonly #spoke = signal<number | null>(null);
  readonly pinned = signal<string | null>(null);
  readonly #visible: Visible;
  readonly shown;
  readonly page;
  readonly pages;
  readonly sharing;
  readonly hand = signal(false);
  readonly recording;
  readonly panel = signal<Model["panel"]["value"]>("none");
  readonly chat;
  readonly unread;
  readonly offers;
  readonly reactions;
  readonly knocks;
  readonly invites;
  readonly inviteRows;
  readonly code;
  readonly incidents;
  readonly pastIncidents;
  readonly held;
  readonly toasts: ReadonlySignal<readonly Toast[]> = this.#toasts.list;
  readonly encryption;
  readonly tree = signal<readonly TreeView[]>([]);
  readonly call;
  readonly can;
  readonly do: Commands;

  constructor(at: Where, around: Around) {
    this.#around = around;
    const { media } = around;
    this.where = signal(at);
    ({ language: this.language, theme: this.theme } = new Preferences(around.kept, this.#preJoin));
    this.permissionForm = new PermissionForm(around.kept);
    this.attention = new Attention(around.kept);
    this.call = new OwnCall(around);
    this.identity = new OwnIdentity(around.meetings, () => this.#link.post({ type: "book" }), (text) => this.#toast(text));
    this.comebacks = new Comebacks(around.meetings, {
      preJoin: this.#preJoin,
      place: this.place,
      waiting: this.waiting,
      own: () => this.where.value.own,
      begin: (on, wish) => {
        void media.begin(on);
        this.#begin(wish);
      },
      post: (message) => this.#link.post(message),
      toast: (text) => this.#toast(text),
      again: () => this.do.again(),
      follow: (link) => this.#follow(link),
    });
    this.kept = this.comebacks.meetings;
    this.#chat = new Chat({
      ask: (command) => this.#link.ask(command),
      toast: (text) => this.#toast(text),
      shrink: (file) => import("./shrink").then(({ shrink }) => shrink(file), () => null),
      own: () => {
        const leaf = this.ownLeaf.value;
        return { leaf, name: this.#meeting.people.name(leaf) ?? this.name.value };
      },
      inRoom: () => this.place.value === "room",
      isShown: () => this.panel.value === "chat",
    });
    const meeting = (this.#meeting = new Meeting({
      chat: this.#chat,
      toast: (text) => this.#toast(text),
      listInvites: () => void this.#ask({ type: "ListInvites" }),
    }));
    ({ title: this.roomTitle, locked: this.locked, servers: this.roomServers, reportable: this.reportable } = meeting);
    ({ ownLeaf: this.ownLeaf, code: this.code, knocks: this.knocks, invites: this.invites, inviteRows: this.inviteRows } = meeting);
    ({ incidents: this.incidents, pastIncidents: this.pastIncidents, held: this.held } = meeting);
    ({ lines: this.chat, unread: this.unread, offers: this.offers } = this.#chat);
    this.reactions = meeting.reactions.list;
    ({ devices: this.devices, preview: this.preview, ownLevel: this.ownLevel, can: this.can } = media);
    ({ mic: this.mic, camera: this.camera, levels: this.levels, speaker: this.speaker, recording: this.recording } = media);
    this.sharing = computed(() => media.screen.value !== null);
    const own = computed(
      (): OwnState => ({
        mic: media.mic.value,
        camera: media.camera.value,
        screen: media.screen.value !== null,
        hand: this.hand.value,
        recording: media.recording.value,
      }),
    );
    this.people = computed((): readonly Person[] => {
      void meeting.roster.value;
      const streams = new Map<number, Set<number>>();
      for (const { leaf, stream } of media.remote.value)
        streams.set(leaf, (streams.get(leaf) ?? new Set<number>()).add(stream));
      return meeting.people.list(this.ownLeaf.value, own.value, streams);
    });
    this.amHost = computed(() => this.people.value.some(({ self, host }) => self && host));
    const { people, pinned, onlySpeaker } = this;
    const { dataSaver, manyVideos } = this.call;
    const visible = new Visible({ people, remote: media.remote, pinned, onlySpeaker, spoke: this.#spoke, dataSaver, manyVideos });
    ({ shown: this.shown, page: this.page, pages: this.pages } = this.#visible = visible);
    this.tiles = computed((): readonly Tile[] =>
      tilesOf(
        this.people.value,
        { camera: media.preview.value, screen: media.screen.value },
        media.remote.value,
        this.#counts.value.streams,
        visible.asked.value,
        this.#clock.now() * 1000,
      ),
    );
    this.encryption = computed((): Encryption => {
      const { sealed, streams, silent } = this.#counts.value;
      return {
        sealed: Object.values(sealed).reduce((sum, count) => sum + count, 0),
        opened: streams.reduce((sum, { opened }) => sum + opened, 0),
        silent,
      };
    });
    const { ownLeaf, place, where, panel, unread } = this;
    keepUp({
      ...{ media, own, request: visible.request, ownLeaf, place, where, panel, unread, spoke: this.#spoke, now: this.now, meeting },
      ...{ call: this.call, people, tiles: this.tiles, counts: this.#counts, useful: visible.useful },
      ask: (command) => void this.#ask(command),
      toast: (text) => this.#toast(text),
      told: (event) => this.#told(event),
    });
    this.attention.attend(this, (kind) => media.chime(kind));
    this.#seconds = setInterval(() => (this.now.value = Math.floor(Date.now() / 1000)), 1000);
    this.do = this.#commands();
  }

  /** Stop everything, for tests. */
  close(): void {
    clearInterval(this.#seconds);
    this.#leaveRoom();
  }

  /** Follow a link that the page was opened with, or that was put in its address; null: it was used before. */
  opened(link: string | null): void {
    const place = this.place.value;
    if (place === "room" || place === "waiting") return this.#toast(sentence("note.in_meeting"));
    if (this.opening.value || (place === "unable" && !["second_tab", "offline"].includes(this.unable.value ?? ""))) return;
    this.do.again();
    if (link === null) this.linkTrouble.value = sentence("note.link_used");
    else this.do.follow(link);
  }

  // -- commands --------------------------------------------------------------------------------------------

  #commands(): Commands {
    const { media } = this.#around;
    const quietly = (work: Promise<unknown>): void =>
      void work.catch((error: unknown) => {
        if (error instanceof CommandError) this.#toast(error.sentence);
        else throw error;
      });
    return {
      ...sessionCommands((command) => this.#ask(command)),
      ...deviceCommands(media, quietly),
      ...this.call.commands,
      comeBack: (id, again) => void this.comebacks.comeBack(id, again),
      knock: () => this.comebacks.knock(),
      forget: (id) => void this.comebacks.forget(id),
      leaveTo: (leaf) => void leaveTo(leaf, (command) => this.#ask(command), this.amHost, () => this.do.leave()),
      discardHeld: () => {
        this.#chat.discard();
        void this.#ask({ type: "DiscardHeld" });
      },
      openRoom: () => this.#prepare(() => this.#preJoin.openRoom(this.where.value)),
      follow: (text) => this.#follow(text.trim()),
      back: () => {
        media.end();
        batch(() => {
          this.place.value = "start";
          this.#preJoin.clear();
        });
      },
      enter: () => void this.#enter(),
      exchange: () => void this.permissionForm.exchange(),
      giveUp: () => {
        void this.#ask({ type: "Leave" });
        this.#finish({ type: "Ended", reason: "left", text: sentence("end.left") });
      },
      again: () => {
        const link = this.unable.value === "second_tab" ? this.#preJoin.link : null;
        this.#leaveRoom();
        batch(() => {
          this.ended.value = this.unable.value = null;
          this.place.value = "start";
          this.#preJoin.clear();
        });
        if (link !== null) this.#follow(link);
      },
      learnHash: () => void learnHash(this.where, this.place.value === "room").catch(() => undefined),
      toggleHand: () => (this.hand.value = !this.hand.value),
      toggleRecording: () => quietly(toggleRecording(media).then((file) => file && this.#download(...file))),
      pictureInPicture: (tile) => {
        const picture = this.tiles.value.find(({ id }) => id === tile)?.picture;
        if (picture) quietly(media.pictureInPicture(picture));
      },
      turnPage: (to) => this.#visible.turn(to),
      measured: (places) => this.#visible.measured(places),
      ...chatCommands(this.#chat),
      admit: (knock) => this.#answered(knock, { type: "Admit", knock }),
      replace: (knock) => this.#answered(knock, { type: "Replace", knock }), refuse: (knock) => this.#answered(knock, { type: "Refuse", knock }),
      copy: (text) => void copy(text).then((done) => this.#toast(done)),
      dismissIncident: (number) => this.#meeting.dismiss(number),
      dismissToast: (id) => this.#toasts.remove(id),
      watchTree: (on) => this.#link.post({ type: "watchTree", on }),
    };
  }

  #follow(link: string): void {
    this.#prepare(() => this.#preJoin.follow(link, this.where.value));
  }

  /** Show the form before the room, unless `choose` finds that there is no way there. */
  #prepare(choose: () => boolean): void {
    const chosen = batch(() => {
      const chosen = choose();
      if (chosen) this.place.value = "prejoin";
      return chosen;
    });
    if (!chosen) return;
    void this.#around.media.begin();
    void this.permissionForm.ask(this.going.value?.as === "host" ? this.going.value.origin : null);
  }

  async #enter(): Promise<void> {
    const means = this.permissionForm.means();
    const going = means === null ? null : this.#preJoin.begin();
    if (means === null || going === null) return;
    const name = normal(this.name.value);
    if (!(await this.#preJoin.holdTab())) {
      this.#around.media.end();
      batch(() => {
        this.opening.value = false;
        this.unable.value = "second_tab";
        this.place.value = "unable";
      });
      return;
    }
    this.#begin(this.#preJoin.wish(going.origin, name, this.where.value.own, this.identity.show.value, means));
  }

  #begin(wish: ToWorker): void {
    this.#link.terminate();
    this.#link.start(this.#around.createWorker(), (message) => this.hear(message), (ran) => void this.#broken(ran));
    this.#link.post(wish);
  }

  /** Handle an error of the worker. Before its first message, the server's file is at fault: missing, or changed. */
  async #broken(ran: boolean): Promise<void> {
    const why = sentence("unable.worker_why");
    const there = ran || (await fetch("where.json", { cache: "no-store", redirect: "error" }).then(({ ok }) => ok, () => false));
    this.hear({ type: "broken", why });
    if (!ran) this.unable.value = there ? "page_changed" : "server_gone";
  }

  /** Run a command; returns whether it succeeded. The reason for a refusal is shown as a toast. */
  async #ask(command: Command): Promise<boolean> {
    const why = await this.#link.ask(command);
    if (why !== null) this.#toast(why);
    return why === null;
  }

  #answered(knock: number, command: Command): void {
    this.knocks.value = this.knocks.value.filter((each) => each.knock !== knock);
    void this.#ask(command);
  }

  #download(file: Blob, name: string): void {
    download(file, name);
    this.#toast(sentence("note.saved"));
  }

  // -- events ----------------------------------------------------------------------------------------------

  /** Handle a message of the worker. */
  hear(message: FromWorker): void {
    batch(() => this.#hear(message));
    this.#around.media.hear(message);
  }

  #hear(message: FromWorker): void {
    switch (message.type) {
      case "events":
        for (const event of message.events) this.#told(event);
        return;
      case "done":
        if (message.ask === 0) this.#begun();
        this.#link.answered(message.ask, null);
        return;
      case "refused":
        if (message.ask === 0) {
          this.opening.value = false;
          this.linkTrouble.value = message.why;
          this.#link.terminate();
          freeTab();
          return;
        }
        this.#link.answered(message.ask, message.why);
        return;
      case "save": {
        const file = new Blob([message.data], { type: "application/json" });
        return this.#download(file, `${message.what}.json`);
      }
      case "inside":
        this.#meeting.entered(message);
        this.opening.value = false;
        this.place.value = "room";
        this.waiting.value = null;
        if (this.#link.worker !== null) this.#around.media.enter(this.#link.worker, message.ownLeaf);
        this.#timer ??= setInterval(() => this.#link.post({ type: "count" }), COUNT_EVERY);
        return;
      case "counts":
        this.#counts.value = message.counts;
        this.#meeting.stillWait(message.counts.waiting);
        return;
      case "tree":
        this.tree.value = [...this.tree.value, message.view].slice(-TREES_MAX);
        return;
      case "spent":
        return this.permissionForm.spent(message.token);
      case "book":
        return this.identity.learned(message.name, message.kept);
      case "broken":
        this.#leaveRoom();
        this.unable.value = "worker";
        this.place.value = "unable";
        return;
      default:
        return;
    }
  }

  /** The wish was accepted: a guest waits for admission. A host enters when the room is open. */
  #begun(): void {
    if (this.place.value !== "prejoin" || this.going.value?.as !== "guest") return; // or we come back
    this.opening.value = false;
    this.waiting.value = { kind: "waiting", text: sentence("waiting.waiting_note"), since: Date.now() / 1000 };
    this.place.value = "waiting";
  }

  #told(event: Event): void {
    this.#meeting.people.told(event);
    this.#meeting.roster.value++;
    const outside = this.place.value === "waiting" || this.place.value === "prejoin";
    if (event.type === "InviteMade") void this.#preJoin.opened(event.link);
    if (event.type === "Ended") this.#finish(event);
    else if (event.type === "Status" && outside) this.#waits(event);
    else this.#meeting.told(event);
  }

  #waits({ kind, text }: EventOf<"Status">): void {
    if (this.waiting.value?.back !== undefined) return; // what we wait for is said
    this.waiting.value = { kind, text, since: this.waiting.value?.since ?? Date.now() / 1000 };
    if (this.going.value?.as === "guest") this.place.value = "waiting";
  }

  #finish({ reason, text }: EventOf<"Ended">): void {
    if (this.ended.value !== null) return;
    if (reason === "unopened") {
      this.#leaveRoom();
      this.#prepare(() => true); // back to the form, with the reason
      this.permissionForm.trouble.value = text;
      return;
    }
    const told = text.key === "contact.none" ? (misnamed(this.where.value, this.where.value.pageOrigin) ?? text) : text;
    const knock = this.#preJoin.last !== null && (KNOCK_AFTER.includes(reason) || text.key === "room.removed_absent");
    this.ended.value = { reason, text: told, canSaveEvidence: reason === "dropped", knock };
    this.opening.value = false;
    this.place.value = "ended";
    this.#around.media.end();
    clearInterval(this.#timer);
    this.#timer = undefined;
    freeTab();
    // evidence is saved after the end, so the worker stays until then
    if (reason !== "dropped") this.#leaveRoom();
  }

  #leaveRoom(): void {
    this.#around.media.end();
    this.#link.leave();
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#preJoin.link = null;
    freeTab();
    this.#counts.value = NOTHING;
    this.comebacks.clear();
    // messages and members do not carry over to the next meeting
    batch(() => {
      this.#meeting.clear();
      this.#chat.clear();
      this.opening.value = this.hand.value = this.onlySpeaker.value = false;
      this.panel.value = "none";
      this.#spoke.value = null;
      this.#visible.clear();
      this.pinned.value = this.waiting.value = null;
      this.tree.value = [];
    });
  }

  #toast(text: Sentence): void {
    this.#toasts.add({ text });
  }
}
