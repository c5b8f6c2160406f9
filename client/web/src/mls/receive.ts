/**
 * Opening and verifying a received message (RFC 9420 sections 6.1 to 6.3).
 *
 * A message that is not authentic changes nothing. An authentic PrivateMessage consumes its key.
 */

import type { PrivateMessage } from "ts-mls/privateMessage.js";
import type { PublicMessage } from "ts-mls/publicMessage.js";
import { type Bytes, same } from "../crypto/bytes";
import { MalformedError, MissingKeyError, StateError, UnsupportedError, ValidationError } from "../crypto/errors";
import { openSenderData, type Signed, unprotectPrivate, unprotectPublic, verifyContent } from "./framing";
import { decodeMessage } from "./read";
import { type EpochState, type OpenEpoch, openEpoch } from "./state";
import type { ApplicationMessage } from "./types";
import * as validate from "./validate";
import { must } from "./validate";
import * as rules from "./validateCommit";

/** The verified content of a proposal or commit, and its sender's leaf; null: from outside the group. */
export interface OpenedHandshake {
  readonly signed: Signed;
  readonly sender: number | null;
}

/**
 * Open an MLSMessage: application data, or the verified content of a proposal or commit.
 *
 * See `Group.process` for the errors.
 */
export async function openMessage(
  state: EpochState,
  message: Bytes,
): Promise<ApplicationMessage | OpenedHandshake> {
  const decoded = decodeMessage(message);
  if (decoded.kind === "private") return openPrivate(state, decoded.message);
  if (decoded.kind === "public") return openPublic(state, decoded.message);
  throw new MalformedError("the message is neither a PublicMessage nor a PrivateMessage");
}

async function openPrivate(
  state: EpochState,
  message: PrivateMessage,
): Promise<ApplicationMessage | OpenedHandshake> {
  const epoch = epochOf(state, message);
  const sender = await openSenderData(message, epoch.senderDataSecret);
  const leaf = rules.senderIsMember(epoch.tree, sender.leaf);
  if (sender.leaf === state.ownLeaf) throw new StateError("this message is our own");
  if (epoch.departed.has(sender.leaf))
    throw new ValidationError("SNUG-17", `leaf ${sender.leaf} has been removed since`);
  const [signed, key] = await unprotectPrivate(message, sender, epoch.secretTree);
  const tbs = await verifyContent(signed, epoch.encodedContext, leaf.signaturePublicKey);
  key.consume();
  const { content } = signed;
  if (content.contentType !== "application") return { signed, sender: sender.leaf };
  return {
    type: "ApplicationMessage",
    sender: sender.leaf,
    epoch: Number(message.epoch),
    generation: sender.generation,
    authenticatedData: message.authenticatedData as Bytes,
    data: content.applicationData as Bytes,
    tbs,
    signature: signed.auth.signature as Bytes,
  };
}

/** Return the keys of a message's epoch; those of past epochs open application data only. */
function epochOf(state: EpochState, message: PrivateMessage): OpenEpoch {
  checkGroup(state, message.groupId);
  if (message.epoch === state.context.epoch) return openEpoch(state);
  for (const past of state.past)
    if (past.context.epoch === message.epoch && message.contentType === "application") return past;
  throw new MissingKeyError(`a message of epoch ${message.epoch}; we are in ${state.context.epoch}`);
}

function checkGroup(state: EpochState, groupId: Uint8Array): void {
  if (!same(groupId, state.context.groupId)) throw new MissingKeyError("a message of another group");
}

async function openPublic(state: EpochState, message: PublicMessage): Promise<OpenedHandshake> {
  const { content } = message;
  checkGroup(state, content.groupId);
  if (content.epoch !== state.context.epoch)
    throw new MissingKeyError(`a message of epoch ${content.epoch}; we are in ${state.context.epoch}`);
  const signed = unprotectPublic(message, state.encodedContext, state.secrets.membershipKey);
  await verifyContent(signed, state.encodedContext, signatureKey(state, signed));
  const leaf = content.sender.senderType === "member" ? content.sender.leafIndex : null;
  if (leaf === state.ownLeaf) throw new StateError("this message is our own");
  return { signed, sender: leaf };
}

/** Return the signature key that a PublicMessage must verify under (section 6.1). */
function signatureKey(state: EpochState, { content }: Signed): Uint8Array {
  const { sender } = content;
  switch (sender.senderType) {
    case "member":
      return rules.senderIsMember(state.tree, sender.leafIndex).signaturePublicKey;
    case "external": {
      must(content.contentType === "proposal", "6-2", "an external sender sends something else than a proposal");
      const key = validate.externalSenders(state.context.extensions)[sender.senderIndex];
      must(key !== undefined, "12.1.8-1", `there is no external sender ${sender.senderIndex}`);
      return key;
    }
    case "new_member_proposal":
      must(
        content.contentType === "proposal" && content.proposal.proposalType === "add",
        "6-3",
        "a newcomer proposes something else than an Add",
      );
      return content.proposal.add.keyPackage.leafNode.signaturePublicKey;
    case "new_member_commit":
      throw new UnsupportedError("nobody comes in by a commit of its own");
  }
}
