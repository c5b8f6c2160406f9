/** A host's lobby, brought up to date with the room after every input. */
import { Mode } from "../../crypto/agreed/roomState";
import { Invite } from "../../crypto/entry/invite";
import type { ServerMessage } from "../../wire/messages";
import type { HostLobby } from "../entry/lobby";
import type { Event, InputOf } from "../events";
import type { Admissions } from "./admissions";
import { answerNewcomers } from "./answers";
import { inviteMade, type MeetingInvites } from "./meetingInvites";
import type { Readmission } from "./readmission";
import type { RoomSession } from "./room";

/** Process a message in a lobby where we are a host; return what the person is told, if anything. */
export async function inLobby(
  host: HostLobby,
  room: RoomSession,
  readmission: Readmission,
  { day, message, now }: { readonly day: number; readonly message: ServerMessage; readonly now: number },
): Promise<Event | null> {
  const left = await host.received(day, message, room, now);
  if (left === null) return null;
  if ("handle" in left) return await readmission.messagePosted(day, left, room, now);
  switch (left.type) {
    case "Knocked":
      if (room.membership.policy.mode === Mode.WAVE_IN && !left.older && !left.silent) {
        const type = left.looksLike === null ? "Admit" : "Refuse";
        await decide(host, room, readmission, { type, knock: left.knock }, now);
      }
      return left;
    case "RejoinIntent":
      await room.queue(left, now);
      return null;
  }
}

/**
 * Let a newcomer or a host in (the room commits it, and `Admissions` has the result), or refuse.
 *
 * CommandError if nobody waits under that number, or if a member's name keeps the newcomer out.
 */
export async function decide(
  host: HostLobby,
  room: RoomSession,
  readmission: Readmission,
  { type, knock }: InputOf<"Admit" | "Refuse" | "Replace">,
  now: number,
): Promise<void> {
  if (readmission.isHost(knock)) await readmission.decide(knock, type !== "Refuse", room, now);
  else if (type === "Admit") await room.queue(host.admit(knock, room, now), now);
  else if (type === "Replace") await room.queue(host.replace(knock, room, now), now);
  else await host.refuse(knock, now);
}

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
    host.keys = room.hostKeys;
    made.push(invites.keysChanged(room));
  }
  await answerNewcomers(admissions, room, host, now);
  for (const index of new Set([...room.membership.ledger.revoked, ...invites.book.takenBack])) await host.revoke(index);
  if (room.membership.policy.mode === Mode.LOCKED) await host.lock(now);
  made.push(...(await host.reconsider(room, now)));
  made.push(invites.replaceOpen(room), moved(room, invites, now), ...invites.makeWaiting(room));
  return made.filter((event) => event !== null);
}

/** Return the open link anew after a move: newcomers by browser need the server that has the meeting. */
function moved(room: RoomSession, invites: MeetingInvites, now: number): Event | null {
  const at = room.here.origin;
  if (invites.open === null || at === invites.at || !room.isSynced(now)) return null;
  invites.at = at;
  const { origin, secret, hostPublic, token } = invites.own;
  return inviteMade(new Invite(origin, secret, hostPublic, invites.open, token, room.membership.policy.origins), at);
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
