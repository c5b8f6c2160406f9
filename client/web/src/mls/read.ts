/**
 * Decodes messages into ts-mls's data types (RFC 9420 6, 7, 8.4, 10, 12). Decoded values are unverified.
 *
 * ts-mls has names for some numbers (versions, suites, extensions). These stay numbers here, or strings of
 * digits where ts-mls expects names: its encoders accept both, and each value has exactly one spelling.
 */

import type { Capabilities } from "ts-mls/capabilities.js";
import type { Commit } from "ts-mls/commit.js";
import type { ContentTypeName } from "ts-mls/contentType.js";
import type { Credential } from "ts-mls/credential.js";
import type { CredentialTypeName } from "ts-mls/credentialType.js";
import type { CiphersuiteName } from "ts-mls/crypto/ciphersuite.js";
import type { Extension } from "ts-mls/extension.js";
import type { FramedContentAuthData, FramedContentInfo } from "ts-mls/framedContent.js";
import type { GroupContext } from "ts-mls/groupContext.js";
import type { GroupInfo } from "ts-mls/groupInfo.js";
import type { GroupSecrets } from "ts-mls/groupSecrets.js";
import type { HPKECiphertext } from "ts-mls/hpkeCiphertext.js";
import type { KeyPackage } from "ts-mls/keyPackage.js";
import type { LeafNode, LeafNodeCommit, LeafNodeKeyPackage, LeafNodeUpdate } from "ts-mls/leafNode.js";
import type { ParentNode } from "ts-mls/parentNode.js";
import type { PreSharedKeyID, ResumptionPSKUsageName } from "ts-mls/presharedkey.js";
import type { PrivateMessage } from "ts-mls/privateMessage.js";
import type { Proposal } from "ts-mls/proposal.js";
import type { ProposalOrRef } from "ts-mls/proposalOrRefType.js";
import type { ProtocolVersionName } from "ts-mls/protocolVersion.js";
import type { PublicMessage } from "ts-mls/publicMessage.js";
import type { Node, RatchetTree } from "ts-mls/ratchetTree.js";
import type { Sender } from "ts-mls/sender.js";
import type { UpdatePath, UpdatePathNode } from "ts-mls/updatePath.js";
import type { Welcome } from "ts-mls/welcome.js";
import type { Bytes } from "../crypto/bytes";
import { MalformedError, UnsupportedError } from "../crypto/errors";
import { decode, type Reader } from "./reader";

/** ProtocolVersion mls10, as a number. */
export const MLS10 = 1;

/** Spell values as ts-mls spells those that it has no name for; `Number` converts back. */
export const versionName = (value: number): ProtocolVersionName => String(value) as ProtocolVersionName;
export const suiteName = (value: number): CiphersuiteName => String(value) as CiphersuiteName;
export const credentialName = (value: number): CredentialTypeName =>
  (value === 1 ? "basic" : value === 2 ? "x509" : String(value)) as CredentialTypeName;

const byte = (reader: Reader): Bytes => reader.opaque();
const version = (reader: Reader): ProtocolVersionName => versionName(reader.u16());
const suite = (reader: Reader): CiphersuiteName => suiteName(reader.u16());
const u16 = (reader: Reader): number => reader.u16();

export const readExtension = (reader: Reader): Extension => ({
  extensionType: reader.u16(),
  extensionData: reader.opaque(),
});
export const readExtensions = (reader: Reader): Extension[] => reader.vector(readExtension);

function readCredential(reader: Reader): Credential {
  const kind = reader.u16();
  if (kind === 1) return { credentialType: "basic", identity: reader.opaque() };
  if (kind === 2) return { credentialType: "x509", certificates: reader.vector(byte) };
  throw new UnsupportedError(`credential type ${kind} can't be read`);
}

const readCapabilities = (reader: Reader): Capabilities => ({
  versions: reader.vector(version),
  ciphersuites: reader.vector(suite),
  extensions: reader.vector(u16),
  proposals: reader.vector(u16),
  credentials: reader.vector((inner) => credentialName(inner.u16())),
});

/** Read the `required_capabilities` of a GroupContext, as numbers: extensions, proposals, credentials. */
export const readRequired = (reader: Reader): readonly [number[], number[], CredentialTypeName[]] => [
  reader.vector(u16),
  reader.vector(u16),
  reader.vector((inner) => credentialName(inner.u16())),
];

/** Read an ExternalSender: signature key and credential. */
export const readExternalSender = (reader: Reader): readonly [Bytes, Credential] => [
  reader.opaque(),
  readCredential(reader),
];

