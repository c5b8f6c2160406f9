/**
 * MLS, RFC 9420, for one member: the API of Python's `crypto.mls`, as far as the session uses it, over ts-mls.
 *
 * A `Group` is the one mutable thing, and each of its operations either succeeds or leaves it as it was. A commit,
 * ours (`stage`) or somebody's (`process`), yields a candidate that changes nothing until `adopt`. Operations of
 * one group must not overlap: await each before the next.
 */

import type { Bytes, Rng } from "../crypto/bytes";
import type {
  ApplicationMessage,
  Capabilities,
  CommittedProposal,
  ContentType,
  Extension,
  KeyPackage,
  LeafNode,
  Lifetime,
  Member,
  Proposal,
  ReceivedProposal,
  SignatureKey,
  TreeNode,
  WireFormat,
} from "./types";

export * from "./types";

/** External pre-shared keys by `hex(id)`. */
export type Psks = ReadonlyMap<string, Bytes>;

/** A fresh Ed25519 key, not extractable. UnsupportedError for another suite than ours. */
export declare function generateSignatureKey(suite: number): Promise<SignatureKey>;

export declare const add: (keyPackage: KeyPackage) => Proposal;
export declare const remove: (leaf: number) => Proposal;
/** The application's key `pskId`, with a new nonce. */
export declare const externalPsk: (pskId: Bytes, rng: Rng) => Proposal;
export declare const groupContextExtensions: (extensions: readonly Extension[]) => Proposal;
/** The `required_capabilities` extension of a GroupContext that requires these extensions. */
export declare const requiredCapabilities: (extensions: readonly number[]) => Extension;

/** A key package as it came off the wire: nothing about it has been checked. */
export declare class KeyPackageIn {
  readonly encoded: Bytes;
  /** Read a bare KeyPackage (not wrapped in an MLSMessage). MalformedError. */
  static decode(data: Bytes): KeyPackageIn;
  /** `now` (Unix seconds, null: unjudged) makes its lifetime count. ValidationError, UnsupportedError. */
  verify(suite: number | null, now: number | null): Promise<KeyPackage>;
}

/** Our key package with its private keys: serves for one group. */
export declare class KeyPackageBundle {
  readonly keyPackage: KeyPackage;
  /** The bare KeyPackage, to be sent. */
  readonly encoded: Bytes;
  readonly used: boolean;
  wipe(): void;
}

export interface KeyPackageOptions {
  readonly signatureKey: SignatureKey;
  /** The basic credential's bytes. */
  readonly identity: Bytes;
  /** Extensions that the leaf supports. */
  readonly supports: readonly number[];
  readonly lifetime: Lifetime;
  readonly extensions?: readonly Extension[];
  readonly capabilities?: Capabilities;
  readonly rng: Rng;
}

/** A fresh key package of ours, signed, with new HPKE keys. */
export declare function createKeyPackage(suite: number, options: KeyPackageOptions): Promise<KeyPackageBundle>;

/** What an MLSMessage claims to carry, read off its clear part; null for a Welcome and the like. MalformedError. */
export declare function kindOf(message: Bytes): readonly [WireFormat, ContentType] | null;

declare class NextEpoch {
  /** Whether it was dropped, or adopted: either way it is spent. */
  readonly dropped: boolean;
  /** Wipe the candidate; it can't be adopted any more. */
  drop(): void;
}

/** A commit of ours that isn't in force until `Group.adopt`. */
export declare class Stage extends NextEpoch {
  readonly type: "Stage";
  readonly message: Bytes;
  /** For those who are added; null without any. */
  readonly welcome: Bytes | null;
  readonly proposals: readonly CommittedProposal[];
  readonly added: readonly number[];
  readonly removed: readonly number[];
  readonly epoch: number;
  /** The candidate: readable, not usable for messages. StateError when it is spent. */
  readonly group: Group;
}

