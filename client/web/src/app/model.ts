/**
 * The data that views show, and their commands. `store.ts` implements it; stories and tests use substitutes.
 *
 * Views depend on this alone: no view accesses a worker, a connection or a device.
 */
import type { ReadonlySignal, Signal } from "@preact/signals";
import type { CodeAnswers, HeldMessage, InviteRow, Knocked, ReactionKind, ShortCode, Comparison, Standing } from "../session/events";
import type { Incident } from "../session/incidents";
import type { KeptMeeting } from "../kept";
import type { Blurred } from "../media/blur";
import type { TreeView } from "../worker/messages";
import type { Sentence } from "../words/sentence";
import type { Attention } from "./attentionModel";
import type { Identity } from "./identityModel";

export type { Attention, Notice } from "./attentionModel";
export type { BookEntry, Identity } from "./identityModel";

export type Language = "en" | "de" | "zh-Hant" | "zh-Hans";
export type Theme = "system" | "light" | "dark";

/** The view that is shown. */
export type Place = "start" | "prejoin" | "waiting" | "room" | "ended" | "unable";

/** Why this page cannot hold a meeting here; each value has a sentence and a way out. */
export type Unable =
  | "insecure" | "old_browser" | "no_transform" | "second_tab" | "server_gone" | "offline" | "page_changed" | "worker";

/** The trouble with a device; each value has a sentence and a way out. null: none. */
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
  /** The direction of the current camera; null: none is on, or it has no direction, as on a desk. */
  readonly facing: "user" | "environment" | null;
}

/** Return whether our own video is shown as in a mirror: that of a camera that looks away from us is not. */
export const isMirrored = ({ facing }: Devices): boolean => facing !== "environment";

/** Return whether one press changes to a camera of the other direction. */
export const canFlip = ({ cameras, facing }: Devices): boolean => facing !== null && cameras.length > 1;

/** The origins of the page and of its meetings. */
export interface Where {
  /** The server at which a new room would be opened; null: only links can be followed. */
  readonly origin: string | null;
  /** The origin of the page itself. */
  readonly pageOrigin: string;
  /** Whether the page's address is one of `snug page`: such a page may reach every meeting's server. */
  readonly own: boolean;
  /** Whether the program that printed that address serves the page: no server can have changed it. */
  readonly proven: boolean;
  /** The bundle's hash, hex; null while it is computed, or if it cannot be. */
  readonly hash: string | null;
  readonly lecture: boolean;
  /** Other servers that this server suggests for meetings to continue at. */
  readonly peers: readonly string[];
  /** The server does not answer: the page is the copy that this device keeps of it. */
  readonly kept?: boolean;
}

/** The state of a tile's stream. */
export type TileState =
  | "live"
  /** No member has announced the stream, or no frame has arrived yet. */
  | "connecting"
  /** Frames arrive and cannot be opened. */
  | "not_decrypting"
  /** Frames were opened before, and none has arrived for a while. */
  | "stalled"
  /** The stream is not subscribed to. */
  | "spared"
  /** The sender has switched it off, according to its own state message. */
  | "off";

export interface Person {
  readonly leaf: number;
  readonly name: string;
  readonly host: boolean;
  readonly self: boolean;
  readonly mic: boolean;
  readonly camera: boolean;
  readonly sharing: boolean;
  /** Position among the raised hands, from 1; null: the hand is down. */
  readonly hand: number | null;
  readonly recording: boolean;
  /** They have closed their page, and may come back. */
  readonly away: boolean;
  /** When they joined, in Unix seconds, as this client observed it. */
  readonly since: number;
  /** The member who admitted them, and the label of their invite; null if unknown. */
  readonly admittedBy: string | null;
  readonly invite: string | null;
  readonly standing: Standing;
  readonly contact: string | null;
  /** The member is not covered by the last comparison of codes. null: nothing was compared. */
  readonly newSinceCompared: boolean | null;
  readonly compared: boolean; // we and the member said that we have the same short code
  readonly unverified: boolean; // in a silent member's place, and no identity has proven that it is the same person
  /** The hash of their page, if they reported one. */
  readonly page: string | null;
}

