/** Knocks that a host has opened, and the cards that open them. */
import type { Bytes } from "../../crypto/bytes";
import { SnugError } from "../../crypto/errors";
import * as hosts from "../../crypto/entry/hostsLobby";
import * as lobby from "../../crypto/entry/lobby";
import { Identity, SINGLE_USE } from "../../crypto/agreed/roomState";
import * as mls from "../../mls";
import type { Knocked } from "../events";
import type { Membership } from "../kernel/membership";
import type { NameHolder } from "./nameHolders";

/** The day of the lobby in which a message came, and the handle of the connection that has posted it. */
export interface From {
  readonly day: number;
  readonly handle: Bytes;
}

export interface Asked {
  readonly knock: hosts.OpenedKnock;
  readonly day: number;
  readonly keyPackage: mls.KeyPackage;
  readonly ticket: Bytes | null;
  /** hex(H) of the knock. */
  readonly mark: string;
  /** The signature key (hex), which is the same in all knocks of one person, at every host's card. */
  readonly who: string;
  /** Of the connection that has posted the knock last. */
  handle: Bytes;
  /** As the host is told of it, without the member whose name it has. */
  knocked?: Knocked;
  /** The member whose name it has, as the host was told. */
  holder: NameHolder | null;
  toldAt: number;
}

/** Return whether it shows the personal invite of the silent member whose name it has. */
export const replacesInvite = ({ holder }: Asked): boolean => holder?.sameInvite ?? false;

/** Return whether the invite of that knock was for one person, and has let somebody in. */
export const isSpent = ({ knock: { index } }: Asked, m: Membership): boolean =>
  (index & SINGLE_USE) !== 0 && m.ledger.used.has(index);

/** Open a knock with the card that it was sealed to, and check its KeyPackage; null: it is never shown. */
export async function openWithCards(
  cards: readonly hosts.CardSecret[],
  knock: lobby.Knock,
  tokens: (index: number) => [Bytes, Bytes][],
  suite: number,
  now: number,
): Promise<{ knock: hosts.OpenedKnock; keyPackage: mls.KeyPackage; identity: Identity } | null> {
  for (const secret of cards) {
    try {
      const opened = await hosts.openKnock(secret, knock, tokens);
      const keyPackage = await mls.KeyPackageIn.decode(opened.keyPackage).verify(suite, Math.floor(now));
      const identity = Identity.decode(keyPackage.leafNode.credential.identity);
      return { knock: opened, keyPackage, identity };
    } catch (error) {
      if (!(error instanceof SnugError)) throw error;
      // Otherwise it is for another host's card, or without that invite.
    }
  }
  return null;
}
