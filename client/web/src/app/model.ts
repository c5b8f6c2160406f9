/**
 * What the views show and what they can ask for. `store.ts` is the real one; stories and tests make others.
 *
 * Views are functions of this alone: none of them sees a worker, a connection or a device.
 */
import type { ReadonlySignal, Signal } from "@preact/signals";
import type { InviteRow, Knocked, ReactionKind, ShortCode, Comparison, Standing } from "../session/events";
import type { TreeView } from "../worker/messages";
import type { Sentence } from "../words/sentence";

export type Language = "en" | "de" | "zh-Hant" | "zh-Hans";
export type Theme = "system" | "light" | "dark";

/** Which view is shown. */
export type Place = "start" | "prejoin" | "waiting" | "room" | "ended" | "unable";

/** Why this page can't hold a meeting here, each with a sentence and a way out. */
export type Unable = "insecure" | "old_browser" | "no_transform" | "second_tab" | "server_gone" | "page_changed" | "worker";

/** What is wrong with a device: each a sentence and a way out; null: nothing. */
export type DeviceTrouble = "none_found" | "refused" | "in_use" | "insecure" | "unsupported" | "failed" | null;

export interface Device {
  readonly id: string;
  readonly label: string;
}

export interface Devices {
  readonly cameras: readonly Device[];
  readonly microphones: readonly Device[];
  readonly speakers: readonly Device[];
  readonly camera: string | null;
  readonly microphone: string | null;
  readonly speaker: string | null;
  readonly cameraTrouble: DeviceTrouble;
  readonly microphoneTrouble: DeviceTrouble;
}

/** Where the page comes from, and where meetings are held. */
export interface Where {
  /** The server at which a room would be opened; null: only links can be followed. */
  readonly origin: string | null;
  /** Of the page itself. */
  readonly pageOrigin: string;
  /** Whether the page was served by the participant's own machine (`snug page`). */
  readonly own: boolean;
  /** The bundle's hash, hex; null while it is reckoned, or where it can't be. */
  readonly hash: string | null;
  readonly lecture: boolean;
}

/** How well a tile's stream does. */
export type TileState =
  | "live"
  /** Nobody has told whose the stream is, or no frame has come yet. */
  | "connecting"
  /** Frames come and don't open. */
  | "not_decrypting"
  /** They opened, and none has come for a while. */
  | "stalled"
  /** We have not asked the server for it. */
  | "spared"
  /** By their own word. */
  | "off";

export interface Person {
  readonly leaf: number;
  readonly name: string;
  readonly host: boolean;
  readonly self: boolean;
  readonly mic: boolean;
  readonly camera: boolean;
  readonly sharing: boolean;
  /** In which order hands went up, from 1; null: it is down. */
  readonly hand: number | null;
  readonly recording: boolean;
  /** Seconds since 1970 since which they have been in the room, as we saw it. */
  readonly since: number;
  /** Who let them in, and with which invite; null where that isn't known. */
  readonly admittedBy: string | null;
  readonly invite: string | null;
  readonly standing: Standing;
  readonly contact: string | null;
  /** Not covered by the last comparison of codes. null: nothing was compared. */
  readonly newSinceCompared: boolean | null;
  /** Their page's hash, if they told one. */
  readonly page: string | null;
}

export interface Tile {
  /** Stable while the tile is: `${leaf} camera` or `${leaf} screen`. */
  readonly id: string;
  readonly leaf: number;
  readonly kind: "camera" | "screen";
  readonly name: string;
  readonly self: boolean;
  readonly picture: MediaStream | null;
  readonly pictureState: TileState;
  readonly soundState: TileState;
  readonly mic: boolean;
  readonly hand: number | null;
  readonly recording: boolean;
  readonly weakNetwork: boolean;
}

/** How large pictures are shown, in device pixels: sizes that the server is told, so none follows a voice but `voice`. */
export interface Places {
  /** The height of ordinary tiles. */
  readonly each: number;
  /** The tile that is large because it was chosen, or is a screen. */
  readonly large: { readonly id: string; readonly height: number } | null;
  /** The height of the place that whoever speaks is given; null: there is none. */
  readonly voice: number | null;
}

