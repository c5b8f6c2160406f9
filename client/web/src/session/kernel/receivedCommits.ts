/**
 * Commits as the server places them in slots, our own and the others': judged, then adopted, void or stuck.
 *
 * Protocol sections 5 and 6. `membership` judges; `commitQueue` has our commits until they come back here.
 */
import type { CommitView } from "../../crypto/agreed/commitView";
import { replacement } from "../../crypto/agreed/rejoins";
import { type Bytes, hex, same } from "../../crypto/bytes";
import { SnugError } from "../../crypto/errors";
import * as invite from "../../crypto/entry/invite";
import { H } from "../../crypto/kdf";
import type { Committed, Opened } from "../../wire/messages";
import { type Arg, sentence } from "../../words/sentence";
import type { Announcer } from "./announcer";
import type { CommitQueue } from "./commitQueue";
import { type Feature, featuresWith } from "./feature";
import { gateFits } from "./journal";
import { loadedLater } from "./load";
import { roomPass } from "./membership";
import type { MessageLog } from "./messageLog";
import { validOpening } from "./opening";
import type { Room } from "./ports";
import type { Sync } from "./sync";
import type { Change, Staged, Valid } from "./verdict";
import * as sentences from "../catalogue/sentences";

/** The parts of a room session that commits concern. */
export interface Parts {
  readonly sync: Sync;
  readonly queue: CommitQueue;
  readonly messageLog: MessageLog;
  readonly announcer: Announcer;
}

/** One membership's way from slot to slot. */
export class ReceivedCommits {
  readonly #room: Room;
  readonly #features: readonly Feature[];
  readonly #sync: Sync;
  readonly #queue: CommitQueue;
  readonly #messageLog: MessageLog;
  readonly #announcer: Announcer;

  constructor(room: Room, features: readonly Feature[], { sync, queue, messageLog, announcer }: Parts) {
    this.#room = room;
    this.#features = features;
    this.#sync = sync;
    this.#queue = queue;
    this.#messageLog = messageLog;
    this.#announcer = announcer;
  }

