/**
 * One connection to the media server: an RTCPeerConnection that is created, connected once, and closed. For another
 * connection, create another `MediaLink`.
 *
 * The server requires our ufrag, fingerprint and SSRCs before it sends its own, and a browser changes its ufrag when
 * the offerer's ufrag changes after an answer has been applied (RFC 8839 4.4.1.1.1). This order works in Chromium and
 * Firefox: apply an offer with placeholder parameters, create the answer and keep it; when the server has answered,
 * apply the offer with its real parameters in the same state, and then the kept answer. Two pitfalls decide the rest:
 * Firefox creates new transceivers at the second offer unless `addTrack` has created them, and Chromium matches only
 * transceivers of `addTrack` to the lines of the offer. So every stream of ours begins with `addTrack` of an empty
 * track.
 *
 * No frame is sent or decoded without a transform. In Chromium, `encodedInsertableStreams` holds back all frames of a
 * stream without a transform; in Firefox, a transform that is attached before the description is applied misses no
 * frame. So the transform is attached in the task that creates the sender, or that reports the receiver.
 */
import { same } from "../crypto/bytes";
import type { Kind } from "../crypto/media/clearHeader";
import type { InputOf } from "../session/events";
import type { HandleStream, Transport } from "../wire/messages";
import { type Sentence, sentence } from "../words/sentence";
import type { TransformOptions } from "../worker/messages";
import { encodingsOf } from "./layers";
import { addresses, heard, isInside, LISTEN, relays, Silence } from "./reach";
import { type Answer, layered, type Line, NOBODY, offer, readAnswer, SdpError, type TransportSide } from "./sdp";

/** Seconds in which the server must be reached, and seconds in state `disconnected` that end the connection. */
export const CONNECT_TIME = 10;
export const SILENT_TIME = 6;
/** Maximum number of remote streams: further streams that the server lists are not requested from the browser. */
export const REMOTE_MAX = 256;

/** A stream of ours; `track` null sends nothing. `layers`: number of simulcast layers; 1 without simulcast. */
export interface OwnTrack {
  readonly stream: number;
  readonly kind: Kind;
  readonly track: MediaStreamTrack | null;
  readonly layers?: number;
}

/** The streams of other members, as the server lists them. `large`: our sound leaves in the packets of a large room. */
export interface Listed {
  readonly streams: readonly HandleStream[];
  readonly large: boolean;
}
export const NONE: Listed = { streams: [], large: false };

export interface LinkEvents {
  /** A remote stream's track: it yields only frames that the worker has opened. */
  track(ssrc: number, track: MediaStreamTrack): void;
  /** A remote stream has ended. */
  gone(ssrc: number): void;
  connected(): void;
  /** ICE restarts because the network has changed or is gone: publish this, and pass the answer to `connect`. */
  anew(media: InputOf<"Publish">): void;
  /** The link is unusable from now on; `ever`: it was connected before. */
  lost(why: Sentence, ever: boolean): void;
}

/**
 * Whether this browser sends simulcast layers when its answer has SSRCs for them (`layered`). Chromium does, and is
 * recognised by an interface that only Chromium has. If it refuses such an answer, the next link uses one layer.
 */
let layering = typeof RTCRtpSender === "function" && "createEncodedStreams" in RTCRtpSender.prototype;

/** Return whether this browser has what a meeting needs. */
export const supported = (): boolean =>
  typeof RTCPeerConnection === "function" && typeof RTCRtpScriptTransform === "function";

/** Return an empty track: `addTrack` needs one, and no device. */
function placeholder(kind: Kind): MediaStreamTrack {
  let track: MediaStreamTrack | undefined;
  if (kind === "video") {
    const canvas = document.createElement("canvas");
    canvas.getContext("2d");
    [track] = canvas.captureStream(0).getVideoTracks();
  } else {
    const context = new AudioContext();
    [track] = context.createMediaStreamDestination().stream.getAudioTracks();
    void context.close();
  }
  if (track === undefined) throw new SdpError("no placeholder for a track");
  return track;
}

