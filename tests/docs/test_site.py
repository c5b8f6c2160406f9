"""The documentation site builds without a network, refuses dead links, and loads from nowhere else."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.docs.test_docs import PAGES, ROOT
from tests.patience import PATIENCE

#: Sphinx in a process that can connect to nothing.
BUILD = """
import socket, sys
def connect(*_):
    raise OSError("this build has no network")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = connect
from sphinx.cmd.build import main
sys.exit(main(sys.argv[1:]))
"""
#: Elements and attributes whose addresses a browser loads by itself. Only a person follows an `a`.
LOADED = {
    ("link", "href"),
    *((tag, "src") for tag in ("script", "img", "iframe", "source", "video", "audio", "embed")),
}
LOADED |= {("img", "srcset"), ("source", "srcset"), ("object", "data"), ("image", "href"), ("use", "href")}
ELSEWHERE = re.compile(r"\s*(?:[a-z]+:)?//", re.IGNORECASE)


def build(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    options = [
        "--quiet",
        "--fail-on-warning",
        "--keep-going",
        "-c",
        ROOT / "docs/site",
        "-d",
        out / "doctrees",
    ]
    return subprocess.run(
        [sys.executable, "-c", BUILD, *map(str, options), str(source), str(out / "site")],
        check=False, capture_output=True, text=True, cwd=ROOT, timeout=5 * PATIENCE,
    )  # fmt: skip


class _Loads(HTMLParser):
    """The addresses that a browser loads for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if (tag, name) in LOADED]
        self.found += [address for name, value in attrs if name == "style" for address in in_css(value or "")]


def in_css(text: str) -> list[str]:
    return re.findall(r"(?:url\(\s*|@import\s+)['\"]?([^'\")\s]+)", text)


def loads(file: Path) -> list[str]:
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".css":
        return in_css(text)
    parser = _Loads()
    parser.feed(text)
    return [
        *parser.found,
        *(each for style in re.findall(r"<style.*?</style>", text, re.S) for each in in_css(style)),
    ]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("build")
    done = build(ROOT, out)
    assert done.returncode == 0, done.stderr
    return out / "site"


def test_every_page_is_on_the_site_and_in_its_menu(site: Path) -> None:
    menu = (site / "docs/README.html").read_text(encoding="utf-8")
    for page in PAGES:
        name = page.relative_to(ROOT).with_suffix(".html")
        assert (site / name).exists(), name
        if name != Path("docs/README.html"):
            link = name.relative_to("docs") if name.is_relative_to("docs") else Path("..", name)
            assert f'href="{link}"' in menu, name
    assert "docs/README.html" in (site / "index.html").read_text(encoding="utf-8")


def test_it_loads_nothing_from_other_places(site: Path) -> None:
    files = [file for file in site.rglob("*") if file.suffix in (".html", ".css")]
    found = [(file, address) for file in files for address in loads(file)]
    assert len(files) > len(PAGES)
    assert len(found) > 1000
    assert [(str(file), address) for file, address in found if ELSEWHERE.match(address)] == []
    here = [
        file.parent / address.partition("?")[0].partition("#")[0]
        for file, address in found
        if file.suffix == ".html"
    ]
    assert [str(file) for file in here if not file.exists()] == []


def test_it_has_a_search_dark_colours_and_images(site: Path) -> None:
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert "heartbeat" in index
    assert "docs/how-to/use-the-page" in index
    assert (site / "search.html").exists()
    page = (site / "docs/how-to/use-the-page.html").read_text(encoding="utf-8")
    assert "theme-toggle" in page
    images = re.findall(r'<img[^>]+src="([^"]+)"', page)
    assert len(images) == 4
    assert all((site / "docs/how-to" / image).stat().st_size > 10_000 for image in images)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[a](nothing.md)", "nothing.md"),
        ("[a](other.md#nothing)", "nothing"),
        ("[a](#nothing)", "nothing"),
        ("![a](nothing.png)", "nothing.png"),
        ("[a](other.md#a-part)", None),
    ],
)
def test_a_dead_link_fails_the_build(text: str, why: str | None, tmp_path: Path) -> None:
    folder = tmp_path / "source/docs"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text(f"# Docs\n\n## Part\n\n- [other](other.md)\n\n{text}\n")
    (folder / "other.md").write_text("# Other\n\n## A part\n")
    done = build(tmp_path / "source", tmp_path)
    assert (done.returncode == 0) == (why is None), done.stderr
    assert (why or "") in done.stderr


def test_a_page_that_no_list_has_fails_the_build(tmp_path: Path) -> None:
    folder = tmp_path / "source/docs"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text("# Docs\n\n## Part\n\nText.\n")
    (folder / "other.md").write_text("# Other\n")
    done = build(tmp_path / "source", tmp_path)
    assert done.returncode != 0
    assert "other.md" in done.stderr


def test_what_a_page_loads_is_found(tmp_path: Path) -> None:
    page = tmp_path / "a.html"
    page.write_text(
        '<a href="https://a.example"><script src="https://b.example/x.js"></script>'
        '<style>@import "//c"</style>'
    )
    assert [each for each in loads(page) if ELSEWHERE.match(each)] == ["https://b.example/x.js", "//c"]
    (tmp_path / "a.css").write_text(
        'a { background: url("http://d.example/e.png"), url(data:image/png;base64,//) }'
    )
    assert [each for each in loads(tmp_path / "a.css") if ELSEWHERE.match(each)] == ["http://d.example/e.png"]
