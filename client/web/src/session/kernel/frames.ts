/** A member's media frames: seal and open them under the epoch's keys, with all checks. */
import type { Bytes } from "../../crypto/bytes";
import { baseStream, FutureEpochError, type OpenedFrame, openFrame, sealFrame } from "../../crypto/media/keys";
import { snug20 } from "../../crypto/agreed/policy";
import { type Kind, split } from "../../crypto/media/clearHeader";
import { type Sentence, sentence } from "../../words/sentence";
import { featuresWith } from "./feature";
import type { RoomSession } from "./room";

/** Return the reason that our media may not be sent now, as a sentence for a person; null: it may. */
export function pauseReason(room: RoomSession, now: number): Sentence | null {
  if (room.ended !== null) return room.ended.text;
  if (room.stuckAt !== null || room.needsRejoin) return sentence("room.out_of_step");
  for (const feature of featuresWith(room.features, "pauseReason")) {
    const reason = feature.pauseReason(now);
    if (reason !== null) return reason;
  }
  return null;
}

/** The sealed frames of one membership: features receive them in the order of their counters. */
export class Sealing {
  #last: Promise<unknown> = Promise.resolve();

  /**
   * Seal a frame by SFrame and put the clear header in front; null while no media may be sent.
   *
   * The counter is assigned before this method returns its promise.
   */
  seal(room: RoomSession, kind: Kind, stream: number, frame: Bytes, now: number): Promise<Bytes | null> {
    if (pauseReason(room, now) !== null) return Promise.resolve(null);
    const sealing = sealFrame(room.m.media, kind, stream, frame, now);
    const before = this.#last;
    const done = (async () => {
      const data = await sealing;
      await before;
      for (const feature of featuresWith(room.features, "frameSealed"))
        await feature.frameSealed(stream, split(kind, data)[1], now);
      return pauseReason(room, now) === null ? data : null; // this may have changed meanwhile
    })();
    this.#last = done.catch(() => undefined);
    return done;
  }
}

/**
 * Check SNUG-20, then open a frame by SFrame.
 *
 * FutureEpochError if keys, the announcement or data that a feature waits for may still arrive; other subclasses of
 * SnugCryptoError are final.
 */
export async function open(
  room: RoomSession,
  ssrc: number,
  kind: Kind,
  data: Bytes,
  now: number,
): Promise<OpenedFrame> {
  const announcers = room.announcements.announcers(ssrc);
  if (announcers.size === 0) throw new FutureEpochError("a stream that nobody has announced yet");
  const [, sealed] = split(kind, data);
  const [leaf, stream] = room.m.media.sender(sealed, now);
  // The layer does not matter: the announcer of a video stream may seal any layer of it.
  const [announced] = baseStream(stream);
  snug20({ announcers, keyLeaf: leaf, stream: announced });
  for (const feature of featuresWith(room.features, "checkFrame")) feature.checkFrame(ssrc, leaf, stream, sealed, now);
  const opened = await openFrame(room.m.media, kind, data, now);
  // Another member may have announced the stream while the frame was opened.
  snug20({ announcers: room.announcements.announcers(ssrc), keyLeaf: leaf, stream: announced });
  for (const feature of featuresWith(room.features, "frameOpened"))
    feature.frameOpened(ssrc, leaf, stream, sealed, now);
  return opened;
}
