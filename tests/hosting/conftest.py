"""Machines for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hosting.machine import Network, UnavailableError, network


@pytest.fixture(scope="module")
def net(request: pytest.FixtureRequest) -> Iterator[Network]:
    """A network for the tests of a module, which names the programs that it needs (`PROGRAMS`)."""
    try:
        with network(request.module.PROGRAMS) as made:
            yield made
    except UnavailableError as why:
        pytest.skip(str(why))
