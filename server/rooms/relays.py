"""Credentials for the landlord's TURN servers, in the form of coturn's ``use-auth-secret``.

The user name is the second at which the credentials lapse, and a name of the client. coturn counts the ports
of one name together, whatever the second (``user-quota``), so a client gets the same name in every answer: an
IPv4 address, or an IPv6 network of 64 bits, and at most `WIDER` names for a network of 48 bits. The name is a
hash of that address under a key that the TURN secret gives, so that all nodes of an origin give the same one.
It says nothing of rooms and members, and links no more than the address that the relay sees anyway. The
password is an HMAC-SHA1 of the user name under the secret that both servers share
(draft-uberti-behave-turn-rest).
"""

from __future__ import annotations

import base64
import hmac
import math
import time
from collections.abc import Callable, Sequence
from typing import Final

from snugroom.server.rooms.clients import WIDER, Client
from snugroom.server.turn import TurnServer
from snugroom.wire.turn import Turn

#: Bytes of a client's name.
_NAME: Final = 8
_NETWORK: Final = 6


def name(secret: str, prefix: bytes, handle: bytes = b"") -> str:
    """Return the name of the client with these first bytes of its address (`addresses.prefix`).

    Without an address, as for clients that nobody can tell apart, each connection `handle` has its own name.
    """
    key = hmac.digest(secret.encode(), b"snug turn name", "sha256")
    if not prefix:
        part = b"connection" + handle
    elif len(prefix) > _NETWORK:
        part = prefix[:_NETWORK] + bytes([hmac.digest(key, prefix, "sha256")[0] % WIDER])
    else:
        part = prefix
    return hmac.digest(key, part, "sha256")[:_NAME].hex()


def credential(secret: str, now: float, lifetime: float, client: str) -> tuple[str, str]:
    """Return (username, password) for the name of a client, valid for `lifetime` to twice as many seconds.

    `now`: Unix seconds. Within one lifetime the answer is the same.
    """
    username = f"{math.ceil((now // lifetime + 2) * lifetime)}:{client}"
    tag = hmac.digest(secret.encode(), username.encode(), "sha1")
    return username, base64.b64encode(tag).decode()


class Relays:
    """The TURN servers that browsers are told of. `lifetime`: seconds for which credentials are valid."""

    def __init__(
        self, servers: Sequence[TurnServer], lifetime: float, wall: Callable[[], float] = time.time
    ) -> None:
        self._servers = servers
        self._lifetime = lifetime
        self._wall = wall

    def told(self, client: Client | None, handle: bytes) -> list[Turn]:
        """Return the data of each server for a connection; servers without a secret are left out."""
        told, prefix = [], b"" if client is None else bytes(client.prefix)
        for server in self._servers:
            if server.secret is not None:
                user = name(server.secret, prefix, handle)
                username, password = credential(server.secret, self._wall(), self._lifetime, user)
                told.append(Turn(urls=server.urls, username=username, credential=password))
        return told
