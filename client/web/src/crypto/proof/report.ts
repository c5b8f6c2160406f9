/**
 * Unforgeable reports: a message, the leaf that signed it, and the host's admission of that leaf.
 *
 * docs/reference/protocol.md, section 13. For each reported message, a report contains the bytes that the sender
 * signed (FramedContentTBS, RFC 9420 6.1: content, group, epoch, and the GroupContext with the meeting's policy),
 * and a host's signature over the sender's key, the group and the invite used:
 *
 *     admission = sign_host("snug 1 admission" | len16(group_id) | signature_key 32 | invite 2)
 *
 * The host key is the one in the meeting's link: the verifier of a report must get it from the host. A member
 * cannot sign for another member, an outsider has no admission, and a server operator has neither. Only
 * meetings whose policy enables it from the start (`Policy.reports`) can be reported, and the signed
 * GroupContext includes that policy.
 *
 * `admission.ts` makes admissions. The page creates such files and verifies its own; `snug report verify`
 * (crypto/proof/report.py) reads them. Field names are those of the file.
 */

import { decode, type Reader } from "../../mls/reader";
import { type Bytes, hex, same } from "../bytes";
import { AuthenticationError, MalformedError, SnugError } from "../errors";
import { verifyWithLabel } from "../labels";
import { NO_INVITE, verifyAdmission } from "./admission";
import * as canonicalJson from "./canonicalJson";
import { Policy, POLICY_EXTENSION } from "../agreed/roomState";

/** Maximum number of messages in one report. */
export const MESSAGES_MAX = 64;
export const FORMAT = "snug report 1";
const LABEL = "FramedContentTBS";

/** One message as its sender signed it, and the sender's admission. Unverified until `verifyMessage`. */
export interface ReportedMessage {
  readonly tbs: Bytes;
  readonly signature: Bytes;
  readonly signature_key: Bytes;
  readonly invite: number;
  readonly admission: Bytes;
}

/** The reported messages, no messages of other members, and the host key that the report claims. */
export interface Report {
  readonly format: typeof FORMAT;
  readonly host_public: Bytes;
  readonly messages: readonly ReportedMessage[];
}

const ORDER = "format host_public messages tbs signature signature_key invite admission".split(" ");

/**
 * Verified facts about a message: the holder of `signatureKey` wrote `data`.
 *
 * `data` is the application data (one JSON object, docs/reference/protocol.md, section 7); `invite` is null for
 * the member who opened the meeting. `epoch` and `claimsHost` come from the writer's signed data and are the
 * writer's claims only: nothing else in a report authenticates the context.
 */
export interface VerifiedMessage {
  readonly signatureKey: Bytes;
  readonly hostPublic: Bytes;
  readonly groupId: Bytes;
  readonly epoch: number;
  readonly invite: number | null;
  readonly claimsHost: boolean;
  readonly data: Bytes;
}

/** Encode the file: one canonical JSON object in UTF-8, with a final newline. */
export const encode = (report: Report): Bytes => canonicalJson.encode(report, ORDER);

/**
 * Verify all messages of a report. Throws as `verifyMessage` does if any check fails.
 *
 * MalformedError if a message is listed twice: readers count messages. A message that its sender has sealed again in
 * another epoch is the same message: its data has a random id.
 */
export async function verifyReport(report: Report, hostPublic: Bytes): Promise<VerifiedMessage[]> {
  if (!same(report.host_public, hostPublic))
    throw new AuthenticationError("the report claims to be of another host's meeting");
  const verified = await Promise.all(report.messages.map((message) => verifyMessage(message, hostPublic)));
  const distinct = new Set(verified.map(({ signatureKey, data }) => `${hex(signatureKey)} ${hex(data)}`));
  if (distinct.size < verified.length) throw new MalformedError("the report lists a message twice");
  return verified;
}

/**
 * Verify one message against the meeting's host key, which must come from the host itself.
 *
 * MalformedError if the input is not a signed message; AuthenticationError, with the reason, if a proof
 * fails.
 */
export async function verifyMessage(message: ReportedMessage, hostPublic: Bytes): Promise<VerifiedMessage> {
  const [content, context] = decode(message.tbs, (r) => [readContent(r), readContext(r)] as const);
  const signatureKey = message.signature_key;
  try {
    await verifyWithLabel(signatureKey, LABEL, message.tbs, message.signature);
  } catch (error) {
    if (!(error instanceof SnugError)) throw error;
    throw new AuthenticationError("the message is not signed by that key, or was changed since");
  }
  if (!same(content.groupId, context.groupId) || content.epoch !== context.epoch)
    throw new AuthenticationError("the message and its context are of two meetings or epochs");
  const policy = policyOf(context.policies);
  if (!same(policy.hostPublic, hostPublic))
    throw new AuthenticationError("the message is of another host's meeting");
  if (!policy.reports)
    throw new AuthenticationError("the message is of a meeting that keeps no signatures for reports");
  await verifyAdmission(hostPublic, content.groupId, signatureKey, message.invite, message.admission);
  return {
    signatureKey,
    hostPublic,
    groupId: content.groupId,
    epoch: Number(content.epoch),
    invite: message.invite === NO_INVITE ? null : message.invite,
    claimsHost: policy.hosts.some((host) => same(host, signatureKey)),
    data: content.data,
  };
}

// -- signed content (RFC 9420 6.1, 8.1) ---------------------------------------------------------------------

interface Signed {
  readonly groupId: Bytes;
  readonly epoch: bigint;
}

const PRIVATE_MESSAGE = 0x0001_0002; // protocol version mls10, wire format mls_private_message
const APPLICATION = 1;
const MEMBER = 1;

function readContent(reader: Reader): Signed & { readonly data: Bytes } {
  if (reader.u32() !== PRIVATE_MESSAGE)
    throw new MalformedError("the signed content is not a PrivateMessage of MLS 1.0");
  const groupId = reader.opaque();
  const epoch = reader.u64();
  const member = reader.u8() === MEMBER;
  if (member) {
    reader.u32(); // the member's leaf
    reader.opaque(); // authenticated_data
  }
  if (!member || reader.u8() !== APPLICATION)
    throw new MalformedError("the signed content is not a member's message");
  return { groupId, epoch, data: reader.opaque() };
}

function readContext(reader: Reader): Signed & { readonly policies: readonly Bytes[] } {
  reader.u32(); // version and cipher suite
  const groupId = reader.opaque();
  const epoch = reader.u64();
  reader.opaque(); // tree hash
  reader.opaque(); // confirmed transcript hash
  const extensions = reader.vector((each) => [each.u16(), each.opaque()] as const);
  const policies = extensions.filter(([type]) => type === POLICY_EXTENSION).map(([, data]) => data);
  return { groupId, epoch, policies };
}

function policyOf(policies: readonly Bytes[]): Policy {
  const [found, ...more] = policies;
  if (found === undefined || more.length > 0)
    throw new MalformedError("the signed content has no policy of a meeting");
  return Policy.decode(found);
}
