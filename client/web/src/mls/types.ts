/** What the rest of the page sees of MLS: plain shapes, named as in Python's `crypto.mls`. */

import type { Bytes } from "../crypto/bytes";

/** RFC 9420 section 17.1. The page speaks the first alone. */
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

/** RFC 9420 section 17.2: those of framed content. */
export const WireFormat = { PUBLIC_MESSAGE: 1, PRIVATE_MESSAGE: 2 } as const;
export type WireFormat = (typeof WireFormat)[keyof typeof WireFormat];

/** What a framed message carries (RFC 9420 section 6). */
export const ContentType = { APPLICATION: 1, PROPOSAL: 2, COMMIT: 3 } as const;
export type ContentType = (typeof ContentType)[keyof typeof ContentType];

/** Our leaf's Ed25519 key: what it is known by, and a way to sign. Its secret half stays where it is. */
export interface SignatureKey {
  /** 32 bytes. */
  readonly public: Bytes;
  /** 64 bytes. */
  sign(message: Uint8Array): Promise<Bytes>;
}

export interface Extension {
  readonly extensionType: number;
  readonly data: Bytes;
}

export interface Credential {
  /** 1 is basic, and the only one here. */
  readonly credentialType: number;
  readonly identity: Bytes;
}

/** What a client supports (RFC 9420 section 7.2). Default extensions and proposals are not listed. */
export interface Capabilities {
  readonly versions: readonly number[];
  readonly cipherSuites: readonly number[];
  readonly extensions: readonly number[];
  readonly proposals: readonly number[];
  readonly credentials: readonly number[];
}

/** Both ends in seconds since the Unix epoch, both included. */
export interface Lifetime {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** A leaf whose signature has been verified, or that we signed ourselves. */
export interface LeafNode {
  /** X25519, 32 bytes. */
  readonly encryptionKey: Bytes;
  /** Ed25519, 32 bytes. */
  readonly signatureKey: Bytes;
  readonly credential: Credential;
  readonly extensions: readonly Extension[];
  /** The whole leaf, as it is signed and sent. */
  readonly encoded: Bytes;
  /** Its Capabilities, encoded. */
  readonly encodedCapabilities: Bytes;
  /** Its extensions, each encoded, one after the other (without the length of all). */
  readonly encodedExtensions: Bytes;
}

/** A key package whose signatures and contents have been checked, or that we made ourselves. */
export interface KeyPackage {
  readonly version: number;
  readonly cipherSuite: number;
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

/** RFC 9420 section 12.1. Ours are made by `add`, `remove`, `externalPsk` and `groupContextExtensions`. */
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
  /** A leaf index, or null when somebody outside the group proposed. */
  readonly sender: number | null;
  readonly byReference: boolean;
  /** The ProposalRef (32 bytes) by which a commit named it. */
  readonly reference: Bytes | null;
}

/** A member of an epoch by its leaf index. */
export interface Member {
  readonly leaf: number;
  readonly leafNode: LeafNode;
}

/** Authentic application data. `sender` is a leaf index in `epoch`, which may be the one before ours. */
export interface ApplicationMessage {
  readonly type: "ApplicationMessage";
  readonly sender: number;
  readonly epoch: number;
  readonly generation: number;
  readonly authenticatedData: Bytes;
  readonly data: Bytes;
  /**
   * FramedContentTBS (RFC 9420 6.1), the epoch's GroupContext included, to show to others with `signature`.
   */
  readonly tbs: Bytes;
  readonly signature: Bytes;
}

/** A proposal that the group now holds until its epoch ends. */
export interface ReceivedProposal {
  readonly type: "ReceivedProposal";
  readonly sender: number | null;
  readonly proposal: Proposal;
  readonly reference: Bytes;
  readonly authenticatedData: Bytes;
}

/** One node of the ratchet tree, for the lecture. */
export interface TreeNode {
  /** Its place in the array of RFC 9420 appendix C: leaves are the even ones. */
  readonly index: number;
  readonly kind: "leaf" | "parent" | "blank";
  /** X25519, 32 bytes; null of a blank one. */
  readonly encryptionKey: Bytes | null;
  /** Of a leaf: its credential's bytes. */
  readonly identity: Bytes | null;
  /** Of a parent: leaf indices that don't know its private half. */
  readonly unmergedLeaves: readonly number[];
  /** Whether we hold the private half. */
  readonly held: boolean;
}
