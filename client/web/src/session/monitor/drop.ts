/**
 * One period without the room: what is known of it, and whether it is the server's act.
 *
 * A sentence that states that the server keeps us out needs the server's own act: a refusal that no network, crowd or
 * clock causes an honest server to make, an end of the connection with a close frame, a room that it says it does not
 * have, or a word that contradicts another word of its own. Lost SYNs, stalls, resets and loss in one direction can
 * come from any network. If only those keep us out, while probes find the server, the sentence names both causes
 * (`STALLS`).
 */
import { type Bytes, same } from "../../crypto/bytes";
import type * as evidence from "../../crypto/proof/evidence";
import * as invite from "../../crypto/entry/invite";
import type { SigningKey } from "../../crypto/kdf";
import { OPEN_WAIT } from "../../wire/limits";

/**
 * Connections to the room that fail one after the other, between two probes that found the server, before a report that
 * names both possible causes. Where each connection fails with probability 1/4, by itself, all of them fail in less
 * than one of 1,000 drops.
 */
export const STALLS = 5;
/** Refusals that show that a server keeps us out: a notice of the server counts twice, a close frame once. */
export const REFUSALS = 2;
/**
 * Codes with which an honest server refuses or ends a connection because of the network, of strangers, of its own end,
 * or of what we have shown: they accuse nobody.
 */
export const EXCUSES: ReadonlySet<string> = new Set(
  "full permission time idle slow rate nodes stopping moved unopened pass password token spent".split(" "),
);
/** Seconds for somebody to open a room that the server says it does not have, before that is reported. */
export const ROOMLESS_WAIT = OPEN_WAIT + 2;
/** Seconds of absence after which a server may honestly have forgotten the room (30 s, less a margin). */
export const FORGOTTEN = 25;

/** What is known of a server without which we are; `sentences.dropped` tells it. */
type What = "serves" | "restarted" | "refuses" | "unprobed" | "contradicts" | "forgotten";

/** One probe under way. */
export interface ProbeRun {
  readonly began: number;
  readonly doorKey: SigningKey;
  readonly roomAdminKey: SigningKey;
  readonly chain: Bytes;
  serverKey: Bytes;
}

export const numberOf = (run: ProbeRun): Bytes => invite.roomNumber(run.doorKey.public, run.roomAdminKey.public);

/** One period without the room: the state when it began, and the findings since. */
export class Drop {
  /** As `at`, or when this machine woke up. */
  since: number;
  probes = 0;
  probedAt: number | null = null;
  run: ProbeRun | null = null;
  /** The last finished probe, or the first that is proven. */
  probe: evidence.Probe | null = null;
  /** Whether the server was there at the last probe. */
  answered = false;
  /** Whether the server itself refused the last probe. */
  probeRefused = false;
  /** Connections to the room that failed since a probe found the server, as all since. */
  failures = 0;
  /** Whether enough of them failed while it answered all probes. */
  stalls = false;
  /** Whether the server answered us with a refusal, whatever its excuse. */
  refused = false;
  /** How often the server itself did not let us back in. */
  refusals = 0;
  /** When the server first let us in, and said that it has no such room. */
  roomlessAt: number | null = null;
  /** Server keys (hex) whose challenge asks for no permission, and those that refused us with `permission`. */
  readonly openKeys: Set<string>;
  readonly permissionKeys = new Set<string>();
  /** When something was reported of which the evidence is kept. */
  toldAt: number | null = null;
  /** When it was reported that the server keeps us out. */
  accusedAt: number | null = null;
  toldAway = false;

  /**
   * `elsewhere`: the origin for a `Connect`, empty for the server of the link. `heardAt`: when the server was heard last
   * before. `excuse`: with what the server refused us. `openKey`: the server's, if anyone may open a room there.
   */
  constructor(
    readonly at: number,
    readonly beats: readonly evidence.SignedHeartbeat[],
    readonly receipts: readonly evidence.Receipt[],
    readonly serverKey: Bytes,
    readonly origin: string,
    readonly elsewhere: string,
    readonly heardAt: number,
    public excuse: "" | "full" | "permission",
    openKey: string,
  ) {
    this.since = at;
    this.openKeys = new Set(openKey ? [openKey] : []);
  }

  /** Begin anew after this machine has slept: the server was not asked, and our patience did not run. */
  wokeUp(now: number, slept: number): void {
    this.since = now;
    this.run = this.probe = this.probedAt = null;
    this.answered = false;
    this.failures = 0;
    if (this.accusedAt !== null) this.accusedAt += slept;
  }

  /** Whether the server with the lost room's key has signed the probe. */
  get proven(): boolean {
    const receipt = this.probe?.receipt ?? null;
    return receipt !== null && same(receipt.server_key, this.serverKey);
  }

  /** Whether one process wanted a permission, and said that anyone may open a room. */
  get contradicted(): boolean {
    return [...this.openKeys].some((key) => this.permissionKeys.has(key));
  }

  /** Whether we were away for so long that an honest server may no longer have had the room. */
  get isForgotten(): boolean {
    return this.roomlessAt !== null && this.roomlessAt - this.heardAt > FORGOTTEN;
  }

  /** Return whether the server itself keeps us out, by what it did and not by its silence. */
  isAct(now: number): boolean {
    const roomless = this.roomlessAt !== null && now - this.roomlessAt >= ROOMLESS_WAIT;
    return this.refusals >= REFUSALS || roomless || this.contradicted;
  }

  /**
   * Note the end of a probe; return whether it has found the server, as the one before did not.
   *
   * `answered`: the server was there; `refused`: it has refused the probe itself. The first probe that is proven stays: it
   * is the nearest to the drop.
   */
  probed(probe: evidence.Probe, answered: boolean, refused: boolean): boolean {
    const found = answered && !this.answered;
    if (!this.proven) [this.probe, this.probeRefused] = [probe, refused];
    if (found) this.failures = 0;
    this.stalls ||= answered && this.failures >= STALLS;
    this.answered = answered;
    this.run = null;
    return found;
  }

  /** What is to be said of a server that keeps us out itself. */
  get what(): What {
    if (this.contradicted) return "contradicts";
    const receipt = this.probe?.receipt ?? null;
    if (receipt === null) return this.probeRefused ? "refuses" : "unprobed";
    if (!same(receipt.server_key, this.serverKey)) return "restarted";
    return this.isForgotten ? "forgotten" : "serves";
  }
}
