/** The store's interface to devices and the media connection: `media/room.ts` implements it, tests use substitutes. */
import type { ReadonlySignal } from "@preact/signals";
import type { KeptMeetings } from "../kept";
import type { Blurred } from "../media/blur";
import type { Chime } from "../media/chime";
import type { Rate } from "../media/network";
import type { FromWorker } from "../worker/messages";
import type { Sentence } from "../words/sentence";
import type { Devices } from "./model";

/** A remote stream, as the browser plays it. */
export interface RemoteStream {
  readonly ssrc: number;
  readonly leaf: number;
  /** 0 audio, 1 video, 2 audio of the screen, 3 video of the screen. */
  readonly stream: number;
  readonly media: MediaStream;
  readonly weak: boolean;
}

/** The last second of a stream that we receive or send. */
export interface StreamRate extends Rate {
  readonly ssrc: number;
  readonly leaf: number;
  readonly stream: number;
  /** Number of sizes in which its sender sends the video. */
  readonly layers: number;
}

export interface MediaSide {
  readonly devices: ReadonlySignal<Devices>;
  readonly preview: ReadonlySignal<MediaStream | null>;
  /** Our shared screen; null: not shared. */
  readonly screen: ReadonlySignal<MediaStream | null>;
  /** 0 to 1. */
  readonly ownLevel: ReadonlySignal<number>;
  /** The person speaks while the microphone is off; only after `noticeMuted`. */
  readonly speaksMuted: ReadonlySignal<boolean>;
  readonly mic: ReadonlySignal<boolean>;
  readonly camera: ReadonlySignal<boolean>;
  readonly blurred: ReadonlySignal<Blurred>;
  readonly remote: ReadonlySignal<readonly RemoteStream[]>;
  /** 0 to 1, by leaf, including our own. */
  readonly levels: ReadonlySignal<ReadonlyMap<number, number>>;
  readonly speaker: ReadonlySignal<number | null>;
  /** Once a second. */
  readonly rates: ReadonlySignal<readonly StreamRate[]>;
  readonly recording: ReadonlySignal<boolean>;
  /** A notice for the person, for example that the browser plays no audio before a click. */
  readonly trouble: ReadonlySignal<Sentence | null>;
  /**
   * No media connection, as an alarm (docs/reference/alarms/media_*.md); null: there is one, or none was
   * requested.
   */
  readonly alarm: ReadonlySignal<{ readonly kind: string; readonly text: Sentence } | null>;
  /** This computer does not keep up with the video that comes. */
  readonly busy: ReadonlySignal<boolean>;
  readonly can: { readonly share: boolean; readonly pip: boolean; readonly record: boolean; readonly scan: boolean };

  /** Request camera and microphone, for the preview. `on`: without it, both are on. */
  begin(on?: { readonly mic: boolean; readonly camera: boolean }): Promise<void>;
  /** Release the devices and close all connections. */
  end(): void;
  chooseCamera(id: string): Promise<void>;
  flipCamera(): Promise<void>;
  chooseMicrophone(id: string): Promise<void>;
  chooseSpeaker(id: string): Promise<void>;
  /**
   * Blur what is behind the person, or show the camera as it is. While it is on, nothing unblurred is sent or shown: a camera
   * that can't be blurred goes off, and `blurred` says so.
   */
  blurCamera(on: boolean): void;
  /** Play a test sound on the chosen speaker. Throws a CommandError if it plays nothing. */
  testSpeaker(): Promise<void>;
  /** Play members as loud as that, 0 to 1, by leaf; others as they come. */
  setVolumes(volumes: ReadonlyMap<number, number>): void;
  /** Notice that the person speaks while the microphone is off: it is listened to then, on this device. */
  noticeMuted(on: boolean): void;
  toggleMic(): void;
  toggleCamera(): Promise<void>;
  /** Throws a CommandError if the person or the browser refuses. */
  toggleShare(): Promise<void>;
  /** The room was entered: connect through this worker, as that leaf. */
  enter(worker: Worker, ownLeaf: number): void;
  /** Handle the worker's messages about media; others are ignored. */
  hear(message: FromWorker): void;
  startRecording(): Promise<void>;
  /** Return the recording as a file. */
  stopRecording(): Promise<Blob | null>;
  pictureInPicture(stream: MediaStream): Promise<void>;
  /** Play a short sound; silent before the person has used the page. */
  chime(chime: Chime): void;
}

/** The store's environment, with `createWorker` so that tests need no worker. */
export interface Around {
  readonly media: MediaSide;
  createWorker(): Worker;
  readonly kept: Storage | null;
  /** What this device keeps of meetings; null: nothing. */
  readonly meetings: KeptMeetings | null;
}
