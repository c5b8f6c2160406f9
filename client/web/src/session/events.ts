/**
 * The inputs, events and effects of a session: `client/session/events/`, type by type.
 *
 * Where Python has a sentence in English, this file has a `Sentence`, which the page words in its reader's language.
 */
import type { Bytes } from "../crypto/bytes";
import type { MemberRecoveryData } from "../crypto/entry/memberRecovery";
import type { ClientMessage, HandleStream, ServerMessage, Transport } from "../wire/messages";
import type { Sentence } from "../words/sentence";

// -- inputs ----------------------------------------------------------------------------------------------

/**
 * The purpose of one connection: a room (`day` is null), the lobby of a UTC day, or a further room.
 *
 * A probe is a room that this participant opens alone, to test whether the server still serves others. The second and
 * the third connection are to the meeting's rooms at a further server (features/mirror.ts), the fourth to one where we
 * look for a host (features/hostSearch.ts).
 */
export interface Endpoint {
  readonly day: number | null;
  readonly further: "probe" | "second" | "third" | "fourth" | null;
}

export const ROOM: Endpoint = { day: null, further: null };
export const PROBE: Endpoint = { day: null, further: "probe" };
export const SECOND: Endpoint = { day: null, further: "second" };
export const THIRD: Endpoint = { day: null, further: "third" };
export const FOURTH: Endpoint = { day: null, further: "fourth" };

/** Return the key of an endpoint for maps. */
export const endpointKey = ({ day, further }: Endpoint): string => further ?? (day === null ? "room" : `lobby ${day}`);

export type Input =
  /** A message from the server on one connection. The first message on a connection is a Challenge. */
  | { readonly type: "Received"; readonly endpoint: Endpoint; readonly message: ServerMessage }
  /**
   * A connection closed or could not be made. `answered`: the server accepted it, or answers other requests.
   * `byServer`: the server itself ended it, with a close frame: no network does that.
   */
  | {
      readonly type: "Lost";
      readonly endpoint: Endpoint;
      readonly why: Sentence;
      readonly answered: boolean;
      readonly byServer?: boolean;
    }
  /** This device's network has changed if `certain`; else it may have, for the path of media has moved. */
  | { readonly type: "NetworkChanged"; readonly certain: boolean }
  /** Time has passed. The shell feeds one about every 100 ms. */
  | { readonly type: "Tick" }
  | Command
  /** The media engine's transport parameters and streams; sent on every new connection to the room. */
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
  /** 0 audio, 1 video, 2 the screen's audio, 3 the screen's video. */
  readonly stream: number;
  /** Its further SSRCs: the larger layers, and the RTX of each layer (`Stream` in wire/messages.ts). */
  readonly layers?: readonly number[];
  readonly rtx?: readonly number[];
}

export type ReactionKind = "yes" | "applause" | "heart" | "laugh" | "surprise" | "party";

/** The state that this member shows: sent to all at every change. */
export interface OwnState {
  readonly mic: boolean;
  readonly camera: boolean;
  readonly screen: boolean;
  readonly hand: boolean;
  readonly recording: boolean;
  /** Our page ends, and we may come back. */
  readonly away?: boolean;
  /** When the microphone was last turned on or off, Unix seconds; the session sets it. */
  readonly since?: number;
}

