/**
 * State that all members of a room agree on besides the MLS group: policy, tickets, and a commit's context.
 *
 * docs/reference/protocol.md, section 5; the ledger is in `ledger.ts`. All encodings are canonical: equal values have
 * equal bytes, and any other encoding is malformed.
 */

import { type Bytes, compare, concat, hex, same, utf8 } from "../bytes";
import { MalformedError } from "../errors";
import { flag, prefixed, Reader, several, textOf, uint } from "../fields";
import type { SigningKey } from "../kdf";

/** GroupContext extension that carries the policy (a private-use number of RFC 9420 17.3). */
export const POLICY_EXTENSION = 0xf001;
/** KeyPackage extension that carries a rejoin ticket. */
export const REJOIN_EXTENSION = 0xf002;
/** LeafNode extension that carries the leaf's rejoin key, an Ed25519 public key (32 bytes). */
export const REJOIN_KEY_EXTENSION = 0xf003;
export const REJOIN_KEY_SIZE = 32;
/**
 * Maximum number of signatures on a ticket: by the leaf's rejoin key, by the key of its own commit if that may have
 * been adopted, and by the key of the new leaf.
 */
export const TICKET_SIGNATURES_MAX = 8;
/** Bit of an invite index that marks a single-use invite. */
export const SINGLE_USE = 0x8000;

export const TITLE_MAX = 128;
export const HOSTS_MAX = 16;
export const SERVERS_MAX = 8;
/** Host keys of later generations whose links work, besides the first. */
export const LATER_KEYS_MAX = 15;
/** Flag bit of the policy: the meeting keeps signatures for reports (docs/reference/protocol.md, section 13). */
export const REPORTS = 0x01;
/** The same: the meeting's heartbeats go through a second server as well (section 12). */
export const MIRROR = 0x02;
/** The same: in a large room, members receive 16 microphones: the server can tell who speaks (section 10). */
export const SIXTEEN = 0x04;
/** Placeholder for a leaf: any host may commit the rejoin. */
export const ANY_HOST = 0xffffffff;

/** How the room treats newcomers. */
export const Mode = { ASK: 0, WAVE_IN: 1, LOCKED: 2 } as const;
export type Mode = (typeof Mode)[keyof typeof Mode];

const isMode = (value: number): value is Mode => value <= Mode.LOCKED;

/** A further server at which the meeting can continue, and the hosts' key for rooms there (section 12). */
export interface PolicyServer {
  /** Canonical. */
  readonly origin: string;
  /** Of the current generation, 32 bytes. */
  readonly roomAdminPublic: Bytes;
}

/** Fields of a `Policy`. */
export interface PolicyFields {
  readonly version: number;
  /** Signature keys (32 bytes), sorted. */
  readonly hosts: readonly Bytes[];
  /** Host key of the first generation, 32 bytes: in the meeting's first links. */
  readonly hostPublic: Bytes;
  readonly mode?: Mode;
  readonly title?: string;
  /** In the order in which members try them. */
  readonly servers?: readonly PolicyServer[];
  readonly flags?: number;
  /** Of the current generation, 32 bytes each. No signature is valid under a key of zeros. */
  readonly returnPublic?: Bytes;
  readonly roomAdminPublic?: Bytes;
  /** Host keys of the later generations, oldest first: those of the links that were made since. */
  readonly laterKeys?: readonly Bytes[];
}

/** The extension `snug_policy`: the hosts and their public keys, and the settings of the room. */
export class Policy implements PolicyFields {
  readonly version: number;
  readonly hosts: readonly Bytes[];
  readonly hostPublic: Bytes;
  readonly mode: Mode;
  readonly title: string;
  readonly servers: readonly PolicyServer[];
  readonly flags: number;
  readonly returnPublic: Bytes;
  readonly roomAdminPublic: Bytes;
  readonly laterKeys: readonly Bytes[];

