/**
 * A part of a member's session that stands beside slots, commits and chat: one file, one concern.
 *
 * `RoomSession` calls these hooks at the moments that they are named for, and awaits each before the next;
 * what an aspect wants done it does through the room. None sees a socket. Hooks run in the order of
 * `aspects.make`.
 */
import type { Bytes } from "../crypto/bytes";
import type { ApplicationMessage } from "../mls";
import type { HandleStream } from "../wire/messages";
import type { Sentence } from "../words/sentence";
import type { AnyContent } from "./content";
import type { Change } from "./membership";
import type { RoomSession } from "./room";

/** What a hook that may have to wait for a cipher gives. */
export type Soon<T> = T | Promise<T>;

/**
 * Every hook does nothing by default. `now` is in Unix seconds and never goes back.
 *
 * The hooks of media (`maySend`, `hears`, `sealed`, `opening`, `opened`) run between the others' awaits, at
 * any time.
 */
export class Aspect {
  readonly room: RoomSession;

  constructor(room: RoomSession) {
    this.room = room;
  }

  /** What has to wait for a cipher before the aspect can begin: called once, after the constructor. */
  begin(): Soon<void> {}

  /** This membership follows on `old` after a rejoin: take along what outlives a leaf. */
  carryOver(_old: RoomSession): Soon<void> {}

  /** This connection has just come in step with the server; told anew for every connection. */
  level(_now: number): Soon<void> {}

  /** Our media have been sent to the server, which begins anew with what it forwards to us. */
  published(_now: number): Soon<void> {}

  /** The room's connection is gone, or could not be made. */
  lost(_why: Sentence, _now: number): Soon<void> {}

  /** Time has passed, connected or not. */
  tick(_now: number): Soon<void> {}

  /** A member's message, authenticated; true if it was for this aspect. */
  heard(_received: ApplicationMessage, _what: AnyContent, _now: number): Soon<boolean> {
    return false;
  }

  /** A blob that the server does not keep, as it came; true if it was for this aspect. */
  passed(_blob: Bytes, _now: number): Soon<boolean> {
    return false;
  }

  /** Every relay that the server keeps, readable or not: its number, and H(blob). */
  relayed(_number: number, _digest: Bytes, _now: number): Soon<void> {}

  /** A receipt of the server's whose signature is good. */
  receipt(_slot: number, _chain: Bytes, _signature: Bytes, _now: number): Soon<void> {}

  /** `refused` (fatal) or `closing`: the server's last word on a connection, or on an act of ours. */
  saidByServer(_code: string, _text: string, _now: number): Soon<void> {}

  /** The streams that others send now, as the server lists them. */
  streams(_streams: readonly HandleStream[], _now: number): Soon<void> {}

  /** A commit was adopted: group, policy, ledger and all keys have moved on. */
  adopted(_change: Change, _now: number): Soon<void> {}

  /** A slot holds nothing; `author` is a leaf where it can be told. */
  voided(_slot: number, _author: number | null, _now: number): Soon<void> {}

  /** null: media may be sealed; else why not, as a sentence for a person. */
  maySend(_now: number): Sentence | null {
    return null;
  }

  /** Whether something that this leaf has signed has come in the last seconds. */
  hears(_leaf: number, _now: number): boolean {
    return false;
  }

  /** Whether a host's commits, removals aside, have to wait. */
  holdsCommits(_now: number): boolean {
    return false;
  }

  /** A media frame of ours, as SFrame sealed it (before the shim), in the order of its counters. */
  sealed(_stream: number, _frame: Bytes, _now: number): Soon<void> {}

  /**
   * A received SFrame frame of that leaf's key id, before it is opened.
   *
   * Throw a SnugCryptoError to refuse it, FutureEpochError to have it held and tried again.
   */
  opening(_ssrc: number, _leaf: number, _stream: number, _frame: Bytes, _now: number): void {}

  /** The same frame (as SFrame sealed it), once it has opened. */
  opened(_ssrc: number, _leaf: number, _stream: number, _frame: Bytes, _now: number): void {}
}

/** The names of the hooks. */
export type Hook = Exclude<keyof Aspect, "room">;

const known = new WeakMap<readonly Aspect[], Map<Hook, readonly Aspect[]>>();

/**
 * Those of `aspects` whose class defines that hook, in order: most define few, and some hooks are called for every
 * frame.
 */
export function having(aspects: readonly Aspect[], hook: Hook): readonly Aspect[] {
  const by = known.get(aspects) ?? new Map<Hook, readonly Aspect[]>();
  known.set(aspects, by);
  const found = by.get(hook) ?? aspects.filter((aspect) => aspect[hook] !== Aspect.prototype[hook]);
  by.set(hook, found);
  return found;
}