export type ChatLine =
  | {
      readonly kind: "text";
      readonly id: string;
      readonly at: number;
      readonly leaf: number;
      readonly name: string;
      readonly self: boolean;
      readonly text: string;
    }
  | {
      readonly kind: "picture";
      readonly id: string;
      readonly at: number;
      readonly leaf: number;
      readonly name: string;
      readonly self: boolean;
      /** A blob: URL that the page made. */
      readonly url: string;
      readonly mime: string;
    }
  | {
      readonly kind: "file";
      readonly id: string;
      readonly at: number;
      readonly leaf: number;
      readonly name: string;
      readonly self: boolean;
      readonly filename: string;
      readonly mime: string;
      readonly size: number;
      readonly done: number;
      readonly url: string | null;
      readonly failed: Sentence | null;
    }
  /** Who came, went, was made a host...: between what people said. */
  | { readonly kind: "note"; readonly id: string; readonly at: number; readonly text: Sentence };

export interface AlarmView {
  readonly id: number;
  readonly kind: string;
  readonly text: Sentence;
  readonly at: number;
}

export interface CodeView {
  readonly epoch: number;
  /** 40 digits. */
  readonly digits: string;
  /** Four emoji, while a run for them is shown; null: none was asked for in this epoch. */
  readonly short: ShortCode | null;
  readonly comparison: Comparison | null;
  /** A run is under way. */
  readonly running: boolean;
}

export interface Invite {
  readonly link: string;
  readonly index: number;
  readonly label: string;
  readonly once: boolean;
}

export interface Encryption {
  /** Frames sealed and sent by us, and authenticated from others, since we came in. */
  readonly sealed: number;
  readonly opened: number;
  /** Why nothing of ours leaves now; null: it does. */
  readonly silent: Sentence | null;
}

export interface Reaction {
  readonly id: number;
  readonly leaf: number;
  readonly name: string;
  readonly reaction: ReactionKind;
}

/** A passing word: "Copied." */
export interface Toast {
  readonly id: number;
  readonly text: Sentence;
}

export interface Model {
  readonly language: Signal<Language>;
  readonly theme: Signal<Theme>;
  readonly place: ReadonlySignal<Place>;
  readonly unable: ReadonlySignal<Unable | null>;
  readonly where: ReadonlySignal<Where>;
  /** Seconds since 1970, once a second: for clocks. */
  readonly now: ReadonlySignal<number>;

  // start and pre-join
  /** What the pre-join view leads to: a new room at `origin`, or one that a link names. null: nothing was chosen yet. */
  readonly going: ReadonlySignal<{ readonly as: "host" | "guest"; readonly origin: string } | null>;
  readonly name: Signal<string>;
  readonly title: Signal<string>;
  readonly greeting: Signal<string>;
  readonly admission: Signal<"ask" | "all">;
  /** What is wrong with the link that was opened or pasted; null: nothing. */
  readonly linkTrouble: ReadonlySignal<Sentence | null>;
  /** What is wrong with the name; null: nothing. */
  readonly nameTrouble: ReadonlySignal<Sentence | null>;
  /** Opening a room, or knocking at one. */
  readonly opening: ReadonlySignal<boolean>;
  readonly devices: ReadonlySignal<Devices>;
  readonly preview: ReadonlySignal<MediaStream | null>;
  /** 0 to 1. */
  readonly ownLevel: ReadonlySignal<number>;
  readonly mic: ReadonlySignal<boolean>;
  readonly camera: ReadonlySignal<boolean>;

  // waiting and ended
  readonly waiting: ReadonlySignal<{ readonly kind: string; readonly text: Sentence; readonly since: number } | null>;
  readonly ended: ReadonlySignal<{ readonly reason: string; readonly text: Sentence; readonly canSaveEvidence: boolean } | null>;

