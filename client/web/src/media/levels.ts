/** Audio levels of streams, and the active speaker: computed in this page from received audio, and never sent. */

/** Seconds between two measurements of the levels. */
export const LEVEL_TIME = 0.1;
/** Decibels relative to full scale that map to level 0 and to level 1. */
const SILENCE = -60;
const FULL = -10;

/** Return the level, 0 to 1, of samples between -1 and 1. */
export function levelOf(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const decibels = 10 * Math.log10(sum / Math.max(1, samples.length) + 1e-12);
  return Math.min(1, Math.max(0, (decibels - SILENCE) / (FULL - SILENCE)));
}

/** Minimum level of a speaker. */
export const SPEAKING = 0.25;
/** A new speaker must be louder by this factor, for so many seconds; the current one stays at least HOLD seconds. */
export const LOUDER = 1.25;
export const PATIENCE = 0.6;
export const HOLD = 1.5;
/** Rates, per second, at which a smoothed level follows the measured one: rising, and falling. */
const RISE = 6;
const FALL = 1.2;

/** Selects the active speaker among the members, with some hysteresis, so that a cough does not move the layout. */
export class SpeakerChooser {
  #speaker: number | null = null;
  #since = Number.NEGATIVE_INFINITY;
  #rival: number | null = null;
  #rivalSince = 0;
  #before: number | null = null;
  readonly #smooth = new Map<number, number>();

  /** Return the active speaker's leaf, or null; silence does not change it. `levels`: by leaf; `now` in seconds. */
  hear(levels: ReadonlyMap<number, number>, now: number): number | null {
    const step = this.#before === null ? 0 : Math.max(0, now - this.#before);
    this.#before = now;
    for (const leaf of [...this.#smooth.keys()]) if (!levels.has(leaf)) this.#smooth.delete(leaf);
    for (const [leaf, level] of levels) {
      const smooth = this.#smooth.get(leaf) ?? 0;
      const share = 1 - Math.exp(-step * (level > smooth ? RISE : FALL));
      this.#smooth.set(leaf, smooth + (level - smooth) * share);
    }
    if (this.#speaker !== null && !levels.has(this.#speaker)) this.#speaker = null;
    const [loudest, level] = [...this.#smooth].reduce<readonly [number | null, number]>(
      (most, each) => (each[1] > most[1] ? each : most),
      [null, SPEAKING],
    );
    if (loudest === null || loudest === this.#speaker) {
      this.#rival = null;
      return this.#speaker;
    }
    if (this.#speaker === null) return this.#take(loudest, now);
    const current = this.#smooth.get(this.#speaker) ?? 0;
    if (level < current * LOUDER) this.#rival = null;
    else if (this.#rival !== loudest) [this.#rival, this.#rivalSince] = [loudest, now];
    else if (now - this.#rivalSince >= PATIENCE && now - this.#since >= HOLD) return this.#take(loudest, now);
    return this.#speaker;
  }

  #take(leaf: number, now: number): number {
    this.#rival = null;
    this.#since = now;
    return (this.#speaker = leaf);
  }
}

/** Measures streams, each under a key. They share one AudioContext, which waits for a user gesture if it must. */
export class Meters<K> {
  #context: AudioContext | null = null;
  readonly #meters = new Map<K, { readonly source: MediaStreamAudioSourceNode; readonly analyser: AnalyserNode }>();
  readonly #samples = new Float32Array(1024);

  /** The shared context, created on first use. */
  get context(): AudioContext {
    this.#context ??= new AudioContext();
    return this.#context;
  }

  /** Measure this stream under `key`; null ends the measurement. */
  set(key: K, stream: MediaStream | null): void {
    this.#meters.get(key)?.source.disconnect();
    this.#meters.delete(key);
    if (stream === null || stream.getAudioTracks().length === 0) return;
    const source = this.context.createMediaStreamSource(stream);
    const analyser = this.context.createAnalyser();
    analyser.fftSize = this.#samples.length;
    source.connect(analyser);
    this.#meters.set(key, { source, analyser });
  }

  /** Return the current level of each stream, 0 to 1. */
  levels(): Map<K, number> {
    const levels = new Map<K, number>();
    for (const [key, { analyser }] of this.#meters) {
      analyser.getFloatTimeDomainData(this.#samples);
      levels.set(key, levelOf(this.#samples));
    }
    return levels;
  }

  /** Start the context after a user gesture: browsers do not run it before one. */
  resume(): void {
    void this.#context?.resume().catch(() => undefined);
  }

  close(): void {
    for (const { source } of this.#meters.values()) source.disconnect();
    this.#meters.clear();
    void this.#context?.close().catch(() => undefined);
    this.#context = null;
  }
}
