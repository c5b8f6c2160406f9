"""Evidence, reports and images on the command line, with a server that drops a meeting."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from snugroom.client.headless.json_output import JsonOutput
from snugroom.client.headless.saved_files import SavedFiles
from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.command import main
from snugroom.crypto.kdf import H
from snugroom.crypto.proof import evidence
from tests.cli.processes import PATIENCE, Process, run, running, server
from tests.crypto import test_evidence as made
from tests.mls.world import Room, state_of

NO_MEDIA = ("--no-audio", "--no-video")
NAMES = ("Adelheid", "Bonifatius", "Cemile")
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\4\0\0\0\4" + bytes(184)


def hears_everybody(process: Process, path: Path, people: int) -> None:
    """Wait until a member has heartbeats of that many members."""
    end = time.monotonic() + PATIENCE
    found = 0
    while found < people:
        assert time.monotonic() < end, f"beats of {found} in {PATIENCE} s"
        since = len(process.lines)
        process.send({"evidence": str(path)})
        line = process.wait_line(lambda line: '"saved"' in line or '"input"' in line, since)
        if '"saved"' in line:
            shown = evidence.decode_evidence(path.read_bytes())
            found = len(evidence.verify_evidence(shown).members)
        time.sleep(0.5)  # each asks for a file of evidence, which is work


@contextmanager
def hostile(acts: str) -> Iterator[tuple[Process, str]]:
    with running(acts, "--listen", "127.0.0.1:0", module="snugroom.lab.hostile") as process:
        line = process.wait_line(lambda line: line.startswith("listening on "))
        yield process, line.removeprefix("listening on ")
        process.signal(signal.SIGTERM)
        assert process.status() == 0


def dropped_meeting(tmp_path: Path, files: dict[str, Path]) -> None:
    """A meeting of three, which the server drops; each member writes evidence to its file."""

    def options(name: str) -> tuple[str, ...]:
        own = ("--name", name, "--json", "--evidence", str(files[name]), "--patience", "6s")
        return (*own, *NO_MEDIA)

    with (
        hostile("end") as (operator, url),
        running("host", "--server", url, "--admit", "all", *options(NAMES[0])) as ada,
    ):
        link = ada.wait("invite")["link"]
        with (
            running("join", link, *options(NAMES[1])) as bo,
            running("join", link, *options(NAMES[2]), "--evidence-names") as cem,
        ):
            people = dict(zip(NAMES, (ada, bo, cem), strict=True))
            for process in people.values():
                process.wait("roster", lambda e: len(e["members"]) == 3)
            bo.send({"chat": "hello"})
            for process in (ada, cem):
                assert process.wait("chat")["text"] == "hello"
            for name, process in people.items():
                hears_everybody(process, tmp_path / f"{name}-before.json", 3)
            operator.send({"act": "end", "begin": {}})
            for process in people.values():
                alarm = process.wait("alarm", lambda e: e["kind"] == "dropped")
                assert alarm["text"].startswith("The server dropped you; nobody in the room did.")
                told = process.wait("status", lambda e: e["kind"] == "closing")
                assert told["text"] == "The server says: The host has ended this meeting."
            for name, process in people.items():
                end = process.wait("end")
                assert end["reason"] == "dropped"
                assert process.status() == 8
                assert ("evidence", str(files[name])) in [
                    (saved["what"], saved["path"]) for saved in process.events("saved")
                ]
                assert files[name].stat().st_mode & 0o777 == 0o600


def test_a_meeting_that_the_server_ends_on_invented_grounds(tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.json" for name in NAMES}
    dropped_meeting(tmp_path, files)
    each = run("evidence", "verify", str(files[NAMES[1]]), "--json")
    assert each.returncode == 0, each.stderr
    found = json.loads(each.stdout)
    assert found["verified"]
    assert len(found["members"]) == 3
    assert found["names"] == []
    (own,) = evidence.decode_evidence(files[NAMES[1]].read_bytes()).exhibits
    everything = files[NAMES[1]].read_bytes() + b"".join(b.beat for b in own.beats)
    assert own.beats
    assert not any(name.encode() in everything for name in (*NAMES, "hello"))
    assert any("The host has ended this meeting." in text for text in found["claimed"])

    merged = run("evidence", "merge", *map(str, files.values()))
    assert merged.returncode == 0, merged.stderr
    (tmp_path / "all.json").write_text(merged.stdout)
    shown = run("evidence", "verify", str(tmp_path / "all.json"))
    assert shown.returncode == 0
    assert "3 different keys signed beats in this room" in shown.stdout
    assert " was running and opened another room after" in shown.stdout
    assert "which is not the key" not in shown.stdout
    assert "Not proven:\n  - That no host ended the meeting" in shown.stdout
    assert all(f"{name}\n" in shown.stdout for name in NAMES), "Cemile gave the names"
    once = json.loads(run("evidence", "verify", str(tmp_path / "all.json"), "--json").stdout)
    assert [p["same_server"] for p in once["probes"]] == [True] * 3

    changed = merged.stdout.replace("The host has ended", "The host hath ended")
    assert changed != merged.stdout
    (tmp_path / "all.json").write_text(changed)
    for command in ("verify", "merge"):
        bad = run("evidence", command, str(tmp_path / "all.json"))
        assert bad.returncode == 1
        assert "own statement is not signed" in bad.stdout + bad.stderr


def test_at_the_next_server_a_hosts_file_has_what_all_members_signed(tmp_path: Path) -> None:
    file = tmp_path / "evidence.json"
    names = dict(zip(NAMES, ("ada", "bo", "cem"), strict=True))
    with (
        hostile("end") as (operator, url),
        server() as (_, second),
        running(
            *("host", "--server", url, "--server", second, "--admit", "all", "--name", NAMES[0], "--json"),
            *("--evidence", str(file)),
            *NO_MEDIA,
        ) as ada,
    ):
        link = ada.wait("invite")["link"]
        with (
            running("join", link, "--name", NAMES[1], "--json", *NO_MEDIA) as bo,
            running("join", link, "--name", NAMES[2], "--json", *NO_MEDIA) as cem,
        ):
            people = (ada, bo, cem)
            for name, process in zip(names.values(), people, strict=True):
                process.wait("roster", lambda e: len(e["members"]) == 3)
                hears_everybody(process, tmp_path / f"{name}-before.json", 3)
            operator.send({"act": "end", "begin": {}})
            offer = ada.wait("status", lambda e: e["kind"] == "evidence")["text"]
            assert re.match(r"[23] of 3 members signed that they lost the meeting at http://127", offer)
            assert offer.endswith(f"Evidence is in {file}.")
            end, keys = time.monotonic() + PATIENCE, 0
            while keys < 3:
                assert time.monotonic() < end, f"{keys} signed in {PATIENCE} s"
                time.sleep(0.2)  # the file is written again with each further signature
                found = json.loads(run("evidence", "verify", str(file), "--json").stdout)
                keys = max(len(loss["keys"]) for loss in found["losses"])
            for process in people:
                process.send({"leave": True})
                assert process.status() == 0, process.errors
    assert found["proven"][0].startswith(
        "3 of the 3 keys that signed beats here signed that they lost the room"
    )
    assert "; that server's own key signed another room, " in found["proven"][0]
    assert found["names"] == []
    assert not any(name.encode() in file.read_bytes() for name in NAMES)


def reported_meeting(tmp_path: Path, file: Path) -> str:
    """A meeting in which Cem reports Bo's text and image, written to `file`; returns its link."""
    image = tmp_path / "vile.png"
    image.write_bytes(PNG)
    with (
        server() as (_, url),
        running(
            *("host", "--server", url, "--name", "Ada", "--admit", "all", "--reports", "--json"), *NO_MEDIA
        ) as ada,
    ):
        link = ada.wait("invite")["link"]
        with (
            running("join", link, "--name", "Bo", "--json", *NO_MEDIA) as bo,
            running(
                *("join", link, "--name", "Cem", "--json", "--pictures", str(tmp_path / "got")), *NO_MEDIA
            ) as cem,
        ):
            for process in (ada, bo, cem):
                process.wait("roster", lambda e: len(e["members"]) == 3)
                process.wait("status", lambda e: e["kind"] == "reports")
            bo.send({"chat": "a threat"})
            bo.send({"image": str(image)})
            bo.send({"image": str(tmp_path / "none.png")})
            assert "can't be read" in bo.wait("alarm", lambda e: e["kind"] == "input")["text"]
            chat, seen = cem.wait("chat"), cem.wait("image")
            assert (seen["from"], seen["bytes"], seen["mime"]) == ("Bo", 208, "image/png")
            assert seen["leaf"] == chat["leaf"]
            assert Path(seen["path"]).read_bytes() == PNG
            assert Path(seen["path"]).parent == tmp_path / "got"
            wanted = {"report": {"messages": [chat["id"], seen["id"]], "file": str(file)}}
            while not cem.events("saved"):  # as soon as Bo's program has shown the host's admission
                since = len(cem.lines)
                cem.send(wanted)
                line = cem.wait_line(lambda line: '"saved"' in line or "has not shown" in line, since)
            assert json.loads(line)["path"] == str(file)
            cem.send({"report": {"messages": ["f" * 32], "file": str(file)}})
            cem.wait("alarm", lambda e: e["kind"] == "input" and e["text"].startswith("No message"))
            cem.send({"report": {"messages": [chat["id"]], "file": str(file)}})
            cem.wait("saved", lambda e: e["path"] == f"{file}.1")  # what is there stays
            ada.send({"end": True})
            for process in (ada, bo, cem):
                assert process.status() == 0

    return str(link)