/** Reports a change of network, in browsers that have it. */
const network = (globalThis.navigator as Navigator & { readonly connection?: EventTarget } | undefined)?.connection;

interface Own {
  readonly line: Line;
  readonly stream: number;
  readonly sender: RTCRtpSender;
  track: MediaStreamTrack | null;
}

export class MediaLink {
  readonly #pc: RTCPeerConnection;
  readonly #worker: Worker;
  readonly #events: LinkEvents;
  readonly #own: Own[] = [];
  #lines: Line[] = [];
  #listed = NONE;
  #server: TransportSide = NOBODY;
  #answer: Answer | null = null;
  /** The answer that waits for the server's parameters. */
  #kept: RTCSessionDescriptionInit | null = null;
  #version = 0;
  #mids = 0;
  #work: Promise<unknown> = Promise.resolve();
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #silence = new Silence();
  readonly #changed = (): void => this.#silence.changed();
  #listening: ReturnType<typeof setInterval> | undefined;
  #ever = false;
  #over = false;

  constructor(worker: Worker, events: LinkEvents) {
    this.#worker = worker;
    this.#events = events;
    const configuration: RTCConfiguration & { readonly encodedInsertableStreams: boolean } = {
      encodedInsertableStreams: true, // Chromium's: frames of a stream without a transform go nowhere
      bundlePolicy: "max-bundle",
      rtcpMuxPolicy: "require",
    };
    this.#pc = new RTCPeerConnection(configuration);
    this.#pc.addEventListener("track", (event) => this.#track(event));
    this.#pc.addEventListener("connectionstatechange", () => this.#state());
  }

  /** Our ufrag as published, which identifies the `transport` that answers it; null before. */
  get ufrag(): string | null {
    return this.#answer?.ufrag ?? null;
  }

  /** Number of m-lines in the descriptions. */
  get sections(): number {
    return this.#lines.length;
  }

  /** Whether the link waits for the server's parameters. */
  get waiting(): boolean {
    return !this.#over && this.#server === NOBODY;
  }

  get connected(): boolean {
    return !this.#over && this.#pc.connectionState === "connected";
  }

