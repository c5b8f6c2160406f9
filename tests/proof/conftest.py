"""One meeting serves all the tests of this folder."""

from __future__ import annotations

import asyncio

import pytest

from tests.proof.meeting import Record, hold


@pytest.fixture(scope="session")
def meeting(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """A meeting that is over, and all that was found."""
    return asyncio.run(hold(tmp_path_factory.mktemp("meeting")))
