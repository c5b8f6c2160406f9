import assert from "node:assert/strict";
import { test } from "node:test";
import { type Line, NOBODY, offer, readAnswer, SdpError, type TransportSide } from "../../../../client/web/src/media/sdp";

const SERVER: TransportSide = {
  ufrag: "abcd", password: "efghijklmnopqrstuvwxyz12", fingerprint: new Uint8Array(32).fill(0xab), address: "192.0.2.7", port: 3478,
};
const LINES: readonly Line[] = [
  { mid: "0", kind: "audio", use: "own", ssrc: 0 },
  { mid: "1", kind: "video", use: "own", ssrc: 0 },
  { mid: "2", kind: "video", use: "off", ssrc: 0 },
  { mid: "3", kind: "audio", use: "remote", ssrc: 77 },
  { mid: "4", kind: "video", use: "remote", ssrc: 78 },
];

const FINGERPRINT = Array.from({ length: 32 }, () => "CD").join(":");
const TRANSPORT = ["a=ice-ufrag:Q1w2", "a=ice-pwd:secretsecretsecretsecret", `a=fingerprint:sha-256 ${FINGERPRINT}`, "a=setup:active", "a=rtcp-mux"];

/** As Chromium and Firefox write it, where they agree. */
const ANSWER = [
  "v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0 1 3 4", "a=extmap-allow-mixed",
  "m=audio 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0", "a=mid:0", ...TRANSPORT, "a=sendonly", "a=rtpmap:111 opus/48000/2",
  "a=fmtp:111 minptime=10;useinbandfec=1", "a=ssrc:1001 cname:x", "a=ssrc:1001 msid:- y",
  "m=video 9 UDP/TLS/RTP/SAVPF 96", "c=IN IP4 0.0.0.0", "a=mid:1", ...TRANSPORT, "a=sendonly", "a=rtpmap:96 VP8/90000",
  "a=extmap:3 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time", "a=ssrc:1002 cname:x",
  "m=video 0 UDP/TLS/RTP/SAVPF 96", "c=IN IP4 0.0.0.0", "a=mid:2", "a=inactive",
  "m=audio 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0", "a=mid:3", ...TRANSPORT, "a=recvonly", "a=rtpmap:111 opus/48000/2",
  "m=video 9 UDP/TLS/RTP/SAVPF 96", "c=IN IP4 0.0.0.0", "a=mid:4", ...TRANSPORT, "a=recvonly", "a=rtpmap:96 VP8/90000", "",
];

const read = (lines: readonly string[]) => readAnswer(lines.join("\r\n"), LINES);

test("an offer has what the protocol says, and no more", () => {
  const sdp = offer(SERVER, LINES, 3);
  const sections = sdp.split(/^(?=m=)/m);
  assert.equal(sections.length, 6);
  assert.ok(sections[0]?.includes("a=ice-lite\r\n"));
  assert.ok(sections[0]?.includes("a=group:BUNDLE 0 1 3 4\r\n"));
  assert.match(sections[1] ?? "", /^m=audio 9 UDP\/TLS\/RTP\/SAVPF 111\r\n/);
  assert.match(sections[1] ?? "", /a=fmtp:111 [^\r]*usedtx=0;cbr=1;/);
  assert.doesNotMatch(sections[1] ?? "", /extmap|a=ssrc/);
  assert.match(sections[2] ?? "", /a=recvonly\r\n/);
  assert.deepEqual(sections[2]?.match(/extmap:\d+/g), ["extmap:3"]);
  assert.match(sections[3] ?? "", /^m=video 0 /);
  assert.match(sections[4] ?? "", /a=sendonly\r\n[^]*a=ssrc:77 cname:snug\r\n/);
  assert.equal(sdp.match(/a=candidate:1 1 udp 2130706431 192\.0\.2\.7 3478 typ host/g)?.length, 4);
  assert.doesNotMatch(sdp, /sdes:mid|audio-level|transport-wide|rtx|red\//);
  assert.doesNotMatch(offer(NOBODY, LINES, 1), /candidate/);
  assert.match(offer({ ...SERVER, address: "2001:db8::7" }, LINES, 1), / 2001:db8::7 3478 /);
  assert.doesNotMatch(sdp, /tcptype/);
});

test("nothing that a server says begins a line of its own", () => {
  for (const wrong of [
    { address: "192.0.2.7 1 typ host\r\na=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level" },
    { address: "meet.example" },
    { address: "" },
    { ufrag: "abcd\r\na=x" },
    { password: "short" + "\n" },
    { fingerprint: new Uint8Array(20) },
    { port: 1.5 },
    { others: ["2001:db8::7", "meet.example"] },
    { others: ["192.0.2.8\r\na=x"] },
  ])
    assert.throws(() => offer({ ...SERVER, ...wrong }, LINES, 1), SdpError, JSON.stringify(wrong));
});

test("an answer as demanded is read", () => {
  const answer = read(ANSWER);
  assert.equal(answer.ufrag, "Q1w2");
  assert.equal(answer.password, "secretsecretsecretsecret");
  assert.deepEqual([...answer.fingerprint], Array.from({ length: 32 }, () => 0xcd));
  assert.deepEqual([...answer.ssrcs], [["0", 1001], ["1", 1002]]);
});

test("any other answer is refused", () => {
  const change = (from: string | RegExp, to: string, nth = 0): string[] => {
    let seen = 0;
    return ANSWER.map((line) => (line.match(from) && seen++ === nth ? line.replace(from, to) : line));
  };
  const wrong: readonly (readonly [string, readonly string[]])[] = [
    ["another payload type", change("SAVPF 96", "SAVPF 97")],
    ["a second payload type", change("SAVPF 111", "SAVPF 111 0")],
    ["another codec", change("VP8/90000", "VP9/90000")],
    ["a refused stream", change("m=audio 9", "m=audio 0")],
    ["the DTLS server", change("setup:active", "setup:passive")],
    ["another direction of ours", change("a=sendonly", "a=sendrecv")],
    ["another direction of theirs", change("a=recvonly", "a=sendrecv")],
    ["an audio level", [...ANSWER.slice(0, 16), "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level", ...ANSWER.slice(16)]],
    ["another extension", change("abs-send-time", "transport-wide-cc")],
    ["another id of the extension", change("extmap:3", "extmap:4")],
    ["no SSRC", ANSWER.filter((line) => !line.startsWith("a=ssrc:1002"))],
    ["one SSRC twice", change("ssrc:1002", "ssrc:1001")],
    ["two SSRCs of one stream", change("a=ssrc:1001 msid", "a=ssrc:1003 msid")],
    ["RTP and RTCP apart", ANSWER.filter((line) => line !== "a=rtcp-mux")],
    ["two transports", change("ufrag:Q1w2", "ufrag:Q1w3")],
    ["two fingerprints", change("CD:CD", "CD:CE", 1)],
    ["another hash", ANSWER.map((line) => line.replace("sha-256", "sha-1"))],
    ["a ufrag that the protocol has none of", ANSWER.map((line) => line.replace("Q1w2", "Q-w2"))],
    ["layers", [...ANSWER.slice(0, 22), "a=simulcast:send a;b", ...ANSWER.slice(22)]],
    ["a stream less", ANSWER.slice(0, -8)],
    ["another order", change("a=mid:0", "a=mid:1")],
  ];
  for (const [what, lines] of wrong) {
    assert.notDeepEqual(lines, ANSWER, what);
    assert.throws(() => read(lines), SdpError, what);
  }
});
