"""What this process does with the network, by Python's audit events: sockets, connections, look-ups."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Egress:
    """`peers`: addresses connected to or sent to; `names`: looked up; `datagram`: sockets for datagrams."""

    except_by: Container[int | None]
    peers: set[Any] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    datagram: int = 0


_watching: list[Egress] = []
_hooked = False


def _note(event: str, args: tuple[Any, ...]) -> None:
    if not _watching or not event.startswith("socket."):
        return
    for egress in _watching:
        if threading.get_ident() in egress.except_by:
            continue
        match event, args:
            case (("socket.connect" | "socket.sendto" | "socket.sendmsg"), (own, peer, *_)):
                # between this process and its children
                if own.family != socket.AF_UNIX and peer is not None:
                    egress.peers.add(peer)
            case (("socket.getaddrinfo" | "socket.gethostbyname"), (host, *_)):
                egress.names.add(str(host))
            case "socket.__new__", (_, family, kind, _) if family in (socket.AF_INET, socket.AF_INET6):
                egress.datagram += kind & ~(socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC) == socket.SOCK_DGRAM


@contextmanager
def watched(except_by: Container[int | None]) -> Iterator[Egress]:
    """Note what all threads of this process do, but for those with these identifiers."""
    global _hooked  # noqa: PLW0603 - a hook stays for the life of the process
    if not _hooked:
        sys.addaudithook(_note)
        _hooked = True
    egress = Egress(except_by)
    _watching.append(egress)
    try:
        yield egress
    finally:
        _watching.remove(egress)
