/** Tickets of members that ask to be let in again. */
import { same } from "../../crypto/bytes";
import { MalformedError, ValidationError } from "../../crypto/errors";
import * as policy from "../../crypto/agreed/policy";
import { RejoinTicket } from "../../crypto/agreed/roomState";
import type * as mls from "../../mls";
import type { Membership } from "../kernel/membership";
import { leafView, ticketOf } from "../kernel/views";

/**
 * Return the ticket in a member's KeyPackage; null if it is not for this group and history.
 *
 * null too for a ticket of a slot that we have not reached. ValidationError("SNUG-8") if the member's current rejoin
 * key has not signed it.
 */
export async function ticketFrom(m: Membership, keyPackage: mls.KeyPackage): Promise<RejoinTicket | null> {
  const leaf = leafView(keyPackage.leafNode);
  const old = m.group.members().find(({ leafNode }) => same(leafNode.signatureKey, leaf.signatureKey));
  let ticket: RejoinTicket;
  try {
    ticket = RejoinTicket.decode(ticketOf(keyPackage) ?? new Uint8Array());
  } catch (error) {
    if (error instanceof MalformedError) return null;
    throw error;
  }
  if (old === undefined || !same(ticket.groupId, m.group.groupId) || ticket.slot > m.journal.slot) return null;
  if (!(await policy.ticketIsSigned(ticket, leafView(old.leafNode), leaf, keyPackage.initKey)))
    throw new ValidationError("SNUG-8", "the ticket is not signed with the leaf's current rejoin key");
  return ticket;
}
