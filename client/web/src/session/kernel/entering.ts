/** A membership of a meeting that we open, or that somebody lets us into; and what is kept of it. */
import { type Bytes, hex, type Rng, utf8 } from "../../crypto/bytes";
import { type HostSeed, type Invite, linkPsk, roomNumber } from "../../crypto/entry/invite";
import { H, SigningKey } from "../../crypto/kdf";
import { MemberRecoveryData, Standing } from "../../crypto/entry/memberRecovery";
import { checkText } from "../../crypto/agreed/names";
import { normalized } from "../../crypto/agreed/unicode14";
import { Ledger } from "../../crypto/agreed/ledger";
import { type Mode, Policy, TITLE_MAX } from "../../crypto/agreed/roomState";
import type { Entry } from "../entry/guest";
import type { Me } from "./me";
import { Membership } from "./membership";
import type { RoomSession } from "./room";

/** A new membership, and the keys of its room at the server. */
export interface Arrival {
  readonly membership: Membership;
  readonly doorKey: SigningKey;
  readonly roomAdminPublic: Bytes;
}

interface Common {
  readonly now: number;
  readonly rng: Rng;
}

export interface MeetingFacts extends Common {
  readonly me: Me;
  readonly seed: HostSeed;
  /** It leads to the meeting, and names the further servers. */
  readonly link: Invite;
  readonly title: string;
  readonly mode: Mode;
  /** Of the policy. */
  readonly flags: number;
}

/** Open a meeting, to which the link leads. MalformedError if the title is not allowed. */
export async function foundMeeting(facts: MeetingFacts): Promise<Arrival> {
  const { me, seed, link, mode, flags, now, rng } = facts;
  const title = checkText(normalized(facts.title, "NFC"), TITLE_MAX);
  const { hostPublic } = seed;
  const groupId = rng(16);
  const roomAdmin = await seed.roomAdminKey(groupId);
  const keys = { hostPublic, returnPublic: seed.returnPublic, roomAdminPublic: roomAdmin.public };
  const rejoinKey = await SigningKey.fresh();
  const servers = await seed.servers(groupId, link.servers);
  const policy = new Policy({ version: 1, hosts: [me.public], ...keys, mode, title, flags, servers });
  const group = await me.found(groupId, policy, rejoinKey, now);
  const doorKey = await SigningKey.generate(rng, true);
  const number = roomNumber(doorKey.public, roomAdmin.public);
  const membership = await Membership.create(group, {
    room: number,
    slot: 0,
    chain: H(utf8("snug 1 chain"), number),
    ledger: new Ledger({ keys: new Set([hex(me.public)]) }),
    linkPsk: linkPsk(link.secret),
    rejoinKey,
    now,
    rng,
  });
  return { membership, doorKey, roomAdminPublic: roomAdmin.public };
}

/** Enter with the answer from a lobby; SnugError if the answer cannot be used. */
export async function enterMeeting(entry: Entry, secret: Bytes, { now, rng }: Common): Promise<Arrival> {
  const { answer, group, rejoinKey } = entry;
  const { roomAdminPublic, number } = answer;
  const doorKey = await SigningKey.fromSeed(answer.doorSeed, true);
  const membership = await Membership.create(group, {
    room: number,
    slot: answer.slot,
    chain: answer.chain,
    ledger: Ledger.decode(answer.ledger),
    linkPsk: linkPsk(secret),
    rejoinKey,
    now,
    before: answer.before,
    places: answer.places,
    handed: answer.handedKeys,
    rng,
  });
  return { membership, doorKey, roomAdminPublic };
}

/** Return the membership as our requests to be let in again name it. */
export function standing({ membership: m, number, doorKey, here }: RoomSession): Standing {
  return new Standing({
    groupId: m.group.groupId,
    epoch: m.group.epoch,
    slot: m.journal.slot,
    chain: m.journal.chain,
    number,
    doorSeed: doorKey.seed,
    policy: m.policy,
    ledger: m.ledger,
    ownLeaf: m.ownLeaf,
    members: m.group.members().map(({ leaf, leafNode }) => ({ leaf, key: leafNode.signatureKey })),
    origin: here.origin,
  });
}

/** Return what a device keeps for `comebackLobby`. */
export function memberRecoveryData(me: Me, room: RoomSession, invite: Invite): MemberRecoveryData {
  const { rejoinKeys } = room.membership;
  return new MemberRecoveryData({
    name: me.name,
    signature: me.key,
    rejoinKeys: rejoinKeys.all(),
    requests: rejoinKeys.requestCount,
    invite: room.servers.kept(invite),
    standing: standing(room),
    hostKeys: room.hostKeys,
  });
}
