"""For all tests: which of them a command runs, in which order, and on which worker.

`make test` runs several pytest workers (pytest-xdist). Tests that share a costly fixture run on one worker,
so that the fixture is made once. The longest of these groups start first, and the others in the first half:
none is left over at the end.
"""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from tests import limits
from tests.session.seeds import EVERY_TICK
from tests.tiers import TIERS, Tiers

T = TypeVar("T")

# No test fails for taking long: the machine may be busy. Those that hang end by `timeout` (pyproject.toml).
settings.register_profile("snug", deadline=None)
settings.load_profile("snug")

if EVERY_TICK:
    from snugroom.lab.simulation.world import World

    World.TICK, World.SERVER_TICK = World.TICK / 2, World.SERVER_TICK / 2

#: Files and folders whose tests share something that is costly to make, as two browsers: one worker runs all
#: tests of a group. The groups that take longest come first.
TOGETHER: Final = (
    (
        "tests/web/test_axe.py",
        "tests/web/test_bench.py",
        "tests/web/test_call_views.py",
        "tests/web/test_chat_views.py",
        "tests/web/test_code_art.py",
        "tests/web/test_host_views.py",
        "tests/web/test_leaving_views.py",
        "tests/web/test_phone.py",
        "tests/web/test_projector_views.py",
        "tests/web/test_room_views.py",
        "tests/web/test_share_views.py",
        "tests/web/test_topbar_views.py",
        "tests/web/test_trust_views.py",
        "tests/web/test_views.py",
        "tests/web/test_window_views.py",
        "tests/web/test_words_fit.py",
    ),
    (
        "tests/web/test_meeting.py",
        "tests/web/test_page.py",
        "tests/web/test_calls.py",
        "tests/web/test_comeback.py",
        "tests/web/test_photos.py",
        "tests/web/test_visits.py",
        "tests/web/test_own_page.py",
        "tests/web/test_workers.py",
        "tests/web/test_scan.py",
    ),
    (
        "tests/web/test_media.py",
        "tests/web/test_install.py",
        "tests/web/test_leak.py",
        "tests/web/test_moving.py",
        "tests/web/test_trust.py",
        "tests/web/test_networks.py",
        "tests/web/test_layers.py",
        "tests/web/test_crypto_browsers.py",
        "tests/web/test_vectors_browsers.py",
    ),
    ("tests/proof/",),
    ("tests/web/test_lecture.py",),
    ("tests/web/test_projector.py",),
    ("tests/lab/test_leakage.py",),
    ("tests/hosting/test_proxies.py",),
    ("tests/hosting/test_relay.py",),
)
#: How far apart groups start after the first two, as a share of all tests that are in none.
BETWEEN: Final = 0.07
#: Folders with tests that wait for processes, browsers and media. Others only compute.
WAITING: Final = (
    "tests/web/",
    "tests/lab/",
    "tests/network/",
    "tests/proof/",
    "tests/demo/",
    "tests/cli/",
    "tests/server/",
    "tests/media_server/",
    "tests/media_client/",
    "tests/interop_media/",
    "tests/hosting/",
)


#: How many tests the tier leaves to `make test-all`.
LEFT: Final = pytest.StashKey[int]()
MEMORY: Final = limits.MemoryBound()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--tier", choices=TIERS, help="which tests run (tests/tiers.py); without it, every test")


def pytest_configure(config: pytest.Config) -> None:
    # A tenth of the time of simulated meetings goes into looking for garbage that is not there.
    gc.set_threshold(50_000, 10, 10)
    limits.enforce()
    # `snug page` keeps the name of its origin there: tests leave the user's alone
    folder = tempfile.mkdtemp(prefix="snug-state-")
    os.environ["XDG_STATE_HOME"] = folder
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name long bytes by their argument: many are random, and all workers must agree on names."""
    return argname if isinstance(val, bytes) and len(val) > 16 else None


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    MEMORY.check()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    tiers, tier = Tiers.load(), config.getoption("--tier")
    dropped = [item for item in items if tier is not None and not tiers.runs(tier, item.nodeid)]
    config.stash[LEFT] = len(dropped)
    if dropped:
        left = set(dropped)
        items[:] = [item for item in items if item not in left]
        config.hook.pytest_deselected(items=dropped)


@pytest.hookimpl(tryfirst=True)  # before a worker tells its order to the scheduler
def pytest_collection_finish(session: pytest.Session) -> None:
    session.items[:] = arranged(session.items, lambda item: item.nodeid)


def arranged(tests: Sequence[T], name: Callable[[T], str]) -> list[T]:
    """The two longest groups first; then tests that wait among tests that compute, and groups among both.

    So no core is idle for long, and few groups with browsers compete for two cores: media that must keep up
    with real time costs more the slower it runs. Otherwise the order stays as it is, shuffled or not.
    """
    kinds: list[list[T]] = [[], []]
    groups: dict[int, list[T]] = {}
    for test in tests:
        if (group := _together(name(test))) is not None:
            groups.setdefault(group, []).append(test)
        else:
            waits = name(test).startswith(WAITING) and "test_session_" not in name(test)
            kinds[waits].append(test)
    places = [((group - 1) * BETWEEN, test) for group in sorted(groups) for test in groups[group]]
    places += [(at / len(kind), test) for kind in kinds for at, test in enumerate(kind)]
    return [test for _, test in sorted(places, key=lambda place: place[0])]


class _Together(LoadScopeScheduling):  # type: ignore[misc]  # it ships no types
    """Hands out tests one by one, and those of `TOGETHER` as one."""

    def _split_scope(self, nodeid: str) -> str:
        group = _together(nodeid)
        return nodeid if group is None else f"group {group}"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    # `--dist load` asks for it; its own grouping by marks does not work with every version of pytest
    if config.getoption("dist") != "load":
        return None
    config.option.loadscopereorder = False  # the order is ours
    return _Together(config, log)


def _together(nodeid: str) -> int | None:
    return next((number for number, names in enumerate(TOGETHER) if nodeid.startswith(names)), None)
