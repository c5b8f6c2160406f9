/**
 * Whether all words have arrived: numbers of our own words, and gaps in the others'.
 *
 * Protocol section 7. Each program numbers the words (messages, images, files) that it seals; a heartbeat signs how
 * many there are. So a receiver learns what went by while it was elsewhere, whatever a server keeps or forgets.
 */
import { hex } from "../../crypto/bytes";
import { sentence } from "../../words/sentence";
import type { Posted } from "../catalogue/content";
import * as sentences from "../catalogue/sentences";
import type { Room } from "./ports";

/**
 * A program's numbers begin after RUN times the slot with which it first came in: those of a later program of the same
 * member are higher.
 */
export const RUN = 2 ** 20;
/** Seconds in step for which a receiver waits for a word that its author has counted. */
export const GRACE = 8;
/** The same for words of other authors that the same report can name. */
export const SOON = 3;
/** Minimum seconds between two reports of one author's words: a false count costs little. */
export const AGAIN = 60;
/** Words of one author that one report counts at most, and numbers that are remembered beyond a gap. */
export const COUNTED_MAX = 1000;

const runOf = (number: number): number => number - (number % RUN);

/** One author's words. All numbers up to `settled` have arrived, were reported, or were not for us. */
class Author {
  stated: number;
  /** Numbers above `settled` that have arrived. */
  beyond = new Set<number>();
  /** Missing words below `settled`, not reported yet. */
  owed = 0;
  /** From when on we were in step and something was missing. */
  missingSince: number | null = null;
  toldAt: number | null = null;

  constructor(public settled: number) {
    this.stated = settled;
  }

  /** How many words are missing now. */
  get missing(): number {
    let arrived = 0;
    for (const number of this.beyond) if (number <= this.stated) arrived++;
    return Math.min(this.owed + Math.max(0, this.stated - this.settled - arrived), COUNTED_MAX);
  }

  /** Take all numbers up to `to` as settled, and those that follow and have arrived. */
  advance(to: number): void {
    this.settled = Math.max(this.settled, to);
    while (this.beyond.has(this.settled + 1)) this.settled++;
    for (const number of this.beyond) if (number <= this.settled) this.beyond.delete(number);
  }

  /** Return how many words are missing; they are reported with that. */
  report(now: number): number {
    const { missing } = this;
    this.owed = 0;
    this.toldAt = now;
    this.missingSince = null;
    this.advance(this.stated);
    return missing;
  }

  /** Another program of the author begins after the number `run`; the last one's words are owed. */
  beginAnew(run: number): void {
    this.owed = this.missing;
    this.settled = this.stated = run;
    this.beyond = new Set();
  }
}

/** One program's numbers, and its view of those of the other members. */
export class Words {
  readonly #room: Room;
  #first: number;
  #last: number;
  /** By signature key (hex). */
  #authors = new Map<string, Author>();

  constructor(room: Room) {
    this.#room = room;
    this.#first = this.#last = RUN * room.membership.journal.slot;
  }

  /** Take over from the membership before a rejoin: the numbers go on. */
  carryOver(old: Words): void {
    this.#first = old.#first;
    this.#last = old.#last;
    this.#authors = old.#authors;
  }

  // -- our words ------------------------------------------------------------------------------------------

  /** Return a word of ours with its number: the next one, unless it has been sealed before. */
  numbered(what: Posted): Posted {
    if (what.number) return what;
    this.#last++;
    return { ...what, number: this.#last };
  }

  /** Return the number that a heartbeat signs; `unsettled`: the first that may still be resent. */
  said(unsettled: number | null): number {
    return unsettled === null ? this.#last : unsettled - 1;
  }

  // -- the others' words ----------------------------------------------------------------------------------

  /** A word of the member at `leaf` has arrived. */
  heard(leaf: number, number: number): void {
    const author = number === 0 ? null : this.#author(leaf, number, number - 1);
    if (author === null || number <= author.settled) return;
    author.beyond.add(number);
    author.advance(author.settled);
    if (author.beyond.size > COUNTED_MAX) {
      const first = Math.min(...author.beyond);
      author.owed = Math.min(author.owed + first - 1 - author.settled, COUNTED_MAX);
      author.advance(first);
    }
  }

  /** The member at `leaf` has signed that its words go up to that number. */
  stated(leaf: number, number: number): void {
    const author = this.#author(leaf, number, number);
    if (author !== null) author.stated = Math.max(author.stated, number);
  }

  /**
   * Return what is known of an author; null for numbers of a program before its present one.
   *
   * `before`: the last number that is not for us, if nothing is known yet and it was here before us.
   */
  #author(leaf: number, number: number, before: number): Author | null {
    const key = this.#room.membership.signatureKey(leaf);
    if (key === null) return null;
    const run = runOf(number);
    let author = this.#authors.get(hex(key));
    if (author === undefined) {
      author = new Author(run >= this.#first ? run : before);
      this.#authors.set(hex(key), author);
    } else if (runOf(author.settled) < run) author.beginAnew(run);
    return number >= runOf(author.settled) ? author : null;
  }

  /** Report words that are missing for some seconds; only in step and caught up. */
  tellMissed(now: number): void {
    /** Key (hex) -> seconds for which words are missing. */
    const late = new Map<string, number>();
    for (const [key, author] of this.#authors) {
      if (author.missing === 0) author.missingSince = null;
      else if (author.missingSince === null) author.missingSince = now;
      else if (author.toldAt === null || now - author.toldAt >= AGAIN) late.set(key, now - author.missingSince);
    }
    if (Math.max(0, ...late.values()) >= GRACE) this.#report(late, now);
  }

  /** Report the missing words of authors who are here, if one has been waited for long enough. */
  #report(late: ReadonlyMap<string, number>, now: number): void {
    const { membership: m } = this.#room;
    const here = m.members().flatMap(({ leaf, name }) => {
      const key = hex(m.signatureKey(leaf) ?? new Uint8Array());
      const [author, waited] = [this.#authors.get(key), late.get(key)];
      return author === undefined || waited === undefined ? [] : [{ name, author, waited }];
    });
    if (!here.some(({ waited }) => waited >= GRACE)) return;
    const due = here.filter(({ waited }) => waited >= SOON);
    const counts = due.map(({ name, author }) => ({ whose: name, count: author.report(now) }));
    const who = counts.map((each) => sentence("room.so_many_of", each));
    const count = counts.reduce((sum, each) => sum + each.count, 0);
    this.#room.tell(sentences.alarm("missed.words", { count, who }));
  }

  /** Begin the wait for missing words anew: we are not in step. */
  wait(): void {
    for (const author of this.#authors.values()) author.missingSince = null;
  }
}
