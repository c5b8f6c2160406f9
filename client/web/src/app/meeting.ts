/** The meeting as the session tells it: members, invites, knocks, codes, alarms. */
import { batch, signal } from "@preact/signals";
import type { Event, EventOf, HeldMessage } from "../session/events";
import { type Sentence, sentence } from "../words/sentence";
import type { Chat } from "./chat";
import type { AlarmView, CodeView, Invite, Model, Reaction } from "./model";
import { rosterNotes } from "./notes";
import { Passing } from "./passing";
import { People } from "./people";
import type { FromWorker } from "../worker/messages";

const ALARMS_MAX = 100;
/** Milliseconds for which a reaction is shown. */
const REACTION_TIME = 4000;

/** What the meeting needs of its surroundings. */
export interface MeetingPlace {
  readonly chat: Chat;
  toast(text: Sentence): void;
  /** Have the session list the invites. */
  listInvites(): void;
}

export class Meeting {
  readonly people = new People();
  /** Changes whenever `people` may have changed. */
  readonly roster = signal(0);
  readonly title = signal("");
  readonly locked = signal(false);
  readonly servers = signal<Model["roomServers"]["value"]>({ listed: [], mirrored: false });
  readonly ownLeaf = signal(-1);
  readonly reactions = new Passing<Reaction>(REACTION_TIME);
  readonly knocks = signal<readonly (EventOf<"Knocked"> & { readonly at: number })[]>([]);
  readonly invites = signal<readonly Invite[]>([]);
  readonly inviteRows = signal<EventOf<"Invites">["rows"]>([]);
  readonly code = signal<CodeView | null>(null);
  readonly alarms = signal<readonly AlarmView[]>([]);
  readonly banner = signal<Sentence | null>(null);
  readonly held = signal<readonly HeldMessage[]>([]);
  readonly #place: MeetingPlace;
  readonly #recorders = new Set<number>();
  #numbers = 0;

  constructor(place: MeetingPlace) {
    this.#place = place;
  }

  /** Messages and members do not carry over to the next meeting. */
  clear(): void {
    this.people.clear();
    this.#recorders.clear();
    batch(() => {
      this.locked.value = false;
      this.ownLeaf.value = -1;
      this.title.value = "";
      this.servers.value = { listed: [], mirrored: false };
      this.code.value = this.banner.value = null;
      this.reactions.list.value = [];
      this.knocks.value = [];
      this.invites.value = [];
      this.inviteRows.value = [];
      this.alarms.value = [];
      this.held.value = [];
      this.roster.value++;
    });
  }

  /** We are in a room. */
  entered(room: Pick<Extract<FromWorker, { type: "inside" }>, "ownLeaf" | "title" | "locked" | "servers" | "mirrored">): void {
    this.ownLeaf.value = room.ownLeaf;
    this.title.value = room.title;
    this.locked.value = room.locked;
    this.servers.value = { listed: room.servers, mirrored: room.mirrored };
  }

  /** Remove knocks that no longer need our answer: another host has answered, or the guest has waited too long. */
  stillWait(waiting: readonly number[] | null): void {
    const knocks = this.knocks.value;
    if (waiting !== null && knocks.some(({ knock }) => !waiting.includes(knock)))
      this.knocks.value = knocks.filter(({ knock }) => waiting.includes(knock));
  }

