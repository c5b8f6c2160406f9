import assert from "node:assert/strict";
import { test } from "node:test";
import type { Card } from "../../../../client/web/src/crypto/entry/lobby";
import { noCard, refusedCard, report } from "../../../../client/web/src/session/entry/clocks";
import { START, worded } from "./rooms";

const card: Card = {
  type: "Card",
  ephPublic: new Uint8Array(32),
  nonce: new Uint8Array(16),
  expiry: START + 600,
  day: 1,
  signatures: [new Uint8Array(64)],
};
const told = (apart: number, others: readonly number[]): string => worded(report(apart, others).text);

test("a newcomer is told by how much the clocks differ at least", () => {
  assert.match(worded(refusedCard(card, START + 4200).text), /the host's card was over 60 min ago\. This clock is fast/);
  assert.match(worded(refusedCard(card, START - 3600).text), /will be made in 60 min\. This clock is slow/);
  assert.match(worded(noCard(START).text), /by this computer's clock it is 2026-09-21 \(UTC\)/);
});

test("a host is told whose clock looks wrong, by the other members' clocks", () => {
  assert.match(told(3600, []), /their clock is 60 min fast by yours\. One of the two is wrong/);
  assert.match(told(-3600, [1, -2, 3600]), /their clock is 60 min slow by yours\..* theirs looks wrong/);
  assert.match(told(3600, [120, 120]), /theirs looks wrong/);
  assert.match(told(3600, [3590, 3600]), /this computer's clock looks wrong: it is 60 min slow by the other/);
  assert.match(told(-3600, [-3600, -3600, 0]), /this computer's clock looks wrong: it is 60 min fast by the other/);
});
