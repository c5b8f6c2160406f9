"""Browsers and pages for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from client.web import node
from server import page
from tests.web import media_house
from tests.web.browsers import NAMES, Browser, Name, browser
from tests.web.media_house import House


@pytest.fixture(scope="session")
def bundle() -> Path:
    """The meeting page, built of the sources as they are."""
    node.build()
    return page.FOLDER


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tests' own pages, built."""
    out = tmp_path_factory.mktemp("pages")
    media_house.build(out)
    return out


@pytest.fixture
async def house(pages: Path) -> AsyncIterator[House]:
    """A media server that can be looked into, and a page for it."""
    async with media_house.start(pages) as made:
        yield made


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> Name:
    """Of each browser in turn."""
    chosen: Name = request.param
    return chosen


@pytest.fixture
async def shown(name: Name) -> AsyncIterator[Browser]:
    """Each browser in turn."""
    async with browser(name) as made:
        yield made
