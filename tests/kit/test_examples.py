"""The examples in docs/examples run as they are written."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from snugroom.client.web import node
from snugroom.installed import environment
from snugroom.testing import Server
from snugroom.testing.plugin import snug_server
from tests.patience import PATIENCE

__all__ = ["snug_server"]

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"


@pytest.fixture
def commands(tmp_path: Path) -> dict[str, str]:
    """An environment with `snug` and `snug-server` on the path: those of this checkout."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, module in (("snug", "snugroom.command"), ("snug-server", "snugroom.server")):
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
        (folder / name).chmod(0o755)
    return environment() | {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_the_shell_script_holds_a_meeting(commands: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", str(EXAMPLES / "meeting.sh")],
        cwd=tmp_path, env=commands, check=False, capture_output=True, text=True, timeout=2 * PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    chat, end = map(json.loads, done.stdout.splitlines())
    assert (chat["from"], chat["text"]) == ("Bo", "hello")
    assert (end["event"], end["reason"]) == ("end", "left")


async def test_the_robot_in_javascript_greets(
    commands: dict[str, str], snug_server: Server, tmp_path: Path
) -> None:
    async with snug_server.meeting("Ada") as (ada,):
        (tmp_path / "link").write_text(ada.link)
        pipe = asyncio.subprocess.PIPE
        robot = await asyncio.create_subprocess_exec(
            node.find_node().node, str(EXAMPLES / "greeter.mjs"), str(tmp_path / "link"),
            env=commands, stdout=pipe, stderr=pipe,
        )  # fmt: skip
        try:
            await ada.meets("Greeter", within=PATIENCE)
            await ada.say("hello")
            await ada.hears("Hello, Ada!", sender="Greeter", within=PATIENCE)
            ada.send({"end": True})
            async with asyncio.timeout(PATIENCE):
                out, errors = await robot.communicate()
        finally:
            if robot.returncode is None:
                robot.kill()
                await robot.wait()
    assert (robot.returncode, out, errors) == (0, b"ended\n", b"")


def test_typescript_takes_the_types_and_the_robot(tmp_path: Path) -> None:
    """The types are valid, and narrow by `event`: the robot's use of them type-checks."""
    compiler = ROOT / "client/web/node_modules/typescript/bin/tsc"
    options = ["--noEmit", "--strict", "--allowJs", "--checkJs", "--target", "es2022", "--module", "nodenext"]
    types = ["--typeRoots", str(ROOT / "client/web/node_modules/@types"), "--types", "node"]
    done = subprocess.run(
        [node.ensure_installed().node, str(compiler), *options, *types, str(EXAMPLES / "greeter.mjs")],
        cwd=tmp_path, check=False, capture_output=True, text=True, timeout=2 * PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