export function readLeafNode(reader: Reader): LeafNode {
  const data = {
    hpkePublicKey: reader.opaque(),
    signaturePublicKey: reader.opaque(),
    credential: readCredential(reader),
    capabilities: readCapabilities(reader),
  };
  const source = reader.u8();
  switch (source) {
    case 1: {
      const lifetime = { notBefore: reader.u64(), notAfter: reader.u64() };
      const info = { leafNodeSource: "key_package", lifetime } as const;
      return { ...data, ...info, extensions: readExtensions(reader), signature: reader.opaque() };
    }
    case 2:
      return {
        ...data,
        leafNodeSource: "update",
        extensions: readExtensions(reader),
        signature: reader.opaque(),
      };
    case 3: {
      const info = { leafNodeSource: "commit", parentHash: reader.opaque() } as const;
      return { ...data, ...info, extensions: readExtensions(reader), signature: reader.opaque() };
    }
  }
  throw new MalformedError(`leaf node source ${source} does not exist`);
}

// The type casts accept a leaf of any source, as Python's reader does: the numbered rules reject a wrong
// source later, and blame the signer.

export const readKeyPackage = (reader: Reader): KeyPackage => ({
  version: version(reader),
  cipherSuite: suite(reader),
  initKey: reader.opaque(),
  leafNode: readLeafNode(reader) as LeafNodeKeyPackage,
  extensions: readExtensions(reader),
  signature: reader.opaque(),
});

const USAGES: readonly (ResumptionPSKUsageName | undefined)[] = [
  undefined,
  "application",
  "reinit",
  "branch",
];

function readPskId(reader: Reader): PreSharedKeyID {
  const kind = reader.u8();
  if (kind === 1) return { psktype: "external", pskId: reader.opaque(), pskNonce: reader.opaque() };
  if (kind !== 2) throw new MalformedError(`PSK type ${kind} does not exist`);
  const usage = USAGES[reader.u8()];
  if (usage === undefined) throw new MalformedError("that resumption PSK usage does not exist");
  const info = { psktype: "resumption", usage, pskGroupId: reader.opaque(), pskEpoch: reader.u64() } as const;
  return { ...info, pskNonce: reader.opaque() };
}

/** Decode a proposal. UnsupportedError for unsupported types: their length is unknown. */
function readProposal(reader: Reader): Proposal {
  const kind = reader.u16();
  switch (kind) {
    case 1:
      return { proposalType: "add", add: { keyPackage: readKeyPackage(reader) } };
    case 2:
      return { proposalType: "update", update: { leafNode: readLeafNode(reader) as LeafNodeUpdate } };
    case 3:
      return { proposalType: "remove", remove: { removed: reader.u32() } };
    case 4:
      return { proposalType: "psk", psk: { preSharedKeyId: readPskId(reader) } };
    case 5: {
      const head = { groupId: reader.opaque(), version: version(reader), cipherSuite: suite(reader) };
      return { proposalType: "reinit", reinit: { ...head, extensions: readExtensions(reader) } };
    }
    case 6:
      return { proposalType: "external_init", externalInit: { kemOutput: reader.opaque() } };
    case 7:
      return {
        proposalType: "group_context_extensions",
        groupContextExtensions: { extensions: readExtensions(reader) },
      };
  }
  throw new UnsupportedError(`proposal type ${kind} can't be read`);
}

const readCiphertext = (reader: Reader): HPKECiphertext => ({
  kemOutput: reader.opaque(),
  ciphertext: reader.opaque(),
});

const readPathNode = (reader: Reader): UpdatePathNode => ({
  hpkePublicKey: reader.opaque(),
  encryptedPathSecret: reader.vector(readCiphertext),
});

const readPath = (reader: Reader): UpdatePath => ({
  leafNode: readLeafNode(reader) as LeafNodeCommit,
  nodes: reader.vector(readPathNode),
});

function readItem(reader: Reader): ProposalOrRef {
  const kind = reader.u8();
  if (kind === 1) return { proposalOrRefType: "proposal", proposal: readProposal(reader) };
  if (kind === 2) return { proposalOrRefType: "reference", reference: reader.opaque() };
  throw new MalformedError(`a commit's item of type ${kind} is neither a proposal nor a reference`);
}

const readCommit = (reader: Reader): Commit => ({
  proposals: reader.vector(readItem),
  path: reader.optional(readPath),
});

const CONTENT_TYPES: readonly (ContentTypeName | undefined)[] = [
  undefined,
  "application",
  "proposal",
  "commit",
];

function readContentType(reader: Reader): ContentTypeName {
  const value = reader.u8();
  const name = CONTENT_TYPES[value];
  if (name === undefined) throw new MalformedError(`content type ${value} does not exist`);
  return name;
}

/** Read the content of a PrivateMessage, or of a FramedContent after its content type. */
export function readContent(reader: Reader, contentType: ContentTypeName): FramedContentInfo {
  switch (contentType) {
    case "application":
      return { contentType, applicationData: reader.opaque() };
    case "proposal":
      return { contentType, proposal: readProposal(reader) };
    case "commit":
      return { contentType, commit: readCommit(reader) };
  }
}

export function readAuth(reader: Reader, contentType: ContentTypeName): FramedContentAuthData {
  const signature = reader.opaque();
  return contentType === "commit"
    ? { contentType, signature, confirmationTag: reader.opaque() }
    : { contentType, signature };
}

