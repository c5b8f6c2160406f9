"""All targets, by name."""

from __future__ import annotations

from typing import Final

from tests.fuzz import handshakes, house, parsers, socket
from tests.fuzz.target import Target

TARGETS: Final[dict[str, Target]] = {
    target.name: target for target in (*parsers.TARGETS, *handshakes.TARGETS, *house.TARGETS, *socket.TARGETS)
}