/** A person's command. `handle` throws a CommandError if it cannot be done. */
export type Command =
  | { readonly type: "Say"; readonly text: string }
  | { readonly type: "SendImage"; readonly data: Bytes }
  | { readonly type: "SendFile"; readonly name: string; readonly mime: string; readonly data: Bytes }
  /**
   * Choose the streams that the server forwards to us, by SSRC; null: all. The server sees the choice. `maxLayers`: the
   * largest useful layer of a stream (0: the smallest, to 2), where it is not the largest.
   */
  | {
      readonly type: "SelectStreams";
      readonly ssrcs: readonly number[] | null;
      readonly maxLayers?: readonly (readonly [ssrc: number, layer: number])[];
    }
  /** Send the messages that wait (the event `Held`), whoever may read them; or discard them. */
  | { readonly type: "SendHeld" }
  | { readonly type: "DiscardHeld" }
  | { readonly type: "SetState"; readonly state: OwnState }
  | { readonly type: "React"; readonly reaction: ReactionKind }
  /** Report that this member runs the page with that hash, to all members and to newcomers. */
  | { readonly type: "RunsPage"; readonly hash: Bytes }
  | { readonly type: "SaveReport"; readonly messages: readonly string[] }
  | { readonly type: "SaveEvidence"; readonly names: boolean }
  | { readonly type: "Admit"; readonly knock: number }
  | { readonly type: "Refuse"; readonly knock: number }
  | { readonly type: "Replace"; readonly knock: number }
  | { readonly type: "Remove"; readonly leaf: number }
  | { readonly type: "Deputise"; readonly leaf: number }
  | { readonly type: "Undeputise"; readonly leaf: number }
  | { readonly type: "HandOver"; readonly leaf: number }
  | { readonly type: "Lock"; readonly on: boolean }
  /** The servers where the meeting goes on if its own ends it: origins, in order. */
  | { readonly type: "NameServers"; readonly origins: readonly string[] }
  | { readonly type: "ListServers" }
  /** Let our page connect to that server of the list, which was not in our link. */
  | { readonly type: "AllowServer"; readonly origin: string }
  /** Go on at that server of the list; empty: at the next one. */
  | { readonly type: "Move"; readonly origin: string }
  /** Remove all members that are not heard at this server. */
  | { readonly type: "RemoveAbsent" }
  /** End the way back of the member with that name, who was removed for absence. */
  | { readonly type: "Withdraw"; readonly name: string }
  | { readonly type: "NewInvite"; readonly label: string; readonly once: boolean }
  | { readonly type: "ListInvites" }
  | { readonly type: "Revoke"; readonly index: number }
  | { readonly type: "Vouch"; readonly leaf: number }
  | { readonly type: "Know"; readonly leaf: number; readonly name: string | null }
  | { readonly type: "Verified"; readonly leaf: number }
  /** Open a run for a short code, which all members see. */
  | { readonly type: "Compare" }
  /** `digits` null: the short code. Otherwise the long code that begins with them; "": the current long code. */
  | { readonly type: "Compared"; readonly same: boolean; readonly digits: string | null }
  | { readonly type: "ShowCode" }
  /** Send everything although too few members have confirmed the membership of the room. */
  | { readonly type: "Override" }
  | { readonly type: "EndMeeting" }
  | { readonly type: "Leave" };

// -- events for a person -----------------------------------------------------------------------------------

export interface Member {
  readonly leaf: number;
  readonly name: string;
  readonly host: boolean;
}

/** A member that a commit has added, or put back in place of its old leaf. */
export interface Newcomer extends Member {
  /** The invite that admitted it, and the invite's label here: null if another host made it. */
  readonly invite: number | null;
  readonly label: string | null;
}

export interface Known extends Member {
  /** The comparison did not cover the member. */
  readonly newSince: boolean;
}

/** none: no identity was shown. new: not in the book. known: in the book. verified: known and marked as verified. */
export type Standing = "none" | "new" | "known" | "verified";

export interface InviteMade {
  readonly type: "InviteMade";
  readonly link: string;
  readonly index: number;
  readonly label: string;
  readonly once: boolean;
  /** The own invite that this one replaces, which no longer admits anybody. */
  readonly replaces: number | null;
}

export interface InviteRow {
  readonly index: number;
  /** null: another host made the invite. */
  readonly label: string | null;
  readonly once: boolean;
  readonly usedBy: readonly string[];
  readonly revoked: boolean;
}

/** The identity that a member has shown to us in this meeting, or the invite for one person that admitted it. */
export type Proof = "identity" | "invite";

/**
 * Somebody asks to be admitted; `looksLike` is a member's name that the knocker's name resembles.
 *
 * A host is told of a knock again, under the same number, if that member falls silent, is heard again or goes.
 */
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
  /** The link was made before the hosts' keys changed: a former host may have made it. */
  readonly older: boolean;
  /** A host that has crashed asks to come back, by the hosts' return key and not by an invite. */
  readonly returning: boolean;
  /** The member `looksLike` has not been heard for a while. */
  readonly silent: boolean;
  /** The proof that the knock shows of that silent member, so that `Replace` can put it in that member's place. */
  readonly proof: Proof | null;
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
  readonly added: readonly Newcomer[];
  readonly removed: readonly Member[];
  readonly by: number | null;
  readonly rejoined: boolean;
  /** Removed leaves that left by themselves. */
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
  /** The leaf of the member that asked for the code; null if it is not here any more. */
  readonly by: number | null;
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

