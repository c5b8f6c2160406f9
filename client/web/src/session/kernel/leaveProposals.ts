/** Members' proposals to leave, kept until a commit carries them. */
import { type Bytes, hex } from "../../crypto/bytes";
import { MalformedError, ReplayError, StateError } from "../../crypto/errors";
import { H } from "../../crypto/kdf";
import * as mls from "../../mls";

/** The proposals that the group has stored in this epoch; each is found by the hash of its message. */
export class LeaveProposals {
  readonly #group: mls.Group;
  /** H(proposal message) -> ProposalRef */
  #references = new Map<string, Bytes>();

  constructor(group: mls.Group) {
    this.#group = group;
  }

  /**
   * Return a proposal to remove ourselves, as an MLSMessage.
   *
   * It is a PublicMessage (the envelope hides it like any other). A PrivateMessage would consume a handshake generation,
   * and relays do not reach everybody: a later commit with that generation would be readable for some members and a
   * replay for others.
   */
  async propose(): Promise<Bytes> {
    const before = new Set(this.#group.storedProposals.keys());
    const message = await this.#group.propose(mls.remove(this.#group.ownLeaf), { private: false });
    for (const [key, item] of this.#group.storedProposals)
      if (!before.has(key) && item.reference !== null) this.#references.set(hex(H(message)), item.reference);
    return message;
  }

  /**
   * Store a leaver's proposal; errors as in `Group.process`, MalformedError for other proposals.
   *
   * A commit may reference no other kind of proposal (SNUG-3). Only the last one of each member is kept.
   */
  async store(message: Bytes): Promise<mls.ReceivedProposal> {
    const received = await this.#takeIn(message);
    this.tidy();
    if (!this.#group.storedProposals.has(hex(received.reference)))
      throw new MalformedError("the proposal must remove its own sender");
    return received;
  }

  /** Store a proposal that a commit carries; return its reference, null if it is unknown. */
  async storeCarried(message: Bytes): Promise<Bytes | null> {
    // A proposal that also came through the relay, or is our own, is stored already and found by hash.
    try {
      await this.#takeIn(message);
    } catch (error) {
      if (!(error instanceof ReplayError || error instanceof StateError)) throw error;
    }
    return this.#references.get(hex(H(message))) ?? null;
  }

  async #takeIn(message: Bytes): Promise<mls.ReceivedProposal> {
    const kind = mls.kindOf(message);
    if (kind?.[0] !== mls.WireFormat.PUBLIC_MESSAGE || kind[1] !== mls.ContentType.PROPOSAL)
      throw new MalformedError("the message must be a proposal in a PublicMessage");
    const received = await this.#group.process(message);
    if (received.type !== "ReceivedProposal") throw new MalformedError("a message that is no proposal");
    this.#references.set(hex(H(message)), received.reference);
    return received;
  }

  /** Keep only each member's last proposal to leave, so that the store is bounded. */
  tidy(): void {
    const kept = new Map<number | null, string>();
    for (const [key, item] of this.#group.storedProposals)
      if (item.proposal.type === "Remove" && item.proposal.removed === item.sender)
        kept.set(item.sender, key);
    const keep = new Set(kept.values());
    for (const [key, item] of [...this.#group.storedProposals])
      if (!keep.has(key) && item.reference !== null) this.#group.discard(item.reference);
    this.#references = new Map([...this.#references].filter(([, reference]) => keep.has(hex(reference))));
  }

  /** Forget all: proposals end with their epoch. */
  clear(): void {
    this.#references.clear();
  }
}
