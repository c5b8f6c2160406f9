/** A person who speaks while muted is told so: not for a cough, and not all the time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LEVEL_TIME } from "../../../../client/web/src/media/levels";
import { Listener, MutedVoice, PAUSE, SHOWN, SPEECH } from "../../../../client/web/src/media/mutedVoice";

/** Seconds, of `seconds` at that level, in which the notice is shown. */
class Ear {
  readonly voice = new MutedVoice();
  now = 100;

  hear(seconds: number, level: number): number {
    let shown = 0;
    for (let i = 0; i < Math.round(seconds / LEVEL_TIME); i++) {
      this.now += LEVEL_TIME;
      if (this.voice.hear(level, this.now)) shown += LEVEL_TIME;
    }
    return shown;
  }
}

test("speech is noticed, and neither a cough nor noise", () => {
  const ear = new Ear();
  assert.equal(ear.hear(20, 0.3), 0, "a fan");
  assert.equal(ear.hear(SPEECH / 2, 0.9), 0, "a cough");
  assert.equal(ear.hear(2, 0.1), 0);
  assert.ok(ear.hear(2 * SPEECH, 0.7) > 0);
});

test("the notice goes by itself, and comes again only after a pause", () => {
  const ear = new Ear();
  const shown = ear.hear(SHOWN + PAUSE - 1, 0.7);
  assert.ok(Math.abs(shown - SHOWN) < 2 * LEVEL_TIME, `${shown} seconds`);
  assert.ok(ear.hear(3, 0.7) > 0);
});

test("who was muted again is told again", () => {
  const ear = new Ear();
  ear.hear(SHOWN + 1, 0.7);
  ear.voice.reset();
  assert.equal(ear.hear(SPEECH / 2, 0.1), 0);
  assert.ok(ear.hear(2 * SPEECH, 0.7) > 0);
});

/** Stands in for a microphone's track. */
class Track {
  readonly clones: Track[] = [];
  enabled = false;
  stopped = false;

  clone(): Track {
    const copy = new Track();
    this.clones.push(copy);
    return copy;
  }

  stop(): void {
    this.stopped = true;
  }
}

test("a clone of the track is listened to, and stopped; the track itself stays silent and open", (test) => {
  const real = globalThis.MediaStream;
  Object.assign(globalThis, { MediaStream: class { constructor(readonly tracks: readonly Track[]) {} } });
  test.after(() => void Object.assign(globalThis, { MediaStream: real }));
  const listener = new Listener();
  const listen = (track: Track | null): { tracks: Track[] } | null | undefined =>
    listener.listen(track as unknown as MediaStreamTrack | null) as unknown as { tracks: Track[] } | null | undefined;
  assert.equal(listen(null), undefined, "nothing was listened to before");
  const [one, other] = [new Track(), new Track()];
  assert.deepEqual(listen(one)?.tracks, one.clones);
  assert.deepEqual([one.clones[0]?.enabled, one.enabled], [true, false]);
  assert.equal(listen(one), undefined, "one clone is enough");
  assert.deepEqual(listen(other)?.tracks, other.clones, "another microphone");
  assert.equal(one.clones[0]?.stopped, true);
  assert.equal(listen(null), null);
  assert.deepEqual([other.clones[0]?.stopped, other.stopped, one.stopped], [true, false, false]);
});
