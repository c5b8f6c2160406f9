"""Whose broadcasts a server carries: for servers that keep those of some members from others."""

from __future__ import annotations

import pytest

from snugroom.lab.simulation.servers import Servers
from snugroom.wire import messages as wire


def authors_at(w: Servers, origin: str, monkeypatch: pytest.MonkeyPatch) -> dict[bytes, str]:
    """Note whose each broadcast is that comes to that server from now on; return their labels by blob."""
    hub, authors = w.hubs[origin], dict[bytes, str]()
    handle = hub.handle

    def noted(who: bytes, message: wire.ClientMessage, now: float) -> object:
        if isinstance(message, wire.Broadcast):
            authors[message.blob] = w.handles[who].who.label
        return handle(who, message, now)

    monkeypatch.setattr(hub, "handle", noted)
    return authors
