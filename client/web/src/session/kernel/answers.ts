/** Answers to newcomers whom our commits have let in, and to those whom no commit lets in. */
import type { Bytes } from "../../crypto/bytes";
import type { Answer } from "../../crypto/entry/answers";
import type { Piece } from "../../crypto/entry/lobby";
import { LEDGER_INSIDE_MAX, SealedPieces } from "../../crypto/entry/pieces";
import { MalformedError } from "../../crypto/errors";
import { welcomeFor } from "../../mls/makeWelcome";
import type { HostLobby } from "../entry/lobby";
import { Vouching } from "../features/identity";
import { Reporting } from "../features/reporting";
import { IS_FULL } from "../entry/refusals";
import type { Admissions, Admitted } from "./admissions";
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
  for (const admitted of admissions.done) {
    const [{ knock }] = admitted;
    if (knock.type !== "MembersRequest" || place === null) continue;
    const answer = await answerFor(admissions, room, admitted, now);
    // null: the room is too large for anybody to come in
    if (answer !== null) await readmission.answer(knock.number, answer.answer, answer.pieces, room, place, now);
  }
  admissions.done = admissions.done.filter(([{ knock }]) => knock.type !== "MembersRequest");
  // After a failure, the requester asks again, or asks another member.
  const failed = host === null ? [] : admissions.failed;
  admissions.failed = failed.filter(([{ knock }]) => knock.type !== "MembersRequest");
}

/** Answer and refuse those who have knocked. */
export async function answerNewcomers(admissions: Admissions, room: RoomSession, host: HostLobby, now: number): Promise<void> {
  for (const admitted of admissions.done.splice(0)) {
    const [done] = admitted;
    const answer = await answerFor(admissions, room, admitted, now);
    if (answer === null) {
      await host.fail(done.knock, IS_FULL);
      continue;
    }
    const identity = await host.answer(done.knock, answer.answer, answer.pieces);
    if ("invite" in done) host.used(done.invite);
    if (identity !== null) room.feature(Vouching).recordIdentity(done.keyPackage.leafNode.signatureKey, identity);
  }
  await host.pieces.tick(now);
  for (const [intent, why] of admissions.failed.splice(0))
    if (intent.type !== "HostReturnIntent") await host.notAdded(intent, why, room.membership);
}

/**
 * Return the pieces that all newcomers of a commit share; null if each answer has all.
 *
 * MalformedError if the room is too large for them.
 */
async function sealFor(admissions: Admissions, [, welcome, tree]: Admitted, ledger: Bytes): Promise<SealedPieces | null> {
  if (tree === null && ledger.length <= LEDGER_INSIDE_MAX) return null;
  if (admissions.sealed?.welcome !== welcome)
    admissions.sealed = { welcome, sealed: await SealedPieces.make(tree ?? new Uint8Array(), ledger, admissions.rng) };
  return admissions.sealed.sealed;
}

/** Return what a newcomer needs to join, beside its Welcome, and the pieces; null if the room is too large for them. */
async function answerFor(
  admissions: Admissions,
  room: RoomSession,
  admitted: Admitted,
  now: number,
): Promise<{ readonly answer: Answer; readonly pieces: readonly Piece[] } | null> {
  const { membership: m } = room;
  const [{ keyPackage }, welcome] = admitted;
  const ledger = m.ledger.encode();
  let sealed: SealedPieces | null;
  try {
    sealed = await sealFor(admissions, admitted, ledger);
  } catch (error) {
    if (error instanceof MalformedError) return null;
    throw error;
  }
  const answer: Answer = {
    type: "Answer",
    welcome: welcomeFor(welcome, keyPackage),
    doorSeed: room.doorKey.seed,
    number: room.number,
    roomAdminPublic: room.roomAdminKeys.current,
    handedKeys: m.handKeys(),
    slot: m.journal.slot,
    chain: m.journal.chain,
    at: Math.floor(now),
    ledger: sealed === null ? ledger : new Uint8Array(),
    before: m.journal.before(),
    admission: await room.feature(Reporting).admissionFor(keyPackage.leafNode.signatureKey),
    places: m.journal.places(),
    pieces: (await sealed?.listFor(keyPackage, admissions.rng)) ?? new Uint8Array(),
  };
  return { answer, pieces: sealed?.pieces ?? [] };
}
