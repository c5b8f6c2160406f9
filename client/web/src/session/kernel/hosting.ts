/** A host's lobby, brought up to date with the room after every input. */
import { Mode } from "../../crypto/agreed/roomState";
import type { HostLobby } from "../entry/lobby";
import type { Event, InputOf } from "../events";
import type { Admissions } from "./admissions";
import type { MeetingInvites } from "./meetingInvites";
import type { RoomSession } from "./room";

/** Answer newcomers, and close the invites that are over; return the links that were made. */
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
  made.push(invites.replaceOpen(room), ...invites.makeWaiting(room));
  return made.filter((event) => event !== null);
}

/** Carry out a host's command; return its result, null if that follows. CommandError if that is impossible. */
export function aboutInvites(
  what: InputOf<"NewInvite" | "ListInvites" | "Revoke">,
  host: HostLobby,
  room: RoomSession,
  invites: MeetingInvites,
): Event | null {
  switch (what.type) {
    case "NewInvite":
      return invites.request(room, what);
    case "ListInvites":
      return { type: "Invites", rows: invites.book.rows(room.membership) };
    case "Revoke":
      return invites.revoke(room, what.index, host.knows(what.index));
  }
}
