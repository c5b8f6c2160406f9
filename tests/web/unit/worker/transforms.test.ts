import assert from "node:assert/strict";
import { test } from "node:test";
import { AuthenticationError } from "../../../../client/web/src/crypto/errors";
import { type EncodedFrame, type Transformer, Transforms } from "../../../../client/web/src/worker/transforms";

interface Rig {
  readonly made: Transformer;
  readonly out: EncodedFrame[];
  put(bytes: readonly number[], ssrc?: number): Promise<void>;
}

/** A transformer whose frames are put in by hand, and wherever they go. */
function transformer(options: unknown): Rig {
  const inner = new TransformStream<EncodedFrame, EncodedFrame>();
  const writer = inner.writable.getWriter();
  const out: EncodedFrame[] = [];
  const made = { readable: inner.readable, writable: new WritableStream<EncodedFrame>({ write: (frame) => void out.push(frame) }), options };
  const put = async (bytes: readonly number[], ssrc?: number): Promise<void> => {
    await writer.write({ data: new Uint8Array(bytes).buffer, getMetadata: () => ({ synchronizationSource: ssrc }) });
    await new Promise((done) => setImmediate(done));
  };
  return { made, out, put };
}

test("that a stream has begun is told once, with its first frame that opens", async () => {
  let began = 0;
  let counter = 0;
  const transforms = new Transforms({
    now: () => 1_800_000_000,
    crypto: {
      seal: () => Promise.resolve(null),
      open: (_ssrc, _kind, data) =>
        data[0] === 0
          ? Promise.reject(new AuthenticationError("a forged one"))
          : Promise.resolve({ leaf: 1, stream: 0, epoch: 3, counter: counter++, frame: data }),
    },
    wantOwnKeyFrame: () => undefined,
    wantKeyFrame: () => undefined,
    began: () => began++,
    broken: (error) => assert.fail(String(error)),
  });
  const { made, put } = transformer({ role: "open", kind: "audio", ssrc: 7 });
  transforms.begin(made);
  await put([0]);
  assert.equal(began, 0, "what doesn't open begins nothing");
  await put([1]);
  assert.equal(began, 1);
  await put([2]);
  assert.equal(began, 1);
  assert.deepEqual(transforms.streams().map(({ opened, failed }) => [opened, failed]), [[2, 1]]);
});

const KEY = [0x50, 1, 2, 3];
const DELTA = [0x51, 1, 2, 3];

/** A sender of three layers under SSRCs 10 to 12; what is sealed begins with its stream number. */
function layers(sealing = (): boolean => true): Rig & { readonly transforms: Transforms; readonly asked: [number, number][] } {
  const asked: [number, number][] = [];
  const transforms = new Transforms({
    now: () => 1_800_000_000,
    crypto: {
      seal: (_kind, stream, frame) => Promise.resolve(sealing() ? new Uint8Array([stream, ...frame]) : null),
      open: () => Promise.reject(new AuthenticationError("none is opened here")),
    },
    wantOwnKeyFrame: (stream, layer) => asked.push([stream, layer]),
    wantKeyFrame: () => undefined,
    began: () => undefined,
    broken: (error) => assert.fail(String(error)),
  });
  const rig = transformer({ role: "seal", kind: "video", stream: 1 });
  transforms.begin(rig.made);
  return { ...rig, transforms, asked };
}

const firsts = (out: readonly EncodedFrame[]): number[] => out.map(({ data }) => new Uint8Array(data)[0] ?? -1);

test("each layer is sealed under a stream number of its own", async () => {
  const { transforms, put, out } = layers();
  transforms.publish([{ ssrc: 10, kind: "video", stream: 1, layers: [11, 12], rtx: [20, 21, 22] }]);
  for (const ssrc of [12, 10, 11, 12]) await put(KEY, ssrc);
  assert.deepEqual(firsts(out), [5, 1, 4, 5]);
  assert.deepEqual(transforms.sealed(), { 1: 4 });
});

test("a frame of an unknown layer, or of another stream, is dropped", async () => {
  const { transforms, put, out } = layers();
  await put(KEY, 10); // not published yet
  transforms.publish([
    { ssrc: 10, kind: "video", stream: 1, layers: [11] },
    { ssrc: 30, kind: "video", stream: 3 },
  ]);
  for (const ssrc of [12, 20, 30, undefined]) await put(KEY, ssrc);
  assert.deepEqual(out, []);
  transforms.publish([{ ssrc: 40, kind: "video", stream: 1 }]); // another connection's
  await put(KEY, 10);
  assert.deepEqual(out, []);
  await put(KEY, 40);
  assert.deepEqual(firsts(out), [1]);
});

test("after withheld frames of a layer, the worker requests a key frame of that layer", async () => {
  let sealing = false;
  const { transforms, put, out, asked } = layers(() => sealing);
  transforms.publish([{ ssrc: 10, kind: "video", stream: 1, layers: [11] }]);
  await put(DELTA, 11);
  assert.deepEqual(asked, [[1, 1]]);
  sealing = true;
  await put(DELTA, 10);
  await put(DELTA, 11);
  assert.deepEqual(firsts(out), [1]);
  await put(KEY, 11);
  assert.deepEqual(firsts(out), [1, 4]);
});
