"""pytest fixtures: pytest loads this module by itself where `snugroom` is installed.

It imports nothing of Snug before a test asks for a fixture. The fixtures need pytest-asyncio, and work in
both of its modes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_asyncio import fixture as async_fixture

    from snugroom.testing.network import Network
    from snugroom.testing.server import Server
else:
    try:
        from pytest_asyncio import fixture as async_fixture
    except ImportError:  # `pip install snugroom` without `[test]`
        async_fixture = pytest.fixture


@pytest.fixture
def snug_network() -> Network:
    """The network of this test's `snug_server`: good until the test sets `loss` or `delay`."""
    from snugroom.testing.network import Network

    return Network()


@async_fixture
async def snug_server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    """A real server in this process. It is honest until the test calls `attack`.

    In a test that also has `snug_network`, media passes through that.
    """
    from snugroom.testing.server import Server

    network = request.getfixturevalue("snug_network") if "snug_network" in request.fixturenames else None
    async with Server(network=network) as server:
        yield server


@async_fixture
async def snug_server_process() -> AsyncIterator[Server]:
    """A real server in a process of its own."""
    from snugroom.testing.server import Server

    async with Server(process=True) as server:
        yield server
