"""A part of a member's session that stands beside slots, commits and chat: one file, one concern.

`RoomSession` calls these hooks at the moments that they are named for; what an aspect wants done it does
through the room. None may wait, and none sees a socket. Hooks run in the order of `aspects.make`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from client.session import content
from client.session.membership import Change
from crypto import mls
from server.wire import messages as wire

if TYPE_CHECKING:
    from client.session.room import RoomSession


class Aspect:
    """Every hook does nothing by default. `now` is in Unix seconds and never goes back."""

    def __init__(self, room: RoomSession) -> None:
        self.room = room

    def carry_over(self, old: RoomSession) -> None:
        """This membership follows on `old` after a rejoin: take along what outlives a leaf."""

    def level(self, now: float) -> None:
        """This connection has just come in step with the server; told anew for every connection."""

    def published(self, now: float) -> None:
        """Our media have been sent to the server, which begins anew with what it forwards to us."""

    def streams(self, streams: Sequence[wire.HandleStream], now: float) -> None:
        """The streams that others send now, as the server lists them."""

    def lost(self, why: str, now: float) -> None:
        """The room's connection is gone, or could not be made."""

    def tick(self, now: float) -> None:
        """Time has passed, connected or not."""

    def heard(self, received: mls.ApplicationMessage, what: content.AnyContent, now: float) -> bool:
        """A member's message, authenticated; True if it was for this aspect."""
        return False

    def passed(self, blob: bytes, now: float) -> bool:
        """A blob that the server does not keep, as it came; True if it was for this aspect."""
        return False

    def relayed(self, number: int, digest: bytes, now: float) -> None:
        """Every relay that the server keeps, readable or not: its number, and H(blob)."""

    def receipt(self, slot: int, chain: bytes, signature: bytes, now: float) -> None:
        """A receipt of the server's whose signature is good."""

    def said_by_server(self, code: str, text: str, now: float) -> None:
        """`refused` (fatal) or `closing`: the server's last word on a connection, or on an act of ours."""

    def adopted(self, change: Change, now: float) -> None:
        """A commit was adopted: group, policy, ledger and all keys have moved on."""

    def voided(self, slot: int, author: int | None, now: float) -> None:
        """A slot holds nothing; `author` is a leaf where it can be told."""

    def may_send(self, now: float) -> str | None:
        """None: media may be sealed; else why not, as a sentence for a person."""
        return None

    def hears(self, leaf: int, now: float) -> bool:
        """Whether something that this leaf has signed has come in the last seconds."""
        return False

    def holds_commits(self, now: float) -> bool:
        """Whether a host's commits, removals aside, have to wait."""
        return False

    def sealed(self, stream: int, frame: bytes, now: float) -> None:
        """A media frame of ours, as SFrame sealed it (before the shim)."""

    def opening(self, ssrc: int, leaf: int, stream: int, frame: bytes, now: float) -> None:
        """A received SFrame frame of that leaf's key id, before it is opened.

        Raise a SnugCryptoError to refuse it, FutureEpochError to have it held and tried again.
        """

    def opened(self, ssrc: int, leaf: int, stream: int, frame: bytes, now: float) -> None:
        """The same frame (as SFrame sealed it), once it has opened."""


class Hooks:
    """Which aspects have a hook of their own: most have few, and some hooks are called for every frame."""

    def __init__(self, aspects: Iterable[Aspect]) -> None:
        self._aspects = tuple(aspects)
        self._having: dict[str, tuple[Aspect, ...]] = {}

    def having(self, hook: str) -> tuple[Aspect, ...]:
        """Those whose class defines that hook, in order. AttributeError if there is no such hook."""
        found = self._having.get(hook)
        if found is None:
            nothing = getattr(Aspect, hook)
            found = tuple(a for a in self._aspects if getattr(type(a), hook) is not nothing)
            self._having[hook] = found
        return found
