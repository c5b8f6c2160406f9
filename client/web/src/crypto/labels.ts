/**
 * VerifyWithLabel (RFC 9420 5.1.2): each signature has a label for its purpose, so that a signature for one
 * purpose is invalid for any other.
 */

import { type Bytes, concat, int, utf8 } from "./bytes";
import { AuthenticationError, MalformedError } from "./errors";
import { verify } from "./kdf";

/** Encode `opaque data<V>` (RFC 9420 2.1.2): `data` after the shortest length of 1, 2 or 4 bytes. */
export function opaque(data: Uint8Array): Bytes {
  const size = data.length;
  if (size < 0x40) return concat(int(size, 1), data);
  return size < 0x4000 ? concat(int(0x4000 + size, 2), data) : concat(int(0x8000_0000 + size, 4), data);
}

/** Return the bytes that SignWithLabel signs. */
export const labeled = (label: string, content: Bytes): Bytes =>
  concat(opaque(utf8(`MLS 1.0 ${label}`)), opaque(content));

/** VerifyWithLabel. AuthenticationError also for keys and signatures of the wrong size. */
export async function verifyWithLabel(
  key: Bytes,
  label: string,
  content: Bytes,
  signature: Bytes,
): Promise<void> {
  try {
    await verify(key, labeled(label, content), signature);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new AuthenticationError(`a signature does not verify: ${error.message}`);
  }
}