export interface Tile {
  /** Stable for the life of the tile: `${leaf} camera` or `${leaf} screen`. */
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
  readonly away: boolean;
  readonly weakNetwork: boolean;
}

/** Heights of video on screen, in device pixels. The server learns sizes, so only `voice` follows voice activity. */
export interface Places {
  /** The height of ordinary tiles. */
  readonly each: number;
  /** The tile that is large because the person chose it, or because it is a screen. */
  readonly large: { readonly id: string; readonly height: number } | null;
  /** The height of the tile that shows the active speaker; null: there is none. */
  readonly voice: number | null;
}

interface MemberLine {
  readonly id: string;
  readonly at: number;
  readonly leaf: number;
  readonly name: string;
  readonly self: boolean;
  /** A message of ours that is not sent yet. */
  readonly waits?: boolean;
}

export type ChatLine =
  | (MemberLine & { readonly kind: "text"; readonly text: string })
  /** `url`: a blob: URL that the page created. */
  | (MemberLine & { readonly kind: "image"; /** null: no longer kept. */ readonly url: string | null; readonly mime: string })
  | (MemberLine & {
      readonly kind: "file";
      readonly filename: string;
      readonly mime: string;
      readonly size: number;
      readonly done: number;
      /** Whether its data is on the way, can be saved, or is no longer kept. */
      readonly state: "coming" | "here" | "dropped";
      readonly failed: Sentence | null;
    })
  /** A member has joined or left, became a host, and so on: shown between the messages. */
  | { readonly kind: "note"; readonly id: string; readonly at: number; readonly text: Sentence };

/** A file that the person may send as it is: `shown`: it was sent as an image, which is smaller; else it is none. */
export interface FileOffer {
  readonly file: File;
  readonly shown: boolean;
}

/** How loud this device plays a member. */
export interface Volume {
  /** 0 to 1. */
  readonly volume: number;
  /** The person hears nothing of the member, whatever the volume. */
  readonly muted: boolean;
}

/** Why a video is no sharper; null: there is none, or the tile says why. */
export type Why =
  /** Its sender sends it no sharper. */
  | "sharpest"
  /** The person saves data. */
  | "saver"
  /** Its tile is small. */
  | "tile"
  /** Less comes than was asked for. */
  | "network"
  /** Our own video: as it is here, or our computer or our connection does no more. */
  | "own"
  | "cpu"
  | "uplink";

/** The quality of a tile's sound and video in the last second. */
export interface Quality {
  readonly tile: Tile;
  /** Bits a second of both, and the larger fraction of lost packets; null: nothing came or left. */
  readonly bits: number | null;
  readonly loss: number | null;
  /** The video as it comes or leaves; null: none does. `layer` is its size, from 0; null: it has but one, or is ours. */
  readonly video: { readonly width: number; readonly height: number; readonly frames: number } | null;
  readonly layer: number | null;
  readonly layers: number;
  readonly why: Why | null;
}

/** The call on this device, and choices that its browser keeps: nothing of it is told to anybody. */
export interface Call {
  /** By leaf; members without an entry are played as loud as they come. */
  readonly volumes: ReadonlySignal<ReadonlyMap<number, Volume>>;
  /** Say so when the person speaks while the microphone is off. */
  readonly mutedHint: Signal<boolean>;
  /** The microphone is on while the space bar is held. */
  readonly pushToTalk: Signal<boolean>;
  /** Blur what is behind the person, on this device. */
  readonly blur: Signal<boolean>;
  /** The last part of the key of the sentence below that switch. */
  readonly blurred: ReadonlySignal<Blurred>;
  /** Ask for smaller video than the tiles have room for. */
  readonly dataSaver: Signal<boolean>;
  /** Show up to 25 other members at once, and not 9. */
  readonly manyVideos: Signal<boolean>;
  /** Of each tile, once a second. */
  readonly quality: ReadonlySignal<readonly Quality[]>;
  /** The person speaks, and the microphone is off. */
  readonly speaksMuted: ReadonlySignal<boolean>;
}

