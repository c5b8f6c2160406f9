"""Scenes in which a meeting goes on at another server, while people write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from snugroom.client.session import events as ev
from snugroom.lab.bench.availability.scene import Power, Scene
from snugroom.lab.bench.availability.stage import Stage
from snugroom.lab.simulation.servers import OTHERS
from snugroom.lab.simulation.world import ORIGIN

_ALL: Final = ("Ada", "Bo", "Cem", "Dana")
_FAULTS: Final[Power] = "faults alone"
#: Seconds between two messages, and seconds after the last one until it must be read or missed.
_EVERY: Final = 2.0
_AFTER: Final = 120.0


def _write(stage: Stage, labels: Sequence[str], seconds: float) -> None:
    """Let time pass, in which these write by turns."""
    for n in range(round(seconds / _EVERY)):
        stage.says(labels[n % len(labels)])
        stage.wait(_EVERY)


def _called(seed: int) -> Stage:
    with Stage(_ALL, seed=seed, further=1) as stage:
        _write(stage, _ALL, 10)
        stage.acted_at = stage.w.now
        stage.command("Ada", ev.Move())
        for _ in range(10):
            stage.says("Bo")
            stage.wait(0.1)
        _write(stage, _ALL, 20)
        stage.wait(_AFTER)
    return stage


def _called_while_away(seed: int) -> Stage:
    with Stage(_ALL, seed=seed, further=1) as stage:
        stage.cut("Cem")
        _write(stage, ("Ada", "Bo", "Dana"), 70)
        stage.command("Ada", ev.Move())
        _write(stage, ("Ada", "Bo", "Dana"), 30)
        stage.mend("Cem")
        stage.acted_at = stage.w.now
        stage.wait(_AFTER)
    return stage


def _killed_at_move(seed: int) -> Stage:
    with Stage(_ALL, seed=seed, further=1) as stage:
        _write(stage, _ALL, 10)
        stage.acted_at = stage.w.now
        stage.command("Ada", ev.Move())
        stage.wait(0.05)
        stage.server_fails(OTHERS[0])
        _write(stage, _ALL, 30)
        stage.wait(_AFTER)
    return stage


def _first_killed(seed: int) -> Stage:
    with Stage(_ALL, seed=seed, further=1) as stage:
        _write(stage, _ALL, 10)
        stage.says("Bo")
        stage.acted_at = stage.w.now
        stage.server_fails(ORIGIN)
        _write(stage, _ALL, 30)
        stage.wait(_AFTER)
    return stage


def _host_and_first_killed(seed: int) -> Stage:
    with Stage(_ALL, seed=seed, further=1) as stage:
        _write(stage, _ALL, 10)
        stage.server_fails(ORIGIN)
        stage.crashes("Ada")
        _write(stage, ("Bo", "Cem", "Dana"), 20)
        stage.returns_as_host("Ada")
        stage.acted_at = stage.w.now
        _write(stage, ("Bo", "Cem", "Dana"), 30)
        stage.wait(_AFTER)
    return stage


SCENES: Final = (
    Scene(
        "move",
        "The host has everybody go on at the second server, while people write.",
        _FAULTS,
        _called,
        "words",
        together=True,
    ),
    Scene(
        "move_while_away",
        "The host has everybody go on at the second server; a member was cut off 70 s before, for 100 s.",
        _FAULTS,
        _called_while_away,
        "words",
        together=True,
        one_cause=False,
    ),
    Scene(
        "killed_at_move",
        "The host has everybody go on at the second server, which dies at that moment.",
        _FAULTS,
        _killed_at_move,
        "words",
        together=True,
    ),
    Scene(
        "first_killed",
        "The first server dies, and a second one is listed.",
        _FAULTS,
        _first_killed,
        "words",
        together=True,
    ),
    Scene(
        "host_and_first_killed",
        "The host's program and the first server die; twenty seconds later the host is back by its file.",
        _FAULTS,
        _host_and_first_killed,
        "words",
        together=True,
        one_cause=False,
    ),
)
