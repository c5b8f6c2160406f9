/** The MLS types that the rest of the page uses: plain objects, named as in Python's `crypto.mls`. */

import type { Bytes } from "../crypto/bytes";

/** RFC 9420 section 17.1. The page supports only the first. */
export const CipherSuite = {
  X25519_AES128GCM_SHA256_ED25519: 0x0001,
  X25519_CHACHA20POLY1305_SHA256_ED25519: 0x0003,
} as const;

/** RFC 9420 section 17.3. */
export const ExtensionType = {
  APPLICATION_ID: 1,
  RATCHET_TREE: 2,
  REQUIRED_CAPABILITIES: 3,
  EXTERNAL_PUB: 4,
  EXTERNAL_SENDERS: 5,
} as const;

/** RFC 9420 section 17.2: the wire formats of framed content. */
export const WireFormat = { PUBLIC_MESSAGE: 1, PRIVATE_MESSAGE: 2 } as const;
export type WireFormat = (typeof WireFormat)[keyof typeof WireFormat];

/** Content of a framed message (RFC 9420 section 6). */
export const ContentType = { APPLICATION: 1, PROPOSAL: 2, COMMIT: 3 } as const;
export type ContentType = (typeof ContentType)[keyof typeof ContentType];

/** Our leaf's Ed25519 key: the public half, and a method to sign. The secret half is not accessible. */
export interface SignatureKey {
  /** 32 bytes. */
  readonly public: Bytes;
  /** Return a signature, 64 bytes. */
  sign(message: Uint8Array): Promise<Bytes>;
}

export interface Extension {
  readonly extensionType: number;
  readonly data: Bytes;
}

export interface Credential {
  /** 1: basic; all others are 2 (X.509) with an empty identity. */
  readonly credentialType: number;
  readonly identity: Bytes;
}

/** Features that a client supports (RFC 9420 section 7.2), without default extensions and proposals. */
export interface Capabilities {
  readonly versions: readonly number[];
  readonly cipherSuites: readonly number[];
  readonly extensions: readonly number[];
  readonly proposals: readonly number[];
  readonly credentials: readonly number[];
}

/** Validity period in seconds since the Unix epoch; both ends are inclusive. */
export interface Lifetime {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** A leaf node with a verified signature, or one that this member has signed. */
export interface LeafNode {
  /** X25519, 32 bytes. */
  readonly encryptionKey: Bytes;
  /** Ed25519, 32 bytes. */
  readonly signatureKey: Bytes;
  readonly credential: Credential;
  readonly extensions: readonly Extension[];
  /** The whole leaf node, encoded. */
  readonly encoded: Bytes;
  /** The encoded Capabilities. */
  readonly encodedCapabilities: Bytes;
  /** The encoded extensions, concatenated without the length header of the list. */
  /** Return the encoded extensions, without those of one type. */
  encodedExtensions(except?: number): Bytes;
}

/** A KeyPackage with verified signatures and contents, or one of our own. */
export interface KeyPackage {
  readonly version: number;
  readonly cipherSuite: number;
  readonly initKey: Bytes;
  readonly leafNode: LeafNode;
  readonly extensions: readonly Extension[];
  /** The bare KeyPackage. */
  readonly encoded: Bytes;
}

export interface ExternalPsk {
  readonly type: "ExternalPsk";
  readonly pskId: Bytes;
  /** Random, 32 bytes. */
  readonly nonce: Bytes;
}

export interface ResumptionPsk {
  readonly type: "ResumptionPsk";
}

/** RFC 9420 section 12.1. `add`, `remove`, `externalPsk` and `groupContextExtensions` create ours. */
export type Proposal =
  | { readonly type: "Add"; readonly keyPackage: KeyPackage }
  | { readonly type: "Update" }
  | { readonly type: "Remove"; readonly removed: number }
  | { readonly type: "PreSharedKey"; readonly psk: ExternalPsk | ResumptionPsk }
  | { readonly type: "ReInit" }
  | { readonly type: "ExternalInit" }
  | { readonly type: "GroupContextExtensions"; readonly extensions: readonly Extension[] };

/** A verified proposal of a commit. */
export interface CommittedProposal {
  readonly proposal: Proposal;
  /** A leaf index, or null for a proposal from outside the group. */
  readonly sender: number | null;
  readonly byReference: boolean;
  /** The ProposalRef (32 bytes) by which a commit named it. */
  readonly reference: Bytes | null;
}

/** A member of an epoch, with its leaf index. */
export interface Member {
  readonly leaf: number;
  readonly leafNode: LeafNode;
}

/** Authentic application data; `sender` is a leaf index in `epoch`, which may be the previous epoch. */
export interface ApplicationMessage {
  readonly type: "ApplicationMessage";
  readonly sender: number;
  readonly epoch: number;
  readonly generation: number;
  readonly authenticatedData: Bytes;
  readonly data: Bytes;
  /**
   * FramedContentTBS (RFC 9420 6.1), which includes the epoch's GroupContext: with `signature`, proof for
   * third parties.
   */
  readonly tbs: Bytes;
  readonly signature: Bytes;
}

/** A proposal that the group stores until its epoch ends. */
export interface ReceivedProposal {
  readonly type: "ReceivedProposal";
  readonly sender: number | null;
  readonly proposal: Proposal;
  readonly reference: Bytes;
  readonly authenticatedData: Bytes;
}

/** One node of the ratchet tree, for the lecture. */
export interface TreeNode {
  /** Node index of RFC 9420 appendix C: leaves have even indices. */
  readonly index: number;
  readonly kind: "leaf" | "parent" | "blank";
  /** X25519, 32 bytes; null for a blank node. */
  readonly encryptionKey: Bytes | null;
  /** Bytes of a leaf's credential; null for other nodes. */
  readonly identity: Bytes | null;
  /** Leaf indices that do not know the private key of this parent. */
  readonly unmergedLeaves: readonly number[];
  /** Whether this member holds the private key. */
  readonly held: boolean;
}
