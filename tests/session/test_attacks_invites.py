"""A former host makes links."""

from __future__ import annotations

from typing import Any

import pytest

from snugroom.client.session import events as ev
from snugroom.crypto.entry import answers, lobby
from snugroom.lab.simulation.world import ORIGIN, Participant, World


def deputy(w: World) -> tuple[Participant, Participant, Participant]:
    """Ada waves everybody in, Mallory is a host as well, Cem is not."""
    ada, mallory, cem = w.meeting("Ada", "Mallory", "Cem")
    w.do(ada, ev.Deputise(1))
    w.until(lambda: mallory.session._host is not None, 20)
    return ada, mallory, cem


@pytest.mark.parametrize("throw", [ev.Remove(1), ev.Undeputise(1)])
def test_a_former_host_is_not_waved_in_by_a_link_of_her_own(throw: ev.Input) -> None:
    w = World(901)
    ada, mallory, cem = deputy(w)
    secret = mallory.session._invites.own.secret
    link = mallory.room.host_keys.current.invite(ORIGIN, secret, 4711).link()
    w.do(ada, throw)
    w.until(lambda: len(cem.room.membership.policy.link_keys) == 2, 10)
    again = w.guest(link, "Friend of hers")
    w.until(lambda: any(isinstance(e, ev.Knocked) for e in ada.told[-5:]), 20)
    w.run(5)
    assert not again.session.inside
    assert "Friend of hers" not in ada.roster
    (knock,) = [e.knock for e in ada.told if isinstance(e, ev.Knocked) and e.name == "Friend of hers"]
    w.do(ada, ev.Admit(knock))
    w.until(lambda: again.session.inside, 10)


def test_a_newcomer_with_a_new_link_is_waved_in_by_a_host_that_joined_later() -> None:
    w = World(902)
    ada, mallory, cem = deputy(w)
    w.do(mallory, ev.Undeputise(1))
    w.until(lambda: len(cem.room.membership.policy.link_keys) == 2, 10)
    w.do(ada, ev.HandOver(2))
    w.until(lambda: cem.session._host is not None and not cem.room.membership.is_host(0), 20)
    w.until(lambda: len(cem.room.membership.policy.link_keys) == 3, 20)
    w.do(cem, ev.NewInvite())
    dana = w.guest(w.link_of(cem), "Dana")
    w.until(lambda: w.agreed([ada, mallory, cem, dana]), 20)
    assert [e.name for e in cem.of(ev.Knocked)] == ["Dana"]


def test_a_reader_of_anothers_answer_reads_no_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host who was thrown out signs cards, and brings Dana's KeyPackage in a knock of her own."""
    w = World(904)
    ada, _, cem = deputy(w)
    w.do(ada, ev.Remove(1))
    w.until(lambda: len(cem.room.membership.policy.link_keys) == 2, 10)
    made: list[answers.Answer] = []
    reply = lobby.reply

    def reads(opened: lobby.OpenedKnock, answer: answers.ReplyBody, **more: Any) -> lobby.Reply:
        if isinstance(answer, answers.Answer):
            made.append(answer)
        return reply(opened, answer, **more)

    monkeypatch.setattr(lobby, "reply", reads)
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: w.agreed([ada, cem, dana]), 10)
    (answer,) = made
    assert (
        dana.room.membership.heartbeat_key
        == ada.room.membership.heartbeat_key
        == cem.room.membership.heartbeat_key
    )
    for key in (ada.room.membership.heartbeat_key, ada.room.membership.move_key):
        assert key not in answers.encode_answer(answer)
    w.run(8)
    assert not {"silent", "unheard", "gone"} & {*ada.alarms, *dana.alarms, *cem.alarms}
