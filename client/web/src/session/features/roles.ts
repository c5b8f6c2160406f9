/**
 * Acts of hosts on the room as a whole: lock it, take or hand over the host role; and reports of them.
 *
 * All of these are commits that change the policy (SNUG-7, SNUG-13): every member checks them, and reports their
 * author to its person.
 */
import { type Bytes, among, compare, hex, same } from "../../crypto/bytes";
import { HOSTS_MAX, Mode, type Policy } from "../../crypto/agreed/roomState";
import { type Arg, CommandError, type Sentence, sentence } from "../../words/sentence";
import { Feature } from "../kernel/feature";
import type { PolicyChanged } from "../events";
import { HostKeyTransfer } from "./hostKeyTransfer";
import type { Membership } from "../kernel/membership";
import type { Change } from "../kernel/verdict";
import type { Room } from "../kernel/ports";
import * as sentences from "../catalogue/sentences";

/** Seconds within which a new host must show that it can host, or the handover is given up. */
export const HANDOVER_WAIT = 30;

export const MODES = { [Mode.ASK]: "ask", [Mode.WAVE_IN]: "all", [Mode.LOCKED]: "locked" } as const;

const refuse = (key: string, args?: Readonly<Record<string, Arg>>): CommandError =>
  new CommandError(sentence(`room.${key}`, args));

interface Handover {
  readonly key: Bytes;
  readonly name: string;
  readonly since: number;
}

/** A host's acts on the policy, and every member's reports of them. */
export class Roles extends Feature {
  /** The mode that unlocking restores; the stricter mode if this member never saw the room unlocked. */
  #openMode: Mode;
  #handover: Handover | null = null;

  constructor(room: Room) {
    super(room);
    const { mode } = room.membership.policy;
    this.#openMode = mode === Mode.LOCKED ? Mode.ASK : mode;
  }

  override carryOver(old: Room): void {
    const before = old.feature(Roles);
    if (this.room.membership.policy.mode === Mode.LOCKED) this.#openMode = before.#openMode;
    this.#handover = before.#handover;
  }

  // -- commands -------------------------------------------------------------------------------------------

  /** Lock the room, or unlock it; CommandError if it is so already, or we are not a host. */
  async lock(on: boolean, now: number): Promise<void> {
    this.room.hostOnly();
    if (on === (this.room.membership.policy.mode === Mode.LOCKED)) throw refuse(on ? "locked_already" : "not_locked");
    const change = (policy: Policy): Policy | null =>
      on === (policy.mode === Mode.LOCKED)
        ? null
        : policy.with({ version: policy.version + 1, mode: on ? Mode.LOCKED : this.#openMode });
    await this.room.queue({ type: "PolicyIntent", change }, now);
  }

  /** Make the member at `leaf` a host. CommandError if the leaf is empty, or we are not a host. */
  async deputise(leaf: number, now: number): Promise<void> {
    const key = this.#keyOf(leaf);
    const change = (policy: Policy): Policy | null => {
      if (among(key, policy.hosts)) return null;
      if (policy.hosts.length >= HOSTS_MAX) throw refuse("hosts_max", { most: HOSTS_MAX });
      return policy.withHost(key);
    };
    this.room.feature(HostKeyTransfer).schedule(key);
    await this.room.queue({ type: "PolicyIntent", change }, now);
  }

  /**
   * Take the host role from the member at `leaf`, which may be our own.
   *
   * CommandError if the leaf is empty or not a host's, if no host would be left, or if we are not a host.
   */
  async undeputise(leaf: number, now: number): Promise<void> {
    const key = this.#keyOf(leaf);
    const { membership: m } = this.room;
    if (!among(key, m.policy.hosts)) throw refuse("is_no_host", { name: m.name(leaf) });
    if (this.#others(key, m.policy).length === 0) throw refuse("name_another");
    await this.#removeHost(key, null, now);
  }

  /**
   * Make the member at `leaf` a host, and step down once it has shown that it can host.
   *
   * CommandError if no other member is there, or we are not a host, or a handover is under way already.
   */
  async handOver(leaf: number, now: number): Promise<void> {
    const key = this.#keyOf(leaf);
    if (leaf === this.room.membership.ownLeaf) throw refuse("hand_to_oneself");
    if (this.#handover !== null) throw refuse("handing_already", { name: this.#handover.name });
    const name = this.room.membership.name(leaf);
    this.#handover = { key, name, since: now };
    this.room.tell(sentences.status("handing_over", { name }));
    await this.deputise(leaf, now);
  }

  // -- hooks ----------------------------------------------------------------------------------------------

  override async tick(now: number): Promise<void> {
    const handover = this.#handover;
    const { room } = this;
    const { membership: m } = room;
    if (handover === null) return;
    if (!m.isHost(m.ownLeaf))
      this.#handover = null; // another host was quicker
    else if (m.leafOf(handover.key) === null) this.#cancelHandover("handover_gone", handover);
    else if (among(handover.key, m.policy.hosts) && room.feature(HostKeyTransfer).confirmed.has(hex(handover.key))) {
      this.#handover = null;
      await this.#removeHost(m.signatureKey(m.ownLeaf) ?? new Uint8Array(), handover.key, now);
    } else if (now - handover.since > HANDOVER_WAIT) this.#cancelHandover("handover_unshown", handover);
  }

  override adopted(change: Change, now: number): void {
    if (change.policyAfter.mode !== Mode.LOCKED) this.#openMode = change.policyAfter.mode;
    for (const event of changes(change, this.room.membership)) this.room.tell(event);
    if (change.returned) this.#checkReturn(change, now);
  }

  // -- internals ------------------------------------------------------------------------------------------

  /** Report a return that no person approved, although a host is here. */
  #checkReturn(change: Change, now: number): void {
    const { membership: m } = this.room;
    const wasHost = (leaf: number): boolean => among(m.signatureKey(leaf), change.policyBefore.hosts);
    const heard = m.members().some(({ leaf }) => wasHost(leaf) && this.room.heardRecently(leaf, now));
    const [back] = change.added;
    if (!heard || wasHost(change.by) || back === undefined) return;
    this.room.tell(sentences.alarm("unapproved_return", { who: m.who(change.by), name: back.name }));
  }

  #cancelHandover(key: string, handover: Handover): void {
    this.#handover = null;
    const why = sentence(`room.${key}`, { name: handover.name });
    this.room.tell(sentences.alarm("not_done", { why }));
  }

  /** Commit the removal of `key` from the hosts, as long as a host (`to`, if given) remains. */
  async #removeHost(key: Bytes, to: Bytes | null, now: number): Promise<void> {
    const change = (policy: Policy): Policy | null => {
      if (!among(key, policy.hosts)) return null;
      const others = this.#others(key, policy);
      if (others.length === 0 || (to !== null && !among(to, others))) throw refuse("name_another");
      return policy.withoutHost(key);
    };
    await this.room.queue({ type: "PolicyIntent", change }, now);
  }

  /** Return the signature keys of the hosts in the room, except `key`. */
  #others(key: Bytes, policy: Policy): Bytes[] {
    return policy.hosts.filter((host) => !same(host, key) && this.room.membership.leafOf(host) !== null);
  }

