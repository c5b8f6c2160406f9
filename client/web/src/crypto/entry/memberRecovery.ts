/**
 * The data that a member's device keeps, to come back as the same member after its page has ended (SNUG-8).
 *
 * docs/reference/protocol.md, section 6. With it, a member asks to be let in again as after it fell out of step. It has
 * no key that opens a message, and none of the group's secrets: a page that went on with those would use nonces twice.
 */
import { Ledger } from "../agreed/ledger";
import { checkName } from "../agreed/names";
import { Policy, TICKET_SIGNATURES_MAX } from "../agreed/roomState";
import { type Bytes, concat, hex, utf8 } from "../bytes";
import { MalformedError } from "../errors";
import { exactly, prefixed, Reader, several, uint } from "../fields";
import { type KeyHandle, SigningKey } from "../kdf";
import { canonicalOrigin, HostKeys, Invite } from "./invite";

const MEMBERS_MAX = 1024;

/** Fields of a `Standing`. */
export interface StandingFields {
  readonly groupId: Bytes;
  readonly epoch: number;
  readonly slot: number;
  /** After that slot, 32 bytes. */
  readonly chain: Bytes;
  /** Of the room where the meeting began, 16 bytes. */
  readonly number: Bytes;
  /** 32 bytes. */
  readonly doorSeed: Bytes;
  readonly policy: Policy;
  readonly ledger: Ledger;
  readonly ownLeaf: number;
  /** Leaf and signature key (32 bytes) of all members, in order. */
  readonly members: readonly { readonly leaf: number; readonly key: Bytes }[];
  /** The origin of the server that has the room. */
  readonly origin: string;
}

/** A membership as its requests to be let in again name it, and as the answers have to continue it. */
export class Standing {
  constructor(readonly fields: StandingFields) {}

  isHost(key: Bytes): boolean {
    return this.fields.policy.hosts.some((host) => hex(host) === hex(key));
  }

  /** All members but us. */
  get others(): StandingFields["members"] {
    return this.fields.members.filter(({ leaf }) => leaf !== this.fields.ownLeaf);
  }

  /**
   * The leaves that may be asked in the lobby: those of all others that are no hosts, else of hosts.
   *
   * Hosts read knocks.
   */
  get helpers(): number[] {
    const guests = this.others.filter(({ key }) => !this.isHost(key));
    return (guests.length > 0 ? guests : this.others).map(({ leaf }) => leaf);
  }

  /** Encode canonically. */
  encode(): Bytes {
    const { groupId, epoch, slot, chain, number, doorSeed, policy, ledger, ownLeaf, members, origin } = this.fields;
    return concat(
      prefixed(groupId, 1),
      uint(epoch, 8),
      uint(slot, 8),
      exactly(chain, 32, "a chain value"),
      exactly(number, 16, "a room's number"),
      exactly(doorSeed, 32, "a door seed"),
      prefixed(policy.encode(), 4),
      prefixed(ledger.encode(), 4),
      uint(ownLeaf, 4),
      uint(members.length, 2),
      ...members.flatMap(({ leaf, key }) => [uint(leaf, 4), exactly(key, 32, "a signature key")]),
      prefixed(utf8(origin), 2),
    );
  }

  /** Read the result of `encode`. MalformedError on other input. */
  static read(r: Reader): Standing {
    const [groupId, epoch, slot] = [r.prefixed(1), r.uint(8), r.uint(8)];
    const [chain, number, doorSeed] = [r.take(32), r.take(16), r.take(32)];
    const [policy, ledger] = [Policy.decode(r.prefixed(4)), Ledger.decode(r.prefixed(4))];
    const [ownLeaf, count] = [r.uint(4), r.uint(2)];
    if (count > MEMBERS_MAX) throw new MalformedError("member recovery data: more members than a meeting can have");
    const members = several(count, () => ({ leaf: r.uint(4), key: r.take(32) }));
    const origin = r.text(2);
    if (canonicalOrigin(origin) !== origin)
      throw new MalformedError("member recovery data: a server's address is not in canonical form");
    return new Standing({ groupId, epoch, slot, chain, number, doorSeed, policy, ledger, ownLeaf, members, origin });
  }
}

/** What a device stores: the browser lets nobody read the keys. */
export interface MemberRecord {
  readonly signature: KeyHandle;
  readonly rejoinKeys: readonly KeyHandle[];
  readonly requests: number;
  readonly rest: Bytes;
}

/** Fields of a `MemberRecoveryData`. */
export interface MemberRecoveryFields {
  readonly name: string;
  /** The leaf's signature key. */
  readonly signature: SigningKey;
  /** The rejoin keys that the leaf may have in the others' tree, our own one first: 1 to 8. */
  readonly rejoinKeys: readonly SigningKey[];
  /** How many of them, at the end, tickets ask for. */
  readonly requests: number;
  /** The invite that we came by; as a host, the open one. */
  readonly invite: Invite;
  readonly standing: Standing;
  /** Of a host: the keys of all hosts. */
  readonly hostKeys: HostKeys | null;
}

/** All that a device keeps of a meeting. It changes with each commit, and serves until the next one. */
export class MemberRecoveryData {
  constructor(readonly fields: MemberRecoveryFields) {}

  /** Return the data with the keys of a request. */
  with(rejoinKeys: readonly SigningKey[], requests: number): MemberRecoveryData {
    return new MemberRecoveryData({ ...this.fields, rejoinKeys, requests });
  }

  /** Return what a device stores. `rest` has the same bytes as in `crypto/entry/member_recovery.py`. */
  record(): MemberRecord {
    const { name, signature, rejoinKeys, requests, invite, standing, hostKeys } = this.fields;
    return {
      signature: signature.handle,
      rejoinKeys: rejoinKeys.map(({ handle }) => handle),
      requests,
      rest: concat(
        prefixed(utf8(name), 1),
        prefixed(utf8(invite.link()), 2),
        standing.encode(),
        prefixed(hostKeys?.encode() ?? new Uint8Array(), 2),
      ),
    };
  }

  /**
   * Read what a device has stored. MalformedError; UnsupportedError if the link is of another version.
   *
   * ValidationError("SNUG-11") if the name is not allowed.
   */
  static async from({ signature, rejoinKeys, requests, rest }: MemberRecord): Promise<MemberRecoveryData> {
    const count = rejoinKeys.length;
    if (count === 0 || count > TICKET_SIGNATURES_MAX || requests < 0 || requests >= count)
      throw new MalformedError("member recovery data: the number of rejoin keys is wrong");
    const r = new Reader(rest);
    const [name, invite, standing] = [checkName(r.text(1)), Invite.parse(r.text(2)), Standing.read(r)];
    const ofHost = r.prefixed(2);
    r.end();
    const hostKeys = ofHost.length > 0 ? await HostKeys.decode(ofHost) : null;
    return new MemberRecoveryData({
      name,
      signature: SigningKey.of(signature),
      rejoinKeys: rejoinKeys.map((handle) => SigningKey.of(handle)),
      requests,
      invite,
      standing,
      hostKeys,
    });
  }
}
