/** A page around `MediaLink` alone: what a test wants to see and hear of it hangs on `window.test`. */
import { unhex } from "../../../client/web/src/crypto/bytes";
import { MediaLink, type OwnTrack } from "../../../client/web/src/media/link";
import { fromBase64, toBase64 } from "../../../client/web/src/wire/codec";
import type { OwnStream } from "../../../client/web/src/session/events";
import type { HandleStream, Transport } from "../../../client/web/src/wire/messages";

interface Place {
  readonly leaf: number;
  readonly base: string;
  readonly tags: string;
  /** Whether the worker has keys from the beginning. */
  readonly keys?: boolean;
}

interface Counted {
  readonly sealed: Record<number, number>;
  readonly streams: readonly { readonly ssrc: number; readonly opened: number; readonly failed: number; readonly leaf: number }[];
}

const worker = new Worker("/mediaWorker.js", { type: "module" });
const told: unknown[] = [];
const tracks = new Map<number, MediaStreamTrack>();
const elements = new Map<number, HTMLMediaElement>();
let waiting: ((counted: Counted) => void)[] = [];
let link: MediaLink | null = null;
let handle = "";
let place: Place | null = null;
let devices: MediaStream | null = null;
let context: AudioContext | null = null;
const listening = new Map<number, AnalyserNode>();

worker.addEventListener("message", ({ data }) => {
  if (data.type === "counts") for (const done of waiting.splice(0)) done(data);
  else if (data.type === "wantOwnKeyFrame") void link?.keyFrame(data.stream, data.layer);
  else if (data.type !== "installed") told.push(data);
});

const ask = async (what: string, body: unknown): Promise<unknown> =>
  await (await fetch(what, { method: "POST", body: JSON.stringify(body) })).json();

function give(epoch: number): Promise<void> {
  const { leaf, base, tags } = place!;
  return new Promise((done) => {
    const installed = ({ data }: MessageEvent): void => {
      if (data.type !== "installed") return;
      worker.removeEventListener("message", installed);
      done();
    };
    worker.addEventListener("message", installed);
    worker.postMessage({ epoch, leaf, base: unhex(base), tags: unhex(tags) });
  });
}

async function connect(published: Awaited<ReturnType<MediaLink["open"]>>): Promise<Transport> {
  const hide = ({ layers = [], ...stream }: OwnStream): OwnStream => ({ ...stream, layers: layers.slice(test.hidden) });
  worker.postMessage({ publish: published.streams.map(hide) });
  const body = { ...published, handle, fingerprint: toBase64(published.fingerprint) };
  const transport = (await ask("/media", body)) as Transport & { fingerprint: unknown };
  return { ...transport, fingerprint: fromBase64(transport.fingerprint as unknown as string) };
}

