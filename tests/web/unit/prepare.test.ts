/** Later files are loaded in order, each until it is there, and never all at once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AGAIN_AFTER, AGAIN_MAX, prepare, type Step } from "../../../client/web/src/prepare";

/** Steps that fail so often, and what happened: waits in milliseconds, and the steps that were taken. */
function scene(failures: readonly number[]) {
  const done: (number | string)[] = [];
  const steps = failures.map((count, at): Step => {
    let left = count;
    const take = async (): Promise<void> => {
      done.push(`step ${at}`);
      if (left-- > 0) throw new TypeError("no answer");
    };
    return [at + 1, take];
  });
  return { done, run: () => prepare(steps, async (milliseconds) => void done.push(milliseconds)) };
}

test("steps are taken in order, with a pause before each", async () => {
  const { done, run } = scene([0, 0]);
  await run();
  assert.deepEqual(done, [1, "step 0", 2, "step 1"]);
});

test("a step that fails is taken again, ever later, and the next one waits for it", async () => {
  const { done, run } = scene([2, 0]);
  await run();
  assert.deepEqual(done, [
    1, "step 0", AGAIN_AFTER, "step 0", 2 * AGAIN_AFTER, "step 0",
    2, "step 1",
  ]);
  const patient = scene([12]);
  await patient.run();
  const waits = patient.done.filter((each): each is number => typeof each === "number");
  assert.equal(waits.length, 13);
  assert.equal(Math.max(...waits), AGAIN_MAX);
});
