/** Messages between the page and its worker, which holds session, MLS and SFrame. */
import type { Command, Effect, Event, OwnStream, InputOf } from "../session/events";
import type { HandleStream, Transport } from "../wire/messages";
import type { Bytes } from "../crypto/bytes";
import type { Token } from "../crypto/entry/permission";
import type { Sentence } from "../words/sentence";

/** `own`: the participant's own machine serves the page (`snug page`). */
export interface HostWish {
  readonly type: "host";
  readonly own: boolean;
  readonly origin: string;
  /** Where the meeting can continue, in order. */
  readonly servers: readonly string[];
  /** Whether heartbeats go through the next of them as well. */
  readonly mirror: boolean;
  readonly name: string;
  readonly title: string;
  readonly admission: "ask" | "all";
  readonly reports: boolean;
  readonly sixteen: boolean;
  readonly strict: boolean;
  /** What the person has to open a room with, where not anyone may. */
  readonly password: string | null;
  readonly tokens: readonly Token[];
}

export interface JoinWish {
  readonly type: "join";
  readonly own: boolean;
  /** The complete invite link, in whatever page it was opened. */
  readonly link: string;
  readonly name: string;
  readonly greeting: string;
  /** Show our identity to the hosts. */
  readonly showIdentity: boolean;
}

/** Come back to a meeting that this device keeps. */
export interface ComebackWish {
  readonly type: "comeBack";
  readonly own: boolean;
  readonly id: string;
  /** As a host, open the meeting again: nobody is in it. */
  readonly again: boolean;
}

export type ToWorker =
  | HostWish
  | JoinWish
  | ComebackWish
  /** The page ends: say that we are away, or leave. `sent`: its first number becomes 1 when that is under way. */
  | { readonly type: "farewell"; readonly away: boolean; readonly sent: Int32Array | null }
  /** Forget the meeting on this device, and keep nothing of it from now on. */
  | { readonly type: "forget" }
  /** The contact book on this device has changed: read it again. */
  | { readonly type: "book" }
  /** `ask` numbers the command, from 1: `done`, or `refused` with a sentence, answers it. A wish has number 0. */
  | { readonly type: "command"; readonly ask: number; readonly command: Command }
  | { readonly type: "publish"; readonly media: InputOf<"Publish"> }
  /** Nothing comes by the media connection any more: the network may have changed. */
  | { readonly type: "silence" }
  /** Request the frame counts now. */
  | { readonly type: "count" }
  /** Report this member's view of each epoch's tree, for the lecture. */
  | { readonly type: "watchTree"; readonly on: boolean };

/** The options that a transform receives at its creation (`RTCRtpScriptTransform`). */
export type TransformOptions =
  | { readonly role: "seal"; readonly kind: "audio" | "video"; readonly stream: number }
  | { readonly role: "open"; readonly kind: "audio" | "video"; readonly ssrc: number };

export interface StreamCount {
  readonly ssrc: number;
  readonly leaf: number;
  readonly stream: number;
  /** The simulcast layer of the last frame: 0 is the smallest. */
  readonly layer: number;
  /** Frames authenticated and delivered, and frames refused. */
  readonly opened: number;
  readonly failed: number;
  /** When the last frame was opened, in ms of `Clock`. */
  readonly lastOpened: number;
  readonly lastFailed: number;
}

export interface Counts {
  readonly sealed: Readonly<Record<number, number>>;
  /** Why nothing may be sent now; null: it may. */
  readonly silent: Sentence | null;
  readonly streams: readonly StreamCount[];
  /** The knocks that wait for our answer; null: we answer none now. */
  readonly waiting: readonly number[] | null;
}

/** One node of the ratchet tree; `null` if it is blank. */
export interface TreeNode {
  readonly key: string;
  readonly name: string | null;
  /** The node is on our own path: we hold its private key. */
  readonly held: boolean;
  readonly unmerged: readonly number[];
}

export interface TreeView {
  readonly epoch: number;
  readonly by: string | null;
  readonly what: Sentence;
  readonly ownLeaf: number;
  readonly nodes: readonly (TreeNode | null)[];
  readonly bytes: number;
}

export type FromWorker =
  | { readonly type: "events"; readonly events: readonly Event[] }
  | { readonly type: "done"; readonly ask: number }
  | { readonly type: "refused"; readonly ask: number; readonly why: Sentence }
  | { readonly type: "save"; readonly what: Extract<Effect, { type: "Save" }>["what"]; readonly data: Bytes }
  | {
      readonly type: "inside";
      readonly ownLeaf: number;
      readonly origin: string;
      /** The origin of the server that carries the meeting now. */
      readonly at: string;
      readonly title: string;
      readonly locked: boolean;
      readonly servers: readonly string[];
      readonly mirrored: boolean;
      readonly reports: boolean;
    }
  /** The server's answer to the `media` message with that ufrag: one for another ufrag belongs to an older link. */
  | { readonly type: "transport"; readonly transport: Transport; readonly ufrag: string }
  /** The connection that our media belonged to is lost: create a link, and publish it. */
  | { readonly type: "republish" }
  /** The same, and a link that still waits for an answer is useless too. */
  | { readonly type: "mediaLost" }
  /** `large`: our sound leaves in the packets of a large room. */
  | { readonly type: "streams"; readonly streams: readonly HandleStream[]; readonly own: readonly OwnStream[]; readonly large: boolean }
  /** The owner of a stream, by SSRC, once exactly one member has announced it. */
  | { readonly type: "announced"; readonly ssrc: number; readonly leaf: number; readonly stream: number }
  | { readonly type: "counts"; readonly counts: Counts }
  | { readonly type: "tree"; readonly view: TreeView }
  /** A contact of that name is in the book on this device now; or it could not be kept. */
  | { readonly type: "book"; readonly name: string; readonly kept: boolean }
  /** Ask a remote sender for a key frame, because a frame that later ones refer to was not opened. */
  | { readonly type: "wantKeyFrame"; readonly ssrc: number }
  /** Request a key frame of our own layer, because frames of it were not sent. */
  | { readonly type: "wantOwnKeyFrame"; readonly stream: number; readonly layer: number }
  /** This token is about to be spent: forget it. */
  | { readonly type: "spent"; readonly token: Token }
  /** The worker has failed; nothing is sent from now on. */
  | { readonly type: "broken"; readonly why: Sentence };
