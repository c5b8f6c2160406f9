/** Loads `later.ts`: soon after the room is shown, or when one of its views is wanted before that. It stays in memory. */
import { type ReadonlySignal, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";

/** With the code that records: both are there when they are wanted, even if the server is not. */
const request = async () => (await Promise.all([import("./later"), styled(), import("../../../media/recorder")]))[0];

type Later = Awaited<ReturnType<typeof request>>;

/** Load the style of the views; rejects if it can't be had. */
function styled(): Promise<void> {
  return new Promise((resolve, reject) => {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = "later.css";
    link.onload = () => resolve();
    link.onerror = () => {
      link.remove();
      reject(new Error(link.href));
    };
    document.head.append(link);
  });
}

const loaded = signal<Later | null>(null);
const failed = signal(false);

/** Its views; null until it is there. */
export const later: ReadonlySignal<Later | null> = loaded;

/** Whether it could not be loaded when it was last wanted: the server does not answer. */
export const laterFailed: ReadonlySignal<boolean> = failed;

/** Load it; rejects if it can't be had now, and then another call tries again. */
export async function loadLater(): Promise<void> {
  try {
    loaded.value ??= await request();
    failed.value = false;
  } catch (error) {
    failed.value = true;
    throw error;
  }
}

/** Return it; null while it is loaded for the view that asks. */
export function useLater(): Later | null {
  const views = loaded.value;
  useEffect(() => {
    if (views === null) void loadLater().catch(() => undefined);
  }, [views]);
  return views;
}
