/**
 * A member's media frames: sealed and opened under the epoch's keys, with all that may be said against it.
 */
import type { Bytes } from "../crypto/bytes";
import { baseStream, FutureEpochError, type OpenedFrame, openFrame, sealFrame } from "../crypto/mediaKeys";
import { snug20 } from "../crypto/policy";
import { type Kind, split } from "../crypto/shim";
import { type Sentence, sentence } from "../words/sentence";
import { having } from "./aspect";
import type { RoomSession } from "./room";

/** Why no media of ours may leave now, as a sentence for a person; null: it may. */
export function whySilent(room: RoomSession, now: number): Sentence | null {
  if (room.ended !== null) return room.ended.text;
  if (room.stuckAt !== null || room.needsRejoin) return sentence("room.out_of_step");
  for (const aspect of having(room.aspects, "maySend")) {
    const reason = aspect.maySend(now);
    if (reason !== null) return reason;
  }
  return null;
}

/** One membership's frames on their way out: aspects see them in the order of their counters. */
export class Sealing {
  #last: Promise<unknown> = Promise.resolve();

  /** SFrame behind the shim; null while nothing may leave. The counter is taken before this returns. */
  seal(room: RoomSession, kind: Kind, stream: number, frame: Bytes, now: number): Promise<Bytes | null> {
    if (whySilent(room, now) !== null) return Promise.resolve(null);
    const sealing = sealFrame(room.m.media, kind, stream, frame, now);
    const before = this.#last;
    const done = (async () => {
      const data = await sealing;
      await before;
      for (const aspect of having(room.aspects, "sealed")) await aspect.sealed(stream, split(kind, data)[1], now);
      return whySilent(room, now) === null ? data : null; // it may have come to that meanwhile
    })();
    this.#last = done.catch(() => undefined);
    return done;
  }
}

/**
 * SFrame, and SNUG-20 before anything is opened.
 *
 * FutureEpochError where keys, announcement or what an aspect waits for may still be on their way; any other
 * SnugCryptoError: never.
 */
export async function open(
  room: RoomSession,
  ssrc: number,
  kind: Kind,
  data: Bytes,
  now: number,
): Promise<OpenedFrame> {
  const announcers = room.announced.announcers(ssrc);
  if (announcers.size === 0) throw new FutureEpochError("a stream that nobody has announced yet");
  const [, sealed] = split(kind, data);
  const [leaf, stream] = room.m.media.sender(sealed, now);
  // whichever layer it is of: who announced the pictures may seal them in any size
  const [announced] = baseStream(stream);
  snug20({ announcers, keyLeaf: leaf, stream: announced });
  for (const aspect of having(room.aspects, "opening")) aspect.opening(ssrc, leaf, stream, sealed, now);
  const opened = await openFrame(room.m.media, kind, data, now);
  // while it was opened its stream may have been announced as another's
  snug20({ announcers: room.announced.announcers(ssrc), keyLeaf: leaf, stream: announced });
  for (const aspect of having(room.aspects, "opened")) aspect.opened(ssrc, leaf, stream, sealed, now);
  return opened;
}
