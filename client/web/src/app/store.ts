/** The implementation of `Model`: turns events of worker and devices into state for views, and passes on commands. */
import { batch, computed, effect, type Signal, signal, untracked } from "@preact/signals";
import { type Bytes, unhex, utf8 } from "../crypto/bytes";
import { SnugCryptoError } from "../crypto/errors";
import { Invite } from "../crypto/entry/invite";
import { H } from "../crypto/kdf";
import { checkName } from "../crypto/agreed/names";
import type { Command, Event, EventOf, OwnState, ReactionKind } from "../session/events";
import { CONTENT_IMAGE_MAX } from "../wire/limits";
import type { Counts, FromWorker, ToWorker, TreeView } from "../worker/messages";
import { CommandError, type Sentence, sentence } from "../words/sentence";
import { languageFor } from "../words/index";
import type { MediaSide } from "./mediaSide";
import type {
  AlarmView, ChatLine, CodeView, Commands, Encryption, Invite as InviteView, Language, Model, Person, Place, Reaction,
  Theme, Tile, Toast, Unable, Where,
} from "./model";
import { rosterNotes } from "./notes";
import { People, tilesOf } from "./people";
import { Visible } from "./visible";
import { freeTab, holdTab, reaches } from "./where";

const CHAT_MAX = 2000;
const ALARMS_MAX = 100;
const TREES_MAX = 200;
/** Milliseconds for which a reaction and a toast are shown. */
const REACTION_TIME = 4000;
const TOAST_TIME = 6000;
/** Milliseconds before an image that was refused as too soon is sent again. */
const SOON = 500;
/** Milliseconds between two requests for the counts. */
const COUNT_EVERY = 1000;
/** Types that the chat shows as images; other types are files. */
const IMAGES = ["image/png", "image/jpeg", "image/webp", "image/gif"];

/** The store's environment, with `createWorker` so that tests need no worker. */
export interface Around {
  readonly media: MediaSide;
  createWorker(): Worker;
  readonly kept: Storage | null;
}

/** The counts before the first report. */
const NOTHING: Counts = { sealed: {}, silent: null, streams: [], waiting: null };

interface Preferences {
  readonly language?: string;
  readonly theme?: string;
}

export class Store implements Model {
  readonly #around: Around;
  readonly #people = new People();
  #worker: Worker | null = null;
  #asks = 0;
  readonly #waitingFor = new Map<number, (why: Sentence | null) => void>();
  #numbers = 0;
  #link: string | null = null;
  #urls: string[] = [];
  readonly #counts: Signal<Counts> = signal(NOTHING);
  readonly #roster = signal(0);
  #timer: ReturnType<typeof setInterval> | undefined;
  #seconds: ReturnType<typeof setInterval>;

  readonly language: Signal<Language>;
  readonly theme: Signal<Theme>;
  readonly place = signal<Place>("start");
  readonly unable = signal<Unable | null>(null);
  readonly where: Signal<Where>;
  readonly now = signal(Math.floor(Date.now() / 1000));

