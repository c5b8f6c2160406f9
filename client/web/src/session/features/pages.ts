/**
 * What the server gave each member, and could give to one of them alone: all report it, and compare.
 *
 * A page comes from a server, whose operator could change it. A page that is changed as a whole can report any hash:
 * the comparison detects a member with another release, or a clumsy change (docs/explanation/threat-model.md). A key of
 * tokens for one member alone would recognise the rooms that this member opens.
 */
import { type Bytes, hex, same } from "../../crypto/bytes";
import type { Page, WeekKey } from "../../wire/content";
import { type Contents, Feature } from "../kernel/feature";
import type { Change } from "../kernel/verdict";
import type { Room } from "../kernel/ports";
import * as sentences from "../catalogue/sentences";

/** Seconds between two members' reports to a newcomer, as with announcements. */
export const STEP = 0.01;

const sameHash = (one: Bytes | null, other: Bytes | null): boolean =>
  one === null || other === null ? one === other : same(one, other);
const sameKeys = (one: readonly WeekKey[], other: readonly WeekKey[]): boolean =>
  one.length === other.length && one.every(({ week, hash }, i) => other[i]?.week === week && sameHash(hash, other[i].hash));

/** Reports our page and the server's token keys, and raises alarms about members with others. */
export class Pages extends Feature {
  #own: Bytes | null = null;
  #sayAt: number | null = null;
  readonly #heard = new Map<number, Page>();
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
    this.#comparePages();
  }

  override synced(now: number): void {
    this.#sayAt = now;
    this.#compareKeys();
  }

  override adopted(change: Change, now: number): void {
    let fewer = false;
    for (const { leaf } of change.removed) fewer = this.#heard.delete(leaf) || fewer;
    if (change.added.length > 0) this.#sayAt = now + STEP * this.room.memberIndex;
    if (fewer) this.#comparePages();
  }

  override async tick(now: number): Promise<void> {
    await this.#say(now);
  }

  async #say(now: number): Promise<void> {
    const keys = [...this.room.tokenKeys].sort(([one], [other]) => one - other).slice(-2);
    if (this.#own === null && keys.length === 0) return;
    if (this.#sayAt === null || now < this.#sayAt || !this.room.speaks(now)) return;
    this.#sayAt = null;
    await this.room.relay({ type: "page", hash: this.#own, keys: keys.map(([week, hash]) => ({ week, hash })) });
  }

  override contents(): Contents {
    return {
      page: ({ sender }, what) => {
        const { hash = null, keys = [] } = this.#heard.get(sender) ?? {};
        this.#heard.set(sender, what);
        if (!sameHash(hash, what.hash)) this.#comparePages();
        if (!sameKeys(keys, what.keys)) this.#compareKeys();
      },
    };
  }

  /** Report members to whom the server has shown another key than to us, for the same week. */
  #compareKeys(): void {
    const { membership: m, tokenKeys } = this.room;
    const others = new Map<number, Bytes>();
    for (const [leaf, report] of [...this.#heard].sort(([one], [other]) => one - other))
      for (const { week, hash } of report.keys)
        if (leaf !== m.ownLeaf && !same(tokenKeys.get(week) ?? hash, hash)) others.set(leaf, hash);
    if (!this.#areNew([...others].map(([leaf, hash]) => [leaf, hex(hash)]))) return;
    this.room.tell(sentences.alarm("token_key", { who: [...others.keys()].map((leaf) => m.name(leaf)) }));
  }

  /** Return whether any of these hashes (hex), by leaf, is in no alarm yet, and remember them all. */
  #areNew(hashes: readonly (readonly [number, string])[]): boolean {
    const { membership: m } = this.room;
    const marks = hashes.map(([leaf, hash]) => `${hex(m.signatureKey(leaf) ?? new Uint8Array())} ${hash}`);
    if (marks.every((mark) => this.#told.has(mark))) return false;
    for (const mark of marks) this.#told.add(mark);
    return true;
  }

  #comparePages(): void {
    const { membership: m } = this.room;
    const own = this.#own === null ? null : hex(this.#own);
    const pages = new Map<number, string>();
    for (const [leaf, { hash }] of this.#heard) if (hash !== null) pages.set(leaf, hex(hash));
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
    if (!this.#areNew(others)) return;
    const names = others.map(([leaf]) => m.name(leaf));
    const key = own !== null ? "page_differs" : "page_differs.others";
    this.room.tell(sentences.alarm(key, { names, most: most[1].length, of: pages.size }));
  }
}
