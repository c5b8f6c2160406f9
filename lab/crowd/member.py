"""One participant of a crowd."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

from snugroom.client.connection import Clock, Connection, SessionCrypto
from snugroom.client.media.engine import MediaEngine
from snugroom.client.proxy import SLOWNESS, Proxy
from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.options import Options
from snugroom.crypto.entry.invite import Invite
from snugroom.lab.crowd.card import EncodedCard
from snugroom.lab.crowd.summary import Heard
from snugroom.wire.messages import ServerMessage

#: Why a participant ended that was asked to go to a server that the link does not name.
ELSEWHERE: Final = "elsewhere"


def sending(
    card: EncodedCard, connection: Connection, crypto: SessionCrypto, on_failed: Callable[[str], None]
) -> MediaEngine:
    """Return the engine of a member that sends the card, and decodes nothing of what it receives."""
    return MediaEngine(
        crypto=crypto,
        source=card.source(),
        decode=False,
        link=connection.make_link,
        sound_encoder=card.sound_encoder,
        video_encoder=card.video_encoder,
        on_lost=connection.media_lost,
        on_moved=connection.media_moved,
        on_failed=on_failed,
    )


class Member:
    """Joins with a link, takes part without decoding anything, and counts what it observes.

    It connects to no server but those of the link. With a `card` it sends and receives media; without one
    there is no connection for media. Make it inside the running event loop: the time to join begins here.
    """

    def __init__(self, link: str, name: str, *, card: EncodedCard | None, proxy: Proxy | None) -> None:
        invite = Invite.parse(link)
        clock = Clock()
        self.name = name
        #: Seconds from the start until this participant was in the room; None before that.
        self.joined_after: float | None = None
        self.alarms: Counter[str] = Counter()
        #: Names of the members whose chat messages have come.
        self.read: set[str] = set()
        #: Whether a chat message of its own was sent.
        self.spoke = False
        #: Why the meeting ended for this participant before the crowd left; None if it did not.
        self.ended: str | None = None
        self._origins = {invite.origin, *invite.servers}
        self._elsewhere = False
        self._card = card
        self._began = asyncio.get_running_loop().time()
        self._names: dict[int, str] = {}
        self.connection = Connection(
            Session.join(
                link, name=name, now=clock(), options=Options(slowness=1.0 if proxy is None else SLOWNESS)
            ),
            make_engine=self._engine,
            on_event=self._event,
            on_message=self._message,
            clock=clock,
            proxy=proxy,
            allows=self._allows,
        )

    @property
    def inside(self) -> bool:
        """Whether it is in the room now."""
        session = self.connection.session
        return session.ended is None and session.entered and bool(self._names)

    @property
    def waited(self) -> float:
        """Seconds since this participant began to join."""
        return asyncio.get_running_loop().time() - self._began

    async def run(self) -> None:
        """Take part until the meeting is over for this participant, and note why."""
        try:
            ended = await self.connection.run()
        except OSError as error:  # of this machine, such as too many open files
            self.ended = error.strerror or str(error)
        else:
            self.ended = ELSEWHERE if self._elsewhere else ended.reason

    def say(self, text: str) -> None:
        """Send a chat message to all, if it can be sent now."""
        try:
            self.connection.feed(ev.Say(text))
        except ValueError:
            return
        self.spoke = True

    def leave(self) -> None:
        """Begin to leave."""
        if self.connection.session.ended is None:
            self.connection.feed(ev.Leave())

    def heard(self) -> Heard:
        """Return the names of the members from whom audio, video or chat has come, authenticated."""
        found: Heard = {"chat": set(self.read)}
        for stats in self.connection.stats():
            if stats.opened and stats.leaf is not None and stats.leaf in self._names:
                found.setdefault(stats.kind, set()).add(self._names[stats.leaf])
        return found

    # -- inside ------------------------------------------------------------------------------

    def _allows(self, origin: str) -> bool:
        if origin in self._origins:
            return True
        self._elsewhere = True
        asyncio.get_running_loop().call_soon(self.leave)
        return False

    def _message(self, endpoint: ev.Endpoint, message: ServerMessage) -> None:
        if self.joined_after is None:
            asyncio.get_running_loop().call_soon(self._look)  # when the session has it, too

    def _look(self) -> None:
        if self.joined_after is None and self.inside:
            self.joined_after = self.waited

    def _event(self, event: ev.Event) -> None:
        match event:
            case ev.Roster(members=members):
                self._names |= {member.leaf: member.name for member in members}
            case ev.Said(name=name):
                self.read.add(name)
            case ev.Alarm(kind=kind):
                self.alarms[kind] += 1

    def _engine(self, session: Session, crypto: SessionCrypto) -> MediaEngine | None:
        sends = self._card is not None
        asyncio.get_running_loop().call_soon(self._show, ev.SetState(sends, sends))
        if self._card is None:
            return None
        return sending(self._card, self.connection, crypto, lambda _: self.alarms.update(["media_failed"]))

    def _show(self, state: ev.SetState) -> None:
        if self.connection.session.ended is None:
            self.connection.feed(state)
