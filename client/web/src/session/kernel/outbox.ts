/** Own messages that may have to be resent, and a memory of seen messages. */
import { type Bytes, hex, same } from "../../crypto/bytes";
import { type Sentence, sentence } from "../../words/sentence";
import type { Posted } from "../catalogue/content";

/** Seconds for which a message is resent to a restarted server. */
export const RECENT = 120;
export const RECENT_MAX = 64;
/** Seconds after which others are told of a word that is still to be resent. */
export const UNSETTLED = 60;
export const SEEN_MAX = 4096;

/** One message of ours. `digest` is H of the blob that is out; null: it has to be sent (again). */
export class OutgoingMessage {
  /** Receivers recognise the message by its id. */
  what: Posted;
  /** As it was sent last, and the slot at which the epoch of its keys began. */
  blob: Bytes = new Uint8Array();
  epochSlot = -1;
  digest: Bytes | null = null;
  /** The blob came back: this server, since its start, has had it. */
  confirmed = false;
  /** It came back from a server that has restarted since: some members may have it. */
  shown = false;
  /** Its author has decided that it goes out, whoever reads it. */
  released = false;
  /** It waits since then, and why. */
  heldSince: number | null = null;
  why: Sentence | null = null;
  /** The signature keys (hex) of the members when it was written: nobody else reads it. */
  audience: ReadonlySet<string>;

  constructor(what: Posted, readonly at: number, audience: ReadonlySet<string>) {
    this.what = what;
    this.audience = audience;
  }

  /** The text by which a person recognises it. */
  get text(): string | Sentence {
    if (this.what.type === "say") return this.what.text;
    return sentence(this.what.type === "image" ? "room.an_image" : "room.a_file");
  }
}

/**
 * Our messages, kept until all members can have them.
 *
 * A message whose blob has not come back is resent on the next connection. After a restart of the server, messages of
 * the last two minutes are resent too, because only some members may have them. In a new epoch, a message that never
 * came back is sealed anew with the same id, if all members of that epoch were members when it was written. A message
 * that came back once is resent as the same blob while its epoch's keys are kept: receivers drop duplicates, and later
 * members cannot read it.
 */
export class Outbox {
  #messages: OutgoingMessage[] = [];

  /** Add a message. */
  add(message: OutgoingMessage): void {
    this.#messages.push(message);
  }

  /** Return the messages to send now; the caller sets `digest` when one is sent. */
  unsent(): OutgoingMessage[] {
    return this.#messages.filter((message) => message.digest === null);
  }

  /** Forget these messages. */
  discard(messages: readonly OutgoingMessage[]): void {
    this.#messages = this.#messages.filter((message) => !messages.includes(message));
  }

  /** Record that the server has relayed a blob of ours. */
  cameBack(digest: Bytes, now: number): void {
    for (const message of this.#messages)
      if (message.digest !== null && same(message.digest, digest)) message.confirmed = true;
    this.#messages = this.#messages.filter((message) => !message.confirmed || now - message.at < RECENT);
    while (this.#messages.length > RECENT_MAX && this.#messages[0]?.confirmed) this.#messages.shift();
  }

  /** On a new connection, resend unconfirmed messages, and all recent ones of that slot's epoch or later. */
  markForResending(since: number | null = null): void {
    for (const message of this.#messages) {
      if (since !== null && message.epochSlot >= since) {
        message.shown ||= message.confirmed;
        message.confirmed = false;
      }
      if (!message.confirmed) message.digest = null;
    }
  }

  /**
   * Return the lowest number of a word that has been sealed, and may still be resent; null: none is.
   *
   * A word that has waited for a minute counts as settled, so that nobody is left untold of later ones.
   */
  unsettled(now: number): number | null {
    const waiting = this.#messages.filter((each) => !each.confirmed && !each.shown && now - each.at < UNSETTLED);
    const numbers = waiting.map(({ what }) => what.number).filter((number) => number > 0);
    return numbers.length > 0 ? Math.min(...numbers) : null;
  }

  /** The member with the signature key `before` (hex) goes on under `key`: what it may read is the same. */
  sameMember(before: string, key: string): void {
    for (const message of this.#messages)
      if (message.audience.has(before)) message.audience = new Set([...message.audience, key]);
  }

  /** Return the messages that a new membership has to send for the old one. */
  afterRejoin(): Outbox {
    const box = new Outbox();
    for (const message of this.#messages) {
      if (message.confirmed || message.shown) continue;
      const again = new OutgoingMessage(message.what, message.at, message.audience);
      again.released = message.released;
      box.add(again);
    }
    return box;
  }
}

/** A bounded memory of digests. */
export class SeenDigests {
  readonly #seen = new Set<string>();

  /** Add a digest; beyond SEEN_MAX the oldest is forgotten. */
  add(digest: Bytes): void {
    this.#seen.add(hex(digest));
    if (this.#seen.size > SEEN_MAX) for (const oldest of this.#seen) return void this.#seen.delete(oldest);
  }

  has(digest: Bytes): boolean {
    return this.#seen.has(hex(digest));
  }
}
