/**
 * Joining with a Welcome (RFC 9420 section 12.4.3.1); `makeWelcome.ts` creates it.
 *
 * Each rule of a Welcome, MLS-12.4.3.1-1 to 10, is thrown as ValidationError and numbered as in Python.
 */

import { decryptWithLabel } from "ts-mls/crypto/hpke.js";
import { type GroupInfo, extractWelcomeSecret, verifyGroupInfoSignature } from "ts-mls/groupInfo.js";
import { deriveKeySchedule } from "ts-mls/keySchedule.js";
import { encodeLeafNode } from "ts-mls/leafNode.js";
import { accumulatePskSecret } from "ts-mls/pskIndex.js";
import { filteredDirectPathAndCopathResolution } from "ts-mls/ratchetTree.js";
import { toLeafIndex } from "ts-mls/treemath.js";
import { treeHashRoot } from "ts-mls/treeHash.js";
import { welcomeKey, welcomeNonce } from "ts-mls/welcome.js";
import { type Bytes, hex, same } from "../crypto/bytes";
import { AuthenticationError, MalformedError, MissingKeyError } from "../crypto/errors";
import type { X25519Key } from "../crypto/primitives";
import { deriveUpwards } from "./commit";
import type { KeyPackageBundle } from "./keyPackage";
import { decodeMessage, MLS10, readGroupInfo, readGroupSecrets, readTree, suiteName, versionName } from "./read";
import { decode } from "./reader";
import { noRng, type Psks, verifyLeaf } from "./proposals";
import { type EpochState, enterEpoch } from "./state";
import { handle, hash, kdf, macMatches, NH, open, signature, SUITE, suiteWith } from "./suite";
import { ExtensionType } from "./types";
import * as validate from "./validate";
import { must } from "./validate";

const RULE = "12.4.3.1-";

/** Join a group with a Welcome. The bundle stays unchanged; see `Group.join` for the errors. */
export async function join(
  message: Bytes,
  bundle: KeyPackageBundle,
  psks: Psks,
  knownGroups: readonly Bytes[],
  outside?: Bytes,
): Promise<EpochState> {
  const decoded = decodeMessage(message);
  if (decoded.kind !== "welcome") throw new MalformedError("the message is not a Welcome");
  const welcome = decoded.message;
  const { made, keys, reference } = bundle;
  must(welcome.cipherSuite === made.cipherSuite, `${RULE}2`, "the Welcome is of another cipher suite");
  const ours = welcome.secrets.find(({ newMember }) => same(newMember, reference));
  must(ours !== undefined, `${RULE}1`, "the Welcome is not for this key package");
  const cs = suiteWith(noRng);
  const { kemOutput, ciphertext } = ours.encryptedGroupSecrets;
  const plain = await decryptWithLabel(
    handle(keys.init),
    "Welcome",
    welcome.encryptedGroupInfo,
    kemOutput,
    ciphertext,
    cs.hpke,
  );
  const secrets = decode(plain as Bytes, readGroupSecrets);
  plain.fill(0);
  const find = {
    findPsk: (id: (typeof secrets.psks)[number]) =>
      id.psktype === "external" ? psks.get(hex(id.pskId)) : undefined,
  };
  for (const id of secrets.psks) {
    must(
      id.psktype === "external" || id.usage === "application",
      `${RULE}4`,
      "the Welcome continues another group",
    );
    must(find.findPsk(id) !== undefined, `${RULE}3`, "the Welcome needs a pre-shared key that is not here");
  }
  const [psk] = await accumulatePskSecret(secrets.psks, find, cs, new Uint8Array(NH));
  const welcomeSecret = await extractWelcomeSecret(secrets.joinerSecret, psk, kdf);
  const key = (await welcomeKey(welcomeSecret, cs)) as Bytes;
  const nonce = (await welcomeNonce(welcomeSecret, cs)) as Bytes;
  const opened = await open(key, nonce, welcome.encryptedGroupInfo as Bytes, new Uint8Array());
  const info = decode(opened, readGroupInfo);
  validate.uniqueExtensions(info.extensions);
  const { groupContext: context } = info;
  must(
    context.version === versionName(MLS10) && context.cipherSuite === suiteName(SUITE),
    `${RULE}7`,
    "the group is of another version or cipher suite",
  );
  must(
    !knownGroups.some((id) => same(id, context.groupId)),
    `${RULE}6`,
    "we are in a group of this id already",
  );
  if (context.epoch >= 2n ** 53n) throw new MalformedError("an epoch that no group gets to");
  const encoded = validate.findExtension(info.extensions, ExtensionType.RATCHET_TREE) ?? outside;
  if (encoded === undefined) throw new MissingKeyError("the ratchet tree is missing");
  const tree = decode(encoded, readTree);
  await verifyInfo(info, tree);
  // first, as in the RFC: then a wrong tree costs no signatures
  must(
    same(await treeHashRoot(tree, hash), context.treeHash),
    `${RULE}8`,
    "the ratchet tree is not that of the tree hash",
  );
  for (const [index, leaf] of validate.leavesOf(tree)) await verifyLeaf(leaf, context.groupId, index);
  await validate.treeStructure(tree);
  const leaves = validate.leavesOf(tree);
  validate.membership(
    leaves.map(([, leaf]) => leaf),
    SUITE,
    context.extensions,
  );
  validate.weSupport(made.leafNode, context.extensions);
  const own = encodeLeafNode(made.leafNode);
  const ownLeaf = leaves.find(([, leaf]) => same(encodeLeafNode(leaf), own))?.[0];
  must(ownLeaf !== undefined, `${RULE}9`, "our leaf is not in the ratchet tree");
  must(info.signer !== ownLeaf, `${RULE}5`, "the GroupInfo is signed by the newcomer's own leaf");

  const privateKeys = new Map<number, X25519Key>([[2 * ownLeaf, keys.encryption]]);
  if (secrets.pathSecret !== undefined) {
    const path = filteredDirectPathAndCopathResolution(toLeafIndex(info.signer), tree)
      .map(({ nodeIndex }) => nodeIndex)
      .filter((index) => validate.isBelow(2 * ownLeaf, index));
    for (const [index, pair] of (await deriveUpwards(tree, path, secrets.pathSecret))[0])
      privateKeys.set(index, pair);
  }
  const [schedule, encryptionSecret] = await deriveKeySchedule(secrets.joinerSecret, psk, context, kdf);
  secrets.joinerSecret.fill(0);
  welcomeSecret.fill(0);
  const entering = { ownLeaf, signatureKey: keys.signature, privateKeys };
  const state = await enterEpoch(context, tree, entering, schedule, encryptionSecret);
  must(
    macMatches(schedule.confirmationKey, context.confirmedTranscriptHash, info.confirmationTag),
    `${RULE}10`,
    "the confirmation tag of the GroupInfo is wrong",
  );
  state.welcomedBy = info.signer;
  return state;
}

async function verifyInfo(info: GroupInfo, tree: ReturnType<typeof readTree>): Promise<void> {
  const signer = validate.leafAt(tree, info.signer);
  must(signer !== null, `${RULE}5`, "the signer of the GroupInfo is not a member");
  if (!(await verifyGroupInfoSignature(info, signer.signaturePublicKey, signature)))
    throw new AuthenticationError("the signature of the GroupInfo does not verify");
}