  /** Show an event, except for the end of the meeting, and for a status before we are in the room. */
  told(event: Event): void {
    const at = Date.now() / 1000;
    const { chat } = this.#place;
    switch (event.type) {
      case "Roster": {
        const first = this.people.name(this.ownLeaf.value) === null;
        this.people.roster(event, at);
        if (!first) for (const text of rosterNotes(event)) chat.note(text);
        if (event.rejoined) this.#rejoined();
        return;
      }
      case "Code":
      case "ShortCode":
      case "Comparison":
        return this.#compared(event);
      case "Held":
        this.held.value = event.messages;
        return chat.held(event.messages);
      case "Said":
      case "Image":
      case "FileOffered":
      case "FileProgress":
      case "FileDone":
      case "FileFailed":
        return chat.told(event, at);
      case "StateTold":
        if (event.leaf !== this.ownLeaf.value) this.#records(event);
        return;
      case "Reacted":
        return this.reactions.add({ leaf: event.leaf, name: event.name, reaction: event.reaction });
      case "Knocked":
        this.knocks.value = [...this.knocks.value.filter(({ knock }) => knock !== event.knock), { ...event, at }];
        return;
      case "InviteMade":
        this.invites.value = [
          ...this.invites.value.filter(({ index }) => index !== event.index && index !== event.replaces),
          { link: event.link, index: event.index, label: event.label, once: event.once },
        ];
        return this.#place.listInvites();
      case "Invites":
        this.inviteRows.value = event.rows;
        return;
      case "PolicyChanged":
        if (event.kind === "servers") {
          const listed = String(event.text.args?.["servers"] ?? "").split(", ").filter(Boolean);
          this.servers.value = { ...this.servers.value, listed };
        }
        if (event.kind === "mode") this.locked.value = event.mode === "locked";
        if (event.kind === "title" && typeof event.text.args?.["title"] === "string") this.title.value = event.text.args["title"];
        return chat.note(event.text);
      case "Vouched":
        chat.note(sentence("note.vouched", { name: event.name, digits: event.fingerprint.match(/.{1,5}/g)?.join(" ") ?? "" }));
        for (const warning of event.warnings) chat.note(warning);
        return;
      case "Alarm":
        return this.#alarm(event, at);
      case "Status":
        return this.#status(event, at);
      default:
        return;
    }
  }

  #rejoined(): void {
    if (this.banner.value?.key.startsWith("alarm.rejoining")) this.banner.value = null;
  }

  #alarm({ kind, text, count = 1 }: EventOf<"Alarm">, at: number): void {
    if (kind === "rejoining" || kind === "media_unreachable") this.banner.value = text;
    if (kind.startsWith("code_")) this.#running(false);
    const first = JSON.stringify(count > 1 ? text.args?.["alarm"] : text);
    const others = count > 1 ? this.alarms.value.filter((alarm) => alarm.first !== first) : this.alarms.value;
    this.alarms.value = [...others, { id: ++this.#numbers, kind, text, at, first }].slice(-ALARMS_MAX);
  }

  #records({ leaf, name, state }: EventOf<"StateTold">): void {
    const before = this.#recorders.has(leaf);
    if (state.recording && !before) this.#place.chat.note(sentence("note.records", { name }));
    if (!state.recording && before) this.#place.chat.note(sentence("note.records_no_more", { name }));
    if (state.recording) this.#recorders.add(leaf);
    else this.#recorders.delete(leaf);
  }

  #compared(event: EventOf<"Code" | "ShortCode" | "Comparison">): void {
    const before = this.code.value;
    if (event.type === "Code") {
      const { epoch, digits } = event;
      const short = before !== null && before.epoch === epoch ? before.short : null;
      this.code.value = { epoch, digits, comparison: before?.comparison ?? null, running: before?.running ?? false, short };
      return;
    }
    if (before !== null)
      this.code.value = event.type === "ShortCode" ? { ...before, short: event, running: false } : { ...before, comparison: event };
    if (event.type === "Comparison" && event.news && event.changes.length > 0) this.#place.chat.note(event.text);
  }

  #status({ kind, text }: EventOf<"Status">, at: number): void {
    switch (kind) {
      case "evidence": // the file is offered where a drop is reported; a later count replaces an earlier one
        this.alarms.value = this.alarms.value.filter((alarm) => alarm.kind !== kind);
        return this.#alarm({ type: "Alarm", kind, text }, at);
      case "away":
      case "closing":
      case "not_yet":
        this.banner.value = text;
        return;
      case "back":
        this.banner.value = null;
        if (text.key === "status.back.moved") this.#place.chat.note(text);
        return;
      case "comparing":
        return this.#running(true);
      case "no_code":
        this.#running(false);
        return this.#place.toast(text);
      case "waiting":
      case "knocking":
        return;
      default:
        if (text.key === "status.cleared.in_step") this.#rejoined();
        this.#place.chat.note(text);
    }
  }

  #running(running: boolean): void {
    if (this.code.value !== null) this.code.value = { ...this.code.value, running };
  }
}
