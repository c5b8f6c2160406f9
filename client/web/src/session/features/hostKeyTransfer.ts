/**
 * Hand the host keys to the other hosts (docs/explanation/decisions/0042-host-keys.md).
 *
 * A receiver proves that it has the current keys with a signature that only their seed makes. Until then the keys
 * are sent again, after a growing interval: a lost connection delays them and loses nothing.
 */
import { type Bytes, among, hex, same } from "../../crypto/bytes";
import type { HostKeys } from "../../crypto/entry/invite";
import { SnugError } from "../../crypto/errors";
import { verify } from "../../crypto/kdf";
import { grantedMessage, openGrant, sealGrant } from "../kernel/announcements";
import { type Contents, Feature } from "../kernel/feature";
import type { Grant, Granted } from "../catalogue/content";
import type { Change } from "../kernel/verdict";
import type { Room } from "../kernel/ports";

/** Seconds until an unanswered grant is sent again, doubled each time up to the maximum. */
export const RESEND_AFTER = 5;
export const RESEND_AFTER_MAX = 300;

interface Pending {
  /** When it is due. */
  readonly at: number;
  readonly wait: number;
}

/** Return the host keys that we hold if they are the current ones; else null. */
export function currentKeys({ hostKeys, membership }: Room): HostKeys | null {
  return hostKeys !== null && same(hostKeys.current.returnPublic, membership.policy.returnPublic) ? hostKeys : null;
}

/** Sends the keys to hosts that are heard and have announced a box, until they prove to have them. */
export class HostKeyTransfer extends Feature {
  #pending = new Map<string, Pending>();
  /** Signature keys (hex) of hosts that have proven that they hold the current keys. */
  confirmed = new Set<string>();
  #confirmDue = false;

  override carryOver(old: Room): void {
    const before = old.feature(HostKeyTransfer);
    if (same(old.membership.policy.returnPublic, this.room.membership.policy.returnPublic)) {
      this.confirmed = before.confirmed;
      this.#confirmDue = before.#confirmDue;
    }
    this.#pending = before.#pending;
  }

  /** Send the keys to that member as soon as the policy names it a host. */
  schedule(signatureKey: Bytes): void {
    const key = hex(signatureKey);
    if (!this.#pending.has(key)) this.#pending.set(key, { at: 0, wait: RESEND_AFTER });
  }

  override async tick(now: number): Promise<void> {
    const { room } = this;
    const keys = currentKeys(room);
    if (keys === null || !room.isSynced(now)) return;
    const { groupId } = room.membership.group;
    if (this.#confirmDue) {
      this.#confirmDue = false;
      const own = room.membership.signatureKey(room.membership.ownLeaf) ?? new Uint8Array();
      const signature = await keys.current.returnKey.sign(grantedMessage(groupId, own));
      await room.relay({ type: "granted", signature });
    }
    for (const [leaf, box] of room.announcements.boxes()) {
      const key = room.membership.signatureKey(leaf);
      const pending = key === null ? null : this.#due(leaf, key, now);
      if (key === null || pending === null) continue;
      if (room.holdReason(now) !== null) return;
      this.#pending.set(hex(key), { at: now + pending.wait, wait: Math.min(2 * pending.wait, RESEND_AFTER_MAX) });
      let grant: Grant;
      try {
        grant = await sealGrant(keys, leaf, key, box, groupId, room.rng);
      } catch (error) {
        if (error instanceof SnugError) continue; // a box that is no key: its owner cannot be sent the keys
        throw error;
      }
      await room.relay(grant);
    }
  }

  /**
   * Return the entry of the host at `leaf` if the keys are to be sent to it now.
   *
   * The host that has named it does so at once; the others step in, by rank, if no proof comes. A host that is not
   * heard gets them when it is back.
   */
  #due(leaf: number, key: Bytes, now: number): Pending | null {
    const { room } = this;
    const known = !among(key, room.membership.policy.hosts) || this.confirmed.has(hex(key));
    if (known || leaf === room.membership.ownLeaf) return null;
    const pending = this.#pending.get(hex(key)) ?? { at: now + (1 + room.rank) * RESEND_AFTER, wait: RESEND_AFTER };
    this.#pending.set(hex(key), pending);
    return now >= pending.at && room.heardRecently(leaf, now) ? pending : null;
  }

  override adopted(change: Change): void {
    const { membership: m } = this.room;
    const gone = change.rejoined ? [] : change.removed.map(({ key }) => key);
    gone.push(...change.policyBefore.hosts.filter((host) => !among(host, change.policyAfter.hosts)));
    if (among(m.signatureKey(m.ownLeaf), gone)) this.#pending.clear(); // we are no longer a host
    if (change.rotated) {
      this.confirmed.clear(); // of the keys before
      this.#pending.clear();
      if (change.by === m.ownLeaf) for (const key of change.policyAfter.hosts) this.schedule(key);
    }
    for (const key of gone) {
      this.confirmed.delete(hex(key));
      this.#pending.delete(hex(key));
    }
  }

  override contents(): Contents {
    return {
      grant: ({ sender }, what) => this.#receiveKeys(sender, what),
      granted: ({ sender }, what) => this.#receiveConfirmation(sender, what),
    };
  }

  async #receiveKeys(sender: number, grant: Grant): Promise<void> {
    const { room } = this;
    const { membership: m } = room;
    const { policy } = m;
    if (grant.leaf !== m.ownLeaf || !m.isHost(sender)) return;
    if (currentKeys(room) === null) {
      const own = m.signatureKey(m.ownLeaf) ?? new Uint8Array();
      const keys = await openGrant(grant, own, room.box, m.group.groupId);
      if (keys === null || !same(keys.current.returnPublic, policy.returnPublic)) return;
      if (!same((await keys.current.roomAdminKey(m.group.groupId)).public, policy.roomAdminPublic)) return;
      if (!keys.seeds.every(({ hostPublic }) => among(hostPublic, policy.linkKeys))) return;
      room.takeHostKeys(keys);
    }
    this.#confirmDue = true;
  }

  async #receiveConfirmation(sender: number, granted: Granted): Promise<void> {
    const { membership: m } = this.room;
    const key = m.signatureKey(sender);
    if (key === null || !among(key, m.policy.hosts)) return;
    try {
      await verify(m.policy.returnPublic, grantedMessage(m.group.groupId, key), granted.signature);
    } catch (error) {
      if (error instanceof SnugError) return; // it has other keys, and cannot host
      throw error;
    }
    this.confirmed.add(hex(key));
    this.#pending.delete(hex(key));
  }
}
