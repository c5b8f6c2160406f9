/** How loud streams are, and who speaks: reckoned here from what is heard, and told to nobody. */

/** Seconds between two looks at the levels. */
export const LEVEL_TIME = 0.1;
/** Decibels below full scale that count as silence, and as full. */
const SILENCE = -60;
const FULL = -10;

/** 0 to 1, from samples of -1 to 1. */
export function levelOf(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const decibels = 10 * Math.log10(sum / Math.max(1, samples.length) + 1e-12);
  return Math.min(1, Math.max(0, (decibels - SILENCE) / (FULL - SILENCE)));
}

/** Below this nobody speaks. */
export const SPEAKING = 0.25;
/** Who begins has to be louder by this factor, for so long (seconds), and nobody gives way sooner than that. */
export const LOUDER = 1.25;
export const PATIENCE = 0.6;
export const HOLD = 1.5;
/** How fast a level follows what is heard, a second: up, and down. */
const RISE = 6;
const FALL = 1.2;

/** Who speaks, of those who are heard: with some hold, so that a cough moves nobody's picture. */
export class SpeakerChooser {
  #speaker: number | null = null;
  #since = Number.NEGATIVE_INFINITY;
  #rival: number | null = null;
  #rivalSince = 0;
  #before: number | null = null;
  readonly #smooth = new Map<number, number>();

  /** `levels` by leaf, of all who are there; `now` in seconds. The one who spoke last goes on being it in silence. */
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

/** Analysers of streams, by whatever key. One AudioContext for all of them; it waits for a gesture if it must. */
export class Meters<K> {
  #context: AudioContext | null = null;
  readonly #meters = new Map<K, { readonly source: MediaStreamAudioSourceNode; readonly analyser: AnalyserNode }>();
  readonly #samples = new Float32Array(1024);

  /** The context that they are in: made when it is first needed. */
  get context(): AudioContext {
    this.#context ??= new AudioContext();
    return this.#context;
  }

  /** Measure this stream under that key; null: nothing any more. */
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

  /** 0 to 1. */
  levels(): Map<K, number> {
    const levels = new Map<K, number>();
    for (const [key, { analyser }] of this.#meters) {
      analyser.getFloatTimeDomainData(this.#samples);
      levels.set(key, levelOf(this.#samples));
    }
    return levels;
  }

  /** After a gesture: browsers let no context run before. */
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
