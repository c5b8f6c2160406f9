/** Camera, microphone and speakers: requests, selection, loss and release. */
import { type ReadonlySignal, signal } from "@preact/signals";
import type { Device, Devices, DeviceTrouble } from "../app/model";
import { cameraOf } from "./layers";

type Kind = "audio" | "video";

/** The requested size of this machine's video, and the maximum number of its layers. */
export const CAMERA = cameraOf(globalThis.navigator?.hardwareConcurrency ?? 0);

const WANTED: Readonly<Record<Kind, MediaTrackConstraints>> = {
  audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: { ideal: 1 } },
  video: { width: { ideal: CAMERA.width }, height: { ideal: CAMERA.height }, frameRate: { ideal: 24, max: 30 } },
};

const NO_DEVICES: Devices = {
  cameras: [],
  microphones: [],
  speakers: [],
  camera: null,
  microphone: null,
  speaker: null,
  cameraTrouble: null,
  microphoneTrouble: null,
  facing: null,
};

/** Return the trouble, as shown to a person, that an error of `getUserMedia` means. */
export function troubleOf(error: unknown): Exclude<DeviceTrouble, null> {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  switch (name) {
    case "NotAllowedError":
    case "PermissionDeniedError":
      return "refused";
    case "NotFoundError":
    case "OverconstrainedError":
      return "none_found";
    case "NotReadableError":
    case "AbortError":
      return "in_use";
    case "SecurityError":
      return "insecure";
    case "TypeError":
      return "unsupported";
    default:
      return "failed";
  }
}

/** Our own devices. `changed` receives the current track of a kind; null: none. */
export class OwnDevices {
  readonly devices = signal<Devices>(NO_DEVICES);
  readonly #changed: (kind: Kind, track: MediaStreamTrack | null) => void;
  readonly #tracks: Record<Kind, MediaStreamTrack | null> = { audio: null, video: null };
  /** Number of the last request of each kind: the result of an older request is dropped. */
  readonly #asked: Record<Kind, number> = { audio: 0, video: 0 };
  #listening = false;

  constructor(changed: (kind: Kind, track: MediaStreamTrack | null) => void) {
    this.#changed = changed;
  }

  get list(): ReadonlySignal<Devices> {
    return this.devices;
  }

  track(kind: Kind): MediaStreamTrack | null {
    return this.#tracks[kind];
  }

