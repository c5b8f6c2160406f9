"""The first contact with the server. Until it has taken us in, or opened our room, nothing has happened yet.

A session that gets no such contact ends, with the last cause. Later, the meeting waits for its server.
"""

from __future__ import annotations

from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import Sentence, sentence
from snugroom.wire import messages as wire

#: Seconds for the first contact.
CONTACT_TIME: Final = 10.0
#: How the keys of causes begin that are no fault of the server.
PROXY: Final = "terminal.proxy_"
#: Codes of refusals for want of a place.
_FULL: Final = frozenset({"full", "rate"})
#: Characters shown of a text that is the server's own.
_SHOWN: Final = 120


class FirstContact:
    """One session's way to its server, until the server has let it in."""

    def __init__(self, origin: str, now: float, slowness: float = 1.0) -> None:
        self._origin = origin
        self._until = now + CONTACT_TIME * slowness
        #: Whether the server has let us in: into a lobby, or into a room that is open.
        self.made = False
        self._refused: Sentence | None = None
        self._why: str = sentence("shell.no_answer")

    def lost(self, why: str) -> str:
        """Take note of a connection that broke or could not be made; return the cause to tell."""
        if self._refused is None:
            self._why = why
        return self._why

    def refused(self, refused: wire.Refused) -> None:
        """Take note that the server has sent us away."""
        key = "contact.full" if refused.code in _FULL else "contact.refused"
        self._why = refused.text[:_SHOWN]
        self._refused = sentence(key, origin=self._origin, why=self._why)

    def overdue(self, now: float) -> ev.Ended | None:
        """Return the end of a session that has had no contact for too long."""
        if self.made or now <= self._until:
            return None
        if self._refused is not None:
            return ev.Ended("unserved", self._refused)
        of_proxy = isinstance(self._why, Sentence) and self._why.key.startswith(PROXY)
        key = "terminal.proxy_contact" if of_proxy else "contact.none"
        return ev.Ended("failed", sentence(key, origin=self._origin, why=self._why))

    def left(self) -> ev.Ended:
        """Return the end of a session whose participant leaves before."""
        return ev.Ended("left", sentence("contact.left", origin=self._origin, why=self._why))
