/**
 * The first contact with the server. Until it has taken us in, or opened our room, nothing has happened yet.
 *
 * A session that gets no such contact ends, with the last cause. Later, the meeting waits for its server.
 */
import type { Refused } from "../../wire/messages";
import { type Sentence, sentence, verbatim } from "../../words/sentence";
import type { Ended } from "../events";

/** Seconds for the first contact. */
export const CONTACT_TIME = 10;
/** Codes of refusals for want of a place. */
const FULL: ReadonlySet<string> = new Set(["full", "rate"]);
/** Characters shown of a text that is the server's own. */
const SHOWN = 120;

/** One session's way to its server, until the server has let it in. */
export class FirstContact {
  readonly #origin: string;
  readonly #began: number;
  /** Whether the server has let us in: into a lobby, or into a room that is open. */
  made = false;
  #refused: Sentence | null = null;
  #why = sentence("shell.no_answer");

  constructor(origin: string, now: number) {
    this.#origin = origin;
    this.#began = now;
  }

  /** Take note of a connection that broke or could not be made; return the cause to tell. */
  lost(why: Sentence): Sentence {
    if (this.#refused === null) this.#why = why;
    return this.#why;
  }

  /** Take note that the server has sent us away. */
  refused({ code, text }: Refused): void {
    this.#why = verbatim(text.slice(0, SHOWN));
    const args = { origin: this.#origin, why: this.#why };
    this.#refused = FULL.has(code) ? sentence("contact.full", args) : sentence("contact.refused", args);
  }

  /** Return the end of a session that has had no contact for too long. */
  overdue(now: number): Ended | null {
    if (this.made || now - this.#began <= CONTACT_TIME) return null;
    if (this.#refused !== null) return { type: "Ended", reason: "unserved", text: this.#refused };
    const text = sentence("contact.none", { origin: this.#origin, why: this.#why });
    return { type: "Ended", reason: "failed", text };
  }

  /** Return the end of a session whose participant leaves before. */
  left(): Ended {
    return { type: "Ended", reason: "left", text: sentence("contact.left", { origin: this.#origin, why: this.#why }) };
  }
}
