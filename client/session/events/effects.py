"""What a session has its shell do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from snugroom.client.session.events.events import Event
from snugroom.client.session.events.inputs import Endpoint
from snugroom.crypto.entry.member_recovery import MemberRecoveryData
from snugroom.wire.messages import ClientMessage, HandleStream, Transport


@dataclass(frozen=True)
class Connect:
    """Open a connection to this endpoint of the server; `path` selects a node of it, such as ``/n/1``.

    `origin`: of a further server; empty for the server of the link.
    """

    endpoint: Endpoint
    path: str = ""
    origin: str = ""


@dataclass(frozen=True)
class ConnectSoon:
    """A connection to the room at this server may follow in seconds: the shell may open it ahead of time."""

    origin: str


@dataclass(frozen=True)
class Disconnect:
    """Close the connection to this endpoint."""

    endpoint: Endpoint


@dataclass(frozen=True)
class Transmit:
    """Send a message on the connection to this endpoint."""

    endpoint: Endpoint
    message: ClientMessage


@dataclass(frozen=True)
class Tell:
    """Show an event to the person or the script."""

    event: Event


@dataclass(frozen=True)
class Save:
    """Write a file for the person, readable by nobody else."""

    what: Literal["evidence", "report"]
    path: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Keep:
    """Keep this for a return, in place of what was kept of this meeting, before the effects that follow.

    None: forget it.
    """

    data: MemberRecoveryData | None


@dataclass(frozen=True)
class MediaTransport:
    """The server's media transport parameters, for the media engine to connect to."""

    transport: Transport


@dataclass(frozen=True)
class RemoteStreams:
    """The streams that others send now, as the server lists them."""

    streams: tuple[HandleStream, ...]


Effect = Connect | ConnectSoon | Disconnect | Transmit | Tell | Save | Keep | MediaTransport | RemoteStreams
