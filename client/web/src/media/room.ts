/**
 * A participant's audio and video in the page: devices, the link to the media server, and playback.
 *
 * A new link replaces the old one whenever the room's connection or the link itself is lost. Devices, choices and the
 * owners of streams survive it.
 */
import { batch, computed, signal } from "@preact/signals";
import type { MediaSide, RemoteStream, StreamRate } from "../app/mediaSide";
import type { InputOf } from "../session/events";
import type { FromWorker, ToWorker } from "../worker/messages";
import { CommandError, type Sentence, sentence } from "../words/sentence";
import { CameraPath } from "./cameraPath";
import { type Chime, Chimes } from "./chime";
import { CAMERA, OwnDevices } from "./devices";
import { LEVEL_TIME, Meters, SpeakerChooser } from "./levels";
import { type Listed, MediaLink, NONE, type OwnTrack } from "./link";
import { Listener, MutedVoice } from "./mutedVoice";
import { Rates, received, Weakness } from "./network";
import type { Recorder } from "./recorder";
import { recordedType } from "./recordedType";
import { testSpeaker } from "./tone";

/** Seconds before another attempt at an unreachable media server. */
export const RETRY = 1;
const OWN = "own";
const MUTED = "muted";
const GESTURES = ["pointerdown", "keydown", "touchend"] as const;

interface Remote {
  readonly ssrc: number;
  readonly media: MediaStream;
  /** Plays the audio. */
  readonly audio: HTMLAudioElement | null;
}

export class Media implements MediaSide {
  readonly #capture = new OwnDevices((kind, track) => (kind === "video" ? this.#path.take(track) : this.#use(kind, track)));
  readonly #meters = new Meters<number | typeof OWN | typeof MUTED>();
  readonly #listener = new Listener();
  readonly #mutedVoice = new MutedVoice();
  readonly #path: CameraPath;
  #noticing = false;
  readonly #chooser = new SpeakerChooser();
  readonly #chimes = new Chimes();
  readonly #weakness = new Weakness();
  readonly #rates = new Rates();
  /** Our own streams, by the SSRCs of all their layers. */
  readonly #own = new Map<number, number>();
  readonly #tracks = new Map<number, Remote>();
  readonly #whose = new Map<number, { readonly leaf: number; readonly stream: number }>();
  #weak: ReadonlySet<number> = new Set();
  #volumes: ReadonlyMap<number, number> = new Map();
  #worker: Worker | null = null;
  #ownLeaf = -1;
  #link: MediaLink | null = null;
  #listed: Listed = NONE;
  #share: MediaStream | null = null;
  #sound: MediaStream | null = null;
  /** The person's choice: a microphone selected later is muted too. */
  #muted = false;
  #recorder: Recorder | null = null;
  #ticks = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;

