/** What was said and may have to be said again, and what has been seen already. */
import { type Bytes, hex, same } from "../crypto/bytes";
import { type Arg, sentence } from "../words/sentence";
import type { Posted } from "./content";

/** Seconds for which what was said is said again to a server that has restarted. */
export const RECENT = 120;
export const RECENT_MAX = 64;
export const SEEN_MAX = 4096;

/** One message of ours. `digest` is of the blob that is out, null: it has to be sent (again). */
export class Said {
  /** Its id: whoever has seen it knows it by this. */
  readonly what: Posted;
  readonly at: number;
  /** As it was sent last, and the slot at which the epoch of its keys began. */
  blob: Bytes = new Uint8Array();
  epochSlot = -1;
  digest: Bytes | null = null;
  /** The blob came back: this server, since it started, has had it. */
  confirmed = false;
  /** It came back from a server that has restarted since: some may have had it. */
  shown = false;

  constructor(what: Posted, at: number) {
    this.what = what;
    this.at = at;
  }

  /** What a person knows it by. */
  get text(): Arg {
    if (this.what.type === "say") return this.what.text;
    return sentence(this.what.type === "picture" ? "room.a_picture" : "room.a_file");
  }
}

/**
 * Our messages, until all can have them.
 *
 * A message is sent again while its blob has not come back on a connection that is gone; and for two
 * minutes longer when the server has restarted, for it may have reached some. What never came back is
 * sealed anew in a new epoch, with the same id. What came back once is sent as the same blob, while its
 * epoch's keys still serve: who has had it drops it, and who came in later can't read it.
 */
export class Outbox {
  #said: Said[] = [];

  /** Another message. */
  add(said: Said): void {
    this.#said.push(said);
  }

  /** Those to be sent now; set `digest` when it is done. */
  unsent(): Said[] {
    return this.#said.filter((said) => said.digest === null);
  }

  /** A blob of ours has come back from the server. */
  cameBack(digest: Bytes, now: number): void {
    for (const said of this.#said)
      if (said.digest !== null && same(said.digest, digest)) said.confirmed = true;
    this.#said = this.#said.filter((said) => !said.confirmed || now - said.at < RECENT);
    while (this.#said.length > RECENT_MAX && this.#said[0]?.confirmed) this.#said.shift();
  }

  /** The connection was another's: what has not come back is sent again; or all that is recent. */
  again(allRecent = false): void {
    for (const said of this.#said) {
      if (allRecent) {
        said.shown ||= said.confirmed;
        said.confirmed = false;
      }
      if (!said.confirmed) said.digest = null;
    }
  }

  /** What a new membership has to say for the old one. */
  afterRejoin(): Outbox {
    const box = new Outbox();
    for (const said of this.#said) if (!said.confirmed && !said.shown) box.add(new Said(said.what, said.at));
    return box;
  }
}

/** A bounded memory of digests. */
export class Seen {
  readonly #seen = new Set<string>();

  /** Remember; the oldest is forgotten beyond SEEN_MAX. */
  add(digest: Bytes): void {
    this.#seen.add(hex(digest));
    if (this.#seen.size > SEEN_MAX) for (const oldest of this.#seen) return void this.#seen.delete(oldest);
  }

  has(digest: Bytes): boolean {
    return this.#seen.has(hex(digest));
  }
}
