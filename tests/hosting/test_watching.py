"""Alerts and dashboard name metrics that exist, and alerts fire when they should and not otherwise."""

from __future__ import annotations

import inspect
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import aiohttp
import pytest

from snugroom.server.disclosure import metrics
from tests.cli.processes import running
from tests.docs.test_docs import sources
from tests.hosting.machine import INSTALL, ROOT

RULES: Final = ROOT / "packaging/prometheus/snug.rules.yml"
UNIT_TESTS: Final = Path(__file__).with_name("snug.rules.test.yml")
DASHBOARD: Final = ROOT / "packaging/grafana/snug.json"
ALERTS: Final = re.findall(r"- alert: (\w+)", RULES.read_text())


def expressions() -> list[str]:
    """The queries of the dashboard."""
    return [
        target["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"] for target in panel["targets"]
    ]


def labels(name: str) -> set[str]:
    """The values of a label that alerts ask for."""
    found = re.findall(rf'{name}=~?"([^"]+)"', RULES.read_text())
    return {value for values in found for value in values.split("|")}


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip(f"there is no promtool here: {INSTALL}")
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for file in (RULES, UNIT_TESTS):
        shutil.copy(file, tmp_path)
    return tmp_path


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def test_all_metrics_exist() -> None:
    wanted = set(re.findall(r"\bsnug_\w+", "\n".join([RULES.read_text(), *expressions()])))
    options = ("--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--workers", "2")
    with running(*options, module="snugroom.server") as server:
        url = server.wait_line(lambda line: line.startswith("listening on ")).removeprefix("listening on ")
        where = server.wait_line(lambda line: line.startswith("metrics ")).removeprefix("metrics ")
        async with aiohttp.ClientSession() as http:
            async with http.ws_connect(f"{url}/ws") as socket:
                # a refusal: they are counted by code, as soon as there is one
                await socket.receive()
                await socket.send_str("no message")
                await socket.receive()
            async with http.get(where) as answer:
                page = await answer.text()
    there = set(re.findall(r"^# TYPE (\w+)", page, re.MULTILINE))
    assert len(wanted & there) > 20
    # some come with the first event of their kind
    declared = set(re.findall(r'"(snug_\w+)"', inspect.getsource(metrics)))
    assert wanted - there - declared == set()


def test_codes_and_events_that_alerts_name_exist() -> None:
    code = sources("server")
    assert labels("code") == {"full", "rate", "errors", "pieces"}
    assert "over_room_rate" in labels("event")
    assert {name for name in labels("code") | labels("event") if f'"{name}"' not in code} == set()


def test_each_alert_is_seen_firing() -> None:
    text = UNIT_TESTS.read_text()
    assert len(ALERTS) > 8
    assert {name for name in ALERTS if f'alertname="{name}"' not in text} == set()


def test_promtool_passes_the_alerts(promtool: str, folder: Path) -> None:
    assert f"SUCCESS: {len(ALERTS)} rules found" in run(promtool, "check", "rules", RULES.name, folder=folder)
    run(promtool, "test", "rules", UNIT_TESTS.name, folder=folder)


def test_promtool_finds_an_alert_that_never_fires(promtool: str, folder: Path) -> None:
    rules = folder / RULES.name
    rules.write_text(
        rules.read_text().replace("increase(snug_refusals_total", "0 * increase(snug_refusals_total")
    )
    with pytest.raises(AssertionError, match="SnugFull"):
        run(promtool, "test", "rules", UNIT_TESTS.name, folder=folder)


def test_promtool_reads_the_queries_of_the_dashboard(promtool: str, folder: Path) -> None:
    queries = expressions()
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    (folder / "queries.yml").write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    assert f"SUCCESS: {len(queries)} rules" in run(promtool, "check", "rules", "queries.yml", folder=folder)
