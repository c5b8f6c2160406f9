/**
 * Session descriptions: this module writes the server's offer, and reads the browser's answer.
 *
 * The server sends transport parameters and SSRCs, never a description, so it cannot ask for another codec, a header
 * extension or a variable bitrate (protocol section 10). For the browser the server is always the offerer: the client
 * chooses payload types and extension ids, and they are the same for all participants.
 */
import { type Bytes, hex, unhex } from "../crypto/bytes";
import type { Kind } from "../crypto/media/clearHeader";
import { candidates, isReachable, type Reached } from "./reach";
import {
  AUDIO_PARTS,
  AUDIO_PAYLOAD_TYPE,
  FEEDBACK_EXTENSION,
  LAYERS_MAX,
  RTX_PAYLOAD_TYPE,
  SEND_TIME_EXTENSION,
  VIDEO_PAYLOAD_TYPE,
} from "../wire/limits";

/** Transport parameters of the server, or of this client; `address` null: not known yet. */
export interface TransportSide extends Reached {
  readonly ufrag: string;
  readonly password: string;
  /** SHA-256 of the certificate. */
  readonly fingerprint: Bytes;
}

/** One m-line. `own`: we send. `remote`: the server sends that SSRC. `off`: rejected, and free for reuse. */
export interface Line {
  readonly mid: string;
  readonly kind: Kind;
  readonly use: "own" | "remote" | "off";
  /** SSRC of a remote line; 0 otherwise. */
  readonly ssrc: number;
  /** SSRC of the RTX stream of a remote line; null: no RTX. */
  readonly rtx?: number | null;
  /** Maximum number of simulcast layers of an own line, 1 to 3. */
  readonly layers?: number;
}

/** SSRCs of one own line: its layers, smallest first, and their RTX streams (none, or one for each layer). */
export interface Sources {
  readonly layers: readonly number[];
  readonly rtx: readonly number[];
}

/** The browser's answer. `sources`: SSRCs of own lines, by mid. */
export interface Answer {
  readonly ufrag: string;
  readonly password: string;
  readonly fingerprint: Bytes;
  readonly sources: ReadonlyMap<string, Sources>;
  /** `feedback`: the browser reports on transport-wide sequence numbers of video. `takesRtx`: it accepts RTX. */
  readonly feedback: boolean;
  readonly takesRtx: boolean;
}

/** The browser's answer differs from the request, or the server's parameters are invalid: nothing may be sent. */
export class SdpError extends Error {
  override readonly name = "SdpError";
}

/**
 * Bits a second. Chromium keeps to it in every packet, Firefox on average (so that few packets exceed 120 bytes); the
 * worker pads all packets to one size (`worker/opus.ts`).
 */
export const AUDIO_BITRATE = 28_000;

/** Header extensions of video, by id (`wire/limits.py`); audio has none. */
const EXTENSIONS: Readonly<Record<number, string>> = {
  [SEND_TIME_EXTENSION]: "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
  [FEEDBACK_EXTENSION]: "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
};
interface Format {
  /** Payload types; the second one, if present, is RTX. */
  readonly types: readonly number[];
  readonly name: string;
  readonly lines: readonly string[];
}
const FORMAT: Readonly<Record<Kind, Format>> = {
  audio: {
    types: [AUDIO_PAYLOAD_TYPE],
    name: "opus/48000/2",
    lines: [
      `fmtp:${AUDIO_PAYLOAD_TYPE} minptime=10;useinbandfec=1;usedtx=0;cbr=1;stereo=0;maxaveragebitrate=${AUDIO_BITRATE}`,
    ],
  },
  video: {
    types: [VIDEO_PAYLOAD_TYPE, RTX_PAYLOAD_TYPE],
    name: "VP8/90000",
    lines: [
      // REMB remains: a receiver falls back on it for packets without a transport-wide number
      ...["nack", "nack pli", "ccm fir", "transport-cc", "goog-remb"].map((what) => `rtcp-fb:${VIDEO_PAYLOAD_TYPE} ${what}`),
      `rtpmap:${RTX_PAYLOAD_TYPE} rtx/90000`,
      `fmtp:${RTX_PAYLOAD_TYPE} apt=${VIDEO_PAYLOAD_TYPE}`,
      ...Object.entries(EXTENSIONS).map(([id, uri]) => `extmap:${id} ${uri}`),
    ],
  },
};

const ICE = /^[A-Za-z0-9+/]{4,64}$/;

/**
 * Placeholder parameters for a server that has not answered: enough to get the browser's own half, and nothing else.
 */
export const NOBODY: TransportSide = {
  ufrag: "nobody",
  password: "nobodynobodynobodynobody",
  fingerprint: new Uint8Array(32),
  address: null,
  port: 9,
};

const colons = (bytes: Uint8Array): string => (hex(bytes).match(/../g) ?? []).join(":").toUpperCase();

