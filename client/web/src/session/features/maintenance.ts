/** Healing commits, and commits of leavers' removals of themselves: work that any member can do. */
import type { Bytes } from "../../crypto/bytes";
import { SnugError } from "../../crypto/errors";
import type { ReceivedProposal } from "../../mls";
import { type Contents, Feature } from "../kernel/feature";
import type { Change } from "../kernel/verdict";
import type { Room } from "../kernel/ports";
import { CommitRota, HOST_SLOTS } from "./commitRota";
import { States } from "./states";

/** Seconds that a leaver waits for another member to commit its removal. */
const SELF_REMOVE_WAIT = 3;

/** Commits both when `commitRota.CommitRota` says that it is our turn; proposes our own removal. */
export class Maintenance extends Feature {
  readonly #rota: CommitRota;
  #proposedEpoch: number | null = null;
  /** Whether a commit of ours has to end the tickets by which we came back. */
  #unconfirmed = false;

  constructor(room: Room, now: number) {
    super(room);
    this.#rota = new CommitRota(
      room.membership.members().map(({ leaf }) => leaf),
      now,
    );
  }

  override carryOver(): void {
    this.#unconfirmed = true;
  }

  override async leaving(now: number): Promise<void> {
    const { membership: m } = this.room;
    if (this.#proposedEpoch === m.group.epoch) return; // once in each epoch
    this.#proposedEpoch = m.group.epoch;
    await this.room.relay({ type: "leaving", proposal: await m.leaveProposals.propose() });
    this.room.leaveBy(now + SELF_REMOVE_WAIT);
  }

  override adopted(change: Change, now: number): void {
    const leaves = (of: readonly { readonly leaf: number }[]) => of.map(({ leaf }) => leaf);
    this.#rota.committed(change.by, leaves(change.added), leaves(change.removed), now);
    if (change.by === this.room.membership.ownLeaf) this.#unconfirmed = false;
  }

  override async tick(now: number): Promise<void> {
    const { room } = this;
    if (room.idle) {
      const leaves = room.membership.members().map(({ leaf }) => leaf);
      const confirm = this.#unconfirmed && room.isSynced(now);
      if (confirm || this.#rota.healDue(leaves, room.membership.ownLeaf, now) || this.#hostDue())
        await room.queue({ type: "HealIntent", epoch: room.membership.group.epoch }, now);
    }
    await this.#commitSelfRemoves(now);
  }

  override contents(): Contents {
    return { leaving: ({ sender }, { proposal }, now) => this.#leaves(sender, proposal, now) };
  }

  async #leaves(leaf: number, proposal: Bytes, now: number): Promise<void> {
    // if another commit overtakes the proposal, hosts remove it as they do those whose pages are closed
    this.room.feature(States).goes(leaf, now);
    let stored: ReceivedProposal;
    try {
      stored = await this.room.membership.leaveProposals.store(proposal);
    } catch (error) {
      if (error instanceof SnugError) return;
      throw error;
    }
    const { reference } = stored;
    if (stored.sender !== leaf || stored.proposal.type !== "Remove") return;
    this.#rota.addSelfRemove({ type: "SelfRemoveIntent", leaf, reference, proposal }, now);
    await this.#commitSelfRemoves(now);
  }

  /** Return whether to commit as a host, so that all members can see that one is here. */
  #hostDue(): boolean {
    const { membership: m, rank } = this.room;
    return m.isHost(m.ownLeaf) && m.journal.slot - m.ledger.hosted >= HOST_SLOTS + rank;
  }

  async #commitSelfRemoves(now: number): Promise<void> {
    const { room } = this;
    const members = room.membership.members().map(({ leaf, host }) => [leaf, host] as const);
    for (const selfRemove of this.#rota.selfRemovesDue(members, room.membership.ownLeaf, now))
      await room.queueOnce(selfRemove, now);
  }
}
