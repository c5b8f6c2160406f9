"""Scenes of accidents: connections break, programs crash, people close their pages. Nobody is hostile."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from snugroom.lab.bench.availability.scene import TEN_MINUTES, Scene
from snugroom.lab.bench.availability.stage import Stage

#: Seconds for which a connection is cut, or a program is gone.
_GONE: Final = 60.0
#: Seconds of a scene until its accident.
_BEFORE: Final = 30.0


def _for_a_minute(
    begin: Callable[[Stage, str], object], end: Callable[[Stage, str], object], label: str, seed: int
) -> Stage:
    with Stage(seed=seed) as stage:
        stage.wait(_BEFORE)
        begin(stage, label)
        stage.wait(_GONE)
        end(stage, label)
        stage.wait(TEN_MINUTES - _BEFORE - _GONE)
    return stage


_cut: Final = partial(_for_a_minute, Stage.cut, Stage.mend)
_crash: Final = partial(_for_a_minute, Stage.crashes, Stage.returns)


def _closes(seed: int) -> Stage:
    with Stage(seed=seed) as stage:
        stage.wait(_BEFORE)
        stage.closes("Ada")
        stage.wait(TEN_MINUTES - _BEFORE)
    return stage


def _die(first: str, second: str, seed: int) -> Stage:
    with Stage(seed=seed) as stage:
        stage.wait(_BEFORE)
        stage.crashes(first)
        stage.crashes(second)
        stage.wait(TEN_MINUTES - _BEFORE)
    return stage


SCENES: Final = (
    Scene(
        "member_cut",
        "An ordinary member's connection is cut for a minute.",
        "faults alone",
        partial(_cut, "Cem"),
        "cut or crash",
    ),
    Scene(
        "host_cut",
        "The host's connection is cut for a minute.",
        "faults alone",
        partial(_cut, "Ada"),
        "cut or crash",
    ),
    Scene(
        "member_crash",
        "An ordinary member's program crashes, and begins anew after a minute.",
        "faults alone",
        partial(_crash, "Cem"),
        "cut or crash",
    ),
    Scene(
        "host_crash",
        "The host's program crashes, and begins anew after a minute.",
        "faults alone",
        partial(_crash, "Ada"),
        "cut or crash",
    ),
    Scene(
        "host_closes",
        "The only host closes its page, and does not come back.",
        "faults alone",
        _closes,
    ),
    Scene(
        "two_die",
        "Two of four laptops die for good; the host is one of the two others.",
        "faults alone",
        partial(_die, "Cem", "Dana"),
        "two survivors",
    ),
    Scene(
        "two_die_without_host",
        "Two of four laptops die for good; one of them was the only host's.",
        "faults alone",
        partial(_die, "Ada", "Cem"),
    ),
)
