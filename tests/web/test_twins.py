"""The twins of a pair have the same public names, but for those that `twins.toml` lists with a reason."""

from __future__ import annotations

from collections import Counter

from tests.web.twins import (
    ROOT,
    Names,
    differences,
    missing,
    of_python,
    of_typescript,
    ports_of_python,
    ports_of_typescript,
    reasons,
)

#: Members that only the page's port has: a browser's signatures have to be awaited before something is sent.
ONLY_PAGE = {"Here": {"signed"}}


def test_twins_have_the_same_names() -> None:
    only_python, only_page, both = differences()
    assert both > 800
    for side, found in (("python", only_python), ("page", only_page)):
        listed = Counter(name for reason in reasons() for name in getattr(reason, side))
        assert found - listed.keys() == set(), f"{side}: give the twin that name, or the difference a reason"
        assert listed.keys() - found == set(), f"{side}: there is no such difference any more"
        assert {name for name, times in listed.items() if times > 1} == set(), f"{side}: listed twice"


def test_names_of_both_languages_are_read() -> None:
    python = of_python(
        "from x import Y\nLIMIT_MAX: Final = 3\n_OWN = 4\nclass Some: ...\nasync def do_it(): ...\n"
        "def _hidden():\n    def inner(): ...\n"
    )
    assert python.public == {"LIMIT_MAX", "Some", "do_it"}
    assert python.every - python.public == {"_OWN", "_hidden"}
    page = of_typescript(
        "export const LIMIT_MAX = 3;\nconst OWN = 4;\nexport class Some {}\nexport async function doIt() {}\n"
        "export { A, type B, C as D } from './x';\nfunction hidden() {}\nexport interface Facts {}\n"
    )
    assert page.public == {"LIMIT_MAX", "Some", "doIt", "A", "B", "D", "Facts"}
    assert page.every - page.public == {"OWN", "hidden"}


def test_a_name_that_only_one_twin_has_is_found() -> None:
    ours = Names(frozenset({"note_place", "leads"}), frozenset({"note_place", "leads", "_hidden"}))
    pages = Names(frozenset({"Facts"}), frozenset({"Facts", "notePlace", "hidden"}))
    assert missing(ours, pages) == {"leads"}
    assert missing(pages, ours) == {"Facts"}


def test_the_ports_of_a_room_have_the_same_members() -> None:
    ours = ports_of_python((ROOT / "client/session/kernel/ports.py").read_text(encoding="utf-8"))
    pages = ports_of_typescript((ROOT / "client/web/src/session/kernel/ports.ts").read_text(encoding="utf-8"))
    assert sum(map(len, ours.values())) > 70
    for port, members in ONLY_PAGE.items():
        pages[port] -= members
    assert ours == pages


def test_members_of_ports_are_read() -> None:
    python = "class Port(Protocol):\n    left_at: float\n    @property\n    def own_leaf(self) -> int: ...\n"
    page = "/** {no} */\nexport interface Port extends A {\n  leftAt: number;\n  readonly ownLeaf: number;\n"
    page += "  feature<A>(kind: A): A;\n  ask(now: number,\n    more?: number): void;\n}\n"
    assert ports_of_python(python) == {"Port": {"leftat", "ownleaf"}}
    assert ports_of_typescript(page) == {"Port": {"leftat", "ownleaf", "feature", "ask"}}
