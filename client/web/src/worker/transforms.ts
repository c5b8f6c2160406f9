/** The browser's frame transforms (`RTCRtpScriptTransform`). Each frame passes through `frames.ts`, or is dropped. */
import type { Bytes } from "../crypto/bytes";
import { baseStream, layerStream } from "../crypto/media/keys";
import type { OwnStream } from "../session/events";
import { type FrameCrypto, Incoming, Outgoing } from "./frames";
import type { StreamCount, TransformOptions } from "./messages";

/** The part of a transformer that is used here; only Firefox has `generateKeyFrame`. */
export interface Transformer {
  readonly readable: ReadableStream<EncodedFrame>;
  readonly writable: WritableStream<EncodedFrame>;
  readonly options: unknown;
  sendKeyFrameRequest?(): Promise<unknown>;
  generateKeyFrame?(): Promise<unknown>;
}

export interface EncodedFrame {
  data: ArrayBuffer;
  getMetadata(): { readonly synchronizationSource?: number | undefined; readonly rtpTimestamp?: number | undefined };
}

export interface TransformsOf {
  readonly crypto: FrameCrypto;
  readonly now: () => number;
  /** Request a key frame of ours from the page, where the worker cannot. */
  wantOwnKeyFrame(stream: number, layer: number): void;
  wantKeyFrame(ssrc: number): void;
  /** The first frame of a remote stream was opened: the counts are worth an update. */
  began(): void;
  /** Frames cannot be handled correctly: nothing is sent or decoded from now on. */
  broken(error: unknown): void;
}

const COUNTS_MAX = 256;

/** The transforms of one participant's streams. After `stop`, no frame passes in either direction. */
export class Transforms {
  readonly #of: TransformsOf;
  readonly #outgoing = new Set<Outgoing>();
  readonly #incoming = new Set<Incoming<EncodedFrame>>();
  readonly #sealed: Record<number, number> = {};
  /** Counts of remote streams that have ended. */
  readonly #over: StreamCount[] = [];
  /** By our SSRCs: the stream number under which video is sealed. */
  #numbers: ReadonlyMap<number, number> = new Map();
  #stopped = false;

  constructor(of: TransformsOf) {
    this.#of = of;
  }

  /** Begin a transform. With unknown options no frame passes it. */
  begin(transformer: Transformer): void {
    const options = transformer.options as TransformOptions;
    if (options.role === "seal") this.#seal(transformer, options.kind, options.stream);
    else if (options.role === "open") this.#open(transformer, options.kind, options.ssrc);
  }

