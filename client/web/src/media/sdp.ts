/**
 * Session descriptions: we write the server's ourselves, and read our browser's own.
 *
 * The server sends transport parameters and SSRCs, never a description, so it can ask for no other codec, no
 * header extension and no variable bitrate (protocol section 10). To the browser the server is always the offerer:
 * then payload types and extension ids are ours to choose, and they are the same for everybody.
 */
import { type Bytes, hex, unhex } from "../crypto/bytes";
import type { Kind } from "../crypto/shim";
import { candidates, isReachable, type Reached } from "./reach";
import {
  AUDIO_PAYLOAD_TYPE,
  FEEDBACK_EXTENSION,
  LAYERS_MAX,
  RTX_PAYLOAD_TYPE,
  SEND_TIME_EXTENSION,
  VIDEO_PAYLOAD_TYPE,
} from "../wire/limits";

/** What the server, or we, have to say about a transport; `address` null: not told yet. */
export interface TransportSide extends Reached {
  readonly ufrag: string;
  readonly password: string;
  /** SHA-256 of the certificate. */
  readonly fingerprint: Bytes;
}

/** One m-line. `own`: we send. `remote`: the server sends that SSRC. `off`: rejected, its place free for another. */
export interface Line {
  readonly mid: string;
  readonly kind: Kind;
  readonly use: "own" | "remote" | "off";
  /** Of a remote line; 0 otherwise. */
  readonly ssrc: number;
  /** Of a remote line: under which SSRC it is sent again; null: as it was. */
  readonly rtx?: number | null;
  /** Of an own line: in how many sizes it may be sent at once, 1 to 3. */
  readonly layers?: number;
}

/** SSRCs of one own line: its layers, from the smallest, and what is sent again of each (none, or one for each). */
export interface Sources {
  readonly layers: readonly number[];
  readonly rtx: readonly number[];
}

/** What the browser has answered. `sources` by mid, of own lines. */
export interface Answer {
  readonly ufrag: string;
  readonly password: string;
  readonly fingerprint: Bytes;
  readonly sources: ReadonlyMap<string, Sources>;
  /** Transport-wide numbers on video packets are reported on, and what is sent again may come under an SSRC of its own. */
  readonly feedback: boolean;
  readonly takesRtx: boolean;
}

/** The browser's answer isn't what we asked for, or the server's parameters are none: nothing may be sent. */
export class SdpError extends Error {
  override readonly name = "SdpError";
}

/**
 * Bits a second. Chromium keeps to it in every packet, Firefox on an average (so that hardly a packet exceeds 120
 * bytes): the worker pads all to one size (`worker/opus.ts`).
 */
export const AUDIO_BITRATE = 28_000;

/** Header extensions of video, by id (`server/wire/limits.py`); sound has none. */
const EXTENSIONS: Readonly<Record<number, string>> = {
  [SEND_TIME_EXTENSION]: "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
  [FEEDBACK_EXTENSION]: "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
};
interface Format {
  /** Payload types; those after the first are of what is sent again. */
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
      // REMB stays: a receiver falls back on it where packets have no transport-wide number
      ...["nack", "nack pli", "ccm fir", "transport-cc", "goog-remb"].map((what) => `rtcp-fb:${VIDEO_PAYLOAD_TYPE} ${what}`),
      `rtpmap:${RTX_PAYLOAD_TYPE} rtx/90000`,
      `fmtp:${RTX_PAYLOAD_TYPE} apt=${VIDEO_PAYLOAD_TYPE}`,
      ...Object.entries(EXTENSIONS).map(([id, uri]) => `extmap:${id} ${uri}`),
    ],
  },
};

const ICE = /^[A-Za-z0-9+/]{4,64}$/;

/** A place holder for a server that hasn't answered: our browser's own half can be had with it, and nothing else. */
export const NOBODY: TransportSide = {
  ufrag: "nobody",
  password: "nobodynobodynobodynobody",
  fingerprint: new Uint8Array(32),
  address: null,
  port: 9,
};

const colons = (bytes: Uint8Array): string => (hex(bytes).match(/../g) ?? []).join(":").toUpperCase();

/**
 * The server's offer. `version` rises with each. SdpError if a parameter could say more than it should: what
 * stands in a line must not begin another.
 */
export function offer(server: TransportSide, lines: readonly Line[], version: number): string {
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
 * Chromium's own answer with further layers in it: SSRCs in a group (`SIM`), from the smallest, which `draw` gives.
 *
 * By their names (`rid`, RFC 8853) it sends layers only with two header extensions on its packets, which the protocol
 * has none of, and tells no SSRCs before it sends. What has layers already, or isn't to have any, stays as it is.
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

/** Layers and what is sent again of each, as a section names them; SdpError if they don't go together. */
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

/** What is in a browser's answer to such an offer; SdpError if anything in it is not as we demand. */
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
    // without the second a browser sends nothing again in its own way
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
