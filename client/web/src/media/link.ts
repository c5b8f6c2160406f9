/**
 * One connection to the media server: an RTCPeerConnection, made, connected once, closed. For another, make another.
 *
 * The server wants our ufrag, fingerprint and SSRCs before it tells its own, and a browser changes its ufrag when
 * the offerer's changes after an answer has been applied (RFC 8839 4.4.1.1.1). What works in Chromium and in Firefox:
 * apply an offer with a placeholder's parameters, create the answer and keep it; when the server has answered, apply
 * the offer with its real parameters in the same state, and then that same answer. Two traps decide the rest:
 * Firefox makes transceivers anew at the second offer unless `addTrack` has made them, and Chromium matches only such
 * to the offer's lines; so every stream of ours begins with `addTrack` of a track that carries nothing.
 *
 * No frame leaves or is shown before a transform has it: in Chromium `encodedInsertableStreams` holds all back that
 * has none, in Firefox a transform that is there before there is a track and a description misses nothing. So it is
 * attached in the task that makes the sender, or tells of the receiver.
 */
import { same } from "../crypto/bytes";
import type { Kind } from "../crypto/shim";
import type { InputOf } from "../session/events";
import type { HandleStream, Transport } from "../wire/messages";
import { type Sentence, sentence } from "../words/sentence";
import type { TransformOptions } from "../worker/messages";
import { encodingsOf } from "./layers";
import { addresses, heard, LISTEN, relays, Silence } from "./reach";
import { type Answer, layered, type Line, NOBODY, offer, readAnswer, SdpError, type TransportSide } from "./sdp";

/** Seconds in which the server has to be reached, and after which one that isn't heard is gone. */
export const CONNECT_TIME = 10;
export const SILENT_TIME = 6;
/** Remote streams at most: what else a server lists is not asked of the browser. */
export const REMOTE_MAX = 256;

/** A stream of ours; `track` null sends nothing. `layers`: in how many sizes at once, if the browser can; else one. */
export interface OwnTrack {
  readonly stream: number;
  readonly kind: Kind;
  readonly track: MediaStreamTrack | null;
  readonly layers?: number;
}

export interface LinkEvents {
  /** A remote stream's track: nothing comes of it but frames that the worker has opened. */
  track(ssrc: number, track: MediaStreamTrack): void;
  /** A remote stream is over. */
  gone(ssrc: number): void;
  connected(): void;
  /** The network is another, or gone: this is to be published, and the server's answer given to `connect`. */
  anew(media: InputOf<"Publish">): void;
  /** The link is of no use any more; `ever`: it was connected. */
  lost(why: Sentence, ever: boolean): void;
}

/**
 * Whether this browser sends pictures in several sizes when its answer is given SSRCs for them (`layered`): Chromium
 * does. What tells it is an interface that it alone has. Where it takes them no more, the next link does without.
 */
let layering = typeof RTCRtpSender === "function" && "createEncodedStreams" in RTCRtpSender.prototype;

/** Whether this browser can hold a meeting at all. */
export const supported = (): boolean =>
  typeof RTCPeerConnection === "function" && typeof RTCRtpScriptTransform === "function";

/** A track that carries nothing: what `addTrack` needs, and no device. */
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

