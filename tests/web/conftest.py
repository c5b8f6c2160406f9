"""Browsers and pages for the tests of this folder: each browser is started once, and has tabs for each test.

Tests that use these run in the session's event loop: `pytest.mark.asyncio(loop_scope="session")`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page

from snugroom.client.web import node
from snugroom.server.page import FOLDER
from tests.interop.ts_setup import ensure_installed
from tests.web import browsers, media_server
from tests.web.browsers import NAMES, Browser, Chromium, Firefox, Name
from tests.web.media_server import MediaServer
from tests.web.storybook import WIDE, Book, served
from tests.web.ts_session import SessionProcess


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tests' own pages, built."""
    out = tmp_path_factory.mktemp("pages")
    media_server.build(out)
    return out


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Chromium]:
    """Debian's Chromium."""
    async with browsers.chromium() as made:
        yield made


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def firefox() -> AsyncIterator[Firefox]:
    """Debian's Firefox ESR."""
    async with browsers.firefox() as made:
        yield made


@pytest.fixture(scope="session")
def sessions() -> Iterator[SessionProcess]:
    """A Node process for all page participants of a scenario."""
    process = SessionProcess(ensure_installed())
    yield process
    process.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def book(chromium: Chromium) -> AsyncIterator[Book]:
    """The stories, built and served; Chromium shows them."""
    with served() as address:
        yield Book(chromium.browser, address)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def page(book: Book) -> AsyncIterator[Page]:
    """A wide and dark screen for stories."""
    async with book.page(WIDE, "dark") as one:
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def sfu_server(pages: Path) -> AsyncIterator[MediaServer]:
    """A media server with a page for it. Its tabs are closed at the end."""
    async with media_server.start(pages) as made:
        yield made
        for tab in made.tabs:
            await tab.close()


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> Name:
    """Of each browser in turn."""
    chosen: Name = request.param
    return chosen


@pytest.fixture(scope="session")
def bundle() -> Path:
    """The meeting page, built of the sources as they are."""
    node.build()
    return FOLDER


@pytest.fixture
def shown(name: Name, request: pytest.FixtureRequest) -> Browser:
    """Each browser in turn."""
    made: Browser = request.getfixturevalue(name)
    return made


@pytest_asyncio.fixture(loop_scope="session")
async def fresh(shown: Browser) -> AsyncIterator[Browser]:
    """Each browser in turn, with nothing that was kept before."""
    async with shown.fresh() as made:
        yield made
