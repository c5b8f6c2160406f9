"""Scenes in which one member is hostile, and everybody else and the server are honest."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.features.comparing import Comparing
from snugroom.crypto.agreed.heartbeat import Heartbeat
from snugroom.crypto.errors import SnugError
from snugroom.lab.bench.availability.scene import TEN_MINUTES, Scene
from snugroom.lab.bench.availability.stage import HOSTILE, Stage
from snugroom.lab.simulation.liars import Change, Liar, ahead, forked
from snugroom.lab.simulation.mallory import Mallory

_NAMES: Final = ("Ada", "Bo", "Cem", "Dana", HOSTILE)
#: Seconds between two lies, between two acts, and between two comparisons.
_LIE_FOR: Final = 4.0
_ACT_EVERY: Final = 2.0
_COMPARE_EVERY: Final = 6.0


def false_incarnation(beat: Heartbeat) -> Heartbeat:
    """Name a room at the server that nobody is in."""
    return replace(beat, incarnation=b"elsewher")


def false_relay(beat: Heartbeat) -> Heartbeat:
    """Name a message far behind all that the server has numbered."""
    return replace(beat, relay=beat.relay + 1000)


#: The lies of one heartbeat, by name.
LIES: Final[dict[str, Change]] = {
    "ahead": ahead(),
    "forked": forked,
    "false incarnation": false_incarnation,
    "false relay": false_relay,
}


def is_inside(stage: Stage) -> bool:
    """Whether the hostile member is in the room, and in step."""
    who = stage.who(HOSTILE)
    room = who.session._room
    return room is not None and who.ended is None and room.is_synced(stage.w.now)


def comes_in_again(stage: Stage, liar: Liar) -> None:
    """The hostile member rejoins: that needs no person."""
    if is_inside(stage):
        stage.tale.record(stage.w.now, HOSTILE, "rejoins")
        liar.comes_in_again()


def _lies(lie: str, seed: int) -> Stage:
    with Stage(_NAMES, seed=seed) as stage:
        liar = stage.liar()
        liar.lie = LIES[lie]
        while stage.w.now < stage.began + TEN_MINUTES:
            stage.tale.record(stage.w.now, HOSTILE, "signs", lie)
            if is_inside(stage):
                liar.beat()
            stage.wait(_LIE_FOR)
            comes_in_again(stage, liar)
    return stage


def _compares(seed: int) -> Stage:
    with Stage(_NAMES, seed=seed) as stage:
        while stage.w.now < stage.began + TEN_MINUTES:
            compares(stage)
            stage.wait(_COMPARE_EVERY)
    return stage


def compares(stage: Stage) -> None:
    """The hostile member asks all to compare codes, and keeps back what it has to reveal for that."""
    if is_inside(stage):
        stage.tale.record(stage.w.now, HOSTILE, "compares")
        feature = stage.who(HOSTILE).room.feature(Comparing)

        def say(what: content.AnyContent) -> None:
            if not isinstance(what, content.CodeReveal):
                Comparing._say(feature, what)

        feature._say = say
        stage.command(HOSTILE, ev.Compare())


def acts(stage: Stage, act: Callable[[], None], name: str) -> None:
    """Have the hostile member do one of the acts of `Mallory`, if it can."""
    if is_inside(stage):
        stage.tale.record(stage.w.now, HOSTILE, "signs", name)
        with suppress(SnugError, ValueError, IndexError, KeyError):  # it is out of step itself
            act()


def _commits(seed: int) -> Stage:
    with Stage(_NAMES, seed=seed) as stage:
        chance = random.Random(seed)
        mallory = Mallory(stage.w, stage.who(HOSTILE), chance)
        while stage.w.now < stage.began + TEN_MINUTES:
            act = chance.choice(mallory.acts)
            acts(stage, act, act.__name__)
            stage.wait(_ACT_EVERY)
    return stage


def _scene(name: str, about: str, play: Callable[[int], Stage], *, one_cause: bool = True) -> Scene:
    return Scene(name, about, "one member alone", play, "hostile member", one_cause=one_cause, seeds=(1,))


SCENES: Final = (
    _scene(
        "lie_ahead",
        "A member's heartbeats name a slot 5,000 ahead; it comes in again, and lies again.",
        partial(_lies, "ahead"),
    ),
    _scene(
        "lie_forked",
        "A member's heartbeats name our slot with another history; it comes in again, and lies again.",
        partial(_lies, "forked"),
    ),
    _scene(
        "lie_incarnation",
        "A member's heartbeats name another room at the server; it comes in again, and lies again.",
        partial(_lies, "false incarnation"),
    ),
    _scene(
        "lie_relay",
        "A member's heartbeats name messages that nobody has; it comes in again, and lies again.",
        partial(_lies, "false relay"),
    ),
    _scene(
        "comparisons",
        "A member has all compare codes every six seconds, and never reveals its own part.",
        _compares,
    ),
    _scene(
        "hostile_acts",
        "A member signs what no honest program would, every two seconds: commits, messages, heartbeats.",
        _commits,
        one_cause=False,
    ),
)
