/**
 * Chooses the old media keys to publish, so that holders of our signatures could have forged them.
 *
 * It imports only a type, so that the files which the page loads first don't have to share more of theirs.
 */
import type { Bytes } from "../../crypto/bytes";

/**
 * Seconds after all members were heard in a later epoch until an epoch's media key is published, and between two such
 * messages. Members accept lists of an epoch until LATE after they have left it.
 */
export const PUBLISH_AFTER = 60;
export const PUBLISH_EVERY = 60;

/** The secret halves of the media keys of epochs that are over here, and when the next message may go out. */
export interface OldMediaKeys {
  keys: {
    readonly epoch: number;
    readonly secret: Bytes;
    /** null while a member may still be in that epoch. */
    publishAt: number | null;
  }[];
  publishAt: number;
}

/**
 * Take out the secrets that are due, at most `most`. `oldest`: the oldest epoch in which a member may be, as members have
 * signed. A member from whom the server withholds a commit still believes the lists of the epoch before
 * it. So a key is published only when all members have signed that they are in a later epoch.
 */
export function takeOldMediaKeys(old: OldMediaKeys, oldest: number, most: number, now: number): Bytes[] {
  for (const key of old.keys) if (key.epoch < oldest) key.publishAt ??= now + PUBLISH_AFTER;
  const ready = old.keys.filter(({ publishAt }) => publishAt !== null && publishAt <= now);
  const due = ready.slice(0, most);
  if (due.length === 0 || now < old.publishAt) return [];
  old.publishAt = now + PUBLISH_EVERY;
  old.keys = old.keys.filter((each) => !due.includes(each));
  return due.map(({ secret }) => secret);
}
