/**
 * Blur of what is behind the person: the camera's track goes in, and another one comes out. Loaded when somebody turns it on.
 *
 * While blur is on, nobody gets the camera's own track: neither the other members nor the self view. If blur fails, the
 * camera goes off.
 */
import type { Signal } from "@preact/signals";
import type { FromBlur, ToBlur } from "../blur/messages";

/** What is to be said below the switch: what blur is, that it is loaded, or that it does not work. */
export type Blurred = "note" | "loading" | "failed";

/** A running blur, and its output. */
export interface Pipe {
  readonly track: MediaStreamTrack;
  /** Blur what that camera shows from now on. */
  show(camera: MediaStreamTrack): void;
  /** Release everything but the camera. */
  end(): void;
}

/** Starts to blur; done when there is a blurred frame. `lost` is called if it stops afterwards. */
export type Open = (createWorker: () => Worker, camera: MediaStreamTrack, lost: () => void) => Promise<Pipe>;

/** The camera's path: as it is, or through the blur. */
export class Blur {
  readonly #state: Signal<Blurred>;
  readonly #createWorker: () => Worker;
  readonly #use: (track: MediaStreamTrack | null) => void;
  readonly #fail: () => void;
  readonly #start: Open;
  #pipe: Pipe | null = null;
  /** Number of the last change: a blur that was started before it is not used. */
  #number = 0;

  /**
   * `createWorker` runs `blur.js`. `use` shows and sends a track (null: none). `fail` turns the camera off, because it
   * can't be blurred.
   */
  constructor(
    state: Signal<Blurred>,
    createWorker: () => Worker,
    use: (track: MediaStreamTrack | null) => void,
    fail: () => void,
    open: Open = openBlur,
  ) {
    this.#state = state;
    this.#createWorker = createWorker;
    this.#use = use;
    this.#fail = fail;
    this.#start = open;
  }

  /** The camera has this track now (null: it is off), and blur is on or off. */
  take(camera: MediaStreamTrack | null, on: boolean): void {
    const number = ++this.#number;
    if (on && camera !== null && this.#pipe !== null) return this.#pipe.show(camera);
    this.#pipe?.end();
    this.#pipe = null;
    if (this.#state.value === "loading") this.#state.value = "note";
    this.#use(on ? null : camera);
    if (on && camera !== null) void this.#open(camera, number);
  }

  async #open(camera: MediaStreamTrack, number: number): Promise<void> {
    this.#state.value = "loading";
    try {
      let pipe: Pipe | null = null;
      pipe = await this.#start(this.#createWorker, camera, () => {
        if (pipe !== null && this.#pipe === pipe) this.#fail();
      });
      if (number !== this.#number) return pipe.end();
      this.#pipe = pipe;
      this.#state.value = "note";
      this.#use(pipe.track);
    } catch {
      if (number === this.#number) this.#fail();
    }
  }
}

/** A line "sha256 name" for each file of the blur, from the build: `where.ts` does not fetch them for the page's hash. */
declare const BLUR_SUMS: string;
/** Milliseconds without a blurred frame after which the blur has failed. */
const PATIENCE = 15_000;

/** Return a file as it was built; rejects if the server has another one, or none. */
async function load(name: string, ways: readonly RequestCache[] = ["force-cache", "reload"]): Promise<ArrayBuffer> {
  for (const cache of ways) {
    const answer = await fetch(name, { cache, redirect: "error" });
    const data = await answer.arrayBuffer();
    const sum = Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", data)), (byte) => byte.toString(16).padStart(2, "0"));
    if (BLUR_SUMS.includes(`${sum.join("")} ${name}\n`)) return data;
  }
  throw new Error(name);
}

const openBlur: Open = async (createWorker, camera, lost) => {
  const [wasm, model] = await Promise.all([load("blur.wasm"), load("blur.tflite")]);
  const running = new Running(createWorker(), lost);
  try {
    running.show(camera);
    await running.begin(wasm, model);
  } catch (error) {
    running.end();
    throw error;
  }
  return running;
};

class Running implements Pipe {
  readonly track: MediaStreamTrack;
  readonly #worker: Worker;
  readonly #video = document.createElement("video");
  readonly #canvas = document.createElement("canvas");
  readonly #ink: CanvasRenderingContext2D;
  readonly #timer: ReturnType<typeof setInterval>;
  #shown = performance.now();
  #loaded: () => void = () => undefined;
  #drawn: () => void = () => undefined;
  /** Called if it stops: by `begin` first, then for who uses the track. */
  #failed: () => void = () => undefined;
  #ended = false;

  constructor(worker: Worker, lost: () => void) {
    this.#worker = worker;
    const ink = this.#canvas.getContext("2d", { alpha: false, willReadFrequently: true });
    const [track] = ink === null ? [] : this.#canvas.captureStream().getVideoTracks();
    if (ink === null || track === undefined) throw new Error("no canvas");
    this.#ink = ink;
    this.track = track;
    track.contentHint = "motion";
    this.#video.muted = true;
    const fail = (): void => {
      if (this.#ended) return;
      this.#failed();
      lost();
    };
    worker.onmessage = ({ data }: MessageEvent<FromBlur>) => void this.#hear(data).catch(fail);
    worker.onerror = worker.onmessageerror = fail;
    this.#timer = setInterval(() => {
      if (performance.now() - this.#shown > PATIENCE) fail();
    }, PATIENCE / 3);
  }

  /** Start the worker; done when there is a blurred frame. */
  async begin(wasm: ArrayBuffer, model: ArrayBuffer): Promise<void> {
    const failed = new Promise<never>((_, reject) => {
      this.#failed = () => reject(new Error("blur"));
    });
    await Promise.race([failed, new Promise<void>((done) => (this.#loaded = done))]);
    // the script that runs, as the browser has kept it: until it is the one that was built, it gets nothing
    await load("blur.js", ["force-cache"]);
    this.#send({ wasm, model }, [wasm, model]);
    await Promise.race([failed, new Promise<void>((done) => (this.#drawn = done))]);
  }

  show(camera: MediaStreamTrack): void {
    this.#video.srcObject = new MediaStream([camera]);
    // a camera that can't be played gives no frame, and then `PATIENCE` ends it
    void this.#video.play().catch(() => undefined);
  }

  end(): void {
    this.#ended = true;
    clearInterval(this.#timer);
    this.#worker.terminate();
    this.#video.srcObject = null;
    this.track.stop();
  }

  async #hear(message: FromBlur): Promise<void> {
    if (this.#ended) return;
    if (message === "loaded") return this.#loaded();
    if (message === "next") {
      const ready = this.#video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA && this.#video.videoWidth > 0;
      const frame = ready ? new VideoFrame(this.#video) : null;
      return this.#send(frame, frame === null ? [] : [frame]);
    }
    const { width, height } = message;
    if (this.#canvas.width !== width || this.#canvas.height !== height) Object.assign(this.#canvas, { width, height });
    this.#ink.drawImage(message, 0, 0);
    message.close();
    this.#shown = performance.now();
    this.#drawn();
  }

  #send(message: ToBlur, transfer: Transferable[]): void {
    if (!this.#ended) this.#worker.postMessage(message, transfer);
  }
}
