/** Keeps the session up to date with our state and choices, and shows what the media connection reports. */
import { effect, type ReadonlySignal, type Signal, untracked } from "@preact/signals";
import { unhex } from "../crypto/bytes";
import type { Command, Event, OwnState } from "../session/events";
import type { Counts } from "../worker/messages";
import { type Sentence, sentence } from "../words/sentence";
import type { OwnCall } from "./call";
import type { MediaSide } from "./mediaSide";
import type { Meeting } from "./meeting";
import type { Model, Person, Place, Tile, Where } from "./model";
import type { Visible } from "./visible";
import { keepAwake } from "./wakeLock";

/** What it needs of the store. */
interface Parts {
  readonly media: MediaSide;
  readonly own: ReadonlySignal<OwnState>;
  readonly request: Visible["request"];
  readonly ownLeaf: ReadonlySignal<number>;
  readonly place: ReadonlySignal<Place>;
  readonly where: ReadonlySignal<Where>;
  readonly panel: Model["panel"];
  readonly unread: Signal<number>;
  /** The other member who spoke last. */
  readonly spoke: Signal<number | null>;
  readonly call: OwnCall;
  readonly people: ReadonlySignal<readonly Person[]>;
  readonly tiles: ReadonlySignal<readonly Tile[]>;
  readonly counts: ReadonlySignal<Counts>;
  readonly useful: Visible["useful"];
  ask(command: Command): void;
  toast(text: Sentence): void;
  told(event: Event): void;
  readonly now: ReadonlySignal<number>;
  readonly meeting: Pick<Meeting, "over" | "tick">;
}

export function keepUp(parts: Parts): void {
  parts.call.follow(parts);
  if (typeof document !== "undefined") keepAwake(parts.place, globalThis);
  const { media, own, request, ownLeaf, place, where, panel, unread, spoke, ask, toast, told, now, meeting } = parts;
  effect(() => {
    const state = own.value;
    if (ownLeaf.value >= 0 && place.value === "room") ask({ type: "SetState", state });
  });
  effect(() => {
    const speaker = media.speaker.value;
    if (speaker !== null && speaker !== ownLeaf.value) spoke.value = speaker;
  });
  effect(() => {
    const wanted = request.value;
    if (ownLeaf.value >= 0 && place.value === "room") ask({ type: "SelectStreams", ...wanted });
  });
  effect(() => {
    // sent whenever the hash is ready, even some time after we have joined
    const { hash } = where.value;
    if (hash !== null && ownLeaf.value >= 0 && place.value === "room") ask({ type: "RunsPage", hash: unhex(hash) });
  });
  effect(() => {
    if (media.trouble.value !== null) toast(media.trouble.value);
  });
  let shown: string | null = null;
  effect(() => {
    const alarm = media.alarm.value;
    untracked(() => {
      // media retries go on: one alarm, which lasts as long as its cause
      if (alarm !== null && alarm.kind !== shown) told({ type: "Alarm", ...alarm });
      else if (alarm === null && shown !== null) meeting.over("media");
      shown = alarm?.kind ?? null;
    });
  });
  effect(() => {
    void now.value;
    untracked(() => meeting.tick());
  });
  effect(() => {
    const busy = media.busy.value;
    untracked(() => {
      if (busy) told({ type: "Status", kind: "busy", text: sentence("note.busy") });
      else meeting.over("busy");
    });
  });
  effect(() => {
    if (panel.value === "chat") unread.value = 0;
  });
}
