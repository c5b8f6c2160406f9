/** Between the page and its worker, in which session, MLS and SFrame live. */
import type { Command, Effect, Event, OwnStream, InputOf } from "../session/events";
import type { HandleStream, Transport } from "../wire/messages";
import type { Bytes } from "../crypto/bytes";
import type { Sentence } from "../words/sentence";

export interface HostWish {
  readonly type: "host";
  readonly origin: string;
  readonly name: string;
  readonly title: string;
  readonly admission: "ask" | "all";
  readonly reports: boolean;
}

export interface JoinWish {
  readonly type: "join";
  /** In full, whatever page it was opened in. */
  readonly link: string;
  readonly name: string;
  readonly greeting: string;
}

export type ToWorker =
  | HostWish
  | JoinWish
  /** `ask` numbers it, from 1: answered by `done`, or by `refused` with a sentence. A wish is number 0. */
  | { readonly type: "command"; readonly ask: number; readonly command: Command }
  | { readonly type: "publish"; readonly media: InputOf<"Publish"> }
  /** Frames counted so far, wanted now. */
  | { readonly type: "count" }
  /** What the tree of this epoch looks like to a member: for the lecture. */
  | { readonly type: "watchTree"; readonly on: boolean };

/** What a transform is told at its making (`RTCRtpScriptTransform`'s options). */
export type TransformOptions =
  | { readonly role: "seal"; readonly kind: "audio" | "video"; readonly stream: number }
  | { readonly role: "open"; readonly kind: "audio" | "video"; readonly ssrc: number };

export interface StreamCount {
  readonly ssrc: number;
  readonly leaf: number;
  readonly stream: number;
  /** In which size its pictures came last: 0 is the smallest. */
  readonly layer: number;
  /** Frames authenticated and given out, refused, and waiting. */
  readonly opened: number;
  readonly failed: number;
  /** When the last one opened, in ms of `performance.timeOrigin + performance.now()`. */
  readonly lastOpened: number;
  readonly lastFailed: number;
}

export interface Counts {
  readonly sealed: Readonly<Record<number, number>>;
  /** Why nothing leaves now; null: it may. */
  readonly silent: Sentence | null;
  readonly streams: readonly StreamCount[];
  /** The knocks that wait for our answer; null: we answer none now. */
  readonly waiting: readonly number[] | null;
}

/** One node of the ratchet tree; `null` where it is blank. */
export interface TreeNode {
  readonly key: string;
  readonly name: string | null;
  /** Our own path: we hold the private half. */
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
      readonly title: string;
      readonly locked: boolean;
    }
  /** The server's answer to the `media` with that ufrag: another's is of a link that is no more. */
  | { readonly type: "transport"; readonly transport: Transport; readonly ufrag: string }
  /** The connection that our media belonged to is gone: make a link, and publish it. */
  | { readonly type: "republish" }
  /** The same, and a link that was still waiting for an answer is of no use either. */
  | { readonly type: "mediaLost" }
  | { readonly type: "streams"; readonly streams: readonly HandleStream[]; readonly own: readonly OwnStream[] }
  /** Whose a stream is, once a member has said so: by SSRC. */
  | { readonly type: "announced"; readonly ssrc: number; readonly leaf: number; readonly stream: number }
  | { readonly type: "counts"; readonly counts: Counts }
  | { readonly type: "tree"; readonly view: TreeView }
  /** Ask a remote sender for a key frame: a frame that we can't do without did not open. */
  | { readonly type: "wantKeyFrame"; readonly ssrc: number }
  /** The next picture of ours in this size is to be whole: frames of it were not let out. */
  | { readonly type: "wantOwnKeyFrame"; readonly stream: number; readonly layer: number }
  /** The worker can't go on; nothing is sent any more. */
  | { readonly type: "broken"; readonly why: Sentence };
