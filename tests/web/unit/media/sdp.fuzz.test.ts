/**
 * Answers and transport parameters that are nearly right: an SdpError, or something that says no more than it may.
 *
 * `SNUG_FUZZ` inputs (by default some thousands), `SNUG_SEED` to have others.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { layered, type Line, offer, readAnswer, SdpError, type TransportSide } from "../../../../client/web/src/media/sdp";

const RUNS = Number(process.env.SNUG_FUZZ ?? 4000);

/** Numbers from 0 to 2^32 - 1 (xorshift), the same for the same seed. */
function numbers(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>>= 0);
  };
}

const SERVER: TransportSide = {
  ufrag: "abcd", password: "efghijklmnopqrstuvwxyz12", fingerprint: new Uint8Array(32).fill(0xab), address: "192.0.2.7", port: 3478,
};
const LINES: readonly Line[] = [
  { mid: "0", kind: "audio", use: "own", ssrc: 0 },
  { mid: "1", kind: "video", use: "remote", ssrc: 78 },
  { mid: "2", kind: "video", use: "off", ssrc: 0 },
  { mid: "3", kind: "audio", use: "remote", ssrc: 77 },
  { mid: "4", kind: "video", use: "own", ssrc: 0, layers: 3 },
];

/** A browser's answer to an offer: the same, seen from the other side. */
function answer(to: string): string {
  const turned: Record<string, string> = { "a=recvonly": "a=sendonly", "a=sendonly": "a=recvonly", "a=setup:actpass": "a=setup:active" };
  const out: string[] = [];
  let ssrc = 1001;
  for (const line of to.split("\r\n")) {
    if (/^a=(candidate|end-of-candidates|ssrc|msid|ice-lite)/.test(line)) continue;
    out.push(turned[line] ?? line);
    if (line === "a=recvonly") out.push(`a=ssrc:${ssrc++} cname:x`);
  }
  return layered(out.join("\r\n"), LINES, () => ssrc++);
}

const SMUGGLED = [
  "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level", "a=simulcast:send 1;2", "a=rid:1 send", "a=rtpmap:96 H264/90000",
  "a=rtpmap:111 opus/8000", "a=ssrc:5 cname:y", "a=ssrc-group:SIM 1002 5", "a=ssrc-group:FID 1001 5", "a=ssrc-group:SIM 1001 1002", "a=ssrc:0 cname:y", "a=ssrc:4294967296 cname:y", "a=setup:passive", "a=setup:active",
  "a=ice-ufrag:other", "a=ice-pwd:", "a=fingerprint:sha-1 AB", "a=mid:", "a=sendrecv", "a=inactive", "m=audio 9 UDP/TLS/RTP/SAVPF 111",
  "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98", "m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "m=audio 0 UDP/TLS/RTP/SAVPF 111", "\u2028", "",
];
const LETTERS = ["\r", "\n", "\r\n", "\0", "\u2028", "é", "9", ":", " ", "=", "a=", "/", "💥"];

function changed(text: string, next: () => number): string {
  const lines = text.split("\r\n");
  for (let i = 1 + (next() % 3); i > 0; i--) {
    const at = next() % lines.length;
    const other = next() % lines.length;
    const line = lines[at] ?? "";
    const place = next() % (line.length + 1);
    switch (next() % 7) {
      case 0: lines.splice(at, 1); break;
      case 1: lines.splice(at, 0, lines[other] ?? ""); break;
      case 2: [lines[at], lines[other]] = [lines[other] ?? "", line]; break;
      case 3: lines.splice(at, 0, SMUGGLED[next() % SMUGGLED.length] ?? ""); break;
      case 4: lines[at] = line.slice(0, place) + (LETTERS[next() % LETTERS.length] ?? "") + line.slice(place); break;
      case 5: lines[at] = line.slice(0, place); break;
      default: lines[at] = line.slice(0, place) + String(next() % 70000) + line.slice(place + 1);
    }
  }
  return lines.join(next() % 9 === 0 ? "\n" : "\r\n");
}

