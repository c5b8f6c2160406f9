import assert from "node:assert/strict";
import { test } from "node:test";
import * as sentences from "../../../../client/web/src/session/catalogue/sentences";
import type { Effect } from "../../../../client/web/src/session/events";
import { CAUSES_MAX, QUIET_AFTER, RepeatedAlarms, UPDATE_EVERY } from "../../../../client/web/src/session/kernel/alarms";
import { worded } from "./rooms";

const voided = (who: string, slot: number): Effect => ({
  type: "Tell",
  event: sentences.alarm("void_commit", { why: "noise", who, slot }),
});

test("the first is told at once, and the others become one alarm that is updated", () => {
  const alarms = new RepeatedAlarms();
  const told = Array.from({ length: 976 }, (_, slot) => alarms.isNew(voided("Mallory", slot), slot / 100));
  assert.deepEqual([told[0], told.filter((each) => each).length], [true, 1]);
  assert.deepEqual(alarms.due(UPDATE_EVERY - 0.1), []);
  const [update, ...more] = alarms.due(UPDATE_EVERY);
  assert.ok(update !== undefined && more.length === 0);
  assert.deepEqual([update.kind, update.count], ["void_commit", 976]);
  assert.match(worded(update.text), /\(slot 0\)\. This has happened 976 times\.$/);
  assert.deepEqual(alarms.due(2 * UPDATE_EVERY), [], "nothing new");
});

test("another author and another kind are other causes", () => {
  const alarms = new RepeatedAlarms();
  assert.ok(alarms.isNew(voided("Mallory", 1), 0));
  assert.ok(alarms.isNew(voided("Oscar", 2), 0));
  assert.ok(alarms.isNew({ type: "Tell", event: sentences.alarm("wrong_gate", { who: "Mallory", leaf: 2 }) }, 0));
  assert.ok(alarms.isNew({ type: "Tell", event: sentences.twoStories(3) }, 0));
  assert.equal(alarms.isNew({ type: "Tell", event: sentences.twoStories(4) }, 0), false);
});

test("after a quiet minute it is a new cause", () => {
  const alarms = new RepeatedAlarms();
  assert.ok(alarms.isNew(voided("Mallory", 1), 0));
  alarms.due(QUIET_AFTER);
  assert.equal(alarms.isNew(voided("Mallory", 2), QUIET_AFTER), false);
  alarms.due(QUIET_AFTER + 1);
  alarms.due(2 * QUIET_AFTER + 1);
  assert.ok(alarms.isNew(voided("Mallory", 3), 2 * QUIET_AFTER + 1));
});

test("alarms with an end are always told, and not all names are remembered", () => {
  const alarms = new RepeatedAlarms();
  const silent: Effect = { type: "Tell", event: sentences.alarm("silent", { who: "Bo", seconds: 15 }) };
  assert.deepEqual([alarms.isNew(silent, 0), alarms.isNew(silent, 0)], [true, true]);
  for (let n = 0; n < 2 * CAUSES_MAX; n++) assert.ok(alarms.isNew(voided(`Mallory ${n}`, 1), 0));
  assert.equal(alarms.isNew(voided("Mallory 0", 1), 0), false);
  assert.ok(alarms.isNew(voided(`Mallory ${2 * CAUSES_MAX - 1}`, 1), 0), "it was not remembered");
});
