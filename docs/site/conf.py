"""The settings of the documentation site: the pages of the repository as they are, a menu, and a search.

`make docs` builds it. The menu is made of the links of `docs/README.md`, and of the lists in its folders.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # `make test` reads the menu without Sphinx
    from sphinx.application import Sphinx
    from sphinx.config import Config

project = "Snug"
copyright = "the authors of Snug; MIT"
_package = (Path(__file__).parents[2] / "snugroom/installed.py").read_text(encoding="utf-8")
version = release = re.findall(r'^VERSION.* = "(.+)"$', _package, re.MULTILINE)[0]
extensions = ["myst_parser"]
root_doc = "docs/README"
include_patterns = ["*.md", "docs/**/*.md", "docs/*.md"]
nitpicky = True
# each heading is a target, by the name that code hosts give it
myst_heading_anchors = 6
highlight_language = "none"
# a language that Pygments does not know, or knows otherwise, is shown without colours
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = "Snug"
html_copy_source = False
html_show_sphinx = False
html_last_updated_fmt = None
templates_path = ["."]
html_additional_pages = {"index": "index.html"}

#: The pages beside `docs`, which no section of its page lists.
PROJECT = ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY")


def _menu(text: str) -> Iterator[str]:
    """Yield the lines of the menu: for each section of docs/README.md, the pages that it lists."""
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title = section.partition("\n")[0].partition(":")[0]
        yield from _part(re.findall(r"^- \[[^\]]+\]\(([^)#]+)\.md\)", section, re.MULTILINE), title)


def _part(pages: list[str], title: str = "") -> Iterator[str]:
    if pages:
        caption = [f":caption: {title}"] if title else []
        yield from ("", "```{toctree}", ":hidden:", *caption, "", *dict.fromkeys(pages), "```")


def menu(name: str, text: str) -> list[str]:
    """Return the lines that the menu needs in a page of `docs`: none in most."""
    if name == root_doc:
        return list(_menu(text))
    if name.endswith("/README"):
        # the pages of its own folder
        return list(_part(re.findall(r"\]\(([^)/#]+)\.md\)", text)))
    return []


def _add_menu(app: Sphinx, name: str, source: list[str]) -> None:
    lines = menu(name, source[0]) if name.startswith("docs/") else []
    if name == root_doc:
        lines += _part([f"/{page}" for page in PROJECT if page in app.env.found_docs], "Project")
    if lines:
        source[0] = "\n".join((source[0], *lines, ""))


def _leave_out(app: Sphinx, config: Config) -> None:
    """Walk through no folder but `docs`: others have links to each other, and packages."""
    config.exclude_patterns += [
        each.name for each in app.srcdir.iterdir() if each.is_dir() and each.name != "docs"
    ]


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("config-inited", _leave_out)
    app.connect("source-read", _add_menu)
