"""One meeting serves all the tests of this folder."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from tests.proof.meeting import Record, hold


@pytest.fixture(scope="session")
def meeting(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """A meeting that is over, and all that was found."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak counts from now: proc(5)
    before = peak()
    record = asyncio.run(hold(tmp_path_factory.mktemp("meeting")))
    record.grown = peak() - before
    return record


def peak() -> int:
    """The most memory that this process has had, bytes."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text("utf-8"), re.M)
    assert found is not None
    return int(found[1]) << 10
