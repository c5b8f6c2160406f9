/** Answers to newcomers whom our commits have let in, and to those whom no commit lets in. */
import type { Bytes } from "../../crypto/bytes";
import type { Answer } from "../../crypto/entry/answers";
import { welcomeFor } from "../../mls/makeWelcome";
import { FIRST_NUMBER } from "../entry/attendants";
import type { HostLobby } from "../entry/lobby";
import { Vouching } from "../features/identity";
import { Reporting } from "../features/reporting";
import type { Admissions } from "./admissions";
import type { EntryIntent } from "./intents";
import type { Readmission } from "./readmission";
import type { RoomSession } from "./room";

/** Answer members and hosts whom we have let in again. */
export async function answerReadmitted(
  admissions: Admissions,
  room: RoomSession,
  readmission: Readmission,
  host: HostLobby | null,
  now: number,
): Promise<void> {
  const place = host ?? readmission.members;
  for (const [done, welcome] of admissions.done)
    if (done.knock >= FIRST_NUMBER && place !== null)
      await readmission.answer(done.knock, await answerFor(room, done, welcome, now), room, place);
  admissions.done = admissions.done.filter(([{ knock }]) => knock < FIRST_NUMBER);
  // After a failure, the requester asks again, or asks another member.
  const failed = host === null ? [] : admissions.failed;
  admissions.failed = failed.filter(([{ knock }]) => knock < FIRST_NUMBER);
}

/** Answer and refuse those who have knocked. */
export async function answerNewcomers(admissions: Admissions, room: RoomSession, host: HostLobby, now: number): Promise<void> {
  for (const [done, welcome] of admissions.done.splice(0)) {
    const identity = await host.answer(done.knock, await answerFor(room, done, welcome, now));
    if (done.type === "AddIntent") host.used(done.invite);
    if (identity !== null) room.feature(Vouching).recordIdentity(done.keyPackage.leafNode.signatureKey, identity);
  }
  for (const [intent, why] of admissions.failed.splice(0))
    if (intent.type === "AddIntent" || intent.type === "RejoinIntent") await host.notAdded(intent, why, room.membership);
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
    welcome: welcomeFor(welcome, done.keyPackage),
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
