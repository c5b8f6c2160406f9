/**
 * Notices that the person speaks while their microphone is off.
 *
 * The microphone's own track yields silence then. A clone of it is measured, on this device; nobody sends it. The clone
 * exists only while the notice is possible. It keeps no device open that was closed: there is none without the track.
 */
import { LEVEL_TIME } from "./levels";

/** Minimum level of a voice: well above a keyboard and a fan. */
export const VOICE = 0.4;
/** Seconds of voice, within twice that time, that are speech and no cough. */
export const SPEECH = 0.6;
/** Seconds for which the notice stays, and seconds after it until the next one. */
export const SHOWN = 6;
export const PAUSE = 30;

/** Decides when to show the notice. Time in seconds; levels come every `LEVEL_TIME` seconds. */
export class MutedVoice {
  #loud: number[] = [];
  #shown = Number.NEGATIVE_INFINITY;

  /** Return whether the notice is shown. */
  hear(level: number, now: number): boolean {
    if (level >= VOICE) this.#loud.push(now);
    this.#loud = this.#loud.filter((at) => now - at < 2 * SPEECH);
    const quiet = now - this.#shown >= SHOWN + PAUSE;
    if (quiet && this.#loud.length * LEVEL_TIME >= SPEECH) this.#shown = now;
    return now - this.#shown < SHOWN;
  }

  /** The microphone is on again: what was said before is over. */
  reset(): void {
    this.#loud = [];
    this.#shown = Number.NEGATIVE_INFINITY;
  }
}

/** The clone of the microphone's track. */
export class Listener {
  #track: MediaStreamTrack | null = null;
  #source: MediaStreamTrack | null = null;

  /** Listen to a muted microphone; null: to none. Return the stream to measure; undefined: the same as before. */
  listen(source: MediaStreamTrack | null): MediaStream | null | undefined {
    if (source === this.#source) return undefined;
    this.#track?.stop();
    this.#source = source;
    this.#track = source?.clone() ?? null;
    if (this.#track === null) return null;
    this.#track.enabled = true;
    return new MediaStream([this.#track]);
  }
}
