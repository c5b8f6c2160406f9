/**
 * Protecting and unprotecting messages (RFC 9420 sections 6.1 to 6.3).
 *
 * Unprotecting turns a message into unverified content; `verifyContent` verifies its signature. The caller
 * consumes keys after verification, never before.
 */

import { authenticatedContentEncoder } from "ts-mls/authenticatedContent.js";
import { encode } from "ts-mls/codec/tlsEncoder.js";
import {
  encodeFramedContent,
  encodeFramedContentAuthData,
  type FramedContent,
  type FramedContentAuthData,
} from "ts-mls/framedContent.js";
import { encodeMlsMessage } from "ts-mls/message.js";
import { encodePrivateMessageContent, type PrivateMessage } from "ts-mls/privateMessage.js";
import type { PublicMessage } from "ts-mls/publicMessage.js";
import { type Bytes, concat, int, type Rng } from "../crypto/bytes";
import { AuthenticationError, MalformedError } from "../crypto/errors";
import { mac } from "../crypto/kdf";
import { labeled, verifyWithLabel } from "../crypto/labels";
import { MLS10, readAuth, readContent, versionName } from "./read";
import { decode, Reader } from "./reader";
import type { MessageKey, RatchetKind, SecretTree } from "./secrets";
import type { EpochState } from "./state";
import { expandWithLabel, macMatches, NH, open, opaque, refHash, seal } from "./suite";
import { must } from "./validate";

const LABEL = "FramedContentTBS";
const GUARD = 4;
const CODES = { application: 1, proposal: 2, commit: 3 } as const;

/**
 * Content with its signature and, for a commit, its confirmation tag. `private`: signed for a PrivateMessage.
 */
export interface Signed {
  readonly private: boolean;
  readonly content: FramedContent;
  readonly auth: FramedContentAuthData;
}

const wireFormat = (isPrivate: boolean): Bytes => int(isPrivate ? 2 : 1, 2);

/** Return FramedContentTBS (section 6.1); `context` is the encoded GroupContext of the epoch. */
export function toBeSigned(isPrivate: boolean, content: FramedContent, context: Bytes): Bytes {
  const head = concat(int(MLS10, 2), wireFormat(isPrivate), encodeFramedContent(content));
  const { senderType } = content.sender;
  return senderType === "member" || senderType === "new_member_commit" ? concat(head, context) : head;
}

/** Return our signature of FramedContentTBS. */
export const signContent = (state: EpochState, isPrivate: boolean, content: FramedContent): Promise<Bytes> =>
  state.signatureKey.sign(labeled(LABEL, toBeSigned(isPrivate, content, state.encodedContext)));

/** Check the signature (section 6.1) and return the signed FramedContentTBS. AuthenticationError. */
export async function verifyContent(signed: Signed, context: Bytes, key: Uint8Array): Promise<Bytes> {
  const tbs = toBeSigned(signed.private, signed.content, context);
  await verifyWithLabel(key as Bytes, LABEL, tbs, signed.auth.signature as Bytes);
  return tbs;
}

const spelled = (signed: Signed) =>
  ({ ...signed, wireformat: signed.private ? "mls_private_message" : "mls_public_message" }) as const;

/** MakeProposalRef (section 5.2). */
export const proposalRef = (signed: Signed): Bytes =>
  refHash("MLS 1.0 Proposal Reference", encode(authenticatedContentEncoder)(spelled(signed)));

// -- PublicMessage, section 6.2 --

const membershipMacInput = (signed: Signed, context: Bytes): Bytes =>
  concat(toBeSigned(false, signed.content, context), encodeFramedContentAuthData(signed.auth));

function protectPublic(state: EpochState, signed: Signed): Bytes {
  const { content, auth } = signed;
  const membershipTag = mac(state.secrets.membershipKey, membershipMacInput(signed, state.encodedContext));
  const publicMessage: PublicMessage = { content, auth, senderType: "member", membershipTag };
  return encodeMlsMessage({
    version: versionName(MLS10),
    wireformat: "mls_public_message",
    publicMessage,
  }) as Bytes;
}

/** Check the membership tag of a member's message. AuthenticationError or ValidationError. */
export function unprotectPublic(message: PublicMessage, context: Bytes, membershipKey: Uint8Array): Signed {
  const signed: Signed = { private: false, content: message.content, auth: message.auth };
  must(message.content.contentType !== "application", "6-1", "application data outside a PrivateMessage");
  if (
    message.senderType === "member" &&
    !macMatches(membershipKey, membershipMacInput(signed, context), message.membershipTag)
  )
    throw new AuthenticationError("a membership tag does not verify");
  return signed;
}

// -- PrivateMessage, section 6.3 --

/** Return the kind of ratchet that protects this content type. */
const ratchetKind = (type: FramedContent["contentType"]): RatchetKind =>
  type === "application" ? "application" : "handshake";