  /** Return our half of the transport, and our streams. SdpError if the browser's answer is not what we require. */
  open(tracks: readonly OwnTrack[]): Promise<InputOf<"Publish">> {
    return this.#after(async () => {
      for (const track of tracks) this.#add(track);
      const answer = await this.#keep();
      await this.#carry();
      return this.#published(answer);
    });
  }

  /**
   * Connect to the server with its parameters. Further calls with the same parameters change nothing; other parameters
   * belong to another link.
   *
   * Errors are reported as `lost`.
   */
  connect(transport: Transport): Promise<void> {
    return this.#guarded(async () => {
      const kept = this.#kept;
      if (kept === null) return;
      const { ufrag, password, fingerprint, address, port, others, tcp } = transport;
      this.#server = { ufrag, password, fingerprint, address, port, others, tcp };
      const iceServers = relays(transport.turn);
      // before gathering, which begins with our own description
      if (iceServers.length > 0) this.#pc.setConfiguration({ ...this.#pc.getConfiguration(), iceServers });
      this.#kept = null;
      // after a restart, `#silence` decides when to try again
      if (!this.#ever) this.#wait(CONNECT_TIME, () => this.#unreached());
      await this.#offer();
      await this.#pc.setLocalDescription(kept).catch((error: unknown) => {
        layering = false; // the layers may be the cause
        throw error;
      });
      this.#check(this.#pc.localDescription?.sdp ?? "");
      await this.#limit();
      await this.#renegotiate();
    });
  }

  /**
   * Restart ICE on whatever network there is now: streams, keys and counters continue. Returns what to publish; null:
   * not now. A new ufrag of the server makes the browser change its own (RFC 8839 4.4.1.1.1): first the placeholder's,
   * then the real one, as at the beginning.
   */
  restart(): Promise<InputOf<"Publish"> | null> {
    return this.#after(async () => {
      if (this.#over || !this.#ever || this.#kept !== null) return null;
      const { ufrag, password } = NOBODY;
      this.#server = { ...this.#server, ufrag, password };
      return this.#published(await this.#keep());
    });
  }

  /** Receive all streams of other members, as the server lists them. */
  setRemote(listed: Listed): Promise<void> {
    return this.#guarded(async () => {
      const other = listed.large !== this.#listed.large;
      this.#listed = listed;
      await this.#renegotiate(other);
    });
  }

  /**
   * Send this track in its stream from now on; null sends nothing. For a stream that is new, returns what to publish.
   */
  send(track: OwnTrack): Promise<InputOf<"Publish"> | null> {
    return this.#after(async () => {
      const own = this.#own.find(({ stream }) => stream === track.stream);
      if (own !== undefined) {
        own.track = track.track;
        await own.sender.replaceTrack(track.track);
        if (track.track !== null) await this.#limit(); // it may have another size
        return null;
      }
      if (track.track === null || this.#answer === null) return null;
      await this.#addLate(track);
      if (this.#kept !== null) {
        // not connected yet: the waiting answer must include the new line too
        await this.#keep();
      } else await this.#negotiate();
      await this.#carry();
      await this.#limit();
      return this.#published(this.#answer);
    });
  }

  /** Request a key frame of this layer of a stream. Firefox's worker can request one by itself. */
  async keyFrame(stream: number, layer: number): Promise<void> {
    const own = this.#own.find((each) => each.stream === stream);
    if (own === undefined || this.#over) return;
    const set = own.sender.setParameters.bind(own.sender) as (
      parameters: RTCRtpSendParameters,
      options: { readonly encodingOptions: readonly { readonly keyFrame: boolean }[] },
    ) => Promise<void>;
    // refused while another change is under way: it is requested again in a second
    const parameters = own.sender.getParameters();
    const encodingOptions = parameters.encodings.map((_, i) => ({ keyFrame: i === layer }));
    await set(parameters, { encodingOptions }).catch(() => undefined);
  }

  /** Return the browser's report; null once closed. */
  async stats(): Promise<RTCStatsReport | null> {
    return this.#over ? null : await this.#pc.getStats();
  }

  /** Close the connection. Closing twice is harmless. Tracks of devices continue: they belong to their owner. */
  close(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    clearInterval(this.#listening);
    removeEventListener("online", this.#changed);
    network?.removeEventListener("change", this.#changed);
    this.#pc.close();
  }

  // -- inside ----------------------------------------------------------------------------------------------

  #after<T>(job: () => Promise<T>): Promise<T> {
    const done = this.#work.then(job);
    this.#work = done.catch(() => undefined);
    return done;
  }

  #guarded(job: () => Promise<void>): Promise<void> {
    return this.#after(async () => {
      if (this.#over) return;
      try {
        await job();
      } catch (error) {
        if (this.#over) return;
        this.#fail(sentence("shell.media_refused", { why: error instanceof Error ? error.message : String(error) }));
      }
    });
  }

  /**
   * Add a stream beside existing ones. `addTrack` would reuse a transceiver that has never sent: of a remote stream, or
   * of a camera that is off. Then the descriptions would not match. So such transceivers hold a placeholder meanwhile.
   */
  async #addLate(own: OwnTrack): Promise<void> {
    const places = this.#pc
      .getTransceivers()
      .filter(({ sender, receiver }) => sender.track === null && receiver.track.kind === own.kind)
      .filter(({ currentDirection }) => currentDirection !== "stopped");
    const track = placeholder(own.kind);
    await Promise.all(places.map(({ sender }) => sender.replaceTrack(track)));
    this.#add(own);
    await Promise.all(places.map(({ sender }) => sender.replaceTrack(null)));
    track.stop();
  }

  #add({ stream, kind, track, layers = 1 }: OwnTrack): void {
    const sender = this.#pc.addTrack(placeholder(kind));
    const options: TransformOptions = { role: "seal", kind, stream };
    sender.transform = new RTCRtpScriptTransform(this.#worker, options);
    const line: Line = { mid: String(this.#mids++), kind, use: "own", ssrc: 0, layers: layering ? layers : 1 };
    this.#lines = [...this.#lines, line];
    this.#own.push({ line, stream, sender, track });
  }

  /** Replace each stream's empty track by its own track. */
  async #carry(): Promise<void> {
    for (const { sender, track } of this.#own) {
      const before = sender.track;
      if (before === track) continue;
      await sender.replaceTrack(track);
      before?.stop();
    }
  }

  #published(answer: Answer): InputOf<"Publish"> {
    const { ufrag, password, fingerprint, feedback, takesRtx, sources } = answer;
    const streams = this.#own.map(({ line, stream }) => {
      const { layers: [ssrc, ...layers], rtx } = sources.get(line.mid) ?? { layers: [], rtx: [] };
      if (ssrc === undefined) throw new SdpError("a stream without an SSRC");
      return { ssrc, kind: line.kind, stream, layers, rtx };
    });
    return { type: "Publish", ufrag, password, fingerprint, streams, feedback, takesRtx };
  }

  /** Check that the transport is the one published; SdpError otherwise. */
  #check(sdp: string): void {
    const answer = readAnswer(sdp, this.#lines);
    const before = this.#answer;
    const kept =
      before !== null &&
      answer.ufrag === before.ufrag &&
      answer.password === before.password &&
      same(answer.fingerprint, before.fingerprint) &&
      [...before.sources].every(([mid, sources]) => String(Object.values(answer.sources.get(mid) ?? {})) === String(Object.values(sources)));
    if (!kept) throw new SdpError("the browser has changed what it had told");
    this.#answer = answer;
  }

  /** Apply the server's offer as it is now. */
  async #offer(): Promise<void> {
    await this.#pc.setRemoteDescription({ type: "offer", sdp: offer(this.#server, this.#lines, ++this.#version, this.#listed.large) });
  }

  /** Create the browser's answer, with simulcast layers for the lines that have them. */
  async #answered(): Promise<RTCSessionDescriptionInit> {
    const { sdp = "" } = await this.#pc.createAnswer();
    const draw = (): number => 1 + ((crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) % 0xffffffff);
    return { type: "answer", sdp: layered(sdp, this.#lines, draw) };
  }

  /** Create an answer that waits for the server's parameters. */
  async #keep(): Promise<Answer> {
    await this.#offer();
    this.#kept = await this.#answered();
    this.#answer = readAnswer(this.#kept.sdp ?? "", this.#lines);
    return this.#answer;
  }

  async #negotiate(): Promise<void> {
    await this.#offer();
    const answer = await this.#answered();
    readAnswer(answer.sdp ?? "", this.#lines); // checked before it is applied
    await this.#pc.setLocalDescription(answer);
    this.#check(this.#pc.localDescription?.sdp ?? "");
  }

  /**
   * Match the lines to the server's list: ended lines are rejected first, and their places are reused. `other`: the
   * length of our packets of sound has changed.
   */
  async #renegotiate(other = false): Promise<void> {
    if (this.#over || this.#answer === null || this.#kept !== null) return; // `connect` does it later
    const taken = new Set([...this.#answer.sources.values()].flatMap(({ layers, rtx }) => [...layers, ...rtx]));
    const wanted = new Map<number, { readonly kind: Kind; readonly rtx: number | null }>();
    for (const { ssrc, kind, rtx } of this.#listed.streams) {
      if (taken.has(ssrc) || wanted.size >= REMOTE_MAX) continue;
      taken.add(ssrc);
      // an SSRC belongs to one stream: a browser refuses a description in which two share it
      const again = rtx != null && kind === "video" && !taken.has(rtx) ? rtx : null;
      if (again !== null) taken.add(again);
      wanted.set(ssrc, { kind, rtx: again });
    }
    const ended = this.#lines.filter(
      ({ use, ssrc, kind, rtx }) =>
        use === "remote" && (wanted.get(ssrc)?.kind !== kind || wanted.get(ssrc)?.rtx !== rtx),
    );
    if (ended.length > 0) {
      this.#lines = this.#lines.map((line) => (ended.includes(line) ? { ...line, use: "off", ssrc: 0 } : line));
      await this.#negotiate();
      for (const { ssrc } of ended) this.#events.gone(ssrc);
    }
    const known = new Set(this.#lines.filter(({ use }) => use === "remote").map(({ ssrc }) => ssrc));
    const fresh = [...wanted].filter(([ssrc]) => !known.has(ssrc));
    if (fresh.length === 0 && !other) return;
    const lines = [...this.#lines];
    for (const [ssrc, { kind, rtx }] of fresh) {
      // a rejected line's place is reused under a new mid, as another transceiver (RFC 9429 5.3.1)
      const line: Line = { mid: String(this.#mids++), kind, use: "remote", ssrc, rtx };
      const free = lines.findIndex(({ use }) => use === "off");
      if (free < 0) lines.push(line);
      else lines[free] = line;
    }
    this.#lines = lines;
    await this.#negotiate();
  }

  #track({ receiver, transceiver, track }: RTCTrackEvent): void {
    const line = this.#lines.find(({ mid, use }) => mid === transceiver.mid && use === "remote");
    // also for an unknown stream: without a transform, Firefox would decode whatever arrives
    const options: TransformOptions = { role: "open", kind: track.kind === "audio" ? "audio" : "video", ssrc: line?.ssrc ?? 0 };
    receiver.transform = new RTCRtpScriptTransform(this.#worker, options);
    if (line !== undefined && !this.#over) this.#events.track(line.ssrc, track);
  }

  async #limit(): Promise<void> {
    for (const { stream, sender, line, track } of this.#own) {
      if (line.kind === "audio") continue;
      const parameters = sender.getParameters();
      const wanted = encodingsOf(stream, parameters.encodings.length, track?.getSettings().height ?? null);
      const is = ({ active, maxBitrate }: RTCRtpEncodingParameters, i: number): boolean =>
        maxBitrate === wanted[i]?.maxBitrate && active === wanted[i]?.active;
      if (parameters.encodings.every(is)) continue;
      parameters.encodings.forEach((encoding, i) => Object.assign(encoding, wanted[i]));
      if (stream === 3) parameters.degradationPreference = "maintain-resolution";
      // a browser that refuses these limits follows the server's feedback alone
      await sender.setParameters(parameters).catch(() => undefined);
    }
  }

  #state(): void {
    if (this.#over) return;
    const state = this.#pc.connectionState;
    if (state === "connected") {
      clearTimeout(this.#timer);
      const first = !this.#ever;
      this.#ever = true;
      if (!first) return;
      this.#listening = setInterval(() => void this.#listen(), LISTEN * 1000);
      addEventListener("online", this.#changed);
      network?.addEventListener("change", this.#changed);
      this.#events.connected();
    } else if (state === "failed" || state === "closed") {
      if (this.#ever) this.#fail(sentence("shell.media_gone"));
      else this.#unreached();
    } else if (state === "disconnected") this.#wait(SILENT_TIME, () => this.#fail(sentence("shell.media_gone")));
  }

  /** Restart ICE if nothing more is received. The report of one sender is enough, and smaller than the full one. */
  async #listen(): Promise<void> {
    const report = await (this.#own[0]?.sender ?? this.#pc).getStats().catch(() => null);
    if (report === null || this.#over || !this.#silence.judge(heard(report), performance.now() / 1000)) return;
    try {
      const media = await this.restart();
      if (media !== null && !this.#over) this.#events.anew(media);
    } catch (error) {
      this.#fail(sentence("shell.media_refused", { why: error instanceof Error ? error.message : String(error) }));
    }
  }

  #wait(seconds: number, then: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, seconds * 1000);
  }

  /** Report that the server never answered. Some browsers cannot connect to a loopback address. */
  #unreached(): void {
    const { port, tcp } = this.#server;
    const all = addresses(this.#server).join(", ");
    if (isInside(this.#server)) this.#fail(sentence("shell.media_no_answer_inside", { address: all }));
    else this.#fail(sentence(tcp === true ? "shell.media_no_answer" : "shell.media_no_answer_udp", { addresses: all, port }));
  }

  #fail(why: Sentence): void {
    if (this.#over) return;
    this.close();
    this.#events.lost(why, this.#ever);
  }
}
