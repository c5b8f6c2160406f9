/** Short, quiet sounds for what happens in the room. They are made here: nothing is loaded. */

export type Chime = "knock" | "came" | "left";

/** Seconds that a tone takes to fade. */
const FADE = 0.35;
/** Loudness (1 is the loudest that there is), and tones: hertz, and seconds after the beginning. */
const CHIMES: Readonly<Record<Chime, readonly [peak: number, ...tones: readonly (readonly [hertz: number, after: number])[]]>> = {
  knock: [0.15, [659, 0], [523, 0.17]],
  came: [0.05, [440, 0], [587, 0.11]],
  left: [0.05, [587, 0], [440, 0.11]],
};

/** Schedule a chime at `at`, in the context's time; return when it is over. */
function schedule(context: BaseAudioContext, chime: Chime, at: number): number {
  const [peak, ...tones] = CHIMES[chime];
  let end = at;
  for (const [hertz, after] of tones) {
    const start = at + after;
    end = start + FADE;
    const tone = context.createOscillator();
    const volume = context.createGain();
    tone.frequency.value = hertz;
    volume.gain.setValueAtTime(0, start);
    volume.gain.linearRampToValueAtTime(peak, start + 0.01);
    volume.gain.exponentialRampToValueAtTime(0.0001, end);
    tone.connect(volume).connect(context.destination);
    tone.start(start);
    tone.stop(end);
  }
  return end;
}

/** Plays chimes one at a time: what happens during one has no other. */
export class Chimes {
  #context: AudioContext | null = null;
  #end = 0;

  /** Play a chime, if the person has used the page: before that, it is silent. */
  play(chime: Chime): void {
    if (!navigator.userActivation.hasBeenActive) return;
    this.#context ??= new AudioContext();
    const { currentTime } = this.#context;
    if (currentTime < this.#end) return;
    void this.#context.resume();
    this.#end = schedule(this.#context, chime, currentTime);
  }
}
