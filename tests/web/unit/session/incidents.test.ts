import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Event } from "../../../../client/web/src/session/events";
import { type Incident, Incidents } from "../../../../client/web/src/session/incidents";

interface Step {
  readonly now: number;
  readonly dismiss?: number;
  readonly event?: Event;
  readonly changed?: number | null;
  readonly open: readonly number[];
  readonly lines: readonly unknown[];
  readonly over: number;
}

const steps = JSON.parse(readFileSync(join(import.meta.dirname, "../shared/incidents.json"), "utf8")) as readonly Step[];

const line = ({ number, cause, kind, severity, rule, count, text, about }: Incident): unknown[] => [
  ...[number, cause, kind, severity, rule.action ?? "", count],
  text,
  about,
];

test("a meeting of much trouble has the same lines as in Python", () => {
  const incidents = new Incidents();
  let before: readonly Incident[] = [];
  for (const [i, { now, dismiss, event, changed, open, lines, over }] of steps.entries()) {
    incidents.tick(now);
    if (dismiss !== undefined) incidents.dismiss(dismiss, now);
    else if (event !== undefined) assert.equal(incidents.told(event, now)?.number ?? null, changed, `step ${i}`);
    const now_ = incidents.shown;
    assert.deepEqual(now_.map(({ number }) => number), open, `step ${i}`);
    const isNew = (each: Incident): boolean => !before.some((known) => JSON.stringify(known) === JSON.stringify(each));
    assert.deepEqual(now_.filter(isNew).map(line), lines, `step ${i}`);
    assert.equal(incidents.history.length, over, `step ${i}`);
    before = now_;
  }
  assert.ok(steps.length > 200);
});

test("the next meeting begins without lines", () => {
  const incidents = new Incidents();
  incidents.told({ type: "Status", kind: "away", text: { key: "status.away", args: { why: "cut" } } }, 1);
  incidents.over("server", 2);
  incidents.told({ type: "Alarm", kind: "receipt", text: { key: "alarm.receipt" } }, 3);
  incidents.clear();
  assert.deepEqual([incidents.shown, incidents.history], [[], []]);
});
