/**
 * Our leaf's rejoin keys: those that the others' tree may have at our leaf, so that a ticket of ours is good.
 *
 * Protocol section 5. A ticket to rejoin counts if the leaf's key in the tree has signed it. The server may keep from
 * us that a commit of ours was taken, or that a ticket was carried out: then we do not know that key. It can also crash
 * when it has given our commit to us alone: then the others have our key of before.
 * `docs/model/rejoin.pml` is the model of these rules.
 */
import { type Bytes, hex, same } from "../../crypto/bytes";
import { StateError } from "../../crypto/errors";
import { SigningKey } from "../../crypto/kdf";
import { TICKET_SIGNATURES_MAX } from "../../crypto/agreed/roomState";

/**
 * Commits, and stays in the lobby, whose rejoin keys are kept. They sign a ticket, as do the leaf's own key and the one
 * before it.
 */
export const COMMITS_OUT_MAX = 2;
export const REQUESTS_MAX = TICKET_SIGNATURES_MAX - 2 - COMMITS_OUT_MAX;

/** A commit of ours that may have been taken. */
export interface CommitOut {
  /** The key that it brings. */
  readonly rejoinKey: SigningKey;
  /** hex of the public rejoin keys of requests whose tickets were all made before it. */
  readonly ends: Set<string>;
  /** A ticket is signed with its key. */
  signed: boolean;
}

/** One membership's keys. */
export class RejoinKeys {
  readonly #enteredWith: Bytes;
  #own: SigningKey;
  /** The one that our leaf had before our last commit, which perhaps nobody else has received. */
  #before: SigningKey | null = null;
  /** Our commits of this epoch: each may have been taken unseen. */
  #out: readonly CommitOut[] = [];
  /** The new rejoin keys that our tickets ask for, one for each stay in the lobby, while they count. */
  #requests: readonly SigningKey[] = [];

  /** `own` is the rejoin key of our leaf as we came in. */
  constructor(own: SigningKey) {
    this.#enteredWith = own.public;
    this.#own = own;
  }

  /** Return the keys that a device has kept: `all()`, the last `requests` of which tickets ask for. */
  static restored(keys: readonly SigningKey[], requests: number): RejoinKeys {
    const [own, ...others] = keys.slice(0, keys.length - requests);
    if (own === undefined) throw new StateError("the leaf's own rejoin key is missing");
    const known = new RejoinKeys(own);
    known.#before = others[0] ?? null;
    known.#out = others.slice(1).map((rejoinKey) => ({ rejoinKey, ends: new Set(), signed: true }));
    known.#requests = keys.slice(keys.length - requests);
    return known;
  }

  /** How many of `all()`, at its end, tickets ask for. */
  get requestCount(): number {
    return this.#requests.length;
  }

  /** Return the keys that our leaf may have in the others' tree: at most TICKET_SIGNATURES_MAX. */
  all(): SigningKey[] {
    const before = this.#before === null ? [] : [this.#before];
    return [this.#own, ...before, ...this.#out.map(({ rejoinKey }) => rejoinKey), ...this.#requests];
  }

  // -- tickets --------------------------------------------------------------------------------------------

  /**
   * Begin a stay in the lobby to be let in again: its tickets ask for a rejoin key of their own.
   *
   * If all stays asked for the same key, a thief that has copied it could take our leaf by an old ticket.
   */
  async beginRequest(): Promise<void> {
    const key = await SigningKey.fresh();
    this.#requests = [...this.#requests, key].slice(-REQUESTS_MAX);
  }

  /**
   * Return the rejoin key that tickets of the present stay in the lobby ask for. A commit of ours that was taken
   * meanwhile has ended it: then another stay begins.
   */
  async request(): Promise<SigningKey> {
    for (;;) {
      const last = this.#requests.at(-1);
      if (last !== undefined) return last;
      await this.beginRequest();
    }
  }

  /** Return the keys that sign a ticket of this stay: the commits that are out do not end it. */
  async ticketSigners(): Promise<SigningKey[]> {
    const asked = hex((await this.request()).public);
    for (const commit of this.#out) {
      commit.ends.delete(asked);
      commit.signed = true;
    }
    return this.all();
  }

  /** Whether a ticket of ours still counts: no commit that we sent after it was taken. */
  get hasRequests(): boolean {
    return this.#requests.length > 0;
  }

  /** Return the rejoin key with that public half that a ticket of ours asks for; null if none does. */
  requested(publicKey: Bytes): SigningKey | null {
    return this.#requests.find((key) => same(key.public, publicKey)) ?? null;
  }

  /** Return whether a ticket of ours asks for that rejoin key, from before we came in too. */
  isOwnRequest(publicKey: Bytes): boolean {
    return same(publicKey, this.#enteredWith) || this.requested(publicKey) !== null;
  }

  /** Take over the requests from before a rejoin: they still count. */
  carryOver(old: RejoinKeys): void {
    this.#requests = old.#requests.filter((key) => !same(key.public, this.#enteredWith));
  }

  // -- commits --------------------------------------------------------------------------------------------

  /**
   * Return the key that a commit brings, and what it ends; `sent` remembers it.
   *
   * A commit ends the tickets before it only if none of them is signed with its key.
   */
  async forCommit(): Promise<CommitOut> {
    const last = this.#out.at(-1);
    if (last?.signed === false) return last;
    const rejoinKey = await SigningKey.fresh();
    return { rejoinKey, ends: new Set(this.#requests.map((key) => hex(key.public))), signed: false };
  }

  /** Remember a commit: from now on it may be taken. */
  sent(commit: CommitOut): void {
    if (!this.#out.includes(commit)) this.#out = [...this.#out, commit].slice(-COMMITS_OUT_MAX);
  }

  /** A commit of this epoch was adopted: ours, which brings that rejoin key, or (null) another's. */
  taken(publicKey: Bytes | null): void {
    const ours = this.#out.find(({ rejoinKey }) => publicKey !== null && same(rejoinKey.public, publicKey));
    if (ours !== undefined) {
      [this.#before, this.#own] = [this.#own, ours.rejoinKey];
      this.#requests = this.#requests.filter((key) => !ours.ends.has(hex(key.public)));
    }
    this.#out = [];
  }
}
