"""Meetings over a cable of their own: with a small MTU, pulled for ten seconds, deaf in one direction."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cli.processes import Process
from tests.network.namespace import UnavailableError
from tests.network.namespace_pair import SERVER, SERVER6, Cable

CUT = 10.0
#: From when the network is whole again to when sound comes again, seconds, on a busy machine. A quiet one
#: takes 3 s: TCP tries again after 2.6 s, and a heartbeat has to come before sound may flow.
BACK_MAX = 60.0
#: Alarms that ten seconds without a network may raise: others weren't heard, nor heard us, and sound came
#: back before the lists that sign it. Nobody can know who cuts; no alarm accuses anybody.
EXPECTED = {"stale", "silent", "unheard", "unverified_media"}


@dataclass
class Meeting:
    """Ada hosts, Bo has joined; both are at one end of the cable, the server at the other."""

    cable: Cable
    server: Process
    ada: Process
    bo: Process

    def opened(self, who: Process, stream: str = "audio") -> int:
        """Frames of the other's that `who` has opened, as it last told."""
        told = [e["opened"] for e in who.events("media") if e["stream"] == stream]
        return told[-1] if told else 0

    def hears(self, who: Process, seconds: float, more: int = 30) -> None:
        """Wait until so many more frames of sound have come; AssertionError after `seconds`."""
        begin, least = time.monotonic(), self.opened(who) + more
        while self.opened(who) < least:
            assert time.monotonic() - begin < seconds, f"no sound came: {who.lines[-8:]}"
            time.sleep(0.05)

    def alarms(self) -> list[dict[str, Any]]:
        return [e for who in (self.ada, self.bo) for e in who.events("alarm")]


@contextmanager
def meeting(mtu: int = 1500, host: str = SERVER) -> Iterator[Meeting]:
    with ExitStack() as stack:
        try:
            cable = stack.enter_context(Cable(mtu))
        except UnavailableError as why:
            pytest.skip(str(why))

        def start(where: Any, *arguments: str, module: str = "snugroom.command") -> Process:
            process: Process = where(lambda: Process(*arguments, module=module))
            stack.callback(process.stop)
            return process

        listen = f"[{host}]:0" if ":" in host else f"{host}:0"
        server = start(cable.there, "--listen", listen, module="snugroom.server")
        url = server.wait_line(lambda line: line.startswith("listening on ")).removeprefix("listening on ")
        ada = start(cable.here, "host", "--server", url, "--name", "Ada", "--admit", "all", "--json")
        link = ada.wait("invite")["link"]
        bo = start(cable.here, "join", link, "--name", "Bo", "--json")
        held = Meeting(cable, server, ada, bo)
        for who in (ada, bo):
            who.wait("media", lambda e: e["stream"] == "video" and e["opened"] > 5)
            held.hears(who, BACK_MAX)
        yield held
        for who in (bo, ada):
            who.send({"leave": True})
        for who in (bo, ada):
            assert who.status() == 0, who.errors


@pytest.mark.parametrize("host", [SERVER, SERVER6], ids=["ipv4", "ipv6"])
def test_nothing_is_too_large_for_1280_bytes(host: str) -> None:
    """Handshakes, video and reports fit with IPv6's and UDP's headers (RFC 8200 5)."""
    with meeting(1280, host) as held:
        for who in (held.ada, held.bo):
            who.wait("media", lambda e: e["stream"] == "video" and e["opened"] > 60)
        assert held.cable.fragments() == (0, 0)
        assert all(e["failed"] == 0 for who in (held.ada, held.bo) for e in who.events("media"))


def _say(held: Meeting, word: str) -> None:
    held.ada.send({"chat": f"{word} of Ada's"})
    held.bo.send({"chat": f"{word} of Bo's"})


def _said(held: Meeting, word: str) -> None:
    """Each has the other's word: once."""
    for who, text in ((held.ada, f"{word} of Bo's"), (held.bo, f"{word} of Ada's")):
        who.wait("chat", lambda e: e["text"] == text)
        assert [e["text"] for e in who.events("chat")].count(text) == 1


def test_a_cut_of_ten_seconds_is_a_pause() -> None:
    with meeting() as held:
        held.cable.pull()
        time.sleep(1.0)
        _say(held, "during")
        before = [held.opened(who) for who in (held.ada, held.bo)]
        time.sleep(CUT - 1.0)
        # nothing came meanwhile: the cable was out
        assert [held.opened(who) for who in (held.ada, held.bo)] == before
        held.cable.plug_in()
        for who in (held.ada, held.bo):
            held.hears(who, BACK_MAX)
        _said(held, "during")
        _say(held, "after")
        _said(held, "after")
        assert {alarm["kind"] for alarm in held.alarms()} <= EXPECTED


def test_another_address_costs_seconds_and_one_sentence_that_accuses_nobody() -> None:
    """It cost 33 s before: until the server had given the old connection up."""
    with meeting() as held:
        since = [len(who.lines) for who in (held.ada, held.bo)]
        began = time.monotonic()
        held.cable.readdress()
        for who, line in zip((held.ada, held.bo), since, strict=True):
            who.wait("status", lambda e: e["kind"] == "back", line)
        took = time.monotonic() - began
        print(f"the connections for messages were back after {took:.1f} s")
        assert took < 20.0
        _say(held, "elsewhere")
        _said(held, "elsewhere")
        for who in (held.ada, held.bo):
            held.hears(who, BACK_MAX)
            told = [e["text"] for e in who.events("status") if e["kind"] in ("away", "back")]
            assert told == [
                "The connection to the server was lost (this device has another address); your network may "
                "have changed. Trying again...",
                "Connected to the server again.",
            ]
        assert {alarm["kind"] for alarm in held.alarms()} <= EXPECTED


def test_a_network_that_is_deaf_one_way() -> None:
    """The participants' packets arrive, and nothing comes back: such a connection counts as lost."""
    with meeting() as held:
        held.cable.deafen(True)
        time.sleep(1.0)
        _say(held, "unheard")
        before = [held.opened(who) for who in (held.ada, held.bo)]
        time.sleep(CUT - 1.0)
        assert [held.opened(who) for who in (held.ada, held.bo)] == before
        held.cable.deafen(False)
        for who in (held.ada, held.bo):
            held.hears(who, BACK_MAX)
        _said(held, "unheard")
        assert {alarm["kind"] for alarm in held.alarms()} <= EXPECTED
