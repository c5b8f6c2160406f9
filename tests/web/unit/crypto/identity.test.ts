import type { Bytes, Rng } from "../../../../client/web/src/crypto/bytes";
import * as identity from "../../../../client/web/src/crypto/proof/identity";
import { IdentityKey } from "../../../../client/web/src/crypto/proof/identity";
import { X25519Key } from "../../../../client/web/src/crypto/primitives";
import { encode } from "../../../../client/web/src/wire/layout";
import { VOUCH_CONTEXT, type VouchContext } from "../../../../client/web/src/wire/layouts/identity";
import { compareWithPython } from "./cases";

type EndsGiven = [Bytes, number, Bytes, Bytes, number, Bytes, Bytes];

const endsOf = ([groupId, leaf, signatureKey, box, toLeaf, toSignatureKey, toBox]: EndsGiven): VouchContext => ({
  groupId,
  leaf,
  signatureKey,
  box,
  toLeaf,
  toSignatureKey,
  toBox,
});

compareWithPython("identity", {
  check_public: identity.checkPublic,
  fingerprint: identity.fingerprint,
  public: async (own: Bytes) => (await IdentityKey.fromPrivate(own)).public,
  show: async (own: Bytes, card: Bytes, enc: Bytes, keyPackage: Bytes) =>
    (await IdentityKey.fromPrivate(own)).knockProof(card, enc, keyPackage),
  check_shown: async (shown: Bytes, card: Bytes, enc: Bytes, keyPackage: Bytes) =>
    identity.verifyKnockProof(shown, await X25519Key.fromPrivate(card), enc, keyPackage),
  ends: (...ends: EndsGiven) => encode(VOUCH_CONTEXT, endsOf(ends)),
  vouch: async (own: Bytes, ends: EndsGiven, box: Bytes, rng: Rng) =>
    (await IdentityKey.fromPrivate(own)).vouch(endsOf(ends), await X25519Key.fromPrivate(box), rng),
  heard: async (sealed: Bytes, box: Bytes, key: Bytes, groupId: Bytes, ends: EndsGiven) => {
    const own = await X25519Key.fromPrivate(box);
    return identity.verifyVouch(await identity.openVouch(sealed, own, key, groupId), endsOf(ends), own);
  },
});
