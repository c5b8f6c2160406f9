"""Knocks that a host has opened, and the cards that open them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from snugroom.client.session import events as ev
from snugroom.client.session.entry.name_holders import NameHolder
from snugroom.client.session.kernel.membership import Membership
from snugroom.crypto import mls
from snugroom.crypto.agreed.room_state import SINGLE_USE, Identity
from snugroom.crypto.entry import lobby
from snugroom.crypto.errors import SnugError


@dataclass
class Asked:
    """A newcomer that waits for the host's answer."""

    knock: lobby.OpenedKnock
    day: int
    package: mls.KeyPackage
    ticket: bytes | None
    mark: bytes  # H of the knock
    handle: bytes  # of the connection that posted the knock last
    knocked: ev.Knocked | None = None  # as the host is told of it, without the member whose name it has
    holder: NameHolder | None = None  # the member whose name it has, as the host was told
    told_at: float = 0.0

    @property
    def doubtful(self) -> bool:
        """Whether the host was shown a warning."""
        return self.knocked is None or bool(self.knocked.warnings) or self.holder is not None

    @property
    def who(self) -> bytes:
        """The signature key, which is the same in all knocks of one person, at every host's card."""
        return self.package.leaf_node.signature_key


def replaces_invite(asked: Asked) -> bool:
    """Return whether it shows the personal invite of the silent member whose name it has."""
    return asked.holder is not None and asked.holder.same_invite


def is_spent(asked: Asked, m: Membership) -> bool:
    """Return whether the invite of that knock was for one person, and has let somebody in."""
    index = asked.knock.index
    return bool(index & SINGLE_USE) and index in m.ledger.used


def open_with_cards(
    cards: Iterable[lobby.CardSecret],
    knock: lobby.Knock,
    tokens: Callable[[int], list[tuple[bytes, bytes]]],
    suite: mls.CipherSuite,
    now: float,
) -> tuple[lobby.OpenedKnock, mls.KeyPackage, Identity] | None:
    """Open a knock with the card that it was sealed to, and check its KeyPackage; None: it is never shown."""
    for secret in cards:
        try:
            opened = lobby.open_knock(secret, knock, tokens)
            package = mls.KeyPackageIn.decode(opened.key_package).verify(suite, now=int(now))
            return opened, package, Identity.decode(package.leaf_node.credential.identity)
        except SnugError:
            continue  # for another host's card, or without that invite
    return None