const test = {
  told,
  events: [] as string[],
  lost: [] as unknown[],
  /** In how many sizes the camera's pictures are to be sent. */
  layers: 1,
  /** Of how many of them, from the second on, the worker isn't told. */
  hidden: 0,
  published: null as Awaited<ReturnType<MediaLink["open"]>> | null,

  async join(at: Place, kinds: { audio?: boolean; video?: boolean } = { audio: true, video: true }): Promise<number[]> {
    place = at;
    if (at.keys ?? true) await give(1);
    handle = ((await ask("/join", {})) as { handle: string }).handle;
    devices = kinds.audio || kinds.video ? await navigator.mediaDevices.getUserMedia(kinds) : new MediaStream();
    return await this.link();
  },

  /** Another link, with the same devices. */
  async link(): Promise<number[]> {
    link?.close();
    for (const ssrc of [...tracks.keys()]) this.gone(ssrc);
    link = new MediaLink(worker, {
      track: (ssrc, track) => {
        tracks.set(ssrc, track);
        const element = document.createElement(track.kind === "audio" ? "audio" : "video");
        element.autoplay = true;
        element.muted = track.kind === "video";
        element.srcObject = new MediaStream([track]);
        document.body.append(element);
        elements.set(ssrc, element);
      },
      gone: (ssrc) => this.gone(ssrc),
      connected: () => this.events.push("connected"),
      anew: (published) => {
        this.events.push("anew");
        void connect(published).then((transport) => link?.connect(transport));
      },
      lost: (why, ever) => {
        this.events.push("lost");
        this.lost.push([why, ever]);
      },
    });
    const own: OwnTrack[] = [
      { stream: 0, kind: "audio", track: devices?.getAudioTracks()[0] ?? null },
      { stream: 1, kind: "video", track: devices?.getVideoTracks()[0] ?? null, layers: this.layers },
    ];
    const published = (this.published = await link.open(own));
    await link.connect(await connect(published));
    return published.streams.map(({ ssrc }) => ssrc);
  },

  gone(ssrc: number): void {
    elements.get(ssrc)?.remove();
    for (const known of [elements, tracks, listening]) known.delete(ssrc);
  },

  /** A screen: one colour. */
  async share(colour: string): Promise<number[]> {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [640, 360];
    const ink = canvas.getContext("2d")!;
    setInterval(() => {
      ink.fillStyle = colour;
      ink.fillRect(0, 0, 640, 360);
    }, 50);
    const published = await link!.send({ stream: 3, kind: "video", track: canvas.captureStream(15).getVideoTracks()[0] ?? null });
    if (published === null) return [];
    await link!.connect(await connect(published));
    return published.streams.map(({ ssrc }) => ssrc);
  },

  camera: async (on: boolean) =>
    await link!.send({ stream: 1, kind: "video", track: on ? (devices?.getVideoTracks()[0] ?? null) : null }),
  mute: (on: boolean) => {
    for (const track of devices!.getAudioTracks()) track.enabled = !on;
  },
  /** `large`: and send sound as in a large room. */
  remote: async (large = false) => {
    const { streams } = (await ask("/streams", { handle })) as { streams: HandleStream[] };
    await link!.setRemote({ streams, large });
    return [...tracks.keys()];
  },
  setRemote: async (streams: HandleStream[]) => await link!.setRemote({ streams, large: false }),
  keysAt: give,
  tell: (what: unknown) => worker.postMessage(what),
  kill: () => worker.terminate(),
  connected: () => link?.connected ?? false,
  leave: () => link?.close(),

  counts: (): Promise<Counted> =>
    new Promise((done) => {
      waiting.push(done);
      worker.postMessage("count");
    }),

  /** Size and colour of what is shown; null: nothing is. */
  see(ssrc: number): number[] | null {
    const video = elements.get(ssrc) as HTMLVideoElement | undefined;
    if (video === undefined || !video.videoWidth) return null;
    const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
    const ink = canvas.getContext("2d")!;
    ink.drawImage(video, 0, 0);
    return [canvas.width, canvas.height, ...ink.getImageData(canvas.width >> 1, canvas.height >> 1, 1, 1).data.slice(0, 3)];
  },

  /** The strongest pitch, in Hz, and how strong it is (0 to 255). */
  hear(ssrc: number): number[] | null {
    const track = tracks.get(ssrc);
    if (track === undefined) return null;
    context ??= new AudioContext();
    void context.resume();
    let analyser = listening.get(ssrc);
    if (analyser === undefined) {
      analyser = context.createAnalyser();
      analyser.fftSize = 4096;
      context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
      listening.set(ssrc, analyser);
    }
    const bins = new Uint8Array(analyser.frequencyBinCount);
    analyser.getByteFrequencyData(bins);
    const top = bins.indexOf(Math.max(...bins));
    return [(top * context.sampleRate) / analyser.fftSize, bins[top] ?? 0];
  },

  /** Take down what is shown from now on: when (ms), and how tall. */
  watch(ssrc: number): void {
    const video = elements.get(ssrc) as HTMLVideoElement;
    const seen = (now: number, { height }: VideoFrameCallbackMetadata): void => {
      this.watched.push([now, height]);
      video.requestVideoFrameCallback(seen);
    };
    video.requestVideoFrameCallback(seen);
  },
  watched: [] as [number, number][],
  handle: () => handle,

  sections: () => link!.sections,
  stats: async () => [...((await link!.stats()) ?? new Map()).values()],
};

Object.assign(window, { test });
