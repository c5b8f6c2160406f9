/**
 * State that all members of a room agree on besides the MLS group: policy, tickets, and a commit's context.
 *
 * docs/reference/protocol.md, section 5; the ledger is in `ledger.ts`. All encodings are canonical: equal values have
 * equal bytes, and any other encoding is malformed.
 */

import { decode, encode } from "../../wire/layout";
import {
  ANY_HOST,
  COMMIT_CONTEXT,
  type CommitContext as ContextFields,
  HOST_RETURN_MESSAGE,
  type HostReturn,
  IDENTITY,
  LATER_KEYS_MAX,
  MIRROR,
  Mode,
  POLICY,
  type Policy as PolicyFields,
  type PolicyServer,
  REJOIN_MESSAGE,
  REJOIN_TICKET,
  type RejoinTicket as TicketFields,
  REPORTS,
  SIXTEEN,
  STRICT,
} from "../../wire/layouts/roomState";
import { among, type Bytes, compare, same } from "../bytes";
import { MalformedError } from "../errors";
import type { SigningKey } from "../kdf";

export { type HostReturn, Mode, type PolicyServer };
export {
  ANY_HOST,
  HOSTS_MAX,
  LATER_KEYS_MAX,
  MIRROR,
  POLICY_EXTENSION,
  REJOIN_EXTENSION,
  REJOIN_KEY_EXTENSION,
  REJOIN_KEY_SIZE,
  REPORTS,
  SERVERS_MAX,
  SINGLE_USE,
  SIXTEEN,
  STRICT,
  TICKET_SIGNATURES_MAX,
  TITLE_MAX,
} from "../../wire/layouts/roomState";

const NO_KEY: Bytes = new Uint8Array(32);

export interface Policy extends PolicyFields {}

/** The extension `snug_policy`: the hosts and their public keys, and the settings of the room. */
export class Policy {
  constructor(fields: Pick<PolicyFields, "version" | "hosts" | "hostPublic"> & Partial<PolicyFields>) {
    const keys = { returnPublic: NO_KEY, roomAdminPublic: NO_KEY, laterKeys: [] };
    const hosts = [...fields.hosts].sort(compare);
    Object.assign(this, keys, { mode: Mode.ASK, title: "", servers: [], flags: 0 }, fields, { hosts });
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

  /** Whether a missing host pauses the meeting after 15 s already. */
  get strict(): boolean {
    return (this.flags & STRICT) !== 0;
  }

  /** Return whether that signature key (32 bytes) belongs to a host. */
  isHost(signatureKey: Uint8Array): boolean {
    return this.hosts.some((host) => same(host, signatureKey));
  }

  encode(): Bytes {
    return encode(POLICY, this);
  }

  /** Decode a policy. MalformedError for anything but the canonical encoding within the limits. */
  static decode(data: Bytes): Policy {
    const policy = new Policy(decode(POLICY, data));
    if (among(policy.hostPublic, policy.laterKeys))
      throw new MalformedError("policy: the key of the first links is there twice");
    return policy;
  }

  /** Return the next version, with one more host. */
  withHost(signatureKey: Bytes): Policy {
    const others = this.hosts.filter((host) => !same(host, signatureKey));
    return this.with({ version: this.version + 1, hosts: [...others, signatureKey] });
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
    return encode(IDENTITY, this);
  }

  /** Decode. MalformedError for other input. */
  static decode(data: Bytes): Identity {
    const { name, flags } = decode(IDENTITY, data);
    return new Identity(name, flags);
  }
}

export interface RejoinTicket extends TicketFields {}

/**
 * Request of a member without state to be added in place of its old leaf (docs/reference/protocol.md, section 6).
 *
 * The ticket is in its new KeyPackage. Two keys of the old leaf must have signed it: the signature key (by the
 * KeyPackage's signature), and the leaf's current rejoin key, which changes with every commit of the leaf. A signature
 * key that was stolen earlier is therefore not enough.
 */
export class RejoinTicket {
  constructor(fields: Pick<TicketFields, "groupId" | "slot" | "chain" | "nonce"> & Partial<TicketFields>) {
    Object.assign(this, { stuck: false, by: ANY_HOST, signatures: [] }, fields);
  }

  encode(): Bytes {
    return encode(REJOIN_TICKET, this);
  }

  /** Return the message that a rejoin key signs; the arguments are the new leaf's (32 bytes each). */
  message(initKey: Bytes, encryptionKey: Bytes, rejoinKey: Bytes): Bytes {
    return encode(REJOIN_MESSAGE, { ...this, initKey, encryptionKey, rejoinKey });
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
    return new RejoinTicket(decode(REJOIN_TICKET, data));
  }
}

/** Return the message that the return key signs; `keyPackage` is H of the KeyPackage. */
export function hostReturnMessage(groupId: Bytes, keyPackage: Bytes, slot: number): Bytes {
  return encode(HOST_RETURN_MESSAGE, { groupId, keyPackage, slot });
}

export interface CommitContext extends ContextFields {}

/** Contents of a commit's authenticated_data: the room and the history that it belongs to (SNUG-1). */
export class CommitContext {
  constructor(fields: Pick<ContextFields, "room" | "slot" | "chain" | "ledger"> & Partial<ContextFields>) {
    Object.assign(this, { invites: [], hostReturn: null, absent: false, withdrawn: [] }, fields);
  }

  encode(): Bytes {
    return encode(COMMIT_CONTEXT, this);
  }

  /** Decode. MalformedError for other input. */
  static decode(data: Bytes): CommitContext {
    return new CommitContext(decode(COMMIT_CONTEXT, data));
  }
}
