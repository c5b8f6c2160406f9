"""Which streams the server is asked to forward to us: all of them, unless somebody has chosen fewer.

What is asked for is seen by the server. Whoever asks for the picture of the person that speaks tells it who
speaks, so that is a choice. While fewer are asked for, what doesn't come proves nothing: then our beats say
that we don't want all, and nobody judges what reaches us.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from client.session.aspect import Aspect
from server.wire import messages as wire

if TYPE_CHECKING:
    from client.session.room import RoomSession


class Asking(Aspect):
    """Says it again wherever the server can't know it: on each connection, and with other media of ours."""

    def __init__(self, room: RoomSession) -> None:
        super().__init__(room)
        self._ssrcs: tuple[int, ...] | None = None
        self._published = False

    @property
    def everything(self) -> bool:
        """Whether a media engine is here, and every stream is asked for."""
        return self.room.has_media and self._ssrcs is None

    def ask(self, ssrcs: tuple[int, ...] | None) -> None:
        """These from now on; None: all. It goes out as soon as the server has our media."""
        if ssrcs == self._ssrcs:
            return
        self._ssrcs = ssrcs
        if self._published:
            self._tell()

    def carry_over(self, old: RoomSession) -> None:
        self._ssrcs = old.aspect(Asking)._ssrcs

    def published(self, now: float) -> None:
        self._published = True
        if self._ssrcs is not None:
            self._tell()

    def lost(self, why: str, now: float) -> None:
        self._published = False

    def _tell(self) -> None:
        self.room.send(wire.Want(None if self._ssrcs is None else list(self._ssrcs)))
