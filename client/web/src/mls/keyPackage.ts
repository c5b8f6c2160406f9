/** Key packages (RFC 9420 section 10): how a client says that it may be added, and with which keys. */

import { encodeRequiredCapabilities } from "ts-mls/requiredCapabilities.js";
import { type KeyPackage as TsKeyPackage, signKeyPackage } from "ts-mls/keyPackage.js";
import { signLeafNodeKeyPackage } from "ts-mls/leafNode.js";
import type { Bytes, Rng } from "../crypto/bytes";
import { StateError } from "../crypto/errors";
import type { X25519Key } from "../crypto/primitives";
import { checkKeyPackage } from "./proposals";
import { credentialName, MLS10, readKeyPackage, suiteName, versionName } from "./read";
import { decode } from "./reader";
import { keyPackageOf, toExtension } from "./shapes";
import { generateKey, handle, ourSuite, pickGrease, refHash, signature, SUITE } from "./suite";
import { CipherSuite, type Extension, ExtensionType } from "./types";
import type { KeyPackage, Lifetime, Proposal, SignatureKey } from "./types";

/** A key package as it came off the wire: nothing about it has been checked. */
export class KeyPackageIn {
  readonly #read: TsKeyPackage;
  readonly encoded: Bytes;

  private constructor(read: TsKeyPackage, encoded: Bytes) {
    this.#read = read;
    this.encoded = encoded;
  }

  /** Read a bare KeyPackage (not wrapped in an MLSMessage). MalformedError. */
  static decode(data: Bytes): KeyPackageIn {
    return new KeyPackageIn(decode(data, readKeyPackage), data);
  }

  /**
   * Check everything of RFC 9420 section 10.1 that can be checked without a group.
   *
   * `suite` is the group's (null: any that we speak). `now` (Unix seconds, null: unjudged) makes its lifetime
   * count. ValidationError, or UnsupportedError for a suite that we don't speak.
   */
  async verify(suite: number | null, now: number | null): Promise<KeyPackage> {
    await checkKeyPackage(this.#read, suite, now);
    return keyPackageOf(this.#read);
  }
}

/** The private halves of a key package of ours. */
export interface BundleKeys {
  readonly init: X25519Key;
  readonly encryption: X25519Key;
  readonly signature: SignatureKey;
}

/** Our key package with its private keys. Joining a group with it forgets them: it serves once. */
export class KeyPackageBundle {
  readonly made: TsKeyPackage;
  readonly keyPackage: KeyPackage;
  #keys: BundleKeys | null;

  constructor(made: TsKeyPackage, keys: BundleKeys) {
    this.made = made;
    this.keyPackage = keyPackageOf(made);
    this.#keys = keys;
  }

  /** The bare KeyPackage, to be sent. */
  get encoded(): Bytes {
    return this.keyPackage.encoded;
  }

  /** KeyPackageRef (section 5.2), 32 bytes. */
  get reference(): Bytes {
    return refHash("MLS 1.0 KeyPackage Reference", this.encoded);
  }

  get used(): boolean {
    return this.#keys === null;
  }

  /** StateError once the bundle has been used. */
  get keys(): BundleKeys {
    if (this.#keys === null) throw new StateError("this key package has been used to enter a group");
    return this.#keys;
  }

  /** Forget the HPKE keys. The signature key is the caller's and stays. */
  wipe(): void {
    this.#keys = null;
  }
}

export interface KeyPackageOptions {
  readonly signatureKey: SignatureKey;
  /** The basic credential's bytes. */
  readonly identity: Bytes;
  /** Extensions that the leaf supports. */
  readonly supports: readonly number[];
  readonly lifetime: Lifetime;
  readonly extensions?: readonly Extension[];
  readonly rng: Rng;
}

/**
 * A fresh key package of ours, signed, with new HPKE keys. ValidationError when it contradicts itself.
 *
 * Values that mean nothing (GREASE, RFC 9420 13.5) stand in its lists, so that everybody's tolerance is
 * exercised.
 */
export async function createKeyPackage(suite: number, options: KeyPackageOptions): Promise<KeyPackageBundle> {
  ourSuite(suite);
  const init = await generateKey(options.rng);
  const encryption = await generateKey(options.rng);
  const key = handle<Uint8Array>(options.signatureKey);
  const { notBefore, notAfter } = options.lifetime;
  const { rng } = options;
  const unknown = pickGrease(rng);
  const grease = (): Extension => ({ extensionType: unknown, data: rng((rng(1)[0] ?? 0) % 16) });
  const leafNode = await signLeafNodeKeyPackage(
    {
      leafNodeSource: "key_package",
      hpkePublicKey: encryption.public,
      signaturePublicKey: options.signatureKey.public,
      credential: { credentialType: "basic", identity: options.identity },
      capabilities: {
        versions: [versionName(MLS10)],
        // those of the protocol, as the command line lists them: this page speaks the first
        ciphersuites: [...Object.values(CipherSuite), pickGrease(rng)].map(suiteName),
        extensions: [...options.supports, unknown],
        proposals: [pickGrease(rng)],
        credentials: ["basic", credentialName(pickGrease(rng))],
      },
      lifetime: { notBefore: BigInt(notBefore), notAfter: BigInt(notAfter) },
      extensions: [toExtension(grease())],
    },
    key,
    signature,
  );
  const content = {
    version: versionName(MLS10),
    cipherSuite: suiteName(SUITE),
    initKey: init.public,
    leafNode,
    extensions: [...(options.extensions ?? []), grease()].map(toExtension),
  };
  const made = await signKeyPackage(content, key, signature);
  await checkKeyPackage(made, SUITE, null);
  return new KeyPackageBundle(made, { init, encryption, signature: options.signatureKey });
}

// -- proposals of ours --

export const add = (keyPackage: KeyPackage): Proposal => ({ type: "Add", keyPackage });

export const remove = (leaf: number): Proposal => ({ type: "Remove", removed: leaf });

/** The application's key `pskId`, with a new nonce. */
export const externalPsk = (pskId: Bytes, rng: Rng): Proposal => ({
  type: "PreSharedKey",
  psk: { type: "ExternalPsk", pskId, nonce: rng(32) },
});

export const groupContextExtensions = (extensions: readonly Extension[]): Proposal => ({
  type: "GroupContextExtensions",
  extensions,
});

/** The `required_capabilities` extension of a GroupContext that requires these extensions. */
export const requiredCapabilities = (extensions: readonly number[]): Extension => ({
  extensionType: ExtensionType.REQUIRED_CAPABILITIES,
  data: encodeRequiredCapabilities({
    extensionTypes: [...extensions],
    proposalTypes: [],
    credentialTypes: [],
  }) as Bytes,
});
