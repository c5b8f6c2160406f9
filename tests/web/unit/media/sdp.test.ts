import assert from "node:assert/strict";
import { test } from "node:test";
import { layered, type Line, NOBODY, offer, readAnswer, SdpError, type TransportSide } from "../../../../client/web/src/media/sdp";

const SERVER: TransportSide = {
  ufrag: "abcd", password: "efghijklmnopqrstuvwxyz12", fingerprint: new Uint8Array(32).fill(0xab), address: "192.0.2.7", port: 3478,
};
const LINES: readonly Line[] = [
  { mid: "0", kind: "audio", use: "own", ssrc: 0 },
  { mid: "1", kind: "video", use: "own", ssrc: 0 },
  { mid: "2", kind: "video", use: "off", ssrc: 0 },
  { mid: "3", kind: "audio", use: "remote", ssrc: 77 },
  { mid: "4", kind: "video", use: "remote", ssrc: 78, rtx: 79 },
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
  assert.match(sections[1] ?? "", /a=fmtp:111 [^\r]*useinbandfec=1;usedtx=0;cbr=1;/);
  assert.doesNotMatch(sections[1] ?? "", /extmap|a=ssrc/);
  assert.match(sections[2] ?? "", /a=recvonly\r\n/);
  assert.deepEqual(sections[2]?.match(/extmap:\d+/g), ["extmap:3", "extmap:5"]);
  assert.match(sections[2] ?? "", /^m=video 9 UDP\/TLS\/RTP\/SAVPF 96 97\r\n[^]*a=rtpmap:97 rtx\/90000\r\na=fmtp:97 apt=96\r\n/);
  assert.match(sections[5] ?? "", /a=ssrc-group:FID 78 79\r\na=ssrc:78 cname:snug\r\na=ssrc:79 cname:snug\r\n/);
  assert.doesNotMatch(sections[4] ?? "", /ssrc-group|transport-cc/);
  assert.match(sections[3] ?? "", /^m=video 0 /);
  assert.match(sections[4] ?? "", /a=sendonly\r\n[^]*a=ssrc:77 cname:snug\r\n/);
  assert.equal(sdp.match(/a=candidate:1 1 udp 2130706431 192\.0\.2\.7 3478 typ host/g)?.length, 4);
  assert.doesNotMatch(sdp, /sdes:|audio-level|red\/|rid:|simulcast/);
  assert.doesNotMatch(offer(NOBODY, LINES, 1), /candidate/);
  assert.match(offer({ ...SERVER, address: "2001:db8::7" }, LINES, 1), / 2001:db8::7 3478 /);
  assert.doesNotMatch(sdp, /tcptype/);
});

test("in a large room, our own sound alone comes in packets of 60 ms", () => {
  const sections = offer(SERVER, LINES, 3, true).split(/^(?=m=)/m);
  assert.deepEqual(sections.map((section) => section.includes("a=ptime:60\r\n")), [false, true, false, false, false, false]);
  assert.doesNotMatch(offer(SERVER, LINES, 3), /ptime:/);
});

test("no value of a server begins a line of its own", () => {
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
  const alone = (ssrc: number) => ({ layers: [ssrc], rtx: [] });
  assert.deepEqual([...answer.sources], [["0", alone(1001)], ["1", alone(1002)]]);
  assert.deepEqual([answer.feedback, answer.takesRtx], [false, false]);
});

const TWCC = "a=extmap:5 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
const LAYERED: readonly Line[] = LINES.map((line) => (line.mid === "1" ? { ...line, layers: 3 } : line));

/** As Chromium does with an offer as ours, to which it says all that it can. */
const whole = (...more: readonly string[]): string[] =>
  ANSWER.flatMap((line) => {
    if (line === "m=video 9 UDP/TLS/RTP/SAVPF 96") return ["m=video 9 UDP/TLS/RTP/SAVPF 96 97"];
    if (line === "a=rtpmap:96 VP8/90000") return [line, "a=rtcp-fb:96 transport-cc", "a=rtpmap:97 rtx/90000", TWCC];
    return line === "a=ssrc:1002 cname:x" ? [line, ...more] : [line];
  });
