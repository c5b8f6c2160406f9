"""A meeting of headless participants outlives its server: it goes on at the next one of its host's list."""

from __future__ import annotations

import signal

from tests.cli.processes import Process, names, running, server


def hears_more(who: Process, frames: int = 50) -> None:
    opened, since = who.events("media")[-1]["opened"], len(who.lines)
    who.wait("media", lambda e: e["opened"] > opened + frames, since)


def test_a_killed_server_ends_no_meeting() -> None:
    with server() as (first, url), server() as (_, second):
        with (
            running(
                *("host", "--server", url, "--server", second, "--admit", "all", "--name", "Ada", "--json")
            ) as ada,
            running("join", ada.wait("invite")["link"], "--name", "Bo", "--json") as bo,
        ):
            epoch = bo.wait("roster", lambda e: len(e["members"]) == 2)["epoch"]
            for who in (ada, bo):
                who.wait("media", lambda e: e["opened"] > 0)
            first.signal(signal.SIGKILL)
            bo.send({"chat": "still here?"})
            ada.wait("chat", lambda e: e["text"] == "still here?")
            ada.send({"chat": "at another server"})
            bo.wait("chat", lambda e: e["text"] == "at another server")
            for who in (ada, bo):
                who.wait("status", lambda e: e["text"] == f"The meeting goes on at {second}.")
                hears_more(who)
            assert max(e["epoch"] for e in ada.events("code")) == epoch, "the same epoch as before"
            ada.send({"lock": True})
            bo.wait("policy", lambda e: e["mode"] == "locked")
            assert names(ada.events("roster")[-1]) == ["Ada", "Bo"]
            for who in (bo, ada):
                who.send({"leave": True})
                assert who.status() == 0, who.errors
            # a busy machine takes long, and no alarm accuses anybody of that
            passing = {"media_lost", "media_unreachable", "stale", "silent", "unheard", "unverified_media"}
            assert {e["kind"] for who in (ada, bo) for e in who.events("alarm")} <= passing
        first.status = lambda: 0  # type: ignore[method-assign]  # it was killed on purpose
