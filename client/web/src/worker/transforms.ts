/** The browser's frame transforms (`RTCRtpScriptTransform`): each frame through `frames.ts`, or nowhere. */
import type { Bytes } from "../crypto/bytes";
import { baseStream, layerStream } from "../crypto/mediaKeys";
import type { OwnStream } from "../session/events";
import { type FrameCrypto, Incoming, Outgoing } from "./frames";
import type { StreamCount, TransformOptions } from "./messages";

/** What we use of a transformer; Firefox alone has `generateKeyFrame`. */
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
  /** A key frame of ours is wanted, and this worker can't ask for it. */
  wantOwnKeyFrame(stream: number, layer: number): void;
  wantKeyFrame(ssrc: number): void;
  /** A remote stream's first frame has opened: what is counted is worth a look now. */
  began(): void;
  /** Sound or pictures can't be dealt with as they must: nothing leaves or is shown any more. */
  broken(error: unknown): void;
}

const COUNTS_MAX = 256;

/** All streams of one participant. Once `stop` was called nothing passes, either way. */
export class Transforms {
  readonly #of: TransformsOf;
  readonly #outgoing = new Set<Outgoing>();
  readonly #incoming = new Set<Incoming<EncodedFrame>>();
  readonly #sealed: Record<number, number> = {};
  /** Of streams that are no more. */
  readonly #over: StreamCount[] = [];
  /** By SSRC of ours: under which stream number its pictures are sealed. */
  #numbers: ReadonlyMap<number, number> = new Map();
  #stopped = false;

  constructor(of: TransformsOf) {
    this.#of = of;
  }

  /** A transform begins. With options that are none of ours nothing passes it. */
  begin(transformer: Transformer): void {
    const options = transformer.options as TransformOptions;
    if (options.role === "seal") this.#seal(transformer, options.kind, options.stream);
    else if (options.role === "open") this.#open(transformer, options.kind, options.ssrc);
  }

  /** Our streams as they are published: a picture of an SSRC that isn't among them goes nowhere. */
  publish(streams: readonly OwnStream[]): void {
    this.#numbers = new Map(
      streams.flatMap(({ ssrc, stream, layers = [] }) =>
        [ssrc, ...layers].map((each, layer) => [each, layerStream(stream, layer)] as const),
      ),
    );
  }

  /** New keys, announcements or signatures are there. */
  keysChanged(): void {
    for (const incoming of this.#incoming)
      if (incoming.held > 0) incoming.keysChanged(this.#of.now()).catch((error) => this.#fail(error));
  }

  /** Let time pass. */
  tick(): void {
    for (const incoming of this.#incoming)
      if (incoming.waiting) incoming.tick(this.#of.now()).catch((error) => this.#fail(error));
  }

  /** Nothing passes any more. */
  stop(): void {
    this.#stopped = true;
  }

  /** Frames of ours that left, by stream. */
  sealed(): Record<number, number> {
    return { ...this.#sealed };
  }

  /** Whether sound of ours is held back because its packets' sizes vary. */
  get varies(): boolean {
    return [...this.#outgoing].some(({ varies }) => varies);
  }

  /** Remote streams, those that are over (the last 256) too. */
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
        else void transformer.generateKeyFrame().catch(() => undefined); // the stream is over, or hasn't begun
      });
      layers.set(number, outgoing);
      this.#outgoing.add(outgoing);
      return outgoing;
    };
    const writer = transformer.writable.getWriter();
    const each = async (frame: EncodedFrame): Promise<void> => {
      const number = kind === "audio" ? stream : this.#numbers.get(frame.getMetadata().synchronizationSource ?? -1);
      // which layer it is can't be told: under another's number it would be taken for that one
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

  /** The frame goes on with other bytes in it. */
  #write(writer: WritableStreamDefaultWriter<EncodedFrame>, frame: EncodedFrame, data: Bytes): void {
    frame.data = data.byteLength === data.buffer.byteLength ? data.buffer : data.slice().buffer;
    writer.write(frame).catch(() => undefined); // the connection is closed
  }

  /** Until the stream ends: that it ends by an error is the connection's business, an error of `each` is ours. */
  async #run(readable: ReadableStream<EncodedFrame>, each: (frame: EncodedFrame) => Promise<void>): Promise<void> {
    const reader = readable.getReader();
    for (;;) {
      const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }));
      if (done || value === undefined) return;
      if (this.#stopped) continue; // read, so that nothing waits, and dropped
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