type Head = Pick<FramedContent, "groupId" | "epoch" | "contentType">;

const senderDataAad = ({ groupId, epoch, contentType }: Head): Bytes =>
  concat(opaque(groupId), int(Number(epoch), 8), int(CODES[contentType], 1));

const guarded = (nonce: Bytes, guard: Bytes): Bytes =>
  nonce.map((byte, i) => (i < GUARD ? byte ^ (guard[i] ?? 0) : byte));

/** Return [key, nonce] of the sender data, from a sample of the ciphertext (section 6.3.2). */
function senderDataKey(secret: Uint8Array, ciphertext: Uint8Array): readonly [Bytes, Bytes] {
  const sample = ciphertext.subarray(0, NH);
  return [expandWithLabel(secret, "key", sample, 16), expandWithLabel(secret, "nonce", sample, 12)];
}

/** Encrypt under the next key of our ratchet and consume that key. MLS's own padding is not used. */
async function protectPrivate(state: EpochState, signed: Signed, rng: Rng): Promise<Bytes> {
  const { content, auth } = signed;
  const head = senderDataAad(content);
  const aad = concat(head, opaque(content.authenticatedData));
  // `content` and `auth` of a `Signed` always have the same content type; the compiler cannot see that
  const inner = { ...content, auth } as Parameters<ReturnType<typeof encodePrivateMessageContent>>[0];
  const plaintext = encodePrivateMessageContent({ kind: "alwaysPad", paddingLength: 0 })(inner);
  const { generation, key, nonce } = state.secretTree.next(state.ownLeaf, ratchetKind(content.contentType));
  const guard = rng(GUARD);
  const ciphertext = await seal(key, guarded(nonce, guard), plaintext as Bytes, aad);
  key.fill(0);
  const [dataKey, dataNonce] = senderDataKey(state.secrets.senderDataSecret, ciphertext);
  const senderData = concat(int(state.ownLeaf, 4), int(generation, 4), guard);
  const { groupId, epoch, contentType, authenticatedData } = content;
  const privateMessage: PrivateMessage = {
    groupId,
    epoch,
    contentType,
    authenticatedData,
    encryptedSenderData: await seal(dataKey, dataNonce, senderData, head),
    ciphertext,
  };
  return encodeMlsMessage({
    version: versionName(MLS10),
    wireformat: "mls_private_message",
    privateMessage,
  }) as Bytes;
}

/** Return our signed content as an encoded MLSMessage, in the wire format that it was signed for. */
export const send = async (state: EpochState, signed: Signed, rng: Rng): Promise<Bytes> =>
  signed.private ? protectPrivate(state, signed, rng) : protectPublic(state, signed);

/** Sender and key generation of a PrivateMessage (section 6.3.2). */
export interface SenderData {
  readonly leaf: number;
  readonly generation: number;
  readonly guard: Bytes;
}

/** Decrypt the sender data. AuthenticationError or MalformedError. */
export async function openSenderData(message: PrivateMessage, secret: Uint8Array): Promise<SenderData> {
  const [key, nonce] = senderDataKey(secret, message.ciphertext);
  const plain = await open(key, nonce, message.encryptedSenderData as Bytes, senderDataAad(message));
  return decode(plain, (r) => ({ leaf: r.u32(), generation: r.u32(), guard: r.take(GUARD) }));
}

/**
 * Decrypt a PrivateMessage. The caller consumes the returned key once the content has been verified.
 *
 * AuthenticationError, MalformedError (also for non-zero padding, section 6.3.1), and the errors of
 * `SecretTree.peek`.
 */
export async function unprotectPrivate(
  message: PrivateMessage,
  sender: SenderData,
  secretTree: SecretTree,
): Promise<readonly [Signed, MessageKey]> {
  const { groupId, epoch, contentType, authenticatedData } = message;
  const key = secretTree.peek(sender.leaf, ratchetKind(contentType), sender.generation);
  const aad = concat(senderDataAad(message), opaque(authenticatedData));
  const plain = await open(key.key, guarded(key.nonce, sender.guard), message.ciphertext as Bytes, aad);
  const reader = new Reader(plain);
  const inside = readContent(reader, contentType);
  const auth = readAuth(reader, contentType);
  if (reader.rest().some((byte) => byte !== 0))
    throw new MalformedError("the padding of a PrivateMessage is not all zeros");
  const head = {
    groupId,
    epoch,
    sender: { senderType: "member", leafIndex: sender.leaf },
    authenticatedData,
  } as const;
  return [{ private: true, content: { ...head, ...inside }, auth }, key];
}

/** Return the header of our content in the state's epoch, yet to be signed. */
export const framedBy = (state: EpochState, authenticatedData: Bytes) =>
  ({
    groupId: state.context.groupId,
    epoch: state.context.epoch,
    sender: { senderType: "member", leafIndex: state.ownLeaf },
    authenticatedData,
  }) as const;
