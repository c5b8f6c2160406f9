import assert from "node:assert/strict";
import { test } from "node:test";
import { addresses, candidates, heard, isInside, isReachable, QUIET, relays, Silence } from "../../../../client/web/src/media/reach";

const SERVER = { address: "192.0.2.7", port: 3478, others: ["2001:db8::7", "198.51.100.7"], tcp: true };

test("every address is a candidate of UDP and of TCP, UDP before TCP", () => {
  const lines = candidates(SERVER);
  assert.deepEqual(
    lines.map((line) => line.replace(/ (udp|tcp) \d+ /, " $1 ")),
    [
      "candidate:1 1 udp 192.0.2.7 3478 typ host",
      "candidate:2 1 udp 2001:db8::7 3478 typ host",
      "candidate:3 1 udp 198.51.100.7 3478 typ host",
      "candidate:4 1 tcp 192.0.2.7 3478 typ host tcptype passive",
      "candidate:5 1 tcp 2001:db8::7 3478 typ host tcptype passive",
      "candidate:6 1 tcp 198.51.100.7 3478 typ host tcptype passive",
    ],
  );
  const priorities = lines.map((line) => Number(line.split(" ")[3]));
  assert.deepEqual(priorities, [...priorities].sort((a, b) => b - a));
  assert.equal(new Set(priorities).size, 6);
  assert.equal(priorities[0], 2130706431);
});

test("without TCP there is no TCP candidate, and without an address no candidate", () => {
  assert.deepEqual(candidates({ address: "192.0.2.7", port: 1 }), ["candidate:1 1 udp 2130706431 192.0.2.7 1 typ host"]);
  assert.deepEqual(candidates({ ...SERVER, tcp: false }).length, 3);
  assert.deepEqual(candidates({ ...SERVER, address: null }), []);
  assert.deepEqual(addresses(SERVER), ["192.0.2.7", "2001:db8::7", "198.51.100.7"]);
});

test("only addresses and ports are reachable", () => {
  assert.ok(isReachable(SERVER));
  assert.ok(isReachable({ address: null, port: 9 }));
  assert.ok(!isReachable({ ...SERVER, port: 1.5 }));
  assert.ok(!isReachable({ ...SERVER, address: "meet.example" }));
  assert.ok(!isReachable({ ...SERVER, others: [...SERVER.others, "x y"] }));
});

test("a server is inside this machine if none of its addresses is outside", () => {
  assert.ok(isInside({ address: "127.0.0.1", port: 1 }));
  assert.ok(isInside({ address: "::1", port: 1, others: ["127.0.0.1"] }));
  assert.ok(!isInside({ address: "127.0.0.1", port: 1, others: ["192.168.1.5"] }));
  assert.ok(!isInside({ address: "::1f", port: 1 }));
  assert.ok(!isInside({ address: null, port: 1 }));
});

test("a relay is told as the browser wants it", () => {
  const turn = { urls: ["turn:relay.example:443?transport=tcp"], username: "1764090000", credential: "c2VjcmV0" };
  assert.deepEqual(relays([turn]), [turn]);
  assert.deepEqual(relays([]), []);
  assert.deepEqual(relays(undefined), []);
});

/** Judges each 0.4 s from `from` up to `to`; the times at which to begin anew. */
function listen(silence: Silence, from: number, to: number, speaks: (now: number) => boolean): number[] {
  const due: number[] = [];
  let bytes = 1000 * from;
  for (let now = from; now < to; now += 0.4) {
    if (speaks(now)) bytes += 50;
    if (silence.judge(bytes, now)) due.push(now);
  }
  return due;
}

test("packets now and then prove a connection", () => {
  assert.deepEqual(listen(new Silence(), 0, 60, () => true), []);
  assert.deepEqual(listen(new Silence(), 0, 60, (now) => now % 1 < 0.4), []);
});

test("silence begins it anew, at once and then less and less often", () => {
  const due = listen(new Silence(), 0, 60, (now) => now < 10);
  assert.ok(due[0]! > 10 && due[0]! < 10 + QUIET + 0.8, String(due));
  const waits = due.slice(1).map((now, i) => now - due[i]!);
  [3, 6, 12, 12].forEach((least, i) => assert.ok(waits[i]! >= least && waits[i]! < least + 0.5, String(waits)));
});

test("once it is well again the next silence is a new one", () => {
  const due = listen(new Silence(), 0, 60, (now) => now < 10 || (now > 12 && now < 40));
  assert.equal(due.filter((now) => now < 40).length, 1);
  const later = due.filter((now) => now > 40);
  assert.ok(later[0]! < 40 + QUIET + 0.8, String(due));
  assert.ok(later[1]! - later[0]! < 4, String(due));
});

test("a changed network is not waited for, and is tried once", () => {
  const silence = new Silence();
  assert.deepEqual(listen(silence, 0, 10, () => true), []);
  silence.changed();
  assert.equal(listen(silence, 10, 30, () => true).length, 1);
});

test("all that comes is counted, and nothing else", () => {
  const report = new Map<string, object>([
    ["a", { type: "candidate-pair", bytesReceived: 10, responsesReceived: 2, bytesSent: 99 }],
    ["b", { type: "candidate-pair", bytesReceived: 5 }],
    ["c", { type: "transport", bytesReceived: 7, bytesSent: 99 }],
    ["d", { type: "outbound-rtp", bytesReceived: 1000 }],
  ]);
  assert.equal(heard(report as unknown as RTCStatsReport), 24);
});