function attempt<T>(work: () => T): T | null {
  try {
    return work();
  } catch (error) {
    assert.ok(error instanceof SdpError, `not an SdpError: ${String(error)}`);
    return null;
  }
}

test("whatever a browser answers is refused, or says what we asked for", () => {
  const next = numbers(Number(process.env.SNUG_SEED ?? 1));
  const good = answer(offer(SERVER, LINES, 1));
  assert.equal(readAnswer(good, LINES).sources.get("0")?.layers[0], 1001);
  assert.deepEqual(readAnswer(good, LINES).sources.get("4"), { layers: [1002, 1003, 1004], rtx: [] });
  let [taken, refused] = [0, 0];
  for (let run = 0; run < RUNS; run++) {
    const text = changed(good, next);
    const read = attempt(() => readAnswer(text, LINES));
    if (read === null) {
      refused++;
      continue;
    }
    taken++;
    assert.match(read.ufrag, /^[A-Za-z0-9+/]{4,64}$/);
    assert.match(read.password, /^[A-Za-z0-9+/]{4,64}$/);
    assert.equal(read.fingerprint.length, 32);
    assert.deepEqual([...read.sources.keys()], ["0", "4"]);
    const told = [...read.sources.values()].map(({ layers, rtx }) => [layers, rtx]);
    assert.equal(told[0]?.[0]?.length, 1, text);
    for (const [layers = [], rtx = []] of told) assert.ok(layers.length >= 1 && layers.length <= 3 && [0, layers.length].includes(rtx.length));
    const all = told.flat(2);
    assert.equal(new Set(all).size, all.length, "one SSRC, one thing");
    for (const ssrc of all) assert.ok(Number.isInteger(ssrc) && ssrc >= 1 && ssrc <= 0xffffffff);
    const sections = text.split(/^(?=m=)/m);
    assert.equal(sections.length, 1 + LINES.length);
    // nothing in use that would tell a server how loud it is
    const used = sections.filter((_, i) => LINES[i - 1]?.use !== "off").join("");
    assert.ok(!/^a=extmap:\d+ .*audio-level/m.test(used), text);
  }
  assert.ok(taken > RUNS / 50 && refused > RUNS / 4, `${taken} taken, ${refused} refused`);
});

test("each line of the offer stays one, for any transport that a server tells", () => {
  const next = numbers(Number(process.env.SNUG_SEED ?? 1) + 1);
  const count = offer(SERVER, LINES, 1).split("\r\n").length;
  const odd = (text: string): string => {
    const at = next() % (text.length + 1);
    return text.slice(0, at) + (LETTERS[next() % LETTERS.length] ?? "") + text.slice(at + (next() % 3));
  };
  const maybe = (text: string): string => (next() % 2 === 0 ? text : odd(text));
  let [made, refused] = [0, 0];
  for (let run = 0; run < RUNS; run++) {
    const address = ["192.0.2.7", "2001:db8::7", "::ffff:192.0.2.1", "meet.example"][next() % 4] ?? "";
    const side: TransportSide = {
      ufrag: maybe("abcd"), password: maybe("efghijklmnopqrstuvwxyz12"), address: maybe(address),
      fingerprint: new Uint8Array(next() % 4 === 0 ? next() % 64 : 32), port: [3478, 0, -1, 1.5, Number.NaN, 65_536][next() % 6] ?? 1,
    };
    const text = attempt(() => offer(side, LINES, run));
    if (text === null) {
      refused++;
      continue;
    }
    made++;
    const lines = text.split("\r\n");
    assert.equal(lines.length, count, JSON.stringify(side));
    assert.ok(lines.slice(0, -1).every((line) => /^[vostcam]=[^\r\n\u2028]+$/.test(line)), JSON.stringify(side));
    assert.equal(text.match(/[\r\n]/g)?.length, 2 * (count - 1));
  }
  assert.ok(made > RUNS / 50 && refused > RUNS / 4, `${made} made, ${refused} refused`);
});
