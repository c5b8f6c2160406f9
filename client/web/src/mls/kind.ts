/** What an MLSMessage claims to carry. */

import type { Bytes } from "../crypto/bytes";
import { decodeMessage } from "./read";
import { ContentType, WireFormat } from "./types";

const TYPES = {
  application: ContentType.APPLICATION,
  proposal: ContentType.PROPOSAL,
  commit: ContentType.COMMIT,
} as const;

/**
 * Read off the clear part of a message; nothing of it is verified or used up.
 *
 * null for a Welcome, a GroupInfo or a KeyPackage. MalformedError or UnsupportedError.
 */
export function kindOf(message: Bytes): readonly [WireFormat, ContentType] | null {
  const decoded = decodeMessage(message);
  if (decoded.kind === "private") return [WireFormat.PRIVATE_MESSAGE, TYPES[decoded.message.contentType]];
  if (decoded.kind === "public")
    return [WireFormat.PUBLIC_MESSAGE, TYPES[decoded.message.content.contentType]];
  return null;
}
