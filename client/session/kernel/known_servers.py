"""The servers to which our person's program may connect: those of the link, and those that the person allows.

Hosts name further servers during a meeting, and a server sees who connects to it. So the person is asked
first, unless the options say otherwise (`--servers`, decision 106). One object serves a participant for as
long as it lives, through rejoins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from snugroom.client.session import addresses
from snugroom.client.session.options import Options
from snugroom.crypto.agreed.room_state import SERVERS_MAX
from snugroom.crypto.entry.invite import Invite

#: Servers about which one host may have our person asked in a meeting, as many as one sentence names; and all
#: those together of which we don't know who has named them.
QUESTIONS_MAX: Final = 6


@dataclass(frozen=True)
class Questions:
    """A new list of servers, as our person has to be told of it.

    `asked`: servers to ask about; `passed`: servers beyond the host's questions, if that is to be told;
    `withdrawn`: those that were asked about, and are not listed any more.
    """

    asked: Sequence[str]
    passed: Sequence[str]
    withdrawn: Sequence[str]


class KnownServers:
    """The person's servers, and the questions that are open."""

    def __init__(self, link: Invite, options: Options) -> None:
        """`link`: the link by which the person came, or that of a meeting which the person opens."""
        self.first = link.origin
        self._options = options
        #: Beside the first: those of the link, and those that the person has allowed or named, newest last.
        self._known = list(link.servers)
        self._asked: list[str] = []
        self._questions: Counter[bytes] = Counter()  # by the signature key of the host

    def objection(self, origin: str) -> addresses.Objection | None:
        """Return why this meeting leads nobody to that server (`addresses.objection`)."""
        return addresses.objection(self.first, origin, anywhere=self._options.private_servers)

    def leads(self, origin: str) -> bool:
        """Return whether our program goes to that server."""
        return self.objection(origin) is None and self._is_known(origin)

    def led(self, origins: Iterable[str]) -> tuple[str, ...]:
        """Return those of the origins to which our program goes."""
        return tuple(each for each in origins if self.leads(each))

    def _is_known(self, origin: str) -> bool:
        return self._options.servers == "any" or origin == self.first or origin in self._known

    def allow(self, origins: Iterable[str]) -> None:
        """Our person has named these servers."""
        named = set(origins) - {self.first}
        self._known = [*(each for each in self._known if each not in named), *sorted(named)]
        self._asked = [each for each in self._asked if each not in named]

    def listed(self, origins: Sequence[str], by: bytes) -> Questions:
        """Take note of the meeting's list. `by`: the signature key of its author; empty: unknown."""
        withdrawn = [each for each in self._asked if each not in origins]
        self._asked = [each for each in self._asked if each in origins]
        new = [each for each in origins if each not in self._asked and not self._is_known(each)]
        new = [each for each in new if self.objection(each) is None]
        before = self._questions[by]
        left = max(0, QUESTIONS_MAX - before)
        self._questions[by] += len(new)
        self._asked += new[:left]
        return Questions(new[:left], new[left:] if before <= QUESTIONS_MAX else [], withdrawn)

    def kept(self, link: Invite) -> Invite:
        """Return the link with the servers that our person knows: to these, its program may come back."""
        return replace(link, servers=tuple(self._known[-SERVERS_MAX:]))
