/** Healing commits and commits of farewells: work that any member can do. */
import { SnugCryptoError } from "../../crypto/errors";
import type { ApplicationMessage, ReceivedProposal } from "../../mls";
import { Feature } from "../kernel/feature";
import type { AnyContent } from "../catalogue/content";
import type { Change } from "../kernel/membership";
import type { RoomSession } from "../kernel/room";
import { Turns } from "./commitRota";

/** Commits both in this member's turn, which `turns.Turns` computes; proposes our own farewell. */
export class Turning extends Feature {
  readonly #turns: Turns;
  #proposedEpoch: number | null = null;

  constructor(room: RoomSession, now: number) {
    super(room);
    this.#turns = new Turns(
      room.m.members().map(({ leaf }) => leaf),
      now,
    );
  }

  /** Propose our own removal, once in each epoch. */
  async farewell(): Promise<void> {
    const { m } = this.room;
    if (this.#proposedEpoch === m.group.epoch) return;
    this.#proposedEpoch = m.group.epoch;
    await this.room.relay({ type: "leaving", proposal: await m.proposeOwnRemoval() });
  }

  override adopted(change: Change, now: number): void {
    const leaves = (of: readonly { readonly leaf: number }[]) => of.map(({ leaf }) => leaf);
    this.#turns.committed(change.by, leaves(change.added), leaves(change.removed), now);
  }

  override async tick(now: number): Promise<void> {
    const { room } = this;
    if (room.idle) {
      const leaves = room.m.members().map(({ leaf }) => leaf);
      if (this.#turns.healNow(leaves, room.m.ownLeaf, now))
        await room.want({ type: "HealIntent", epoch: room.m.group.epoch }, now);
    }
    await this.#considerFarewells(now);
  }

  override async heard(received: ApplicationMessage, what: AnyContent, now: number): Promise<boolean> {
    if (what.type !== "leaving") return false;
    let stored: ReceivedProposal;
    try {
      stored = await this.room.m.storeProposal(what.proposal);
    } catch (error) {
      if (error instanceof SnugCryptoError) return true;
      throw error;
    }
    if (stored.sender === received.sender && stored.proposal.type === "Remove") {
      const { reference } = stored;
      this.#turns.leavesUs(
        { type: "FarewellIntent", leaf: stored.sender, reference, proposal: what.proposal },
        now,
      );
      await this.#considerFarewells(now);
    }
    return true;
  }

  async #considerFarewells(now: number): Promise<void> {
    const { room } = this;
    const members = room.m.members().map(({ leaf, host }) => [leaf, host] as const);
    for (const farewell of this.#turns.farewellsDue(members, room.m.ownLeaf, now))
      await room.wantOnce(farewell, now);
  }
}
