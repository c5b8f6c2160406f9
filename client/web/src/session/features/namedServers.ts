/** A person's commands about the servers where the meeting can go on, but for a move: see `Moves`. */
import type { Policy } from "../../crypto/agreed/roomState";
import { SERVERS_MAX } from "../../wire/layouts/roomState";
import { CommandError, sentence } from "../../words/sentence";
import { checkAll, typedOrigin } from "../addresses";
import * as sentences from "../catalogue/sentences";
import type { Room } from "../kernel/ports";
import { Monitor } from "../monitor/monitor";
import { Mirror } from "./mirror";

/**
 * Name the servers where the meeting goes on, in this order.
 *
 * CommandError if an origin is not one, or there twice, if there are too many, or if we are not a host.
 */
export async function nameServers(room: Room, given: readonly string[], now: number): Promise<void> {
  room.hostOnly();
  const origins = given.map(typedOrigin);
  if (origins.length > SERVERS_MAX || new Set([room.origin, ...origins]).size !== 1 + origins.length)
    throw new CommandError(sentence("link.many_servers", { most: SERVERS_MAX }));
  checkAll(room.origin, origins);
  room.servers.allow(origins);
  if (room.hostKeys === null) throw new CommandError(sentence("room.host_only"));
  const servers = await room.hostKeys.current.servers(room.membership.group.groupId, origins);
  const change = (policy: Policy): Policy | null =>
    JSON.stringify(policy.origins) === JSON.stringify(origins)
      ? null
      : policy.withServers(servers);
  await room.queue({ type: "PolicyIntent", change }, now);
}

/** Tell where the meeting is, and where it can go on. */
export function listServers(room: Room, now: number): void {
  const { origin } = room.here;
  const origins = [room.origin, ...room.membership.policy.origins];
  const at = Math.max(0, origins.indexOf(origin));
  const listed = [...origins.slice(at + 1), ...origins.slice(0, at)]; // after the last one comes the first
  const args = { origin, servers: listed.join(", ") };
  const { reach } = room.feature(Mirror);
  if (listed.length === 0 || reach === null || reach.origin === "")
    return room.tell(sentences.status(listed.length > 0 ? "servers" : "servers.none", args));
  const since = { mirror: reach.origin, seconds: Math.floor(now - reach.since) };
  room.tell(sentences.status(reach.isReached ? "servers.mirrored" : "servers.unmirrored", { ...args, ...since }));
}

/** Remove all members that are not heard here; CommandError if all are, or if we are not a host. */
export async function removeAbsent(room: Room, now: number): Promise<void> {
  const { membership: m } = room;
  room.hostOnly();
  const here = new Set([m.ownLeaf, ...(room.incarnation === null ? [] : room.feature(Monitor).atIncarnation(room.incarnation, now))]);
  const away = m.members().filter(({ leaf }) => !here.has(leaf) && !room.heardRecently(leaf, now));
  if (away.length === 0) throw new CommandError(sentence("room.all_here"));
  room.tell(sentences.status("removing_absent", { names: away.map(({ name }) => name) }));
  for (const { leaf } of away) {
    const signatureKey = m.signatureKey(leaf);
    if (signatureKey !== null) await room.queue({ type: "RemoveIntent", leaf, signatureKey, absent: true }, now);
  }
}
