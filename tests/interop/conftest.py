"""The peers as fixtures. SNUG_NO_INTEROP=1 is the one way not to run this suite."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.interop.ts_peer import PageProcess, TsProcess
from tests.interop.ts_setup import Node, ensure_installed


@pytest.fixture(autouse=True, scope="session")
def _interop_wanted() -> None:
    if os.environ.get("SNUG_NO_INTEROP") == "1":
        pytest.skip("SNUG_NO_INTEROP=1")


@pytest.fixture(scope="session")
def node(_interop_wanted: None) -> Node:
    return ensure_installed()


@pytest.fixture(scope="session")
def ts(node: Node) -> Iterator[TsProcess]:
    process = TsProcess(node)
    yield process
    process.close()


@pytest.fixture(scope="session")
def page(node: Node) -> Iterator[PageProcess]:
    process = PageProcess(node)
    yield process
    process.close()
