/**
 * Entry point of the worker that blurs what is behind a person.
 *
 * The policy of this file's response lets it compile WebAssembly, and lets it reach nothing: no server, no other script.
 * Frames come from the page and go back to it. The worker is also the clock, because browsers slow down the clocks of
 * pages in the background, and not those of workers.
 */
import create, { type TensorFlow } from "@twilio/video-processors/dist/build/tflite-simd-1-0-0.js";
import type { FromBlur, ToBlur } from "./messages";

/** The size of the model's input and output, in pixels. */
const [WIDTH, HEIGHT] = [256, 144];
/** Milliseconds from one frame to the next: 20 frames a second. */
const PERIOD = 50;
/** The background is made smaller by half, this many times: 32 x 18 pixels are all that is left of it. */
const HALVES = 3;
/** The model's confidence, 0 to 1, up to which a pixel is background, and from which it is the person. */
const [BACKGROUND, PERSON] = [0.3, 0.7];

type Ink = OffscreenCanvasRenderingContext2D;

function inkOf(width: number, height: number): Ink {
  const ink = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (ink === null) throw new Error("no canvas");
  return ink;
}

/** Draw `from` as large as the canvas of `ink`, and return that canvas. */
function fill(ink: Ink, from: CanvasImageSource, how: GlobalCompositeOperation = "copy"): OffscreenCanvas {
  ink.globalCompositeOperation = how;
  ink.drawImage(from, 0, 0, ink.canvas.width, ink.canvas.height);
  return ink.canvas;
}

class Blur {
  readonly #flow: TensorFlow;
  /** The frame as the model sees it, and its halves. */
  readonly #sizes: readonly Ink[] = Array.from({ length: HALVES + 1 }, (_, at) => inkOf(WIDTH >> at, HEIGHT >> at));
  readonly #mask = inkOf(WIDTH, HEIGHT);
  readonly #person = new ImageData(WIDTH, HEIGHT);
  readonly #out = inkOf(WIDTH, HEIGHT);

  constructor(flow: TensorFlow, model: ArrayBuffer) {
    this.#flow = flow;
    flow.HEAPU8.set(new Uint8Array(model), flow._getModelBufferMemoryOffset());
    flow._loadModel(model.byteLength);
    if (flow._getInputWidth() !== WIDTH || flow._getInputHeight() !== HEIGHT) throw new Error("another model");
  }

  /** Return the frame with its background blurred. */
  draw(frame: VideoFrame): ImageBitmap {
    const { displayWidth: width, displayHeight: height } = frame;
    const { canvas } = this.#out;
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    const [first, ...smaller] = this.#sizes as [Ink, ...Ink[]];
    fill(first, frame);
    this.#find(first.getImageData(0, 0, WIDTH, HEIGHT).data);
    this.#mask.putImageData(this.#person, 0, 0);
    // each size is drawn from the next larger one, then each from the next smaller one: that is soft in every browser
    let background = first.canvas;
    for (const ink of smaller) background = fill(ink, background);
    for (const ink of [...this.#sizes].reverse().slice(1)) background = fill(ink, background);
    fill(this.#out, this.#mask.canvas);
    fill(this.#out, frame, "source-in");
    fill(this.#out, background, "destination-over");
    return canvas.transferToImageBitmap();
  }

  /** Have the model find the person: the opaque part of `#person`, soft at the edge. */
  #find(pixels: Uint8ClampedArray): void {
    const flow = this.#flow;
    const input = flow._getInputMemoryOffset() / 4;
    for (let at = 0, to = input; at < pixels.length; at += 4) {
      for (let part = 0; part < 3; part++) flow.HEAPF32[to++] = (pixels[at + part] ?? 0) / 255;
    }
    flow._runInference();
    const output = flow._getOutputMemoryOffset() / 4;
    const { data } = this.#person;
    for (let at = 0; at < WIDTH * HEIGHT; at++) {
      const sure = ((flow.HEAPF32[output + at] ?? 0) - BACKGROUND) / (PERSON - BACKGROUND);
      const now = 255 * Math.min(1, Math.max(0, sure));
      // a person appears softly; what is background now is never shown
      data[4 * at + 3] = Math.min(now, ((data[4 * at + 3] ?? 0) + now) / 2);
    }
  }
}

/** The part of a worker's global scope that is used here. */
interface Scope {
  postMessage(message: FromBlur, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<ToBlur>) => void) | null;
}

const scope = self as unknown as Scope;
let blur: Blur | null = null;
let due = 0;

/** Ask for the next frame when it is due. */
function next(): void {
  due = Math.max(due + PERIOD, performance.now());
  setTimeout(() => scope.postMessage("next"), due - performance.now());
}

scope.onmessage = ({ data }) => {
  if (data !== null && "wasm" in data) {
    // an error that nobody catches reaches the page as one of the worker
    void create({ wasmBinary: data.wasm }).then(
      (flow) => {
        blur = new Blur(flow, data.model);
        next();
      },
    ).catch((error: unknown) => setTimeout(() => { throw error; }));
    return;
  }
  if (data !== null && blur !== null) {
    const image = blur.draw(data);
    data.close();
    scope.postMessage(image, [image]);
  }
  next();
};
scope.postMessage("loaded");
