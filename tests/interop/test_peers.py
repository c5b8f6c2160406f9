"""ts-mls and mls-rs agree with each other, so a disagreement with ours means something."""

from __future__ import annotations

import re

import pytest

from tests.interop.meeting import Meeting
from tests.interop.peer import Changes, Manner, PeerError, Psk
from tests.interop.rs_peer import RsPeer
from tests.interop.ts_peer import TsProcess
from tests.interop.ts_setup import WEB, ensure_installed


def test_the_lock_pins_hashes_and_names_no_registry() -> None:
    lock = (WEB / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert lock.count('"integrity"') == len(re.findall(r'"node_modules/[^"]+": \{', lock))


def test_the_patch_is_in_force_and_a_second_set_up_does_nothing(ts: TsProcess) -> None:
    stamp = WEB / "node_modules" / ".snug-stamp"
    before = stamp.stat().st_mtime_ns
    ensure_installed()
    assert stamp.stat().st_mtime_ns == before
    assert "stagedFrom" in (WEB / "node_modules/ts-mls/dist/src/createCommit.js").read_text()


def test_ts_creates_and_mls_rs_joins(ts: TsProcess) -> None:
    alice, bob = ts.member("alice"), RsPeer("bob")
    meeting = Meeting(alice)
    meeting.commit(alice, Changes(adds=[bob]))
    meeting.say(alice, b"to bob")
    meeting.say(bob, b"to alice")


@pytest.mark.parametrize("private", [True, False])
def test_commits_both_ways_and_removals(ts: TsProcess, private: bool) -> None:
    manner = Manner(private=private)
    alice, bob, carol = RsPeer("alice"), ts.member("bob"), RsPeer("carol")
    meeting = Meeting(alice)
    meeting.commit(alice, Changes(adds=[bob]))
    meeting.commit(bob, Changes(adds=[carol]), manner)
    meeting.commit(alice)
    meeting.commit(bob, Changes(removes=[alice]), manner)
    meeting.commit(carol, Changes(removes=[bob]))
    assert meeting.members == [carol]


@pytest.mark.parametrize("suite", [1, 3])
def test_two_of_ts_with_a_psk_and_an_extension(ts: TsProcess, suite: int) -> None:
    psk = Psk(b"link", b"s" * 32, b"n" * 32)
    required = (3, bytes([2, 0xF0, 0x01, 0, 0]))
    alice, bob = (ts.member(n, suite=suite, extensions=[0xF001]) for n in ("alice", "bob"))
    alice.create(b"room", [required, (0xF001, b"one")])
    staged = alice.stage(Changes(adds=[bob], psks=[psk]))
    alice.adopt()
    assert staged.welcome is not None
    with pytest.raises(PeerError, match="pskId"):
        bob.join(staged.welcome)
    bob.join(staged.welcome, [psk])
    staged = bob.stage(Changes(extensions=[required, (0xF001, b"two")]))
    assert alice.process(staged.message).proposals == ("group_context_extensions",)
    bob.adopt()
    assert alice.view() == bob.view()
    assert alice.view().extensions == (required, (0xF001, b"two"))


def test_a_dropped_stage_spends_its_generation(ts: TsProcess) -> None:
    alice, bob = ts.member("alice"), ts.member("bob")
    meeting = Meeting(alice)
    meeting.commit(alice, Changes(adds=[bob]))
    alice.stage()
    alice.drop()
    meeting.commit(alice)


def test_a_message_read_during_a_stage_cannot_be_replayed_after_it(ts: TsProcess) -> None:
    alice, bob = ts.member("alice"), ts.member("bob")
    meeting = Meeting(alice)
    meeting.commit(alice, Changes(adds=[bob]))
    alice.stage()
    message = bob.protect(b"once")
    assert alice.process(message).data == b"once"
    alice.adopt()
    with pytest.raises(PeerError, match="gen in the past"):
        alice.process(message)
