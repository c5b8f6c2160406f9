"""A participant's choices before the meeting, as far as its session needs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from snugroom.client.session.entry.contacts import Contacts
from snugroom.crypto.agreed.room_state import MIRROR, REPORTS, SIXTEEN, STRICT
from snugroom.crypto.entry.permission import Token
from snugroom.crypto.proof.identity import IdentityKey

#: Where a program goes of itself: to servers of the link, and to others that hosts name only if the person
#: allows it, who is asked ("ask") or told ("link"); or to all of them ("any").
ServersFrom = Literal["ask", "link", "any"]


def _no_token(keys: Mapping[int, bytes]) -> Token | None:
    return None


@dataclass(frozen=True)
class PermissionMeans:
    """What a person has to open a room with, where not anyone may."""

    password: str | None = field(default=None, repr=False)
    #: Returns an unspent token under one of these keys, by week, and forgets it; None without one.
    take_token: Callable[[Mapping[int, bytes]], Token | None] = _no_token


@dataclass(frozen=True)
class Options:
    """All fields have defaults; the shell fills them from the command line."""

    #: Our identity and contact book; none of it is sent unless a person asks for it.
    contacts: Contacts | None = None
    #: Show our identity to the hosts when knocking.
    show_identity: bool = False
    #: Host: the meeting keeps signatures, so that its messages can be proven to others afterwards.
    reports: bool = False
    #: Host: the meeting's heartbeats go through a second server as well.
    mirror: bool = False
    #: Host: in a large room, the server forwards 16 microphones only, and can tell who speaks.
    sixteen: bool = False
    #: Host: the others go on for 15 s without the hosts, and not for 60 s.
    strict: bool = False
    #: Host: where too few are heard for anybody to speak, wait for the others, and don't go on without them.
    waits_for_silent: bool = False
    #: Tell the shell what to keep, so that the member can come back after its program has ended.
    keep: bool = False
    #: The file for evidence when the server drops us, and whether to include names.
    evidence: str | None = None
    evidence_names: bool = False
    #: Seconds for which the session tries to get back into a meeting that the server has dropped.
    patience: float = 60.0
    #: Waits for the network are this many times as long: through a proxy, connections are slower.
    slowness: float = 1.0
    #: Go on at servers without https, or in private networks, from a meeting that began at a public one too.
    private_servers: bool = False
    #: Which servers beside those of the link are contacted. A person's program asks: the shell says so.
    servers: ServersFrom = "any"
    #: The password or token that opens a room, where not anyone may.
    permission: PermissionMeans | None = None

    @property
    def flags(self) -> int:
        """The flags of the policy of a meeting that we open."""
        chosen = {
            REPORTS: self.reports,
            MIRROR: self.mirror,
            SIXTEEN: self.sixteen,
            STRICT: self.strict,
        }
        return sum(flag for flag, is_chosen in chosen.items() if is_chosen)

    @property
    def identity(self) -> IdentityKey | None:
        """Our identity, if the hosts are to see it when we knock."""
        return self.contacts.own if self.contacts is not None and self.show_identity else None
