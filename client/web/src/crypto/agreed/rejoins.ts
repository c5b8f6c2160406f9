/**
 * SNUG-8: a member comes back by a ticket, in place of its leaf or after a removal for absence.
 *
 * Also the replacement of an absent member (SNUG-7, 12). docs/reference/protocol.md, sections 5 and 6. `policy.ts` calls
 * this rule in `snug7`.
 */

import { type Bytes, same } from "../bytes";
import { MalformedError, SnugError } from "../errors";
import { verify } from "../kdf";
import { broken, type CommitView, type LeafView, reading } from "./commitView";
import { type Away, REJOIN_SLOTS, REJOINS_MAX } from "./ledger";
import { lookAlike } from "./names";
import * as roomState from "./roomState";

/**
 * A rejoin: exactly {Remove(i), Add, PSK}, same key and credential, a fresh ticket of this group.
 *
 * The leaf's current rejoin key must have signed the ticket. After a rejoin, the member's other tickets are signed
 * with the new leaf's key too, and count until that leaf has made a commit: before that, the member may not know that
 * it is in again.
 *
 * Only the member that commits the ticket compares the ticket's chain: members that joined later do not know
 * it, and the verdict must not depend on it. A member that is stuck on another member's commit has no rejoin
 * limit: otherwise three bad commits would exclude it. A ticket names the leaf that may commit it: otherwise
 * any member could use it up and withhold the Welcome.
 *
 * After a removal for absence there is no leaf to remove: the ledger's entry has the key that must have signed. The
 * entry ends with its use, so the ticket may be old if its leaf has another rejoin key than the entry. Otherwise it
 * may be one that let the member in before the ledger forgot its nonce.
 */
export async function snug8(v: CommitView): Promise<void> {
  const { facts, awayMember: away } = v;
  const [add] = v.of("add");
  if (add === undefined || v.of("psk").length !== 1 || facts.proposals.length !== (away === null ? 3 : 2))
    throw broken(8, "rejoin_shape");
  const { added, ticket: raw } = add;
  const old = away ?? replaced(v);
  if (added === null || raw === null || old === undefined) throw broken(8, "rejoin_leaf");
  if (!same(added.signatureKey, old.signatureKey) || !same(added.identity, old.identity))
    throw broken(8, "rejoin_other");
  if (isLeaf(old) && same(added.encryptionKey, old.encryptionKey)) throw broken(8, "rejoin_stale");
  const ticket = reading(8, () => roomState.RejoinTicket.decode(raw));
  if (!same(ticket.groupId, facts.groupId)) throw broken(8, "ticket_group");
  if (ticket.by === roomState.ANY_HOST ? !v.byHost : ticket.by !== facts.sender) throw broken(8, "ticket_by");
  const renewed = away !== null && !same(added.rejoinKey, away.rejoinKey);
  const age = facts.slot - 1 - ticket.slot;
  if (age < 0 || (age >= REJOIN_SLOTS && !renewed))
    throw broken(8, "ticket_slot", { said: ticket.slot, slot: facts.slot });
  const recent = facts.ledger.rejoins.filter((r) => facts.slot - r.slot < REJOIN_SLOTS);
  if (recent.some((r) => same(r.nonce, ticket.nonce))) throw broken(8, "ticket_used");
  if (!(await ticketIsSigned(ticket, old.rejoinKey, added, add.initKey))) throw broken(8, "ticket_unsigned");
  // another member's commit caused this, and could cause it repeatedly
  if (ticket.stuck && ticket.slot + 1 < facts.slot) return;
  if (recent.filter((r) => same(r.signatureKey, old.signatureKey) && !r.stuck).length >= REJOINS_MAX)
    throw broken(8, "rejoins", { most: REJOINS_MAX, slots: REJOIN_SLOTS });
}

const isLeaf = (old: LeafView | Away): old is LeafView => "encryptionKey" in old;

/** Return the leaf that the commit's only Remove removes, if the Remove is by value. */
function replaced(v: CommitView): LeafView | undefined {
  const [remove] = v.of("remove");
  if (remove === undefined || remove.removed === null || remove.byReference) return undefined;
  return v.facts.members.get(remove.removed);
}

/** Return whether `rejoinKey` (public) has signed a ticket for the leaf `now` and its init key. */
export async function ticketIsSigned(
  ticket: roomState.RejoinTicket,
  rejoinKey: Bytes,
  now: LeafView,
  initKey: Bytes,
): Promise<boolean> {
  const keys = [initKey, now.encryptionKey, now.rejoinKey] as const;
  if (keys.some((key) => key.length !== roomState.REJOIN_KEY_SIZE)) return false; // nobody signs for a leaf without keys
  const message = ticket.message(...keys);
  for (const signature of ticket.signatures) if (await isSigned(rejoinKey, message, signature)) return true;
  return false;
}

async function isSigned(publicHalf: Bytes, message: Bytes, signature: Bytes): Promise<boolean> {
  try {
    await verify(publicHalf, message, signature);
  } catch (error) {
    if (error instanceof SnugError) return false;
    throw error;
  }
  return true;
}

/**
 * Return the leaf whose member is removed for absence and replaced by a newcomer with its name, else null.
 *
 * The commit does nothing else. The names look alike, and the leaf is no host's: a host comes back by the return key
 * (SNUG-9). Whether the newcomer is the same person is the committing host's judgement.
 */
export function replacement(v: CommitView): number | null {
  const [add, ...adds] = v.of("add");
  const [remove, ...removes] = v.of("remove");
  const { members, policy, proposals } = v.facts;
  if (!v.context.absent || add === undefined || remove === undefined) return null;
  if (adds.length + removes.length > 0 || proposals.length !== 3) return null;
  const old = members.get(remove.removed ?? -1);
  if (old === undefined || remove.byReference || policy.isHost(old.signatureKey)) return null;
  return add.added === null || add.ticket !== null || !sameName(old, add.added) ? null : remove.removed;
}

function sameName(old: LeafView, next: LeafView): boolean {
  try {
    const name = ({ identity }: LeafView): string => roomState.Identity.decode(identity).name;
    return lookAlike(name(old), name(next));
  } catch (error) {
    if (error instanceof MalformedError) return false;
    throw error;
  }
}