  constructor(fields: PolicyFields) {
    this.version = fields.version;
    this.hosts = fields.hosts;
    this.hostPublic = fields.hostPublic;
    this.mode = fields.mode ?? Mode.ASK;
    this.title = fields.title ?? "";
    this.servers = fields.servers ?? [];
    this.flags = fields.flags ?? 0;
    this.returnPublic = fields.returnPublic ?? new Uint8Array(32);
    this.roomAdminPublic = fields.roomAdminPublic ?? new Uint8Array(32);
    this.laterKeys = fields.laterKeys ?? [];
  }

  /** The origins of the further servers, in the order in which members try them. */
  get origins(): string[] {
    return this.servers.map(({ origin }) => origin);
  }

  /** The host keys that links to this meeting name, the current one last. */
  get linkKeys(): readonly Bytes[] {
    return [this.hostPublic, ...this.laterKeys];
  }

  /** Return a copy with these changes. */
  with(changes: Partial<PolicyFields>): Policy {
    return new Policy({ ...this, ...changes });
  }

  /** Whether messages can be proven to third parties later. */
  get reports(): boolean {
    return (this.flags & REPORTS) !== 0;
  }

  /** Whether heartbeats go through a second server as well. */
  get mirrored(): boolean {
    return (this.flags & MIRROR) !== 0;
  }

  /** Whether members of a large room receive 16 microphones only. */
  get sixteen(): boolean {
    return (this.flags & SIXTEEN) !== 0;
  }

  /** Return whether that signature key (32 bytes) belongs to a host. */
  isHost(signatureKey: Uint8Array): boolean {
    return this.hosts.some((host) => same(host, signatureKey));
  }

  encode(): Bytes {
    return concat(
      uint(1, 1),
      uint(this.version, 4),
      uint(this.hosts.length, 1),
      ...this.hosts.toSorted(compare),
      this.hostPublic,
      this.returnPublic,
      this.roomAdminPublic,
      uint(this.laterKeys.length, 1),
      ...this.laterKeys,
      uint(this.mode, 1),
      prefixed(utf8(this.title), 1),
      uint(this.servers.length, 1),
      ...this.servers.flatMap(({ origin, roomAdminPublic }) => [prefixed(utf8(origin), 1), roomAdminPublic]),
      uint(this.flags, 1),
    );
  }

  /** Decode a policy. MalformedError for anything but the canonical encoding within the limits. */
  static decode(data: Bytes): Policy {
    const r = new Reader(data);
    if (r.uint(1) !== 1) throw new MalformedError("policy: the format must be 1");
    const version = r.uint(4);
    const hosts = several(r.uint(1), () => r.take(32));
    const [hostPublic, returnPublic, roomAdminPublic] = [r.take(32), r.take(32), r.take(32)];
    const laterKeys = several(r.uint(1), () => r.take(32));
    const mode = r.uint(1);
    if (!isMode(mode)) throw new MalformedError("policy: unknown mode");
    const title = r.text(1);
    const servers = several(r.uint(1), () => ({ origin: r.text(1), roomAdminPublic: r.take(32) }));
    const flags = r.uint(1);
    r.end();
    if (flags & ~(REPORTS | MIRROR | SIXTEEN)) throw new MalformedError("policy: flags that are not defined");
    if (laterKeys.length > LATER_KEYS_MAX || new Set([hostPublic, ...laterKeys].map(hex)).size !== 1 + laterKeys.length)
      throw new MalformedError("policy: too many keys of links, or one of them twice");
    if (hosts.length > HOSTS_MAX || utf8(title).length > TITLE_MAX || servers.length > SERVERS_MAX)
      throw new MalformedError("policy: more than its limits allow");
    if (new Set(hosts.map(hex)).size !== hosts.length)
      throw new MalformedError("policy: a host is named twice");
    const keys = { hostPublic, returnPublic, roomAdminPublic, laterKeys };
    const policy = new Policy({ version, hosts, ...keys, mode, title, servers, flags });
    if (!same(policy.encode(), data)) throw new MalformedError("policy: not in canonical form");
    return policy;
  }

  /** Return the next version, with one more host. */
  withHost(signatureKey: Bytes): Policy {
    const others = this.hosts.filter((host) => !same(host, signatureKey));
    return this.with({ version: this.version + 1, hosts: [...others, signatureKey].sort(compare) });
  }