  #keyOf(leaf: number): Bytes {
    const key = this.room.membership.signatureKey(leaf);
    if (key === null) throw refuse("nobody_there", { leaf });
    this.room.hostOnly();
    return key;
  }
}

/** Return a commit's changes to the policy, one event each; `m` is the membership after it. */
export function changes(change: Change, m: Membership): PolicyChanged[] {
  const { policyBefore: before, policyAfter: after, by } = change;
  if (before === after || same(before.encode(), after.encode())) return [];
  const found: PolicyChanged[] = [];
  const who = m.who(by);
  const tell = (kind: PolicyChanged["kind"], text: Sentence, more: Partial<PolicyChanged> = {}): void => {
    found.push({ type: "PolicyChanged", by, kind, text, leaf: null, mode: null, ...more });
  };
  const [back] = change.added;
  if (change.returned && back !== undefined) {
    const key = before.hosts.length === 1 ? "room.back_by_own_key" : "room.back_by_shared_key";
    tell("host", sentence(key, { name: back.name, who }), { leaf: back.leaf });
    return found;
  }
  for (const [kind, these, those] of [
    ["host", after.hosts, before.hosts],
    ["no_host", before.hosts, after.hosts],
  ] as const) {
    for (const key of these.filter((host) => !among(host, those)).sort(compare)) {
      const leaf = m.leafOf(key);
      const went = change.removed.find((gone) => same(gone.key, key))?.name;
      const whom = leaf === null ? (went ?? sentence("room.somebody_else")) : m.name(leaf);
      const which = kind === "host" ? "made_host" : leaf === by ? "laid_down" : "took_powers";
      tell(kind, sentence(`room.${which}`, { who, whom }), { leaf });
    }
  }
  if (before.mode !== after.mode) {
    const way = after.mode === Mode.LOCKED ? "locked" : before.mode === Mode.LOCKED ? "unlocked" : "changed";
    const key = way === "locked" ? "room.mode_locked" : `room.mode_${way}_${MODES[after.mode]}`;
    tell("mode", sentence(key, { who }), { mode: MODES[after.mode] });
  }
  if (before.title !== after.title) tell("title", sentence("room.titled", { who, title: after.title }));
  const listed = ({ origins }: Policy): string => origins.join(", ");
  const servers = listed(after);
  if (listed(before) !== servers)
    tell("servers", sentence(servers === "" ? "room.servers.none" : "room.servers", { who, servers }));
  return found;
}
