/** The test sound of a speaker: two notes, generated here. */
import { CommandError, sentence } from "../words/sentence";

/** The notes in Hz, the seconds of each, and the loudness of both, 0 to 1. */
const NOTES = [523.25, 783.99];
const LENGTH = 0.5;
const LOUD = 0.2;

/** Draw the notes on a context's clock, each with a soft beginning and end; returns when the last one ends. */
function play(context: AudioContext, out: AudioNode): Promise<void> {
  const gain = context.createGain();
  gain.connect(out);
  const begin = context.currentTime + 0.1;
  const notes = NOTES.map((pitch, place) => {
    const note = context.createOscillator();
    const [from, to] = [begin + place * LENGTH, begin + (place + 1) * LENGTH];
    note.frequency.value = pitch;
    gain.gain.setValueAtTime(0, from);
    gain.gain.linearRampToValueAtTime(LOUD, from + 0.05);
    gain.gain.linearRampToValueAtTime(0, to);
    note.connect(gain);
    note.start(from);
    note.stop(to);
    return note;
  });
  return new Promise((done) => notes.at(-1)?.addEventListener("ended", () => done()));
}

/** Play the test sound on a speaker; null: the default one. A CommandError says that this speaker plays nothing. */
export async function testSpeaker(speaker: string | null): Promise<void> {
  const context = new AudioContext();
  try {
    const out = context.createMediaStreamDestination();
    const audio = new Audio();
    audio.srcObject = out.stream;
    // not the default speaker in its place: that one is not tested
    if (speaker !== null && typeof audio.setSinkId === "function") await audio.setSinkId(speaker);
    await Promise.all([context.resume(), audio.play()]);
    await play(context, out);
    audio.srcObject = null;
  } catch {
    throw new CommandError(sentence("media.no_speaker"));
  } finally {
    void context.close();
  }
}
