/** Answers to newcomers whom our commits have let in, and to those whom no commit lets in. */
import type { Bytes } from "../../crypto/bytes";
import type { Answer } from "../../crypto/entry/answers";
import type { Sentence } from "../../words/sentence";
import { FIRST_NUMBER } from "../entry/attendants";
import type { HostLobby } from "../entry/lobby";
import { Vouching } from "../features/identity";
import { Reporting } from "../features/reporting";
import type { EntryIntent } from "./intents";
import type { Owner } from "./ports";
import type { Readmission } from "./readmission";
import type { RoomSession } from "./room";

/** The `Owner` of a room: answers at the end of the input that brought the results. */
export class Admissions implements Owner {
  #admitted: (readonly [EntryIntent, Bytes])[] = [];
  #notAdmitted: (readonly [EntryIntent, Sentence])[] = [];

  /** Answer the newcomer of `intent`, with this Welcome. */
  admitted(intent: EntryIntent, welcome: Bytes): void {
    this.#admitted.push([intent, welcome]);
  }

  /** Refuse the newcomer of `intent`. */
  notAdmitted(intent: EntryIntent, why: Sentence): void {
    this.#notAdmitted.push([intent, why]);
  }

  /** Forget the results: they are of a membership or of a host role that has ended. */
  clear(): void {
    this.#admitted = [];
    this.#notAdmitted = [];
  }

  /** Answer members and hosts whom we have let in again. */
  async answerReadmitted(
    room: RoomSession,
    readmission: Readmission,
    host: HostLobby | null,
    now: number,
  ): Promise<void> {
    const place = host ?? readmission.members;
    for (const [done, welcome] of this.#admitted)
      if (done.knock >= FIRST_NUMBER && place !== null)
        await readmission.answer(done.knock, await answerFor(room, done, welcome, now), room, place);
    this.#admitted = this.#admitted.filter(([{ knock }]) => knock < FIRST_NUMBER);
    // After a failure, the requester asks again, or asks another member.
    const failed = host === null ? [] : this.#notAdmitted;
    this.#notAdmitted = failed.filter(([{ knock }]) => knock < FIRST_NUMBER);
  }

  /** Answer and refuse those who have knocked. */
  async answerNewcomers(room: RoomSession, host: HostLobby, now: number): Promise<void> {
    for (const [done, welcome] of this.#admitted.splice(0)) {
      const identity = await host.answer(done.knock, await answerFor(room, done, welcome, now));
      if (done.type === "AddIntent") host.used(done.invite);
      if (identity !== null)
        room.feature(Vouching).recordIdentity(done.keyPackage.leafNode.signatureKey, identity);
    }
    for (const [intent, why] of this.#notAdmitted.splice(0))
      if (intent.type === "AddIntent" || intent.type === "RejoinIntent")
        await host.notAdded(intent, why, room.membership);
  }
}

/** Return what a newcomer needs to join, beside its Welcome. */
async function answerFor(
  room: RoomSession,
  done: EntryIntent,
  welcome: Bytes,
  now: number,
): Promise<Answer> {
  const { membership: m } = room;
  return {
    type: "Answer",
    welcome,
    doorSeed: room.doorKey.seed,
    number: room.number,
    roomAdminPublic: room.roomAdminKeys.current,
    handedKeys: m.handKeys(),
    slot: m.journal.slot,
    chain: m.journal.chain,
    at: Math.floor(now),
    ledger: m.ledger.encode(),
    before: m.journal.before(),
    admission: await room.feature(Reporting).admissionFor(done.keyPackage.leafNode.signatureKey),
    places: m.journal.places(),
  };
}
