"""Media in memory, and Mallory, who holds all media keys and whom the server helps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.features.signing import Signing
from snugroom.crypto.agreed import envelope
from snugroom.crypto.errors import MissingKeyError, SnugError
from snugroom.crypto.media import clear_header
from snugroom.crypto.media.keys import FutureEpochError, OpenedFrame
from snugroom.crypto.media.sframe import Header
from snugroom.crypto.media.signatures import FrameList
from snugroom.lab.simulation.world import GREETING, Participant, World
from snugroom.wire import messages as wire
from tests.session.contents import overheard

SOUND = b"s" * 60


def signing(who: Participant) -> Signing:
    feature = who.room.feature(Signing)
    assert isinstance(feature, Signing)
    return feature


def leaf_of(who: Participant) -> int:
    leaf = who.session.own_leaf
    assert leaf is not None
    return leaf


def ssrc_of(who: Participant) -> int:
    """The SSRC of sound; video has the next one."""
    return 1000 + 10 * ord(who.label[0])


def of_media(who: Participant) -> list[str]:
    return [kind for kind in who.alarms if kind in ("forged_media", "unverified_media")]


@dataclass
class Media:
    """An SFU in memory: sound (25 frames of 40 ms a second) and video (10) of all members to all others.

    `tests/web/mixed.py` halves these rates.

    `passes(sender, receiver)`: False drops a frame. `opened` counts by (receiver, sender) what was played.
    """

    w: World
    SOUND_EVERY: ClassVar[float] = 0.04
    VIDEO_EVERY: ClassVar[float] = 0.1
    passes: Callable[[Participant, Participant], bool] = lambda sender, receiver: True
    opened: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    withheld: Counter[str] = field(default_factory=Counter)
    #: Each member's last frame of sound, behind the clear header.
    last: dict[str, bytes] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)

    def join(self, *people: Participant) -> None:
        for who in people:
            streams = ((ssrc_of(who), "audio", 0), (ssrc_of(who) + 1, "video", 1))
            self.w.do(who, ev.Publish("ufrag", "p" * 22, bytes(32), streams))  # type: ignore[arg-type]  # literals
            self.w._every(self.SOUND_EVERY, lambda who=who: self._send(who, "audio", 0, SOUND))  # type: ignore[misc]
            self.w._every(self.VIDEO_EVERY, lambda who=who: self._send(who, "video", 1, b"\x11" * 900))  # type: ignore[misc]

    def _send(self, who: Participant, kind: clear_header.Kind, stream: int, frame: bytes) -> None:
        if not who.alive or not who.session.inside or who.ended or who.label in self.silent:
            return
        if ev.ROOM not in who.links:
            return  # the server has dropped the media path with the connection
        data = who.room.frames.seal(kind, stream, frame, self.w.now + who.clock)
        if data is None:
            self.withheld[who.label] += 1
            return
        if kind == "audio":
            self.last[who.label] = data
        for other in self.w.people:
            if other is not who and other.session.inside and self.passes(who, other):
                self.deliver(other, who, kind, data)

    def deliver(self, to: Participant, sender: Participant, kind: clear_header.Kind, data: bytes) -> None:
        """Deliver a frame on the stream of `sender`, even one that another member made."""
        ssrc = ssrc_of(sender) + (kind == "video")
        self.w._after(
            self.w.random.uniform(0, self.w.latency),
            lambda: self._receive(to, sender, ssrc, kind, data, self.w.now),
        )

    def _receive(
        self,
        to: Participant,
        sender: Participant,
        ssrc: int,
        kind: clear_header.Kind,
        data: bytes,
        since: float,
    ) -> None:
        if not to.alive or to.ended or ev.ROOM not in to.links:
            return
        held = self.w.now - since
        again = self.w.now + max(0.1, held)  # less and less often

        def then(opened: OpenedFrame | SnugError) -> None:
            match opened:
                case FutureEpochError():
                    if held < 2.5:
                        self.w._at(again, partial(self._receive, to, sender, ssrc, kind, data, since))
                case MissingKeyError():
                    pass  # of an epoch that is over here
                case SnugError():
                    self.refused[to.label, sender.label] += 1
                case _:
                    self.opened[to.label, sender.label] += 1

        self.w.open(to, ssrc, kind, data, then)


def meeting(seed: int, *names: str, greeting: float = GREETING) -> tuple[World, Media, list[Participant]]:
    w = World(seed)
    w.greeting = greeting
    people = w.meeting(*names)
    media = Media(w)
    media.join(*people)
    w.run(4)
    media.withheld.clear()  # before they were in step
    return w, media, people


class Mallory:
    """A member whom the server helps: she seals under any key id, and gets frames onto any stream."""

    def __init__(self, w: World, media: Media, who: Participant) -> None:
        self.w = w
        self.media = media
        self.who = who

    def seal(self, leaf: int, counter: int, frame: bytes = b"I resign") -> bytes:
        keys: Any = self.who.room.membership.media._sending(self.w.now).keys
        return bytes(keys.key(keys.kid(leaf, 0)).encrypt(counter, clear_header.metadata("audio", b""), frame))

    def speaks_as(self, victim: Participant, to: Participant, *, counter: int) -> None:
        self.media.deliver(to, victim, "audio", self.seal(leaf_of(victim), counter))


def counter_of(sealed: bytes) -> int:
    return Header.decode(sealed).counter


def lists_in(who: Participant, message: object) -> FrameList | None:
    """The list of frames in a message of the server, read with a member's keys."""
    if isinstance(message, wire.Broadcasted):
        for epoch in signing(who)._epochs.values():
            try:
                return FrameList.decode(
                    envelope.open(epoch.key, "signatures", who.room.membership.room, message.blob)
                )
            except SnugError:
                continue
    return None


def published(who: Participant, by: Participant) -> Callable[[], list[bytes]]:
    """Return what lists all secret halves of media keys that `who` is told by a member from now on."""
    told, leaf = overheard(who, content.MediaSecret), leaf_of(by)
    return lambda: [secret for sender, what in told if sender == leaf for secret in what.secrets]
