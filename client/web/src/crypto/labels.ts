/**
 * SignWithLabel's other half (RFC 9420 5.1.2): every signature says what for, so that none passes for
 * another.
 */

import { type Bytes, concat, int, utf8 } from "./bytes";
import { AuthenticationError, MalformedError } from "./errors";
import { verify } from "./kdf";

/** `opaque data<V>` (RFC 9420 2.1.2): behind a length of 1, 2 or 4 bytes, the shortest that holds it. */
export function opaque(data: Uint8Array): Bytes {
  const size = data.length;
  if (size < 0x40) return concat(int(size, 1), data);
  return size < 0x4000 ? concat(int(0x4000 + size, 2), data) : concat(int(0x8000_0000 + size, 4), data);
}

/** What SignWithLabel signs. */
export const labeled = (label: string, content: Bytes): Bytes =>
  concat(opaque(utf8(`MLS 1.0 ${label}`)), opaque(content));

/** VerifyWithLabel. AuthenticationError, for keys and signatures of a wrong size too. */
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
