"""Listen in on the contents that a member receives, or keep them from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from snugroom.client.session.catalogue import content
from snugroom.crypto import mls
from snugroom.lab.simulation.world import Participant

C = TypeVar("C", bound=content.Content)


def overheard(who: Participant, kind: type[C]) -> list[tuple[int, C]]:
    """(sender's leaf, content) of all contents of that type that `who` receives from now on."""
    heard: list[tuple[int, C]] = []

    def listen(received: mls.ApplicationMessage, what: C, now: float) -> None:
        heard.append((received.sender, what))

    handlers = who.room.messages.handlers
    handlers[kind] = [*handlers[kind], listen]
    return heard


def deaf_to(who: Participant, kind: type[content.Content]) -> Callable[[], None]:
    """`who` processes no content of that type until the returned function is called."""
    handlers = who.room.messages.handlers
    usual, handlers[kind] = handlers[kind], []

    def hears_again() -> None:
        handlers[kind] = usual

    return hears_again
