"""The ``[nodes]`` table of the settings: this machine is one of several that serve the same origin."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec

from snugroom.wire.limits import NODES_MAX

#: Characters of the nodes' secret: 32 random bytes in base64 have 44.
SECRET_MIN: Final = 32


class NodeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The ``[nodes]`` table of the settings. `tests.docs.generate` makes a table of this text.

    This node
        node: number of this node, 1 to 64, which the table has to set: the proxy routes ``/n/NUMBER/`` to it.
        secret_file: file with a secret that all nodes share, at least 32 characters, which the table has to
            set. The bus gets hashes under this secret instead of keys of rooms.
        lease: after so long without a sign of life from a node, its rooms may begin at another node. The same
            at all nodes.

    The bus
        bus: URL of the NATS server, ``nats://HOST:PORT`` or ``tls://HOST:PORT``.
        bus_user: user name at the bus.
        bus_password_file: file with the password.
        bus_ca_file: file with the certificates that the bus's certificate is checked against, instead of the
            system's.
        bus_plain: accept ``nats://`` to another machine, because the network between the nodes encrypts.
    """

    node: Annotated[int, msgspec.Meta(ge=0, le=NODES_MAX)] = 0
    secret_file: str = ""
    lease: Annotated[float, msgspec.Meta(ge=1, le=300)] = 15.0

    bus: Annotated[str, msgspec.Meta(pattern=r"^(nats|tls)://[A-Za-z0-9.:\[\]-]{1,255}\Z")] = (
        "nats://127.0.0.1:4222"
    )
    bus_user: str | None = None
    bus_password_file: str | None = None
    bus_ca_file: str | None = None
    bus_plain: bool = False

    def secret(self) -> bytes:
        """Return the nodes' secret. Raises OSError, and ValueError with a sentence."""
        text = Path(self.secret_file).read_bytes().strip()
        if len(text) < SECRET_MIN:
            raise ValueError(f"the nodes' secret_file has less than {SECRET_MIN} characters")
        return text

    def bus_password(self) -> str | None:
        """Return the password at the bus. Raises OSError, and UnicodeError."""
        if self.bus_password_file is None:
            return None
        return Path(self.bus_password_file).read_text("utf-8").strip()

    def fault(self) -> str | None:
        """Return a sentence about missing or contradictory settings; None if there are none."""
        if not self.node or not self.secret_file:
            return "the table [nodes] needs node, the number of this node, and secret_file"
        where = urlsplit(self.bus)
        try:
            here = where.hostname == "localhost" or ipaddress.ip_address(where.hostname or "").is_loopback
        except ValueError:
            here = False
        if where.scheme == "nats" and not here and not self.bus_plain:
            return (
                "nodes.bus is on another machine: use tls://, or set nodes.bus_plain if the network encrypts"
            )
        if (self.bus_user is None) != (self.bus_password_file is None):
            return "nodes.bus_user and nodes.bus_password_file belong together"
        return None
