/** Results of processing a commit, and staged commits: candidates for the next epoch. */

import type { Bytes } from "../crypto/bytes";
import { StateError } from "../crypto/errors";
import type { CommittedProposal, LeafNode } from "./types";
import type { GroupView } from "./view";

/** Holds the candidate next group of a base epoch until it is adopted or dropped. */
abstract class NextEpoch {
  readonly #base: object;
  #group: GroupView | null;
  #dropped = false;

  constructor(base: object, group: GroupView | null) {
    this.#base = base;
    this.#group = group;
  }

  /** Whether the candidate was dropped or adopted; it is unusable in both cases. */
  get dropped(): boolean {
    return this.#dropped;
  }

  /** Wipe the candidate, which then cannot be adopted. Dropping it twice has no effect. */
  drop(): void {
    this.#group?.wipe();
    this.#group = null;
    this.#dropped = true;
  }

  /** Hand over the candidate for adoption; only `Group` calls this. StateError. */
  take(base: object): GroupView {
    if (this.#dropped) throw new StateError("this candidate was dropped or adopted before");
    if (this.#base !== base)
      throw new StateError("this candidate does not follow from the group's present epoch");
    const group = this.#group;
    if (group === null) throw new StateError("this commit removes us: there is no next epoch for us");
    this.#group = null;
    this.#dropped = true;
    return group;
  }

  protected get candidate(): GroupView | null {
    return this.#group;
  }
}

export interface StageFacts {
  readonly message: Bytes;
  readonly welcome: Bytes | null;
  readonly tree: Bytes | null;
  readonly proposals: readonly CommittedProposal[];
  readonly added: readonly number[];
  readonly removed: readonly number[];
}

/** A commit of ours that takes effect with `Group.adopt`. */
export class Stage extends NextEpoch {
  readonly type = "Stage";
  /** The MLSMessage to send. */
  readonly message: Bytes;
  /** The MLSMessage for the added members; null if there are none. */
  readonly welcome: Bytes | null;
  /** The encoded ratchet tree, if the Welcome doesn't contain it. */
  readonly tree: Bytes | null;
  readonly proposals: readonly CommittedProposal[];
  readonly added: readonly number[];
  readonly removed: readonly number[];
  /** The number of the epoch that the commit starts. */
  readonly epoch: number;

  constructor(base: object, group: GroupView, facts: StageFacts) {
    super(base, group);
    this.message = facts.message;
    this.welcome = facts.welcome;
    this.tree = facts.tree;
    this.proposals = facts.proposals;
    this.added = facts.added;
    this.removed = facts.removed;
    this.epoch = group.epoch;
  }

  /** The candidate: readable, not usable for messages. StateError if spent. */
  get group(): GroupView {
    if (this.candidate === null) throw new StateError("this candidate is spent");
    return this.candidate;
  }
}

export interface CandidateFacts {
  /** The committer's leaf index. */
  readonly sender: number;
  readonly epoch: number;
  readonly proposals: readonly CommittedProposal[];
  /** The committer's new leaf; null without a path. */
  readonly pathLeaf: LeafNode | null;
  readonly authenticatedData: Bytes;
  /** Leaf indices in the new epoch. */
  readonly added: readonly number[];
  /** Leaf indices in the old epoch. */
  readonly removed: readonly number[];
  /** true: this member has no next epoch, and the confirmation tag could not be checked. */
  readonly removesUs: boolean;
  /** Whether the commit arrived as a PrivateMessage. */
  readonly private: boolean;
}

/** A received commit, valid by all rules of RFC 9420. The caller applies its policy, then `Group.adopt`. */
export class CandidateCommit extends NextEpoch implements CandidateFacts {
  readonly type = "CandidateCommit";
  readonly sender: number;
  readonly epoch: number;
  readonly proposals: readonly CommittedProposal[];
  readonly pathLeaf: LeafNode | null;
  readonly authenticatedData: Bytes;
  readonly added: readonly number[];
  readonly removed: readonly number[];
  readonly removesUs: boolean;
  readonly private: boolean;

  constructor(base: object, group: GroupView | null, facts: CandidateFacts) {
    super(base, group);
    this.sender = facts.sender;
    this.epoch = facts.epoch;
    this.proposals = facts.proposals;
    this.pathLeaf = facts.pathLeaf;
    this.authenticatedData = facts.authenticatedData;
    this.added = facts.added;
    this.removed = facts.removed;
    this.removesUs = facts.removesUs;
    this.private = facts.private;
  }

  /** The candidate: readable, not usable for messages. null if it removes us, or if spent. */
  get group(): GroupView | null {
    return this.candidate;
  }
}