export interface CodeView {
  readonly epoch: number;
  /** 40 digits. */
  readonly digits: string;
  /** Four emoji, while a comparison run shows them; null: no run in this epoch. */
  readonly short: ShortCode | null;
  /** The members' answers to the last short code; null: there was none. */
  readonly answers: CodeAnswers | null;
  readonly comparison: Comparison | null;
  /** A comparison run is under way. */
  readonly running: boolean;
}

export interface Invite {
  readonly link: string;
  readonly index: number;
  readonly label: string;
  readonly once: boolean;
}

export interface Encryption {
  /** Our frames sealed and sent, and frames of others authenticated, since we joined. */
  readonly sealed: number;
  readonly opened: number;
  /** Why nothing of ours is sent now; null: it is. */
  readonly silent: Sentence | null;
}

export interface Reaction {
  readonly id: number;
  readonly leaf: number;
  readonly name: string;
  readonly reaction: ReactionKind;
}

/** A short notice that disappears: "Copied." */
export interface Toast {
  readonly id: number;
  readonly text: Sentence;
}

/** A password; or tokens, of which the person has so many for this server. */
export type PermissionWanted = { readonly kind: "password" } | { readonly kind: "tokens"; readonly left: number };

/** What a server wants of whoever opens a room, where not anyone may. */
export interface PermissionForm {
  /** null: nothing, or the server has not said yet. */
  readonly wanted: ReadonlySignal<PermissionWanted | null>;
  readonly password: Signal<string>;
  readonly voucher: Signal<string>;
  /** What is wrong with password, voucher or tokens; null: nothing. */
  readonly trouble: ReadonlySignal<Sentence | null>;
  readonly exchanging: ReadonlySignal<boolean>;
}

export interface Model {
  readonly language: Signal<Language>;
  readonly theme: Signal<Theme>;
  readonly place: ReadonlySignal<Place>;
  readonly unable: ReadonlySignal<Unable | null>;
  readonly where: ReadonlySignal<Where>;
  /** Unix seconds, updated once a second, for clocks. */
  readonly now: ReadonlySignal<number>;

  // start and pre-join
  /** The goal of the pre-join view: a new room at `origin`, or the room of a link. null: nothing was chosen yet. */
  readonly going: ReadonlySignal<{ readonly as: "host" | "guest"; readonly origin: string } | null>;
  readonly name: Signal<string>;
  /** Whether this device remembers the name for the next visit. */
  readonly remember: Signal<boolean>;
  readonly title: Signal<string>;
  readonly greeting: Signal<string>;
  readonly admission: Signal<"ask" | "all">;
  /** Where a new meeting can continue, as the person types it. */
  readonly servers: Signal<string>;
  /** Whether the meeting's heartbeats are to go through the next of them as well. */
  readonly mirror: Signal<boolean>;
  /** Whether a new meeting keeps signatures, so that its messages can be reported. */
  readonly reports: Signal<boolean>;
  /** Whether the server forwards 16 microphones only in a new meeting, once it is large. */
  readonly sixteen: Signal<boolean>;
  /** Whether a missing host pauses a new meeting after 15 s already. */
  readonly strict: Signal<boolean>;
  /** The error in the link that was opened or pasted; null: none. */
  readonly linkTrouble: ReadonlySignal<Sentence | null>;
  /** Meetings that the person can come back to, the last one first; null: the browser keeps nothing. */
  readonly kept: ReadonlySignal<readonly KeptMeeting[] | null>;
  /** The error in the name; null: none. */
  readonly nameTrouble: ReadonlySignal<Sentence | null>;
  /** Whether a room is being opened, or a knock is being sent. */
  readonly opening: ReadonlySignal<boolean>;
  readonly permissionForm: PermissionForm;
  readonly attention: Attention;
  readonly identity: Identity;
  readonly devices: ReadonlySignal<Devices>;
  readonly preview: ReadonlySignal<MediaStream | null>;
  /** 0 to 1. */
  readonly ownLevel: ReadonlySignal<number>;
  readonly mic: ReadonlySignal<boolean>;
  readonly camera: ReadonlySignal<boolean>;

