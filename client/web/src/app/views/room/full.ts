/** Full screen: the room without the browser around it. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

export const canFull = (): boolean => document.fullscreenEnabled;

/** Fill the screen, or leave it again. A browser that refuses leaves all as it is. */
export function toggleFull(): void {
  const { documentElement, fullscreenElement } = document;
  void (fullscreenElement === null ? documentElement.requestFullscreen() : document.exitFullscreen()).catch(() => undefined);
}

/** Return whether the room fills the screen. Full screen ends with the view, as the way out of it does. */
export function useFull(): boolean {
  const full = useSignal(document.fullscreenElement !== null);
  useEffect(() => {
    const changed = () => {
      full.value = document.fullscreenElement !== null;
    };
    document.addEventListener("fullscreenchange", changed);
    return () => {
      document.removeEventListener("fullscreenchange", changed);
      if (document.fullscreenElement !== null) toggleFull();
    };
  }, [full]);
  return full.value;
}
