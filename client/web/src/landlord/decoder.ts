/** Decodes a relayed frame without its key, by this browser's VP8 and Opus decoders (WebCodecs). */
import type { Bytes } from "../crypto/bytes";
import type { Frame } from "./frame";

/** `refused`: the decoder's error message. `sound`: samples from -1 to 1. `picture`: the decoded image. */
export type Verdict =
  | { readonly type: "refused"; readonly why: string }
  | { readonly type: "sound"; readonly samples: Float32Array }
  | { readonly type: "picture"; readonly image: ImageBitmap }
  | { readonly type: "nothing" }
  /** This browser has no such decoder. */
  | { readonly type: "none" };

/** Maximum decoding time in milliseconds. */
const PATIENCE = 3_000;

/** Pass the frame to a decoder as if it were not sealed. Does not throw. */
export async function attempt({ kind, payload }: Frame): Promise<Verdict> {
  if (typeof VideoDecoder === "undefined" || typeof AudioDecoder === "undefined") return { type: "none" };
  const patience = new Promise<Verdict>((done) => setTimeout(() => done({ type: "nothing" }), PATIENCE));
  const tried = kind === "audio" ? sound(payload) : picture(payload);
  return await Promise.race([tried.catch((error: unknown): Verdict => refused(error)), patience]);
}

const refused = (error: unknown): Verdict => ({
  type: "refused",
  why: error instanceof Error ? error.message : String(error),
});

/** Width and height in pixels of the key frame decoded before. */
const FIRST = 16;

/** Return a grey key frame: without one before it, a decoder ignores any other frame. */
async function grey(): Promise<EncodedVideoChunk | null> {
  const chunks: EncodedVideoChunk[] = [];
  const encoder = new VideoEncoder({ output: (chunk) => chunks.push(chunk), error: () => undefined });
  encoder.configure({ codec: "vp8", width: FIRST, height: FIRST });
  const pixels = new Uint8Array(FIRST * FIRST * 4).fill(128);
  const frame = new VideoFrame(pixels, { format: "RGBX", codedWidth: FIRST, codedHeight: FIRST, timestamp: 0 });
  encoder.encode(frame, { keyFrame: true });
  frame.close();
  await encoder.flush();
  encoder.close();
  return chunks[0] ?? null;
}

async function picture(data: Bytes): Promise<Verdict> {
  let verdict: Verdict = { type: "nothing" };
  let drawn: Promise<void> = Promise.resolve();
  const first = await grey();
  const decoder = new VideoDecoder({
    output: (frame) => {
      if (frame.timestamp === 0) return frame.close();
      drawn = createImageBitmap(frame).then((image) => {
        frame.close();
        verdict = { type: "picture", image };
      });
    },
    error: (error) => (verdict = refused(error)),
  });
  decoder.configure({ codec: "vp8" });
  if (first !== null) decoder.decode(first);
  const type = (data[0] ?? 0) & 1 ? "delta" : "key";
  decoder.decode(new EncodedVideoChunk({ type, timestamp: 1, data }));
  await decoder.flush().catch((error: unknown) => {
    if (verdict.type === "nothing") verdict = refused(error);
  });
  await drawn;
  if (decoder.state !== "closed") decoder.close();
  return verdict;
}

async function sound(data: Bytes): Promise<Verdict> {
  let verdict: Verdict = { type: "nothing" };
  const decoder = new AudioDecoder({
    output: (decoded) => {
      const samples = new Float32Array(decoded.numberOfFrames);
      decoded.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
      decoded.close();
      verdict = { type: "sound", samples };
    },
    error: (error) => (verdict = refused(error)),
  });
  decoder.configure({ codec: "opus", sampleRate: 48_000, numberOfChannels: 1 });
  decoder.decode(new EncodedAudioChunk({ type: "key", timestamp: 0, data }));
  await decoder.flush().catch((error: unknown) => {
    if (verdict.type === "nothing") verdict = refused(error);
  });
  if (decoder.state !== "closed") decoder.close();
  return verdict;
}
