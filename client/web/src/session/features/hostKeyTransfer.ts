/**
 * Hand the host seed to members that a host makes hosts (docs/explanation/decisions/0009-turns-and-hosts.md).
 *
 * A receiver proves that it has the seed with a signature that only the seed makes. Until then the seed is sent
 * again, after a growing interval: a lost connection delays it and loses nothing.
 */
import { type Bytes, among, hex, same } from "../../crypto/bytes";
import { SnugCryptoError } from "../../crypto/errors";
import { verify } from "../../crypto/kdf";
import type { ApplicationMessage } from "../../mls";
import { grantedMessage, openGrant, sealGrant } from "../kernel/announcements";
import { Feature } from "../kernel/feature";
import type { AnyContent, Grant, Granted } from "../catalogue/content";
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

/** Sends the seed to new hosts that have announced a box, until they confirm that they have it. */
export class HostKeyTransfer extends Feature {
  #pending = new Map<string, Pending>();
  /** Signature keys (hex) of hosts that have proven that they hold the seed. */
  confirmed = new Set<string>();
  #confirmDue = false;

  override carryOver(old: Room): void {
    const before = old.feature(HostKeyTransfer);
    this.#pending = before.#pending;
    this.confirmed = before.confirmed;
    this.#confirmDue = before.#confirmDue;
  }

  /** Send the seed to that member as soon as the policy names it a host. */
  schedule(signatureKey: Bytes): void {
    const key = hex(signatureKey);
    if (!this.#pending.has(key)) this.#pending.set(key, { at: 0, wait: RESEND_AFTER });
  }

  override async tick(now: number): Promise<void> {
    const { room } = this;
    const { hostSeed } = room;
    if (hostSeed === null || !room.isSynced(now)) return;
    const { groupId } = room.membership.group;
    if (this.#confirmDue) {
      this.#confirmDue = false;
      const own = room.membership.signatureKey(room.membership.ownLeaf) ?? new Uint8Array();
      const signature = await hostSeed.hostKey.sign(grantedMessage(groupId, own));
      await room.relay({ type: "granted", signature });
    }
    if (this.#pending.size === 0 || room.holdReason(now) !== null) return;
    for (const [leaf, box] of room.announcements.boxes()) {
      const key = room.membership.signatureKey(leaf);
      const pending = key === null ? undefined : this.#pending.get(hex(key));
      if (key === null || pending === undefined || now < pending.at || !among(key, room.membership.policy.hosts)) continue;
      this.#pending.set(hex(key), { at: now + pending.wait, wait: Math.min(2 * pending.wait, RESEND_AFTER_MAX) });
      let grant: Grant;
      try {
        grant = await sealGrant(hostSeed, leaf, key, box, groupId, room.rng);
      } catch (error) {
        if (error instanceof SnugCryptoError) continue; // a box that is no key: its owner cannot be sent a seed
        throw error;
      }
      await room.relay(grant);
    }
  }

  override adopted(change: Change): void {
    const { membership: m } = this.room;
    const gone = change.rejoined ? [] : change.removed.map(({ key }) => key);
    gone.push(...change.policyBefore.hosts.filter((host) => !among(host, change.policyAfter.hosts)));
    if (among(m.signatureKey(m.ownLeaf), gone)) this.#pending.clear(); // we are no longer a host
    for (const key of gone) {
      this.confirmed.delete(hex(key));
      this.#pending.delete(hex(key));
    }
  }

  override async contentReceived(received: ApplicationMessage, what: AnyContent): Promise<boolean> {
    if (what.type === "grant") await this.#receiveSeed(received.sender, what);
    else if (what.type === "granted") await this.#receiveConfirmation(received.sender, what);
    else return false;
    return true;
  }

  async #receiveSeed(sender: number, grant: Grant): Promise<void> {
    const { room } = this;
    const { membership: m } = room;
    if (grant.leaf !== m.ownLeaf || !m.isHost(sender)) return;
    if (room.hostSeed === null) {
      const own = m.signatureKey(m.ownLeaf) ?? new Uint8Array();
      const seed = await openGrant(grant, own, room.box, m.group.groupId);
      if (seed === null || !same(seed.hostPublic, m.policy.hostPublic)) return;
      if (!same((await seed.roomAdminKey(m.group.groupId)).public, room.roomAdminPublic)) return;
      room.takeHostSeed(seed);
    }
    this.#confirmDue = true;
  }

  async #receiveConfirmation(sender: number, granted: Granted): Promise<void> {
    const { membership: m } = this.room;
    const key = m.signatureKey(sender);
    if (key === null || !among(key, m.policy.hosts)) return;
    try {
      await verify(m.policy.hostPublic, grantedMessage(m.group.groupId, key), granted.signature);
    } catch (error) {
      if (error instanceof SnugCryptoError) return; // it has another seed, and cannot host
      throw error;
    }
    this.confirmed.add(hex(key));
    this.#pending.delete(hex(key));
  }
}
