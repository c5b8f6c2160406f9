/** What the store needs of devices and of the media connection: `media/room.ts` is the real one, tests make others. */
import type { ReadonlySignal } from "@preact/signals";
import type { FromWorker } from "../worker/messages";
import type { Sentence } from "../words/sentence";
import type { Devices } from "./model";

/** A remote stream, as the browser plays it. */
export interface RemoteStream {
  readonly ssrc: number;
  readonly leaf: number;
  /** 0 audio, 1 video, 2 screen's audio, 3 screen's video. */
  readonly stream: number;
  readonly media: MediaStream;
  readonly weak: boolean;
}

export interface MediaSide {
  readonly devices: ReadonlySignal<Devices>;
  readonly preview: ReadonlySignal<MediaStream | null>;
  /** What we share, while we do. */
  readonly screen: ReadonlySignal<MediaStream | null>;
  /** 0 to 1. */
  readonly ownLevel: ReadonlySignal<number>;
  readonly mic: ReadonlySignal<boolean>;
  readonly camera: ReadonlySignal<boolean>;
  readonly remote: ReadonlySignal<readonly RemoteStream[]>;
  /** 0 to 1, by leaf; our own among them. */
  readonly levels: ReadonlySignal<ReadonlyMap<number, number>>;
  readonly speaker: ReadonlySignal<number | null>;
  readonly recording: ReadonlySignal<boolean>;
  /** Something that a person should know: the browser plays no sound before a click, say. */
  readonly trouble: ReadonlySignal<Sentence | null>;
  /** No media connection, as an alarm (docs/alarms/media_*.md); null: there is one, or none is wanted. */
  readonly alarm: ReadonlySignal<{ readonly kind: string; readonly text: Sentence } | null>;
  readonly can: { readonly share: boolean; readonly pip: boolean; readonly record: boolean; readonly scan: boolean };

  /** Ask for camera and microphone, for the preview. */
  begin(): Promise<void>;
  /** Devices are let go, and whatever was connected is closed. */
  end(): void;
  chooseCamera(id: string): Promise<void>;
  chooseMicrophone(id: string): Promise<void>;
  chooseSpeaker(id: string): Promise<void>;
  toggleMic(): void;
  toggleCamera(): Promise<void>;
  /** Throws a CommandError if the person or the browser says no. */
  toggleShare(): Promise<void>;
  /** The room is entered: connect through this worker, as that leaf. */
  enter(worker: Worker, ownLeaf: number): void;
  /** What the worker says of media; other messages are nothing here. */
  hear(message: FromWorker): void;
  startRecording(): Promise<void>;
  /** The recording, as a file. */
  stopRecording(): Promise<Blob | null>;
  pictureInPicture(stream: MediaStream): Promise<void>;
}
