"""A meeting at a server behind an onion service, in a private Tor network on loopback."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.cli.processes import free_port, running
from tests.network import tor

SMALL = ("--json",)


def test_a_meeting_over_tor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ada and Bo reach the onion service by SOCKS, through circuits of their own, and hear each other."""
    port, media = free_port(), free_port()
    try:
        with tor.network(tmp_path, [port, media]) as net:
            _meet(tmp_path, net, port, media, capsys)
    except tor.UnavailableError as why:
        pytest.skip(str(why))


def _meet(folder: Path, net: tor.Network, port: int, media: int, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "snug.toml"
    # an address that leads nowhere: media reaches the onion service by its name, or not at all
    settings = (f'origin = "http://{net.onion}"', 'media_address = "192.0.2.7"', 'media_bind = "127.0.0.1"')
    file.write_text("\n".join([*settings, f"media_port = {media}"]) + "\n")
    listen = ("--listen", f"127.0.0.1:{port}", "--config", str(file))

    def proxy(who: str) -> str:
        # Tor gives streams with different credentials different circuits
        return f"socks5://{who}:isolated@127.0.0.1:{net.socks}"

    with running(*listen, module="snugroom.server") as server:
        server.wait_line(lambda line: line.startswith("listening on "))
        with running(
            "host", "--server", f"http://{net.onion}", "--proxy", proxy("ada"), "--name", "Ada",
            "--admit", "all", *SMALL,
        ) as ada:  # fmt: skip
            link = ada.wait("invite")["link"]
            with running("join", "-", "--proxy", proxy("bo"), "--name", "Bo", *SMALL) as bo:
                bo.send(link)
                bo.wait("status", lambda e: e["kind"] == "knocking")
                knocked = time.monotonic()
                bo.wait("roster")
                member = time.monotonic() - knocked
                lines = []
                for number in range(5):
                    said = time.monotonic()
                    ada.send({"chat": f"line {number}"})
                    bo.wait("chat", lambda e: e["text"] == f"line {number}")
                    lines.append(time.monotonic() - said)
                heard = bo.wait("media", lambda e: e["stream"] == "audio" and e["opened"] > 50)
                assert heard["from"] == "Ada"
                ada.wait("media", lambda e: e["stream"] == "audio" and e["opened"] > 50)
                bo.send({"leave": True})
                assert bo.status() == 0, bo.errors
            ada.send({"leave": True})
            assert ada.status() == 0, ada.errors
    with capsys.disabled():
        print(
            f"\nTor up in {net.seconds:.0f} s; knock to member {member:.2f} s; "
            f"chat lines {', '.join(f'{each:.2f}' for each in lines)} s"
        )