  // waiting and ended
  /** `back`: the meeting that we return to. */
  readonly waiting: ReadonlySignal<{ readonly kind: string; readonly text: Sentence; readonly since: number; readonly back?: KeptMeeting } | null>;
  /** `knock`: whether the person can knock again, at the meeting's door. */
  readonly ended: ReadonlySignal<{ readonly reason: string; readonly text: Sentence; readonly canSaveEvidence: boolean; readonly knock: boolean } | null>;

  // the room
  readonly roomTitle: ReadonlySignal<string>;
  readonly locked: ReadonlySignal<boolean>;
  /**
   * Where the meeting is (empty: unknown) and can continue: origins, in order; whether it is mirrored; and since when
   * nothing has come by the mirror, if so.
   */
  readonly roomServers: ReadonlySignal<{
    readonly at: string;
    readonly listed: readonly string[];
    readonly mirrored: boolean;
    readonly unmirrored: number | null;
  }>;
  /** Whether the meeting keeps signatures for reports. */
  readonly reportable: ReadonlySignal<boolean>;
  readonly amHost: ReadonlySignal<boolean>;
  readonly ownLeaf: ReadonlySignal<number>;
  readonly people: ReadonlySignal<readonly Person[]>;
  readonly tiles: ReadonlySignal<readonly Tile[]>;
  /** Leaves of the other members on the current page of tiles; null: there is only one page. */
  readonly shown: ReadonlySignal<ReadonlySet<number> | null>;
  /** The current page of tiles, from 0, and the number of pages. */
  readonly page: ReadonlySignal<number>;
  readonly pages: ReadonlySignal<number>;
  /** 0 to 1, by leaf; changes ten times a second. */
  readonly levels: ReadonlySignal<ReadonlyMap<number, number>>;
  /** The active speaker, computed in this page from received audio. */
  readonly speaker: ReadonlySignal<number | null>;
  readonly layout: Signal<"grid" | "speaker">;
  /** Subscribe to the camera of the active speaker only: the server then learns who speaks. */
  readonly onlySpeaker: Signal<boolean>;
  /** The id of the tile that the person chose to see large. */
  readonly pinned: Signal<string | null>;
  readonly sharing: ReadonlySignal<boolean>;
  readonly hand: ReadonlySignal<boolean>;
  readonly recording: ReadonlySignal<boolean>;
  readonly panel: Signal<"none" | "people" | "chat" | "code" | "settings" | "quality" | "lecture">;
  readonly chat: ReadonlySignal<readonly ChatLine[]>;
  readonly unread: ReadonlySignal<number>;
  readonly offers: ReadonlySignal<readonly FileOffer[]>;
  readonly reactions: ReadonlySignal<readonly Reaction[]>;
  readonly knocks: ReadonlySignal<readonly (Knocked & { readonly at: number })[]>;
  readonly invites: ReadonlySignal<readonly Invite[]>;
  readonly inviteRows: ReadonlySignal<readonly InviteRow[]>;
  readonly code: ReadonlySignal<CodeView | null>;
  /** What is wrong now, the most severe first; and what is over, in the order of its end. */
  readonly incidents: ReadonlySignal<readonly Incident[]>;
  readonly pastIncidents: ReadonlySignal<readonly Incident[]>;
  /** Messages of ours that wait. */
  readonly held: ReadonlySignal<readonly HeldMessage[]>;
  readonly toasts: ReadonlySignal<readonly Toast[]>;
  readonly encryption: ReadonlySignal<Encryption>;
  readonly tree: ReadonlySignal<readonly TreeView[]>;
  readonly call: Call;
  /** Abilities of the browser: share a screen, show a tile in picture in picture, record, scan a QR code. */
  readonly can: { readonly share: boolean; readonly pip: boolean; readonly record: boolean; readonly scan: boolean };

