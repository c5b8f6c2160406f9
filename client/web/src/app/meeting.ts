/** The meeting as the session tells it: members, invites, knocks, codes, incidents. */
import { batch, signal } from "@preact/signals";
import type { Event, EventOf, HeldMessage } from "../session/events";
import { type Sentence, sentence } from "../words/sentence";
import type { Chat } from "./chat";
import { type Incident, Incidents, ruleOf } from "../session/incidents";
import type { CodeView, Invite, Model, Reaction } from "./model";
import { rosterNotes } from "./notes";
import { Passing } from "./passing";
import { People } from "./people";
import type { FromWorker } from "../worker/messages";

/** Alarms about messages: the chat has them as well, at their place. */
const OF_CHAT: ReadonlySet<string> = new Set(["missed", "maybe_lost"]);
/** Alarms that end a run for a code. */
const ENDS_RUN: ReadonlySet<string> = new Set(["code_aborted", "code_cheat", "code_fork"]);
const NOWHERE = { at: "", listed: [], mirrored: false, unmirrored: null };
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
  readonly servers = signal<Model["roomServers"]["value"]>(NOWHERE);
  readonly reportable = signal(false);
  readonly ownLeaf = signal(-1);
  readonly reactions = new Passing<Reaction>(REACTION_TIME);
  readonly knocks = signal<readonly (EventOf<"Knocked"> & { readonly at: number })[]>([]);
  readonly invites = signal<readonly Invite[]>([]);
  readonly inviteRows = signal<EventOf<"Invites">["rows"]>([]);
  readonly code = signal<CodeView | null>(null);
  readonly incidents = signal<readonly Incident[]>([]);
  readonly pastIncidents = signal<readonly Incident[]>([]);
  readonly held = signal<readonly HeldMessage[]>([]);
  readonly #place: MeetingPlace;
  readonly #recorders = new Set<number>();
  readonly #incidents = new Incidents();

  constructor(place: MeetingPlace) {
    this.#place = place;
  }

  /** Messages and members do not carry over to the next meeting. */
  clear(): void {
    this.people.clear();
    this.#recorders.clear();
    this.#incidents.clear();
    batch(() => {
      this.locked.value = this.reportable.value = false;
      this.ownLeaf.value = -1;
      this.title.value = "";
      this.servers.value = NOWHERE;
      this.code.value = null;
      this.reactions.list.value = [];
      this.knocks.value = [];
      this.invites.value = [];
      this.inviteRows.value = [];
      this.#show();
      this.held.value = [];
      this.roster.value++;
    });
  }

  /** We are in a room. */
  entered(room: Pick<Extract<FromWorker, { type: "inside" }>, "ownLeaf" | "at" | "title" | "locked" | "servers" | "mirrored" | "reports">): void {
    this.ownLeaf.value = room.ownLeaf;
    this.title.value = room.title;
    this.locked.value = room.locked;
    this.reportable.value = room.reports;
    this.servers.value = { ...this.servers.value, at: room.at, listed: room.servers, mirrored: room.mirrored };
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
        return this.#incident(event, at);
      }
      case "Code":
      case "ShortCode":
      case "Comparison":
      case "CodeAnswers":
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

  /** Let time pass. */
  tick(): void {
    this.#incidents.tick(Date.now() / 1000);
    this.#show();
  }

  /** A cause is over, by what the page sees itself. */
  over(cause: string): void {
    this.#incidents.over(cause, Date.now() / 1000);
    this.#show();
  }

  /** The person has read it. */
  dismiss(number: number): void {
    this.#incidents.dismiss(number, Date.now() / 1000);
    this.#show();
  }

  #incident(event: Event, at: number): void {
    this.#incidents.told(event, at);
    this.#show();
  }

  #show(): void {
    const { shown, history } = this.#incidents;
    const before = this.incidents.value;
    if (shown.length !== before.length || shown.some((each, at) => each !== before[at])) this.incidents.value = shown;
    this.pastIncidents.value = history;
  }

  #alarm(event: EventOf<"Alarm">, at: number): void {
    if (ENDS_RUN.has(event.kind)) this.#running(false);
    if (OF_CHAT.has(event.kind)) this.#place.chat.note(event.text);
    this.#incident(event, at);
  }

  #records({ leaf, name, state }: EventOf<"StateTold">): void {
    const before = this.#recorders.has(leaf);
    if (state.recording && !before) this.#place.chat.note(sentence("note.records", { name }));
    if (!state.recording && before) this.#place.chat.note(sentence("note.records_no_more", { name }));
    if (state.recording) this.#recorders.add(leaf);
    else this.#recorders.delete(leaf);
  }

  #compared(event: EventOf<"Code" | "ShortCode" | "Comparison" | "CodeAnswers">): void {
    const before = this.code.value;
    if (event.type === "Code") {
      const { epoch, digits } = event;
      const { short, ...rest } = before ?? { short: null, answers: null, comparison: null, running: false };
      this.code.value = { ...rest, epoch, digits, short: before?.epoch === epoch ? short : null };
      return;
    }
    if (before !== null)
      this.code.value =
        event.type === "ShortCode" ? { ...before, short: event, answers: null, running: false }
        : event.type === "CodeAnswers" ? { ...before, answers: event }
        : { ...before, comparison: event };
    if (event.type === "Comparison" && event.news && event.changes.length > 0) this.#place.chat.note(event.text);
  }

  #status(event: EventOf<"Status">, at: number): void {
    const { kind, text } = event;
    this.#incident(event, at);
    switch (kind) {
      case "comparing":
        return this.#running(true);
      case "no_code":
        this.#running(false);
        return this.#place.toast(text);
      case "waiting":
      case "knocking":
        return;
      default:
        if (text.key === "status.back.moved") this.servers.value = { ...this.servers.value, at: String(text.args?.["origin"]) };
        if (/\bmirror\b/.test(text.key))
          this.servers.value = { ...this.servers.value, unmirrored: kind === "mirror" ? at - Number(text.args?.["seconds"]) : null };
        if (ruleOf(text) === null || text.key === "status.back.moved") this.#place.chat.note(text);
    }
  }

  #running(running: boolean): void {
    if (this.code.value !== null) this.code.value = { ...this.code.value, running };
  }
}