/**
 * Return the server's offer. `version` must rise with each offer. `large`: our sound leaves in the packets of a large
 * room. SdpError if a parameter is not in its strict form: no value may begin another line.
 */
export function offer(server: TransportSide, lines: readonly Line[], version: number, large = false): string {
  if (!ICE.test(server.ufrag) || !ICE.test(server.password) || server.fingerprint.length !== 32)
    throw new SdpError("the server's transport parameters are none");
  if (!isReachable(server))
    throw new SdpError("the server's media address is no IP address");
  const bundled = lines.filter(({ use }) => use !== "off").map(({ mid }) => mid);
  const out = [
    "v=0",
    `o=- 1 ${version} IN IP4 127.0.0.1`,
    "s=-",
    "t=0 0",
    "a=ice-lite",
    `a=group:BUNDLE ${bundled.join(" ")}`,
    "a=msid-semantic:WMS *",
  ];
  for (const { mid, kind, use, ssrc, rtx = null } of lines) {
    const { types, name, lines: more } = FORMAT[kind];
    out.push(`m=${kind} ${use === "off" ? 0 : 9} UDP/TLS/RTP/SAVPF ${types.join(" ")}`, "c=IN IP4 0.0.0.0", `a=mid:${mid}`);
    out.push(`a=ice-ufrag:${server.ufrag}`, `a=ice-pwd:${server.password}`);
    out.push(`a=fingerprint:sha-256 ${colons(server.fingerprint)}`, "a=setup:actpass", "a=rtcp-mux");
    out.push(`a=${{ own: "recvonly", remote: "sendonly", off: "inactive" }[use]}`);
    out.push(`a=rtpmap:${types[0]} ${name}`, ...more.map((line) => `a=${line}`));
    if (large && use === "own" && kind === "audio") out.push(`a=ptime:${20 * AUDIO_PARTS}`);
    if (use === "remote") {
      out.push(`a=msid:${mid} ${mid}`, ...(rtx === null ? [] : [`a=ssrc-group:FID ${ssrc} ${rtx}`]));
      out.push(...[ssrc, ...(rtx === null ? [] : [rtx])].map((each) => `a=ssrc:${each} cname:snug`));
    }
    if (server.address !== null && use !== "off")
      out.push(...candidates(server).map((line) => `a=${line}`), "a=end-of-candidates");
  }
  return `${out.join("\r\n")}\r\n`;
}

/**
 * Return Chromium's own answer with more simulcast layers: their SSRCs, drawn by `draw`, in a `SIM` group, smallest
 * first.
 *
 * With layers named by `rid` (RFC 8853), Chromium needs two header extensions on its packets, which the protocol does
 * not have, and reveals no SSRCs before it sends. A section stays as it is if it has layers already or needs none.
 */
export function layered(sdp: string, lines: readonly Line[], draw: () => number): string {
  const [head = "", ...media] = sdp.split(/^(?=m=)/m);
  const sections = media.map((section, i) => {
    const { use, layers = 1 } = lines[i] ?? { use: "off" };
    const cname = /^a=ssrc:\d+ cname:(\S+)/m.exec(section)?.[1];
    const { layers: [first, ...more], rtx } = sourcesOf(section.split(/\r?\n/));
    if (use !== "own" || layers < 2 || cname === undefined || first === undefined || more.length > 0) return section;
    const all = [first, ...Array.from({ length: layers - 1 }, draw)];
    const pairs = rtx[0] === undefined ? [] : all.slice(1).map((ssrc) => [ssrc, draw()] as const);
    const added = [...all.slice(1), ...pairs.map(([, again]) => again)].map((ssrc) => `a=ssrc:${ssrc} cname:${cname}`);
    const groups = pairs.map((pair) => `a=ssrc-group:FID ${pair.join(" ")}`);
    return `${section.trimEnd()}\r\n${[...added, ...groups, `a=ssrc-group:SIM ${all.join(" ")}`].join("\r\n")}\r\n`;
  });
  return [head, ...sections].join("");
}

/** Return the SSRCs of a section's layers and of their RTX streams; SdpError if they are inconsistent. */
function sourcesOf(section: readonly string[]): Sources {
  const numbers = (text: string): number[] => text.split(" ").map(Number);
  const named = [...new Set(section.flatMap((line) => /^a=ssrc:(\d+)/.exec(line)?.[1] ?? []))].map(Number);
  const groups = (what: string): number[][] =>
    section.filter((line) => line.startsWith(`a=ssrc-group:${what} `)).map((line) => numbers(line.slice(14 + what.length)));
  const pairs = groups("FID");
  const [together, ...others] = groups("SIM");
  const again = pairs.map(([, rtx = 0]) => rtx);
  const layers = together ?? named.filter((ssrc) => !again.includes(ssrc));
  // in the order of the layers
  const rtx = layers.flatMap((ssrc) => pairs.find(([of]) => of === ssrc)?.[1] ?? []);
  const all = [...layers, ...rtx];
  const fits =
    others.length === 0 &&
    pairs.length === rtx.length &&
    pairs.every((pair) => pair.length === 2) &&
    [0, layers.length].includes(rtx.length) &&
    all.length === named.length &&
    all.every((ssrc) => named.includes(ssrc) && ssrc > 0 && ssrc <= 0xffffffff);
  if (!fits) throw new SdpError("SSRCs that don't go together");
  return { layers, rtx };
}

