"""The interface of a participant's outputs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from snugroom.client.headless.status import Status
from snugroom.client.media.stats import OwnStats, StreamStats
from snugroom.client.session import events as ev


class Output(Protocol):
    """Takes what happens, for a program (`json_output.JsonOutput`) or a person (`cli.output.HumanOutput`)."""

    def event(self, event: ev.Event) -> None:
        """Tell an event of the meeting."""

    def media(self, rows: Iterable[tuple[StreamStats, str]]) -> None:
        """Tell the counters of the remote streams, each with its sender's name."""

    def sending(self, rows: Iterable[OwnStats], round_trip: float | None) -> None:
        """Tell the counters of own streams, and the round trip to the server in seconds."""

    def note(self, kind: str, text: str, **more: Any) -> None:
        """Tell something about this program itself."""

    def warn(self, kind: str, text: str, **more: Any) -> None:
        """Tell something about this program itself that a person must not miss."""

    def error(self, text: str, status: Status = Status.USAGE) -> Status:
        """Tell the error that ends the program; return `status`, its exit status."""

    def summary(self, rows: Iterable[tuple[StreamStats, str]]) -> None:
        """Tell the final counters."""
