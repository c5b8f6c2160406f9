/** The messages in which a committer hands on the announcements of all members. */
import { type Announce, type Announcement, ANNOUNCEMENTS_MAX } from "../catalogue/content";

const LEAF_MAX = 0xffff_ffff;

/** Return the messages that hand on these announcements: each names the leaves of which it has all. */
export function introduction(known: readonly Announcement[]): Announce[] {
  const rest = known.toSorted((one, other) => one.leaf - other.leaf);
  const parts: Announce[] = [];
  for (let first = 0; rest.length > 0; ) {
    const announcements = rest.splice(0, ANNOUNCEMENTS_MAX);
    const end = rest[0]?.leaf ?? LEAF_MAX + 1;
    parts.push({ type: "announce", first, last: end - 1, announcements });
    first = end;
  }
  return parts;
}
