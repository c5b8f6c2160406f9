/** Tickets of members that ask to be let in again. */
import { type Bytes, same } from "../../crypto/bytes";
import { MalformedError, ValidationError } from "../../crypto/errors";
import { loadLookAlikes, lookAlike } from "../../crypto/agreed/names";
import { ticketIsSigned } from "../../crypto/agreed/rejoins";
import { Identity, RejoinTicket } from "../../crypto/agreed/roomState";
import type * as mls from "../../mls";
import type { Membership } from "../kernel/membership";
import { leafView, ticketOf } from "../kernel/views";

/**
 * Return the ticket in a member's KeyPackage; null if it is not for this group and history.
 *
 * null too for a ticket of a slot that we have not reached. ValidationError("SNUG-8") if the rejoin key of the member's
 * leaf, or of the ledger's entry for an absent member, has not signed it.
 */
export async function ticketFrom(m: Membership, keyPackage: mls.KeyPackage): Promise<RejoinTicket | null> {
  const leaf = leafView(keyPackage.leafNode);
  const old = await knownMember(m, leaf.signatureKey);
  let ticket: RejoinTicket;
  try {
    ticket = RejoinTicket.decode(ticketOf(keyPackage) ?? new Uint8Array());
  } catch (error) {
    if (error instanceof MalformedError) return null;
    throw error;
  }
  if (old === null || !same(ticket.groupId, m.group.groupId) || ticket.slot > m.journal.slot) return null;
  if (!(await ticketIsSigned(ticket, old.rejoinKey, leaf, keyPackage.initKey)))
    throw new ValidationError("SNUG-8", "the ticket is not signed with the leaf's current rejoin key");
  return ticket;
}

/** A member that a ticket lets in again: in place of its leaf, or after a removal for absence. */
export interface Known {
  readonly name: string;
  readonly rejoinKey: Bytes;
  /** A present member has the absent one's name, or one that looks like it (SNUG-11). */
  readonly nameTaken: boolean;
}

/** Return the member with that signature key, present or absent; null if a ticket lets nobody in by it. */
export async function knownMember(m: Membership, signatureKey: Bytes): Promise<Known | null> {
  const member = m.group.members().find(({ leafNode }) => same(leafNode.signatureKey, signatureKey));
  if (member !== undefined) {
    const { rejoinKey } = leafView(member.leafNode);
    return { name: m.name(member.leaf), rejoinKey, nameTaken: false };
  }
  const away = m.ledger.awayMember(signatureKey);
  if (away === null) return null;
  await loadLookAlikes();
  const { name } = Identity.decode(away.identity);
  return { name, rejoinKey: away.rejoinKey, nameTaken: m.members().some((each) => lookAlike(name, each.name)) };
}
