/** The lobby in which we ask to be let in again; and what a host keeps, to return by. */
import type { Bytes, Rng } from "../../crypto/bytes";
import { Invite } from "../../crypto/entry/invite";
import type { MemberRecoveryData, Standing } from "../../crypto/entry/memberRecovery";
import { HostRecoveryData } from "../../crypto/entry/recovery";
import { RejoinTicket } from "../../crypto/agreed/roomState";
import type * as mls from "../../mls";
import { RejoinLobby } from "../entry/recovery";
import { standing } from "./entering";
import type { KnownServers } from "./knownServers";
import type { Me } from "./me";
import type { RejoinKeys } from "./rejoinKeys";
import type { RoomSession } from "./room";

export interface RejoinFacts {
  readonly now: number;
  readonly rng: Rng;
  readonly psks: mls.Psks;
  /** The leaf of the member that is asked first. */
  readonly first: number | null;
  readonly final?: boolean;
}

/**
 * Ask the members of `room` to let us in again: we are out of step with it.
 *
 * All tickets of one stay there bring the same new rejoin key, and are signed with it too: if the answer to one of them
 * is withheld, the next one still counts.
 */
export function rejoinLobby(me: Me, room: RoomSession, link: Invite, facts: RejoinFacts): Promise<RejoinLobby> {
  const { rejoinKeys } = room.membership;
  const isStuck = (): boolean => room.stuckAt !== null;
  return toMembers({ me, standing: () => standing(room), rejoinKeys, link, isStuck, servers: room.servers }, facts);
}

/** Ask the members to let us in again, with what our device has kept. */
export function comebackLobby(
  me: Me,
  kept: MemberRecoveryData,
  rejoinKeys: RejoinKeys,
  servers: KnownServers,
  facts: RejoinFacts,
): Promise<RejoinLobby> {
  const { standing, invite: link } = kept.fields;
  return toMembers({ me, standing: () => standing, rejoinKeys, link, isStuck: () => false, servers }, facts);
}

interface Asking {
  readonly me: Me;
  readonly standing: () => Standing;
  readonly rejoinKeys: RejoinKeys;
  readonly link: Invite;
  readonly isStuck: () => boolean;
  readonly servers: KnownServers;
}

function toMembers({ me, standing, rejoinKeys, link, isStuck, servers: known }: Asking, facts: RejoinFacts): Promise<RejoinLobby> {
  const makePackage = async (at: number, nonce: Bytes, by: number): Promise<mls.KeyPackageBundle> => {
    const { groupId, slot, chain } = standing().fields;
    const ticket = new RejoinTicket({ groupId, slot, chain, nonce, stuck: isStuck(), by });
    return me.package(at, await rejoinKeys.request(), ticket, await rejoinKeys.ticketSigners());
  };
  const { origin, secret, hostPublic, index, token } = link;
  const servers = known.led(standing().fields.policy.origins);
  return RejoinLobby.begin({
    link: new Invite(origin, secret, hostPublic, index, token, servers),
    name: me.name,
    standing,
    rejoinKeys,
    makePackage,
    ...facts,
  });
}

/** Return the data for a host to keep, sealed, to return by after a crash; null for others. */
export function recoveryData({ name }: Me, room: RoomSession, { secret, origin }: Invite): HostRecoveryData | null {
  const { hostKeys, doorKey, membership: m } = room;
  if (hostKeys === null) return null;
  const servers = room.servers.led(m.policy.origins);
  const [doorSeed, { groupId }] = [doorKey.seed, m.group];
  return new HostRecoveryData({ hostKeys, doorSeed, secret, groupId, origin, name, servers });
}
