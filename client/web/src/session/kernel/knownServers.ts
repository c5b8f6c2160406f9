/**
 * The servers to which our person's page may connect: those of the link, and those that the person allows.
 *
 * Hosts name further servers during a meeting, and a server sees who connects to it. So the person is asked first. One
 * object serves a participant for as long as it lives, through rejoins.
 */
import { type Bytes, hex } from "../../crypto/bytes";
import { Invite } from "../../crypto/entry/invite";
import { SERVERS_MAX } from "../../wire/layouts/roomState";
import { type Objection, objection } from "../addresses";
import type { Options } from "../options";

/**
 * Servers about which one host may have our person asked in a meeting, as many as one sentence names; and all those
 * together of which we don't know who has named them.
 */
export const QUESTIONS_MAX = 6;

/** A new list of servers, as our person has to be told of it. */
export interface Questions {
  /** Servers to ask about. */
  readonly asked: readonly string[];
  /** Servers beyond the host's questions, if that is to be told. */
  readonly passed: readonly string[];
  /** Servers that were asked about, and are not listed any more. */
  readonly withdrawn: readonly string[];
}

/** The person's servers, and the questions that are open. */
export class KnownServers {
  readonly first: string;
  readonly #any: boolean;
  /** Beside the first: those of the link, and those that the person has allowed or named, the newest last. */
  #known: readonly string[];
  #asked: readonly string[] = [];
  /** By the signature key (hex) of the host. */
  readonly #questions = new Map<string, number>();

  /** `link`: the link by which the person came, or that of a meeting which the person opens. */
  constructor(link: Invite, { servers }: Options) {
    this.first = link.origin;
    this.#known = link.servers;
    this.#any = servers === "any";
  }

  /** Return why this meeting leads nobody to that server (`addresses.objection`). */
  objection(origin: string): Objection | null {
    return objection(this.first, origin);
  }

  /** Return whether our page goes to that server. */
  readonly leads = (origin: string): boolean => this.objection(origin) === null && this.#isKnown(origin);

  /** Return those of the origins to which our page goes. */
  led(origins: readonly string[]): string[] {
    return origins.filter(this.leads);
  }

  #isKnown(origin: string): boolean {
    return this.#any || origin === this.first || this.#known.includes(origin);
  }

  /** Our person has named these servers. */
  allow(origins: readonly string[]): void {
    const named = [...new Set(origins)].filter((each) => each !== this.first).sort();
    this.#known = [...this.#known.filter((each) => !named.includes(each)), ...named];
    this.#asked = this.#asked.filter((each) => !named.includes(each));
  }

  /** Take note of the meeting's list. `by`: the signature key of its author; empty: unknown. */
  listed(origins: readonly string[], by: Bytes): Questions {
    const withdrawn = this.#asked.filter((each) => !origins.includes(each));
    this.#asked = this.#asked.filter((each) => origins.includes(each));
    const isNew = (each: string): boolean => !this.#asked.includes(each) && !this.#isKnown(each) && this.objection(each) === null;
    const fresh = origins.filter(isNew);
    const before = this.#questions.get(hex(by)) ?? 0;
    const left = Math.max(0, QUESTIONS_MAX - before);
    this.#questions.set(hex(by), before + fresh.length);
    const asked = fresh.slice(0, left);
    this.#asked = [...this.#asked, ...asked];
    return { asked, passed: before <= QUESTIONS_MAX ? fresh.slice(left) : [], withdrawn };
  }

  /** Return the link with the servers that our person knows: to these, its page may come back. */
  kept({ origin, secret, hostPublic, index, token }: Invite): Invite {
    return new Invite(origin, secret, hostPublic, index, token, this.#known.slice(-SERVERS_MAX));
  }
}
