/**
 * Reports: keep signed messages, in a meeting whose policy says so from its beginning (protocol section 13).
 *
 * Every member shows the host's signature for its own admission, and every member checks it. The others' messages are
 * kept as they were signed, within limits, so that single messages can be reported. In any other meeting this feature
 * does nothing.
 */
import { type Bytes, hex, same } from "../../crypto/bytes";
import { SnugError } from "../../crypto/errors";
import { NO_INVITE, signAdmission, verifyAdmission } from "../../crypto/proof/admission";
import type { ApplicationMessage } from "../../mls";
import { CommandError, sentence } from "../../words/sentence";
import { type Contents, Feature } from "../kernel/feature";
import { load } from "../kernel/load";
import {
  type Admitted,
  MESSAGE_ID_DIGITS,
  messageId,
  type Image,
  type Say,
} from "../catalogue/content";
import type { Change } from "../kernel/verdict";
import type { Room } from "../kernel/ports";
import type { Admission, Kept } from "./madeReport";
import * as sentences from "../catalogue/sentences";

/** Messages that are kept, and their total bytes: the oldest are dropped first. */
export const KEPT_MAX = 512;
export const KEPT_BYTES = 32 * 2 ** 20;
/** Admissions that are kept, including those of former members. */
export const ADMISSIONS_MAX = 4096;
/** Seconds between two members' admissions shown to a newcomer, as with announcements. */
export const STEP = 0.01;
/** Seconds within which an honest program shows its admission. */
export const PATIENCE = 10;

/** One membership's signatures for reports. `#admission` is ours, from the host; empty without one. */
export class Reporting extends Feature {
  readonly on: boolean;
  #told = false;
  #toldWithout = false;
  #admission: Bytes = new Uint8Array();
  #showAt: number | null = null;
  readonly #began: number;
  /** leaf -> when it came in */
  readonly #since = new Map<number, number>();
  /** By signature key (hex). */
  #admissions = new Map<string, Admission>();
  #kept = new Map<string, Kept>();
  #bytes = 0;
  /** Leaves that were reported for showing none. */
  readonly #suspect = new Set<number>();

  constructor(room: Room, now: number) {
    super(room);
    this.on = room.membership.policy.reports;
    this.#began = now;
  }

