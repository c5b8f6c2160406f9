/** A member's media frames: seal and open them under the epoch's keys, with all checks. */
import type { Bytes } from "../../crypto/bytes";
import { baseStream, FutureEpochError, type OpenedFrame, openFrame, sealFrame } from "../../crypto/media/keys";
import { snug20 } from "../../crypto/agreed/policy";
import { type Kind, split } from "../../crypto/media/clearHeader";
import { nameOf } from "../../crypto/media/signatures";
import { type Sentence, sentence } from "../../words/sentence";
import { type Feature, featuresWith } from "./feature";
import type { Room } from "./ports";

/** The frames of one membership: features receive our sealed ones in the order of their counters. */
export class Frames {
  readonly #room: Room;
  readonly #features: readonly Feature[];
  #last: Promise<unknown> = Promise.resolve();

  constructor(room: Room, features: readonly Feature[]) {
    this.#room = room;
    this.#features = features;
  }

  /** Return the reason that our media may not be sent now, as a sentence for a person; null: it may. */
  pauseReason(now: number): Sentence | null {
    const room = this.#room;
    if (room.ended !== null) return room.ended.text;
    if (room.stuckAt !== null || room.seeksReadmission) return sentence("room.out_of_step");
    for (const feature of featuresWith(this.#features, "pauseReason")) {
      const reason = feature.pauseReason(now);
      if (reason !== null) return reason;
    }
    return null;
  }

  /**
   * Seal a frame by SFrame and put the clear header in front; null while no media may be sent.
   *
   * The counter is assigned before this method returns its promise.
   */
  seal(kind: Kind, stream: number, frame: Bytes, now: number): Promise<Bytes | null> {
    if (this.pauseReason(now) !== null) return Promise.resolve(null);
    const sealing = sealFrame(this.#room.membership.media, kind, stream, frame, now);
    const before = this.#last;
    const done = (async () => {
      const data = await sealing;
      const named = await nameOf(split(kind, data)[1]);
      await before;
      for (const feature of featuresWith(this.#features, "frameSealed")) feature.frameSealed(stream, named, now);
      return this.pauseReason(now) === null ? data : null; // this may have changed meanwhile
    })();
    this.#last = done.catch(() => undefined);
    return done;
  }

  /**
   * Check SNUG-20, then open a frame by SFrame.
   *
   * FutureEpochError if keys, the announcement or data that a feature waits for may still arrive; other subclasses of
   * SnugError are final.
   */
  async open(ssrc: number, kind: Kind, data: Bytes, now: number): Promise<OpenedFrame> {
    const { announcements, membership: m } = this.#room;
    const announcers = announcements.announcers(ssrc);
    if (announcers.size === 0) throw new FutureEpochError("a stream that nobody has announced yet");
    const [, sealed] = split(kind, data);
    const [leaf, stream] = m.media.sender(sealed, now);
    // The layer does not matter: the announcer of a video stream may seal any layer of it.
    const [announced] = baseStream(stream);
    snug20({ announcers, keyLeaf: leaf, stream: announced });
    const named = await nameOf(sealed);
    for (const feature of featuresWith(this.#features, "checkFrame"))
      feature.checkFrame(ssrc, leaf, stream, named, now);
    const opened = await openFrame(m.media, kind, data, now);
    // Another member may have announced the stream while the frame was opened.
    snug20({ announcers: announcements.announcers(ssrc), keyLeaf: leaf, stream: announced });
    for (const feature of featuresWith(this.#features, "frameOpened"))
      feature.frameOpened(ssrc, leaf, stream, named, now);
    return opened;
  }
}
