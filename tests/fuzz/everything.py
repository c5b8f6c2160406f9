"""All targets, by name."""

from __future__ import annotations

from typing import Final

from tests.fuzz import frames, handshakes, hub, parsers, reports, sessions, socket
from tests.fuzz.target import Target

TARGETS: Final[dict[str, Target]] = {
    target.name: target
    for part in (parsers, reports, handshakes, hub, frames, sessions, socket)
    for target in part.TARGETS
}
