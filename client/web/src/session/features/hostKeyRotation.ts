/**
 * Change the hosts' keys when somebody holds them who is no host any more.
 *
 * docs/explanation/decisions/0042-host-keys.md. The commit that names new public keys is a change of the policy
 * (SNUG-13); its author then sends the seed to the other hosts (`HostKeyTransfer`), and hands the room at the server
 * to the new room admin key (G8). Then it takes a slot with that key, whose signature a restarted server accepts.
 */
import { type Bytes, hex, same } from "../../crypto/bytes";
import type { Policy } from "../../crypto/agreed/roomState";
import * as invite from "../../crypto/entry/invite";
import { HostKeys, HostSeed } from "../../crypto/entry/invite";
import * as sentences from "../catalogue/sentences";
import { Feature } from "../kernel/feature";
import type { PolicyIntent } from "../kernel/intents";
import { isCurrent, roomAdmin } from "../kernel/opening";
import type { Room } from "../kernel/ports";
import type { Change } from "../kernel/verdict";
import { interval } from "../monitor/heartbeats";
import { currentKeys, HostKeyTransfer } from "./hostKeyTransfer";

/** Seconds that each next host waits for the one before it to change the keys. */
export const STEP = 2;
/** Intervals between beats, beyond those after which a host is not heard, until it counts as gone. */
export const SILENT_INTERVALS = 9;
/** Seconds for which a host waits for keys that it was not sent: their author is gone, or is still heard. */
export const WITHOUT = 30;
export const WITHOUT_MAX = 120;
/** Seconds until a room that is still held under the old key is handed over again. */
export const REKEY_EVERY = 2;

/** A host's part in it. The ledger says when a change is due, so that every host knows. */
export class HostKeyRotation extends Feature {
  #next: HostSeed | null = null;
  #intent: PolicyIntent | null = null;
  #dueSince: number | null = null;
  #withoutSince: number | null = null;
  /** Hosts' keys (hex) -> when they were last heard. */
  readonly #heard = new Map<string, number>();
  /** Signature key of the host that last changed the keys. */
  #author: Bytes | null = null;
  #rekeyedAt = 0;
  /** Whether no slot has an opening by the current key. */
  #openingDue = false;

  override carryOver(old: Room): void {
    const before = old.feature(HostKeyRotation);
    this.#next = before.#next;
    this.#intent = before.#intent;
    this.#author = before.#author;
    this.#openingDue = before.#openingDue;
    this.#install();
  }

  override adopted(change: Change): void {
    const { room } = this;
    const { membership: m } = room;
    if (!change.rotated) return;
    this.#author = m.signatureKey(change.by);
    this.#dueSince = this.#withoutSince = null;
    this.#openingDue = true;
    this.#install();
    this.#intent = this.#next = null;
    if (m.isHost(m.ownLeaf)) room.tell(sentences.status("keys_changed"));
  }

  override async tick(now: number): Promise<void> {
    const { room } = this;
    const { membership: m } = room;
    if (!m.isHost(m.ownLeaf) || !room.isSynced(now)) {
      this.#dueSince = this.#withoutSince = null;
      this.#heard.clear(); // our own absence is nobody's silence
      return;
    }
    if (currentKeys(room) !== null) {
      this.#withoutSince = null;
      await this.#handOverRoom(now);
    } else this.#withoutSince ??= now;
    if (!this.#isDue(now)) {
      this.#dueSince = null;
      return;
    }
    this.#dueSince ??= now;
    if (now - this.#dueSince >= this.#wait(now)) await this.#rotate(now);
  }

  // -- when -----------------------------------------------------------------------------------------------

  #isDue(now: number): boolean {
    const { membership: m } = this.room;
    const { confirmed } = this.room.feature(HostKeyTransfer);
    const more = SILENT_INTERVALS * interval(m.members().length);
    let silent = false;
    for (const { leaf, host } of m.members()) {
      const key = m.signatureKey(leaf);
      if (!host || key === null || leaf === m.ownLeaf) continue;
      const heard = this.room.heardRecently(leaf, now) ? now : (this.#heard.get(hex(key)) ?? now);
      this.#heard.set(hex(key), heard);
      silent ||= confirmed.has(hex(key)) && now - heard >= more;
    }
    return silent || m.ledger.rotationDue || this.#wasLeft(now);
  }

  /** Return whether the keys that the policy names were never sent to us, and probably will not be. */
  #wasLeft(now: number): boolean {
    if (this.#withoutSince === null) return false;
    return now - this.#withoutSince >= (this.#isHeard(this.#author, now) ? WITHOUT_MAX : WITHOUT);
  }

  #isHeard(key: Bytes | null, now: number): boolean {
    const leaf = key === null ? null : this.room.membership.leafOf(key);
    return key === null || (leaf !== null && this.room.heardRecently(leaf, now));
  }

