/** A participant's own leaf, and the group of a meeting that it opens. */
import type { Bytes, Rng } from "../../crypto/bytes";
import { checkName } from "../../crypto/agreed/names";
import * as roomState from "../../crypto/agreed/roomState";
import * as mls from "../../mls";
import { SUITE } from "./membership";

/** Lifetime of a KeyPackage in seconds; only the admitting host checks it. */
export const PACKAGE_LIFETIME = 24 * 3600;
const SKEW = 3600;

/** A participant's own leaf data: one signature key for one meeting. */
export class Me {
  readonly #rng: Rng;
  readonly #key: mls.SignatureKey;

  private constructor(readonly name: string, key: mls.SignatureKey, rng: Rng) {
    this.#key = key;
    this.#rng = rng;
  }

  /** Return new leaf data; ValidationError("SNUG-11") if the name is not allowed. */
  static async make(name: string, rng: Rng): Promise<Me> {
    return new Me(checkName(name), await mls.generateSignatureKey(SUITE), rng);
  }

  get public(): Bytes {
    return this.#key.public;
  }

  /** Return a fresh KeyPackage, with a rejoin ticket if one is given. */
  package(now: number, ticket: roomState.RejoinTicket | null = null): Promise<mls.KeyPackageBundle> {
    return mls.createKeyPackage(SUITE, {
      signatureKey: this.#key,
      identity: new roomState.Identity(this.name).encode(),
      supports: [roomState.POLICY_EXTENSION, roomState.REJOIN_EXTENSION],
      lifetime: { notBefore: Math.floor(now) - SKEW, notAfter: Math.floor(now) + PACKAGE_LIFETIME },
      extensions: ticket === null ? [] : [{ extensionType: roomState.REJOIN_EXTENSION, data: ticket.encode() }],
      rng: this.#rng,
    });
  }

  /** Return a new meeting's group, with us as its only member and `policy` as its first. */
  async found(groupId: Bytes, policy: roomState.Policy, now: number): Promise<mls.Group> {
    const extensions = [
      mls.requiredCapabilities([roomState.POLICY_EXTENSION]),
      { extensionType: roomState.POLICY_EXTENSION, data: policy.encode() },
    ];
    return await mls.Group.create(await this.package(now), groupId, extensions, this.#rng);
  }
}
