"""Both browsers' WebCrypto and Unicode against Python's: the unit tests of crypto/, as they run in Node."""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from aiohttp import web

from tests.interop.ts_setup import ensure_installed
from tests.web.browsers import Browser, Tab
from tests.web.vectors_agreed import FILES as AGREED
from tests.web.vectors_crypto import FILES as CRYPTO
from tests.web.vectors_identity import FILES as IDENTITY
from tests.web.vectors_lobby import FILES as ENTERING
from tests.web.vectors_names import FILES as NAMES
from tests.web.vectors_recovery import FILES as RECOVERY
from tests.web.write_shared import SHARED

pytestmark = pytest.mark.asyncio(loop_scope="session")

_PAGES: Final = Path(__file__).parent / "pages"
FILES: Final = [*CRYPTO, *AGREED, *ENTERING, *RECOVERY, *IDENTITY, *NAMES]
_HTML: Final = "<!doctype html><title>unit tests</title><script type=module src=/unit/unit.js></script>"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tests, for a browser."""
    out = tmp_path_factory.mktemp("unit")
    subprocess.run([ensure_installed().node, str(_PAGES / "unit.mjs"), str(out)], check=True)
    return out


@pytest_asyncio.fixture(loop_scope="session")
async def address(built: Path) -> AsyncIterator[str]:
    """Serve the tests and the vectors; their address."""

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text=_HTML, content_type="text/html")

    app = web.Application()
    app.add_routes([web.get("/", page), web.static("/unit", built), web.static("/shared", SHARED)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def _run(tab: Tab, address: str, *change: str) -> Any:
    await tab.goto(address)
    return await tab.js(f"run({json.dumps(FILES)}, {json.dumps(change) if change else 'undefined'})")


async def test_a_browser_comes_to_what_python_comes_to(shown: Browser, address: str) -> None:
    tab = await shown.tab()
    found = await _run(tab, address)
    assert found["failed"] == []
    assert found["count"] > 80
    # and it would tell
    digest = json.loads((SHARED / "names.json").read_text("utf-8"))["properties"][2][1]
    found = await _run(tab, address, "names", digest, "0" * len(digest))
    assert [text.split(",")[0] for text in found["failed"]] == ["names: all that is known of the characters"]
    await tab.close()
