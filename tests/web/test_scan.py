"""The page scans a link from a screen, with the browser's own reader or with a library."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import segno

from tests.cli.processes import running
from tests.web.browsers import Browser
from tests.web.visitor import Visitor, meeting_server

pytestmark = pytest.mark.asyncio(loop_scope="session")


def before_the_camera(*texts: str) -> str:
    """A script that has cameras see these codes, number `shown` now: askew, grey, and on something."""
    codes = [["".join("1" if dark else "0" for dark in row) for row in segno.make(t).matrix] for t in texts]
    return f"""
    (() => {{
      if (!navigator.mediaDevices) return;
      const codes = {json.dumps(codes)};
      window.shown = 0;
      navigator.mediaDevices.getUserMedia = async () => {{
        const canvas = document.createElement("canvas");
        canvas.width = 1280; canvas.height = 720;
        const ink = canvas.getContext("2d");
        const draw = () => {{
          const rows = codes[window.shown];
          const glow = ink.createLinearGradient(0, 0, 1280, 720);
          glow.addColorStop(0, "#556"); glow.addColorStop(1, "#998");
          ink.setTransform(1, 0, 0, 1, 0, 0);
          ink.fillStyle = glow; ink.fillRect(0, 0, 1280, 720);
          ink.translate(640, 360); ink.rotate(0.2);
          const side = 480 / (rows.length + 8);
          ink.fillStyle = "#d8d8d0"; ink.fillRect(-240, -240, 480, 480);
          ink.fillStyle = "#282830";
          rows.forEach((row, y) => [...row].forEach((dark, x) => {{
            const [left, top] = [-240 + (x + 4) * side, -240 + (y + 4) * side];
            if (dark === "1") ink.fillRect(left, top, side + 0.5, side + 0.5);
          }}));
        }};
        draw(); setInterval(draw, 50);
        return canvas.captureStream(20);
      }};
    }})();
    """


async def test_a_scanned_link_leads_to_its_prejoin_view(fresh: Browser, bundle: Path, tmp_path: Path) -> None:
    with (
        meeting_server(tmp_path) as (_, url),
        running("host", "--server", url, "--name", "Ada", "--admit", "all", "--json") as ada,
    ):
        link = ada.wait("invite")["link"]
        codes = before_the_camera("https://meet.example/no-link", link)
        bo = await Visitor.at(fresh, url, "Bo", None, codes)
        await bo.press("Scan a QR code")
        await bo.reads("That code is no link to a meeting.")
        await bo.tab.js("window.shown = 1")
        await bo.reads("Before you knock")
        await bo.knock()
        await bo.here("Ada")
        await bo.clean()
