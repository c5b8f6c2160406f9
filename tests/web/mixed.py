"""Worlds in which some run the page's code and some run ours, and the scenarios of tests/session in them."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Collection, Iterator
from types import ModuleType
from typing import Any

import pytest

from client.session.options import Options
from tests.interop.ts_setup import ensure_installed
from tests.session.world import ORIGIN, Participant, World
from tests.web.ts_session import SessionProcess, TsSession, Who

#: The ways to mix them: who opens the meeting, and who comes in.
MIXES: dict[str, Who] = {
    "host": lambda name, opens: opens,
    "guests": lambda name, opens: not opens,
    "all": lambda name, opens: True,
}


def all_but(*names: str) -> Who:
    """Everybody but these, who are hostile in a way that only our own code can be made to be."""
    return lambda name, opens: name not in names


def mixed_world(process: SessionProcess, who: Who, base: type[World] = World) -> type[World]:
    """A World whose people run the page's code where `who` says so."""

    class Mixed(base):  # type: ignore[valid-type, misc]
        def host(
            self,
            name: str = "Ada",
            *,
            admission: str = "all",
            title: str = "",
            options: Options = Options(),  # noqa: B008 - frozen
        ) -> Participant:
            if not who(name, True):
                return super().host(name, admission=admission, title=title, options=options)  # type: ignore[no-any-return]
            seed = f"{name} {self.random.getrandbits(32)}"
            session = TsSession.host(
                process,
                seed=seed,
                now=self.now,
                options=options,
                origin=ORIGIN,
                name=name,
                title=title,
                admission=admission,
            )
            return self.add(name, session)  # type: ignore[no-any-return]

        def guest(
            self,
            link: str,
            name: str,
            *,
            options: Options = Options(),  # noqa: B008 - frozen
        ) -> Participant:
            if not who(name, False):
                return super().guest(link, name, options=options)  # type: ignore[no-any-return]
            seed = f"{name} {self.random.getrandbits(32)}"
            session = TsSession.join(process, link, seed=seed, now=self.now, options=options, name=name)
            return self.add(name, session)  # type: ignore[no-any-return]

    return Mixed


def cases(function: Callable[..., Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The arguments of a scenario, as its own `parametrize` marks give them."""
    marks = [m for m in getattr(function, "pytestmark", []) if m.name == "parametrize"]
    tables = []
    for mark in marks:
        names = mark.args[0]
        names = names.split(",") if isinstance(names, str) else list(names)
        names = [name.strip() for name in names]
        rows = [row if len(names) > 1 else (row,) for row in mark.args[1]]
        tables.append([dict(zip(names, row, strict=True)) for row in rows])
    for number, chosen in enumerate(itertools.product(*tables)):
        merged = {name: value for row in chosen for name, value in row.items()}
        yield (f"-{number}" if marks else ""), merged


def scenarios(module: ModuleType, mixes: Collection[str], *, without: Collection[str] = ()) -> list[Any]:
    """(function, its arguments, mix) for all tests of a module, except those named."""
    found = []
    named = set(without)
    for name, function in inspect.getmembers(module, inspect.isfunction):
        if not name.startswith("test_") or function.__module__ != module.__name__:
            continue
        if name in named:
            named.discard(name)
            continue
        for suffix, arguments in cases(function):
            for mix in mixes:
                label = f"{name.removeprefix('test_')}{suffix}-{mix}"
                found.append(pytest.param(function, arguments, MIXES[mix], id=label))
    assert not named, f"{module.__name__} has no {named}"
    return found


def play(
    monkeypatch: pytest.MonkeyPatch,
    process: SessionProcess,
    function: Callable[..., Any],
    arguments: dict[str, Any],
    who: Who,
) -> None:
    """Run a scenario of tests/session with the people whom `who` names running the page's code."""
    module = inspect.getmodule(function)
    assert module is not None
    for name, value in list(vars(module).items()):
        if inspect.isclass(value) and issubclass(value, World):
            monkeypatch.setattr(module, name, mixed_world(process, who, value))
    if "monkeypatch" in inspect.signature(function).parameters:
        arguments = {**arguments, "monkeypatch": monkeypatch}
    function(**arguments)


@pytest.fixture(scope="module")
def sessions() -> Iterator[SessionProcess]:
    """A Node process for the people of one file's scenarios."""
    process = SessionProcess(ensure_installed())
    yield process
    process.close()
