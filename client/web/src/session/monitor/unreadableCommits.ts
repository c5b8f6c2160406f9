/** Authors of commits that others could not read, named to hosts when these have rejoined. */
import { type Bytes, hex, same } from "../../crypto/bytes";
import * as sentences from "../catalogue/sentences";
import type { Room } from "../kernel/ports";
import type { Change } from "../kernel/verdict";
import { trim } from "./heartbeats";
import type { MemberTable } from "./memberTable";

/** Epochs and slots that are remembered. */
export const EPOCHS = 64;

/** Counts the members that each commit left stuck. */
export class UnreadableCommits {
  readonly #room: Room;
  readonly #members: MemberTable;
  /** slot -> (leaf, its key) */
  readonly #committers = new Map<number, { readonly leaf: number; readonly key: Bytes }>();
  /** slot -> keys (hex) that rejoined as stuck there */
  readonly #stuck = new Map<number, Set<string>>();
  /** (key that rejoined as stuck, committer's key) -> how often */
  readonly #unread = new Map<string, number>();

  constructor(room: Room, members: MemberTable) {
    this.#room = room;
    this.#members = members;
  }

  /** Record a commit's author, and a member that it lets in again because it was stuck. */
  adopted(change: Change): void {
    const { membership: m } = this.#room;
    const author = { leaf: change.by, key: m.signatureKey(change.by) ?? new Uint8Array() };
    this.#committers.set(m.journal.slot, author);
    trim(this.#committers, EPOCHS);
    if (change.stuckSlot === null) return;
    const victims = this.#stuck.get(change.stuckSlot) ?? new Set<string>();
    this.#stuck.set(change.stuckSlot, victims);
    for (const { key } of change.removed) victims.add(hex(key));
    trim(this.#stuck, EPOCHS);
    const committer = this.#committers.get(change.stuckSlot);
    if (!this.#members.host || committer === undefined || committer.key.length === 0) return;
    const { leaf, key } = committer;
    const there = m.signatureKey(leaf);
    if (there === null || !same(there, key)) return;
    const who = this.#members.name(leaf);
    if (victims.size === 2) this.#room.tell(sentences.alarm("unreadable_commit", { who, leaf }));
    for (const { leaf: victimLeaf, name: victim } of change.added) {
      const pair = `${hex(m.signatureKey(victimLeaf) ?? new Uint8Array())} ${hex(key)}`;
      const count = (this.#unread.get(pair) ?? 0) + 1;
      this.#unread.set(pair, count);
      trim(this.#unread, EPOCHS);
      if (count === 2)
        this.#room.tell(sentences.alarm("unreadable_commit.again", { victim, victim_leaf: victimLeaf, who, leaf }));
    }
  }
}
