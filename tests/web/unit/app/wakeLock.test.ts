/** The screen stays on while one is in the room and looks at it, and not longer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { signal } from "@preact/signals";
import type { Place } from "../../../../client/web/src/app/model";
import { type Browser, keepAwake } from "../../../../client/web/src/app/wakeLock";

const settled = (): Promise<void> => new Promise((done) => setImmediate(done));

/** A page that can be hidden, and how many locks are held. */
function page(refuses = false) {
  const document = Object.assign(new EventTarget(), { visibilityState: "visible" as DocumentVisibilityState });
  let held = 0;
  const wakeLock = {
    request: async () => {
      if (refuses) throw new DOMException("battery", "NotAllowedError");
      held += 1;
      return { release: async () => void (held -= 1) };
    },
  };
  const turn = async (to: DocumentVisibilityState): Promise<void> => {
    document.visibilityState = to;
    document.dispatchEvent(new Event("visibilitychange"));
    await settled();
  };
  const screen = { navigator: { wakeLock }, document } as unknown as Browser;
  return { screen, turn, held: () => held };
}

test("the lock is held in the room alone, and not while the page is hidden", async () => {
  const { screen, turn, held } = page();
  const place = signal<Place>("prejoin");
  const go = async (to: Place): Promise<number> => {
    place.value = to;
    await settled();
    return held();
  };
  keepAwake(place, screen);
  await settled();
  assert.equal(held(), 0);
  assert.equal(await go("room"), 1);
  await turn("hidden");
  assert.equal(held(), 0);
  await turn("visible");
  await turn("visible");
  assert.equal(held(), 1, "once, and again");
  assert.equal(await go("ended"), 0);
  await turn("visible");
  assert.equal(held(), 0);
});

test("who leaves before the lock is there holds none afterwards", async () => {
  const { screen, held } = page();
  const place = signal<Place>("room");
  keepAwake(place, screen);
  place.value = "ended";
  await settled();
  assert.equal(held(), 0);
});

test("a browser that refuses, or knows none, is asked for nothing more", async () => {
  const { screen, held } = page(true);
  keepAwake(signal<Place>("room"), screen);
  await settled();
  assert.equal(held(), 0);
  keepAwake(signal<Place>("room"), { ...screen, navigator: {} });
});
