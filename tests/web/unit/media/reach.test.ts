import assert from "node:assert/strict";
import { test } from "node:test";
import { addresses, candidates, isReachable, relays } from "../../../../client/web/src/media/reach";

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

test("without TCP there is none, and without an address nothing", () => {
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

test("a relay is told as the browser wants it", () => {
  const turn = { urls: ["turn:relay.example:443?transport=tcp"], username: "1764090000", credential: "c2VjcmV0" };
  assert.deepEqual(relays([turn]), [turn]);
  assert.deepEqual(relays([]), []);
  assert.deepEqual(relays(undefined), []);
});
