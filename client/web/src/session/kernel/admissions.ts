/** The newcomers whom our commits have let in, and those whom no commit lets in; `answers.ts` answers them. */
import type { Bytes } from "../../crypto/bytes";
import type { Sentence } from "../../words/sentence";
import type { EntryIntent } from "./intents";
import type { Owner } from "./ports";

/** The `Owner` of a room: newcomers are answered at the end of the input that brought the results. */
export class Admissions implements Owner {
  done: (readonly [EntryIntent, Bytes])[] = [];
  failed: (readonly [EntryIntent, Sentence])[] = [];

  /** Answer the newcomer of `intent`; the Welcome is for all whom the commit adds. */
  admitted(intent: EntryIntent, welcome: Bytes): void {
    this.done.push([intent, welcome]);
  }

  /** Refuse the newcomer of `intent`. */
  notAdmitted(intent: EntryIntent, why: Sentence): void {
    this.failed.push([intent, why]);
  }

  /** Forget the results: they are of a membership or of a host role that has ended. */
  clear(): void {
    this.done = [];
    this.failed = [];
  }
}
