"""A part of a member's session beside slots, commits and chat: one file, one concern.

`RoomSession` calls these hooks at the moments that they are named for; a feature acts through the room's
`ports`. No hook may block, and none has access to a socket. Hooks run in the order of `features.build`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.kernel.verdict import Change
from snugroom.crypto import mls
from snugroom.crypto.proof.evidence import Receipt
from snugroom.wire import messages as wire

_F = TypeVar("_F")
#: Processes a member's authenticated message: `(received, what, now)`.
Handler = Callable[[mls.ApplicationMessage, Any, float], None]
Contents = Mapping[type[content.Content], Handler]


class Feature:
    """Every hook does nothing by default. `now` is in Unix seconds and never goes back."""

    def __init__(self, room: Room) -> None:
        self.room = room

    def carry_over(self, old: Room) -> None:
        """Take over the state that outlives a leaf: this membership follows `old` after a rejoin."""

    def synced(self, now: float) -> None:
        """This connection has just come in step with the server; called anew for every connection."""

    def published(self, now: float) -> None:
        """Our media parameters were sent to the server, which resets its forwarding to us."""

    def streams(self, streams: Sequence[wire.HandleStream], now: float) -> None:
        """The streams that others send now, as the server lists them."""

    def lost(self, why: str, now: float, *, by_server: bool) -> None:
        """The room's connection was lost, or could not be made; `by_server` as in `events.Lost`."""

    def tick(self, now: float) -> None:
        """Time has passed, connected or not."""

    def contents(self) -> Contents:
        """Return the content types that this feature owns, each with its handler; read once."""
        return {}

    def overheard(self) -> Contents:
        """Return the same for content types of other owners; these handlers run after the owner's."""
        return {}

    def announced(self, what: content.Announcement) -> None:
        """Another leaf's announcement, newer than the last one: of its own, or handed on by a member."""

    def broadcast_received(self, blob: bytes, now: float) -> bool:
        """Process a broadcast blob, which is not stored; return True if it was for this feature."""
        return False

    def relayed(self, number: int, digest: bytes, now: float) -> None:
        """A relay that the server stores has arrived, readable or not: its number, and H(blob)."""

    def receipt(self, receipt: Receipt, now: float, *, ours: bool) -> None:
        """The server has signed that a blob took a slot, in our history (`ours`) or in another one."""

    def unsigned(self, what: str, now: float) -> None:
        """The server has given us a change or an opening without a right signature: `what`, in words."""

    def server_heard(self, now: float) -> None:
        """The server has sent a message, of any kind, on the room's connection."""

    def challenged(self, challenge: wire.Challenge) -> None:
        """The server has begun a connection to the room."""

    def server_notice(self, notice: wire.Refused | wire.Closing, now: float) -> None:
        """A `refused` or `closing` message of the server."""

    def adopted(self, change: Change, now: float) -> None:
        """A commit was adopted: group, policy, ledger and all keys have advanced."""

    def voided(self, slot: int, author: int | None, now: float) -> None:
        """A slot is void; `author` is a leaf, None if it is unknown."""

    def stuck(self, blob: bytes, now: float) -> None:
        """The next slot holds a commit, `blob`, that breaks no rule and that we cannot read."""

    def replaced(self, now: float) -> None:
        """The next slot's commit puts a leaf in the place of ours, with our keys and not at our request."""

    def heartbeat_sent(self, blob: bytes) -> None:
        """A heartbeat of ours was broadcast, sealed as `blob`."""

    def next_is_ready(self) -> bool:
        """Return whether the room at the next server of the list is open for us."""
        return False

    def further(self, what: ev.Received | ev.Lost, now: float) -> None:
        """A message, or the loss, of a connection to another room than ours."""

    def ended(self) -> None:
        """This membership has ended."""

    def resumed(self, now: float) -> None:
        """This membership goes on: all who asked to be let in again were at the same slot."""

    def leaving(self, now: float) -> None:
        """We are leaving, and in step with the server."""

    def hold_reason(self, now: float) -> str | None:
        """Return None if messages may be sealed for the room; else why they wait, as a sentence."""
        return None

    def pause_reason(self, now: float) -> str | None:
        """Return None if media may be sealed; else the reason, as a sentence for a person."""
        return None

    def heard_recently(self, leaf: int, now: float, since: float) -> bool:
        """Return whether data signed by this leaf has arrived in the last seconds, and after `since`."""
        return False

    def holds_commits(self, now: float) -> bool:
        """Return whether our commits have to wait, except removals."""
        return False

    def frame_sealed(self, stream: int, frame: bytes, now: float) -> None:
        """A media frame of ours, as SFrame sealed it (without the clear header)."""

    def check_frame(self, ssrc: int, leaf: int, stream: int, frame: bytes, now: float) -> None:
        """Check a received SFrame frame of that leaf's key id before it is opened.

        Raise a SnugError to refuse it, FutureEpochError to have it held and tried again.
        """

    def frame_opened(self, ssrc: int, leaf: int, stream: int, frame: bytes, now: float) -> None:
        """The same frame (as SFrame sealed it), after it was opened."""


class Hooks:
    """Finds the features that define a hook, and those of a class: at every tick and every frame.

    Most features define few hooks.
    """

    def __init__(self, features: Iterable[Feature]) -> None:
        self.features = tuple(features)
        self._by_hook: dict[str, tuple[Feature, ...]] = {}
        self._by_kind: dict[type, Any] = {}

    def feature(self, kind: type[_F]) -> _F:
        """Return the feature of that class; StopIteration if there is none."""
        found: _F | None = self._by_kind.get(kind)
        if found is None:
            found = self._by_kind[kind] = next(each for each in self.features if isinstance(each, kind))
        return found

    def features_with(self, hook: str) -> tuple[Feature, ...]:
        """Return the features whose class defines that hook, in order; AttributeError for an unknown hook."""
        found = self._by_hook.get(hook)
        if found is None:
            nothing = getattr(Feature, hook)
            found = tuple(a for a in self.features if getattr(type(a), hook) is not nothing)
            self._by_hook[hook] = found
        return found


def content_table(
    own: Contents, features: Iterable[Feature]
) -> Mapping[type[content.Content], Sequence[Handler]]:
    """Return the handlers of each content type, its owner's first. `own`: what the kernel owns.

    LookupError if a content type has not exactly one owner.
    """
    handlers: defaultdict[type[content.Content], list[Handler]] = defaultdict(list)
    parts = tuple(features)
    for contents in (own, *(feature.contents() for feature in parts)):
        for kind, handler in contents.items():
            handlers[kind].append(handler)
    wrong = [kind.__name__ for kind in content.TYPES if len(handlers[kind]) != 1]
    if wrong:
        raise LookupError(f"content types without exactly one owner: {', '.join(wrong)}")
    for feature in parts:
        for kind, handler in feature.overheard().items():
            handlers[kind].append(handler)
    return handlers