  readonly going = signal<{ readonly as: "host" | "guest"; readonly origin: string } | null>(null);
  readonly name = signal("");
  readonly title = signal("");
  readonly greeting = signal("");
  readonly admission = signal<"ask" | "all">("ask");
  readonly linkTrouble = signal<Sentence | null>(null);
  readonly #tried = signal(false);
  readonly nameTrouble = computed(() => (this.#tried.value || this.name.value !== "" ? nameTrouble(this.name.value) : null));
  readonly opening = signal(false);
  readonly devices;
  readonly preview;
  readonly ownLevel;
  readonly mic;
  readonly camera;

  readonly waiting = signal<{ readonly kind: string; readonly text: Sentence; readonly since: number } | null>(null);
  readonly ended = signal<{ readonly reason: string; readonly text: Sentence; readonly canSaveEvidence: boolean } | null>(null);

  readonly roomTitle = signal("");
  readonly locked = signal(false);
  readonly ownLeaf = signal(-1);
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
  readonly panel = signal<"none" | "people" | "chat" | "code" | "settings" | "lecture">("none");
  readonly chat = signal<readonly ChatLine[]>([]);
  readonly unread = signal(0);
  readonly reactions = signal<readonly Reaction[]>([]);
  readonly knocks = signal<readonly (EventOf<"Knocked"> & { readonly at: number })[]>([]);
  readonly invites = signal<readonly InviteView[]>([]);
  readonly inviteRows = signal<EventOf<"Invites">["rows"]>([]);
  readonly code = signal<CodeView | null>(null);
  readonly alarms = signal<readonly AlarmView[]>([]);
  readonly banner = signal<Sentence | null>(null);
  readonly toasts = signal<readonly Toast[]>([]);
  readonly encryption;
  readonly tree = signal<readonly TreeView[]>([]);
  readonly can;

  readonly do: Commands;

  constructor(at: Where, around: Around) {
    this.#around = around;
    const { media } = around;
    this.where = signal(at);
    const kept = preferences(around.kept);
    this.language = signal(languageFor([...(kept.language ? [kept.language] : []), ...navigator.languages]));
    this.theme = signal(kept.theme === "light" || kept.theme === "dark" ? kept.theme : "system");
    effect(() => {
      const values: Preferences = { language: this.language.value, theme: this.theme.value };
      // only these preferences outlive the page
      try {
        around.kept?.setItem("snug", JSON.stringify(values));
      } catch {
        // the browser stores nothing: the next visit starts from the defaults
      }
    });
    this.devices = media.devices;
    this.preview = media.preview;
    this.ownLevel = media.ownLevel;
    this.mic = media.mic;
    this.camera = media.camera;
    this.levels = media.levels;
    this.speaker = media.speaker;
    this.recording = media.recording;
    this.can = media.can;
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
      void this.#roster.value;
      const streams = new Map<number, Set<number>>();
      for (const { leaf, stream } of media.remote.value)
        streams.set(leaf, (streams.get(leaf) ?? new Set<number>()).add(stream));
      return this.#people.list(this.ownLeaf.value, own.value, streams);
    });
    this.amHost = computed(() => this.people.value.some(({ self, host }) => self && host));
    const { people, pinned, onlySpeaker } = this;
    const visible = new Visible({ people, remote: media.remote, pinned, onlySpeaker, spoke: this.#spoke });
    ({ shown: this.shown, page: this.page, pages: this.pages } = this.#visible = visible);
    this.tiles = computed((): readonly Tile[] =>
      tilesOf(
        this.people.value,
        { camera: media.preview.value, screen: media.screen.value },
        media.remote.value,
        this.#counts.value.streams,
        visible.asked.value,
        performance.timeOrigin + performance.now(),
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
    effect(() => {
      const state = own.value;
      if (this.ownLeaf.value >= 0 && this.place.value === "room") void this.#ask({ type: "SetState", state });
    });
    effect(() => {
      const speaker = media.speaker.value;
      if (speaker !== null && speaker !== this.ownLeaf.value) this.#spoke.value = speaker;
    });
    effect(() => {
      const request = visible.request.value;
      if (this.ownLeaf.value >= 0 && this.place.value === "room") void this.#ask({ type: "SelectStreams", ...request });
    });
    effect(() => {
      // sent whenever the hash is ready, even some time after we have joined
      const { hash } = this.where.value;
      if (hash !== null && this.ownLeaf.value >= 0 && this.place.value === "room")
        void this.#ask({ type: "RunsPage", hash: unhex(hash) });
    });
    effect(() => {
      if (media.trouble.value !== null) this.#toast(media.trouble.value);
    });
    let told: string | null = null;
    effect(() => {
      const alarm = media.alarm.value;
      untracked(() => {
        // media retries go on: one alarm, which lasts as long as its cause
        if (alarm !== null && alarm.kind !== told) this.#told({ type: "Alarm", ...alarm });
        else if (alarm === null && this.banner.value?.key.startsWith("alarm.media_")) this.banner.value = null;
        told = alarm?.kind ?? null;
      });
    });
    effect(() => {
      if (this.panel.value === "chat") this.unread.value = 0;
    });
    this.#seconds = setInterval(() => (this.now.value = Math.floor(Date.now() / 1000)), 1000);
    this.do = this.#commands();
  }

  /** Stop everything, for tests. */
  close(): void {
    clearInterval(this.#seconds);
    this.#leaveRoom();
  }

  /** Follow a link that the page was opened with, or that was put in its address. */
  opened(link: string): void {
    const place = this.place.value;
    if (place === "room" || place === "waiting") return this.#toast(sentence("note.in_meeting"));
    if (this.opening.value || (place === "unable" && this.unable.value !== "second_tab")) return;
    this.do.again();
    this.do.follow(link);
  }

  // -- commands --------------------------------------------------------------------------------------------

  #commands(): Commands {
    const { media } = this.#around;
    const ask = (command: Command): void => void this.#ask(command);
    const quietly = (work: Promise<unknown>): void =>
      void work.catch((error: unknown) => {
        if (error instanceof CommandError) this.#toast(error.sentence);
        else throw error;
      });
    return {
      openRoom: () => {
        const { origin } = this.where.value;
        if (origin === null) {
          this.linkTrouble.value = sentence("note.no_server");
          return;
        }
        this.#link = null;
        this.#preJoin("host", origin);
      },
      follow: (text) => this.#follow(text.trim()),
      back: () => {
        media.end();
        batch(() => {
          this.place.value = "start";
          this.going.value = null;
          this.linkTrouble.value = null;
        });
      },
      enter: () => void this.#enter(),
      giveUp: () => {
        ask({ type: "Leave" });
        this.#finish({ type: "Ended", reason: "left", text: sentence("end.left") });
      },
      again: () => {
        const link = this.unable.value === "second_tab" ? this.#link : null;
        this.#leaveRoom();
        batch(() => {
          this.ended.value = this.unable.value = null;
          this.place.value = "start";
          this.going.value = null;
          this.linkTrouble.value = null;
        });
        if (link !== null) this.#follow(link);
      },
      chooseCamera: (id) => quietly(media.chooseCamera(id)),
      chooseMicrophone: (id) => quietly(media.chooseMicrophone(id)),
      chooseSpeaker: (id) => quietly(media.chooseSpeaker(id)),
      retryDevices: () => quietly(media.begin()),
      toggleMic: () => media.toggleMic(),
      toggleCamera: () => quietly(media.toggleCamera()),
      toggleShare: () => quietly(media.toggleShare()),
      toggleHand: () => (this.hand.value = !this.hand.value),
      toggleRecording: () => quietly(this.#toggleRecording()),
      react: (reaction: ReactionKind) => ask({ type: "React", reaction }),
      pictureInPicture: (tile) => {
        const picture = this.tiles.value.find(({ id }) => id === tile)?.picture;
        if (picture) quietly(media.pictureInPicture(picture));
      },
      turnPage: (to) => this.#visible.turn(to),
      measured: (places) => this.#visible.measured(places),
      say: (text) => void this.#say(text),
      sendFiles: (files) => void this.#sendFiles(files),
      report: (messages) => ask({ type: "SaveReport", messages }),
      admit: (knock) => this.#answered(knock, { type: "Admit", knock }),
      refuse: (knock) => this.#answered(knock, { type: "Refuse", knock }),
      remove: (leaf) => ask({ type: "Remove", leaf }),
      deputise: (leaf) => ask({ type: "Deputise", leaf }),
      undeputise: (leaf) => ask({ type: "Undeputise", leaf }),
      handOver: (leaf) => ask({ type: "HandOver", leaf }),
      lock: (on) => ask({ type: "Lock", on }),
      endMeeting: () => ask({ type: "EndMeeting" }),
      leave: () => ask({ type: "Leave" }),
      newInvite: (label, once) => void this.#ask({ type: "NewInvite", label, once }).then(() => ask({ type: "ListInvites" })),
      revoke: (index) => void this.#ask({ type: "Revoke", index }).then(() => ask({ type: "ListInvites" })),
      refreshInvites: () => ask({ type: "ListInvites" }),
      copy: (text) =>
        void navigator.clipboard
          .writeText(text)
          .then(() => this.#toast(sentence("note.copied")))
          .catch(() => this.#toast(sentence("note.not_copied"))),
      compare: () => ask({ type: "Compare" }),
      compared: (same, how) => ask({ type: "Compared", same, digits: how === "short" ? null : "" }),
      vouch: (leaf) => ask({ type: "Vouch", leaf }),
      know: (leaf) => ask({ type: "Know", leaf, name: null }),
      verified: (leaf) => ask({ type: "Verified", leaf }),
      override: () => ask({ type: "Override" }),
      saveEvidence: (names) => ask({ type: "SaveEvidence", names }),
      dismissAlarm: (id) => (this.alarms.value = this.alarms.value.filter((alarm) => alarm.id !== id)),
      dismissToast: (id) => (this.toasts.value = this.toasts.value.filter((toast) => toast.id !== id)),
      watchTree: (on) => this.#post({ type: "watchTree", on }),
    };
  }

  #follow(link: string): void {
    let invite: Invite;
    try {
      invite = Invite.parse(link);
    } catch (error) {
      if (!(error instanceof SnugCryptoError)) throw error;
      this.linkTrouble.value = error.sentence;
      return;
    }
    if (!reaches(this.where.value, invite.origin)) {
      this.linkTrouble.value = sentence("note.other_server", { origin: invite.origin });
      return;
    }
    this.#link = link;
    this.#preJoin("guest", invite.origin);
  }

  #preJoin(as: "host" | "guest", origin: string): void {
    batch(() => {
      this.going.value = { as, origin };
      this.linkTrouble.value = null;
      this.place.value = "prejoin";
    });
    void this.#around.media.begin();
  }

  async #enter(): Promise<void> {
    const going = this.going.value;
    this.#tried.value = true;
    if (going === null || this.opening.value || nameTrouble(this.name.value) !== null) return;
    this.opening.value = true;
    const { origin } = going;
    const name = normal(this.name.value);
    const held = this.#link === null || (await holdTab(H(utf8("tab"), Invite.parse(this.#link).secret).slice(0, 8)));
    if (!held) {
      this.#around.media.end();
      batch(() => {
        this.opening.value = false;
        this.unable.value = "second_tab";
        this.place.value = "unable";
      });
      return;
    }
    const wish: ToWorker =
      this.#link === null
        ? { type: "host", origin, name, title: this.title.value.trim(), admission: this.admission.value, reports: false }
        : { type: "join", link: this.#link, name, greeting: this.greeting.value.trim() };
    const worker = this.#around.createWorker();
    this.#worker = worker;
    let runs = false;
    worker.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => {
      runs = true;
      // a worker of an earlier meeting may still post its last messages
      if (this.#worker === worker) this.hear(data);
    });
    worker.addEventListener("error", () => {
      if (this.#worker === worker) void this.#broken(runs);
    });
    this.#post(wish);
  }

  /** Handle an error of the worker. Before its first message, the server's file is at fault: missing, or changed. */
  async #broken(ran: boolean): Promise<void> {
    const why = sentence("unable.worker_why");
    const there = ran || (await fetch("where.json", { cache: "no-store" }).then(({ ok }) => ok, () => false));
    this.hear({ type: "broken", why });
    if (!ran) this.unable.value = there ? "page_changed" : "server_gone";
  }

  /** Run a command; returns whether it succeeded. The reason for a refusal is shown as a toast. */
  async #ask(command: Command): Promise<boolean> {
    const why = await this.#asked(command);
    if (why !== null) this.#toast(why);
    return why === null;
  }

  /** Run a command; returns null, or the reason for its refusal. */
  async #asked(command: Command): Promise<Sentence | null> {
    if (this.#worker === null) return null;
    const ask = ++this.#asks;
    return await new Promise((answered) => {
      this.#waitingFor.set(ask, answered);
      this.#post({ type: "command", ask, command });
    });
  }

  #post(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  #answered(knock: number, command: Command): void {
    this.knocks.value = this.knocks.value.filter((each) => each.knock !== knock);
    void this.#ask(command);
  }

  async #say(text: string): Promise<void> {
    if (await this.#ask({ type: "Say", text })) this.#line({ kind: "text", ...this.#own(), text });
  }

  #own(): { readonly id: string; readonly at: number; readonly leaf: number; readonly name: string; readonly self: true } {
    const leaf = this.ownLeaf.value;
    return { id: `own ${++this.#numbers}`, at: Date.now() / 1000, leaf, name: this.#people.name(leaf) ?? this.name.value, self: true };
  }

  async #sendFiles(files: readonly File[]): Promise<void> {
    for (const file of files) {
      let data: Bytes;
      try {
        data = new Uint8Array(await file.arrayBuffer());
      } catch {
        this.#toast(sentence("note.unreadable", { name: file.name }));
        continue;
      }
      if (IMAGES.includes(file.type) && data.length <= CONTENT_IMAGE_MAX) {
        if (await this.#sendImage(data))
          this.#line({ kind: "image", ...this.#own(), url: this.#url(data, file.type), mime: file.type });
      } else {
        const mime = /^[a-z0-9.+-]{1,40}\/[a-z0-9.+-]{1,60}$/.test(file.type) ? file.type : "application/octet-stream";
        await this.#ask({ type: "SendFile", name: file.name, mime, data });
      }
    }
  }

  /** Send an image. The session accepts one every few seconds: one that is too soon waits. */
  async #sendImage(data: Bytes): Promise<boolean> {
    for (;;) {
      const why = await this.#asked({ type: "SendImage", data });
      if (why?.key !== "room.picture_soon") {
        if (why !== null) this.#toast(why);
        return why === null && this.place.value === "room";
      }
      await new Promise((wait) => setTimeout(wait, SOON));
    }
  }

  async #toggleRecording(): Promise<void> {
    const { media } = this.#around;
    if (!media.recording.value) return await media.startRecording();
    const file = await media.stopRecording();
    if (file !== null) this.#download(file, `snug-${new Date().toISOString().slice(0, 16).replace(":", ".")}.webm`);
  }

  #download(file: Blob, name: string): void {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    this.#toast(sentence("note.saved"));
  }

  #url(data: Bytes, mime: string): string {
    // data of others never opens as a page of our origin: it is an image, or a file to save
    const url = URL.createObjectURL(new Blob([data], { type: IMAGES.includes(mime) ? mime : "application/octet-stream" }));
    this.#urls.push(url);
    return url;
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
        this.#waitingFor.get(message.ask)?.(null);
        this.#waitingFor.delete(message.ask);
        return;
      case "refused":
        if (message.ask === 0) {
          this.opening.value = false;
          this.linkTrouble.value = message.why;
          this.#worker?.terminate();
          this.#worker = null;
          freeTab();
          return;
        }
        this.#waitingFor.get(message.ask)?.(message.why);
        this.#waitingFor.delete(message.ask);
        return;
      case "save": {
        const file = new Blob([message.data], { type: "application/json" });
        return this.#download(file, `${message.what}.json`);
      }
      case "inside":
        this.ownLeaf.value = message.ownLeaf;
        this.roomTitle.value = message.title;
        this.locked.value = message.locked;
        this.opening.value = false;
        this.place.value = "room";
        this.waiting.value = null;
        if (this.#worker !== null) this.#around.media.enter(this.#worker, message.ownLeaf);
        this.#timer ??= setInterval(() => this.#post({ type: "count" }), COUNT_EVERY);
        return;
      case "counts":
        this.#counts.value = message.counts;
        this.#stillWait(message.counts.waiting);
        return;
      case "tree":
        this.tree.value = [...this.tree.value, message.view].slice(-TREES_MAX);
        return;
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
    if (this.place.value !== "prejoin" || this.going.value?.as !== "guest") return;
    this.opening.value = false;
    this.waiting.value = { kind: "waiting", text: sentence("waiting.waiting_note"), since: Date.now() / 1000 };
    this.place.value = "waiting";
  }

  /** Remove knocks that no longer need our answer: another host has answered, or the guest has waited too long. */
  #stillWait(waiting: readonly number[] | null): void {
    const knocks = this.knocks.value;
    if (waiting !== null && knocks.some(({ knock }) => !waiting.includes(knock)))
      this.knocks.value = knocks.filter(({ knock }) => waiting.includes(knock));
  }

