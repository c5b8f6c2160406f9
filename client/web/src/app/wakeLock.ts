/** Keeps the screen on during a meeting: a phone that sleeps would freeze it. */
import { effect, type ReadonlySignal } from "@preact/signals";
import type { Place } from "./model";

/** The parts of the browser used here. */
export interface Browser {
  readonly navigator: { readonly wakeLock?: { request(): Promise<{ release(): Promise<void> }> } };
  readonly document: Pick<Document, "visibilityState" | "addEventListener">;
}

/**
 * Hold a wake lock while the participant is in the room and the page is visible. The browser releases it when the page
 * is hidden, so it is taken again when the page is seen.
 */
export function keepAwake(place: ReadonlySignal<Place>, { navigator: { wakeLock }, document }: Browser): void {
  if (wakeLock === undefined) return;
  let held: Promise<{ release(): Promise<void> } | null> | null = null;
  const update = (): void => {
    const wanted = place.peek() === "room" && document.visibilityState === "visible";
    if (wanted === (held !== null)) return;
    // refused, as with an empty battery: the next view of the page asks again
    if (wanted) held = wakeLock.request().catch(() => null);
    else {
      void held?.then((lock) => lock?.release()).catch(() => undefined);
      held = null;
    }
  };
  document.addEventListener("visibilitychange", update);
  effect(() => {
    void place.value;
    update();
  });
}
