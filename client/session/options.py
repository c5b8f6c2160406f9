"""A participant's choices before the meeting, as far as its session needs them."""

from __future__ import annotations

from dataclasses import dataclass

from snugroom.client.session.entry.contacts import Contacts


@dataclass(frozen=True)
class Options:
    """All fields have defaults; the shell fills them from the command line."""

    #: Our identity and contact book; none of it is sent unless a person asks for it.
    contacts: Contacts | None = None
    #: Show our identity to the hosts when knocking.
    show_identity: bool = False
    #: Host: the meeting keeps signatures, so that its messages can be proven to others afterwards.
    reports: bool = False
    #: The file for evidence when the server drops us, and whether to include names.
    evidence: str | None = None
    evidence_names: bool = False
    #: Seconds for which the session tries to get back into a meeting that the server has dropped.
    patience: float = 60.0
