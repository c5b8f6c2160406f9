/**
 * Hand the host seed to members that a host makes hosts (docs/explanation/decisions/0009-turns-and-hosts.md).
 *
 * A receiver proves that it has the seed with a signature that only the seed makes. Until then the seed is sent
 * again, after a growing interval: a lost connection delays it and loses nothing.
 */
import { type Bytes, hex, same } from "../../crypto/bytes";
import { SnugCryptoError } from "../../crypto/errors";
import { verify } from "../../crypto/kdf";
import type { ApplicationMessage } from "../../mls";
import { grantedMessage, openGrant, sealGrant } from "./announcements";
import { Feature } from "../kernel/feature";
import type { AnyContent, Grant, Granted } from "../catalogue/content";
import { type Change, among } from "../kernel/membership";
import type { RoomSession } from "../kernel/room";

/** Seconds until an unanswered grant is sent again, doubled each time up to the maximum. */
export const AGAIN = 5;
export const AGAIN_MOST = 300;

interface Owed {
  /** When it is due. */
  readonly at: number;
  readonly wait: number;
}

/** Owes the seed to signature keys, and sends it to those that are hosts and have announced a box. */
export class Granting extends Feature {
  #owed = new Map<string, Owed>();
  /** Signature keys (hex) of hosts that have proven that they hold the seed. */
  shown = new Set<string>();
  #toShow = false;

  override carryOver(old: RoomSession): void {
    const before = old.feature(Granting);
    this.#owed = before.#owed;
    this.shown = before.shown;
    this.#toShow = before.#toShow;
  }

  /** Send the seed to that member as soon as the policy names it a host. */
  owe(signatureKey: Bytes): void {
    const key = hex(signatureKey);
    if (!this.#owed.has(key)) this.#owed.set(key, { at: 0, wait: AGAIN });
  }

  override async tick(now: number): Promise<void> {
    const { room } = this;
    const { hostSeed } = room;
    if (hostSeed === null || !room.isLevel(now)) return;
    const { groupId } = room.m.group;
    if (this.#toShow) {
      this.#toShow = false;
      const own = room.m.signatureKey(room.m.ownLeaf) ?? new Uint8Array();
      const signature = await hostSeed.hostKey.sign(grantedMessage(groupId, own));
      await room.relay({ type: "granted", signature });
    }
    if (this.#owed.size === 0) return;
    for (const [leaf, box] of room.announced.boxes()) {
      const key = room.m.signatureKey(leaf);
      const owed = key === null ? undefined : this.#owed.get(hex(key));
      if (key === null || owed === undefined || now < owed.at || !among(key, room.m.policy.hosts)) continue;
      this.#owed.set(hex(key), { at: now + owed.wait, wait: Math.min(2 * owed.wait, AGAIN_MOST) });
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
    const { m } = this.room;
    const gone = change.rejoined ? [] : change.removed.map(({ key }) => key);
    gone.push(...change.policyBefore.hosts.filter((host) => !among(host, change.policyAfter.hosts)));
    if (among(m.signatureKey(m.ownLeaf), gone)) this.#owed.clear(); // we are no longer a host
    for (const key of gone) {
      this.shown.delete(hex(key));
      this.#owed.delete(hex(key));
    }
  }

  override async heard(received: ApplicationMessage, what: AnyContent): Promise<boolean> {
    if (what.type === "grant") await this.#take(received.sender, what);
    else if (what.type === "granted") await this.#show(received.sender, what);
    else return false;
    return true;
  }

  async #take(sender: number, grant: Grant): Promise<void> {
    const { room } = this;
    const { m } = room;
    if (grant.leaf !== m.ownLeaf || !m.isHost(sender)) return;
    if (room.hostSeed === null) {
      const own = m.signatureKey(m.ownLeaf) ?? new Uint8Array();
      const seed = await openGrant(grant, own, room.box, m.group.groupId);
      if (seed === null || !same(seed.hostPublic, m.policy.hostPublic)) return;
      if (!same((await seed.roomAdminKey(m.group.groupId)).public, room.roomAdminPublic)) return;
      room.hostSeed = room.granted = seed;
    }
    this.#toShow = true;
  }

  async #show(sender: number, granted: Granted): Promise<void> {
    const { m } = this.room;
    const key = m.signatureKey(sender);
    if (key === null || !among(key, m.policy.hosts)) return;
    try {
      await verify(m.policy.hostPublic, grantedMessage(m.group.groupId, key), granted.signature);
    } catch (error) {
      if (error instanceof SnugCryptoError) return; // it has another seed, and cannot host
      throw error;
    }
    this.shown.add(hex(key));
    this.#owed.delete(hex(key));
  }
}
