"""What an act can do: look at, alter, hold back or add whatever passes through the server.

Every hook passes things on unchanged by default. `now` is monotonic seconds. Connections are handles; people
are numbers in the order of arrival (`server.hostile.guests`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import msgspec

from server.wire.messages import ClientMessage, Message

if TYPE_CHECKING:
    from server.hostile.troupe import Troupe


class Orders(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a `begin` says; each act has its own."""


class OrderError(ValueError):
    """An order that can't be carried out; the text is a sentence."""


class Act:
    """One act, begun: made by `begin`, dropped by `end`."""

    #: As on the command line.
    name: ClassVar[str]
    #: One line for `--hostile list`.
    about: ClassVar[str]
    orders_kind: ClassVar[type[Orders]] = Orders

    def __init__(self, troupe: Troupe) -> None:
        self.troupe = troupe
        self._times: dict[str, int] = {}
        self._told_at: dict[str, float] = {}

    def did(self, what: str, **more: object) -> None:
        """Tell the operator's console: the first time at once, then at most once a second, with a count."""
        self._times[what] = self._times.get(what, 0) + 1
        now = time.monotonic()
        if more or now - self._told_at.get(what, -10.0) >= 1.0:
            self._told_at[what] = now
            self.troupe.tell({"act": self.name, "did": what, "times": self._times[what], **more})

    @property
    def times(self) -> dict[str, int]:
        """What was done, and how often."""
        return dict(self._times)

    # -- hooks ---------------------------------------------------------------------------------

    def begin(self, now: float) -> None:
        """The operator has given the order."""

    def end(self, now: float) -> None:
        """The operator has had enough."""

    def tick(self, now: float) -> None:
        """About every 50 ms."""

    def challenge(self, handle: bytes, message: Message) -> Message:
        """The first word to a new connection."""
        return message

    def opens(self, handle: bytes) -> bool:
        """Whether a door opens although its signature is wrong."""
        return False

    def arrived(self, handle: bytes, now: float) -> None:
        """Somebody is inside."""

    def from_client(self, handle: bytes, message: ClientMessage, now: float) -> Sequence[ClientMessage]:
        """What a connection sent; what comes back is handled in its place, in this order."""
        return (message,)

    def to_client(self, handle: bytes, message: Message, now: float) -> Sequence[Message]:
        """What a connection would be sent; what comes back is sent in its place, in this order."""
        return (message,)

    def packet(self, sender: int | None, packet: bytes, now: float) -> None:
        """An RTP packet has come in, SRTP taken off."""

    def rtp(self, sender: int | None, receiver: int | None, packet: bytes, now: float) -> Sequence[bytes]:
        """An RTP packet on its way to one receiver; what comes back is sent in its place."""
        return (packet,)
