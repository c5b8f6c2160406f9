/** A browser's WebCrypto on media: `check` tells where it differs from Python's vectors. */
import { type Bytes, hex, unhex, utf8 } from "../../../client/web/src/crypto/bytes";
import { H, SigningKey } from "../../../client/web/src/crypto/kdf";
import { labeled } from "../../../client/web/src/crypto/labels";
import { EpochKeys, MediaKeys, openFrame, sealFrame } from "../../../client/web/src/crypto/media/keys";
import { certified, DIGEST_SIZE, FrameList, MEDIA_KEY_LABEL, Signer } from "../../../client/web/src/crypto/media/signatures";
import { FrameVerifier } from "../../../client/web/src/crypto/media/verifier";
import { decodeHeader } from "../../../client/web/src/crypto/media/sframe";

interface Tree {
  readonly epoch: number;
  readonly base_key: string;
  readonly tags: string;
  readonly leaf_count: number;
  readonly kids: readonly (readonly number[])[];
  readonly sealed: string;
}
interface Signatures {
  readonly leaf_seed: string;
  readonly media_seed: string;
  readonly bound: string;
  readonly adds: readonly {
    readonly frames: readonly (readonly [stream: number, ssrc: number | null, kid: number, counter: number])[];
    readonly lists: readonly (readonly [ssrc: number | null, data: string])[];
  }[];
}

async function treesDiffer(trees: readonly Tree[]): Promise<string[]> {
  const wrong: string[] = [];
  for (const tree of trees) {
    const { epoch, leaf_count: leafCount } = tree;
    const from = { epoch, leafCount, baseKey: unhex(tree.base_key), tags: unhex(tree.tags) };
    const keys = await EpochKeys.derive(from);
    const kids = tree.kids.map((row, leaf) => row.map((_, stream) => keys.kid(leaf, stream)));
    if (JSON.stringify(kids) !== JSON.stringify(tree.kids)) wrong.push(`key ids of ${leafCount}`);
    const sealed = await keys.key(tree.kids[0]?.[1] ?? 0).encrypt(5, utf8("m"), utf8("frame"));
    if (hex(sealed) !== tree.sealed) wrong.push(`a frame of ${leafCount}`);
  }
  return wrong;
}

async function listsDiffer(given: Signatures): Promise<string[]> {
  const wrong: string[] = [];
  const bound = unhex(given.bound);
  const leaf = await SigningKey.fromSeed(unhex(given.leaf_seed));
  const media = await SigningKey.fromSeed(unhex(given.media_seed), true);
  const vouched = labeled(MEDIA_KEY_LABEL, certified(bound, 2, media.public));
  const signer = new Signer(2, bound, media, await leaf.sign(vouched));
  const checker = new FrameVerifier();
  for (const { frames, lists } of given.adds) {
    for (const [stream, ssrc, kid, counter] of frames)
      signer.add(stream, ssrc, { kid, counter, hash: H(utf8(`${counter} of ${kid}`)).slice(0, DIGEST_SIZE) }, 1);
    const made = await signer.take();
    if (JSON.stringify(made.map(({ ssrc, data }) => [ssrc, hex(data)])) !== JSON.stringify(lists))
      wrong.push(`lists of ${frames.length}`);
    for (const { data } of made) await checker.receive(5, bound, FrameList.decode(data), leaf.public, 1);
  }
  return wrong;
}

async function atOnce(): Promise<string[]> {
  const member = async (ownLeaf: number): Promise<MediaKeys> => {
    const keys = new MediaKeys();
    const from = { epoch: 1, baseKey: new Uint8Array(16), tags: new Uint8Array(32), leafCount: 2 };
    keys.install(await EpochKeys.derive(from), { ownLeaf, removed: [], isRemoval: false, now: 0 });
    return keys;
  };
  const [ada, bo] = [await member(0), await member(1)];
  const order: number[] = [];
  const one = async (size: number): Promise<Bytes> => {
    const data = await sealFrame(ada, "audio", 0, new Uint8Array(size), 0);
    order.push(decodeHeader(data).counter);
    return data;
  };
  const frames = await Promise.all(Array.from({ length: 100 }, (_, n) => one(n % 7 === 0 ? 100_000 : 10)));
  const wrong = order.every((counter, n) => counter === n) ? [] : [`frames in the order ${order.join(" ")}`];
  const copies = [...frames, ...frames, ...frames].map((data) => openFrame(bo, "audio", data, 0));
  const opened = (await Promise.allSettled(copies)).filter(({ status }) => status === "fulfilled").length;
  return opened === frames.length ? wrong : [...wrong, `${opened} opened of ${frames.length}`];
}

Object.assign(globalThis, {
  check: async (trees: readonly Tree[], signatures: Signatures): Promise<string[]> => [
    ...(await treesDiffer(trees)),
    ...(await listsDiffer(signatures)),
    ...(await atOnce()),
  ],
});
