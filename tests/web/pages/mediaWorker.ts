/**
 * The page's own transforms and SFrame, under keys that the test has chosen, instead of a session's.
 *
 * Messages: `{ leaf, base, tags }` (bytes) installs an epoch; "count" is answered by counts; "die" throws;
 * `{ publish }` tells of streams of ours; `{ silent }` lets nothing out; `{ refuse }` opens nothing of those SSRCs; "keys" says that keys have changed.
 */
import type { Bytes } from "../../../client/web/src/crypto/bytes";
import { SnugError } from "../../../client/web/src/crypto/errors";
import { EpochKeys, FutureEpochError, MediaKeys, openFrame, sealFrame } from "../../../client/web/src/crypto/media/keys";
import { type Transformer, Transforms } from "../../../client/web/src/worker/transforms";

interface Install {
  readonly epoch: number;
  readonly leaf: number;
  readonly base: Bytes;
  readonly tags: Bytes;
}

const scope = self as unknown as {
  postMessage(message: unknown): void;
  addEventListener(type: "message", listener: (event: MessageEvent) => void): void;
  addEventListener(type: "rtctransform", listener: (event: { readonly transformer: Transformer }) => void): void;
};

const now = (): number => (performance.timeOrigin + performance.now()) / 1000;
const keys = new MediaKeys();
let silent = false;
let failing = false;
let unknown = false;

const transforms = new Transforms({
  now,
  crypto: {
    seal: (kind, stream, frame, at) => {
      if (failing) throw new TypeError("this should not happen");
      return silent || keys.epoch === null ? Promise.resolve(null) : sealFrame(keys, kind, stream, frame, at);
    },
    open: async (_ssrc, kind, data, at) => {
      if (keys.epoch === null) throw new SnugError("no keys");
      if (unknown) throw new FutureEpochError("nobody has announced it");
      return await openFrame(keys, kind, data, at);
    },
  },
  wantOwnKeyFrame: (stream, layer) => scope.postMessage({ type: "wantOwnKeyFrame", stream, layer }),
  wantKeyFrame: (ssrc) => scope.postMessage({ type: "wantKeyFrame", ssrc }),
  began: () => undefined,
  broken: (error) => scope.postMessage({ type: "broken", why: String(error) }),
});

async function install({ epoch, leaf, base, tags }: Install): Promise<void> {
  const made = await EpochKeys.derive({ epoch, baseKey: base, tags, leafCount: 8 });
  keys.install(made, { ownLeaf: leaf, removed: new Set(), isRemoval: true, now: now() });
  transforms.keysChanged();
  scope.postMessage({ type: "installed" });
}

scope.addEventListener("rtctransform", ({ transformer }) => transforms.begin(transformer));
scope.addEventListener("message", ({ data }) => {
  if (data === "count") scope.postMessage({ type: "counts", sealed: transforms.sealed(), streams: transforms.streams() });
  else if (data === "fail") failing = true;
  else if ("publish" in data) transforms.publish(data.publish);
  else if ("silent" in data) silent = data.silent;
  else if ("unknown" in data) {
    unknown = data.unknown;
    transforms.keysChanged();
  } else void install(data);
});
setInterval(() => transforms.tick(), 100);
