"""`snug page` on a Python that lacks what those of Windows and macOS lack."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.cli.elsewhere import MODULES
from tests.cli.forks import ROOT, environment
from tests.cli.processes import PATIENCE, on


@pytest.mark.parametrize("system", MODULES)
def test_the_page_there_answers_its_browser(
    system: str, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    seen = set()
    for _ in range(2):
        with on(system, "page", "--port", "0") as page:
            line = page.wait_line(lambda text: text.startswith("The page is at "))
            host = line.removeprefix("The page is at http://").partition("/")[0]
            seen.add(host.partition(".")[0])
            request = urllib.request.Request(
                f"http://127.0.0.1:{host.partition(':')[2]}/", headers={"Host": host}
            )
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                assert b"<!doctype html>" in answer.read().lower()
            page.signal(signal.SIGINT)
            assert page.status() == 0, page.errors
    assert len(seen) == 1, "the origin stays, and with it the browser's permissions"


def test_an_sdist_is_recognised_as_built_without_locks_of_files(bundle: Path) -> None:
    code = (
        "import sys\nfrom tests.cli.elsewhere import Blocker\nsys.modules.pop('fcntl', None)\n"
        "sys.meta_path.insert(0, Blocker(['fcntl']))\n"
        "from snugroom.client.web import node\nnode.build()\nprint(node.current())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "True"
