"""The lists of `tests/tiers.toml` name tests that exist, move few of them, and give a reason for each."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.conftest import LEFT, TOGETHER, arranged
from tests.tiers import TIERS, Tiers, files, named

ROOT = Path(__file__).parents[1]


def exists(entry: str) -> bool:
    file, _, rest = entry.partition("::")
    names = [re.sub(r"\[.*", "", name).replace("*", r"\w*") for name in rest.split("::")] if rest else []
    paths = list(ROOT.glob(file if "*" not in file else f"{file}.py"))
    return any(
        all(
            re.search(rf"\b(def|class) {name}\b|^{name} = ", path.read_text(encoding="utf-8"), re.M)
            for name in names
        )
        for path in paths
    )


def test_every_entry_names_a_test_that_exists() -> None:
    tiers = Tiers.load()
    assert [entry for entry in (*tiers.check, *tiers.check_without, *tiers.moved) if not exists(entry)] == []
    assert not exists("tests/test_tiers.py::test_nothing")
    assert not exists("tests/test_nothing.py")


def test_at_most_a_tenth_of_the_tests_is_left_to_test_all(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--tier") in ("check", "alone"):
        return  # they leave most tests to `make test`
    left = request.config.stash[LEFT]
    assert left <= 0.1 * (left + len(request.session.items))


def test_a_test_is_named_by_a_folder_a_file_a_function_or_a_parameter() -> None:
    test = "tests/web/test_page.py::test_opening_it[firefox]"
    for entry in ("tests/", "tests/web/test_page.py", "tests/web/test_page.py::test_opening_it", test):
        assert named(test, [entry]), entry
    for entry in ("tests/web/test_pag", "tests/web/test_page.py::test_open", f"{test}]", "test_page.py"):
        assert not named(test, [entry]), entry


def test_tiers_run_what_they_list(tmp_path: Path) -> None:
    lists = tmp_path / "tiers.toml"
    lists.write_text(
        '[check]\ntests = ["tests/a/"]\nwithout = ["tests/a/test_x.py::test_slow"]\n'
        '[[not_in_check]]\nmodules = []\nreason = "It is a process."\n'
        '[[only_in_test_all]]\ntests = ["tests/b/test_y.py"]\nreason = "It waits for Tor."\n'
        '[[only_in_test_all]]\ntests = ["tests/b/test_z.py"]\nreason = "It keeps time."\nalone = true\n'
    )
    tiers = Tiers.load(lists)
    quick, slow, moved, timed = (
        "tests/a/test_x.py::test_1",
        "tests/a/test_x.py::test_slow",
        "tests/b/test_y.py::test_2",
        "tests/b/test_z.py::test_3",
    )
    runs = {tier: [test for test in (quick, slow, moved, timed) if tiers.runs(tier, test)] for tier in TIERS}
    assert runs == {
        "check": [quick],
        "test": [quick, slow],
        "all": [quick, slow, moved],
        "alone": [timed],
    }


@pytest.mark.parametrize("silent", ["not_in_check", "only_in_test_all"])
def test_an_omission_without_a_reason_is_refused(silent: str, tmp_path: Path) -> None:
    lists = tmp_path / "tiers.toml"
    tables = {"not_in_check": "modules", "only_in_test_all": "tests"}
    lists.write_text(
        "[check]\ntests = []\nwithout = []\n"
        + "".join(
            f'[[{table}]]\n{key} = ["x"]\nreason = "{" " if table == silent else "It is slow."}"\n'
            for table, key in tables.items()
        )
    )
    with pytest.raises(ValueError, match="no reason"):
        Tiers.load(lists)


def test_files_are_named_once_for_the_command_line(tmp_path: Path) -> None:
    for name in ("a_1", "a_2", "b"):
        (tmp_path / f"test_{name}.py").touch()
    entries = ["test_a*", "test_b.py::test_x", "test_b.py::test_y"]
    assert files(entries, tmp_path) == ["test_a_1.py", "test_a_2.py", "test_b.py"]


def test_one_worker_runs_all_tests_of_a_group() -> None:
    """Its fixtures are made once, however tests are shuffled."""
    command = [sys.executable, "-m", "pytest", "-n", "2", "-v"]
    files = ["tests/proof/test_search.py", "tests/crypto/test_kdf.py"]
    done = subprocess.run([*command, *files], cwd=ROOT, capture_output=True, text=True, check=True)
    ran = dict(re.findall(r"^\[(gw\d)\].* PASSED (tests/proof)", done.stdout, re.M))
    everything = set(re.findall(r"^\[(gw\d)\]", done.stdout, re.M))
    assert (len(ran), len(everything)) == (1, 2), done.stdout


def test_tests_that_wait_run_among_tests_that_compute() -> None:
    waits = [f"tests/cli/test_a.py::test_{n}" for n in range(4)]
    computes = [f"tests/mls/test_a.py::test_{n}" for n in range(8)]
    order = arranged([*computes, *waits], str)
    assert [test for test in order if test in computes] == computes
    for at in range(0, 12, 3):
        assert len([test for test in order[at : at + 3] if test in waits]) == 1


def test_two_groups_run_at_first_and_others_one_after_another() -> None:
    others = [f"tests/mls/test_a.py::test_{n}" for n in range(100)]
    groups = [[f"{names[0]}::test_x", f"{names[0]}::test_y"] for names in TOGETHER]
    order = arranged([*(group[0] for group in groups), *others, *(group[1] for group in groups)], str)
    assert order[:4] == groups[0] + groups[1]
    starts = [order.index(first) for first, _ in groups]
    assert all(order[start : start + 2] == group for start, group in zip(starts, groups, strict=True))
    assert all(later - start > 5 for start, later in pairwise(starts[1:]))
    assert order.index(others[50]) > starts[-1]