const AGAIN = ["a=ssrc:1003 cname:x", "a=ssrc-group:FID 1002 1003"];
const drawing = (from: number) => () => from++;

test("feedback and RTX are read where both sides do them", () => {
  const answer = readAnswer(whole(...AGAIN).join("\r\n"), LINES);
  assert.deepEqual(answer.sources.get("1"), { layers: [1002], rtx: [1003] });
  assert.deepEqual([answer.feedback, answer.takesRtx], [true, true]);
  const less = whole(...AGAIN).filter((line) => line !== "a=rtcp-fb:96 transport-cc");
  assert.equal(readAnswer(less.join("\r\n"), LINES).feedback, false);
});

test("layers are put into an answer, each with what is sent again of it", () => {
  const sdp = layered(whole(...AGAIN).join("\r\n"), LAYERED, drawing(2001));
  assert.match(sdp, /a=ssrc-group:SIM 1002 2001 2002\r\n/);
  assert.deepEqual(readAnswer(sdp, LAYERED).sources.get("1"), { layers: [1002, 2001, 2002], rtx: [1003, 2003, 2004] });
  assert.deepEqual(readAnswer(sdp, LAYERED).sources.get("0"), { layers: [1001], rtx: [] });
  assert.throws(() => readAnswer(sdp, LINES), SdpError, "none were asked for");
  assert.equal(layered(sdp, LAYERED, drawing(3001)), sdp, "they stay as they are");
  const plain = whole().join("\r\n");
  assert.equal(layered(plain, LINES, drawing(3001)), plain);
  const without = layered(ANSWER.join("\r\n"), LAYERED, drawing(2001));
  assert.deepEqual(readAnswer(without, LAYERED).sources.get("1"), { layers: [1002, 2001, 2002], rtx: [] });
});

test("SSRCs that don't go together are refused", () => {
  for (const groups of [
    ["a=ssrc-group:FID 1002 1003"], // which isn't named
    ["a=ssrc:1003 cname:x", "a=ssrc-group:FID 1003 1002", "a=ssrc-group:FID 1002 1003"],
    ["a=ssrc:1003 cname:x", "a=ssrc-group:SIM 1002 1003", "a=ssrc-group:SIM 1003 1002"],
    ["a=ssrc:1003 cname:x", "a=ssrc:1004 cname:x", "a=ssrc-group:SIM 1002 1003", "a=ssrc-group:FID 1003 1004"],
    ["a=ssrc:1003 cname:x", "a=ssrc-group:SIM 1002 1002"],
    ["a=ssrc:1001 cname:x", "a=ssrc-group:SIM 1002 1001"], // the sound's
    ["a=ssrc:1003 cname:x", "a=ssrc-group:FID 1002 1003 1003"],
  ])
    assert.throws(() => readAnswer(whole(...groups).join("\r\n"), LAYERED), SdpError, groups.join());
});

test("any other answer is refused", () => {
  const change = (from: string | RegExp, to: string, nth = 0): string[] => {
    let seen = 0;
    return ANSWER.map((line) => (line.match(from) && seen++ === nth ? line.replace(from, to) : line));
  };
  const wrong: readonly (readonly [string, readonly string[]])[] = [
    ["another payload type", change("SAVPF 96", "SAVPF 97")],
    ["a third payload type", change("SAVPF 96", "SAVPF 96 97 98")],
    ["a second payload type", change("SAVPF 111", "SAVPF 111 0")],
    ["another codec", change("VP8/90000", "VP9/90000")],
    ["a refused stream", change("m=audio 9", "m=audio 0")],
    ["the DTLS server", change("setup:active", "setup:passive")],
    ["another direction of ours", change("a=sendonly", "a=sendrecv")],
    ["another direction of theirs", change("a=recvonly", "a=sendrecv")],
    ["an audio level", [...ANSWER.slice(0, 16), "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level", ...ANSWER.slice(16)]],
    ["another extension", change("abs-send-time", "toffset")],
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
