"""Commands used by people and by scripts, against a real server on loopback."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from snugroom.client.media import check
from snugroom.command import main
from tests.cli.processes import Process, free_port, names, running, server
from tests.media_client import recordings

NO_MEDIA = ("--no-audio", "--no-video")


def each_sees_another(ada: Process, bo: Process, cem: Process) -> None:
    """Wait for sound and video of another member at each of the three."""
    for listener, of in ((ada, "Bo"), (bo, "Cem"), (cem, "Ada")):
        for stream in ("audio", "video"):
            media = listener.wait(
                "media",
                lambda e, of=of, stream=stream: (  # type: ignore[misc]
                    e["from"] == of and e["stream"] == stream and e["decoded"] > 20
                ),
            )
            assert media["failed"] == 0


def test_a_scripted_meeting_from_beginning_to_end() -> None:
    with (
        server() as (_, url),
        running("host", "--server", url, "--name", "Ada", "--title", "Plans", "--json") as ada,
    ):
        link = ada.wait("invite")["link"]
        with (
            running("join", link, "--name", "Bo", "--greeting", "It's me", "--json") as bo,
            running("join", link, "--name", "Cem", "--json") as cem,
        ):
            for name in ("Bo", "Cem"):
                knock = ada.wait("knock", lambda e, name=name: e["name"] == name)  # type: ignore[misc]
                if name == "Bo":
                    assert knock["greeting"] == "It's me"
                assert set(knock) >= {"event", "id", "name", "invite"}
                ada.send({"admit": knock["id"]})
                ada.wait("roster", lambda e, name=name: name in names(e))  # type: ignore[misc]
            rosters = [p.wait("roster", lambda e: len(e["members"]) == 3) for p in (ada, bo, cem)]
            assert {tuple(names(r)) for r in rosters} == {("Ada", "Bo", "Cem")}
            assert rosters[1]["members"][0] == {"leaf": 0, "name": "Ada", "host": True}
            assert rosters[1]["by"] == 0
            epoch = rosters[0]["epoch"]
            codes = {p.wait("code", lambda e: e["epoch"] == epoch)["digits"] for p in (ada, bo, cem)}
            assert len(codes) == 1
            assert len(codes.pop()) == 40

            bo.send({"chat": "Good morning \u2713"})
            for other in (ada, cem):
                assert other.wait("chat")["text"] == "Good morning \u2713"
                assert other.wait("chat")["from"] == "Bo"
            each_sees_another(ada, bo, cem)
            ada.send("this is no JSON")
            ada.send({"admit": 99})
            ada.send({"jump": 1})
            assert "no JSON object" in ada.wait("alarm", lambda e: e["kind"] == "input")["text"]
            ada.wait("alarm", lambda e: "nobody waits" in e["text"].lower())
            ada.wait("alarm", lambda e: "no such command" in e["text"].lower())

            ada.send({"remove": 1})
            assert bo.wait("end")["reason"] == "removed"
            assert bo.status() == 5
            after = cem.wait("roster", lambda e: names(e) == ["Ada", "Cem"])
            assert [m["name"] for m in after["removed"]] == ["Bo"]
            assert ada.wait("invite", lambda e: e["link"] != link)["index"] > 0

            cem.send({"leave": True})
            assert cem.wait("end")["reason"] == "left"
            assert cem.status() == 0
            ada.wait("roster", lambda e: names(e) == ["Ada"])
        ada.signal(signal.SIGTERM)
        assert ada.status() == 0
        assert ada.events()[-1]["event"] == "end"
        assert not ada.errors, "nothing but JSON, and nothing on standard error"


def test_a_participant_without_video_gets_none_and_hears_everybody() -> None:
    with (
        server() as (_, url),
        running("host", "--server", url, "--admit", "all", "--name", "Ada", "--json") as ada,
        running("join", ada.wait("invite")["link"], "--json", "--visible", "0", *NO_MEDIA) as bo,
    ):
        heard = bo.wait("media", lambda e: e["stream"] == "audio" and e["opened"] > 300)
        assert heard["from"] == "Ada"
        assert heard["decoded"] == 0, "nobody here needs the sound itself"
        seen = [e["opened"] for e in bo.events("media") if e["stream"] == "video"]
        assert seen == [] or (max(seen) < 60 and seen[-1] == seen[-3]), "some before the server was told"


@pytest.mark.parametrize("number", ["-1", "all", "1.5"])
def test_the_number_of_videos_is_a_number(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["join", "http://127.0.0.1:1/#x", "--visible", number])
    assert end.value.code == 2
    assert "--visible" in capsys.readouterr().err


def test_refused_is_status_4() -> None:
    with server() as (_, url), running("host", "--server", url, "--json", *NO_MEDIA) as ada:
        link = ada.wait("invite")["link"]
        with running("join", link, "--json", *NO_MEDIA) as bo:
            ada.send({"refuse": ada.wait("knock")["id"]})
            assert bo.wait("end") == {
                "event": "end",
                "reason": "refused",
                "text": "The host did not let you in.",
            }
            assert bo.status() == 4


def test_a_host_ends_the_meeting_of_people_who_gave_no_name() -> None:
    with (
        server() as (_, url),
        running("host", "--server", url, "--admit", "all", "--json", *NO_MEDIA) as ada,
        running("join", ada.wait("invite")["link"], "--json", *NO_MEDIA) as bo,
        running("join", ada.wait("invite")["link"], "--json", *NO_MEDIA) as cem,
    ):
        there = bo.wait("roster", lambda e: len(e["members"]) == 3)
        assert len(set(names(there))) == 3
        ada.send({"end": True})
        assert bo.wait("end")["reason"] == cem.wait("end")["reason"] == "ended"
        assert (bo.status(), cem.status(), ada.status()) == (0, 0, 0)


def test_a_server_killed_in_mid_meeting_and_started_again() -> None:
    port = free_port()
    with server(port) as (first, url):
        with (
            running("host", "--server", url, "--admit", "all", "--name", "Ada", "--json") as ada,
            running("join", ada.wait("invite")["link"], "--name", "Bo", "--json") as bo,
        ):
            epoch = bo.wait("roster", lambda e: len(e["members"]) == 2)["epoch"]
            bo.wait("media", lambda e: e["opened"] > 0)
            first.signal(signal.SIGKILL)
            first._process.wait(10)
            ada.wait("status", lambda e: e["kind"] == "away")
            bo.send({"chat": "while it is away"})
            with server(port):
                ada.wait("chat", lambda e: e["text"] == "while it is away")
                ada.send({"chat": "welcome back"})
                bo.wait("chat", lambda e: e["text"] == "welcome back")
                opened = bo.events("media")[-1]["opened"]
                since = len(bo.lines)
                bo.wait("media", lambda e: e["opened"] > opened + 50, since)
                assert max(e["epoch"] for e in ada.events("code")) == epoch, "the same epoch as before"
                ada.send({"leave": True})
                bo.send({"leave": True})
                assert (ada.status(), bo.status()) == (0, 0)
        # the first server was killed on purpose
        first.status = lambda: 0  # type: ignore[method-assign]


def decoded(host: Process, sender: str, **least: int) -> None:
    """Wait until so many frames of each of these streams of the sender have been decoded."""
    for stream, count in least.items():
        host.wait(
            "media",
            lambda e, stream=stream, count=count: (  # type: ignore[misc]
                e["from"] == sender and e["stream"] == stream and e["decoded"] > count
            ),
        )


def test_files_are_played_and_recorded(tmp_path: Path) -> None:
    with (
        server() as (_, url),
        running(
            "host", "--server", url, "--name", "Ada", "--admit", "all", "--json",
            "--record", str(tmp_path / "first"),
        ) as ada,
    ):  # fmt: skip
        with running("join", ada.wait("invite")["link"], "--name", "Bo", "--json") as bo:
            decoded(ada, "Bo", audio=150, video=45)
            bo.send({"leave": True})
            assert bo.status() == 0
        ada.send({"leave": True})
        assert ada.status() == 0
        recorded = Path(ada.wait("recording")["path"])
    assert check.identity_of_pitch(recordings.pitch_of(recorded)[0][0]) == 1
    colour = recordings.patch_colour_of(recorded)
    assert colour is not None
    assert check.identity_of_colour(colour) == 1
    # what was recorded is played by another: its tone is heard, not that of a test card
    with (
        server() as (_, url),
        running(
            "host", "--server", url, "--admit", "all", "--json", *NO_MEDIA,
            "--record", str(tmp_path / "second"),
        ) as ada,
    ):  # fmt: skip
        link = ada.wait("invite")["link"]
        with running("join", link, "--name", "Dana", "--play", str(recorded), "--json") as dana:
            decoded(ada, "Dana", audio=200)
            dana.send({"leave": True})
            assert dana.status() == 0
        ada.send({"leave": True})
        assert ada.status() == 0
        again = Path(ada.wait("recording")["path"])
    assert again.name.startswith("Dana-1")
    assert check.identity_of_pitch(recordings.pitch_of(again)[0][0]) == 1


def test_human_text_is_plain_when_piped() -> None:
    with (
        server() as (_, url),
        running("host", "--server", url, "--admit", "all", "--name", "[bold]Ada[/]", *NO_MEDIA) as ada,
    ):
        line = ada.wait_line(lambda line: "/#2" in line)
        assert "\x1b" not in line
        with running("join", "-", "--name", "Bo", *NO_MEDIA) as bo:
            bo.send(line.split()[-1])  # so that it stands in no list of processes
            bo.wait_line(lambda line: "in the room: [bold]Ada[/] (host), Bo" in line)
            bo.send("hello all")
            ada.wait_line(lambda line: line == "Bo: hello all")
            bo.send("/leave")
            bo.wait_line(lambda line: line == "You left.")
            assert bo.status() == 0
        ada.wait_line(lambda line: "Bo left" in line)


def test_powers_and_invites_from_the_command_line() -> None:
    wanted = ("--invite", "Bo", "--invite", "Cem", "--once", "--no-open-invite")
    with (
        server() as (_, url),
        running("host", "--server", url, "--name", "Ada", "--admit", "all", *wanted, *NO_MEDIA) as ada,
    ):
        ada.wait_line(lambda line: "/invite --for" in line and "/revoke N" in line)
        for_bo = ada.wait_line(lambda line: line.startswith("Invite for \u201cBo\u201d, good once"))
        ada.wait_line(lambda line: line.startswith("Invite for \u201cCem\u201d, good once"))
        with running("join", for_bo.split()[-1], "--name", "Bo", "--json", *NO_MEDIA) as bo:
            bo.wait("roster", lambda e: names(e) == ["Ada", "Bo"])
            ada.wait_line(lambda line: "Ada let them in, by the invite for \u201cBo\u201d" in line)
            with running("join", for_bo.split()[-1], "--name", "Eve", "--json", *NO_MEDIA) as eve:
                assert eve.wait("end")["text"].startswith("This invite has been used or taken back.")
                assert eve.status() == 4
            ada.wait_line(lambda line: "was used twice: it has leaked" in line)
            ada.send("/lock")
            locked = bo.wait("policy")
            assert locked == {
                "event": "policy",
                "by": 0,
                "kind": "mode",
                "leaf": None,
                "mode": "locked",
                "text": "\u201cAda\u201d locked the room: nobody new comes in.",
            }
            ada.send("/handover 1")
            ada.wait_line(lambda line: line == "You are no longer a host of this meeting.")
            bo.send({"lock": False})
            ada.wait_line(lambda line: line.startswith("\u201cBo\u201d unlocked the room"))
            bo.send({"invite": {"for": "Dana", "once": True}})
            link = bo.wait("invite", lambda e: e["label"] == "Dana")["link"]
            with running("join", link, "--name", "Dana", "--json", *NO_MEDIA) as dana:
                dana.wait("roster", lambda e: names(e) == ["Ada", "Bo", "Dana"])
            bo.send({"invites": True})
            told = bo.wait("invites")["invites"]
            assert [(row["label"], row["used_by"]) for row in told if row["label"]] == [("Dana", ["Dana"])]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("join", "https://example.org/"), "not a Snug link"),
        (("join", "http://127.0.0.1:1/#2AAAA"), "missing or changed"),
        (("join", "http://127.0.0.1:1/#9AAAA"), "version"),
        (("host", "--server", "not a url"), "not a url"),
        (("host", "--server", "http://127.0.0.1:1", "--name", "x" * 65), "64 bytes"),
        (("host", "--server", "http://127.0.0.1:1", "--play", "/nonexistent.webm"), "nonexistent"),
        (("host", "--server", "http://127.0.0.1:1", "--for", "soon"), "duration"),
        (("demo", "--participants", "1"), "2 to 8"),
        (("host",), "--server"),
        (("host", "--server", "http://127.0.0.1:1", "--once"), "--once is about --invite"),
        (("host", "--server", "http://127.0.0.1:1", "--mirror"), "a second --server"),
        (("host", "--server", "http://127.0.0.1:1", "--invite", "x" * 65), "64 bytes"),
    ],
)
def test_a_mistyped_command_gives_status_2_and_one_sentence(arguments: tuple[str, ...], says: str) -> None:
    with running(*arguments) as snug:
        assert snug.status() == 2
        assert says in " ".join(snug.errors)
        assert "Traceback" not in " ".join(snug.errors)


def test_nobody_at_the_server_is_status_3() -> None:
    with running("host", "--server", f"http://127.0.0.1:{free_port()}", "--json", *NO_MEDIA) as ada:
        assert ada.wait("end")["reason"] == "failed"
        assert ada.status() == 3


def test_not_admitted_in_time_is_status_6() -> None:
    with server() as (_, url), running("host", "--server", url, "--json", *NO_MEDIA) as ada:
        link = ada.wait("invite")["link"]
        with running("join", link, "--json", "--for", "2s", *NO_MEDIA) as bo:
            assert bo.status() == 6
