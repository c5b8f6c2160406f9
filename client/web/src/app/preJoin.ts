/** The way into a meeting: the link that the person follows, and the form before the room. */
import { batch, computed, signal } from "@preact/signals";
import { SnugError } from "../crypto/errors";
import { Invite } from "../crypto/entry/invite";
import { checkName } from "../crypto/agreed/names";
import type { KeptMeeting } from "../kept";
import type { HostWish, ToWorker } from "../worker/messages";
import { type Sentence, sentence } from "../words/sentence";
import { addresses } from "./addresses";
import type { Where } from "./model";
import { heldTab, misnamed, reaches } from "./where";

export class PreJoin {
  readonly going = signal<{ readonly as: "host" | "guest"; readonly origin: string } | null>(null);
  readonly name = signal("");
  /** The name with which the person entered last, and whether the next visit begins with it. */
  readonly entered = signal("");
  readonly remember = signal(true);
  readonly title = signal("");
  readonly greeting = signal("");
  readonly admission = signal<"ask" | "all">("ask");
  /** Where a new meeting can continue, as the person types it. */
  readonly servers = signal("");
  readonly mirror = signal(false);
  /** Whether the new meeting keeps signatures for reports. */
  readonly reports = signal(false);
  /** Whether 16 microphones are forwarded in it when it is large. */
  readonly sixteen = signal(false);
  readonly strict = signal(false);
  readonly linkTrouble = signal<Sentence | null>(null);
  readonly #tried = signal(false);
  readonly nameTrouble = computed(() => (this.#tried.value || this.name.value !== "" ? nameTrouble(this.name.value) : null));
  readonly opening = signal(false);
  /** The link that the person follows; null: none, or a new room. */
  link: string | null = null;
  /** The link of the meeting that the person was in last. */
  last: string | null = null;

  /** Forget the goal. */
  clear(): void {
    this.going.value = null;
    this.linkTrouble.value = null;
  }

  /** Head for a new room on the page's own server; return whether there is one. */
  openRoom({ origin }: Where): boolean {
    if (origin === null) {
      this.linkTrouble.value = sentence("note.no_server");
      return false;
    }
    this.link = null;
    this.#goal("host", origin);
    return true;
  }

  /** Head for the room of a link; return whether the page reaches any of its servers. */
  follow(link: string, where: Where): boolean {
    let invite: Invite;
    try {
      invite = Invite.parse(link);
    } catch (error) {
      if (!(error instanceof SnugError)) throw error;
      this.linkTrouble.value = error.sentence;
      return false;
    }
    const origins = [invite.origin, ...invite.servers];
    // After a move the meeting is at one of the further servers, and people still have the link of before.
    const reached = origins.find((origin) => reaches(where, origin));
    if (reached === undefined) {
      const trouble = origins.map((origin) => misnamed(where, origin)).find((each) => each !== null);
      this.linkTrouble.value = trouble ?? sentence("note.other_server", { origin: invite.origin });
      return false;
    }
    this.link = this.last = link;
    this.#goal("guest", reached);
    return true;
  }

  /** Head back to a kept meeting; return whether no other tab is in it. */
  async returns({ link, origin, name, host, founded }: KeptMeeting): Promise<boolean> {
    if (!(await heldTab(link, founded))) return false;
    this.link = this.last = link;
    this.name.value = name;
    this.#goal(host ? "host" : "guest", origin);
    return true;
  }

  /** We have opened the meeting of that link: no other tab is to be in it. */
  async opened(link: string): Promise<void> {
    if (this.link !== null) return;
    this.link = this.last = link;
    await heldTab(link, true);
  }

  #goal(as: "host" | "guest", origin: string): void {
    batch(() => {
      this.going.value = { as, origin };
      this.linkTrouble.value = null;
    });
  }

  /** Begin to enter; return the goal, or null if the form is not complete or was sent already. */
  begin(): { readonly origin: string } | null {
    const going = this.going.value;
    this.#tried.value = true;
    if (going === null || this.opening.value || nameTrouble(this.name.value) !== null) return null;
    this.opening.value = true;
    this.entered.value = normal(this.name.value);
    return going;
  }

  /** Return whether this tab is the only one in the meeting of the link, and stays so. */
  async holdTab(): Promise<boolean> {
    return this.link === null || (await heldTab(this.link, false));
  }

  /** Return the worker's first message: what the person wants. */
  wish(origin: string, name: string, own: boolean, showIdentity: boolean, means: Pick<HostWish, "password" | "tokens">): ToWorker {
    const title = this.title.value.trim();
    const [admission, servers] = [this.admission.value, addresses(this.servers.value)];
    const mirror = this.mirror.value && servers.length > 0;
    const [reports, sixteen, strict] = [this.reports.value, this.sixteen.value, this.strict.value];
    return this.link === null
      ? { type: "host", own, origin, servers, name, title, admission, mirror, reports, sixteen, strict, ...means }
      : { type: "join", own, link: this.link, name, greeting: this.greeting.value.trim(), showIdentity };
  }
}

/** Return the name as it is signed: NFC, without spaces around it. */
export const normal = (name: string): string => name.trim().normalize("NFC");

function nameTrouble(name: string): Sentence | null {
  try {
    checkName(normal(name));
    return null;
  } catch (error) {
    if (error instanceof SnugError) return error.sentence;
    throw error;
  }
}
