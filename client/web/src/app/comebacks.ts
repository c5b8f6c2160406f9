/** The meetings that this device keeps, and the way back to one of them. */
import { batch, type Signal, signal } from "@preact/signals";
import { Invite } from "../crypto/entry/invite";
import { SnugError } from "../crypto/errors";
import { type KeptMeeting, type KeptMeetings, keptId } from "../kept";
import type { ToWorker } from "../worker/messages";
import { type Sentence, sentence } from "../words/sentence";
import type { Model, Place } from "./model";
import type { PreJoin } from "./preJoin";

/** Milliseconds for which a page that is closed waits at most. */
const LINGER = 1000;
/** Milliseconds that the last message needs to leave the browser. */
const UNDER_WAY = 100;

/** What it needs of the store. */
export interface ComebackPlace {
  readonly preJoin: PreJoin;
  readonly place: Signal<Place>;
  readonly waiting: Signal<Model["waiting"]["value"]>;
  readonly own: () => boolean;
  /** Begin with the devices that were on, and with that wish. */
  begin(on: KeptMeeting, wish: ToWorker): void;
  post(message: ToWorker): void;
  toast(text: Sentence): void;
  /** Back to the start view, and from there to the form of that link. */
  again(): void;
  follow(link: string): void;
}

export class Comebacks {
  readonly #kept: KeptMeetings | null;
  readonly #at: ComebackPlace;
  /** The person wants nothing of the present meeting to be kept. */
  #forgotten = false;
  /** The meetings that can be entered again, the last one first; null: the browser keeps nothing. */
  readonly meetings: Signal<readonly KeptMeeting[] | null>;

  constructor(kept: KeptMeetings | null, at: ComebackPlace) {
    this.#kept = kept;
    this.#at = at;
    this.meetings = signal(kept && []);
    if (kept === null) at.place.subscribe((place) => place === "room" && at.toast(sentence("note.nothing_kept")));
  }

  /**
   * Return to the meeting of the link that the page was opened with, or after a reload to the last one, if this device
   * keeps it; return whether it does.
   */
  async returns(link: string | null, reloaded: boolean): Promise<boolean> {
    if (this.#kept === null) return false;
    const all = await this.#kept.list(Date.now() / 1000).catch(() => []);
    this.meetings.value = all;
    const wanted = link === null ? (reloaded ? all.slice(0, 1) : []) : all.filter((kept) => isOf(kept, link));
    for (const { id } of wanted) if (await this.comeBack(id, false)) return true;
    return false;
  }

  /** Come back to a kept meeting; `again`: open it again. Return whether no other tab is in it. */
  async comeBack(id: string, again: boolean): Promise<boolean> {
    const { preJoin, place, waiting } = this.#at;
    const kept = this.meetings.value?.find((meeting) => meeting.id === id);
    if (kept === undefined || !(await preJoin.returns(kept))) return false;
    const text = sentence("waiting.returning", { name: kept.name });
    batch(() => {
      waiting.value = { kind: "returning", text, since: Date.now() / 1000, back: kept };
      place.value = "waiting";
    });
    this.#at.begin(kept, { type: "comeBack", own: this.#at.own(), id, again: again || (kept.host && kept.alone) });
    return true;
  }

  /** Knock as somebody new, with the name that we had. */
  knock(): void {
    const { last } = this.#at.preJoin;
    if (last === null) return;
    if (this.#at.place.value === "waiting") this.#at.post({ type: "forget" });
    this.#at.again();
    this.#at.follow(last);
  }

  /** Forget a meeting on this device; null: the one that we are in. */
  async forget(id: string | null): Promise<void> {
    if (id === null) {
      this.#forgotten = true;
      this.#at.preJoin.entered.value = "";
      this.#at.post({ type: "forget" });
      this.#at.toast(sentence("note.forgotten"));
      return await forgetCopy();
    }
    const left = this.meetings.value?.filter((meeting) => meeting.id !== id) ?? [];
    this.meetings.value = left;
    await this.#kept?.forget(id);
    if (left.length === 0) await forgetCopy();
  }

  /** Whether this device may keep a copy of the page. */
  get keeps(): boolean {
    return !this.#forgotten;
  }

  /** The page is closed, or reloaded: tell the others, who expect us back if this device keeps the meeting. */
  hides(): void {
    if (this.#at.place.value !== "room") return;
    const sent = typeof SharedArrayBuffer === "undefined" ? null : new Int32Array(new SharedArrayBuffer(4));
    this.#at.post({ type: "farewell", away: this.#kept !== null && !this.#forgotten, sent });
    linger(sent);
  }

  /** Another meeting begins, or none. */
  clear(): void {
    this.#forgotten = false;
  }
}

/** Remove the copy of the page, and what serves it. */
async function forgetCopy(): Promise<void> {
  if (!("serviceWorker" in navigator)) return;
  await import("./device").then(({ forgetPage }) => forgetPage()).catch(() => undefined);
}

/**
 * Wait until the worker has sent its last message: the browser ends it with the page, also in the midst of sealing.
 *
 * In Firefox its socket needs this thread's event loop, which ends with the page: synchronous requests keep it for a
 * moment. Other browsers refuse such a request now, and don't need it.
 */
function linger(sent: Int32Array | null): void {
  let end = performance.now() + LINGER;
  let isSent = sent === null;
  let asks = true;
  while (performance.now() < end && (asks || sent !== null)) {
    if (!isSent && sent !== null && Atomics.load(sent, 0) === 1) {
      isSent = true;
      end = performance.now() + UNDER_WAY; // it has to go out
    }
    if (!asks) continue;
    try {
      const request = new XMLHttpRequest();
      request.open("GET", "where.json", false);
      request.send();
    } catch {
      asks = false; // no server, or another browser
    }
  }
}

function isOf({ id, founded }: KeptMeeting, link: string): boolean {
  try {
    return id === keptId(Invite.parse(link).secret, founded);
  } catch (error) {
    if (error instanceof SnugError) return false;
    throw error;
  }
}
