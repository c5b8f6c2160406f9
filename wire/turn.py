"""A TURN server as clients are told of it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from snugroom.wire import limits

TurnUrl = Annotated[str, msgspec.Meta(pattern=r"^turns?:[A-Za-z0-9.:\[\]-]{1,255}(\?transport=(udp|tcp))?\Z")]
TurnText = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9+/=:.-]{1,256}\Z")]


class Turn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A TURN server (RFC 8656) that the operator has configured, with credentials that expire."""

    urls: Annotated[list[TurnUrl], msgspec.Meta(min_length=1, max_length=limits.TURN_URLS_MAX)]
    username: TurnText
    credential: TurnText
