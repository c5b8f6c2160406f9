"""What a participant chooses before the meeting, as far as its session has to know."""

from __future__ import annotations

from dataclasses import dataclass

from client.contacts import Contacts


@dataclass(frozen=True)
class Options:
    """All have defaults; the shell fills them from the command line."""

    #: Our identity and whom we know; nothing of it is sent unless asked for.
    contacts: Contacts | None = None
    #: Show our identity to the hosts when knocking.
    show_identity: bool = False
    #: Host: the meeting keeps signatures, so that what is written in it can be proven to others afterwards.
    reports: bool = False
    #: Where to write evidence when the server drops us, and whether with names.
    evidence: str | None = None
    evidence_names: bool = False
    #: Seconds for which a meeting that the server has dropped is tried again.
    patience: float = 60.0
