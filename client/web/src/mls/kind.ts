/** Wire format and content type of an MLSMessage, before verification. */

import type { Bytes } from "../crypto/bytes";
import { decodeMessage } from "./read";
import { ContentType, WireFormat } from "./types";

const TYPES = {
  application: ContentType.APPLICATION,
  proposal: ContentType.PROPOSAL,
  commit: ContentType.COMMIT,
} as const;

/**
 * Return wire format and content type of an MLSMessage's clear part; nothing is verified or consumed.
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
