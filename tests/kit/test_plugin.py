"""The pytest plugin in another pytest, in the mode of pytest-asyncio that `test_kit` does not use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from snugroom.installed import environment

_TESTS: Final = """
import pytest

@pytest.mark.asyncio
async def test_it_is_strict(snug_server):
    async with snug_server.meeting("Ada", "Bo") as (ada, bo):
        await ada.say("hello")
        await bo.hears("hello", sender="Ada")

def test_nothing_is_asked_for():
    pass
"""
#: Slow imports, which a test run without our fixtures must not pay for.
_HEAVY: Final = (
    "aiohttp",
    "av",
    "cryptography",
    "msgspec",
    "nacl",
    "numpy",
    "snugroom.client",
    "snugroom.server",
)
_IMPORTS: Final = f"""
import sys
import pytest_asyncio
before = set(sys.modules)
import snugroom.testing.plugin
print(sorted(name for name in set(sys.modules) - before if name.startswith({_HEAVY!r})))
import snugroom.testing
snugroom.testing.Server, snugroom.Participant
print(sorted(name for name in {_HEAVY!r} if name not in sys.modules))
"""


def _python(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    clean = {name: value for name, value in environment().items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        command, cwd=folder, env=clean, check=False, capture_output=True, text=True, timeout=240
    )


def test_it_works_in_strict_mode(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(_TESTS)
    plugins = ["-p", "no:cacheprovider", "-p", "no:randomly"]  # pytest finds ours by its entry point
    done = _python("-m", "pytest", "-q", *plugins, "-o", "asyncio_mode=strict", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    listed = _python("-m", "pytest", "-q", *plugins, "--fixtures", folder=tmp_path).stdout
    for name in ("snug_server", "snug_server_process", "snug_network"):
        assert f"\n{name} " in listed


def test_it_imports_nothing_before_somebody_asks(tmp_path: Path) -> None:
    done = _python("-c", _IMPORTS, folder=tmp_path)
    assert done.stdout.splitlines() == ["[]", "[]"], done.stderr
    assert os.environ.get("PYTEST_CURRENT_TEST"), "the other pytest was none of this one"