/** Somebody's commit, valid by all of RFC 9420, for the caller to judge and `Group.adopt` or leave. */
export declare class CandidateCommit extends NextEpoch {
  readonly type: "CandidateCommit";
  readonly sender: number | null;
  readonly epoch: number;
  readonly proposals: readonly CommittedProposal[];
  /** The committer's new leaf, null without a path. */
  readonly pathLeaf: LeafNode | null;
  readonly authenticatedData: Bytes;
  readonly added: readonly number[];
  readonly removed: readonly number[];
  /** Then there is no next epoch for us. */
  readonly removesUs: boolean;
  readonly private: boolean;
  readonly external: boolean;
  /** The candidate: readable. null when we are removed, or it is spent. */
  readonly group: Group | null;
}

export interface StageOptions {
  /** References of stored proposals. */
  readonly includeStored?: readonly Bytes[];
  readonly authenticatedData?: Bytes;
  readonly forcePath?: boolean;
  readonly private?: boolean;
  readonly psks?: Psks;
}

/** One member's view of a group. */
export declare class Group {
  /** A group of one, in epoch 0. The bundle is used up. */
  static create(
    bundle: KeyPackageBundle,
    groupId: Bytes,
    extensions: readonly Extension[],
    rng: Rng,
  ): Promise<Group>;
  /** Enter by a Welcome (an MLSMessage). The bundle is used up by success, and left alone by failure. */
  static join(welcome: Bytes, bundle: KeyPackageBundle, options: { psks?: Psks; rng: Rng }): Promise<Group>;

  readonly epoch: number;
  readonly groupId: Bytes;
  readonly suite: number;
  readonly ownLeaf: number;
  /** Those of the GroupContext. */
  readonly extensions: readonly Extension[];
  /** 32 bytes that are the same for all members of the epoch. */
  readonly epochAuthenticator: Bytes;
  /** Empty in epoch 0, else 32 bytes. */
  readonly confirmedTranscriptHash: Bytes;
  readonly treeHash: Bytes;
  /** Leaves of the tree, blank ones included. */
  readonly leafCount: number;
  /** The leaf that signed the Welcome by which this epoch was entered; null in any other epoch. */
  readonly welcomedBy: number | null;
  readonly ended: boolean;
  readonly wiped: boolean;
  members(): readonly Member[];
  member(leaf: number): LeafNode | null;
  /** By `hex(reference)`. */
  readonly storedProposals: ReadonlyMap<string, CommittedProposal>;
  /** MLS-Exporter, synchronous. */
  export(label: string, context: Bytes, length: number): Bytes;
  /** The encoded ratchet tree. */
  ratchetTree(): Bytes;
  /** The tree as this member knows it, by node index. */
  treeView(): readonly TreeNode[];

  /** Application data as an MLSMessage. Each call uses up a key. */
  protect(data: Bytes, authenticatedData?: Bytes): Promise<Bytes>;
  /** SignWithLabel; `label` begins with "snug 1 ", else StateError. */
  sign(label: string, content: Bytes): Promise<Bytes>;
  /** A proposal for somebody to commit by reference; it is stored here as well. */
  propose(proposal: Proposal, options?: { authenticatedData?: Bytes; private?: boolean }): Promise<Bytes>;
  /** Forget a stored proposal. Unknown references are nothing. */
  discard(reference: Bytes): void;
  /** A commit that isn't in force until `adopt`. Each call uses up a handshake key. */
  stage(proposals: readonly Proposal[], options?: StageOptions): Promise<Stage>;
  /** Enter the candidate's epoch, in place; all other candidates are dropped. StateError. Synchronous. */
  adopt(candidate: Stage | CandidateCommit): void;
  wipe(): void;
  /**
   * Open and verify an MLSMessage of this epoch, or application data of the one before.
   *
   * MalformedError, UnsupportedError, AuthenticationError, ReplayError, MissingKeyError, StateError (our own
   * message, come back), ValidationError; once the signature has verified CommitError (`sender`), and PathError
   * (`commit`) when a commit is valid but gives us no path secret.
   */
  process(message: Bytes, psks?: Psks): Promise<ApplicationMessage | ReceivedProposal | CandidateCommit>;
}

/** SignWithLabel's counterpart (RFC 9420 5.1.2). AuthenticationError. */
export declare function verifyWithLabel(
  signatureKey: Bytes,
  label: string,
  content: Bytes,
  signature: Bytes,
): Promise<void>;
