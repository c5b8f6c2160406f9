/** KeyPackages (RFC 9420 section 10): a client's offer to be added, with the keys to use. */

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

/** A received KeyPackage, completely unverified. */
export class KeyPackageIn {
  readonly #read: TsKeyPackage;

  private constructor(read: TsKeyPackage, readonly encoded: Bytes) {
    this.#read = read;
  }

  /** Decode a bare KeyPackage (without MLSMessage). MalformedError. */
  static decode(data: Bytes): KeyPackageIn {
    return new KeyPackageIn(decode(data, readKeyPackage), data);
  }

  /**
   * Check all rules of RFC 9420 section 10.1 that need no group.
   *
   * `suite` is the group's (null: any supported suite). `now` is in seconds since the Unix epoch; with null,
   * the lifetime is not checked. ValidationError, or UnsupportedError for an unsupported suite.
   */
  async verify(suite: number | null, now: number | null): Promise<KeyPackage> {
    await checkKeyPackage(this.#read, suite, now);
    return keyPackageOf(this.#read);
  }
}

/** The private keys of a KeyPackage of ours. */
export interface BundleKeys {
  readonly init: X25519Key;
  readonly encryption: X25519Key;
  readonly signature: SignatureKey;
}

/** Our KeyPackage with its private keys. Joining a group with it drops the keys: use it once. */
export class KeyPackageBundle {
  readonly keyPackage: KeyPackage;
  #keys: BundleKeys | null;

  constructor(readonly made: TsKeyPackage, keys: BundleKeys) {
    this.keyPackage = keyPackageOf(made);
    this.#keys = keys;
  }

  /** The bare KeyPackage, to send to others. */
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

  /** The private keys. StateError once the bundle has been used. */
  get keys(): BundleKeys {
    if (this.#keys === null) throw new StateError("this key package has been used to enter a group");
    return this.#keys;
  }

  /** Drop the private keys. The signature key belongs to the caller, who keeps it. */
  wipe(): void {
    this.#keys = null;
  }
}

export interface KeyPackageOptions {
  readonly signatureKey: SignatureKey;
  /** Bytes of the basic credential. */
  readonly identity: Bytes;
  /** Extension types that the leaf supports. */
  readonly supports: readonly number[];
  readonly lifetime: Lifetime;
  /** Of the KeyPackage: a function of the new init key and encryption key, for an extension that signs them. */
  readonly extensions?: (initKey: Bytes, encryptionKey: Bytes) => Promise<readonly Extension[]>;
  readonly leafExtensions?: readonly Extension[];
  readonly rng: Rng;
}

/**
 * Create and sign a KeyPackage with new init and encryption keys.
 *
 * Random GREASE values are added to the capabilities and to both lists of extensions (RFC 9420 section 13.5),
 * so that other implementations' tolerance is always exercised. ValidationError if the leaf contradicts its
 * own capabilities.
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
        // all suites of the protocol, as in the Python client; the page itself supports only the first
        ciphersuites: [...Object.values(CipherSuite), pickGrease(rng)].map(suiteName),
        extensions: [...options.supports, unknown],
        proposals: [pickGrease(rng)],
        credentials: ["basic", credentialName(pickGrease(rng))],
      },
      lifetime: { notBefore: BigInt(notBefore), notAfter: BigInt(notAfter) },
      extensions: [...(options.leafExtensions ?? []), grease()].map(toExtension),
    },
    key,
    signature,
  );
  const extensions = (await options.extensions?.(init.public, encryption.public)) ?? [];
  const content = {
    version: versionName(MLS10),
    cipherSuite: suiteName(SUITE),
    initKey: init.public,
    leafNode,
    extensions: [...extensions, grease()].map(toExtension),
  };
  const made = await signKeyPackage(content, key, signature);
  await checkKeyPackage(made, SUITE, null);
  return new KeyPackageBundle(made, { init, encryption, signature: options.signatureKey });
}

// -- proposals of ours --

export const add = (keyPackage: KeyPackage): Proposal => ({ type: "Add", keyPackage });

export const remove = (leaf: number): Proposal => ({ type: "Remove", removed: leaf });

/** Create a PreSharedKey proposal for the application's key `pskId`, with a new nonce. */
export const externalPsk = (pskId: Bytes, rng: Rng): Proposal => ({
  type: "PreSharedKey",
  psk: { type: "ExternalPsk", pskId, nonce: rng(32) },
});

export const groupContextExtensions = (extensions: readonly Extension[]): Proposal => ({
  type: "GroupContextExtensions",
  extensions,
});

/** Return the `required_capabilities` extension of a GroupContext that requires these extensions. */
export const requiredCapabilities = (extensions: readonly number[]): Extension => ({
  extensionType: ExtensionType.REQUIRED_CAPABILITIES,
  data: encodeRequiredCapabilities({
    extensionTypes: [...extensions],
    proposalTypes: [],
    credentialTypes: [],
  }) as Bytes,
});
