"""What a shell feeds to a session: server messages, time, commands, and the media engine's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from snugroom.client.session.events.commands import Command
from snugroom.wire import messages as wire
from snugroom.wire.messages import ServerMessage


@dataclass(frozen=True)
class Endpoint:
    """The purpose of one connection: a room (`day` is None), the lobby of a UTC day, or a further room.

    A probe is a room that this participant opens alone, to test whether the server still serves others. The
    second and the third connection are to the meeting's rooms at a further server (`features.mirror`), the
    fourth to one where we look for a host (`features.host_search`).
    """

    day: int | None = None
    further: Literal["probe", "second", "third", "fourth"] | None = None

    @property
    def probe(self) -> bool:
        return self.further == "probe"

    def __str__(self) -> str:
        if self.further is not None:
            return self.further
        return "room" if self.day is None else f"lobby {self.day}"


ROOM = Endpoint()
PROBE = Endpoint(further="probe")
SECOND = Endpoint(further="second")
THIRD = Endpoint(further="third")
FOURTH = Endpoint(further="fourth")


@dataclass(frozen=True)
class Received:
    """A message from the server on one connection. The first message on a connection is a Challenge."""

    endpoint: Endpoint
    message: ServerMessage


@dataclass(frozen=True)
class Lost:
    """A connection closed or could not be made; `why` is text for a person.

    `answered`: the server accepted the connection, or answers other requests. `distrust`: why the server's
    certificate does not prove that it is the server of the link; None if that is not the cause. `strange`: no
    connection was made, for the server's name leads where a meeting leads no program. `by_server`: the server
    itself ended or refused it, with a close frame of WebSocket or an HTTP status of its own: no network does
    that.
    """

    endpoint: Endpoint
    why: str
    answered: bool = False
    distrust: str | None = None
    strange: bool = False
    by_server: bool = False


@dataclass(frozen=True)
class NetworkChanged:
    """This device's network has changed if `certain`; else it may have, for the path of media has moved."""

    certain: bool


@dataclass(frozen=True)
class Tick:
    """Time has passed. The shell feeds one about every 100 ms."""


@dataclass(frozen=True)
class Publish:
    """The media engine's transport parameters and streams; sent on every new connection to the room.

    `layers` and `rtx` map a stream's own SSRC to its further SSRCs; `feedback` and `takes_rtx` are as in
    `wire.messages.Media`.
    """

    ufrag: str
    password: str
    fingerprint: bytes
    streams: tuple[tuple[int, Literal["audio", "video"], int], ...]  # (SSRC, kind, stream number)
    layers: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    rtx: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    feedback: bool = False
    takes_rtx: bool = False

    def message(self) -> wire.Media:
        """Return the message that publishes these parameters to the server."""
        streams = [
            wire.Stream(ssrc, kind, list(self.layers.get(ssrc, ())), list(self.rtx.get(ssrc, ())))
            for ssrc, kind, _ in self.streams
        ]
        return wire.Media(
            self.ufrag,
            self.password,
            self.fingerprint,
            streams,
            feedback=self.feedback,
            rtx=self.takes_rtx,
        )


Input = Received | Lost | NetworkChanged | Tick | Publish | Command