def test_a_report_is_judged_by_whom_the_host_names(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    link = reported_meeting(tmp_path, file)
    good = run("report", "verify", str(file), "--link", link)
    assert good.returncode == 0, good.stdout + good.stderr
    assert "wrote: \u201ca threat\u201d, in the meeting of the host key" in good.stdout
    assert "sent a picture (image/png, 208 bytes" in good.stdout
    assert "was let in by the host with invite 0" in good.stdout
    assert "Not proven:\n  - Who the person is" in good.stdout
    rows = json.loads(run("report", "verify", str(file), "--link", link, "--json").stdout)["messages"]
    assert [row["kind"] for row in rows] == ["say", "image"]
    key = rows[0]["host_key"]
    assert run("report", "verify", str(file), "--host-key", key).returncode == 0

    claimed = run("report", "verify", str(file))
    assert claimed.returncode == 1
    assert "Nothing of it is proven" in claimed.stdout
    assert "a threat" not in claimed.stdout
    other = run("report", "verify", str(file), "--host-key", "ab" * 32)
    assert other.returncode == 1
    assert "another host's meeting" in other.stdout
    assert run("report", "verify", str(file), "--host-key", "zz").returncode == 2
    file.write_bytes(file.read_bytes().replace(b'"invite": 0', b'"invite": 3', 1))
    changed = run("report", "verify", str(file), "--link", link)
    assert changed.returncode == 1
    assert "did not sign that this key was let in" in changed.stdout


# -- what the commands say ----------------------------------------------------------------------


def verify(path: Path, exhibits: list[evidence.Exhibit]) -> int:
    path.write_bytes(evidence.encode(made.of(*exhibits)))
    return main(["evidence", "verify", str(path)])


def test_two_stories_are_said_in_capitals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = made.exhibit(1, receipts=[made.receipt(7, bytes(32))])
    assert verify(tmp_path / "e", [made.exhibit(0), other]) == 0
    out = capsys.readouterr().out
    assert "TWO STORIES: the server key" in out
    assert "for slot 7" in out


def test_two_keys_of_one_start_and_two_starts_at_one_time_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    another = made.OTHER_SERVER.public
    other = msgspec.structs.replace(made.short(1), server_key=another).signed(made.sign(made.KEYS[1]))
    one = made.exhibit(beats=[made.beat(0), made.beat(1, server_key=another)])
    assert verify(tmp_path / "e", [one, other]) == 0
    said = capsys.readouterr().out.split("As the exhibits")[0]
    assert "Members' beats name different keys of the server for one start of it: member" in said
    assert f"the server key {another.hex()[:16]}" in said
    assert "They were shown two servers, or one of them lies." in said

    def at(who: int, seq: int, at: int, key: bytes, start: bytes) -> evidence.SignedHeartbeat:
        return made.beat(who, seq=seq, at=at, server_key=key, incarnation=start)

    here = [at(0, n, 1000 + 10 * n, made.SERVER.public, b"a start.") for n in range(1, 6)]
    for begins, is_said in ((1020, True), (1051, False)):
        there = [at(1, n, begins + 10 * n - 10, another, b"restart!") for n in range(1, 6)]
        assert verify(tmp_path / "e", [made.exhibit(beats=[*here, *there]), other]) == 0
        proves, claims = capsys.readouterr().out.split("As the exhibits")
        assert ("two starts of the server at one time, for 30 s" in claims) == is_said
        assert "for one start" not in proves


def test_what_the_server_showed_is_said_though_other_words_follow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [evidence.ServerEvent(1000 + n, code, "text") for n, code in enumerate(("receipt", *"abcd"))]
    own = msgspec.structs.replace(made.exhibit(0), last_words=words).signed(made.sign(made.KEYS[0]))
    assert verify(tmp_path / "e", [own]) == 0
    out = capsys.readouterr().out
    assert "was shown, at 1970-01-01 00:16:40 UTC: receipt: text" in out
    assert "a: text" not in out


def proven(out: str) -> str:
    """The first fact that the command calls proven."""
    return out.split("Proven:\n", 1)[1].splitlines()[0]


def test_a_merged_file_says_how_many_members_lost_the_room(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    beats = [made.beat(0), made.beat(1), made.beat(2)]
    own = made.exhibit(0, beats=beats, dropped_at=1002)
    assert verify(tmp_path / "e", [own, made.short(1)]) == 0
    out = capsys.readouterr().out
    (who,) = (n for n in (1, 2, 3) if made.KEYS[0].public == sorted(k.public for k in made.KEYS)[n - 1])
    assert proven(out) == (
        "  - 2 of the 3 keys that signed beats here signed that they lost the room at the server with the "
        f"key {made.SERVER.public.hex()}, at 1970-01-01 00:16:42 UTC to 1970-01-01 00:16:44 UTC by their own "
        f"clocks; that server's own key signed another room, 2 s later by the word and clock of member {who}."
    )
    assert "2 members were there, by the newest beats." in out.split("not proven:")[1]
    assert "How many members there were" in out.split("Not proven:")[1]
    assert main(["evidence", "verify", str(tmp_path / "e"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (loss,) = found["losses"]
    assert (len(loss["keys"]), loss["heard"], loss["seconds"], found["present"]) == (2, 2, 2, 2)


def test_keys_without_a_beat_and_a_server_without_a_receipt_are_told_as_such(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = made.exhibit(0, beats=[made.beat(0)], receipts=[], dropped_at=1003)
    others = [made.short(1), made.short(2), made.short(2, at=1003)]
    assert verify(tmp_path / "e", [own, *others]) == 0
    line = proven(capsys.readouterr().out)
    assert line.startswith(
        "  - 1 of the 1 key that signed beats here and 2 keys without a beat here signed that"
    )
    assert line.endswith(". No receipt by that key is here.")


def test_another_servers_probe_is_not_taken_for_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    beats, receipts = [made.beat(0)], [made.receipt(7)]
    probe = made.probed(beats, receipts, server=made.OTHER_SERVER)
    assert verify(tmp_path / "e", [made.exhibit(beats=beats, receipts=receipts, probe=probe)]) == 0
    out = capsys.readouterr().out
    assert "which is not the key that served this room" in out
    assert f"The server with the key {made.OTHER_SERVER.public.hex()} was running" in out


def test_a_key_of_ones_own_making_does_not_pass_for_the_servers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Real receipts for one slot, and the maker's own key for the history that it made up."""
    receipts = [made.receipt(7), made.receipt(8, H(b"made up"), server=made.OTHER_SERVER)]
    made_up = receipts[1].chain
    beats = [made.beat(0), made.beat(1, slot=8, chain=made_up)]
    assert verify(tmp_path / "e", [made.exhibit(beats=beats, receipts=receipts, probe=None)]) == 0
    out = capsys.readouterr().out
    assert "at slot 8" in out
    (line,) = (line for line in out.splitlines() if "at slot 8" in line)
    assert f"the server key {made.OTHER_SERVER.public.hex()[:16]}... signed the same history" in line
    assert "the server's key" not in out.split("Not proven:")[0]


def test_origin_and_names_are_told_as_what_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The maker of an exhibit writes its origin, and can add a leaf of another meeting for its name."""
    elsewhere = Room(2)
    node = state_of(elsewhere[0]).tree.leaf(0)
    assert node is not None
    leaves = [evidence.NamedLeaf(0, elsewhere[0].group_id, node.encoded)]
    assert verify(tmp_path / "e", [made.exhibit(origin="https://slandered.example", leaves=leaves)]) == 0
    out = capsys.readouterr().out
    proven, told = out.split("As the exhibits tell it, not proven:")
    assert "slandered.example" not in proven
    assert "slandered.example" in told
    assert ": ember 0 (it has signed nothing here)" in proven
    assert "every key calls itself what it likes" in told


def test_an_empty_exhibit_proves_next_to_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(tmp_path / "e", [made.exhibit(beats=[], receipts=[], probe=None)]) == 0
    assert "Nothing but that the exhibits are their makers'" in capsys.readouterr().out


def test_the_servers_words_can_not_move_the_cursor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [evidence.ServerEvent(1, "idle", "\x1b[2Jgone\nProven:\n  - all of it")]
    assert verify(tmp_path / "e", [made.exhibit(last_words=words)]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert out.count("\nProven:\n") == 1


def test_files_that_are_not_there_or_no_evidence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evidence", "verify", str(tmp_path / "none")]) == 2
    (tmp_path / "e").write_text("{}")
    for command in (["evidence", "verify"], ["evidence", "merge"]):
        assert main([*command, str(tmp_path / "e")]) == 1
    assert main(["evidence", "verify", str(tmp_path / "e"), "--json"]) == 1
    assert main(["report", "verify", str(tmp_path / "e"), "--host-key", "ab" * 32]) == 1
    assert main(["report", "verify", str(tmp_path / "e"), "--link", "https://x/"]) == 2
    capsys.readouterr()


# -- files ---------------------------------------------------------------------------------------


class Heard(JsonOutput):
    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def _line(self, value: dict[str, Any]) -> None:
        self.lines.append(value)


def image(number: int, leaf: int = 1, mime: str = "image/png", data: bytes = PNG) -> ev.Image:
    return ev.Image(leaf, "../Bo", f"{number:032x}", mime, data)


def test_nothing_that_is_there_is_written_over(tmp_path: Path) -> None:
    keeper, path = SavedFiles(Heard()), tmp_path / "e.json"
    path.write_text("mine")
    keeper.save(ev.Save("evidence", str(path), b"one"))
    keeper.save(ev.Save("evidence", str(path), b"two"))
    keeper.save(ev.Save("report", str(path), b"three"))
    assert path.read_text() == "mine"
    assert (tmp_path / "e.json.1").read_bytes() == b"two", "evidence of one run grows"
    assert (tmp_path / "e.json.2").read_bytes() == b"three"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["e.json", "e.json.1", "e.json.2"]


def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    keeper, path = SavedFiles(Heard()), tmp_path / "e.json"
    path.symlink_to(tmp_path / "elsewhere")
    keeper.save(ev.Save("report", str(path), b"x"))
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    heard = Heard()
    SavedFiles(heard).save(ev.Save("evidence", str(tmp_path / "no" / "e.json"), b"x"))
    assert [line["kind"] for line in heard.lines] == ["file"]


def test_image_files_get_names_of_our_own(tmp_path: Path) -> None:
    keeper = SavedFiles(Heard(), tmp_path / "in")
    put = [keeper.image(image(n)).path for n in (1, 1, 2)]
    assert [Path(p or "").parent for p in put] == [tmp_path / "in"] * 3
    assert len({*put}) == 3
    assert all(Path(p or "").read_bytes() == PNG for p in put)
    odd = ev.Image(1, "Bo", "../../etc/passwd", "image/png", PNG)
    assert keeper.image(odd).path is None
    assert (tmp_path / "in").stat().st_mode & 0o777 == 0o700
    assert SavedFiles(Heard()).image(image(1)).path is None


def test_images_fill_no_disk(tmp_path: Path) -> None:
    heard = Heard()
    keeper = SavedFiles(heard, tmp_path)
    large = bytes(content.IMAGE_MAX)
    put = [keeper.image(image(n, data=large)).path for n in range(600)]
    assert sum(p is not None for p in put) == 512
    assert [line["kind"] for line in heard.lines] == ["file"]


def test_an_image_file_is_read_up_to_the_largest_size(tmp_path: Path) -> None:
    keeper, path = SavedFiles(Heard()), tmp_path / "x"
    path.write_bytes(bytes(content.IMAGE_MAX + 5000))
    assert len(keeper.read(ev.SendImage(str(path))).data) == content.IMAGE_MAX + 1
    for bad in (tmp_path / "none", tmp_path):
        with pytest.raises(ValueError, match="can't be read"):
            keeper.read(ev.SendImage(str(bad)))