  readonly devices = this.#capture.devices;
  readonly preview = signal<MediaStream | null>(null);
  readonly screen = signal<MediaStream | null>(null);
  readonly ownLevel = signal(0);
  readonly speaksMuted = signal(false);
  readonly mic = signal(false);
  readonly camera = signal(false);
  readonly blurred;
  readonly remote = signal<readonly RemoteStream[]>([]);
  readonly levels = signal<ReadonlyMap<number, number>>(new Map());
  readonly speaker = signal<number | null>(null);
  readonly rates = signal<readonly StreamRate[]>([]);
  readonly #recording = signal(false);
  readonly recording = computed(() => this.#recording.value);
  readonly trouble = signal<Sentence | null>(null);
  /** The media connection is lost, or cannot be made; null: it works, or was never requested. */
  readonly alarm = signal<{ readonly kind: string; readonly text: Sentence } | null>(null);
  readonly busy = signal(false);
  readonly can = {
    share: typeof navigator.mediaDevices?.getDisplayMedia === "function",
    pip: document.pictureInPictureEnabled === true,
    record: recordedType() !== undefined,
    scan: typeof navigator.mediaDevices?.getUserMedia === "function",
  };

  constructor(createBlurWorker: () => Worker) {
    this.#path = new CameraPath(this.#capture, createBlurWorker, (track) => this.#use("video", track));
    ({ blurred: this.blurred } = this.#path);
  }

  // -- devices ---------------------------------------------------------------------------------------------

  async begin(on = { mic: true, camera: true }): Promise<void> {
    this.#watch();
    this.#muted = !on.mic;
    await this.#capture.begin(on.camera);
  }

  end(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#retry);
    this.#timer = undefined;
    for (const gesture of GESTURES) document.removeEventListener(gesture, this.#gesture, true);
    void this.#recorder?.stop();
    this.#recorder = null;
    this.#worker = null;
    this.#link?.close();
    this.#link = null;
    this.#stopShare();
    this.#capture.end();
    for (const ssrc of [...this.#tracks.keys()]) this.#gone(ssrc);
    this.#whose.clear();
    this.#listed = NONE;
    this.noticeMuted(false);
    this.#meters.close();
    batch(() => {
      this.#recording.value = false;
      this.ownLevel.value = 0;
      this.levels.value = new Map();
      this.rates.value = [];
      this.speaker.value = this.trouble.value = this.alarm.value = null;
    });
  }

  async chooseCamera(id: string): Promise<void> {
    await this.#capture.choose("video", id);
  }

  async flipCamera(): Promise<void> {
    await this.#capture.flip();
  }

  async chooseMicrophone(id: string): Promise<void> {
    await this.#capture.choose("audio", id);
  }

  async chooseSpeaker(id: string): Promise<void> {
    this.#capture.chooseSpeaker(id);
    for (const { audio } of this.#tracks.values()) if (audio !== null) await this.#speak(audio);
  }

  setVolumes(volumes: ReadonlyMap<number, number>): void {
    this.#volumes = volumes;
    for (const remote of this.#tracks.values()) this.#loudness(remote);
  }

  /** Play a stream as loud as the person wants to hear its member. */
  #loudness({ ssrc, audio }: Remote): void {
    if (audio !== null) audio.volume = this.#volumes.get(this.#whose.get(ssrc)?.leaf ?? -1) ?? 1;
  }

  async testSpeaker(): Promise<void> {
    await testSpeaker(this.devices.value.speaker);
  }

  /** Mute or unmute. When muted, just as many packets of the same size are sent, with silence. */
  toggleMic(): void {
    const track = this.#capture.track("audio");
    this.#muted = track !== null && !this.#muted;
    if (track === null) void this.#capture.ask("audio");
    else this.mic.value = track.enabled = !this.#muted;
    this.#listen();
  }

  noticeMuted(on: boolean): void {
    this.#noticing = on;
    this.#listen();
  }

  /** Listen to the microphone while it is off, if the person wants to be told. */
  #listen(): void {
    const track = this.#capture.track("audio");
    const stream = this.#listener.listen(this.#noticing && this.#muted ? track : null);
    if (stream === undefined) return;
    this.#meters.set(MUTED, stream);
    this.#mutedVoice.reset();
    this.speaksMuted.value = false;
  }

  async toggleCamera(): Promise<void> {
    if (this.#capture.track("video") === null) await this.#capture.ask("video");
    else if (this.camera.value) this.#capture.release("video");
  }

  readonly blurCamera = (on: boolean): void => this.#path.turn(on);

  async toggleShare(): Promise<void> {
    if (this.#share !== null) return this.#stopShare();
    let stream: MediaStream;
    try {
      stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { max: 15 } }, audio: true });
    } catch (error) {
      if (error instanceof DOMException && error.name === "NotAllowedError") return; // the person has cancelled
      throw new CommandError(sentence("media.no_share", { why: error instanceof Error ? error.message : "" }));
    }
    this.#share = stream;
    this.screen.value = new MediaStream(stream.getVideoTracks());
    for (const track of stream.getVideoTracks()) {
      track.contentHint = "detail";
      // ended by the browser's own button
      track.addEventListener("ended", () => this.#share === stream && this.#stopShare());
    }
    await this.#send(this.#shared());
  }

  #shared(): OwnTrack[] {
    const [sound, picture] = [this.#share?.getAudioTracks()[0], this.#share?.getVideoTracks()[0]];
    return [
      ...(sound === undefined ? [] : [{ stream: 2, kind: "audio", track: sound } as const]),
      ...(picture === undefined ? [] : [{ stream: 3, kind: "video", track: picture } as const]),
    ];
  }

  #stopShare(): void {
    const tracks = this.#shared();
    for (const { track } of tracks) track?.stop();
    this.#share = null;
    this.screen.value = null;
    void this.#send(tracks.map((each) => ({ ...each, track: null })));
  }

  #use(kind: "audio" | "video", track: MediaStreamTrack | null): void {
    batch(() => {
      if (kind === "video") {
        this.camera.value = track !== null;
        this.preview.value = track === null ? null : new MediaStream([track]);
      } else {
        if (track !== null) track.enabled = !this.#muted;
        this.mic.value = track !== null && !this.#muted;
        this.#sound = track === null ? null : new MediaStream([track]);
        this.#meters.set(OWN, this.#sound);
        this.#listen();
      }
    });
    void this.#send([{ stream: kind === "audio" ? 0 : 1, kind, track }]);
    this.#play();
  }

  async #send(tracks: readonly OwnTrack[]): Promise<void> {
    const link = this.#link;
    if (link === null) return;
    try {
      for (const track of tracks) {
        const media = await link.send(track);
        if (media !== null && link === this.#link) this.#publish(media);
      }
    } catch (error) {
      if (link === this.#link) this.#failed(error);
    }
  }

  // -- the link --------------------------------------------------------------------------------------------

  enter(worker: Worker, ownLeaf: number): void {
    this.#ownLeaf = ownLeaf;
    if (this.#worker === worker) return; // back in the room, at another leaf
    this.#worker = worker;
    this.#watch();
    void this.#connect();
  }

  hear(message: FromWorker): void {
    switch (message.type) {
      case "transport":
        if (this.#link !== null && message.ufrag === this.#link.ufrag) void this.#link.connect(message.transport);
        return;
      case "republish":
        // a link that waits for the server's answer is still good: the session publishes it again
        if (this.#worker !== null && this.#link?.waiting !== true) void this.#connect();
        return;
      case "mediaLost":
        return this.#lost(sentence("shell.media_gone"), true);
      case "streams":
        this.#listed = message;
        void this.#link?.setRemote(message);
        return;
      case "announced":
        this.#whose.set(message.ssrc, { leaf: message.leaf, stream: message.stream });
        return this.#tell();
      case "wantOwnKeyFrame":
        void this.#link?.keyFrame(message.stream, message.layer);
        return;
      case "broken":
        return this.end();
      default:
        return;
    }
  }

  async #connect(): Promise<void> {
    const worker = this.#worker;
    if (worker === null) return;
    clearTimeout(this.#retry);
    this.#link?.close();
    for (const ssrc of [...this.#tracks.keys()]) this.#gone(ssrc);
    const link: MediaLink = new MediaLink(worker, {
      track: (ssrc, track) => link === this.#link && this.#arrived(ssrc, track),
      gone: (ssrc) => link === this.#link && this.#gone(ssrc),
      connected: () => {
        if (link === this.#link) this.alarm.value = null;
      },
      anew: (media) => {
        if (link !== this.#link) return;
        const silence: ToWorker = { type: "silence" };
        worker.postMessage(silence); // the connection for messages may be dead, too
        this.#publish(media);
      },
      lost: (why, ever) => link === this.#link && this.#lost(why, ever),
    });
    this.#link = link;
    try {
      const media = await link.open([
        { stream: 0, kind: "audio", track: this.#capture.track("audio") },
        { stream: 1, kind: "video", track: this.preview.value?.getTracks()[0] ?? null, layers: CAMERA.layers },
        ...this.#shared(),
      ]);
      if (link !== this.#link) return;
      this.#publish(media);
      void link.setRemote(this.#listed);
    } catch (error) {
      if (link === this.#link) this.#failed(error);
    }
  }

  #publish(media: InputOf<"Publish">): void {
    for (const { ssrc, layers = [], stream } of media.streams)
      for (const each of [ssrc, ...layers]) this.#own.set(each, stream);
    const message: ToWorker = { type: "publish", media };
    this.#worker?.postMessage(message);
  }

  #lost(why: Sentence, ever: boolean): void {
    const kind = ever ? "media_lost" : "media_unreachable";
    this.alarm.value = { kind, text: sentence(`alarm.${kind}`, { why }) };
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#connect(), ever ? 0 : RETRY * 1000);
  }

  /** Stop, because the browser does not do what it must: sending nothing is safer than sending something else. */
  #failed(error: unknown): void {
    this.#link?.close();
    const why = error instanceof Error ? error.message : String(error);
    this.alarm.value = { kind: "media_failed", text: sentence("alarm.media_failed", { why }) };
  }

  // -- playback --------------------------------------------------------------------------------------------

  #arrived(ssrc: number, track: MediaStreamTrack): void {
    this.#gone(ssrc);
    const media = new MediaStream([track]);
    let audio: HTMLAudioElement | null = null;
    if (track.kind === "audio") {
      audio = new Audio();
      audio.srcObject = media;
      void this.#speak(audio);
    }
    this.#tracks.set(ssrc, { ssrc, media, audio });
    this.#tell();
  }

  async #speak(audio: HTMLAudioElement): Promise<void> {
    const { speaker } = this.devices.value;
    try {
      if (speaker !== null && typeof audio.setSinkId === "function") await audio.setSinkId(speaker);
    } catch {
      // the device is gone: the default one plays
    }
    try {
      await audio.play();
    } catch (error) {
      if (error instanceof DOMException && error.name === "NotAllowedError")
        this.trouble.value = sentence("media.sound_blocked");
    }
  }

  #gone(ssrc: number): void {
    const remote = this.#tracks.get(ssrc);
    if (remote === undefined) return;
    this.#tracks.delete(ssrc);
    if (remote.audio !== null) remote.audio.srcObject = null;
    this.#meters.set(ssrc, null);
    this.#tell();
  }

  /** Publish the streams with a known member; frames of other streams cannot be opened yet. */
  #tell(): void {
    const all: RemoteStream[] = [];
    const before = new Map(this.remote.value.map((each) => [each.ssrc, each]));
    for (const { ssrc, media, audio } of this.#tracks.values()) {
      const whose = this.#whose.get(ssrc);
      if (whose === undefined) continue;
      all.push({ ssrc, ...whose, media, weak: this.#weak.has(ssrc) });
      this.#loudness({ ssrc, media, audio });
      if (audio !== null && !before.has(ssrc)) this.#meters.set(ssrc, media);
    }
    this.remote.value = all;
    this.#play();
  }

  #play(): void {
    if (this.#recorder === null) return;
    const mine = [this.preview.value, this.screen.value, this.#sound];
    this.#recorder.plays([...mine.filter((stream) => stream !== null), ...this.remote.value.map(({ media }) => media)]);
  }

  // -- periodic work ---------------------------------------------------------------------------------------

  #watch(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => this.#tick(), LEVEL_TIME * 1000);
    for (const gesture of GESTURES) document.addEventListener(gesture, this.#gesture, true);
  }

  /** A user gesture: from now on the browser allows playback. */
  readonly #gesture = (): void => {
    this.#meters.resume();
    this.trouble.value = null;
    for (const { audio } of this.#tracks.values()) if (audio?.paused) void this.#speak(audio);
  };

  #tick(): void {
    const heard = new Map<number, number>();
    let own = 0;
    let muted: number | null = null;
    for (const [key, level] of this.#meters.levels()) {
      if (key === OWN) own = level;
      else if (key === MUTED) muted = level;
      else {
        const whose = this.#whose.get(key);
        if (whose?.stream === 0) heard.set(whose.leaf, level);
      }
    }
    const now = performance.now() / 1000;
    batch(() => {
      this.ownLevel.value = this.mic.value ? own : 0;
      if (muted !== null) this.speaksMuted.value = this.#mutedVoice.hear(muted, now);
      if (this.#worker === null) return;
      this.speaker.value = this.#chooser.hear(heard, now);
      this.levels.value = new Map([...heard, [this.#ownLeaf, this.mic.value ? own : 0]]);
    });
    if (++this.#ticks % Math.round(1 / LEVEL_TIME) === 0) void this.#judge();
  }

  async #judge(): Promise<void> {
    const report = await this.#link?.stats().catch(() => null);
    if (!report) return;
    this.rates.value = [...this.#rates.judge(report)].flatMap(([ssrc, rate]) => {
      const [stream, whose] = [this.#own.get(ssrc), this.#whose.get(ssrc)];
      const layers = 1 + (this.#listed.streams.find((each) => each.ssrc === ssrc)?.layers ?? 0);
      if (stream !== undefined) return [{ ...rate, ssrc, leaf: this.#ownLeaf, stream, layers }];
      return whose === undefined ? [] : [{ ...rate, ssrc, ...whose, layers }];
    });
    const weak = this.#weakness.judge(received(report));
    const same = weak.size === this.#weak.size && [...weak].every((ssrc) => this.#weak.has(ssrc));
    this.#weak = weak;
    this.busy.value = this.#weakness.busy;
    if (!same) this.#tell();
  }

  // -- recording, and picture in picture -------------------------------------------------------------------

  async startRecording(): Promise<void> {
    const type = recordedType();
    if (type === undefined) throw new CommandError(sentence("media.no_recording"));
    const { Recorder } = await import("./recorder");
    if (this.#recorder !== null) return;
    this.#recorder = new Recorder(this.#meters.context, type);
    this.#meters.resume();
    this.#recording.value = true;
    this.#play();
  }

  async stopRecording(): Promise<Blob | null> {
    const recorder = this.#recorder;
    this.#recorder = null;
    this.#recording.value = false;
    return recorder === null ? null : await recorder.stop();
  }

  async pictureInPicture(stream: MediaStream): Promise<void> {
    const video = [...document.querySelectorAll("video")].find(({ srcObject }) => srcObject === stream);
    if (video === undefined || !this.can.pip) throw new CommandError(sentence("media.no_pip"));
    if (document.pictureInPictureElement === video) return await document.exitPictureInPicture();
    try {
      await video.requestPictureInPicture();
    } catch {
      throw new CommandError(sentence("media.no_pip"));
    }
  }

  chime(chime: Chime): void {
    this.#chimes.play(chime);
  }
}
