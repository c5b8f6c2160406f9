/**
 * The pages that members run: each reports its bundle's hash inside the room, and all compare.
 *
 * A page comes from a server, whose operator could change it. A page that is changed as a whole can report any hash:
 * the comparison detects a member with another release, or a clumsy change (docs/explanation/threat-model.md).
 */
import { type Bytes, hex, same } from "../../crypto/bytes";
import type { ApplicationMessage } from "../../mls";
import { Feature } from "../kernel/feature";
import type { AnyContent } from "../catalogue/content";
import type { Change } from "../kernel/verdict";
import type { Room } from "../kernel/ports";
import * as sentences from "../catalogue/sentences";

/** Seconds between two members' reports to a newcomer, as with announcements. */
export const STEP = 0.01;

/** Reports our page, if we run one, and raises an alarm about members with another page. */
export class Pages extends Feature {
  #own: Bytes | null = null;
  #sayAt: number | null = null;
  readonly #heard = new Map<number, Bytes>();
  /** Signature key and hash (hex) of the alarms so far. */
  #told = new Set<string>();

  override carryOver(old: Room): void {
    const before = old.feature(Pages);
    this.#own = before.#own;
    this.#told = before.#told;
  }

  /** Report that we run the page with that hash (32 bytes). */
  async run(digest: Bytes, now: number): Promise<void> {
    this.#own = digest;
    this.#sayAt = now;
    await this.#say(now);
    this.#compare();
  }

  override synced(now: number): void {
    this.#sayAt = now;
  }

  override adopted(change: Change, now: number): void {
    let fewer = false;
    for (const { leaf } of change.removed) fewer = this.#heard.delete(leaf) || fewer;
    if (change.added.length > 0) this.#sayAt = now + STEP * this.room.memberIndex;
    if (fewer) this.#compare();
  }

  override async tick(now: number): Promise<void> {
    await this.#say(now);
  }

  async #say(now: number): Promise<void> {
    if (this.#own === null || this.#sayAt === null || now < this.#sayAt || !this.room.speaks(now)) return;
    this.#sayAt = null;
    await this.room.relay({ type: "page", hash: this.#own });
  }

  override contentReceived(received: ApplicationMessage, what: AnyContent): boolean {
    if (what.type !== "page") return false;
    const before = this.#heard.get(received.sender);
    if (before === undefined || !same(before, what.hash)) {
      this.#heard.set(received.sender, what.hash);
      this.#compare();
    }
    return true;
  }

  #compare(): void {
    const { membership: m } = this.room;
    const own = this.#own === null ? null : hex(this.#own);
    const pages = new Map([...this.#heard].map(([leaf, hash]) => [leaf, hex(hash)]));
    if (own !== null) pages.set(m.ownLeaf, own);
    const rows = [...pages].sort(([one], [other]) => one - other);
    this.room.tell({
      type: "Pages",
      pages: rows.map(([leaf, hash]) => ({ leaf, name: m.name(leaf), hash })),
    });
    const byHash = new Map<string, number[]>();
    for (const [leaf, hash] of rows) byHash.set(hash, [...(byHash.get(hash) ?? []), leaf]);
    if (byHash.size < 2) return;
    // Our page, if we run one; else the most common page, and of equals the one of the lowest leaf.
    const [most] = [...byHash].sort(
      ([one, leaves], [other, others]) =>
        Number(other === own) - Number(one === own) ||
        others.length - leaves.length ||
        (leaves[0] ?? 0) - (others[0] ?? 0),
    );
    if (most === undefined) return;
    const others = rows.filter(([, hash]) => hash !== most[0]);
    const marks = others.map(([leaf, hash]) => `${hex(m.signatureKey(leaf) ?? new Uint8Array())} ${hash}`);
    if (marks.every((mark) => this.#told.has(mark))) return;
    for (const mark of marks) this.#told.add(mark);
    const names = others.map(([leaf]) => m.name(leaf));
    const key = own !== null ? "page_differs" : "page_differs.others";
    this.room.tell(sentences.alarm(key, { names, most: most[1].length, of: pages.size }));
  }
}
