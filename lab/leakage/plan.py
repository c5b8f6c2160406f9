"""Plans of meetings in the leakage lab, and records of the events in them, as JSON.

A plan is drawn from a seed. It is balanced, so that neither the time nor the member alone predicts a state:
in each stretch one member speaks, one listens and one is muted, and each member does all of it equally often
(in meetings of a multiple of three stretches).
"""

from __future__ import annotations

import random
from typing import Literal

import msgspec

State = Literal["speaking", "listening", "muted"]
STATES: tuple[State, ...] = ("speaking", "listening", "muted")
#: Seconds per state.
SEGMENT = 2.5
#: Ranges of chat message lengths in characters. Each range is equally likely.
CHATS = ((1, 40), (41, 100), (101, 220), (300, 900), (1000, 2500))


class Stretch(msgspec.Struct, frozen=True):
    """A member's state for `SEGMENT` seconds; `chat`: length of a message, `chat_at`: seconds until it."""

    state: State
    camera: bool
    chat: int
    chat_at: float


class Part(msgspec.Struct, frozen=True):
    """One member of a meeting. `back_after`: seconds from leaving to coming back; None: the member stays."""

    name: str
    seed: int
    has_camera: bool
    stretches: list[Stretch]
    back_after: float | None = None


class Plan(msgspec.Struct, frozen=True):
    """One meeting; the first part is the host's. `planted`: its members' Opus has a variable bitrate."""

    number: int
    starts_after: float
    parts: list[Part]
    planted: bool = False


class Lived(msgspec.Struct, frozen=True):
    """The record of one member's stay, from joining to leaving. Times are Unix seconds.

    `stretches`: (from, to, state, camera on). `chats`: (time, characters). `handles` and `doors`: connections
    to the room and to lobbies, in hex.
    """

    meeting: int
    person: int
    life: int
    host: bool
    has_camera: bool
    planted: bool
    ssrcs: dict[str, int]
    handles: list[str]
    doors: list[str]
    stretches: list[tuple[float, float, str, bool]]
    chats: list[tuple[float, int]]


_NAMES = ("Ada", "Bob", "Cleo", "Dario", "Edith", "Farid", "Gunhild", "Hal", "Ines", "Jo", "Konstantin", "Lu")


def draw(
    number: int,
    seconds: float,
    seed: int,
    *,
    starts_after: float = 0.0,
    planted: bool = False,
    returns: bool = True,
) -> Plan:
    """Draw the plan of a meeting of three for about `seconds`. `returns`: both guests leave and come back."""
    source = random.Random(seed * 1_000_003 + number)  # noqa: S311  # a plan, not a secret
    count = max(1, round(seconds / SEGMENT))
    names = source.sample(_NAMES, 3)
    turns = [k % 3 for k in range(count)]
    source.shuffle(turns)
    camera = source.randrange(3)
    parts = []
    for i, name in enumerate(names):
        states = [STATES[(i + turn) % 3] for turn in turns]
        cameras = [k % 2 == 0 for k in range(count)]
        source.shuffle(cameras)
        stretches = [
            Stretch(state, on, source.randint(*source.choice(CHATS)), source.uniform(0.3, SEGMENT - 0.6))
            for state, on in zip(states, cameras, strict=True)
        ]
        back = source.uniform(0.3, 1.5) if i and returns else None
        parts.append(Part(name, source.getrandbits(31), i == camera, stretches, back))
    return Plan(number, starts_after, parts, planted)