  /** Return the seconds to wait for hosts of a lower rank, and for those that hold the current keys. */
  #wait(now: number): number {
    const { membership: m } = this.room;
    const before = m.members().filter(({ leaf, host }) => host && leaf < m.ownLeaf);
    const rank = before.filter(({ leaf }) => this.room.heardRecently(leaf, now)).length;
    return STEP * rank + (currentKeys(this.room) !== null || this.#wasLeft(now) ? 0 : WITHOUT);
  }

  // -- what -----------------------------------------------------------------------------------------------

  async #rotate(now: number): Promise<void> {
    const { room } = this;
    const { membership: m } = room;
    if (this.#intent === null || this.#next === null) {
      const seed = (this.#next = await HostSeed.fromRandom(room.rng));
      const before = m.policy.returnPublic;
      const admin = (await seed.roomAdminKey(m.group.groupId)).public;
      const servers = await seed.servers(m.group.groupId, m.policy.origins);
      // Null: done, or another host was quicker. A server that another host has just added is left out: its key is old.
      const change = (policy: Policy): Policy | null => {
        const kept = servers.filter(({ origin }) => policy.servers.some((each) => each.origin === origin));
        return same(policy.returnPublic, before)
          ? policy.withKeys(seed.hostPublic, seed.returnPublic, admin, kept)
          : null;
      };
      this.#intent = { type: "PolicyIntent", change };
    }
    await room.queueOnce(this.#intent, now);
  }

  /** Take our new seed as soon as the policy names its keys. */
  #install(): void {
    const { room } = this;
    const seed = this.#next;
    if (seed === null || !same(seed.returnPublic, room.membership.policy.returnPublic)) return;
    room.takeHostKeys(room.hostKeys === null ? new HostKeys([seed]) : room.hostKeys.withNext(seed));
    this.#intent = this.#next = null;
  }

  /** Hand the room at the server to the current room admin key (G8), and take a slot with it. */
  async #handOverRoom(now: number): Promise<void> {
    const { room } = this;
    const nonce = room.serverNonce;
    if (room.roomAdminKeys.isLatest) return await this.#signSlot(now);
    if (nonce === null || now - this.#rekeyedAt < REKEY_EVERY) return;
    this.#rekeyedAt = now;
    const key = await roomAdmin(room);
    if (key === null) return;
    const [door, wanted] = [room.doorKey.public, room.membership.policy.roomAdminPublic];
    const signature = await key.sign(invite.rekeyMessage(invite.roomNumber(door, wanted), nonce));
    room.send({ type: "rekey", door_key: door, room_admin_key: wanted, signature });
  }

  /** Take a slot with the current key: members pass its opening on to a restarted server (G1). */
  async #signSlot(now: number): Promise<void> {
    const { room } = this;
    const { membership: m } = room;
    if (!this.#openingDue) return;
    for (const entry of m.journal.signed())
      if (await isCurrent(room, entry)) {
        this.#openingDue = false;
        return;
      }
    const own = m.signatureKey(m.ownLeaf);
    const ours = own !== null && this.#author !== null && same(own, this.#author);
    if (room.idle && (ours || !this.#isHeard(this.#author, now)))
      await room.queue({ type: "HealIntent", epoch: m.group.epoch }, now);
  }
}
