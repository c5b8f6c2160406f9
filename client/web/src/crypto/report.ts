/**
 * Reports that can't be fabricated: a message, the leaf that signed it, the host's admission of that leaf.
 *
 * Protocol section 13. A report shows, of each accused message, what its sender signed (FramedContentTBS, RFC
 * 9420 6.1: the content, the group, the epoch and its GroupContext, which carries the meeting's policy) and a
 * host's signature over the sender's key, the group and the invite that was used:
 *
 *     admission = sign_host("snug 1 admission" | len16(group_id) | signature_key 32 | invite 2)
 *
 * The host key is the one that stands in the meeting's link: whoever judges a report has to have it from the
 * host. A member can't sign for another, an outsider has no admission, an operator has neither. Only meetings
 * whose policy says so from the beginning (`Policy.reports`) can be reported, and what is signed there says
 * it.
 *
 * The page makes such files, and checks what it makes; `snug report verify` (crypto/report.py) reads them.
 * Fields are named as in the file.
 */

import { decode, type Reader } from "../mls/reader";
import { type Bytes, concat, same, utf8 } from "./bytes";
import { AuthenticationError, MalformedError, SnugCryptoError } from "./errors";
import { exactly, prefixed, uint } from "./fields";
import { type SigningKey, verify } from "./kdf";
import { verifyWithLabel } from "./labels";
import * as oneForm from "./oneForm";
import { Policy, POLICY_EXTENSION } from "./roomState";

/** In the place of an invite's index: this member opened the meeting, and was let in by nobody. */
export const NO_INVITE = 0xffff;
/** Messages in one report. */
export const MESSAGES_MAX = 64;
export const FORMAT = "snug report 1";
const LABEL = "FramedContentTBS";

/** One message as its sender signed it, and the sender's admission. As read it proves nothing yet. */
export interface Accused {
  readonly tbs: Bytes;
  readonly signature: Bytes;
  readonly signature_key: Bytes;
  readonly invite: number;
  readonly admission: Bytes;
}

/** The accused messages, nobody else's words, and the host key that the report claims. */
export interface Report {
  readonly format: typeof FORMAT;
  readonly host_public: Bytes;
  readonly messages: readonly Accused[];
}

const ORDER = "format host_public messages tbs signature signature_key invite admission".split(" ");

/**
 * What holds once a message has verified: the holder of `signatureKey` wrote `data`.
 *
 * `data` is the application data (one JSON object, protocol section 7); `invite` is null for who opened the
 * meeting. `epoch` and `claimsHost` stand in what the writer has signed, and are its word alone: nobody else
 * vouches for the context in a report.
 */
export interface Proven {
  readonly signatureKey: Bytes;
  readonly hostPublic: Bytes;
  readonly groupId: Bytes;
  readonly epoch: number;
  readonly invite: number | null;
  readonly claimsHost: boolean;
  readonly data: Bytes;
}

/** What a host signs for each member. MalformedError on wrong sizes. */
export function admissionMessage(groupId: Bytes, signatureKey: Bytes, invite: number): Bytes {
  exactly(signatureKey, 32, "a signature key");
  return concat(utf8("snug 1 admission"), prefixed(groupId, 2), signatureKey, uint(invite, 2));
}

/** A host's signature (64 bytes) that it let this key in by that invite. */
export async function admit(
  hostKey: SigningKey,
  groupId: Bytes,
  signatureKey: Bytes,
  invite: number,
): Promise<Bytes> {
  return hostKey.sign(admissionMessage(groupId, signatureKey, invite));
}

/** AuthenticationError unless the host signed just that; MalformedError on wrong sizes. */
export async function checkAdmission(
  hostPublic: Bytes,
  groupId: Bytes,
  signatureKey: Bytes,
  invite: number,
  admission: Bytes,
): Promise<void> {
  try {
    await verify(hostPublic, admissionMessage(groupId, signatureKey, invite), admission);
  } catch (error) {
    if (!(error instanceof AuthenticationError)) throw error;
    throw new AuthenticationError("the host did not sign that this key was let in by that invite");
  }
}

/** The file: one JSON object in its one form, UTF-8, with a line end. */
export const encode = (report: Report): Bytes => oneForm.encode(report, ORDER);

/** All of a report, or nothing: errors as of `verifyMessage`. */
export async function verifyReport(report: Report, hostPublic: Bytes): Promise<Proven[]> {
  if (!same(report.host_public, hostPublic))
    throw new AuthenticationError("the report claims to be of another host's meeting");
  return Promise.all(report.messages.map((accused) => verifyMessage(accused, hostPublic)));
}

/**
 * Check one message against the meeting's host key, which must come from the host itself.
 *
 * MalformedError for what is no signed message; AuthenticationError, with a sentence, for what isn't proven.
 */
export async function verifyMessage(accused: Accused, hostPublic: Bytes): Promise<Proven> {
  const [content, context] = decode(accused.tbs, (r) => [readContent(r), readContext(r)] as const);
  const signatureKey = accused.signature_key;
  try {
    await verifyWithLabel(signatureKey, LABEL, accused.tbs, accused.signature);
  } catch (error) {
    if (!(error instanceof SnugCryptoError)) throw error;
    throw new AuthenticationError("the message is not signed by that key, or was changed since");
  }
  if (!same(content.groupId, context.groupId) || content.epoch !== context.epoch)
    throw new AuthenticationError("the message and its context are of two meetings or epochs");
  const policy = policyOf(context.policies);
  if (!same(policy.hostPublic, hostPublic))
    throw new AuthenticationError("the message is of another host's meeting");
  if (!policy.reports)
    throw new AuthenticationError("the message is of a meeting that keeps no signatures for reports");
  await checkAdmission(hostPublic, content.groupId, signatureKey, accused.invite, accused.admission);
  return {
    signatureKey,
    hostPublic,
    groupId: content.groupId,
    epoch: Number(content.epoch),
    invite: accused.invite === NO_INVITE ? null : accused.invite,
    claimsHost: policy.hosts.some((host) => same(host, signatureKey)),
    data: content.data,
  };
}

// -- what was signed (RFC 9420 6.1, 8.1) --------------------------------------------------------------------

interface Signed {
  readonly groupId: Bytes;
  readonly epoch: bigint;
}

const PRIVATE_MESSAGE = 0x0001_0002; // protocol version mls10, wire format mls_private_message
const APPLICATION = 1;
const MEMBER = 1;

function readContent(reader: Reader): Signed & { readonly data: Bytes } {
  if (reader.u32() !== PRIVATE_MESSAGE)
    throw new MalformedError("what was signed is no private message of MLS 1.0");
  const groupId = reader.opaque();
  const epoch = reader.u64();
  const member = reader.u8() === MEMBER;
  if (member) {
    reader.u32(); // its leaf
    reader.opaque(); // authenticated_data
  }
  if (!member || reader.u8() !== APPLICATION)
    throw new MalformedError("what was signed is no member's message");
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
    throw new MalformedError("what was signed names no policy of a meeting");
  return Policy.decode(found);
}
