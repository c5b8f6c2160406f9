/** Records what this page plays: all audio mixed, all video in a grid. The recording stays in this browser. */

/** Pixels, and frames a second. */
const WIDTH = 1280;
const HEIGHT = 720;
const RATE = 15;

/** Return columns and rows of a grid of `count` videos of 16:9. */
export function gridOf(count: number): readonly [number, number] {
  const columns = Math.max(1, Math.ceil(Math.sqrt(count)));
  return [columns, Math.max(1, Math.ceil(count / columns))];
}

/** One recording, from its construction to `stop`. */
export class Recorder {
  readonly #context: AudioContext;
  readonly #mix: MediaStreamAudioDestinationNode;
  readonly #canvas = document.createElement("canvas");
  readonly #sounds = new Map<MediaStream, MediaStreamAudioSourceNode>();
  readonly #pictures = new Map<MediaStream, HTMLVideoElement>();
  readonly #recorder: MediaRecorder;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #parts: Blob[] = [];

  /** `mimeType`: a type that this browser can record. */
  constructor(context: AudioContext, mimeType: string) {
    this.#context = context;
    this.#mix = context.createMediaStreamDestination();
    this.#canvas.width = WIDTH;
    this.#canvas.height = HEIGHT;
    this.#draw();
    const tracks = [...this.#canvas.captureStream(RATE).getVideoTracks(), ...this.#mix.stream.getAudioTracks()];
    this.#recorder = new MediaRecorder(new MediaStream(tracks), { mimeType, videoBitsPerSecond: 2_500_000 });
    this.#recorder.addEventListener("dataavailable", ({ data }) => this.#parts.push(data));
    this.#recorder.start(1000);
    this.#timer = setInterval(() => this.#draw(), 1000 / RATE);
  }

  /** Record these streams from now on, and no others. */
  plays(streams: readonly MediaStream[]): void {
    const sounds = streams.filter((stream) => stream.getAudioTracks().length > 0);
    const pictures = streams.filter((stream) => stream.getVideoTracks().length > 0);
    for (const [stream, source] of this.#sounds)
      if (!sounds.includes(stream)) {
        source.disconnect();
        this.#sounds.delete(stream);
      }
    for (const stream of sounds)
      if (!this.#sounds.has(stream)) {
        const source = this.#context.createMediaStreamSource(stream);
        source.connect(this.#mix);
        this.#sounds.set(stream, source);
      }
    for (const [stream, video] of this.#pictures)
      if (!pictures.includes(stream)) {
        video.srcObject = null;
        this.#pictures.delete(stream);
      }
    for (const stream of pictures)
      if (!this.#pictures.has(stream)) {
        const video = document.createElement("video");
        video.muted = video.playsInline = true;
        video.srcObject = stream;
        void video.play().catch(() => undefined);
        this.#pictures.set(stream, video);
      }
  }

  /** End the recording and return the complete file. */
  async stop(): Promise<Blob> {
    clearInterval(this.#timer);
    const stopped = new Promise((done) => this.#recorder.addEventListener("stop", done, { once: true }));
    if (this.#recorder.state !== "inactive") {
      this.#recorder.stop();
      await stopped;
    }
    this.plays([]);
    return new Blob(this.#parts, { type: this.#recorder.mimeType });
  }

  #draw(): void {
    const ink = this.#canvas.getContext("2d");
    if (ink === null) return;
    ink.fillStyle = "#101412";
    ink.fillRect(0, 0, WIDTH, HEIGHT);
    const [columns, rows] = gridOf(this.#pictures.size);
    const [wide, high] = [WIDTH / columns, HEIGHT / rows];
    [...this.#pictures.values()].forEach((video, i) => {
      if (video.videoWidth === 0) return;
      const scale = Math.min(wide / video.videoWidth, high / video.videoHeight);
      const [w, h] = [video.videoWidth * scale, video.videoHeight * scale];
      ink.drawImage(video, (i % columns) * wide + (wide - w) / 2, Math.floor(i / columns) * high + (high - h) / 2, w, h);
    });
  }
}
