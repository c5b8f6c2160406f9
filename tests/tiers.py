"""Which tests `make check`, `make test` and `make test-all` run: the lists are in `tests/tiers.toml`.

check   a selection of in-memory tests, without processes or browsers
test    everything but the tests listed for `make test-all`
all     everything, but for the tests that need the machine for themselves
alone   these, which `make test-all` runs one by one at its end
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal, get_args

Tier = Literal["check", "test", "all", "alone"]
TIERS: Final[tuple[Tier, ...]] = get_args(Tier)
FILE: Final = Path(__file__).with_name("tiers.toml")


@dataclass(frozen=True)
class Tiers:
    """The lists. A test is named by its node id, or by the part of it up to a `/`, `::` or `[`."""

    #: Of `make check`, and what it leaves out of these.
    check: tuple[str, ...]
    check_without: tuple[str, ...]
    #: Modules of which `make check` runs no function: file to reason.
    not_in_check: dict[str, str]
    #: Only in `make test-all`: test to reason.
    moved: dict[str, str]
    #: Of these, the tests that run one by one.
    alone: tuple[str, ...]

    @classmethod
    def load(cls, path: Path = FILE) -> Tiers:
        """KeyError or TypeError where the file lacks a list; ValueError where a reason is missing."""
        raw = tomllib.loads(path.read_text(encoding="utf-8"))

        def reasons(table: str, key: str) -> dict[str, str]:
            found: dict[str, str] = {}
            for group in raw[table]:
                if not group["reason"].strip():
                    raise ValueError(f"{path}: no reason is given for {group[key]}")
                found |= dict.fromkeys(group[key], group["reason"])
            return found

        return cls(
            check=tuple(raw["check"]["tests"]),
            check_without=tuple(raw["check"]["without"]),
            not_in_check=reasons("not_in_check", "modules"),
            moved=reasons("only_in_test_all", "tests"),
            alone=tuple(
                test for group in raw["only_in_test_all"] if group.get("alone") for test in group["tests"]
            ),
        )

    def runs(self, tier: Tier, test: str) -> bool:
        """Whether that tier runs the test with this node id."""
        if tier in ("all", "alone"):
            return named(test, self.alone) == (tier == "alone")
        if named(test, self.moved):
            return False
        return tier == "test" or (named(test, self.check) and not named(test, self.check_without))


def named(test: str, entries: Iterable[str]) -> bool:
    """Whether one of the entries names the test with this node id. A `*` stands for any characters."""
    return _pattern(tuple(entries)).match(test) is not None


@cache
def _pattern(entries: tuple[str, ...]) -> re.Pattern[str]:
    """One pattern for all entries: thousands of tests are compared with hundreds of them."""
    escaped = (
        ".*".join(map(re.escape, entry.split("*"))) + ("" if entry.endswith("/") else r"(?=[/:\[\]-]|$)")
        for entry in entries
    )
    return re.compile("|".join(escaped) or r"(?!)")


def files(entries: Iterable[str], root: Path = FILE.parents[1]) -> list[str]:
    """The files and folders that these entries are in, each once, for the command line of pytest."""
    found: dict[str, None] = {}
    for entry in entries:
        name = entry.partition("::")[0]
        paths = [root / name] if "*" not in name else sorted(root.glob(f"{name}.py"))
        found |= dict.fromkeys(str(path.relative_to(root)) for path in paths)
    return list(found)


if __name__ == "__main__":
    print(*files(Tiers.load().check))
