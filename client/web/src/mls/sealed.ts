/**
 * Data of the application's own that is encrypted to a KeyPackage's init key (EncryptWithLabel, RFC 9420 section 5.1.3).
 *
 * A label must begin with "snug 1 ", so that MLS itself never takes the result; otherwise StateError.
 */
import { decryptWithLabel, encryptWithLabel } from "ts-mls/crypto/hpke.js";
import { type Bytes, concat, type Rng } from "../crypto/bytes";
import { StateError } from "../crypto/errors";
import type { KeyPackageBundle } from "./keyPackage";
import { noRng } from "./proposals";
import { handle, suiteWith } from "./suite";
import type { KeyPackage } from "./types";

function own(label: string): string {
  if (!label.startsWith("snug 1 ")) throw new StateError("a label of the application's own is needed");
  return label;
}

/** Encrypt data to the init key of a KeyPackage: KEM output, then ciphertext. */
export async function sealTo(
  keyPackage: KeyPackage,
  label: string,
  context: Bytes,
  plaintext: Bytes,
  rng: Rng,
): Promise<Bytes> {
  const key = handle<Parameters<typeof encryptWithLabel>[0]>(keyPackage.initKey as Bytes);
  const { enc, ct } = await encryptWithLabel(key, own(label), context, plaintext, suiteWith(rng).hpke);
  return concat(enc as Bytes, ct as Bytes);
}

/** Decrypt the result of `sealTo`. AuthenticationError, MalformedError; StateError once the bundle has been used. */
export async function openWith(bundle: KeyPackageBundle, label: string, context: Bytes, sealed: Bytes): Promise<Bytes> {
  const size = bundle.keyPackage.initKey.length;
  const [kemOutput, ciphertext] = [sealed.slice(0, size), sealed.slice(size)];
  const key = handle<Parameters<typeof decryptWithLabel>[0]>(bundle.keys.init);
  return (await decryptWithLabel(key, own(label), context, kemOutput, ciphertext, suiteWith(noRng).hpke)) as Bytes;
}
