"""Scenes of hostile operators, alone or with a member that a host removes.

A removal is commanded just after the host's heartbeat has come to all: its word then holds longest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from snugroom.lab.bench.availability.scene import TEN_MINUTES, Scene
from snugroom.lab.bench.availability.stage import HOSTILE, Stage
from snugroom.lab.simulation.tale import SERVER
from snugroom.lab.simulation.world import ORIGIN
from snugroom.wire import messages as wire

_BEFORE: Final = 30.0
_NAMES: Final = ("Ada", "Bo", "Cem", "Dana", HOSTILE)
_OTHERS: Final = ("Bo", "Cem", "Dana")
#: Seconds for which somebody listens after the removal: longer than any lease.
_LISTENS: Final = 180.0
#: Seconds by which heartbeats are late: little enough that nothing is told.
_LATE: Final = 10.0


def _host_cut_for_good(seed: int) -> Stage:
    with Stage(seed=seed) as stage:
        stage.wait(_BEFORE)
        stage.cut("Ada", by=SERVER)
        stage.wait(TEN_MINUTES - _BEFORE)
    return stage


def _host_cut_from_first(further: int, mirror: bool, seed: int) -> Stage:
    with Stage(seed=seed, further=further, mirror=mirror) as stage:
        stage.wait(_BEFORE)
        stage.acted_at = stage.w.now
        stage.cut("Ada", ORIGIN, by=SERVER)
        stage.wait(TEN_MINUTES - _BEFORE)
    return stage


def _removal_withheld(seed: int, *, heartbeats: bool = False, strict: bool = False) -> Stage:
    with Stage(_NAMES, seed=seed, strict=strict) as stage:
        stage.wait(_BEFORE)
        stage.wait_for_heartbeat("Ada")
        for label in (*_OTHERS, HOSTILE):
            stage.swallow(label, "down", wire.Committed)
            if heartbeats:
                stage.swallow(label, "down", wire.Broadcasted, author="Ada")
        stage.removes("Ada", HOSTILE)
        stage.wait(_LISTENS)
    return stage


def _removal_swallowed(seed: int, *, cut: bool = False, late: float = 0.0, strict: bool = False) -> Stage:
    with Stage(_NAMES, seed=seed, strict=strict) as stage:
        for label in _OTHERS if late else ():
            stage.swallow(label, "down", wire.Broadcasted, author="Ada", late=late)
        stage.wait(_BEFORE)
        stage.wait_for_heartbeat("Ada")
        stage.swallow("Ada", "up", wire.Commit, *([wire.Broadcast] if cut else []))
        stage.removes("Ada", HOSTILE)
        if cut:
            stage.cut("Ada", by=SERVER)
        stage.wait(_LISTENS)
    return stage


def _strict_or_not(name: str, what: str, play: Callable[..., Stage]) -> Iterator[Scene]:
    """Yield the scene of a removal in an ordinary meeting, and in a strict one."""
    for strict in (False, True):
        yield Scene(
            f"{name}{'_strict' * strict}",
            f"A host removes a member; {what}{', in a strict meeting' * strict}.",
            "operator + one member",
            partial(play, strict=strict),
            "strict exposure" if strict else "exposure",
        )


SCENES: Final = (
    Scene(
        "host_cut_for_good",
        "The operator cuts the host off for good, and there is no further server.",
        "operator alone",
        _host_cut_for_good,
    ),
    *(
        Scene(
            f"host_cut_from_first{'_mirrored' if mirror else ''}",
            f"The first server cuts the host off for good; a second one is listed{', as a mirror' * mirror}.",
            "operator alone",
            partial(_host_cut_from_first, 1, mirror),
            "host cut",
            together=True,
        )
        for mirror in (False, True)
    ),
    Scene(
        "removal_withheld",
        "A host removes a member; the operator keeps the change from everybody else.",
        "operator + one member",
        _removal_withheld,
        "exposure",
    ),
    *_strict_or_not(
        "removal_and_beats_withheld",
        "the operator keeps that and the host's heartbeats from everybody else",
        partial(_removal_withheld, heartbeats=True),
    ),
    Scene(
        "removal_swallowed",
        "A host removes a member; the operator swallows the change.",
        "operator + one member",
        _removal_swallowed,
        "exposure",
    ),
    *_strict_or_not(
        "remover_cut",
        "the operator cuts the host off before anybody hears of it",
        partial(_removal_swallowed, cut=True),
    ),
    *_strict_or_not(
        "remover_cut_after_late_beats",
        "the operator, which has delayed the host's heartbeats, cuts the host off before anybody hears of it",
        partial(_removal_swallowed, cut=True, late=_LATE),
    ),
)