/** What tells of another network, in browsers that do. */
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
  #remote: readonly HandleStream[] = [];
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
      encodedInsertableStreams: true, // Chromium's: what has no transform yet goes nowhere
      bundlePolicy: "max-bundle",
      rtcpMuxPolicy: "require",
    };
    this.#pc = new RTCPeerConnection(configuration);
    this.#pc.addEventListener("track", (event) => this.#track(event));
    this.#pc.addEventListener("connectionstatechange", () => this.#state());
  }

  /** Our ufrag as it was published, to know which `transport` answers it; null before. */
  get ufrag(): string | null {
    return this.#answer?.ufrag ?? null;
  }

  /** Streams that the descriptions have a place for. */
  get sections(): number {
    return this.#lines.length;
  }

  /** Whether it waits for the server's parameters. */
  get waiting(): boolean {
    return !this.#over && this.#server === NOBODY;
  }

  get connected(): boolean {
    return !this.#over && this.#pc.connectionState === "connected";
  }

  /** Our half of the transport, and our streams. SdpError if the browser answers otherwise than we demand. */
  open(tracks: readonly OwnTrack[]): Promise<InputOf<"Publish">> {
    return this.#after(async () => {
      for (const track of tracks) this.#add(track);
      const answer = await this.#keep();
      await this.#carry();
      return this.#published(answer);
    });
  }

  /**
   * Reach the server at these parameters of its. The same ones again change nothing; others would be another link's.
   *
   * What goes wrong is told as `lost`.
   */
  connect(transport: Transport): Promise<void> {
    return this.#guarded(async () => {
      const kept = this.#kept;
      if (kept === null) return;
      const { ufrag, password, fingerprint, address, port, others, tcp } = transport;
      this.#server = { ufrag, password, fingerprint, address, port, others, tcp };
      const iceServers = relays(transport.turn);
      // before it gathers: that begins with our own description
      if (iceServers.length > 0) this.#pc.setConfiguration({ ...this.#pc.getConfiguration(), iceServers });
      this.#kept = null;
      // begun anew, it has the silence to wait for
      if (!this.#ever) this.#wait(CONNECT_TIME, () => this.#unreached());
      await this.#offer();
      await this.#pc.setLocalDescription(kept).catch((error: unknown) => {
        layering = false; // it may be that
        throw error;
      });
      this.#check(this.#pc.localDescription?.sdp ?? "");
      await this.#limit();
      await this.#renegotiate();
    });
  }

  /**
   * Begin anew to reach the server, from whatever network this is now: streams, keys and counts go on. What to publish
   * is returned; null: not now. Another name of the server's has the browser take another for itself (RFC 8839
   * 4.4.1.1.1): first none that there is, then the real one, as at the beginning.
   */
  restart(): Promise<InputOf<"Publish"> | null> {
    return this.#after(async () => {
      if (this.#over || !this.#ever || this.#kept !== null) return null;
      const { ufrag, password } = NOBODY;
      this.#server = { ...this.#server, ufrag, password };
      return this.#published(await this.#keep());
    });
  }

  /** All streams of the others, as the server lists them. */
  setRemote(streams: readonly HandleStream[]): Promise<void> {
    return this.#guarded(async () => {
      this.#remote = streams;
      await this.#renegotiate();
    });
  }

  /**
   * What this stream of ours carries from now on; null: nothing leaves. A stream that there wasn't yet is to be
   * published: then what to publish is returned.
   */
  send(track: OwnTrack): Promise<InputOf<"Publish"> | null> {
    return this.#after(async () => {
      const own = this.#own.find(({ stream }) => stream === track.stream);
      if (own !== undefined) {
        own.track = track.track;
        await own.sender.replaceTrack(track.track);
        if (track.track !== null) await this.#limit(); // it may be of another size
        return null;
      }
      if (track.track === null || this.#answer === null) return null;
      await this.#addLate(track);
      if (this.#kept !== null) {
        // not connected yet: the answer that waits has to have the new line too
        await this.#keep();
      } else await this.#negotiate();
      await this.#carry();
      await this.#limit();
      return this.#published(this.#answer);
    });
  }

  /** The next picture of that stream in that size is to be whole. Firefox's worker can ask for it by itself. */
  async keyFrame(stream: number, layer: number): Promise<void> {
    const own = this.#own.find((each) => each.stream === stream);
    if (own === undefined || this.#over) return;
    const set = own.sender.setParameters.bind(own.sender) as (
      parameters: RTCRtpSendParameters,
      options: { readonly encodingOptions: readonly { readonly keyFrame: boolean }[] },
    ) => Promise<void>;
    // refused while another change is under way: it is asked for again in a second
    const parameters = own.sender.getParameters();
    const encodingOptions = parameters.encodings.map((_, i) => ({ keyFrame: i === layer }));
    await set(parameters, { encodingOptions }).catch(() => undefined);
  }

  /** Of the browser; empty once closed. */
  async stats(): Promise<RTCStatsReport | null> {
    return this.#over ? null : await this.#pc.getStats();
  }

  /** Closing twice is harmless. Tracks of devices go on: they are their owner's. */
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
   * A stream that begins while others' are there. `addTrack` would take a place that somebody else's stream comes in
   * by, or that of a camera that is off, if nothing was ever sent there, and the descriptions would not agree: such
   * places are held meanwhile.
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

  /** Put in each stream's own track, in place of what it began with. */
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

  /** The same transport as published, or all ends. */
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

  /** The server's offer as it is now. */
  async #offer(): Promise<void> {
    await this.#pc.setRemoteDescription({ type: "offer", sdp: offer(this.#server, this.#lines, ++this.#version) });
  }

  /** The browser's answer, with layers where there are to be some. */
  async #answered(): Promise<RTCSessionDescriptionInit> {
    const { sdp = "" } = await this.#pc.createAnswer();
    const draw = (): number => 1 + ((crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) % 0xffffffff);
    return { type: "answer", sdp: layered(sdp, this.#lines, draw) };
  }

  /** An answer that waits for the server's parameters. */
  async #keep(): Promise<Answer> {
    await this.#offer();
    this.#kept = await this.#answered();
    this.#answer = readAnswer(this.#kept.sdp ?? "", this.#lines);
    return this.#answer;
  }

  async #negotiate(): Promise<void> {
    await this.#offer();
    const answer = await this.#answered();
    readAnswer(answer.sdp ?? "", this.#lines); // looked at before it counts
    await this.#pc.setLocalDescription(answer);
    this.#check(this.#pc.localDescription?.sdp ?? "");
  }

  /** Bring the lines to what the server lists: ended ones are rejected first, and their places taken again. */
  async #renegotiate(): Promise<void> {
    if (this.#over || this.#answer === null || this.#kept !== null) return; // it is done once connected
    const taken = new Set([...this.#answer.sources.values()].flatMap(({ layers, rtx }) => [...layers, ...rtx]));
    const wanted = new Map<number, { readonly kind: Kind; readonly rtx: number | null }>();
    for (const { ssrc, kind, rtx } of this.#remote) {
      if (taken.has(ssrc) || wanted.size >= REMOTE_MAX) continue;
      taken.add(ssrc);
      // one SSRC stands for one thing: a browser takes no description in which it stands for two
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
    if (fresh.length === 0) return;
    const lines = [...this.#lines];
    for (const [ssrc, { kind, rtx }] of fresh) {
      // a rejected line's place is taken by another, under another mid: then it is another transceiver (RFC 9429 5.3.1)
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
    // also where nobody knows whose it is: without a transform Firefox would decode whatever comes
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
      // a browser that can't be limited sends what the server's feedback lets it
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

  /** Whether anything is heard yet. Of one sender alone, that is little to count. */
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

  /** It never answered: where it is inside this machine, some browsers don't get there. */
  #unreached(): void {
    const { address, port, tcp } = this.#server;
    const all = addresses(this.#server).join(", ");
    if (address !== null && /^127\.|^::1$/.test(address)) this.#fail(sentence("shell.media_no_answer_inside", { address }));
    else this.#fail(sentence(tcp === true ? "shell.media_no_answer" : "shell.media_no_answer_udp", { addresses: all, port }));
  }

  #fail(why: Sentence): void {
    if (this.#over) return;
    this.close();
    this.#events.lost(why, this.#ever);
  }
}
