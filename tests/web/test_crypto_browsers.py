"""Browsers' WebCrypto gives the same key ids, frames and lists as Python, and opens each frame once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from aiohttp import web

from tests.web.browsers import Browser, until
from tests.web.write_shared import SHARED

pytestmark = pytest.mark.asyncio(loop_scope="session")

_HTML = "<!doctype html><title>crypto</title><script type=module src=/crypto.js></script>"


async def test_media_in_a_browser_are_python_s(shown: Browser, pages: Path) -> None:
    async def page(_request: web.Request) -> web.Response:
        return web.Response(text=_HTML, content_type="text/html")

    app = web.Application()
    app.add_routes([web.get("/", page), web.static("/", pages)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        keys, signatures = (
            json.loads((SHARED / f"{name}.json").read_text("utf-8"))
            for name in ("media_keys", "media_signatures")
        )
        given = {name: signatures[name] for name in ("leaf_seed", "media_seed", "bound", "adds")}
        tab = await shown.tab()
        await tab.goto(f"http://127.0.0.1:{port}/")
        await until(tab, "typeof check === 'function'")  # WebKit's driver does not wait for modules
        assert await tab.js(f"check({json.dumps(keys['trees'])}, {json.dumps(given)})") == []
        # and it would tell
        keys["trees"][0]["kids"][0][0] ^= 16
        assert await tab.js(f"check({json.dumps(keys['trees'])}, {json.dumps(given)})") == ["key ids of 1"]
        await tab.close()
    finally:
        await runner.cleanup()
