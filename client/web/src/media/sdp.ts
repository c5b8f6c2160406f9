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
}

/** What the browser has answered. `ssrcs` by mid, of own lines. */
export interface Answer {
  readonly ufrag: string;
  readonly password: string;
  readonly fingerprint: Bytes;
  readonly ssrcs: ReadonlyMap<string, number>;
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

const SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
const FORMAT: Readonly<Record<Kind, { readonly type: number; readonly name: string; readonly lines: readonly string[] }>> = {
  audio: {
    type: 111,
    name: "opus/48000/2",
    lines: [
      `fmtp:111 minptime=10;useinbandfec=0;usedtx=0;cbr=1;stereo=0;maxaveragebitrate=${AUDIO_BITRATE}`,
    ],
  },
  video: {
    type: 96,
    name: "VP8/90000",
    lines: [
      "rtcp-fb:96 nack",
      "rtcp-fb:96 nack pli",
      "rtcp-fb:96 ccm fir",
      "rtcp-fb:96 goog-remb",
      `extmap:3 ${SEND_TIME}`,
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
  for (const { mid, kind, use, ssrc } of lines) {
    const { type, name, lines: more } = FORMAT[kind];
    out.push(`m=${kind} ${use === "off" ? 0 : 9} UDP/TLS/RTP/SAVPF ${type}`, "c=IN IP4 0.0.0.0", `a=mid:${mid}`);
    out.push(`a=ice-ufrag:${server.ufrag}`, `a=ice-pwd:${server.password}`);
    out.push(`a=fingerprint:sha-256 ${colons(server.fingerprint)}`, "a=setup:actpass", "a=rtcp-mux");
    out.push(`a=${{ own: "recvonly", remote: "sendonly", off: "inactive" }[use]}`);
    out.push(`a=rtpmap:${type} ${name}`, ...more.map((line) => `a=${line}`));
    if (use === "remote") out.push(`a=msid:${mid} ${mid}`, `a=ssrc:${ssrc} cname:snug`);
    if (server.address !== null && use !== "off")
      out.push(...candidates(server).map((line) => `a=${line}`), "a=end-of-candidates");
  }
  return `${out.join("\r\n")}\r\n`;
}

const ANSWERED = { own: "sendonly", remote: "recvonly", off: "inactive" } as const;

/** What is in a browser's answer to such an offer; SdpError if anything in it is not as we demand. */
export function readAnswer(sdp: string, lines: readonly Line[]): Answer {
  const [head = "", ...media] = sdp.split(/^(?=m=)/m);
  if (media.length !== lines.length) throw new SdpError("another number of streams than offered");
  const ssrcs = new Map<string, number>();
  const transports = new Map<string, Answer>();
  lines.forEach(({ mid, kind, use }, i) => {
    const section = (media[i] ?? "").split(/\r?\n/);
    const all = (name: string): string[] =>
      [...section, ...head.split(/\r?\n/)].filter((line) => line.startsWith(`a=${name}`)).map((line) => line.slice(2 + name.length));
    const one = (name: string): string => {
      const [value, ...others] = new Set(all(name));
      if (value === undefined || others.length > 0) throw new SdpError(`${name} is said ${value === undefined ? "never" : "twice"}`);
      return value;
    };
    const { type, name } = FORMAT[kind];
    const [what = "", ...types] = (section[0] ?? "").split(" UDP/TLS/RTP/SAVPF ");
    if (use === "off") return;
    if (!new RegExp(`^m=${kind} [1-9]\\d*$`).test(what)) throw new SdpError(`a stream of ${kind} was refused`);
    if (types.join() !== String(type)) throw new SdpError("other payload types than offered");
    if (one("mid:") !== mid) throw new SdpError("the streams come in another order");
    if (one(`rtpmap:${type} `).toLowerCase() !== name.toLowerCase()) throw new SdpError("another codec than offered");
    if (one("setup:") !== "active") throw new SdpError("the browser would be the DTLS server");
    if (!section.includes("a=rtcp-mux")) throw new SdpError("RTP and RTCP apart");
    if (!section.includes(`a=${ANSWERED[use]}`)) throw new SdpError(`${kind} in another direction`);
    for (const extension of all("extmap:"))
      if (kind !== "video" || extension !== `3 ${SEND_TIME}`) throw new SdpError("a header extension that wasn't offered");
    if (all("simulcast:").length > 0 || all("rid:").length > 0) throw new SdpError("layers that weren't asked for");
    if (use === "own") {
      const [named, ...more] = new Set(all("ssrc:").map((line) => line.split(" ")[0]));
      const ssrc = Number(named);
      if (more.length > 0 || !Number.isInteger(ssrc) || ssrc < 1 || ssrc > 0xffffffff) throw new SdpError("a stream without an SSRC");
      ssrcs.set(mid, ssrc);
    }
    const fingerprint = /^sha-256 ((?:[0-9a-f]{2}:){31}[0-9a-f]{2})$/i.exec(one("fingerprint:"))?.[1];
    const [ufrag, password] = [one("ice-ufrag:"), one("ice-pwd:")];
    if (fingerprint === undefined || !ICE.test(ufrag) || !ICE.test(password)) throw new SdpError("transport parameters that are none");
    const side = { ufrag, password, fingerprint: unhex(fingerprint.replaceAll(":", "")), ssrcs };
    transports.set(`${ufrag} ${password} ${fingerprint}`, side);
  });
  const [answer, ...others] = transports.values();
  if (answer === undefined || others.length > 0) throw new SdpError("more than one transport");
  if (new Set(ssrcs.values()).size !== ssrcs.size) throw new SdpError("two streams with one SSRC");
  return answer;
}
