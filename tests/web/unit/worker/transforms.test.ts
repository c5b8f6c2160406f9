import assert from "node:assert/strict";
import { test } from "node:test";
import { AuthenticationError } from "../../../../client/web/src/crypto/errors";
import { type EncodedFrame, type Transformer, Transforms } from "../../../../client/web/src/worker/transforms";

/** A transformer whose frames are put in by hand, and wherever they go. */
function transformer(options: unknown): { readonly made: Transformer; put(...bytes: number[]): Promise<void> } {
  const inner = new TransformStream<EncodedFrame, EncodedFrame>();
  const writer = inner.writable.getWriter();
  const made = { readable: inner.readable, writable: new WritableStream<EncodedFrame>(), options };
  const put = async (...bytes: number[]): Promise<void> => {
    await writer.write({ data: new Uint8Array(bytes).buffer });
    await new Promise((done) => setImmediate(done));
  };
  return { made, put };
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
  await put(0);
  assert.equal(began, 0, "what doesn't open begins nothing");
  await put(1);
  assert.equal(began, 1);
  await put(2);
  assert.equal(began, 1);
  assert.deepEqual(transforms.streams().map(({ opened, failed }) => [opened, failed]), [[2, 1]]);
});