  /** Set our published streams: a video frame of any other SSRC is dropped. */
  publish(streams: readonly OwnStream[]): void {
    this.#numbers = new Map(
      streams.flatMap(({ ssrc, stream, layers = [] }) =>
        [ssrc, ...layers].map((each, layer) => [each, layerStream(stream, layer)] as const),
      ),
    );
  }

  /** Retry waiting frames: new keys, an announcement or signatures have arrived. */
  keysChanged(): void {
    for (const incoming of this.#incoming)
      if (incoming.held > 0) incoming.keysChanged(this.#of.now()).catch((error) => this.#fail(error));
  }

  /** Let time pass. */
  tick(): void {
    for (const incoming of this.#incoming)
      if (incoming.waiting) incoming.tick(this.#of.now()).catch((error) => this.#fail(error));
  }

  /** Let no more frames pass. */
  stop(): void {
    this.#stopped = true;
  }

  /** Return the number of our frames sent, by stream. */
  sealed(): Record<number, number> {
    return { ...this.#sealed };
  }

  /** Whether our audio is held back because the sizes of its packets vary. */
  get varies(): boolean {
    return [...this.#outgoing].some(({ varies }) => varies);
  }

  /** Return the counts of remote streams, including those of the last 256 that have ended. */
  streams(): StreamCount[] {
    return [...this.#over, ...[...this.#incoming].map(counted)];
  }

  // -- inside ----------------------------------------------------------------------------------------------

  #fail(error: unknown): void {
    this.stop();
    this.#of.broken(error);
  }

  #seal(transformer: Transformer, kind: "audio" | "video", stream: number): void {
    const layers = new Map<number, Outgoing>();
    const of = (number: number): Outgoing => {
      const found = layers.get(number);
      if (found !== undefined) return found;
      const outgoing = new Outgoing(kind, number, this.#of.crypto, () => {
        if (transformer.generateKeyFrame === undefined) this.#of.wantOwnKeyFrame(...baseStream(number));
        else void transformer.generateKeyFrame().catch(() => undefined); // the stream has ended, or has not begun
      });
      layers.set(number, outgoing);
      this.#outgoing.add(outgoing);
      return outgoing;
    };
    const writer = transformer.writable.getWriter();
    const each = async (frame: EncodedFrame): Promise<void> => {
      const number = kind === "audio" ? stream : this.#numbers.get(frame.getMetadata().synchronizationSource ?? -1);
      // its layer is unknown: under another number, receivers would take it for a frame of that layer
      if (number === undefined || baseStream(number)[0] !== stream) return;
      const data = await of(number).frame(new Uint8Array(frame.data), this.#of.now());
      if (data === null || this.#stopped) return;
      this.#sealed[stream] = (this.#sealed[stream] ?? 0) + 1;
      this.#write(writer, frame, data);
    };
    void this.#run(transformer.readable, each).then(() => layers.forEach((outgoing) => this.#outgoing.delete(outgoing)));
  }

  #open(transformer: Transformer, kind: "audio" | "video", ssrc: number): void {
    const writer = transformer.writable.getWriter();
    const incoming = new Incoming<EncodedFrame>(kind, ssrc, this.#of.crypto, {
      give: (frame, data) => {
        if (!this.#stopped) this.#write(writer, frame, data);
      },
      askKey: () => {
        if (transformer.sendKeyFrameRequest === undefined) this.#of.wantKeyFrame(ssrc);
        else void transformer.sendKeyFrameRequest().catch(() => undefined);
      },
    });
    this.#incoming.add(incoming);
    let began = false;
    void this.#run(transformer.readable, async (frame) => {
      const { rtpTimestamp } = frame.getMetadata();
      await incoming.frame(new Uint8Array(frame.data), frame, this.#of.now(), rtpTimestamp);
      if (!began && incoming.opened > 0) {
        began = true;
        this.#of.began();
      }
    }).then(() => {
      this.#incoming.delete(incoming);
      this.#over.push(counted(incoming));
      if (this.#over.length > COUNTS_MAX) this.#over.shift();
    });
  }

  /** Pass the frame on with other bytes in it. */
  #write(writer: WritableStreamDefaultWriter<EncodedFrame>, frame: EncodedFrame, data: Bytes): void {
    frame.data = data.byteLength === data.buffer.byteLength ? data.buffer : data.slice().buffer;
    writer.write(frame).catch(() => undefined); // the connection is closed
  }

  /** Read frames until the stream ends. An error of the stream only ends it; an error of `each` breaks the worker. */
  async #run(readable: ReadableStream<EncodedFrame>, each: (frame: EncodedFrame) => Promise<void>): Promise<void> {
    const reader = readable.getReader();
    for (;;) {
      const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }));
      if (done || value === undefined) return;
      if (this.#stopped) continue; // read, so that the browser does not wait, and dropped
      try {
        await each(value);
      } catch (error) {
        this.#fail(error);
      }
    }
  }
}

const counted = (incoming: Incoming<EncodedFrame>): StreamCount => {
  const [stream, layer] = incoming.stream < 0 ? [-1, 0] : baseStream(incoming.stream);
  return {
    ssrc: incoming.ssrc,
    leaf: incoming.leaf,
    stream,
    layer,
    opened: incoming.opened,
    failed: incoming.failed,
    lastOpened: incoming.lastOpened * 1000,
    lastFailed: incoming.lastFailed * 1000,
  };
};
