/** The Welcome of a commit (RFC 9420 section 12.4.3.1), cut down for one of the members that it adds. */
import { encodeMlsMessage } from "ts-mls/message.js";
import { type Bytes, same } from "../crypto/bytes";
import { MalformedError } from "../crypto/errors";
import { decodeMessage, MLS10, versionName } from "./read";
import { refHash } from "./suite";
import type { KeyPackage } from "./types";
import { must } from "./validate";

/**
 * Return an MLSMessage with the Welcome for one of the added members, and no other's secrets.
 *
 * A commit may have several Welcomes (section 12.4.1). ValidationError("MLS-12.4.3.1-1") if `message` is not for that
 * KeyPackage; MalformedError.
 */
export function welcomeFor(message: Bytes, keyPackage: KeyPackage): Bytes {
  const decoded = decodeMessage(message);
  if (decoded.kind !== "welcome") throw new MalformedError("the message is not a Welcome");
  const reference = refHash("MLS 1.0 KeyPackage Reference", keyPackage.encoded);
  const own = decoded.message.secrets.find(({ newMember }) => same(newMember, reference));
  must(own !== undefined, "12.4.3.1-1", "the Welcome is not for this key package");
  const welcome = { ...decoded.message, secrets: [own] };
  return encodeMlsMessage({ version: versionName(MLS10), wireformat: "mls_welcome", welcome }) as Bytes;
}