  /** Return the next version, without this host. */
  withoutHost(signatureKey: Bytes): Policy {
    const hosts = this.hosts.filter((host) => !same(host, signatureKey));
    return this.with({ version: this.version + 1, hosts });
  }

  /** Return the next version, with the public keys of another generation. */
  withKeys(
    hostPublic: Bytes,
    returnPublic: Bytes,
    roomAdminPublic: Bytes,
    servers: readonly PolicyServer[] = [],
  ): Policy {
    const laterKeys = [...this.laterKeys, hostPublic].slice(-LATER_KEYS_MAX);
    return this.with({ version: this.version + 1, returnPublic, roomAdminPublic, servers, laterKeys });
  }

  /** Return the next version, with another list of further servers. */
  withServers(servers: readonly PolicyServer[]): Policy {
    return this.with({ version: this.version + 1, servers });
  }
}

/** Contents of a leaf's basic credential: one byte of flags (none is defined yet), and the name. */
export class Identity {
  constructor(readonly name: string, readonly flags = 0) {}

  encode(): Bytes {
    return concat(uint(this.flags, 1), utf8(this.name));
  }

  /** Decode. MalformedError for other input. */
  static decode(data: Bytes): Identity {
    const r = new Reader(data);
    const flags = r.uint(1);
    return new Identity(textOf(r.rest(), "credential: the name is not UTF-8"), flags);
  }
}

/** Fields of a `RejoinTicket`. */
export interface TicketFields {
  readonly groupId: Bytes;
  /** Last slot that the member knew. */
  readonly slot: number;
  /** Chain value after that slot, 32 bytes. */
  readonly chain: Bytes;
  /** 16 bytes. */
  readonly nonce: Bytes;
  /** true: the member could not process the commit of slot + 1. */
  readonly stuck?: boolean;
  /** Leaf that may commit the rejoin. */
  readonly by?: number;
  readonly signatures?: readonly Bytes[];
}

/**
 * Request of a member without state to be added in place of its old leaf (docs/reference/protocol.md, section 6).
 *
 * The ticket is in its new KeyPackage. Two keys of the old leaf must have signed it: the signature key (by the
 * KeyPackage's signature), and the leaf's current rejoin key, which changes with every commit of the leaf. A signature
 * key that was stolen earlier is therefore not enough.
 */
export class RejoinTicket implements TicketFields {
  readonly groupId: Bytes;
  readonly slot: number;
  readonly chain: Bytes;
  readonly nonce: Bytes;
  readonly stuck: boolean;
  readonly by: number;
  /** Signatures of `message` (64 bytes each), of which one must be by the leaf's current rejoin key. */
  readonly signatures: readonly Bytes[];

  constructor(fields: TicketFields) {
    this.groupId = fields.groupId;
    this.slot = fields.slot;
    this.chain = fields.chain;
    this.nonce = fields.nonce;
    this.stuck = fields.stuck ?? false;
    this.by = fields.by ?? ANY_HOST;
    this.signatures = fields.signatures ?? [];
  }

