/**
 * A part of a member's session beside slots, commits and chat: one file, one concern.
 *
 * `RoomSession` calls these hooks at the moments that they are named for, and awaits each before the next; a feature
 * acts through the room's `ports`. No hook has access to a socket. Hooks run in the order of `features.build`.
 */
import type { Bytes } from "../../crypto/bytes";
import type { FrameName } from "../../crypto/media/signatures";
import type { Receipt } from "../../crypto/proof/evidence";
import type { ApplicationMessage } from "../../mls";
import type { Challenge, Closing, HandleStream, Refused } from "../../wire/messages";
import type { Sentence } from "../../words/sentence";
import type { AnyContent, Announcement } from "../catalogue/content";
import type { InputOf } from "../events";
import type { Change } from "./verdict";
import type { Room } from "./ports";

/** The result of a hook that may have to wait for a cipher. */
export type Soon<T> = T | Promise<T>;

/** What processes a member's authenticated message, by its type. */
export type Contents = {
  readonly [T in AnyContent["type"]]?: (
    received: ApplicationMessage,
    what: Extract<AnyContent, { type: T }>,
    now: number,
  ) => Soon<void>;
};

type Handler = (received: ApplicationMessage, what: AnyContent, now: number) => Soon<void>;

/**
 * Every hook does nothing by default. `now` is in Unix seconds and never goes back.
 *
 * The media hooks (`pauseReason`, `heardRecently`, `frameSealed`, `checkFrame`, `frameOpened`) may run at any time,
 * between the others' awaits. They wait for nothing themselves: `undefined` is a result that no promise has, while
 * anything may stand for `void`.
 */
export class Feature {
  constructor(readonly room: Room) {}

  /** Finish the construction where a cipher has to be awaited: called once, after the constructor. */
  begin(): Soon<void> {}

  /** Take over the state that outlives a leaf: this membership follows `old` after a rejoin. */
  carryOver(_old: Room): Soon<void> {}

  /** This connection has just come in step with the server; called anew for every connection. */
  synced(_now: number): Soon<void> {}

  /** Our media parameters were sent to the server, which resets its forwarding to us. */
  published(_now: number): Soon<void> {}

  /** The room's connection was lost, or could not be made; `byServer` as in `Lost`. */
  lost(_why: Sentence, _now: number, _byServer: boolean): Soon<void> {}

  /** Time has passed, connected or not. */
  tick(_now: number): Soon<void> {}

  /** Return the content types that this feature owns, each with its handler; read once. */
  contents(): Contents {
    return {};
  }

  /** Return the same for content types of other owners; these handlers run after the owner's. */
  overheard(): Contents {
    return {};
  }

  /** Another leaf's announcement, newer than the last one: of its own, or handed on by a member. */
  announced(_what: Announcement): void {}

  /** Process a broadcast blob, which is not stored; return true if it was for this feature. */
  broadcastReceived(_blob: Bytes, _now: number): Soon<boolean> {
    return false;
  }

  /** A relay that the server stores has arrived, readable or not: its number, and H(blob). */
  relayed(_number: number, _digest: Bytes, _now: number): Soon<void> {}

  /** The server has sent a message, of any kind, on the room's connection. */
  serverHeard(_now: number): void {}

  /** The server has signed that a blob took a slot, in our history (`ours`) or in another one. */
  receipt(_receipt: Receipt, _now: number, _how: { readonly ours: boolean }): Soon<void> {}

  /** The server has given us a change or an opening without a right signature: `what`, in words. */
  unsigned(_what: string, _now: number): void {}

  /** The server has begun a connection to the room. */
  challenged(_challenge: Challenge): void {}

  /** A `refused` or `closing` message of the server. */
  serverNotice(_notice: Refused | Closing, _now: number): Soon<void> {}

  /** The streams that others send now, as the server lists them. */
  streams(_streams: readonly HandleStream[], _now: number): Soon<void> {}

