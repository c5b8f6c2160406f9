"""The judges of the adversary can fail: each property breaks where its check is broken."""

from __future__ import annotations

import tomllib
from contextlib import AbstractContextManager
from pathlib import Path
from typing import get_args

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import sentences
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.kernel.membership import Membership
from snugroom.crypto.agreed import policy
from snugroom.lab.simulation.tale import ViolationError
from snugroom.lab.simulation.truth import ALARMS, SHELLS, STATUSES
from snugroom.wire import messages as wire
from tests.adversary.inventions import MAKERS
from tests.adversary.meeting import Meeting
from tests.adversary.safety import keys
from tests.adversary.stage import EVERYBODY

ROOT = Path(__file__).parents[2]


def test_every_alarm_of_a_session_has_its_causes() -> None:
    told = tomllib.loads(
        (ROOT / "client/session/catalogue/sentences/alarms.toml").read_text(encoding="utf-8")
    )
    alarms = {key.removeprefix("alarm.") for key in told if key.startswith("alarm.")}
    assert alarms - SHELLS == set(ALARMS), "say in lab/simulation/truth.py what may cause it"
    assert {f"status.{key}" for key in STATUSES if not key.startswith("clock.")} <= set(told)


def test_every_message_of_a_server_is_invented() -> None:
    assert {str(kind.__struct_config__.tag) for kind in get_args(wire.ServerMessage)} == set(MAKERS)


def test_an_honest_meeting_breaks_nothing() -> None:
    m = Meeting(("Ada", "Bo", "Cem"), deputies=("Bo",))
    m.says(EVERYBODY)
    m.talks(EVERYBODY)
    m.joins("Dana")
    m.loses_connection("Cem")
    m.wait(3)
    m.removes("Bo", "Dana")
    m.server_restarts()
    m.crashes("Ada")
    m.wait(20)
    m.returns("Ada")
    m.wait(10)
    m.leaves("Cem")
    m.says(EVERYBODY)
    m.stop()
    assert m.together([m.person("Bo"), m.person("Ada again")])
    assert m.known == []
    assert {text for _, text in m.person("Bo").who.said} >= {"Ada 0", "Cem 2"}


def broken(rule: str, about: str) -> AbstractContextManager[object]:
    return pytest.raises(ViolationError, match=rf"^{rule} \({about}\)")


def test_members_who_accept_any_change_are_told_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    m = Meeting()
    monkeypatch.setattr(policy, "judge_commit", lambda view: None)
    with broken("truth", "(ended room.removed_by|removed by)"):
        m.signs("Mallory", "forged_removal")


def test_an_evicted_member_who_keeps_reading_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The envelope and MLS are replaced by nothing: then a spy reads, which is no member any more."""
    m = Meeting()
    m.removes("Ada", "Mallory")
    m.wait(2)
    m.says("Ada")
    spy = m.person("Mallory").who.session._room
    assert spy is not None
    author = m.person("Ada").room
    assert author is not None
    real = Membership.protect

    def leaked(self: Membership, content: bytes) -> bytes:
        real(self, content)
        return real(author.membership if self is not author.membership else spy.membership, content)

    monkeypatch.setattr(Membership, "protect", leaked)
    monkeypatch.setattr("tests.adversary.safety.reads", lambda room, blob: "words" if room is spy else None)
    with broken("secrecy", "not a member"):
        m.says("Ada")


def test_two_views_of_one_epoch_are_seen() -> None:
    m = Meeting(("Ada", "Bo", "Cem"))
    ada = m.person("Ada").room
    assert ada is not None
    ada.membership.ledger = type(ada.membership.ledger)()
    with broken("agreement", "one epoch"):
        m.check()


@pytest.mark.parametrize(
    ("event", "about"),
    [
        (sentences.alarm("silent", who=["Bo"], seconds=15), "silent"),
        (sentences.alarm("void_commit", why="", who="Bo", slot=1), "void_commit"),
        (sentences.alarm("receipt", proof=sentences.proof(None)), "receipt"),
        (sentences.dropped("serves", None), "dropped"),
        (sentences.alarm("rejoining"), "rejoining"),
        (ev.Ended("removed", sentence("room.removed_by", by="Ada")), "ended room.removed_by"),
        (ev.Ended("ended", sentence("room.ended_by", name="Ada")), "ended room.ended_by"),
    ],
)
def test_a_false_sentence_is_seen(event: ev.Event, about: str) -> None:
    m = Meeting(("Ada", "Bo", "Cem"))
    cem = m.person("Cem")
    cem.who.told.append(event)
    cem.who.told_at.append(m.w.now)
    with broken("truth", about):
        m.check()


def test_words_that_nobody_said_and_words_for_others_are_seen() -> None:
    m = Meeting(("Ada", "Bo", "Cem"))
    m.w.do(m.person("Bo").who, ev.Say("not in the tale"))
    with broken("words", "never said"):
        m.wait(1)
    m = Meeting(("Ada", "Bo", "Cem"))
    real = keys
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "tests.adversary.stage.keys", lambda room: real(room) - {m.person("Cem").key}
        )  # as if Cem had come later
        with broken("secrecy", "newcomer"):
            m.says("Bo")


def test_a_member_who_is_left_alone_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    m = Meeting(("Ada", "Bo", "Cem"))
    bo = m.person("Bo").room
    assert bo is not None
    monkeypatch.setattr(bo.sync, "is_synced", lambda now: False)
    with broken("liveness", "is out of step"):
        m.stop()
