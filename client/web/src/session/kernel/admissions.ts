/** The newcomers whom our commits have let in, and those whom no commit lets in; `answers.ts` answers them. */
import type { Bytes, Rng } from "../../crypto/bytes";
import type { SealedPieces } from "../../crypto/entry/pieces";
import type { Sentence } from "../../words/sentence";
import type { EntryIntent } from "./intents";
import type { Owner } from "./ports";

/** A newcomer, its commit's Welcome, and the tree if the Welcome doesn't contain it. */
export type Admitted = readonly [EntryIntent, Bytes, Bytes | null];

/** The `Owner` of a room: newcomers are answered at the end of the input that brought the results. */
export class Admissions implements Owner {
  done: Admitted[] = [];
  failed: (readonly [EntryIntent, Sentence])[] = [];
  /** The pieces of the last commit whose newcomers share some, with its Welcome. */
  sealed: { readonly welcome: Bytes; readonly sealed: SealedPieces } | null = null;

  constructor(readonly rng: Rng) {}

  /** Answer the newcomer of `intent`; the Welcome, and the tree beside it, are for all whom the commit adds. */
  admitted(intent: EntryIntent, welcome: Bytes, tree: Bytes | null): void {
    this.done.push([intent, welcome, tree]);
  }

  /** Refuse the newcomer of `intent`. */
  notAdmitted(intent: EntryIntent, why: Sentence): void {
    this.failed.push([intent, why]);
  }

  /** Forget the results: they are of a membership or of a host role that has ended. */
  clear(): void {
    this.done = [];
    this.failed = [];
    this.sealed = null;
  }
}
