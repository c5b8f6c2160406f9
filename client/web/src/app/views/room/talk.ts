/** Push-to-talk: the microphone is on while the space bar is held. */
import { untracked, useSignalEffect } from "@preact/signals";
import type { Model } from "../../model";
import { isTaken } from "./keys";

/** Elements that use the space bar themselves. */
const PRESSED = "button, a, summary, label, [tabindex]:not([tabindex='-1'])";

const isSpace = ({ code, key }: KeyboardEvent): boolean => code === "Space" || key === " ";

/** Return whether the space bar does nothing else at this place: no field and no button has the focus. */
function isFree(target: EventTarget | null): boolean {
  if (isTaken(target) || document.querySelector(":popover-open") !== null) return false;
  return !(target instanceof Element) || target.closest(PRESSED) === null;
}

/** Turns the microphone on and off. It was off before, and is off afterwards, whatever happens to the key. */
export class PushToTalk {
  readonly #model: Model;
  #held = false;

  constructor(model: Model) {
    this.#model = model;
  }

  /** Handle a pressed key. */
  readonly down = (event: KeyboardEvent): void => {
    const { mic, devices, do: commands } = this.#model;
    if (!isSpace(event) || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (this.#held) return event.preventDefault(); // it repeats, and must not scroll
    if (event.repeat || event.defaultPrevented || !isFree(event.target)) return;
    event.preventDefault();
    // without a device, each press would ask for one
    if (mic.peek() || devices.peek().microphoneTrouble !== null) return;
    this.#held = true;
    commands.toggleMic();
  };

  /** Handle a key that is let go. */
  readonly up = (event: KeyboardEvent): void => {
    if (isSpace(event)) this.release();
  };

  /** End a turn: also where the window loses the focus, and nobody hears of the key any more. */
  readonly release = (): void => {
    if (!this.#held) return;
    this.#held = false;
    this.mute();
  };

  readonly mute = (): void => {
    if (this.#model.mic.peek()) this.#model.do.toggleMic();
  };
}

/** Let the space bar be held while this view is shown. The choice turns the microphone off, at once or on entering. */
export function usePushToTalk(model: Model): void {
  useSignalEffect(() => {
    if (!model.call.pushToTalk.value) return undefined;
    const talk = new PushToTalk(model);
    // what it reads of the microphone must not end the turn that changes it
    untracked(() => talk.mute());
    document.addEventListener("keydown", talk.down);
    document.addEventListener("keyup", talk.up);
    window.addEventListener("blur", talk.release);
    return () => {
      talk.release();
      document.removeEventListener("keydown", talk.down);
      document.removeEventListener("keyup", talk.up);
      window.removeEventListener("blur", talk.release);
    };
  });
}
