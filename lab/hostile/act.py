"""The base class of acts, whose hooks read, alter, withhold or add messages and packets.

By default every hook passes its argument on unchanged. `now` is in monotonic seconds. A connection is a
handle; a participant is a number in order of arrival (`lab.hostile.participants`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import ClassVar

import msgspec

from snugroom.lab.hostile.context import Context
from snugroom.wire.messages import ClientMessage, Message


class Orders(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The options of a `begin`. Each act has its own subclass."""


class Act:
    """One act in play. `Runner.begin` creates it, and `Runner.end` drops it."""

    #: The name on the command line.
    name: ClassVar[str]
    #: The description for `--list`, one line.
    about: ClassVar[str]
    orders_type: ClassVar[type[Orders]] = Orders

    def __init__(self, context: Context) -> None:
        self.context = context
        self._times: dict[str, int] = {}
        self._told_at: dict[str, float] = {}

    def did(self, what: str, **more: object) -> None:
        """Count a deed, and report it to the operator at most once a second, or always with `more` fields."""
        self._times[what] = self._times.get(what, 0) + 1
        now = time.monotonic()
        if more or now - self._told_at.get(what, -10.0) >= 1.0:
            self._told_at[what] = now
            self.context.report({"act": self.name, "did": what, "times": self._times[what], **more})

    @property
    def times(self) -> dict[str, int]:
        """The number of times of each deed."""
        return dict(self._times)

    # -- hooks ---------------------------------------------------------------------------------

    def begin(self, now: float) -> None:
        """Called when the operator begins the act."""

    def end(self, now: float) -> None:
        """Called when the operator ends the act."""

    def tick(self, now: float) -> None:
        """Called about every 50 ms."""

    def challenge(self, handle: bytes, message: Message) -> Message:
        """Return the first message to a new connection."""
        return message

    def opens(self, handle: bytes) -> bool:
        """Return whether a door opens although its signature is wrong."""
        return False

    def arrived(self, handle: bytes, now: float) -> None:
        """Called when a connection has entered a lobby or room."""

    def from_client(self, handle: bytes, message: ClientMessage, now: float) -> Sequence[ClientMessage]:
        """Return the messages that the server handles, in order, instead of a client's `message`."""
        return (message,)

    def to_client(self, handle: bytes, message: Message, now: float) -> Sequence[Message]:
        """Return the messages that the server sends, in order, instead of `message`."""
        return (message,)

    def packet(self, sender: int | None, packet: bytes, now: float) -> None:
        """Called with each incoming RTP packet, after SRTP decryption."""

    def rtp(self, sender: int | None, receiver: int | None, packet: bytes, now: float) -> Sequence[bytes]:
        """Return the RTP packets that the server sends to one receiver instead of `packet`."""
        return (packet,)