  #fields(): Bytes {
    return concat(
      prefixed(this.groupId, 1),
      uint(this.slot, 8),
      this.chain,
      this.nonce,
      uint(this.by, 4),
      flag(this.stuck),
    );
  }

  encode(): Bytes {
    return concat(this.#fields(), uint(this.signatures.length, 1), ...this.signatures);
  }

  /** Return the message that a rejoin key signs; the arguments are the new leaf's (32 bytes each). */
  message(initKey: Bytes, encryptionKey: Bytes, rejoinKey: Bytes): Bytes {
    return concat(utf8("snug 1 rejoin"), this.#fields(), initKey, encryptionKey, rejoinKey);
  }

  /** Return the ticket with the signatures of `keys`. */
  async signed(
    keys: readonly SigningKey[],
    initKey: Bytes,
    encryptionKey: Bytes,
    rejoinKey: Bytes,
  ): Promise<RejoinTicket> {
    const message = this.message(initKey, encryptionKey, rejoinKey);
    const signatures: Bytes[] = [];
    for (const key of keys) signatures.push(await key.sign(message));
    return new RejoinTicket({ ...this, signatures });
  }

  /** Decode. MalformedError for other input. */
  static decode(data: Bytes): RejoinTicket {
    const r = new Reader(data);
    const [groupId, slot, chain, nonce, by] = [r.prefixed(1), r.uint(8), r.take(32), r.take(16), r.uint(4)];
    const [stuck, count] = [r.uint(1), r.uint(1)];
    if (stuck > 1) throw new MalformedError("rejoin ticket: a flag must be 0 or 1");
    if (count > TICKET_SIGNATURES_MAX)
      throw new MalformedError(`rejoin ticket: more than ${TICKET_SIGNATURES_MAX} signatures`);
    const signatures = several(count, () => r.take(64));
    r.end();
    return new RejoinTicket({ groupId, slot, chain, nonce, stuck: stuck === 1, by, signatures });
  }
}

/**
 * Request of a crashed host to be added, signed by the current return key (docs/reference/protocol.md, section 6).
 */
export interface HostReturn {
  /** Last taken slot at the time of signing. */
  readonly slot: number;
  /** 64 bytes. */
  readonly signature: Bytes;
}

const encodeReturn = (back: HostReturn): Bytes => concat(uint(back.slot, 8), back.signature);

/** Return the message that the return key signs; `keyPackage` is H of the KeyPackage. */
export function hostReturnMessage(groupId: Bytes, keyPackage: Bytes, slot: number): Bytes {
  return concat(utf8("snug 1 return"), prefixed(groupId, 2), keyPackage, uint(slot, 8));
}

/** Fields of a `CommitContext`. */
export interface ContextFields {
  /** 16 bytes. */
  readonly room: Bytes;
  readonly slot: number;
  /** Chain value before this slot, 32 bytes. */
  readonly chain: Bytes;
  /** H(ledger before this slot), 32 bytes. */
  readonly ledger: Bytes;
  /** Index of the invite that each added member used, in the order of the Adds. */
  readonly invites?: readonly number[];
  /** SNUG-9. */
  readonly hostReturn?: HostReturn | null;
  /** The removed members were away: their invites stay valid (SNUG-7). */
  readonly absent?: boolean;
}

/** Contents of a commit's authenticated_data: the room and the history that it belongs to (SNUG-1). */
export class CommitContext implements ContextFields {
  readonly room: Bytes;
  readonly slot: number;
  readonly chain: Bytes;
  readonly ledger: Bytes;
  readonly invites: readonly number[];
  readonly hostReturn: HostReturn | null;
  readonly absent: boolean;

  constructor(fields: ContextFields) {
    this.room = fields.room;
    this.slot = fields.slot;
    this.chain = fields.chain;
    this.ledger = fields.ledger;
    this.invites = fields.invites ?? [];
    this.hostReturn = fields.hostReturn ?? null;
    this.absent = fields.absent ?? false;
  }

  encode(): Bytes {
    const parts = [uint(1, 1), this.room, uint(this.slot, 8), this.chain, this.ledger];
    parts.push(uint(this.invites.length, 1), ...this.invites.map((invite) => uint(invite, 2)));
    parts.push(flag(this.hostReturn !== null));
    if (this.hostReturn !== null) parts.push(encodeReturn(this.hostReturn));
    parts.push(flag(this.absent));
    return concat(...parts);
  }

  /** Decode. MalformedError for other input. */
  static decode(data: Bytes): CommitContext {
    const r = new Reader(data);
    if (r.uint(1) !== 1) throw new MalformedError("commit context: the format must be 1");
    const [room, slot, chain, ledger] = [r.take(16), r.uint(8), r.take(32), r.take(32)];
    const invites = several(r.uint(1), () => r.uint(2));
    const hasReturn = r.uint(1);
    const hostReturn = hasReturn ? { slot: r.uint(8), signature: r.take(64) } : null;
    const absent = r.uint(1);
    r.end();
    if (hasReturn > 1 || absent > 1)
      throw new MalformedError("commit context: a flag must be 0 or 1");
    return new CommitContext({ room, slot, chain, ledger, invites, hostReturn, absent: absent === 1 });
  }
}
