/**
 * A connection that is opened ahead of time, for the next one to the same server (`client/spare.py`).
 *
 * A file of its own, loaded with the knock: it saves waiting and nothing else. If anything fails here, the participant
 * connects anew.
 */
import type { Socket } from "./doors";

/** Seconds for which a spare connection is kept. The server closes it after five (protocol section 3). */
export const SPARE_TIME = 4;

/**
 * Keep `socket`, a new one to the server with this URL, for `SPARE_TIME`.
 *
 * Return what takes it, once: the socket if it leads to the given URL and is of use, else null. Its owner sets the
 * handlers at once, and they get what has happened so far.
 */
export function spare(url: string, socket: Socket): (wanted: string) => Socket | null {
  let opened: Event | null = null;
  let challenge: MessageEvent | null = null;
  let over = false;
  const drop = (): void => {
    over = true;
    clearTimeout(timer);
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  };
  const timer = setTimeout(drop, SPARE_TIME * 1000);
  socket.onopen = (event) => (opened = event);
  socket.onmessage = (event) => {
    if (challenge !== null) drop(); // a server that speaks before the door says goodbye
    challenge = event;
  };
  socket.onclose = drop;
  return (wanted) => {
    if (over) return null;
    if (wanted !== url) {
      drop();
      return null;
    }
    over = true;
    clearTimeout(timer);
    queueMicrotask(() => {
      if (opened !== null) socket.onopen?.(opened);
      if (challenge !== null) socket.onmessage?.(challenge);
    });
    return socket;
  };
}