const ANSWERED = { own: "sendonly", remote: "recvonly", off: "inactive" } as const;

/** Return the content of a browser's answer to such an offer; SdpError if it differs from what the client requires. */
export function readAnswer(sdp: string, lines: readonly Line[]): Answer {
  const [head = "", ...media] = sdp.split(/^(?=m=)/m);
  if (media.length !== lines.length) throw new SdpError("another number of streams than offered");
  const sources = new Map<string, Sources>();
  const refusals = new Set<"feedback" | "rtx">();
  const transports = new Map<string, Answer>();
  lines.forEach(({ mid, kind, use, layers = 1 }, i) => {
    const section = (media[i] ?? "").split(/\r?\n/);
    const all = (name: string): string[] =>
      [...section, ...head.split(/\r?\n/)].filter((line) => line.startsWith(`a=${name}`)).map((line) => line.slice(2 + name.length));
    const one = (name: string): string => {
      const [value, ...others] = new Set(all(name));
      if (value === undefined || others.length > 0) throw new SdpError(`${name} is said ${value === undefined ? "never" : "twice"}`);
      return value;
    };
    const { types, name } = FORMAT[kind];
    const [what = "", answered] = (section[0] ?? "").split(" UDP/TLS/RTP/SAVPF ");
    if (use === "off") return;
    if (!new RegExp(`^m=${kind} [1-9]\\d*$`).test(what)) throw new SdpError(`a stream of ${kind} was refused`);
    // a browser may leave out the RTX payload type: then it uses no RTX
    if (answered !== types.join(" ") && answered !== String(types[0])) throw new SdpError("other payload types than offered");
    if (one("mid:") !== mid) throw new SdpError("the streams come in another order");
    if (one(`rtpmap:${types[0]} `).toLowerCase() !== name.toLowerCase()) throw new SdpError("another codec than offered");
    if (one("setup:") !== "active") throw new SdpError("the browser would be the DTLS server");
    if (!section.includes("a=rtcp-mux")) throw new SdpError("RTP and RTCP apart");
    if (!section.includes(`a=${ANSWERED[use]}`)) throw new SdpError(`${kind} in another direction`);
    for (const extension of all("extmap:")) {
      const [id = "", uri] = extension.split(" ");
      if (kind !== "video" || EXTENSIONS[Number(id)] !== uri) throw new SdpError("a header extension that wasn't offered");
    }
    if (use === "own") {
      const found = sourcesOf(section);
      if (found.layers.length < 1) throw new SdpError("a stream without an SSRC");
      if (found.layers.length > Math.min(layers, LAYERS_MAX)) throw new SdpError("layers that weren't asked for");
      if (found.rtx.length > 0 && types.length < 2) throw new SdpError("sound sent again in a way that wasn't offered");
      sources.set(mid, found);
    }
    if (all("simulcast:").length > 0 || all("rid:").length > 0) throw new SdpError("layers that weren't asked for");
    if (kind === "video") {
      const reports = all("extmap:").some((extension) => extension.startsWith(`${FEEDBACK_EXTENSION} `));
      if (!reports || !all("rtcp-fb:").some((line) => line.endsWith(" transport-cc"))) refusals.add("feedback");
      if (answered !== types.join(" ")) refusals.add("rtx");
    }
    const fingerprint = /^sha-256 ((?:[0-9a-f]{2}:){31}[0-9a-f]{2})$/i.exec(one("fingerprint:"))?.[1];
    const [ufrag, password] = [one("ice-ufrag:"), one("ice-pwd:")];
    if (fingerprint === undefined || !ICE.test(ufrag) || !ICE.test(password)) throw new SdpError("transport parameters that are none");
    const side = { ufrag, password, fingerprint: unhex(fingerprint.replaceAll(":", "")), sources, feedback: false, takesRtx: false };
    transports.set(`${ufrag} ${password} ${fingerprint}`, side);
  });
  const [answer, ...others] = transports.values();
  if (answer === undefined || others.length > 0) throw new SdpError("more than one transport");
  const all = [...sources.values()].flatMap(({ layers, rtx }) => [...layers, ...rtx]);
  if (new Set(all).size !== all.length) throw new SdpError("two streams with one SSRC");
  return { ...answer, feedback: !refusals.has("feedback"), takesRtx: !refusals.has("rtx") };
}
