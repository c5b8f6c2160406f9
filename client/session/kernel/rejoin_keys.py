"""Our leaf's rejoin keys: those that the others' tree may have at our leaf, so that a ticket of ours is good.

Protocol section 5. A ticket to rejoin counts if the leaf's key in the tree has signed it. The server may keep
from us that a commit of ours was taken, or that a ticket was carried out: then we do not know that key. It
can also crash when it has given our commit to us alone: then the others have our key of before.
`docs/model/rejoin.pml` is the model of these rules.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from snugroom.crypto.agreed.room_state import TICKET_SIGNATURES_MAX
from snugroom.crypto.kdf import Rng, SigningKey

#: Commits, and stays in the lobby, whose rejoin keys are kept. They sign a ticket, as do the leaf's own key
#: and the one before it.
COMMITS_OUT_MAX: Final = 2
REQUESTS_MAX: Final = TICKET_SIGNATURES_MAX - 2 - COMMITS_OUT_MAX


@dataclass
class CommitOut:
    """A commit of ours that may have been taken."""

    rejoin_key: SigningKey  # that it brings
    ends: set[bytes]  # public rejoin keys of requests whose tickets were all made before it
    signed: bool = False  # a ticket is signed with its key


class RejoinKeys:
    """One membership's keys."""

    def __init__(self, own: SigningKey, rng: Rng) -> None:
        """`own` is the rejoin key of our leaf as we came in."""
        self._rng = rng
        self._entered_with = own.public
        self._own = own
        #: The one that our leaf had before our last commit, which perhaps nobody else has received.
        self._before: SigningKey | None = None
        #: Our commits of this epoch: each may have been taken unseen.
        self._out: deque[CommitOut] = deque(maxlen=COMMITS_OUT_MAX)
        #: The new rejoin keys that our tickets ask for, one for each stay in the lobby, while they count.
        self._requests: deque[SigningKey] = deque(maxlen=REQUESTS_MAX)

    @classmethod
    def restored(cls, keys: Sequence[SigningKey], requests: int, rng: Rng) -> RejoinKeys:
        """Return the keys that a device has kept: `all()`, and how many of them tickets ask for."""
        known = cls(keys[0], rng)
        first = len(keys) - requests
        known._before = keys[1] if first > 1 else None
        known._out.extend(CommitOut(key, set(), signed=True) for key in keys[2:first])
        known._requests.extend(keys[first:])
        return known

    @property
    def request_count(self) -> int:
        """How many of `all()`, at its end, tickets ask for."""
        return len(self._requests)

    def all(self) -> list[SigningKey]:
        """Return the keys that our leaf may have in the others' tree: at most TICKET_SIGNATURES_MAX."""
        before = () if self._before is None else (self._before,)
        return [self._own, *before, *(commit.rejoin_key for commit in self._out), *self._requests]

    # -- tickets -----------------------------------------------------------------------------------

    def begin_request(self) -> None:
        """Begin a stay in the lobby to be let in again: its tickets ask for a rejoin key of their own.

        If all stays asked for the same key, a thief that has copied it could take our leaf by an old ticket.
        """
        self._requests.append(SigningKey.generate(self._rng))

    def request(self) -> SigningKey:
        """Return the rejoin key that tickets of the present stay in the lobby ask for.

        A commit of ours that was taken meanwhile has ended it: then another stay begins.
        """
        if not self._requests:
            self.begin_request()
        return self._requests[-1]

    def ticket_signers(self) -> list[SigningKey]:
        """Return the keys that sign a ticket of this stay: the commits that are out do not end it."""
        asked = self.request().public
        for commit in self._out:
            commit.ends.discard(asked)
            commit.signed = True
        return self.all()

    @property
    def has_requests(self) -> bool:
        """Whether a ticket of ours still counts: no commit that we sent after it was taken."""
        return bool(self._requests)

    def requested(self, public: bytes) -> SigningKey | None:
        """Return the rejoin key with that public half that a ticket of ours asks for; None if none does."""
        return next((key for key in self._requests if key.public == public), None)

    def is_own_request(self, public: bytes) -> bool:
        """Return whether a ticket of ours asks for that rejoin key, from before we came in too."""
        return public == self._entered_with or self.requested(public) is not None

    def carry_over(self, old: RejoinKeys) -> None:
        """Take over the requests from before a rejoin: they still count."""
        self._requests.extend(key for key in old._requests if key.public != self._entered_with)

    # -- commits -----------------------------------------------------------------------------------

    def for_commit(self) -> CommitOut:
        """Return the key that a commit brings, and what it ends; `sent` remembers it.

        A commit ends the tickets before it only if none of them is signed with its key.
        """
        if self._out and not self._out[-1].signed:
            return self._out[-1]
        return CommitOut(SigningKey.generate(self._rng), {key.public for key in self._requests})

    def sent(self, commit: CommitOut) -> None:
        """Remember a commit: from now on it may be taken."""
        if commit not in self._out:
            self._out.append(commit)

    def taken(self, public: bytes | None) -> None:
        """A commit of this epoch was adopted: ours, which brings that rejoin key, or (None) another's."""
        ours = next((commit for commit in self._out if commit.rejoin_key.public == public), None)
        if ours is not None:
            self._before, self._own = self._own, ours.rejoin_key
            counting = [key for key in self._requests if key.public not in ours.ends]
            self._requests = deque(counting, REQUESTS_MAX)
        self._out.clear()
