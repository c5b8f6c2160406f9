/**
 * Invites that hosts have revoked by hand, sent to all hosts, including absent and later ones.
 *
 * A removal revokes its invite by itself, in the ledger (protocol section 5). This module is for invites that nobody
 * has used yet: no member's verdict depends on it, but no host's program shows a knock by them.
 */
import { type Bytes, hex } from "../../crypto/bytes";
import { H } from "../../crypto/kdf";
import { type Contents, Feature } from "../kernel/feature";
import { REVOKED_MAX } from "../catalogue/content";
import { HostKeyTransfer } from "./hostKeyTransfer";
import type { Change } from "../kernel/verdict";
import type { Room } from "../kernel/ports";
import { status } from "../catalogue/sentences";

/** Seconds after which an unconfirmed message is sent again. */
export const RESEND_AFTER = 5;

/** The revoked invites, and those not yet sent. Only messages of hosts count. */
export class Revocation extends Feature {
  /** Indices of invites that hosts have revoked; at most 65,536 exist. */
  revoked = new Set<number>();
  #unsent = new Set<number>();
  /** By hex(H(blob)), until the blob has come back. */
  readonly #inFlight = new Map<string, readonly [readonly number[], number]>();
  #knownHosts = new Set<string>();

  override carryOver(old: Room): void {
    const before = old.feature(Revocation);
    this.revoked = before.revoked;
    this.#knownHosts = before.#knownHosts;
    this.#unsent = new Set([...before.#unsent, ...[...before.#inFlight.values()].flatMap(([some]) => some)]);
  }

  /** Revoke an invite, and inform the other hosts as soon as possible. */
  revoke(index: number): void {
    this.revoked.add(index);
    this.#unsent.add(index);
  }

  override async tick(now: number): Promise<void> {
    const { room } = this;
    for (const [digest, [some, sentAt]] of [...this.#inFlight])
      if (now - sentAt > RESEND_AFTER) {
        // A connection may have been lost in between.
        this.#inFlight.delete(digest);
        for (const index of some) this.#unsent.add(index);
      }
    if (this.#unsent.size === 0 || room.hostKeys === null || !room.speaks(now)) return;
    const invites = [...this.#unsent].sort((a, b) => a - b).slice(0, REVOKED_MAX);
    for (const index of invites) this.#unsent.delete(index);
    this.#inFlight.set(hex(H(await room.relay({ type: "revoked", invites }))), [invites, now]);
  }

  override relayed(_number: number, digest: Bytes): void {
    this.#inFlight.delete(hex(digest));
  }

  override adopted(change: Change): void {
    // A returning host may have missed them.
    if (change.added.some(({ leaf }) => this.room.membership.isHost(leaf))) this.#resendAll();
  }

  #resendAll(): void {
    for (const index of this.revoked) this.#unsent.add(index);
  }

  override contents(): Contents {
    return { revoked: ({ sender }, { invites }) => this.#heard(sender, invites) };
  }

  override overheard(): Contents {
    return {
      granted: () => {
        const newly = [...this.room.feature(HostKeyTransfer).confirmed].filter((key) => !this.#knownHosts.has(key));
        for (const key of newly) this.#knownHosts.add(key);
        if (newly.length > 0) this.#resendAll(); // a new host has nothing from before it came in
      },
    };
  }

  #heard(leaf: number, invites: readonly number[]): void {
    const { membership: m } = this.room;
    if (!m.isHost(leaf)) return;
    const fresh = [...new Set(invites)].filter((index) => !this.revoked.has(index));
    for (const index of fresh) this.revoked.add(index);
    for (const index of invites) this.#unsent.delete(index);
    if (fresh.length === 0 || !m.isHost(m.ownLeaf)) return;
    this.room.tell(status("revoked.by", { name: m.name(leaf), count: fresh.length, invite: Math.min(...fresh) }));
  }
}
