/**
 * What goes into a session and what comes out of it: `client/session/events.py`, type by type.
 *
 * Where Python has a sentence in English, here is a `Sentence`, which the page words in its reader's language.
 */
import type { Bytes } from "../crypto/bytes";
import type { ClientMessage, HandleStream, ServerMessage, Transport } from "../wire/messages";
import type { Sentence } from "../words/sentence";

// -- in --------------------------------------------------------------------------------------------------

/** One connection's purpose: a room (`day` null), the lobby of a UTC day, or a probe (a room of our own). */
export interface Door {
  readonly day: number | null;
  readonly probe: boolean;
}

export const ROOM: Door = { day: null, probe: false };
export const PROBE: Door = { day: null, probe: true };

/** What a door is known by in maps. */
export const doorKey = (door: Door): string => (door.probe ? "probe" : door.day === null ? "room" : `lobby ${door.day}`);

export type Input =
  /** The server said something at a door; its first word there is always a Challenge. */
  | { readonly type: "Received"; readonly door: Door; readonly message: ServerMessage }
  /** A door's connection is gone, or could not be made. `answered`: somebody took it, or refused it in words. */
  | { readonly type: "Lost"; readonly door: Door; readonly why: Sentence; readonly answered: boolean }
  /** Time has passed: feed one about every 100 ms. */
  | { readonly type: "Tick" }
  | Command
  /** The media's transport parameters and streams; sent whenever the room is entered. */
  | {
      readonly type: "Publish";
      readonly ufrag: string;
      readonly password: string;
      readonly fingerprint: Bytes;
      readonly streams: readonly OwnStream[];
      readonly feedback?: boolean;
      readonly takesRtx?: boolean;
    };

export interface OwnStream {
  readonly ssrc: number;
  readonly kind: "audio" | "video";
  /** 0 audio, 1 video, 2 screen's audio, 3 screen's video. */
  readonly stream: number;
  /** Further SSRCs of it: larger layers, and what is sent again of each (`Stream` in wire/messages.ts). */
  readonly layers?: readonly number[];
  readonly rtx?: readonly number[];
}

export type ReactionKind = "yes" | "applause" | "heart" | "laugh" | "surprise" | "party";

/** What one shows of oneself: told to all whenever it changes. */
export interface OwnState {
  readonly mic: boolean;
  readonly camera: boolean;
  readonly screen: boolean;
  readonly hand: boolean;
  readonly recording: boolean;
}

/** What a person asks for. `handle` throws a CommandError for what can't be done. */
export type Command =
  | { readonly type: "Say"; readonly text: string }
  | { readonly type: "SendPicture"; readonly data: Bytes }
  | { readonly type: "SendFile"; readonly name: string; readonly mime: string; readonly data: Bytes }
  /**
   * Which streams the server is to forward to us; null: all. The server sees what is asked for. `tops`: of a stream, the
   * largest layer (0: the smallest, to 2) that is of use, where it isn't the largest.
   */
  | {
      readonly type: "AskFor";
      readonly ssrcs: readonly number[] | null;
      readonly tops?: readonly (readonly [ssrc: number, top: number])[];
    }
  | { readonly type: "SetState"; readonly state: OwnState }
  | { readonly type: "React"; readonly reaction: ReactionKind }
  /** Which page we run; told to all who are there and who come in. */
  | { readonly type: "RunsPage"; readonly hash: Bytes }
  | { readonly type: "SaveReport"; readonly messages: readonly string[] }
  | { readonly type: "SaveEvidence"; readonly names: boolean }
  | { readonly type: "Admit"; readonly knock: number }
  | { readonly type: "Refuse"; readonly knock: number }
  | { readonly type: "Remove"; readonly leaf: number }
  | { readonly type: "Deputise"; readonly leaf: number }
  | { readonly type: "Undeputise"; readonly leaf: number }
  | { readonly type: "HandOver"; readonly leaf: number }
  | { readonly type: "Lock"; readonly on: boolean }
  | { readonly type: "NewInvite"; readonly label: string; readonly once: boolean }
  | { readonly type: "ListInvites" }
  | { readonly type: "Revoke"; readonly index: number }
  | { readonly type: "Vouch"; readonly leaf: number }
  | { readonly type: "Know"; readonly leaf: number; readonly name: string | null }
  | { readonly type: "Verified"; readonly leaf: number }
  /** Have everybody shown a short code. */
  | { readonly type: "Compare" }
  /** `digits` null: the four words; else the long code that begins with these, "" the current one. */
  | { readonly type: "Compared"; readonly same: boolean; readonly digits: string | null }
  | { readonly type: "ShowCode" }
  /** Send sound and pictures although too few have confirmed who is in the room. */
  | { readonly type: "Override" }
  | { readonly type: "EndMeeting" }
  | { readonly type: "Leave" };

// -- what a person sees ------------------------------------------------------------------------------------

export interface Member {
  readonly leaf: number;
  readonly name: string;
  readonly host: boolean;
}

export interface Known extends Member {
  /** The comparison did not cover them. */
  readonly newSince: boolean;
}

/** none: no identity was shown. new: not in the book. known: it is. verified: and marked as verified. */
export type Standing = "none" | "new" | "known" | "verified";

export interface InviteMade {
  readonly type: "InviteMade";
  readonly link: string;
  readonly index: number;
  readonly label: string;
  readonly once: boolean;
  /** The invite of ours that this one stands for from now on, which opens nothing any more. */
  readonly replaces: number | null;
}

