"""Plays a lecture's recording for its projector: no server, no robots, no network.

A step begins with what was shown when the lecturer came to it, and stays there until the page has something
done. If that was done in the recording, its answer and what followed are played.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from snugroom.lab.demo.projector import RefusedError
from snugroom.lab.demo.recording import TURN, Deed, Entry, Frame

#: Seconds until the page has the answer to a deed that took longer in the lecture.
WAIT_MAX: Final = 2.0
#: Deeds that are answered whether they were recorded or not: they change nothing in the recording.
_ALWAYS: Final = ("dismiss", "vote")


@dataclass
class Segment:
    """A deed and what was shown after it; without a deed, what was shown when the step began."""

    began: float
    deed: Deed | None = None
    frames: list[Frame] = field(default_factory=list)


def segments(entries: Iterable[Entry]) -> dict[str, list[Segment]]:
    """Return the segments of each step, the one without a deed first. A step that came twice goes on."""
    steps: dict[str, list[Segment]] = {}
    for each in entries:
        if isinstance(each, Frame):
            steps.setdefault(each.step, [Segment(each.at)])[-1].frames.append(each)
        elif each.deed == TURN:
            steps.setdefault(each.step, [Segment(each.began)])
        else:
            steps.setdefault(each.step, [Segment(each.began)]).append(Segment(each.began, each))
    return steps


class Player:
    """The `projector.Stage` of a recording (`recording.load`)."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        every = list(entries)
        self._steps = segments(every)
        self._first = next(each for each in every if isinstance(each, Frame))
        self._step = self._first.step
        self._at = 0
        #: The recording's time minus the clock of this run, in the segment that is played.
        self._offset = self._here[0].began - self._now

    async def state(self) -> dict[str, Any]:
        """Return the frame that is due, and the deeds of the step that can be played."""
        deeds = [each.deed for each in self._here if each.deed is not None]
        return {**self._frame().state, "played": [{"deed": each.deed, "told": each.told} for each in deeds]}

    async def find(self, where: str, _: bytes) -> Any:
        """Return the recorded answer. RefusedError without one."""
        return await self._play(f"find_{where}", {})

    async def do(self, deed: str, told: dict[str, Any]) -> dict[str, Any]:
        """Play what followed in the recording. RefusedError if it was refused, or not done in this step."""
        if deed == TURN:
            self._step = str(told.get("step", ""))
            self._begin(0)
            return {}
        try:
            answer = await self._play(deed, told)
        except RefusedError:
            if deed in _ALWAYS:
                return {}
            raise
        if answer is None or "refused" in answer:
            raise RefusedError("late" if answer is None else str(answer["refused"]))
        return dict(answer)

    # -- inside ------------------------------------------------------------------------------

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    @property
    def _here(self) -> list[Segment]:
        return self._steps.get(self._step, [])

    def _begin(self, at: int, skip: float = 0.0) -> None:
        """Play the segment with this number, from `skip` seconds on."""
        self._at = at
        if at < len(self._here):
            self._offset = self._here[at].began + skip - self._now

    def _frame(self) -> Frame:
        """Return the last frame that is due, of this segment or of one before it in the step."""
        due = self._now + self._offset
        for segment in reversed(self._here[: self._at + 1]):
            shown = [frame for frame in segment.frames if frame.at <= due]
            if shown:
                return shown[-1]
        # a step that was left before its first frame
        return next((frame for each in self._here for frame in each.frames), self._first)

    async def _play(self, deed: str, told: dict[str, Any]) -> Any:
        order = [*range(self._at + 1, len(self._here)), *range(min(self._at + 1, len(self._here)))]
        for at in order:
            found = self._here[at].deed
            if found is not None and found.deed == deed and found.told == told:
                await asyncio.sleep(min(WAIT_MAX, found.at - found.began))
                self._begin(at, found.at - found.began)
                return found.answer
        raise RefusedError("recorded")