  // the room
  readonly roomTitle: ReadonlySignal<string>;
  readonly locked: ReadonlySignal<boolean>;
  readonly amHost: ReadonlySignal<boolean>;
  readonly ownLeaf: ReadonlySignal<number>;
  readonly people: ReadonlySignal<readonly Person[]>;
  readonly tiles: ReadonlySignal<readonly Tile[]>;
  /** Leaves of the others whose tiles are shown, where there are pages; null: everybody's. */
  readonly shown: ReadonlySignal<ReadonlySet<number> | null>;
  /** The page of them that is shown, from 0, and how many there are. */
  readonly page: ReadonlySignal<number>;
  readonly pages: ReadonlySignal<number>;
  /** 0 to 1, by leaf: changes ten times a second. */
  readonly levels: ReadonlySignal<ReadonlyMap<number, number>>;
  /** Who speaks, as this page hears it. */
  readonly speaker: ReadonlySignal<number | null>;
  readonly layout: Signal<"grid" | "speaker">;
  /** Ask the server for the picture of who speaks alone: it learns who that is. */
  readonly onlySpeaker: Signal<boolean>;
  /** The tile that the person has chosen to see large, by its id. */
  readonly pinned: Signal<string | null>;
  readonly sharing: ReadonlySignal<boolean>;
  readonly hand: ReadonlySignal<boolean>;
  readonly recording: ReadonlySignal<boolean>;
  readonly panel: Signal<"none" | "people" | "chat" | "code" | "settings" | "lecture">;
  readonly chat: ReadonlySignal<readonly ChatLine[]>;
  readonly unread: ReadonlySignal<number>;
  readonly reactions: ReadonlySignal<readonly Reaction[]>;
  readonly knocks: ReadonlySignal<readonly (Knocked & { readonly at: number })[]>;
  readonly invites: ReadonlySignal<readonly Invite[]>;
  readonly inviteRows: ReadonlySignal<readonly InviteRow[]>;
  readonly code: ReadonlySignal<CodeView | null>;
  readonly alarms: ReadonlySignal<readonly AlarmView[]>;
  /** The server is away, we are falling back into step...: a line that goes when it is over. */
  readonly banner: ReadonlySignal<Sentence | null>;
  readonly toasts: ReadonlySignal<readonly Toast[]>;
  readonly encryption: ReadonlySignal<Encryption>;
  readonly tree: ReadonlySignal<readonly TreeView[]>;
  /** Whether the browser can: share a screen, show a tile in a window of its own, record, scan a QR code. */
  readonly can: { readonly share: boolean; readonly pip: boolean; readonly record: boolean; readonly scan: boolean };

  readonly do: Commands;
}

export interface Commands {
  /** From the start view: to the pre-join view, for a new room or for a link. */
  openRoom(): void;
  follow(link: string): void;
  back(): void;
  /** From pre-join: open the room, or knock. */
  enter(): void;
  /** While waiting. */
  giveUp(): void;
  /** After the end: to the start. */
  again(): void;

  chooseCamera(id: string): void;
  chooseMicrophone(id: string): void;
  chooseSpeaker(id: string): void;
  retryDevices(): void;
  toggleMic(): void;
  toggleCamera(): void;
  toggleShare(): void;
  toggleHand(): void;
  toggleRecording(): void;
  react(reaction: ReactionKind): void;
  pictureInPicture(tile: string): void;
  /** To another page of tiles, from 0; beyond the last comes the first. */
  turnPage(to: number): void;
  /** Told by the stage whenever it has measured. */
  measured(places: Places): void;

  say(text: string): void;
  sendFiles(files: readonly File[]): void;
  report(messages: readonly string[]): void;

  admit(knock: number): void;
  refuse(knock: number): void;
  remove(leaf: number): void;
  deputise(leaf: number): void;
  undeputise(leaf: number): void;
  handOver(leaf: number): void;
  lock(on: boolean): void;
  endMeeting(): void;
  leave(): void;
  newInvite(label: string, once: boolean): void;
  revoke(index: number): void;
  refreshInvites(): void;
  copy(text: string): void;

  compare(): void;
  compared(same: boolean, how: "short" | "digits"): void;
  vouch(leaf: number): void;
  know(leaf: number): void;
  verified(leaf: number): void;
  override(): void;
  saveEvidence(names: boolean): void;
  dismissAlarm(id: number): void;
  dismissToast(id: number): void;
  watchTree(on: boolean): void;
}
