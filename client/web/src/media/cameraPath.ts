/** The camera's track on its way to the self view and the other members: as it is, or through the blur. */
import { signal } from "@preact/signals";
import type { Blur, Blurred } from "./blur";
import type { OwnDevices } from "./devices";

export class CameraPath {
  readonly blurred = signal<Blurred>("note");
  /** Whether the person wants blur, and what does it, once somebody has wanted it. */
  #blurs = false;
  #blur: Blur | null = null;
  readonly #capture: OwnDevices;
  readonly #createWorker: () => Worker;
  readonly #use: (track: MediaStreamTrack | null) => void;

  constructor(capture: OwnDevices, createWorker: () => Worker, use: (track: MediaStreamTrack | null) => void) {
    this.#capture = capture;
    this.#createWorker = createWorker;
    this.#use = use;
  }

  turn(on: boolean): void {
    this.#blurs = on;
    this.blurred.value = "note";
    this.take(this.#capture.track("video"));
  }

  /** Use the camera's track, or what the blur makes of it: nothing until it makes something. */
  take(track: MediaStreamTrack | null): void {
    if (this.#blur !== null) return this.#blur.take(track, this.#blurs);
    if (track === null || !this.#blurs) return this.#use(track);
    this.#use(null);
    this.blurred.value = "loading";
    const fail = (): void => {
      this.#capture.release("video");
      this.blurred.value = "failed";
    };
    import("./blur").then(({ Blur }) => {
      this.#blur ??= new Blur(this.blurred, this.#createWorker, this.#use, fail);
      this.take(this.#capture.track("video"));
    }, fail);
  }
}