function readSender(reader: Reader): Sender {
  const kind = reader.u8();
  switch (kind) {
    case 1:
      return { senderType: "member", leafIndex: reader.u32() };
    case 2:
      return { senderType: "external", senderIndex: reader.u32() };
    case 3:
      return { senderType: "new_member_proposal" };
    case 4:
      return { senderType: "new_member_commit" };
  }
  throw new MalformedError(`sender type ${kind} does not exist`);
}

function readPublicMessage(reader: Reader): PublicMessage {
  const head = { groupId: reader.opaque(), epoch: reader.u64(), sender: readSender(reader) };
  const authenticatedData = reader.opaque();
  const content = { ...head, authenticatedData, ...readContent(reader, readContentType(reader)) };
  const auth = readAuth(reader, content.contentType);
  const { senderType } = head.sender;
  return senderType === "member"
    ? { content, auth, senderType, membershipTag: reader.opaque() }
    : { content, auth, senderType };
}

function readPrivateMessage(reader: Reader): PrivateMessage {
  const head = { groupId: reader.opaque(), epoch: reader.u64(), contentType: readContentType(reader) };
  const rest = { authenticatedData: reader.opaque(), encryptedSenderData: reader.opaque() };
  return { ...head, ...rest, ciphertext: reader.opaque() };
}

export const readGroupContext = (reader: Reader): GroupContext => ({
  version: version(reader),
  cipherSuite: suite(reader),
  groupId: reader.opaque(),
  epoch: reader.u64(),
  treeHash: reader.opaque(),
  confirmedTranscriptHash: reader.opaque(),
  extensions: readExtensions(reader),
});

export const readGroupInfo = (reader: Reader): GroupInfo => ({
  groupContext: readGroupContext(reader),
  extensions: readExtensions(reader),
  confirmationTag: reader.opaque(),
  signer: reader.u32(),
  signature: reader.opaque(),
});

export const readGroupSecrets = (reader: Reader): GroupSecrets => ({
  joinerSecret: reader.opaque(),
  pathSecret: reader.optional(byte),
  psks: reader.vector(readPskId),
});

const readWelcome = (reader: Reader): Welcome => ({
  cipherSuite: suite(reader),
  secrets: reader.vector((inner) => ({
    newMember: inner.opaque(),
    encryptedGroupSecrets: readCiphertext(inner),
  })),
  encryptedGroupInfo: reader.opaque(),
});

function readNode(reader: Reader): Node {
  const kind = reader.u8();
  if (kind === 1) return { nodeType: "leaf", leaf: readLeafNode(reader) };
  if (kind !== 2) throw new MalformedError(`node type ${kind} does not exist`);
  const parent: ParentNode = {
    hpkePublicKey: reader.opaque(),
    parentHash: reader.opaque(),
    unmergedLeaves: reader.vector((inner) => inner.u32()),
  };
  return { nodeType: "parent", parent };
}

/**
 * Read the nodes of a `ratchet_tree` (section 12.4.3.3), unverified; blank nodes extend them to the next full
 * size. MalformedError if it is empty or ends in a blank node, or if a node has the wrong type for its index.
 */
export function readTree(reader: Reader): RatchetTree {
  const nodes: RatchetTree = reader.vector((inner) => inner.optional(readNode));
  if (nodes.at(-1) === undefined) throw new MalformedError("a ratchet tree is empty or ends in a blank node");
  nodes.forEach((node, index) => {
    if (node !== undefined && (node.nodeType === "leaf") !== (index % 2 === 0))
      throw new MalformedError(`node ${index} of a ratchet tree is of the wrong type for its place`);
  });
  let width = 1;
  while (width < nodes.length) width = 2 * width + 1;
  while (nodes.length < width) nodes.push(undefined);
  return nodes;
}

/** A decoded MLSMessage; `other` stands for a GroupInfo or a KeyPackage. */
export type Message =
  | { readonly kind: "public"; readonly message: PublicMessage }
  | { readonly kind: "private"; readonly message: PrivateMessage }
  | { readonly kind: "welcome"; readonly message: Welcome }
  | { readonly kind: "other" };

function readMessage(reader: Reader): Message {
  if (reader.u16() !== MLS10) throw new UnsupportedError("that protocol version is not MLS 1.0");
  const kind = reader.u16();
  switch (kind) {
    case 1:
      return { kind: "public", message: readPublicMessage(reader) };
    case 2:
      return { kind: "private", message: readPrivateMessage(reader) };
    case 3:
      return { kind: "welcome", message: readWelcome(reader) };
    case 4:
      readGroupInfo(reader);
      return { kind: "other" };
    case 5:
      readKeyPackage(reader);
      return { kind: "other" };
  }
  throw new UnsupportedError(`wire format ${kind} can't be read`);
}

/** Decode one MLSMessage. MalformedError or UnsupportedError. */
export const decodeMessage = (data: Bytes): Message => decode(data, readMessage);
