/** The readable half of a group. */

import { encodeRatchetTree } from "ts-mls/ratchetTree.js";
import { leafWidth } from "ts-mls/treemath.js";
import type { Bytes } from "../crypto/bytes";
import { StateError } from "../crypto/errors";
import { H } from "../crypto/kdf";
import { committedOf, extensionOf, leafOf } from "./shapes";
import { type EpochState, wipeState } from "./state";
import { deriveSecret, expandWithLabel } from "./suite";
import type { CommittedProposal, Extension, LeafNode, Member, TreeNode } from "./types";
import * as validate from "./validate";

/** One epoch of a group as a member can read it: the current epoch, or a candidate for the next one. */
export class GroupView {
  protected state: EpochState | null;

  constructor(state: EpochState) {
    this.state = state;
  }

  protected get live(): EpochState {
    if (this.state === null)
      throw new StateError("this group is gone: wiped, or its state was adopted elsewhere");
    return this.state;
  }

  get epoch(): number {
    return Number(this.live.context.epoch);
  }

  get groupId(): Bytes {
    return this.live.context.groupId as Bytes;
  }

  get suite(): number {
    return Number(this.live.context.cipherSuite);
  }

  /** The leaf index of this member. */
  get ownLeaf(): number {
    return this.live.ownLeaf;
  }

  /** The extensions of the GroupContext. */
  get extensions(): readonly Extension[] {
    return this.live.context.extensions.map(extensionOf);
  }

  /**
   * Section 8.7; a copy of 32 bytes, equal for all members of the epoch. The original is wiped with the
   * epoch.
   */
  get epochAuthenticator(): Bytes {
    return this.live.secrets.epochAuthenticator.slice() as Bytes;
  }

  /** 32 bytes; empty in epoch 0. */
  get confirmedTranscriptHash(): Bytes {
    return this.live.context.confirmedTranscriptHash as Bytes;
  }

  get treeHash(): Bytes {
    return this.live.context.treeHash as Bytes;
  }

  /** Number of leaves including blank ones, a power of two; every leaf index is lower. */
  get leafCount(): number {
    return leafWidth(this.live.tree.length);
  }

  /** The leaf that signed the Welcome of the epoch in which this member joined; null in other epochs. */
  get welcomedBy(): number | null {
    return this.live.welcomedBy;
  }

  /** Whether a ReInit has ended the group. */
  get ended(): boolean {
    return this.live.ended;
  }

  /** Whether the group's state has been deleted or handed over. */
  get wiped(): boolean {
    return this.state === null;
  }

  /** Return all members, ordered by leaf index. */
  members(): readonly Member[] {
    return validate.leavesOf(this.live.tree).map(([leaf, node]) => ({ leaf, leafNode: leafOf(node) }));
  }

  /** Return the leaf node at a leaf index, or null if it is blank. */
  member(leaf: number): LeafNode | null {
    const node = validate.leafAt(this.live.tree, leaf);
    return node === null ? null : leafOf(node);
  }

  /** Proposals of this epoch that a commit can refer to, including ours, by `hex(reference)`. */
  get storedProposals(): ReadonlyMap<string, CommittedProposal> {
    return new Map([...this.live.proposals].map(([reference, item]) => [reference, committedOf(item)]));
  }

  /** MLS-Exporter (section 8.5): return `length` bytes, at most 8,160. */
  export(label: string, context: Bytes, length: number): Bytes {
    const secret = deriveSecret(this.live.secrets.exporterSecret, label);
    return expandWithLabel(secret, "exported", H(context), length);
  }

  /** Return the encoded tree. */
  ratchetTree(): Bytes {
    return encodeRatchetTree(this.live.tree) as Bytes;
  }

  /**
   * Return the tree's nodes in the order of node indices; `held` marks those whose private key this member
   * has.
   */
  treeView(): readonly TreeNode[] {
    const { tree, privateKeys } = this.live;
    return tree.map((node, index): TreeNode => {
      const held = privateKeys.has(index);
      if (node === undefined)
        return { index, kind: "blank", encryptionKey: null, identity: null, unmergedLeaves: [], held };
      if (node.nodeType === "parent") {
        const { hpkePublicKey, unmergedLeaves } = node.parent;
        return {
          index,
          kind: "parent",
          encryptionKey: hpkePublicKey as Bytes,
          identity: null,
          unmergedLeaves,
          held,
        };
      }
      const { encryptionKey, credential } = leafOf(node.leaf);
      return { index, kind: "leaf", encryptionKey, identity: credential.identity, unmergedLeaves: [], held };
    });
  }

  /** Hand over the state for adoption; only `Group` calls this. StateError. */
  release(): EpochState {
    const state = this.live;
    this.state = null;
    return state;
  }

  /** Delete all state; the group is unusable afterwards. For members that leave or were removed. */
  wipe(): void {
    const state = this.state;
    this.state = null;
    if (state !== null) wipeState(state);
  }
}