  /**
   * Request camera and microphone, together if possible, so that the browser asks for permission once. A device that is
   * not available is reported in `devices`, as a trouble. `camera`: false for the microphone alone.
   */
  async begin(camera = true): Promise<void> {
    const media = this.#media();
    if (media === null) return;
    if (!this.#listening) {
      media.addEventListener?.("devicechange", this.#refresh);
      this.#listening = true;
    }
    if (!camera) return void (await this.ask("audio"));
    const numbers = { audio: ++this.#asked.audio, video: ++this.#asked.video };
    try {
      const stream = await media.getUserMedia({ audio: this.#wish("audio"), video: this.#wish("video") });
      this.#take("audio", stream.getAudioTracks()[0] ?? null, numbers.audio);
      this.#take("video", stream.getVideoTracks()[0] ?? null, numbers.video);
    } catch {
      // one of them is missing or refused: find out which one, and why
      await this.ask("audio");
      await this.ask("video");
    }
    await this.#refresh();
  }

  /**
   * Request one device: `first` (by default the selected one), or another if it is gone. Return whether there is a
   * track now.
   */
  async ask(kind: Kind, first = this.#wish(kind)): Promise<boolean> {
    const media = this.#media();
    if (media === null) return false;
    const number = ++this.#asked[kind];
    this.#stop(kind); // some devices can be opened only once, and a phone opens one camera at a time
    for (const wish of [first, WANTED[kind], true]) {
      try {
        const stream = await media.getUserMedia({ [kind]: wish });
        this.#take(kind, stream.getTracks()[0] ?? null, number);
        await this.#refresh();
        return this.#tracks[kind] !== null;
      } catch (error) {
        const trouble = troubleOf(error);
        this.#trouble(kind, trouble);
        if (trouble === "refused" || trouble === "insecure") break; // another request would only annoy
      }
    }
    this.#changed(kind, null);
    return false;
  }

  /** Use the device with this id from now on. */
  async choose(kind: Kind, id: string): Promise<void> {
    this.#set(kind === "audio" ? { microphone: id } : { camera: id });
    await this.ask(kind);
  }

  /** Use the camera of the other direction; if it fails, any other. */
  async flip(): Promise<void> {
    const facing = this.devices.value.facing === "user" ? "environment" : "user";
    await this.ask("video", { ...WANTED.video, facingMode: { exact: facing } });
  }

  chooseSpeaker(id: string): void {
    this.#set({ speaker: id });
  }

  /** Stop the track, so that the device's light goes out. */
  release(kind: Kind): void {
    this.#asked[kind]++;
    this.#stop(kind);
    if (kind === "video") this.#set({ facing: null });
    this.#changed(kind, null);
  }

  end(): void {
    this.release("audio");
    this.release("video");
    if (this.#listening) navigator.mediaDevices.removeEventListener?.("devicechange", this.#refresh);
    this.#listening = false;
  }

  // -- inside ----------------------------------------------------------------------------------------------

  #media(): MediaDevices | null {
    const media = (globalThis.navigator as Navigator | undefined)?.mediaDevices as MediaDevices | undefined;
    if (media !== undefined) return media;
    const trouble: DeviceTrouble = globalThis.isSecureContext ? "unsupported" : "insecure";
    this.#set({ cameraTrouble: trouble, microphoneTrouble: trouble });
    return null;
  }

  #wish(kind: Kind): MediaTrackConstraints {
    const { camera, microphone } = this.devices.value;
    const id = kind === "audio" ? microphone : camera;
    return id === null ? WANTED[kind] : { ...WANTED[kind], deviceId: { exact: id } };
  }

  #take(kind: Kind, track: MediaStreamTrack | null, number: number): void {
    if (number !== this.#asked[kind]) {
      track?.stop(); // a newer request has been made meanwhile
      return;
    }
    this.#stop(kind);
    this.#tracks[kind] = track;
    this.#trouble(kind, track === null ? "none_found" : null);
    if (track === null) return this.#changed(kind, null);
    track.contentHint = kind === "audio" ? "speech" : "motion";
    track.addEventListener("ended", () => {
      // unplugged, or taken away by the system; our own `stop` does not fire this event
      if (this.#tracks[kind] === track) void this.ask(kind);
    });
    const { deviceId, facingMode } = track.getSettings?.() ?? {};
    if (kind === "video") this.#set({ facing: facingMode === "user" || facingMode === "environment" ? facingMode : null });
    if (deviceId) this.#set(kind === "audio" ? { microphone: deviceId } : { camera: deviceId });
    this.#changed(kind, track);
  }

  #stop(kind: Kind): void {
    const track = this.#tracks[kind];
    this.#tracks[kind] = null;
    track?.stop();
  }

  #trouble(kind: Kind, trouble: DeviceTrouble): void {
    this.#set(kind === "audio" ? { microphoneTrouble: trouble } : { cameraTrouble: trouble });
  }

  #set(change: Partial<Devices>): void {
    this.devices.value = { ...this.devices.value, ...change };
  }

  readonly #refresh = async (): Promise<void> => {
    const all = await navigator.mediaDevices.enumerateDevices?.().catch(() => []);
    const of = (kind: MediaDeviceKind): Device[] =>
      // without permission, devices have neither ids nor labels
      (all ?? []).filter((each) => each.kind === kind && each.deviceId !== "").map(({ deviceId, label }) => ({ id: deviceId, label }));
    this.#set({ cameras: of("videoinput"), microphones: of("audioinput"), speakers: of("audiooutput") });
  };
}
