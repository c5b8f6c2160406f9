/**
 * Creating Welcomes (RFC 9420 section 12.4.3.1): one for all members that a commit adds, and cut down for each of them.
 *
 * Only members that add somebody load this file.
 */
import { encode } from "ts-mls/codec/tlsEncoder.js";
import { encryptWithLabel } from "ts-mls/crypto/hpke.js";
import { signGroupInfo } from "ts-mls/groupInfo.js";
import { groupSecretsEncoder } from "ts-mls/groupSecrets.js";
import { encodeMlsMessage } from "ts-mls/message.js";
import { encodeRatchetTree } from "ts-mls/ratchetTree.js";
import { encryptGroupInfo, type EncryptedGroupSecrets } from "ts-mls/welcome.js";
import { type Bytes, type Rng, same } from "../crypto/bytes";
import { MalformedError } from "../crypto/errors";
import type { StagedCommit } from "./commit";
import { decodeMessage, MLS10, suiteName, versionName } from "./read";
import { keyPackageOf } from "./shapes";
import { handle, pickGrease, refHash, signature, SUITE, suiteWith } from "./suite";
import { ExtensionType, type KeyPackage } from "./types";
import * as validate from "./validate";
import { must } from "./validate";
import { pskIds } from "./validateCommit";

/** A Welcome, an MLSMessage, and the encoded ratchet tree if the Welcome doesn't contain it. */
export interface MadeWelcome {
  readonly welcome: Bytes;
  readonly tree: Bytes | null;
}

/**
 * Create one Welcome for all members that a staged commit adds. It has no tree of more than `treeInsideMax` bytes.
 */
export async function makeWelcome(staged: StagedCommit, rng: Rng, treeInsideMax = Infinity): Promise<MadeWelcome> {
  const { state, joinerSecret, welcomeSecret } = staged.next;
  const cs = suiteWith(rng);
  const tree = encodeRatchetTree(state.tree) as Bytes;
  const inside = tree.length <= treeInsideMax;
  const info = await signGroupInfo(
    {
      groupContext: state.context,
      extensions: [
        ...(inside ? [{ extensionType: ExtensionType.RATCHET_TREE, extensionData: tree }] : []),
        // GREASE (RFC 9420 13.5), so that other implementations' tolerance is always exercised
        { extensionType: pickGrease(rng), extensionData: rng((rng(1)[0] ?? 0) % 16) },
      ],
      confirmationTag: state.confirmationTag,
      signer: state.ownLeaf,
    },
    handle(state.signatureKey),
    signature,
  );
  const encryptedGroupInfo = await encryptGroupInfo(info, welcomeSecret, cs);
  const secrets: EncryptedGroupSecrets[] = [];
  for (const [leaf, keyPackage] of staged.added) {
    const path = staged.pathSecrets.find(({ nodeIndex }) => validate.isBelow(2 * leaf, nodeIndex));
    const plain = encode(groupSecretsEncoder)({
      joinerSecret,
      pathSecret: path?.secret,
      psks: pskIds(staged.items),
    });
    const key = handle<Parameters<typeof encryptWithLabel>[0]>(keyPackage.initKey as Bytes);
    const { enc, ct } = await encryptWithLabel(key, "Welcome", encryptedGroupInfo, plain, cs.hpke);
    plain.fill(0);
    secrets.push({
      newMember: refHash("MLS 1.0 KeyPackage Reference", keyPackageOf(keyPackage).encoded),
      encryptedGroupSecrets: { kemOutput: enc, ciphertext: ct },
    });
  }
  const welcome = encodeMlsMessage({
    version: versionName(MLS10),
    wireformat: "mls_welcome",
    welcome: { cipherSuite: suiteName(SUITE), secrets, encryptedGroupInfo },
  }) as Bytes;
  return { welcome, tree: inside ? null : tree };
}

/**
 * Return an MLSMessage with the Welcome for one of the added members, and no other's secrets.
 *
 * A commit may have several Welcomes (section 12.4.1). ValidationError("MLS-12.4.3.1-1") if `message` is not for that
 * KeyPackage; MalformedError.
 */
export function welcomeFor(message: Bytes, keyPackage: KeyPackage): Bytes {
  const decoded = decodeMessage(message);
  if (decoded.kind !== "welcome") throw new MalformedError("the message is not a Welcome");
  const reference = refHash("MLS 1.0 KeyPackage Reference", keyPackage.encoded);
  const own = decoded.message.secrets.find(({ newMember }) => same(newMember, reference));
  must(own !== undefined, "12.4.3.1-1", "the Welcome is not for this key package");
  const welcome = { ...decoded.message, secrets: [own] };
  return encodeMlsMessage({ version: versionName(MLS10), wireformat: "mls_welcome", welcome }) as Bytes;
}
