"""WebKit, as Debian has it: the page's code and views run there, and it says why no meeting can be held.

`docs/reference/browsers.md` says what follows for Safari, which no test here can start.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from snugroom.server import page
from tests.web import test_crypto_browsers as media
from tests.web import test_vectors_browsers as vectors
from tests.web import webkit
from tests.web.storybook import LANDSCAPE, Screen, served
from tests.web.test_page import serving
from tests.web.test_vectors_browsers import address, built
from tests.web.test_words_fit import CUT
from tests.web.visitor import until
from tests.web.webkit import WebKit, WebKitTab
from tests.web.write_shared import SHARED

__all__ = ["address", "built"]

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: A window of MiniBrowser is no narrower.
NARROW: Final = Screen("narrow", 480, 800)
#: Views without video, which WebKitGTK has no source for here.
STORIES: Final = (
    "start",
    "start-kept",
    "prejoin-off",
    "prejoin-refused",
    "returning-host-unanswered",
    "ended-dropped",
    "unable-offline-kept",
    "room-before-frames",
)
#: The needs of a meeting, and whether Debian's WebKitGTK meets them.
NEEDED: Final = {
    "isSecureContext": True,
    "crossOriginIsolated": True,
    "typeof SharedArrayBuffer === 'function'": False,
    "typeof indexedDB === 'object'": True,
    "'locks' in navigator": True,
    "'serviceWorker' in navigator": True,
    "typeof trustedTypes === 'object'": True,
    "'showPopover' in HTMLElement.prototype": True,
    "crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify']).then(() => true, () => false)": True,
    "crypto.subtle.generateKey('X25519', false, ['deriveBits']).then(() => true, () => false)": True,
    "typeof RTCPeerConnection === 'function'": False,
    "typeof RTCRtpScriptTransform === 'function'": False,
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shown() -> AsyncIterator[WebKit]:
    """WebKitGTK, in place of the browsers that other tests start."""
    binary = webkit.browser()
    if binary is None:
        pytest.skip("WebKitGTK, its driver or Xvfb is missing: .ci/webkit installs them on Debian")
    async with webkit.start(binary) as made:
        yield made


async def test_the_page_opens_and_says_why_no_meeting_can_be_held(shown: WebKit, bundle: Path) -> None:
    tab = await shown.tab()
    async with serving(page.load()) as url:
        await tab.goto(f"{url}/#2abc")
        found = {what: await tab.js(what) for what in NEEDED}
        assert found == NEEDED, "docs/reference/browsers.md has this table"
        words = "document.querySelector('h1')?.textContent"
        why = json.dumps("This browser can't seal video before it sends it")
        await until(lambda: tab.js(f"{words} === {why}"), "another view")
        assert "It has no RTCRtpScriptTransform." in await tab.js("document.body.innerText")
        assert await tab.js("location.href") == f"{url}/", "the link leaves the address here as well"
        # the text about the page's origin needs all files, and so does the hash
        await tab.js("void document.querySelector('.about summary').click()")
        digits = "document.querySelector('.about-text p')?.textContent.replaceAll(/\\s/g, '')"
        await until(lambda: tab.js(f"{digits} === '{page.load().hash}'"), "another hash")
        await tab.close()


async def test_webkit_comes_to_what_python_comes_to(shown: WebKit, address: str) -> None:
    """Keys, MLS, names, invites, recovery: the unit tests of crypto/, in JavaScriptCore and its WebCrypto."""
    tab = await shown.tab()
    await tab.goto(address)
    await until(lambda: tab.js("typeof run === 'function'"), "the page is not there")
    # the next test says what these do
    found = await tab.js(f"run({json.dumps(vectors.FILES)}, undefined, ['kdf: verify'])")
    assert found["failed"] == []
    assert found["count"] > 80
    await tab.close()


async def test_an_ed25519_key_that_is_no_point_ends_webkits_process(shown: WebKit, address: str) -> None:
    """WebKitGTK asks libgcrypt, which aborts: any member could end the meeting of one who uses it.

    If this test fails, Debian's WebKitGTK has become better: docs/reference/browsers.md says that it has not.
    """
    cases = json.loads((SHARED / "kdf.json").read_text("utf-8"))
    key, message, signature = next(
        [f"new Uint8Array({list(bytes.fromhex(part['hex']))})" for part in given]
        for what, given, *_ in cases
        if what == "verify" and given[0]["hex"].startswith("0200")
    )
    imported = f"crypto.subtle.importKey('raw', {key}, 'Ed25519', false, ['verify'])"
    verified = f"crypto.subtle.verify('Ed25519', key, {signature}, {message})"
    binary = webkit.browser()
    assert binary is not None
    async with webkit.start(binary) as other:
        tab = await other.tab()
        await tab.goto(address)
        assert await tab.js("1 + 1") == 2
        with pytest.raises(webkit.WebKitError):
            await tab.js(f"{imported}.then((key) => {verified})")
        with pytest.raises(webkit.WebKitError, match=r"(?i)session"):
            await tab.goto(address)


async def test_media_in_webkit_are_python_s(shown: WebKit, pages: Path) -> None:
    await media.test_media_in_a_browser_are_python_s(shown, pages)


async def drawn(tab: WebKitTab, book: str, story: str) -> list[str]:
    """Show a story: the texts that are cut, and whether the page lies sideways."""
    await tab.goto(f"{book}?story={story}&small=")
    await until(lambda: tab.js(f"'drawn' in window && location.search.includes('={story}&')"), "no story")
    assert await tab.js("window.drawn.then(() => document.querySelector('#app h1') !== null)"), story
    cut: list[str] = await tab.js(f"({CUT})()")
    wide: int = await tab.js("document.documentElement.scrollWidth - innerWidth")
    # the state of the own tile is for screen readers alone, and WebKit gives its box another width
    hidden = ("Thursday seminar", "tile-state: Waiting")
    seen = [one for one in cut if not any(text in one for text in hidden)]
    return seen + ([f"{wide} px too wide"] if wide > 0 else [])


@pytest.mark.parametrize("screen", [NARROW, LANDSCAPE], ids=lambda screen: screen.name)
async def test_the_views_fit_a_phone(shown: WebKit, screen: Screen) -> None:
    tab = await shown.tab()
    with served() as book:
        await tab.goto(book)
        await tab.resize(screen.width, screen.height)
        assert await tab.js("[innerWidth, innerHeight]") == [screen.width, screen.height]
        found = {story: await drawn(tab, book, story) for story in STORIES}
        assert {story: wrong for story, wrong in found.items() if wrong} == {}
        await tab.close()