/** A member's answer to a short code; `same` is null before it. */
export interface Answered {
  readonly leaf: number;
  readonly name: string;
  readonly same: boolean | null;
  /** It and this person said "same". */
  readonly both: boolean;
}

/** All answers to the last short code, of `epoch`, that have come; `by`: as in `ShortCode`. */
export interface CodeAnswers {
  readonly type: "CodeAnswers";
  readonly epoch: number;
  readonly by: number | null;
  readonly members: readonly Answered[];
  readonly text: Sentence;
}

/** A message of ours that waits. */
export interface HeldMessage {
  readonly text: string | Sentence;
  readonly why: Sentence;
}

export interface Ended {
  readonly type: "Ended";
  readonly reason: "left" | "removed" | "replaced" | "refused" | "ended" | "dropped" | "failed" | "unopened" | "unserved";
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
  | CodeAnswers
  | { readonly type: "Said"; readonly leaf: number; readonly name: string; readonly text: string; readonly id: string }
  | {
      readonly type: "Image";
      readonly leaf: number;
      readonly name: string;
      readonly id: string;
      readonly mime: string;
      readonly data: Bytes;
    }
  /** All messages of ours that wait, whenever these change; none any more if `messages` is empty. */
  | { readonly type: "Held"; readonly messages: readonly HeldMessage[] }
  /** A file transfer has begun, in or out. The three events below refer to it by `id` (hex). */
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
  /**
   * The pages that members run, by leaf (hex of the hash), as far as members have reported them: command-line clients
   * run no page.
   */
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
  /**
   * A problem that a person should know about; `kind` names a page in docs/reference/alarms. `count` above 1: this
   * alarm replaces the last one of that cause, which has recurred.
   */
  | { readonly type: "Alarm"; readonly kind: string; readonly text: Sentence; readonly count?: number }
  | { readonly type: "Status"; readonly kind: string; readonly text: Sentence }
  | Ended;

// -- outputs -----------------------------------------------------------------------------------------------

/** Return the effect that connects this endpoint; `origin`: of a further server. */
export const connect = (endpoint: Endpoint, origin: string, path = ""): Effect => ({
  type: "Connect",
  endpoint,
  ...(path === "" ? {} : { path }),
  ...(origin === "" ? {} : { origin }),
});

export type Effect =
  /**
   * `path` selects a node of the server, such as `/n/1`; without it, any. `origin`: of a further server; absent for the
   * server of the link.
   */
  | { readonly type: "Connect"; readonly endpoint: Endpoint; readonly path?: string; readonly origin?: string }
  /**
   * A connection to the room at the server with this origin may follow within seconds: the shell may open it ahead of
   * time.
   */
  | { readonly type: "ConnectSoon"; readonly origin: string }
  | { readonly type: "Disconnect"; readonly endpoint: Endpoint }
  | { readonly type: "Transmit"; readonly endpoint: Endpoint; readonly message: ClientMessage }
  | { readonly type: "Tell"; readonly event: Event }
  /** Write a file for the person. */
  | { readonly type: "Save"; readonly what: "evidence" | "report"; readonly data: Bytes }
  /**
   * Keep this for a return, in place of what was kept of this meeting, before the effects that follow.
   *
   * null: forget it.
   */
  | { readonly type: "Keep"; readonly data: MemberRecoveryData | null }
  | { readonly type: "MediaTransport"; readonly transport: Transport }
  /** The streams that others send now, as the server lists them. */
  | { readonly type: "RemoteStreams"; readonly streams: readonly HandleStream[] };

export type EventOf<T extends Event["type"]> = Extract<Event, { type: T }>;
export type InputOf<T extends Input["type"]> = Extract<Input, { type: T }>;
