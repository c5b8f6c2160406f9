"""Findings of the probes: plain data, which `server.doctor.judgments` judges."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Names:
    """The addresses that `name` resolves to. `expected`: those in the settings; empty from outside."""

    name: str
    addresses: tuple[str, ...]
    expected: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Tls:
    """The certificate at `host`:`port`, and what a client without exceptions says of it.

    `failure`: what kept the connection from being made, or why the certificate is not trusted.
    """

    host: str
    port: int
    failure: Literal["", "refused", "silent", "plain", "expired", "name", "issuer", "other"] = ""
    detail: str = ""
    names: tuple[str, ...] = ()
    days_left: float = 0.0
    self_signed: bool = False
    version: str = ""
    fingerprint: str = ""
    #: Days from its beginning to its end.
    lifetime: float = 90.0


@dataclass(frozen=True)
class Page:
    """The answer to ``GET /healthz``. `skew`: by how many seconds its clock is ahead, if it is told."""

    status: int = 0
    healthy: bool = False
    error: str = ""
    skew: float | None = None


@dataclass(frozen=True)
class Signaling:
    """The WebSocket at `url`, as a client would use it for `origin`.

    `status`: the HTTP status of a handshake that failed. `told`: the origin of the server's challenge.
    """

    url: str
    origin: str
    told: str = ""
    version: int = 0
    status: int = 0
    error: str = ""


@dataclass(frozen=True)
class Room:
    """Whether a room could be opened: `refused` has the server's code, `text` its reason."""

    opened: bool
    refused: str = ""
    text: str = ""


@dataclass(frozen=True)
class Path:
    """A STUN check of the media port by one way. `rtt` in seconds; None: no answer that proves the server."""

    transport: Literal["udp", "tcp"]
    address: str
    port: int
    rtt: float | None
    error: str = ""
    #: The machine that asks has no address of this family.
    impossible: bool = False


@dataclass(frozen=True)
class Relay:
    """A TURN server at `url`. `allocated`: it gave a relayed address to the server's credentials.

    `open_to`: addresses in private networks that it would relay to. `media`: whether it relays to the media
    address.
    """

    url: str
    allocated: bool
    error: str = ""
    code: int = 0
    media: bool = False
    open_to: tuple[str, ...] = ()


@dataclass(frozen=True)
class Secret:
    """A file with a secret. `others`: other users may read or change it."""

    setting: str
    path: str
    error: str = ""
    others: str = ""


@dataclass(frozen=True)
class Machine:
    """The machine and the process. `running`: servers; `files`: the limit on open files, and the wish."""

    running: int = 0
    files: int = 0
    files_wanted: int = 0
    buffer: int = 0
    buffer_wanted: int = 0
    synchronised: bool | None = None
    page: str = ""
    versions: dict[str, str] = field(default_factory=dict)
