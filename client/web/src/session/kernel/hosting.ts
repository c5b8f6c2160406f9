/** A host's lobby, brought up to date with the room after every input. */
import { Mode } from "../../crypto/agreed/roomState";
import type { HostLobby } from "../entry/lobby";
import type { Event, InputOf } from "../events";
import type { Admissions } from "./admissions";
import type { MeetingInvites } from "./meetingInvites";
import type { RoomSession } from "./room";

/** Answer newcomers, and close the invites that are over; return the open links that were made instead. */
export async function serve(
  host: HostLobby,
  room: RoomSession,
  invites: MeetingInvites,
  admissions: Admissions,
  now: number,
): Promise<Event[]> {
  const made: (Event | null)[] = [];
  if (room.hostKeys !== null && room.hostKeys !== host.keys) {
    await host.takeKeys(room.hostKeys, now);
    made.push(invites.keysChanged(room));
  }
  await admissions.answerNewcomers(room, host, now);
  for (const index of new Set([...room.membership.ledger.revoked, ...invites.book.takenBack])) await host.revoke(index);
  if (room.membership.policy.mode === Mode.LOCKED) await host.lock(now);
  made.push(invites.replaceOpen(room));
  return made.filter((event) => event !== null);
}

/** Carry out a host's command; return its result. CommandError if that is impossible. */
export function aboutInvites(
  what: InputOf<"NewInvite" | "ListInvites" | "Revoke">,
  host: HostLobby,
  room: RoomSession,
  invites: MeetingInvites,
): Event {
  switch (what.type) {
    case "NewInvite":
      return invites.make(room, what);
    case "ListInvites":
      return { type: "Invites", rows: invites.book.rows(room.membership) };
    case "Revoke":
      return invites.revoke(room, what.index, host.knows(what.index));
  }
}
