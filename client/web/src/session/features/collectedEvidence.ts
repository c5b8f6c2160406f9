/** All members' exhibits of a server that the meeting has left, in a file for hosts (protocol section 13). */
import { type Bytes, hex, same } from "../../crypto/bytes";
import { SnugError } from "../../crypto/errors";
import { H } from "../../crypto/kdf";
import * as evidence from "../../crypto/proof/evidence";
import type { ShortExhibit } from "../../wire/content";
import { type Sentence, sentence } from "../../words/sentence";
import * as sentences from "../catalogue/sentences";
import { type Contents, Feature } from "../kernel/feature";
import type { Room } from "../kernel/ports";
import type { Change } from "../kernel/verdict";
import type { Drop } from "../monitor/drop";
import { Dropped } from "../monitor/dropped";

/** Seconds without a further exhibit before the file is offered, and written if the options ask for it. */
export const QUIET = 3;
/** Seconds by which the times in another member's exhibit may differ from each other, and from ours. */
export const CLOCKS = 3600;

/**
 * Sends our short exhibit of a drop, keeps one of each other member, and offers the file to hosts.
 *
 * Nothing depends on the others' exhibits. Those that do not verify are dropped without a word.
 */
export class CollectedEvidence extends Feature {
  /** The last drop, as of the last tick. */
  #last: Drop | null = null;
  /** The same, if we went on at another server. */
  #about: Drop | null = null;
  /** H(blob) of our exhibit; null: not sent. */
  #digest: Bytes | null = null;
  #arrived = false;
  /** The incarnation of the room in which we are. */
  #where: Bytes | null = null;
  /** The last one of each member, by leaf key (hex): it may be about a drop that we have not reported yet. */
  #said = new Map<string, { readonly key: Bytes; readonly what: ShortExhibit }>();
  /** Verified, about `#about`. */
  #others = new Map<string, evidence.Exhibit>();
  #newsAt: number | null = null;
  #offered = false;

  override carryOver(old: Room): void {
    const before = old.feature(CollectedEvidence);
    this.#last = before.#last;
    this.#about = before.#about;
    this.#digest = before.#digest;
    this.#arrived = before.#arrived;
    this.#said = before.#said;
    this.#others = before.#others;
    this.#newsAt = before.#newsAt;
    this.#offered = before.#offered;
  }

  // -- hooks -----------------------------------------------------------------------------------------------

