/** Conversion between ts-mls's data types and those in `types`. */

import { encodeCapabilities } from "ts-mls/capabilities.js";
import { encodeExtension, type Extension as TsExtension } from "ts-mls/extension.js";
import { encodeKeyPackage, type KeyPackage as TsKeyPackage } from "ts-mls/keyPackage.js";
import { encodeLeafNode, type LeafNode as TsLeafNode } from "ts-mls/leafNode.js";
import type { Proposal as TsProposal } from "ts-mls/proposal.js";
import { type Bytes, concat } from "../crypto/bytes";
import { StateError } from "../crypto/errors";
import { readKeyPackage } from "./read";
import { decode } from "./reader";
import type { CommittedProposal, Credential, Extension, KeyPackage, LeafNode, Proposal } from "./types";
import type { ResolvedProposal } from "./validateCommit";

export const extensionOf = (extension: TsExtension): Extension => ({
  extensionType: extension.extensionType as number,
  data: extension.extensionData as Bytes,
});

export const toExtension = (extension: Extension): TsExtension => ({
  extensionType: extension.extensionType,
  extensionData: extension.data,
});

/** A leaf node; its encodings are computed on demand. */
class Leaf implements LeafNode {
  readonly #leaf: TsLeafNode;
  readonly encryptionKey: Bytes;
  readonly signatureKey: Bytes;
  readonly credential: Credential;
  readonly extensions: readonly Extension[];
  #encoded: Bytes | undefined;
  #capabilities: Bytes | undefined;

  constructor(leaf: TsLeafNode) {
    this.#leaf = leaf;
    this.encryptionKey = leaf.hpkePublicKey as Bytes;
    this.signatureKey = leaf.signaturePublicKey as Bytes;
    const { credential } = leaf;
    this.credential =
      credential.credentialType === "basic"
        ? { credentialType: 1, identity: credential.identity as Bytes }
        : { credentialType: 2, identity: new Uint8Array() };
    this.extensions = leaf.extensions.map(extensionOf);
  }

  get encoded(): Bytes {
    return (this.#encoded ??= encodeLeafNode(this.#leaf) as Bytes);
  }

  get encodedCapabilities(): Bytes {
    return (this.#capabilities ??= encodeCapabilities(this.#leaf.capabilities) as Bytes);
  }

  encodedExtensions(except?: number): Bytes {
    const kept = this.#leaf.extensions.filter(({ extensionType }) => extensionType !== except);
    return concat(...kept.map((e) => encodeExtension(e)));
  }
}

const leaves = new WeakMap<TsLeafNode, Leaf>();

/** Return the same object for the same leaf. */
export function leafOf(leaf: TsLeafNode): LeafNode {
  let seen = leaves.get(leaf);
  if (seen === undefined) leaves.set(leaf, (seen = new Leaf(leaf)));
  return seen;
}

export const keyPackageOf = (keyPackage: TsKeyPackage): KeyPackage => ({
  version: Number(keyPackage.version),
  cipherSuite: Number(keyPackage.cipherSuite),
  leafNode: leafOf(keyPackage.leafNode),
  initKey: keyPackage.initKey as Bytes,
  extensions: keyPackage.extensions.map(extensionOf),
  encoded: encodeKeyPackage(keyPackage) as Bytes,
});

/** Convert a verified proposal to the type that the session uses. */
export function proposalOf(proposal: TsProposal): Proposal {
  switch (proposal.proposalType) {
    case "add":
      return { type: "Add", keyPackage: keyPackageOf(proposal.add.keyPackage) };
    case "update":
      return { type: "Update" };
    case "remove":
      return { type: "Remove", removed: proposal.remove.removed };
    case "psk": {
      const id = proposal.psk.preSharedKeyId;
      if (id.psktype !== "external") return { type: "PreSharedKey", psk: { type: "ResumptionPsk" } };
      const psk = { type: "ExternalPsk", pskId: id.pskId as Bytes, nonce: id.pskNonce as Bytes } as const;
      return { type: "PreSharedKey", psk };
    }
    case "reinit":
      return { type: "ReInit" };
    case "group_context_extensions":
      return {
        type: "GroupContextExtensions",
        extensions: proposal.groupContextExtensions.extensions.map(extensionOf),
      };
    default:
      return { type: "ExternalInit" };
  }
}

/** Convert a proposal of the session for ts-mls. StateError for kinds that the session never makes. */
export function toProposal(proposal: Proposal): TsProposal {
  switch (proposal.type) {
    case "Add":
      return {
        proposalType: "add",
        add: { keyPackage: decode(proposal.keyPackage.encoded, readKeyPackage) },
      };
    case "Remove":
      return { proposalType: "remove", remove: { removed: proposal.removed } };
    case "GroupContextExtensions":
      return {
        proposalType: "group_context_extensions",
        groupContextExtensions: { extensions: proposal.extensions.map(toExtension) },
      };
    case "PreSharedKey":
      if (proposal.psk.type === "ExternalPsk") {
        const { pskId, nonce } = proposal.psk;
        return {
          proposalType: "psk",
          psk: { preSharedKeyId: { psktype: "external", pskId, pskNonce: nonce } },
        };
      }
  }
  throw new StateError(`this page makes no proposal of the kind ${proposal.type}`);
}

export const committedOf = ({ proposal, sender, reference }: ResolvedProposal): CommittedProposal => ({
  proposal: proposalOf(proposal),
  sender,
  byReference: reference !== null,
  reference: reference as Bytes | null,
});