  override carryOver(old: Room): void {
    const before = old.feature(Reporting);
    this.#told = before.#told;
    this.#admissions = before.#admissions;
    this.#kept = before.#kept;
    this.#bytes = before.#bytes;
    if (this.#admission.length === 0) this.#admission = before.#admission; // the leaf's key is the same
  }

  // -- admissions ------------------------------------------------------------------------------------------

  /** Return the invite of a leaf according to the ledger; NO_INVITE for the meeting's opener. */
  inviteOf(leaf: number): number {
    return this.room.membership.ledger.inviteOf(leaf) ?? NO_INVITE;
  }

  /** As a host, return our signature (64 bytes) on the admission of a key; empty without reports. */
  async admissionFor(signatureKey: Bytes): Promise<Bytes> {
    const m = this.room.membership;
    // Reports name the key of the meeting's first links, whichever keys the hosts have now.
    const first = this.room.hostKeys?.seeds.find(({ hostPublic }) => same(hostPublic, m.policy.hostPublic));
    const member = m.group.members().find((x) => same(x.leafNode.signatureKey, signatureKey));
    if (!this.on || first === undefined || member === undefined) return new Uint8Array();
    return await signAdmission(first.hostKey, m.group.groupId, signatureKey, this.inviteOf(member.leaf));
  }

  /** Store our own admission from the host's answer, if it is valid. */
  async take(admission: Bytes): Promise<void> {
    const own = this.room.membership.ownLeaf;
    if (this.on && admission.length > 0 && (await this.#isRight(own, this.inviteOf(own), admission)))
      this.#admission = admission;
  }

  async #isRight(leaf: number, invite: number, admission: Bytes): Promise<boolean> {
    const m = this.room.membership;
    const key = m.signatureKey(leaf);
    if (key === null || invite !== this.inviteOf(leaf)) return false;
    try {
      await verifyAdmission(m.policy.hostPublic, m.group.groupId, key, invite, admission);
    } catch (error) {
      if (error instanceof SnugError) return false;
      throw error;
    }
    return true;
  }

  async #own(): Promise<Bytes> {
    const m = this.room.membership;
    const key = m.signatureKey(m.ownLeaf);
    // An opener or returned host signs for itself.
    if (this.#admission.length === 0 && key !== null && this.room.hostKeys !== null)
      this.#admission = await this.admissionFor(key);
    return this.#admission;
  }

  override synced(now: number): void {
    if (this.on) this.#showAt = now;
  }

  override adopted(change: Change, now: number): void {
    if (!this.on) return;
    for (const { leaf } of change.removed) {
      this.#since.delete(leaf);
      this.#suspect.delete(leaf);
    }
    for (const { leaf } of change.added) this.#since.set(leaf, now);
    if (change.added.length > 0) {
      const m = this.room.membership;
      const rank = m.members().findIndex(({ leaf }) => leaf === m.ownLeaf);
      this.#showAt = now + STEP * rank;
    }
  }

  override async tick(now: number): Promise<void> {
    if (!this.on) return;
    if (!this.#told) {
      this.#told = true;
      this.room.tell(sentences.status("reports"));
    }
    if (!this.#toldWithout && now - this.#began > PATIENCE && (await this.#own()).length === 0) {
      this.#toldWithout = true;
      this.room.tell(sentences.status("no_admission"));
    }
    if (this.#showAt === null || now < this.#showAt || !this.room.isSynced(now)) return;
    this.#showAt = null;
    const admission = await this.#own();
    if (admission.length > 0)
      await this.room.relay({ type: "admitted", invite: this.inviteOf(this.room.membership.ownLeaf), admission });
  }

  // -- messages --------------------------------------------------------------------------------------------

  override contents(): Contents {
    return { admitted: ({ sender }, what) => this.#admitted(sender, what) };
  }

  override overheard(): Contents {
    const keep = (received: ApplicationMessage, what: Say | Image, now: number): void => this.#keep(received, what, now);
    return this.on ? { say: keep, image: keep } : {};
  }

  async #admitted(leaf: number, what: Admitted): Promise<void> {
    if (!this.on) return;
    const key = this.room.membership.signatureKey(leaf);
    if (key === null || this.#admissions.has(hex(key))) return;
    if (!(await this.#isRight(leaf, what.invite, what.admission))) return;
    this.#admissions.set(hex(key), { invite: what.invite, admission: what.admission });
    for (const first of this.#admissions.keys()) {
      if (this.#admissions.size <= ADMISSIONS_MAX) break;
      this.#admissions.delete(first);
    }
  }

  #keep(received: ApplicationMessage, what: Say | Image, now: number): void {
    const m = this.room.membership;
    const leaf = received.sender;
    const key = m.signatureKey(leaf);
    if (key === null) return;
    const name = hex(messageId(what, key)).slice(0, MESSAGE_ID_DIGITS);
    if (!this.#kept.has(name)) {
      const { tbs, signature } = received;
      this.#kept.set(name, { signatureKey: key, name: m.name(leaf), tbs, signature });
      this.#bytes += tbs.length;
      for (const [first, old] of this.#kept) {
        if (this.#kept.size <= KEPT_MAX && this.#bytes <= KEPT_BYTES) break;
        this.#kept.delete(first);
        this.#bytes -= old.tbs.length;
      }
    }
    const late = now - Math.max(this.#began, this.#since.get(leaf) ?? 0) > PATIENCE;
    if (late && !this.#admissions.has(hex(key)) && !this.#suspect.has(leaf)) {
      this.#suspect.add(leaf);
      this.room.tell(sentences.alarm("unreportable", { name: m.name(leaf) }));
    }
  }

  /** Write a report of these messages; CommandError if that is impossible. */
  async save(names: readonly string[]): Promise<void> {
    this.room.perform({ type: "Save", what: "report", data: await this.make(names) });
  }

  /** Return the report file. CommandError if the meeting, or one of the messages, cannot be reported. */
  async make(names: readonly string[]): Promise<Bytes> {
    if (!this.on) throw new CommandError(sentence("cannot.report_off"));
    const { makeReport } = await load();
    return await makeReport(names, this.room.membership.policy.hostPublic, this.#kept, this.#admissions, KEPT_MAX);
  }
}
