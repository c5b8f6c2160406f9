/** What is known of the connection that is open at the room's door now. */
import type { Bytes } from "../crypto/bytes";

/** Forgotten with the connection; what outlasts it stands in the room session. */
export class Doorway {
  /** The server's. */
  readonly nonce: Bytes;
  readonly serverKey: Bytes;
  handle: Bytes = new Uint8Array();
  entered = false;
  /** The highest slot whose pass the server has acknowledged. */
  shown: number | null = null;
  /** The slot whose pass was sent last, unanswered. */
  showing: number | null = null;
  /** Our pass was refused at this slot: wait for a regate. */
  refusedAt: number | null = null;
  opening = false;
  catchingUp = false;
  /** When one that came too soon is asked for again. */
  catchUpAgain: number | null = null;
  /** What happens once on being level has happened. */
  levelDone = false;
  /** That we are level. */
  aspectsTold = false;
  handingOver: number | null = null;
  regatedAt: number | null = null;

  constructor(nonce: Bytes, serverKey: Bytes) {
    this.nonce = nonce;
    this.serverKey = serverKey;
  }
}
