"""Snug: a meeting server whose operator cannot read a meeting, and the participants' end of it.

- `snugroom.wire`: messages, limits and packets, for both ends
- `snugroom.server`: signaling, the blind SFU, the meeting page's files, and the hostile server of the lab
- `snugroom.crypto`: MLS, SFrame, invites and proofs, for participants only
- `snugroom.client`: sessions, media, the command line and the tools
- `snugroom.testing`: servers and pytest fixtures for other projects' tests

The names in `__all__`, here and in `snugroom.testing`, are the stable API (docs/reference/python-api.md).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from snugroom.installed import VERSION

if TYPE_CHECKING:
    from snugroom.client.participant import EndedError, Event, Media, Member, NotObservedError, Participant

__all__ = ["EndedError", "Event", "Media", "Member", "NotObservedError", "Participant"]
__version__ = VERSION


def __getattr__(name: str) -> Any:
    """Import the public names when somebody asks for one: the server never does, nor pytest at its start."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("snugroom.client.participant"), name)
