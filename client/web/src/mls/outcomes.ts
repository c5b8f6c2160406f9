/** What processing a commit yields, and what a staged one is: candidates for the next epoch. */

import type { Bytes } from "../crypto/bytes";
import { StateError } from "../crypto/errors";
import type { Group } from "./group";
import type { CommittedProposal, LeafNode } from "./types";

/** Holds the candidate next group of a base epoch, until it is adopted or dropped. */
abstract class NextEpoch {
  readonly #base: object;
  #group: Group | null;
  #dropped = false;

  constructor(base: object, group: Group | null) {
    this.#base = base;
    this.#group = group;
  }

  /** Whether it was dropped, or adopted: either way it is spent. */
  get dropped(): boolean {
    return this.#dropped;
  }

  /** Wipe the candidate; it can't be adopted any more. Dropping twice does nothing. */
  drop(): void {
    this.#group?.wipe();
    this.#group = null;
    this.#dropped = true;
  }

  /** Hand over the candidate, for adoption by `Group` alone. StateError. */
  take(base: object): Group {
    if (this.#dropped) throw new StateError("this candidate was dropped or adopted before");
    if (this.#base !== base)
      throw new StateError("this candidate does not follow from the group's present epoch");
    const group = this.#group;
    if (group === null) throw new StateError("this commit removes us: there is no next epoch for us");
    this.#group = null;
    this.#dropped = true;
    return group;
  }

  protected get candidate(): Group | null {
    return this.#group;
  }
}

export interface StageFacts {
  readonly message: Bytes;
  readonly welcome: Bytes | null;
  readonly proposals: readonly CommittedProposal[];
  readonly added: readonly number[];
  readonly removed: readonly number[];
}

/** A commit of ours that isn't in force until `Group.adopt`. */
export class Stage extends NextEpoch {
  readonly type = "Stage";
  /** The MLSMessage to send. */
  readonly message: Bytes;
  /** The MLSMessage for those who are added; null without any. */
  readonly welcome: Bytes | null;
  readonly proposals: readonly CommittedProposal[];
  readonly added: readonly number[];
  readonly removed: readonly number[];
  /** The number of the epoch that it starts. */
  readonly epoch: number;

  constructor(base: object, group: Group, facts: StageFacts) {
    super(base, group);
    this.message = facts.message;
    this.welcome = facts.welcome;
    this.proposals = facts.proposals;
    this.added = facts.added;
    this.removed = facts.removed;
    this.epoch = group.epoch;
  }

  /** The candidate: readable, not usable for messages. StateError when it is spent. */
  get group(): Group {
    if (this.candidate === null) throw new StateError("this candidate is spent");
    return this.candidate;
  }
}

export interface CandidateFacts {
  /** The committer's leaf index. */
  readonly sender: number;
  readonly epoch: number;
  readonly proposals: readonly CommittedProposal[];
  /** The committer's new leaf, null without a path. */
  readonly pathLeaf: LeafNode | null;
  readonly authenticatedData: Bytes;
  /** Leaf indices in the new epoch. */
  readonly added: readonly number[];
  /** Leaf indices in the old epoch. */
  readonly removed: readonly number[];
  /** Then there is no next epoch for us, and the confirmation tag could not be checked. */
  readonly removesUs: boolean;
  /** Whether it came as a PrivateMessage. */
  readonly private: boolean;
}

/** Somebody's commit, valid by all of RFC 9420, for the caller to judge and `Group.adopt` or leave. */
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

  constructor(base: object, group: Group | null, facts: CandidateFacts) {
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

  /** The candidate: readable, not usable for messages. null when we are removed, or it is spent. */
  get group(): Group | null {
    return this.candidate;
  }
}