  /** Process the blob that has taken a slot. */
  async received(message: Committed, now: number): Promise<void> {
    const room = this.#room;
    const sync = this.#sync;
    sync.moveTo(Math.max(sync.slot ?? 0, message.slot), now);
    if (sync.connection !== null) {
      sync.connection.committed = message.slot;
      if (sync.connection.handingOver === message.slot) sync.connection.handingOver = null;
    }
    const { journal } = room.membership;
    if (message.slot <= journal.slot) {
      const known = journal.chains.get(message.slot);
      if (known === undefined) return;
      if (same(known, message.chain)) sync.goesOn(message.slot);
      else {
        sync.anotherHistory(message);
        await this.#checkTaken(message, now, { ours: false });
      }
      return;
    }
    // `Sync.step` catches up.
    if (message.slot !== journal.slot + 1 || sync.stuckAt !== null || room.needsRejoin) return;
    if (!same(message.chain, journal.chainAfter(message.blob))) {
      sync.anotherHistory(message);
      await this.#checkTaken(message, now, { ours: false });
      if (sync.astray) return;
    } else {
      sync.goesOn(message.slot);
      await this.#checkTaken(message, now, { ours: true });
    }
    const own = this.#queue.slotTaken(message.blob);
    const opening = await validOpening(this.#room, message);
    if (own !== null) await this.#adopt(own, message.blob, opening, now);
    else await this.#judge(message.blob, opening, now);
    sync.showAgain();
  }

  async #judge(blob: Bytes, opening: Bytes | null, now: number): Promise<void> {
    const room = this.#room;
    const sync = this.#sync;
    const verdict = await room.membership.judge(blob);
    switch (verdict.type) {
      case "Valid": {
        const { sender } = verdict.view;
        if (!verdict.removesUs) {
          const { group } = verdict.candidate;
          if (group !== null) await loadedLater()?.notePlace(room, blob, roomPass(group, room.membership.room));
          await this.#adopt(verdict, blob, opening, now);
          if (sender !== null && !gateFits(room.membership.journal.newest))
            room.tell(sentences.alarm("wrong_gate", { who: room.membership.who(sender), leaf: sender }));
          return;
        }
        await this.#removed(verdict.view, blob, opening, now);
        return;
      }
      case "Void": {
        const slot = room.membership.journal.slot + 1;
        room.membership.void(blob, opening);
        if (sync.connection !== null) sync.connection.shown = null; // our pass must be shown for this slot too
        const args = { why: verdict.text, who: this.#authorName(verdict.author), slot };
        room.tell(sentences.alarm("void_commit", args));
        for (const feature of this.#features) await feature.voided(slot, verdict.author, now);
        return;
      }
      case "Stuck": {
        sync.stuckAt = room.membership.journal.slot + 1;
        for (const feature of featuresWith(this.#features, "stuck")) await feature.stuck(blob, now);
        room.tell(sentences.alarm("stuck", { who: this.#authorName(verdict.author) }));
      }
    }
  }

  /** End this membership, or ask to be let in again: the next slot's commit removes our leaf. */
  async #removed(view: CommitView, blob: Bytes, opening: Bytes | null, now: number): Promise<void> {
    const room = this.#room;
    const { membership: m } = room;
    if (room.leaving) room.finish("left", sentence("room.you_left"));
    else if (view.rejoinLeaf === m.ownLeaf) {
      const added = view.of("add")[0]?.added ?? null;
      if (added !== null && m.rejoinKeys.isOwnRequest(added.rejoinKey)) {
        room.giveUp({ replaced: true }); // by a request of ours: the Welcome is on its way
        return;
      }
      m.void(blob, opening); // the last heartbeat names this slot: it proves that we have seen it
      for (const feature of featuresWith(this.#features, "replaced")) await feature.replaced(now);
      room.finish("replaced", sentence("room.replaced"));
    } else {
      const by = m.who(view.sender ?? -1);
      if (replacement(view) !== null) room.finish("replaced", sentence("room.replaced.silent", { by }));
      else if (view.context.absent && !m.isHost(m.ownLeaf)) room.giveUp({ absentBy: m.name(view.sender ?? -1) });
      else if (view.context.hostReturn === null)
        room.finish("removed", sentence(view.context.absent ? "room.removed_absent" : "room.removed_by", { by }));
      else room.finish("replaced", sentence("room.replaced.host", { by }));
    }
  }

  /** Go on after the slot that we are stuck at: its commit, `blob`, is void. */
  async passOver(blob: Bytes, now: number): Promise<void> {
    const sync = this.#sync;
    const { stuckAt } = sync;
    if (stuckAt === null) return;
    sync.stuckAt = null;
    this.#room.membership.void(blob);
    if (sync.connection !== null) sync.connection.shown = sync.connection.showing = null;
    for (const feature of this.#features) await feature.voided(stuckAt, null, now);
  }

  /** Return the author's name for a person; "a member or the server" if it is unknown. */
  #authorName(leaf: number | null): Arg {
    return leaf === null ? sentence("room.member_or_server") : this.#room.membership.who(leaf);
  }

  async #adopt(step: Valid | Staged, blob: Bytes, opening: Bytes | null, now: number): Promise<void> {
    const room = this.#room;
    const listed = room.membership.policy.origins.join(" ");
    const change = await room.membership.adopt(step, blob, now, opening);
    if (change.rotated) room.roomAdminKeys.policyChanged();
    for (const { leaf } of change.removed) room.announcements.forget(leaf);
    if (step.type === "Staged") this.#queue.adopted(step);
    if (change.added.length > 0) this.#announcer.membersAdded(now, step.type === "Staged");
    if (room.membership.policy.origins.join(" ") !== listed) this.#announcer.announceInTurn(now);
    tellRoster(room, change);
    this.#messageLog.adopted(change);
    for (const feature of this.#features) await feature.adopted(change, now);
    await this.#messageLog.newEpoch(now);
  }

  /** Check the server's signature for an opening; report a wrong one. */
  async checkOpened(message: Opened, now: number): Promise<void> {
    const { slot, chain, opening_id: openingId, signature } = message;
    const { serverKey, here } = this.#room;
    if (serverKey === null) return;
    const [numbers, signed] = here.signedByServer(slot, chain);
    const number = await numberSigned(numbers, (each) =>
      invite.verifyOpened(serverKey, { number: each, openingId, slot, chain: signed }, signature),
    );
    if (number === null) this.#tellUnsigned("opened", message, { chain: signed }, now);
  }

  /**
   * Check the server's receipt for a slot; report a wrong one, and give a right one to the features. `ours`: the slot
   * continues our history. Of another one, we may not know the room's number.
   */
  async #checkTaken(message: Committed, now: number, { ours }: { readonly ours: boolean }): Promise<void> {
    const { serverKey, here } = this.#room;
    if (serverKey === null) return;
    const { slot, before, opening_id: openingId, signature } = message;
    const [numbers, chain] = here.signedByServer(slot, message.chain);
    const blob = H(message.blob);
    const number = await numberSigned(numbers, (each) =>
      invite.verifyTaken(serverKey, { number: each, openingId, slot, before, blob }, signature),
    );
    if (number === null || !same(invite.chainOf(before, slot, blob), chain)) {
      if (ours) this.#tellUnsigned("taken", message, { "chain before": before, "H(blob)": blob }, now);
      return;
    }
    const receipt = { number, server_key: serverKey, opening_id: openingId, slot, before, blob, signature };
    for (const feature of this.#features) await feature.receipt(receipt, now, { ours });
  }

  /** Report a signature of the server that is wrong, and have it kept, byte for byte, as evidence. */
  #tellUnsigned(what: string, message: Opened | Committed, hashes: Readonly<Record<string, Bytes>>, now: number): void {
    this.#room.tell(sentences.alarm("receipt", { proof: sentences.proof(this.#room) }));
    const parts = { "opening id": message.opening_id, ...hashes, signature: message.signature };
    const told = Object.entries(parts).map(([name, value]) => `${name} ${hex(value)}`).join(", ");
    for (const feature of this.#features) feature.unsigned(`not its signature of '${what}': slot ${message.slot}, ${told}`, now);
  }
}

/** Return the room's number in a signature of the server; null if it is signed for none of `numbers`. */
async function numberSigned(
  numbers: readonly Bytes[],
  verify: (number: Bytes) => Promise<void>,
): Promise<Bytes | null> {
  for (const number of numbers.toReversed()) {
    try {
      await verify(number);
      return number;
    } catch (error) {
      if (!(error instanceof SnugError)) throw error;
    }
  }
  return null;
}

/** Report the members and the epoch's code; `change` led to this epoch, null: we have just come in. */
export function tellRoster(room: Room, change: Change | null = null): void {
  const { membership: m } = room;
  const { epoch } = m.group;
  room.tell({
    type: "Roster",
    epoch,
    members: m.members(),
    added: (change?.added ?? []).map((each) => ({ ...each, host: m.isHost(each.leaf), label: null })),
    removed: (change?.removed ?? []).map(({ leaf, name }) => ({ leaf, name, host: false })),
    by: change?.by ?? null,
    rejoined: change !== null && (change.rejoined || change.back),
    left: [...(change?.left ?? [])].sort((a, b) => a - b),
  });
  room.tell({ type: "Code", epoch, digits: m.code });
}
