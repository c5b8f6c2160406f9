/** A participant's own leaf, and the group of a meeting that it opens. */
import type { Bytes, Rng } from "../../crypto/bytes";
import type { AlreadyMember } from "../../crypto/entry/answers";
import { checkName } from "../../crypto/agreed/names";
import * as roomState from "../../crypto/agreed/roomState";
import { SigningKey } from "../../crypto/kdf";
import * as mls from "../../mls";
import { SUITE } from "./membership";
import { rejoinKeyExtension } from "./views";

/**
 * A KeyPackage is valid from so many seconds before the time at which it is made, and for as many after it; only the
 * admitting host checks it. Two clocks that differ by more don't meet: lobbies are of one day.
 */
export const PACKAGE_LIFETIME = 24 * 3600;

interface NewLeaf {
  readonly rejoinKey: SigningKey;
  /** Makes a KeyPackage for a member that has never had the answer to its knock. */
  readonly rejoinPackage: (now: number, known: AlreadyMember) => Promise<mls.KeyPackageBundle>;
  readonly makePackage: (now: number) => Promise<mls.KeyPackageBundle>;
}

/** A participant's own leaf data: one signature key for one meeting. */
export class Me {
  readonly #rng: Rng;

  private constructor(readonly name: string, readonly key: SigningKey, rng: Rng) {
    this.#rng = rng;
  }

  /** Return leaf data with a signature key that the device has kept. */
  static again(name: string, key: SigningKey, rng: Rng): Me {
    return new Me(checkName(name), key, rng);
  }

  /** Return new leaf data; ValidationError("SNUG-11") if the name is not allowed. */
  static async make(name: string, rng: Rng): Promise<Me> {
    return new Me(checkName(name), await mls.generateSignatureKey(SUITE), rng);
  }

  get public(): Bytes {
    return this.key.public;
  }

  /** Return a new leaf's rejoin key, and a function of the time that makes KeyPackages for that leaf. */
  async newLeaf(): Promise<NewLeaf> {
    const rejoinKey = await SigningKey.fresh();
    return {
      rejoinKey,
      makePackage: (now) => this.package(now, rejoinKey),
      rejoinPackage: (now, { groupId, slot, chain }) => {
        const ticket = new roomState.RejoinTicket({ groupId, slot, chain, nonce: this.#rng(16) });
        return this.package(now, rejoinKey, ticket, [rejoinKey]);
      },
    };
  }

  /**
   * Return a fresh KeyPackage, with a rejoin ticket if one is given, which `signers` sign.
   *
   * `rejoinKey` is the new leaf's.
   */
  package(
    now: number,
    rejoinKey: SigningKey,
    ticket: roomState.RejoinTicket | null = null,
    signers: readonly SigningKey[] = [],
  ): Promise<mls.KeyPackageBundle> {
    return mls.createKeyPackage(SUITE, {
      signatureKey: this.key,
      identity: new roomState.Identity(this.name).encode(),
      supports: [roomState.POLICY_EXTENSION, roomState.REJOIN_EXTENSION, roomState.REJOIN_KEY_EXTENSION],
      lifetime: { notBefore: Math.floor(now) - PACKAGE_LIFETIME, notAfter: Math.floor(now) + PACKAGE_LIFETIME },
      extensions: async (initKey, encryptionKey) => {
        if (ticket === null) return [];
        const signed = await ticket.signed(signers, initKey, encryptionKey, rejoinKey.public);
        return [{ extensionType: roomState.REJOIN_EXTENSION, data: signed.encode() }];
      },
      leafExtensions: [rejoinKeyExtension(rejoinKey)],
      rng: this.#rng,
    });
  }

  /** Return a new meeting's group, with us as its only member and `policy` as its first. */
  async found(groupId: Bytes, policy: roomState.Policy, rejoinKey: SigningKey, now: number): Promise<mls.Group> {
    const extensions = [
      mls.requiredCapabilities([roomState.POLICY_EXTENSION]),
      { extensionType: roomState.POLICY_EXTENSION, data: policy.encode() },
    ];
    return await mls.Group.create(await this.package(now, rejoinKey), groupId, extensions, this.#rng);
  }
}
