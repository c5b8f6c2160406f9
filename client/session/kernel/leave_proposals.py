"""Members' proposals to leave, kept until a commit carries them."""

from __future__ import annotations

import contextlib

from snugroom.crypto import mls
from snugroom.crypto.errors import MalformedError, ReplayError, StateError
from snugroom.crypto.kdf import H


class LeaveProposals:
    """The proposals that the group has stored in this epoch; each is found by the hash of its message."""

    def __init__(self, group: mls.Group) -> None:
        self._group = group
        self._references: dict[bytes, bytes] = {}  # H(proposal message) -> ProposalRef

    def propose(self) -> bytes:
        """Return a proposal to remove ourselves, as an MLSMessage.

        It is a PublicMessage (the envelope hides it as any other). A PrivateMessage would consume a handshake
        generation, and relays do not reach everybody: a later commit with that generation would be readable
        for some members and a replay for others.
        """
        before = self._group.stored_proposals.keys()
        message = self._group.propose(mls.Remove(self._group.own_leaf), private=False)
        (self._references[H(message)],) = self._group.stored_proposals.keys() - before
        return message

    def store(self, message: bytes) -> mls.ReceivedProposal:
        """Store a leaver's proposal; errors as in `Group.process`, MalformedError for other proposals.

        A commit may reference no other kind of proposal (SNUG-3). Only the last one of each member is kept.
        """
        received = self._take_in(message)
        self.tidy()
        if received.reference not in self._group.stored_proposals:
            raise MalformedError("the proposal must remove its own sender")
        return received

    def store_carried(self, message: bytes) -> bytes | None:
        """Store a proposal that a commit carries; return its reference, None if it is unknown."""
        # A proposal that also came through the relay, or is our own, is stored already and found by hash.
        with contextlib.suppress(ReplayError, StateError):
            self._take_in(message)
        return self._references.get(H(message))

    def _take_in(self, message: bytes) -> mls.ReceivedProposal:
        if mls.kind_of(message) != (mls.WireFormat.PUBLIC_MESSAGE, mls.ContentType.PROPOSAL):
            raise MalformedError("the message must be a proposal in a PublicMessage")
        received = self._group.process(message)
        assert isinstance(received, mls.ReceivedProposal)
        self._references[H(message)] = received.reference
        return received

    def tidy(self) -> None:
        """Keep only each member's last proposal to leave, so that the store is bounded."""
        kept: dict[int | None, bytes] = {}
        stored = self._group.stored_proposals
        for reference, item in stored.items():
            if isinstance(item.proposal, mls.Remove) and item.proposal.removed == item.sender:
                kept[item.sender] = reference
        for reference in stored.keys() - set(kept.values()):
            self._group.discard(reference)
        self._references = {h: r for h, r in self._references.items() if r in kept.values()}

    def clear(self) -> None:
        """Forget all: proposals end with their epoch."""
        self._references.clear()
