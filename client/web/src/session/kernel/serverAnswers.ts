/**
 * The server's answers that nothing asked for, and its refusals, as a person hears of them.
 *
 * Nobody has signed an answer of the server: it can only be a hint (decision 43).
 */
import type { Refused, ServerMessage } from "../../wire/messages";
import * as sentences from "../catalogue/sentences";
import type { Room } from "./ports";
import type { RoomConnection } from "./roomConnection";

/** Answers to nothing that we have sent, before they are reported. */
export const UNASKED_MAX = 3;
/** Different refusals that are reported: their texts are the server's. */
export const REFUSALS_MAX = 4;
/** The types of our messages that are answered one by one, by the type of the answer. */
const ANSWERS: Readonly<Record<string, string>> = { shown: "show", caught_up: "catch_up", stale: "commit" };
const ANSWERED: ReadonlySet<string> = new Set(Object.values(ANSWERS));

/** What refusals are about, and their codes, that other parts report, or that have no consequence. */
const KNOWN: ReadonlySet<string> = new Set(["catch_up gone", "media lost", "media ssrc", "catch_up rate", "commit rate", "commit signature", "show unopened", "media unopened"]);

/** One membership's count of them. */
export class ServerAnswers {
  readonly #room: Room;
  #unasked = 0;
  readonly #refusals = new Set<string>();

  constructor(room: Room) {
    this.#room = room;
  }

  /** Return whether the message answers nothing that we have sent: it must have no effect. */
  isUnasked(message: ServerMessage, connection: RoomConnection | null): boolean {
    const about = message.type === "refused" ? message.about : ANSWERS[message.type];
    if (about === undefined || !ANSWERED.has(about)) return false;
    if (connection?.isAnswer(about) ?? false) return false;
    this.#unasked++;
    if (this.#unasked === UNASKED_MAX) this.#room.tell(sentences.alarm("unasked"));
    return true;
  }

  /** Report a refusal once, however often it recurs, unless another part reports what follows from it. */
  report({ about, code, text }: Refused): void {
    // `Dropped` reports a full server, and one that wants a password or token.
    if (code === "pass" || code === "full" || code === "permission" || about === "open") return;
    // `Door` has shown a password or token, and says what became of it.
    if (about === "room_door" && code !== "door") return;
    // `Recovery` reports the first; the page the second, and sends media again. What comes too soon, or is signed with
    // the room admin's key of before, is sent again.
    if (KNOWN.has(`${String(about)} ${code}`)) return;
    if (this.#refusals.has(text) || this.#refusals.size >= REFUSALS_MAX) return;
    this.#refusals.add(text);
    // "nodes" is a moment's state of its machines.
    if (code === "nodes") this.#room.tell(sentences.status("closing", { text }));
    else this.#room.tell(sentences.alarm("refused", { why: text }));
  }
}
