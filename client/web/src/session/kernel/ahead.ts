/**
 * Messages of a newcomer behind its door message, before the server has let it in (decision 81).
 *
 * The server handles a connection's messages in order. A member that was let in a moment ago is at the room's slot, so
 * that its pass fits, and its media may follow. The server refuses a message that comes too early, and it goes out again
 * in step.
 */
import type { Announcer } from "./announcer";
import type { Room } from "./ports";
import type { Sync } from "./sync";

/** Send our pass behind the first door message of a membership, and our media as soon as there are any. */
export function goAhead({ membership, here, ended }: Room, sync: Sync, announcer: Announcer): void {
  const { connection, incarnation } = sync;
  const { slot } = membership.journal;
  if (connection === null || ended !== null) return;
  // Nobody has opened the room of a founder, and a place has passes of its own.
  if (connection.early === null && incarnation === null && slot > 0 && here.isHome) {
    connection.early = true;
    sync.isShown(connection, slot);
  }
  if (connection.early && connection.showing !== null) announcer.sendMedia(connection);
}