  readonly do: Commands;
}

export interface Commands {
  /** From the start view to the pre-join view, for a new room or for a link. */
  openRoom(): void;
  follow(link: string): void;
  back(): void;
  /** From the pre-join view: open the room, or knock. */
  enter(): void;
  /** Exchange the voucher for tokens. */
  exchange(): void;
  /** Stop waiting for admission. */
  giveUp(): void;
  /** Come back to a kept meeting; or, as a host, open it again, because nobody is in it any more. */
  comeBack(id: string, again: boolean): void;
  /** Knock at the door of the meeting that we come from, or return to, as somebody new. */
  knock(): void;
  /** Forget a kept meeting on this device; null: the one that we are in. */
  forget(id: string | null): void;
  /** After the end, back to the start view. */
  again(): void;
  /** Compute the page's hash now, if it is not known yet: somebody looks at it. */
  learnHash(): void;

  chooseCamera(id: string): void;
  chooseMicrophone(id: string): void;
  chooseSpeaker(id: string): void;
  retryDevices(): void;
  /** Play a test sound on the chosen speaker. */
  testSpeaker(): void;
  /** Change to the camera of the other direction. */
  flipCamera(): void;
  /** Play a member as loud as that on this device: 0 to 1. The member is heard again. */
  setVolume(leaf: number, volume: number): void;
  /** Hear nothing of a member, or hear the member again. */
  muteForMe(leaf: number, muted: boolean): void;
  toggleMic(): void;
  toggleCamera(): void;
  toggleShare(): void;
  toggleHand(): void;
  toggleRecording(): void;
  react(reaction: ReactionKind): void;
  pictureInPicture(tile: string): void;
  /** Show another page of tiles, from 0; the first follows the last. */
  turnPage(to: number): void;
  /** The stage reports the sizes of its tiles, whenever it has measured them. */
  measured(places: Places): void;

  say(text: string): void;
  sendFiles(files: readonly File[]): void;
  answerOffer(offer: FileOffer, send: boolean): void;
  /** Let the browser save a file of the chat, by the id of its line. */
  saveFile(id: string): void;
  /** Save a report of these messages, by the ids of their lines. */
  report(messages: readonly string[]): void;

  admit(knock: number): void;
  replace(knock: number): void; // in place of the silent member whose name they have
  refuse(knock: number): void;
  remove(leaf: number): void;
  deputise(leaf: number): void;
  undeputise(leaf: number): void;
  handOver(leaf: number): void;
  /** Leave, after that member has become the host; null: at once. */
  leaveTo(leaf: number | null): void;
  lock(on: boolean): void;
  /** Name the servers where the meeting can continue. */
  nameServers(origins: readonly string[]): void;
  /** Let the page connect to these servers of the list. */
  allowServers(origins: readonly string[]): void;
  endMeeting(): void;
  leave(): void;
  newInvite(label: string, once: boolean): void;
  revoke(index: number): void;
  refreshInvites(): void;
  copy(text: string): void;
  /** Let the browser save a calendar's file (RFC 5545). */
  saveCalendar(text: string): void;

  compare(): void;
  compared(same: boolean, how: "short" | "digits"): void;
  vouch(leaf: number): void;
  know(leaf: number): void;
  verified(leaf: number): void;
  override(): void;
  /** Send the messages that wait, or discard them. */
  sendHeld(): void;
  discardHeld(): void;
  saveEvidence(names: boolean): void;
  dismissIncident(number: number): void;
  dismissToast(id: number): void;
  watchTree(on: boolean): void;
}