  #told(event: Event): void {
    const at = Date.now() / 1000;
    this.#people.told(event);
    this.#roster.value++;
    switch (event.type) {
      case "Roster": {
        const first = this.#people.name(this.ownLeaf.value) === null;
        this.#people.roster(event, at);
        if (!first) for (const text of rosterNotes(event)) this.#note(text);
        if (event.rejoined && this.banner.value?.key === "alarm.rejoining") this.banner.value = null;
        return;
      }
      case "Code": {
        const before = this.code.value;
        this.code.value = {
          epoch: event.epoch, digits: event.digits, comparison: before?.comparison ?? null, running: before?.running ?? false,
          short: before !== null && before.epoch === event.epoch ? before.short : null,
        };
        return;
      }
      case "ShortCode":
        if (this.code.value !== null) this.code.value = { ...this.code.value, short: event, running: false };
        return;
      case "Comparison":
        if (this.code.value !== null) this.code.value = { ...this.code.value, comparison: event };
        if (event.news && event.changes.length > 0) this.#note(event.text);
        return;
      case "Said":
        this.#line({ kind: "text", id: event.id, at, leaf: event.leaf, name: event.name, self: false, text: event.text });
        return;
      case "Image":
        this.#line({
          kind: "image", id: event.id, at, leaf: event.leaf, name: event.name, self: false,
          url: this.#url(event.data, event.mime), mime: event.mime,
        });
        return;
      case "FileOffered":
        this.#line({
          kind: "file", id: event.id, at, leaf: event.leaf, name: event.name, self: event.leaf === this.ownLeaf.value,
          filename: event.filename, mime: event.mime, size: event.size, done: 0, url: null, failed: null,
        });
        return;
      case "FileProgress":
        return this.#file(event.id, { done: event.done });
      case "FileDone":
        return this.#file(event.id, { url: this.#url(event.data, "application/octet-stream"), done: event.data.length });
      case "FileFailed":
        return this.#file(event.id, { failed: event.why });
      case "StateTold": {
        if (event.leaf === this.ownLeaf.value) return;
        const before = this.#recorders.has(event.leaf);
        if (event.state.recording && !before) this.#note(sentence("note.records", { name: event.name }));
        if (!event.state.recording && before) this.#note(sentence("note.records_no_more", { name: event.name }));
        if (event.state.recording) this.#recorders.add(event.leaf);
        else this.#recorders.delete(event.leaf);
        return;
      }
      case "Reacted":
        this.#passing(this.reactions, { leaf: event.leaf, name: event.name, reaction: event.reaction }, REACTION_TIME);
        return;
      case "Knocked":
        this.knocks.value = [...this.knocks.value.filter(({ knock }) => knock !== event.knock), { ...event, at }];
        return;
      case "InviteMade":
        this.invites.value = [
          ...this.invites.value.filter(({ index }) => index !== event.index && index !== event.replaces),
          { link: event.link, index: event.index, label: event.label, once: event.once },
        ];
        void this.#ask({ type: "ListInvites" });
        return;
      case "Invites":
        this.inviteRows.value = event.rows;
        return;
      case "PolicyChanged":
        if (event.kind === "mode") this.locked.value = event.mode === "locked";
        if (event.kind === "title" && typeof event.text.args?.["title"] === "string") this.roomTitle.value = event.text.args["title"];
        this.#note(event.text);
        return;
      case "Vouched":
        this.#note(sentence("note.vouched", { name: event.name, digits: event.fingerprint.match(/.{1,5}/g)?.join(" ") ?? "" }));
        for (const warning of event.warnings) this.#note(warning);
        return;
      case "Alarm":
        if (event.kind === "rejoining" || event.kind === "media_unreachable") this.banner.value = event.text;
        if (event.kind.startsWith("code_")) this.#running(false);
        this.alarms.value = [...this.alarms.value, { id: ++this.#numbers, kind: event.kind, text: event.text, at }].slice(-ALARMS_MAX);
        return;
      case "Status":
        return this.#status(event, at);
      case "Ended":
        return this.#finish(event);
      default:
        return;
    }
  }

  readonly #recorders = new Set<number>();

  #status({ kind, text }: EventOf<"Status">, at: number): void {
    if (this.place.value === "waiting" || this.place.value === "prejoin") {
      this.waiting.value = { kind, text, since: this.waiting.value?.since ?? at };
      if (this.going.value?.as === "guest") this.place.value = "waiting";
      return;
    }
    switch (kind) {
      case "away":
      case "closing":
      case "not_yet":
        this.banner.value = text;
        return;
      case "back":
        this.banner.value = null;
        return;
      case "comparing":
        this.#running(true);
        return;
      case "no_code":
        this.#running(false);
        this.#toast(text);
        return;
      case "waiting":
      case "knocking":
        return;
      default:
        this.#note(text);
    }
  }

  #running(running: boolean): void {
    if (this.code.value !== null) this.code.value = { ...this.code.value, running };
  }

  #finish({ reason, text }: EventOf<"Ended">): void {
    if (this.ended.value !== null) return;
    this.ended.value = { reason, text, canSaveEvidence: reason === "dropped" };
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
    const worker = this.#worker;
    this.#worker = null;
    // the worker may still be sending its last messages
    setTimeout(() => worker?.terminate(), 2000);
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const answered of this.#waitingFor.values()) answered(null);
    this.#waitingFor.clear();
    for (const url of this.#urls) URL.revokeObjectURL(url);
    this.#urls = [];
    this.#link = null;
    freeTab();
    this.#people.clear();
    this.#recorders.clear();
    this.#counts.value = NOTHING;
    // messages and members do not carry over to the next meeting
    batch(() => {
      this.opening.value = this.hand.value = this.locked.value = this.onlySpeaker.value = false;
      this.ownLeaf.value = -1;
      this.unread.value = 0;
      this.roomTitle.value = "";
      this.panel.value = "none";
      this.#spoke.value = null;
      this.#visible.clear();
      this.pinned.value = this.waiting.value = this.code.value = this.banner.value = null;
      this.chat.value = [];
      this.reactions.value = [];
      this.knocks.value = [];
      this.invites.value = [];
      this.inviteRows.value = [];
      this.alarms.value = [];
      this.tree.value = [];
      this.#roster.value++;
    });
  }

  #note(text: Sentence): void {
    this.#line({ kind: "note", id: `note ${++this.#numbers}`, at: Date.now() / 1000, text });
  }

  #line(line: ChatLine): void {
    this.chat.value = [...this.chat.value, line].slice(-CHAT_MAX);
    if (line.kind !== "note" && !line.self && this.panel.value !== "chat") this.unread.value++;
  }

  #file(id: string, change: Partial<Extract<ChatLine, { kind: "file" }>>): void {
    this.chat.value = this.chat.value.map((line) => (line.kind === "file" && line.id === id ? { ...line, ...change } : line));
  }

  #toast(text: Sentence): void {
    this.#passing(this.toasts, { text }, TOAST_TIME);
  }

  #passing<T extends { readonly id: number }>(list: Signal<readonly T[]>, what: Omit<T, "id">, time: number): void {
    const id = ++this.#numbers;
    list.value = [...list.peek(), { ...what, id } as T];
    setTimeout(() => (list.value = list.value.filter((each) => each.id !== id)), time);
  }
}

/** Return the name as it is signed: NFC, without spaces around it. */
const normal = (name: string): string => name.trim().normalize("NFC");

function nameTrouble(name: string): Sentence | null {
  try {
    checkName(normal(name));
    return null;
  } catch (error) {
    if (error instanceof SnugCryptoError) return error.sentence;
    throw error;
  }
}

function preferences(kept: Storage | null): Preferences {
  try {
    const value: unknown = JSON.parse(kept?.getItem("snug") ?? "{}");
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}