  /** A commit was adopted: group, policy, ledger and all keys have advanced. */
  adopted(_change: Change, _now: number): Soon<void> {}

  /** A slot is void; `author` is a leaf, null if it is unknown. */
  voided(_slot: number, _author: number | null, _now: number): Soon<void> {}

  /** The next slot holds a commit, `blob`, that breaks no rule and that we cannot read. */
  stuck(_blob: Bytes, _now: number): Soon<void> {}

  /** The next slot's commit puts a leaf in the place of ours, with our keys and not at our request. */
  replaced(_now: number): Soon<void> {}

  /** A heartbeat of ours was broadcast, sealed as `blob`. */
  heartbeatSent(_blob: Bytes): void {}

  /** Return whether the room at the next server of the list is open for us. */
  nextIsReady(): boolean {
    return false;
  }

  /** A message, or the loss, of a connection to another room than ours. */
  further(_what: InputOf<"Received"> | InputOf<"Lost">, _now: number): Soon<void> {}

  /** This membership has ended. */
  ending(): void {}

  /** This membership goes on: all who asked to be let in again were at the same slot. */
  resumed(_now: number): Soon<void> {}

  /** We are leaving, and in step with the server. */
  leaving(_now: number): Soon<void> {}

  /** Return null if data may be sealed for the room; else why it waits, as a sentence for a person. */
  holdReason(_now: number): Sentence | null {
    return null;
  }

  /** Return null if media may be sealed as well; else the reason, as a sentence for a person. */
  pauseReason(_now: number): Sentence | null {
    return null;
  }

  /** Return whether our chat messages, images and files have to wait. */
  holdsMessages(_now: number): boolean {
    return false;
  }

  /** Return whether data signed by this leaf has arrived in the last seconds, and after `since`. */
  heardRecently(_leaf: number, _now: number, _since: number): boolean {
    return false;
  }

  /** Return whether our commits have to wait, except removals. */
  holdsCommits(_now: number): boolean {
    return false;
  }

  /** A media frame of ours was sealed. They come in the order of their counters. */
  frameSealed(_stream: number, _frame: FrameName, _now: number): undefined {}

  /**
   * Check a received SFrame frame of that leaf's key id before it is opened.
   *
   * Throw a SnugError to refuse it, FutureEpochError to have it held and tried again.
   */
  checkFrame(_ssrc: number, _leaf: number, _stream: number, _frame: FrameName, _now: number): undefined {}

  /** The same frame, after it was opened. */
  frameOpened(_ssrc: number, _leaf: number, _stream: number, _frame: FrameName, _now: number): undefined {}
}

/** The names of the hooks. */
export type Hook = Exclude<keyof Feature, "room">;

const known = new WeakMap<readonly Feature[], Map<Hook, readonly Feature[]>>();

/**
 * Return the features whose class defines that hook, in order: most define few, and some hooks are called for every
 * frame.
 */
export function featuresWith(features: readonly Feature[], hook: Hook): readonly Feature[] {
  const by = known.get(features) ?? new Map<Hook, readonly Feature[]>();
  known.set(features, by);
  const found = by.get(hook) ?? features.filter((feature) => feature[hook] !== Feature.prototype[hook]);
  by.set(hook, found);
  return found;
}

/**
 * Return the handlers of each content type, its owner's first. `own`: what the kernel owns.
 *
 * Error if a content type has two owners.
 */
export function contentTable(own: Contents, features: readonly Feature[]): ReadonlyMap<string, readonly Handler[]> {
  const handlers = new Map<string, Handler[]>();
  for (const contents of [own, ...features.map((each) => each.contents())])
    for (const [kind, handler] of Object.entries(contents)) {
      if (handlers.has(kind)) throw new Error(`two owners: ${kind}`);
      handlers.set(kind, [handler as Handler]);
    }
  for (const feature of features)
    for (const [kind, handler] of Object.entries(feature.overheard()))
      handlers.set(kind, [...(handlers.get(kind) ?? []), handler as Handler]);
  return handlers;
}