export interface InviteRow {
  readonly index: number;
  /** null: another host has made it. */
  readonly label: string | null;
  readonly once: boolean;
  readonly usedBy: readonly string[];
  readonly revoked: boolean;
}

export interface Knocked {
  readonly type: "Knocked";
  readonly knock: number;
  readonly name: string;
  readonly greeting: string;
  readonly invite: number;
  readonly looksLike: string | null;
  readonly label: string | null;
  readonly standing: Standing;
  readonly contact: string | null;
  readonly fingerprint: string | null;
  readonly warnings: readonly Sentence[];
}

export interface PolicyChanged {
  readonly type: "PolicyChanged";
  readonly by: number;
  readonly kind: "host" | "no_host" | "mode" | "title" | "servers";
  readonly text: Sentence;
  readonly leaf: number | null;
  readonly mode: "ask" | "all" | "locked" | null;
}

export interface Roster {
  readonly type: "Roster";
  readonly epoch: number;
  readonly members: readonly Member[];
  readonly added: readonly Member[];
  readonly removed: readonly Member[];
  readonly by: number | null;
  readonly rejoined: boolean;
  readonly invite: number | null;
  readonly label: string | null;
  /** Leaves of the removed who went of themselves. */
  readonly left: readonly number[];
}

export interface ShortCode {
  readonly type: "ShortCode";
  readonly epoch: number;
  readonly emoji: readonly string[];
  /** In English; the page words them by their place in the table of 64. */
  readonly words: readonly string[];
  readonly indices: readonly number[];
  readonly members: readonly Member[];
}

export interface Comparison {
  readonly type: "Comparison";
  readonly epoch: number;
  readonly compared: number;
  readonly how: "short" | "digits";
  readonly same: boolean;
  readonly news: boolean;
  readonly members: readonly Known[];
  readonly changes: readonly Sentence[];
  readonly text: Sentence;
}

export interface Ended {
  readonly type: "Ended";
  readonly reason: "left" | "removed" | "refused" | "ended" | "dropped" | "failed";
  readonly text: Sentence;
}

export type Event =
  | InviteMade
  | { readonly type: "Invites"; readonly rows: readonly InviteRow[] }
  | PolicyChanged
  | Knocked
  | Roster
  | { readonly type: "Code"; readonly epoch: number; readonly digits: string }
  | ShortCode
  | Comparison
  | { readonly type: "Said"; readonly leaf: number; readonly name: string; readonly text: string; readonly id: string }
  | {
      readonly type: "Picture";
      readonly leaf: number;
      readonly name: string;
      readonly id: string;
      readonly mime: string;
      readonly data: Bytes;
    }
  /** A file that is coming, or going out: `id` (hex) is what the others below name it by. */
  | {
      readonly type: "FileOffered";
      readonly leaf: number;
      readonly name: string;
      readonly id: string;
      readonly filename: string;
      readonly mime: string;
      readonly size: number;
    }
  | { readonly type: "FileProgress"; readonly id: string; readonly done: number; readonly size: number }
  | { readonly type: "FileDone"; readonly id: string; readonly data: Bytes }
  | { readonly type: "FileFailed"; readonly id: string; readonly why: Sentence }
  | { readonly type: "StateTold"; readonly leaf: number; readonly name: string; readonly state: OwnState }
  | { readonly type: "Reacted"; readonly leaf: number; readonly name: string; readonly reaction: ReactionKind }
  /** Which page members run, by leaf (hex of the hash); who has said none has none (the command line). */
  | { readonly type: "Pages"; readonly pages: readonly { readonly leaf: number; readonly name: string; readonly hash: string }[] }
  | {
      readonly type: "Vouched";
      readonly leaf: number;
      readonly name: string;
      readonly standing: Standing;
      readonly contact: string | null;
      readonly fingerprint: string;
      readonly warnings: readonly Sentence[];
    }
  | {
      readonly type: "BookChanged";
      readonly name: string;
      readonly fingerprint: string;
      readonly verified: boolean;
      readonly public: Bytes;
      readonly at: number;
    }
  /** Something that a person should know of; `kind` is one of docs/alarms. */
  | { readonly type: "Alarm"; readonly kind: string; readonly text: Sentence }
  | { readonly type: "Status"; readonly kind: string; readonly text: Sentence }
  | Ended;

// -- out ---------------------------------------------------------------------------------------------------

export type Effect =
  | { readonly type: "Connect"; readonly door: Door }
  | { readonly type: "Disconnect"; readonly door: Door }
  | { readonly type: "Transmit"; readonly door: Door; readonly message: ClientMessage }
  | { readonly type: "Tell"; readonly event: Event }
  /** A file for the person. */
  | { readonly type: "Save"; readonly what: "evidence" | "report"; readonly data: Bytes }
  | { readonly type: "MediaTransport"; readonly transport: Transport }
  /** The streams that others send now, as the server lists them. */
  | { readonly type: "RemoteStreams"; readonly streams: readonly HandleStream[] };

export type EffectOf<T extends Effect["type"]> = Extract<Effect, { type: T }>;
export type EventOf<T extends Event["type"]> = Extract<Event, { type: T }>;
export type InputOf<T extends Input["type"]> = Extract<Input, { type: T }>;
