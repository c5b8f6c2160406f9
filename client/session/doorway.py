"""What is known of the connection that is open at the room's door now."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Doorway:
    """Forgotten with the connection; what outlasts it stands in the room session."""

    """What is known of the connection that is open now."""

    nonce: bytes  # the server's
    server_key: bytes
    handle: bytes = b""
    entered: bool = False
    shown: int | None = None  # the highest slot whose pass the server has acknowledged
    showing: int | None = None  # the slot whose pass was sent last, unanswered
    refused_at: int | None = None  # our pass was refused at this slot: wait for a regate
    opening: bool = False
    catching_up: bool = False
    catch_up_again: float | None = None  # when one that came too soon is asked for again
    level_done: bool = False  # what happens once on being level has happened
    aspects_told: bool = False  # that we are level
    handing_over: int | None = None
    regated_at: int | None = None
