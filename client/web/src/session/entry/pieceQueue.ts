/** Pieces of tree and ledger on their way to newcomers (protocol section 4), behind all other posts. */
import { type Bytes, hex } from "../../crypto/bytes";
import type { LobbyMessage, Piece } from "../../crypto/entry/lobby";
import { LOBBY_RECEIVERS_MAX as RECEIVERS_MAX } from "../../wire/limits";
import type { KeptReply } from "./replies";

/** Posts that may wait when a piece is added: cards, replies and refusals wait for at most these pieces. */
export const BEHIND = 4;
/**
 * Connections that get one answer's pieces at once, and seconds before one of them gets them again. Whoever has seen a
 * knock can post it again: its newcomer gets a place all the same.
 */
export const RECEIVERS_EACH = 8;
export const AGAIN_AFTER = 8;
/** Newcomers whose pieces wait: as many as a lobby has connections. */
export const WAITING_MAX = 320;

/** A lobby's connections, as far as pieces need them. */
interface Connections {
  readonly entered: ReadonlySet<number>;
  readonly waiting: number;
  post(day: number, message: LobbyMessage, ...to: Bytes[]): Promise<void>;
}

interface Delivery {
  readonly answer: string;
  readonly day: number;
  readonly to: Bytes;
  readonly pieces: readonly Piece[];
  sent: number;
}

/** Answer and receiver. */
const keyOf = ({ answer, to }: Pick<Delivery, "answer" | "to">): string => `${answer} ${hex(to)}`;

/** Return whether one post brings both on: the same pieces are sent, and as many of them were. */
const goTogether = (one: Delivery, other: Delivery): boolean =>
  one.day === other.day && one.sent === other.sent && one.pieces === other.pieces;

/**
 * Deliveries of pieces, one after the other: the first newcomers come in before the last one's begin.
 *
 * One post brings a piece to all who lack it next.
 */
export class PieceQueue {
  #queue: readonly Delivery[] = [];
  /** When all pieces of an answer had been sent to a receiver. */
  #ended = new Map<string, number>();

  constructor(private readonly connections: Connections) {}

  get length(): number {
    return this.#queue.length;
  }

  /**
   * Send the pieces of an answer, which the hash `answer` names, to the connection `to`.
   *
   * Pieces that are on their way there, or were sent just now, are not sent again.
   */
  add(answer: string, day: number, to: Bytes, pieces: readonly Piece[], now: number): void {
    const delivery = { answer, day, to, pieces, sent: 0 };
    const same = this.#queue.filter((each) => each.answer === answer);
    const known = same.some((each) => keyOf(each) === keyOf(delivery) && each.day === day);
    const recent = now - (this.#ended.get(keyOf(delivery)) ?? -Infinity) < AGAIN_AFTER;
    if (pieces.length === 0 || known || recent) return;
    if (same.length < RECEIVERS_EACH && this.#queue.length < WAITING_MAX) this.#queue = [...this.#queue, delivery];
  }

  /** Post a reply to the knock with the hash `mark`; its pieces follow with the next `tick`. */
  async reply(mark: string, at: { readonly day: number; readonly handle: Bytes }, kept: KeptReply, now: number): Promise<void> {
    await this.connections.post(at.day, kept.reply, at.handle);
    this.add(mark, at.day, at.handle, kept.pieces, now);
  }

  /** Post what the server's limits allow now. Call it regularly. */
  async tick(now: number): Promise<void> {
    const { connections } = this;
    this.#ended = new Map([...this.#ended].filter(([, at]) => now - at < AGAIN_AFTER));
    for (let [first] = this.#queue; first !== undefined && connections.waiting < BEHIND; [first] = this.#queue) {
      const { day, sent, pieces } = first;
      const piece = pieces[sent];
      if (piece === undefined || !connections.entered.has(day)) {
        this.#queue = this.#queue.slice(1);
        continue;
      }
      const together = this.#queue.filter((each) => goTogether(each, first)).slice(0, RECEIVERS_MAX);
      for (const each of together) each.sent++;
      const over = together.filter((each) => each.sent === pieces.length);
      this.#queue = this.#queue.filter((each) => !over.includes(each));
      for (const each of over) this.#ended.set(keyOf(each), now);
      const to = new Map(together.map((each) => [hex(each.to), each.to]));
      // A message of its own: one that waits for other receivers already would not be added.
      await connections.post(day, piece, ...to.values());
    }
  }
}