  /** Send our exhibit in each room: a host that we have followed was not in the last one. */
  override synced(_now: number): void {
    const { incarnation } = this.room;
    if (incarnation === null || (this.#where !== null && same(incarnation, this.#where))) return;
    this.#where = incarnation;
    this.#digest = null;
    this.#arrived = false;
  }

  override async tick(now: number): Promise<void> {
    const { last } = this.room.feature(Dropped);
    if (last !== this.#last) {
      this.#last = last;
      this.#about = last !== null && last.origin !== this.room.here.origin ? last : null;
      this.#others = new Map();
      this.#digest = null;
      this.#arrived = this.#offered = false;
      this.#newsAt = null;
      for (const { key, what } of this.#said.values()) await this.#check(key, what, now);
    }
    if (this.#about === null) return;
    await this.#send(this.#about, now);
    await this.#offer(now);
  }

  override contents(): Contents {
    return { exhibit: ({ sender }, what, now) => this.#heard(sender, what, now) };
  }

  async #heard(leaf: number, what: ShortExhibit, now: number): Promise<void> {
    const key = this.room.membership.signatureKey(leaf);
    if (key !== null && (this.#said.has(hex(key)) || this.#said.size < evidence.EXHIBITS_MAX)) {
      this.#said.set(hex(key), { key, what });
      await this.#check(key, what, now);
    }
  }

  override relayed(_number: number, digest: Bytes): void {
    this.#arrived ||= this.#digest !== null && same(digest, this.#digest);
  }

  override lost(): void {
    if (!this.#arrived) this.#digest = null; // it is sent again
  }

  override adopted(change: Change): void {
    for (const { key } of change.removed) this.#said.delete(hex(key));
  }

  // -- exhibits --------------------------------------------------------------------------------------------

  #statement(about: Drop, key: Bytes, what: Omit<ShortExhibit, "type">): evidence.Exhibit {
    return {
      at: what.at,
      origin: evidence.clipped(about.origin),
      number: this.room.number,
      server_key: about.serverKey,
      dropped_at: what.dropped_at,
      beats: [],
      receipts: [],
      last_words: [],
      probe: null,
      leaves: [],
      key,
      signature: what.signature,
    };
  }

  /** Keep the exhibit of the member with that key if it is about the drop that we have reported. */
  async #check(key: Bytes, what: ShortExhibit, now: number): Promise<void> {
    const about = this.#about;
    if (about === null || this.#others.has(hex(key)) || this.#others.size >= evidence.EXHIBITS_MAX) return;
    const took = what.at - what.dropped_at;
    if (Math.abs(what.dropped_at - about.at) > CLOCKS || took < 0 || took > CLOCKS) return;
    const exhibit = this.#statement(about, key, what);
    try {
      await evidence.verifySigned(exhibit);
    } catch (error) {
      if (!(error instanceof SnugError)) throw error;
      return; // of another server, another room, or signed by nobody
    }
    this.#others.set(hex(key), exhibit);
    this.#newsAt = now;
  }

  async #send(about: Drop, now: number): Promise<void> {
    const { room } = this;
    const { membership: m } = room;
    const key = m.signatureKey(m.ownLeaf);
    if (this.#digest !== null || key === null || room.memberIndex >= evidence.EXHIBITS_MAX || !room.isSynced(now)) return;
    const [at, dropped_at] = [Math.floor(now), Math.floor(about.at)];
    const unsigned = this.#statement(about, key, { at, dropped_at, signature: new Uint8Array(64) });
    const { signature } = await evidence.signed(unsigned, (label, data) => m.sign(label, data));
    this.#digest = H(await room.relay({ type: "exhibit", at, dropped_at, signature }));
  }

  // -- the file --------------------------------------------------------------------------------------------

  /**
   * Write our evidence to a file, for a host with the others'; CommandError if there is none yet.
   *
   * `names` adds the names in the room to our own exhibits.
   */
  async save(names: boolean, now: number): Promise<void> {
    if (await this.#write(names, now)) this.#tell(sentence("dropped.merged"));
  }

  async #offer(now: number): Promise<void> {
    const { membership: m, options } = this.room;
    if (this.#newsAt === null || now - this.#newsAt < QUIET || !m.isHost(m.ownLeaf)) return;
    this.#newsAt = null;
    if (!this.#offered) {
      this.#offered = true;
      this.#tell(sentences.proof(this.room));
    }
    if (options.evidence) await this.#write(options.evidenceNames, now);
  }

  /** Write the file; return whether it has exhibits of others. */
  async #write(names: boolean, now: number): Promise<boolean> {
    const { membership: m } = this.room;
    const own = await this.room.feature(Dropped).exhibits(names, now);
    const merges = this.#about !== null && m.isHost(m.ownLeaf) && own[0]?.origin === this.#about.origin;
    const others = merges ? [...this.#others.values()] : [];
    const exhibits = [...own, ...others].slice(0, evidence.EXHIBITS_MAX);
    this.room.perform({ type: "Save", what: "evidence", data: evidence.encode({ format: evidence.FORMAT, exhibits }) });
    return others.length > 0;
  }

  #tell(proof: Sentence): void {
    const { membership: m } = this.room;
    const about = this.#about;
    if (about === null) return;
    const signed = new Set([...this.#others.keys(), hex(m.signatureKey(m.ownLeaf) ?? new Uint8Array())]);
    const members = new Set([...signed, ...m.leaves().map(({ signatureKey }) => hex(signatureKey))]);
    const probe = about.proven && about.accusedAt !== null ? about.probe : null;
    const seconds = probe === null ? null : Math.max(0, probe.at - Math.floor(about.at));
    this.room.tell(sentences.collected(signed.size, members.size, about.origin, seconds, proof));
  }
}
