/** Admissions: a host's signature that a member's key came in by an invite (docs/reference/protocol.md, section 13). */
import { encode } from "../../wire/layout";
import { ADMISSION } from "../../wire/layouts/report";
import type { Bytes } from "../bytes";
import { AuthenticationError } from "../errors";
import { type SigningKey, verify } from "../kdf";

/** Placeholder invite index: the member opened the meeting and used no invite. */
export const NO_INVITE = 0xffff;

/** Return the message that a host signs for each member. MalformedError on wrong sizes. */
export const admissionMessage = (groupId: Bytes, signatureKey: Bytes, invite: number): Bytes =>
  encode(ADMISSION, { groupId, signatureKey, invite });

/** Return a host's signature (64 bytes) that it admitted this key with that invite. */
export async function signAdmission(
  hostKey: SigningKey,
  groupId: Bytes,
  signatureKey: Bytes,
  invite: number,
): Promise<Bytes> {
  return hostKey.sign(admissionMessage(groupId, signatureKey, invite));
}

/** Throw AuthenticationError unless the host signed exactly this; MalformedError on wrong sizes. */
export async function verifyAdmission(
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
