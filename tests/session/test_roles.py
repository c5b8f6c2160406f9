"""Hosts change the room, name and remove other hosts, and step down; members hear of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.catalogue.sentence import sentence
from snugroom.client.session.features.host_key_transfer import HostKeyTransfer
from snugroom.client.session.features.roles import Roles
from snugroom.client.session.kernel.intents import AddIntent, PolicyIntent
from snugroom.crypto.agreed.room_state import Mode, PolicyServer
from snugroom.crypto.entry.invite import HostSeed
from snugroom.lab.simulation.world import Participant, World
from tests.session.contents import deaf_to
from tests.session.hosts import lobby_of, two_hosts
from tests.session.seeds import seeds


def changes(who: Participant) -> list[str]:
    return [e.text for e in who.told if isinstance(e, ev.PolicyChanged)]


def statuses(who: Participant) -> list[str]:
    return [e.kind for e in who.told if isinstance(e, ev.Status)]


def not_done(who: Participant) -> list[str]:
    return [e.text for e in who.told if isinstance(e, ev.Alarm) and e.kind == "not_done"]


# -- locking ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("admission", "how"), [("ask", "a host is asked"), ("all", "everybody with a valid")]
)
def test_a_locked_room_refuses_and_an_unlocked_one_is_as_before(admission: str, how: str) -> None:
    w = World(1)
    ada = w.host("Ada", admission=admission)
    bo = w.guest(w.link_of(ada), "Bo")
    if admission == "ask":
        w.until(lambda: bool(ada.of(ev.Knocked)))
        w.do(ada, ev.Admit(1))
    w.until(lambda: w.agreed([ada, bo]))
    w.do(ada, ev.Lock(True))
    w.until(lambda: changes(bo) == ["\u201cAda\u201d locked the room: nobody new comes in."])
    event = bo.of(ev.PolicyChanged)[0]
    assert event == ev.PolicyChanged(
        0, "mode", "\u201cAda\u201d locked the room: nobody new comes in.", mode="locked"
    )
    knocks = len(ada.of(ev.Knocked))
    cem = w.guest(w.link_of(ada), "Cem")
    w.until(lambda: cem.ended is not None)
    assert cem.ended == ev.Ended("refused", sentence("refusal.locked"))
    assert len(ada.of(ev.Knocked)) == knocks, "nobody is asked about"
    assert ada.roster == ["Ada", "Bo"]
    with pytest.raises(ValueError, match="is locked"):
        w.do(ada, ev.Lock(True))
    w.do(ada, ev.Lock(False))
    w.until(lambda: len(changes(bo)) == 2)
    assert changes(bo)[1].startswith(f"\u201cAda\u201d unlocked the room: {how}")
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: len(ada.of(ev.Knocked)) > knocks)
    if admission == "ask":
        w.run(3)
        assert ada.roster == ["Ada", "Bo"], "not without the host's word"
        w.do(ada, ev.Admit(ada.of(ev.Knocked)[-1].knock))
    w.until(lambda: w.agreed([ada, bo, dana]))


def test_a_waiting_guest_hears_that_the_room_is_locked() -> None:
    w = World(2)
    ada = w.host("Ada", admission="ask")
    bo = w.guest(w.link_of(ada), "Bo")
    w.until(lambda: bool(ada.of(ev.Knocked)))
    w.do(ada, ev.Lock(True))
    w.until(lambda: bo.ended is not None)
    assert bo.ended == ev.Ended("refused", sentence("refusal.locked"))
    with pytest.raises(ValueError, match="nobody waits"):
        w.do(ada, ev.Admit(1))


def test_an_admission_that_crosses_another_hosts_lock_is_refused_as_locked() -> None:
    w = World(3, latency=0.1)
    ada, bo = two_hosts(w)
    link = w.link_of(ada)
    w.do(ada, ev.Lock(True))
    cem = w.guest(link, "Cem")  # knocks while the lock is under way; the room lets everybody in
    w.until(lambda: cem.ended is not None, 15)
    assert cem.ended == ev.Ended("refused", sentence("refusal.locked"))
    assert ada.roster == bo.roster == ["Ada", "Bo"]


def test_every_member_voids_an_add_to_a_locked_room() -> None:
    """A host whose program does not keep to the lock is stopped by the others (SNUG-7)."""
    w = World(4)
    ada, bo, cem = two_hosts(w, "Cem")
    link = w.link_of(ada)
    w.do(ada, ev.Lock(True))
    w.until(lambda: len(changes(cem)) == 2 and len(changes(bo)) == 2)
    bo.room.membership.policy = replace(
        bo.room.membership.policy, mode=Mode.WAVE_IN
    )  # its own idea of the policy
    lobby_of(ada)._turned_away = lambda asked, m: True  # type: ignore[method-assign]  # leave it to Bo
    dana = w.guest(link, "Dana")
    w.until(lambda: "void_commit" in ada.alarms and "void_commit" in cem.alarms, 40)
    assert ada.roster == cem.roster == ["Ada", "Bo", "Cem"]
    voided = [e.text for e in cem.told if isinstance(e, ev.Alarm) and e.kind == "void_commit"]
    assert "the room is locked" in voided[0]
    assert "It came from \u201cBo\u201d" in voided[0], "named"
    assert dana.roster == [] or dana.code != cem.code


def test_the_mode_before_the_lock_survives_another_host_and_a_rejoin() -> None:
    w = World(5)
    ada, bo = two_hosts(w)
    w.do(ada, ev.Lock(True))
    w.until(lambda: bo.room.membership.policy.mode is Mode.LOCKED)
    bo.room.needs_rejoin = True
    w.do(bo, ev.Tick())
    w.until(lambda: not bo.room.needs_rejoin and w.agreed([ada, bo]), 30)
    assert bo.room.membership.policy.mode is Mode.LOCKED, "a rejoin is nobody new"
    w.do(bo, ev.Lock(False))
    w.until(lambda: ada.room.membership.policy.mode is Mode.WAVE_IN)
    assert changes(ada)[-1].startswith("\u201cBo\u201d unlocked the room")


def test_a_room_is_unlocked_to_what_it_was_last_and_not_at_first() -> None:
    w = World(8)
    ada, bo = w.meeting("Ada", "Bo")
    asked = PolicyIntent(
        lambda p: None if p.mode is Mode.ASK else replace(p, version=p.version + 1, mode=Mode.ASK)
    )
    ada.room.queue(asked, w.now)
    w.until(lambda: bo.room.membership.policy.mode is Mode.ASK)
    for on, mode in ((True, Mode.LOCKED), (False, Mode.ASK)):
        w.do(ada, ev.Lock(on))
        w.until(lambda mode=mode: bo.room.membership.policy.mode is mode)  # type: ignore[misc]


def test_only_hosts_have_these_powers() -> None:
    w = World(6)
    _, bo, _ = w.meeting("Ada", "Bo", "Cem")
    acts: list[ev.Input] = [
        ev.Lock(True),
        ev.Deputise(1),
        ev.Undeputise(0),
        ev.HandOver(2),
        ev.NewInvite("x"),
        ev.ListInvites(),
        ev.Revoke(0),
    ]
    for act in acts:
        with pytest.raises(ValueError, match="only a host"):
            w.do(bo, act)


def test_a_lock_by_a_member_who_is_no_host_is_void_and_named() -> None:
    w = World(7)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("snugroom.client.session.kernel.membership.policy.judge_commit", lambda view: None)
        intent = PolicyIntent(lambda p: replace(p, version=p.version + 1, mode=Mode.LOCKED))
        bo.room.queue(intent, w.now)  # staged and sent while its own check is off
    w.until(lambda: "void_commit" in ada.alarms and "void_commit" in cem.alarms)
    assert not changes(ada)
    assert ada.room.membership.policy.mode is Mode.WAVE_IN


# -- naming hosts, and taking it back --------------------------------------------------------------


def test_hosts_are_named_and_unnamed_before_everybody() -> None:
    w = World(10)
    ada, bo, cem = two_hosts(w, "Cem")
    w.do(ada, ev.Undeputise(1))
    w.until(lambda: "no_host" in statuses(bo))
    told = [
        "\u201cAda\u201d made \u201cBo\u201d a host.",
        "\u201cAda\u201d took the host role from \u201cBo\u201d.",
    ]
    w.until(lambda: all(changes(p) == told for p in (ada, bo, cem)))
    assert [(e.kind, e.by, e.leaf) for e in cem.of(ev.PolicyChanged)] == [("host", 0, 1), ("no_host", 0, 1)]
    assert bo.session._host is None, "it has left the lobby"
    assert bo.room.host_keys is None, "and forgotten the seed"
    w.run(1)
    assert not [endpoint for endpoint in bo.links if endpoint.day is not None]
    with pytest.raises(ValueError, match="only a host"):
        w.do(bo, ev.Remove(2))
    w.do(ada, ev.Deputise(1))
    w.until(lambda: bo.session._host is not None, why="and it can become one again")
    w.do(bo, ev.Remove(2))
    w.until(lambda: cem.ended is not None)


def test_a_room_keeps_a_host() -> None:
    w = World(11)
    ada, bo = w.meeting("Ada", "Bo")
    with pytest.raises(ValueError, match="make somebody else a host first"):
        w.do(ada, ev.Undeputise(0))
    with pytest.raises(ValueError, match="\u201cBo\u201d is not a host"):
        w.do(ada, ev.Undeputise(1))
    with pytest.raises(ValueError, match="nobody at leaf 7"):
        w.do(ada, ev.Undeputise(7))
    w.do(ada, ev.Deputise(1))
    w.until(lambda: bo.session._host is not None)
    w.kill(bo)
    w.do(ada, ev.Remove(1))
    w.until(lambda: ada.roster == ["Ada"])
    assert len(ada.room.membership.policy.hosts) == 2, "the one who is gone stands there still"
    with pytest.raises(ValueError, match="make somebody else a host first"):
        w.do(ada, ev.Undeputise(0))


def test_two_hosts_who_step_down_at_once_leave_one() -> None:
    for seed in seeds(range(6)):
        w = World(20 + seed, latency=0.1)
        ada, bo, cem = two_hosts(w, "Cem")
        w.do(ada, ev.Undeputise(0))
        w.do(bo, ev.Undeputise(1))
        w.until(lambda: bool(not_done(ada) or not_done(bo)), 10)
        w.run(1)
        hosts = [[leaf for leaf, _, host in p.room.membership.members() if host] for p in (ada, bo, cem)]
        assert hosts in ([[0]] * 3, [[1]] * 3)
        stayed = (ada, bo)[hosts[0][0]]
        assert not_done(stayed) == [
            "That could not be done: the room would have no host left: make somebody else a host first"
        ]
        assert stayed.session._host is not None


def test_a_grant_that_was_lost_is_handed_over_again(monkeypatch: pytest.MonkeyPatch) -> None:
    w = World(30)
    ada, bo = w.meeting("Ada", "Bo")
    grants: list[content.Grant] = []
    real: Callable[[content.AnyContent], bytes] = ada.room.relay

    def lossy(what: content.AnyContent) -> bytes:
        if isinstance(what, content.Grant):
            grants.append(what)
            if len(grants) == 1:
                return b""
        return real(what)

    monkeypatch.setattr(ada.room, "relay", lossy)

    w.do(ada, ev.Deputise(1))
    w.until(lambda: bo.session._host is not None, 12)
    assert len(grants) == 2
    w.until(lambda: bool(ada.room.feature(HostKeyTransfer).confirmed), 12)


def test_a_proof_of_the_seed_needs_the_seed() -> None:
    w = World(31)
    ada, bo, cem = two_hosts(w, "Cem")
    transfer = ada.room.feature(HostKeyTransfer)
    bos = bo.room.membership.signature_key(1)
    assert transfer.confirmed == {bos}
    w.do(ada, ev.Deputise(2))
    deaf_to(cem, content.Grant)  # it never gets it
    w.until(lambda: cem.room.membership.is_host(2))
    w.run(1)
    wrong = HostSeed(bytes(32)).return_key.sign(b"snug 1 granted")
    cem.room.relay(content.Granted(wrong))
    replayed = bo.room.host_keys.current.return_key.sign(b"snug 1 granted of another")
    cem.room.relay(content.Granted(replayed))
    w.run(2)
    assert transfer.confirmed == {bos}


# -- handing over ----------------------------------------------------------------------------------


def test_a_host_hands_over() -> None:
    w = World(40)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    w.do(ada, ev.HandOver(1))
    w.until(lambda: "no_host" in statuses(ada))
    w.until(
        lambda: (
            changes(cem)
            == ["\u201cAda\u201d made \u201cBo\u201d a host.", "\u201cAda\u201d gave up the host role."]
        )
    )
    assert [(leaf, host) for leaf, _, host in cem.room.membership.members()] == [
        (0, False),
        (1, True),
        (2, False),
    ]
    assert ada.session._host is None
    assert ada.room.host_keys is None
    assert bo.session._host is not None
    w.until(lambda: len(bo.room.membership.policy.link_keys) == 2, why="with keys of its own")
    dana = w.guest(a_link_of(bo, w), "Dana")
    w.until(lambda: w.agreed([ada, bo, cem, dana]), why="Bo hosts")


def a_link_of(host: Participant, w: World) -> str:
    w.do(host, ev.NewInvite())
    return w.link_of(host)


def test_a_handover_to_a_host_needs_no_second_naming() -> None:
    w = World(41)
    ada, bo, cem = two_hosts(w, "Cem")
    w.do(ada, ev.HandOver(1))
    w.until(lambda: "no_host" in statuses(ada) and len(changes(cem)) > 1)
    assert changes(cem) == [
        "\u201cAda\u201d made \u201cBo\u201d a host.",
        "\u201cAda\u201d gave up the host role.",
    ]
    assert bo.session._host is not None


def test_nobody_steps_down_for_who_has_not_shown_that_it_can_host() -> None:
    w = World(42)
    ada, bo = w.meeting("Ada", "Bo")
    deaf_to(bo, content.Grant)  # its program takes no seed
    w.do(ada, ev.HandOver(1))
    with pytest.raises(ValueError, match="handing over to \u201cBo\u201d already"):
        w.do(ada, ev.HandOver(1))
    w.run(29)
    assert not not_done(ada)
    w.run(3)
    assert not_done(ada) == [
        "That could not be done: \u201cBo\u201d has not shown that it can host; you are still a host."
    ]
    assert ada.room.membership.is_host(0)
    assert ada.session._host is not None


def test_a_handover_to_who_goes_meanwhile_is_given_up() -> None:
    w = World(43)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    deaf_to(bo, content.Grant)
    w.do(ada, ev.HandOver(1))
    w.run(2)
    w.do(bo, ev.Leave())
    w.until(lambda: bool(not_done(ada)))
    assert not_done(ada) == [
        "That could not be done: \u201cBo\u201d left before taking over the meeting; you are still a host."
    ]
    w.until(lambda: w.agreed([ada, cem]), 3)
    assert ada.room.membership.is_host(0)
    with pytest.raises(ValueError, match="yourself"):
        w.do(ada, ev.HandOver(0))
    w.do(ada, ev.HandOver(2))
    w.until(lambda: "no_host" in statuses(ada), why="and another one can be chosen")


def test_a_handover_survives_a_server_that_dies() -> None:
    for seed in seeds(range(5)):
        w = World(50 + seed, latency=0.05)
        ada, bo = w.meeting("Ada", "Bo")
        w.do(ada, ev.HandOver(1))
        w.run(w.random.uniform(0, 0.4))
        w.kill_server()
        w.run(1)
        w.start_server()
        w.until(lambda: "no_host" in statuses(ada), 25, f"seed {seed}")
        assert bo.session._host is not None
        w.until(lambda: w.agreed([ada, bo]), 5)


def test_a_handover_survives_ones_own_rejoin() -> None:
    w = World(61)
    ada, bo, cem = two_hosts(w, "Cem")
    hears_again = deaf_to(cem, content.Grant)
    w.do(ada, ev.HandOver(2))
    w.until(lambda: cem.room.membership.is_host(2))
    ada.room.needs_rejoin = True
    w.do(ada, ev.Tick())
    w.until(lambda: any(r.rejoined for r in bo.of(ev.Roster) if isinstance(r, ev.Roster)), 20)
    hears_again()
    w.until(lambda: "no_host" in statuses(ada), 28)
    w.until(lambda: w.agreed([ada, bo, cem]))


def test_a_guest_of_a_host_that_steps_down_is_let_in_by_the_next() -> None:
    w = World(60)
    ada = w.host("Ada", admission="ask")
    bo = w.guest(w.link_of(ada), "Bo")
    w.until(lambda: bool(ada.of(ev.Knocked)))
    w.do(ada, ev.Admit(1))
    w.until(lambda: w.agreed([ada, bo]))
    cem = w.guest(w.link_of(ada), "Cem")
    w.until(lambda: len(ada.of(ev.Knocked)) == 2)
    w.do(ada, ev.HandOver(1))
    w.until(lambda: bool(bo.of(ev.Knocked)), 30, "Cem knocks at Bo's card")
    w.do(bo, ev.Admit(bo.of(ev.Knocked)[0].knock))
    w.until(lambda: w.agreed([ada, bo, cem]))
    assert not cem.ended


# -- what is told ----------------------------------------------------------------------------------


def test_a_policy_that_changes_at_once_in_all_is_told_in_full() -> None:
    w = World(70)
    ada, bo, _ = w.meeting("Ada", "Bo", "Cem")
    stranger = bytes([7]) * 32

    def change(p):  # type: ignore[no-untyped-def]
        if p.title:
            return None
        return replace(
            p.with_host(stranger),
            mode=Mode.ASK,
            title="Elsewhere",
            servers=(PolicyServer("https://meet.example", stranger),),
        )

    ada.room.queue(PolicyIntent(change), w.now)
    w.until(lambda: len(changes(bo)) == 4)
    assert changes(bo) == [
        "\u201cAda\u201d made somebody who is not in the room a host.",
        "\u201cAda\u201d changed who comes in: a host is asked about everybody.",
        "\u201cAda\u201d named the meeting \u201cElsewhere\u201d.",
        "\u201cAda\u201d named the servers where the meeting can continue: https://meet.example",
    ]
    kinds = [(e.kind, e.leaf, e.mode) for e in bo.of(ev.PolicyChanged)]
    assert kinds == [
        ("host", None, None),
        ("mode", None, "ask"),
        ("title", None, None),
        ("servers", None, None),
    ]


def test_leaves_and_removals_are_told_apart() -> None:
    w = World(71)
    ada, bo, cem, dana = w.meeting("Ada", "Bo", "Cem", "Dana")
    w.do(bo, ev.Leave())
    w.until(lambda: w.agreed([ada, cem, dana]))
    w.do(ada, ev.Remove(2))
    w.until(lambda: w.agreed([ada, dana]))
    gone = [(e.removed[0].name, e.left, e.by) for e in dana.of(ev.Roster) if e.removed]
    assert gone == [("Bo", (1,), 0), ("Cem", (), 0)]


def test_powers_know_who_is_meant_when_it_is_done() -> None:
    """A role change is for the member at the leaf when it was decided, not for the next one there."""
    w = World(72)
    ada, bo, cem = two_hosts(w, "Cem")
    w.do(ada, ev.Undeputise(1))
    ada.room.feature(Roles).undeputise(1, w.now)  # twice: nothing is left to do the second time
    w.until(lambda: "no_host" in statuses(bo))
    w.run(2)
    assert not not_done(ada)
    assert changes(cem).count("\u201cAda\u201d took the host role from \u201cBo\u201d.") == 1
    assert not [i for i in ada.room._commits._intents if isinstance(i, AddIntent | PolicyIntent)]
