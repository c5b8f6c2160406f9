"""Five journeys through a participant's code, counted: `python -m tests.house.journeys [--files] [NAME ...]`.

A reader who follows one input through the code opens so many files, and goes from one to another so often.
A meeting of three is joined in memory (`lab.simulation`), and calls are counted while one input is processed.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, Final

from snugroom.client.session import events as ev
from snugroom.lab.simulation.world import Participant, World
from snugroom.wire.messages import Relayed

ROOT: Final = Path(__file__).parents[2]
PARTS: Final = ("client", "crypto", "wire")


@dataclass
class Journey:
    """The calls of our own functions: `moves` from one file to another, there and not back."""

    calls: int = 0
    moves: int = 0
    files: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count all calls meanwhile, on top of what is counted already."""
        stack: list[str] = []

        def profile(frame: FrameType, event: str, _: Any) -> None:
            file = _ours(frame.f_code.co_filename)
            if event == "call" and file:
                self.calls += 1
                self.files[file] += 1
                self.moves += bool(stack) and stack[-1] != file
                stack.append(file)
            elif event == "return" and file and stack:
                stack.pop()

        sys.setprofile(profile)
        try:
            yield
        finally:
            sys.setprofile(None)


@cache
def _ours(name: str) -> str:
    """Return the path of one of our files from the root; empty for all others."""
    path = Path(name).resolve()
    inside = path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in PARTS
    return str(path.relative_to(ROOT)) if inside else ""


class Counting(World):
    """A world that counts what its participants do with the inputs that `wanted` picks."""

    def __init__(self) -> None:
        super().__init__(1)
        self.journey = Journey()
        self.wanted: Callable[[Participant, ev.Input], bool] = lambda who, what: False

    def _feed(self, who: Participant, what: ev.Input) -> None:
        if not self.wanted(who, what):
            super()._feed(who, what)
            return
        with self.journey.counted():
            effects = who.session.handle(what, self.now + who.clock)
        self._perform(who, effects)


def _meeting() -> tuple[Counting, list[Participant]]:
    w = Counting()
    people = w.meeting("Ada", "Bo", "Cem")
    w.run(30)
    return w, people


def chat_sender() -> Journey:
    """A line of chat, from the command to the blob for the server."""
    w, (ada, _, _) = _meeting()
    w.wanted = lambda who, what: isinstance(what, ev.Say)
    w.do(ada, ev.Say("hello"))
    return w.journey


def chat_receiver() -> Journey:
    """The same line, from the server's message to the event for the person."""
    w, (ada, bo, _) = _meeting()
    w.do(ada, ev.Say("hello"))
    w.wanted = lambda who, what: (
        who is bo and isinstance(what, ev.Received) and isinstance(what.message, Relayed)
    )
    w.until(lambda: bool(bo.said))
    return w.journey


def admission() -> Journey:
    """From a guest's first input to the roster of host and guest with both names, at both."""
    w = Counting()
    host = w.host()
    w.run(30)
    w.wanted = lambda who, what: True
    guest = w.guest(w.link_of(host), "Bo")
    w.until(lambda: w.agreed([host, guest]))
    return w.journey


def idle_tick() -> Journey:
    """A tick of a member at which nothing is due: of the ticks in a minute, one with the fewest calls."""
    w, (_, bo, _) = _meeting()
    ticks: list[Journey] = []

    def wanted(who: Participant, what: ev.Input) -> bool:
        if who is bo and isinstance(what, ev.Tick):
            ticks.append(w.journey)
            w.journey = Journey()
            return True
        return False

    w.wanted = wanted
    w.run(60)
    return min(ticks[1:], key=lambda tick: tick.calls)


def seal_frame() -> Journey:
    """A frame of sound, from the encoder to the packetizer."""
    w, (ada, _, _) = _meeting()
    journey = Journey()
    with journey.counted():
        ada.room.frames.seal("audio", 0, bytes(80), w.now)
    return journey


JOURNEYS: Final = {
    "chat-sender": chat_sender,
    "chat-receiver": chat_receiver,
    "admission": admission,
    "idle-tick": idle_tick,
    "seal-frame": seal_frame,
}


def main() -> None:
    """Print the journeys of these names, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", action="store_true", help="each file, with its calls")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(JOURNEYS))
    wanted = parser.parse_args()
    for name in wanted.names or JOURNEYS:
        journey = JOURNEYS[name]()
        print(f"{name:14} {journey.calls:6} calls {len(journey.files):4} files {journey.moves:5} moves")
        if wanted.files:
            for file, calls in journey.files.most_common():
                print(f"    {calls:6} {file}")


if __name__ == "__main__":
    main()
