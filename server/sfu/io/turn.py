"""Credentials for the landlord's TURN servers, in the form of coturn's ``use-auth-secret``.

The user name is the second at which the credentials lapse, and a random text that is new each time: a relay
learns nobody's handle from it, and can limit how much one browser takes (coturn's ``user-quota``). The
password is an HMAC-SHA1 of the user name under the secret that both servers share
(draft-uberti-behave-turn-rest).
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec

from snugroom.server.wire.limits import TURN_URLS_MAX
from snugroom.server.wire.turn import Turn, TurnUrl

#: Random bytes in a user name.
NONCE_BYTES: Final = 8


class TurnServer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A TURN server of the settings, with one of `secret` and `secret_file`."""

    urls: Annotated[list[TurnUrl], msgspec.Meta(min_length=1, max_length=TURN_URLS_MAX)]
    secret: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    secret_file: Annotated[str, msgspec.Meta(min_length=1)] | None = None

    def read(self) -> TurnServer:
        """Return it with its secret, read from `secret_file` if that is set. OSError, ValueError."""
        if self.secret_file is None:
            return self
        try:
            secret = Path(self.secret_file).read_text(encoding="utf-8").strip()
        except UnicodeDecodeError:
            secret = ""
        if not secret:
            raise ValueError("a TURN server's secret_file has no text in it")
        return msgspec.structs.replace(self, secret=secret, secret_file=None)


def credential(secret: str, now: float, lifetime: float, nonce: bytes) -> tuple[str, str]:
    """Return (username, password), valid until `lifetime` seconds after `now`, Unix seconds.

    coturn counts the ports of one `nonce` together.
    """
    username = f"{int(now + lifetime)}:{nonce.hex()}"
    tag = hmac.digest(secret.encode(), username.encode(), "sha1")
    return username, base64.b64encode(tag).decode()


def with_credentials(
    servers: Sequence[TurnServer], now: float, lifetime: float, rng: Callable[[int], bytes]
) -> list[Turn]:
    """Return a client's data for each server; servers without a secret are left out."""
    told = []
    for server in servers:
        if server.secret is not None:
            username, password = credential(server.secret, now, lifetime, rng(NONCE_BYTES))
            told.append(Turn(urls=server.urls, username=username, credential=password))
    return told
