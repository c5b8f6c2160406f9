import assert from "node:assert/strict";
import { test } from "node:test";
import { Clock } from "../../../../client/web/src/clock";

test("the clock follows the wall clock forward, and never goes back", () => {
  let [wall, monotonic] = [1000, 50];
  const clock = new Clock(
    () => wall,
    () => monotonic,
  );
  monotonic += 5;
  assert.equal(clock.now(), 1005, "a wall clock that is set back, or stands, changes nothing");
  [wall, monotonic] = [1010.5, 60];
  assert.equal(clock.now(), 1010, "nor does a small difference");
  wall += 3600;
  assert.equal(clock.now(), 4610.5, "the machine was suspended");
  wall -= 7200;
  monotonic += 1;
  assert.equal(clock.now(), 4611.5);
});
