import assert from "node:assert/strict";
import { test } from "node:test";
import { KEPT_BYTES, KEPT_MAX, KEPT_TIME, Relays } from "../../../../client/web/src/session/kernel/relays";
import type { Relayed } from "../../../../client/web/src/wire/messages";

const relay = (number: number): Relayed => ({ type: "relayed", relay: number, blob: new Uint8Array([number % 256]) });
const numbers = (relays: readonly Relayed[]): number[] => relays.map(({ relay: number }) => number);

/** It has 1 to 3; 7 and 8 have come, while a catch-up is under way. */
function behind(): Relays {
  const relays = new Relays();
  for (const number of [1, 2, 3]) assert.deepEqual(numbers(relays.arrived(relay(number), 0, false)), [number]);
  for (const number of [7, 8]) assert.deepEqual(relays.arrived(relay(number), 0, true), []);
  return relays;
}

test("relays that a catch-up brings are read first, and none is read twice", () => {
  const relays = behind();
  for (const number of [4, 5, 6, 7]) assert.deepEqual(numbers(relays.arrived(relay(number), 1, true)), [number]);
  assert.deepEqual(numbers(relays.caughtUp(7)), [8]);
  assert.deepEqual(relays.due(9, false), []);
});

test("what the server no longer has is not waited for", () => {
  const relays = behind();
  assert.deepEqual(relays.arrived(relay(6), 1, true), []);
  assert.deepEqual(numbers(relays.caughtUp(8)), [6, 7, 8]);
  assert.equal(relays.number, 8);
});

test("a catch-up that is refused or unanswered keeps no relay back", () => {
  assert.deepEqual(numbers(behind().due(1, false)), [7, 8]);
  assert.deepEqual(behind().due(KEPT_TIME - 0.1, true), []);
  assert.deepEqual(numbers(behind().due(KEPT_TIME, true)), [7, 8]);
  const relays = behind();
  for (let number = 9; number < KEPT_MAX + 6; number++) assert.deepEqual(relays.arrived(relay(number), 1, true), []);
  assert.equal(relays.arrived(relay(KEPT_MAX + 6), 1, true).length, KEPT_MAX);
});

test("few bytes of relays are kept too", () => {
  const relays = new Relays();
  const half = new Uint8Array(KEPT_BYTES / 2);
  assert.deepEqual(relays.arrived({ type: "relayed", relay: 5, blob: half }, 0, true), []);
  assert.deepEqual(numbers(relays.arrived({ type: "relayed", relay: 6, blob: half }, 0, true)), [5, 6]);
});

test("a lost connection takes kept relays along, and they are asked for again", () => {
  const relays = behind();
  relays.lost();
  assert.deepEqual(relays.due(9, false), []);
  assert.equal(relays.number, 3);
  relays.restarted();
  assert.equal(relays.number, 0);
});
