"""A holder of the link, or a former member, does no lasting harm to people in a lobby."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.entry.lobby_connections import WAITING_MAX, LobbyConnections
from snugroom.client.session.kernel.me import Me
from snugroom.client.session.kernel.membership import SUITE
from snugroom.crypto import mls
from snugroom.crypto.agreed.room_state import (
    POLICY_EXTENSION,
    REJOIN_EXTENSION,
    REJOIN_KEY_EXTENSION,
    Identity,
    RejoinTicket,
)
from snugroom.crypto.entry import lobby, recovery
from snugroom.crypto.entry.invite import day_of
from snugroom.lab.simulation.dishonest import package_with
from snugroom.lab.simulation.world import ORIGIN, START, Participant, World, seeded
from snugroom.wire import messages as wire
from tests.session.hosts import card_of
from tests.session.test_recovery import crashed


def package_of(
    me: Me,
    now: float,
    *,
    credential: mls.Credential | None = None,
    ticket: bytes | None = None,
) -> mls.KeyPackageBundle:
    """A correctly signed KeyPackage that no honest program would make."""
    credential = credential or mls.Credential.basic(Identity(me.name).encode())
    return mls.create_key_package(
        SUITE,
        signature_private=me.private,
        credential=credential,
        capabilities=mls.Capabilities(
            extensions=(POLICY_EXTENSION, REJOIN_EXTENSION, REJOIN_KEY_EXTENSION),
            credentials=(credential.credential_type,),
        ),
        lifetime=mls.Lifetime(int(now) - 60, int(now) + 3600),
        extensions=() if ticket is None else (mls.Extension(REJOIN_EXTENSION, ticket),),
        rng=me.rng,
    )


def knocker(w: World, link: str, name: str, make: Callable[[Me, float], mls.KeyPackageBundle]) -> Participant:
    """A holder of the link knocks with a KeyPackage that no program makes."""
    rng = seeded(w.random.getrandbits(32))
    session = Session.join(link, name=name, now=w.now, rng=rng)
    assert session._guest is not None
    session._guest._make_package = lambda now: make(session._me, now)
    return w.add(name, session)


@pytest.mark.parametrize(
    "credential",
    [
        mls.Credential.basic(b"\x00\xff\xfe"),
        mls.Credential.basic(b""),
        mls.Credential(credential_type=mls.CredentialType.X509, certificates=(b"x",)),
    ],
)
def test_a_name_that_is_none_costs_a_host_one_check(credential: mls.Credential) -> None:
    w = World(400)
    ada, bo = w.meeting("Ada", "Bo")
    knocker(w, w.link_of(ada), "Mallory", lambda me, now: package_of(me, now, credential=credential))
    w.run(10)
    assert ada.of(ev.Knocked) == ada.of(ev.Knocked)[:1], "Bo's alone"
    cem = w.guest(w.link_of(ada), "Cem")
    w.until(lambda: w.agreed([ada, bo, cem]))


def test_a_member_whose_new_name_is_none_costs_those_in_the_lobby_one_check() -> None:
    w = World(401)
    _, (bo, cem) = crashed(w, "Bo", "Cem")
    w.until(lambda: bo.session._readmission.members is not None)
    helper = bo.session._readmission._helper
    assert helper is not None
    me, m = cem.session._me, cem.room.membership
    ticket = RejoinTicket(m.group.group_id, m.journal.slot, m.journal.chain, bytes(16), by=1).encode()
    bundle = package_of(me, w.now, credential=mls.Credential.basic(b"\x00\xff\xfe"), ticket=ticket)
    ask(w, bo, cem, recovery.RejoinRequest(bytes(range(32)), bundle.encoded))
    w.run(5)
    assert not helper._asked
    assert bo.roster == cem.roster == ["Ada", "Bo", "Cem"]


def ask(w: World, bo: Participant, by: Participant, *messages: recovery.Message) -> None:
    """Feed messages to a member in the lobby, as if they had been posted there."""
    key = recovery.recovery_key(by.room.door_key.seed)
    day = day_of(w.now)
    envelope_key = bo.session._readmission.members._envelope_keys[day]  # type: ignore[union-attr]
    for message in messages:
        blob = lobby.post(envelope_key, recovery.seal(key, message, rng=w.rng), rng=w.rng)
        w._feed(bo, ev.Received(ev.Endpoint(day), wire.Posted(bytes(8), blob)))


def test_a_member_that_floods_those_in_the_lobby_does_not_push_out_a_host() -> None:
    w = World(402)
    kept, (bo, cem) = crashed(w, "Bo", "Cem")
    w.until(lambda: bo.session._readmission.members is not None)
    helper = bo.session._readmission._helper
    assert helper is not None
    m = cem.room.membership
    host, _ = recovery.make_host_return_request(
        kept.host_keys.current,
        kept.group_id,
        m.journal.slot,
        package_of(Me("Ada", w.rng), w.now).encoded,
        rng=w.rng,
    )
    flood = []
    for n in range(40):
        ticket = RejoinTicket(
            m.group.group_id, m.journal.slot, m.journal.chain, bytes([n]) * 16, by=bo.room.membership.own_leaf
        )
        flood.append(recovery.RejoinRequest(bytes(range(32)), package_with(cem, ticket, w.now).encoded))
    ask(w, bo, cem, host, *flood)
    assert host in [asked.asked for asked in helper._asked.values()]
    decidable = [number for number in helper._asked if helper.is_host(number)]
    assert len(decidable) == 1, "no person decides about a member's request"
    assert len(helper._asked) <= 4, "one member's requests are few"


def test_rejoins_of_nobody_are_not_kept_and_alarm_nobody() -> None:
    w = World(403)
    ada, _ = w.meeting("Ada", "Bo")
    made = iter(range(1000))

    def garbage(me: Me, now: float) -> mls.KeyPackageBundle:
        n = next(made)
        ticket = RejoinTicket(bytes(16), 1, bytes(32), n.to_bytes(16, "big")).encode()
        return package_of(Me("Bo", w.rng), now, ticket=ticket if n % 2 else b"no ticket")

    for n in range(6):
        knocker(w, w.link_of(ada), f"Mallory {'abcdef'[n]}", garbage)
    w.run(20)
    assert next(made) >= 6
    assert ada.session._host is not None
    assert ada.session._host._asked == ada.session._host._rejoining == {}
    assert ada.alarms == []


def test_a_members_rejoins_that_wait_are_few() -> None:
    w = World(404)
    ada, bo = w.meeting("Ada", "Bo")
    host, m = ada.session._host, bo.room.membership
    assert host is not None
    wanted = []
    for n in range(40):
        ticket = RejoinTicket(m.group.group_id, m.journal.slot, m.journal.chain, bytes([n]) * 16)
        bundle = package_with(bo, ticket, w.now)
        day = day_of(w.now)
        knock, _ = lobby.knock(
            bo.session._invites.own, card_of(ada, w.now), bundle.encoded, "Bo", "", rng=w.rng
        )
        wanted.append(host._knocked(day, knock, bytes(8), ada.room, w.now))
    assert len(host._rejoining) <= 2
    assert len(wanted) - wanted.count(None) <= 2


def test_the_queue_of_posts_is_bounded() -> None:
    secret, day = bytes(16), day_of(START)
    connections = LobbyConnections(secret, (ORIGIN,), [], seeded(1))
    connections.stay_in({day}, START)
    entered = wire.Entered(bytes(8), bytes(8))
    connections.received(day, entered)
    for n in range(10 * WAITING_MAX):
        connections.post(day, lobby.RecoveryMessage(n.to_bytes(32, "big")))
    assert len(connections._waiting) <= WAITING_MAX


def test_an_answer_that_is_asked_for_again_and_again_crowds_out_no_other() -> None:
    day = day_of(START)
    effects: list[ev.Effect] = []
    connections = LobbyConnections(bytes(16), (ORIGIN,), effects, seeded(1))
    connections.stay_in({day}, START)
    connections.received(day, wire.Entered(bytes(8), bytes(8)))
    again, other = lobby.Reply(bytes(8), bytes(64)), lobby.Reply(bytes(8), bytes(65))
    for _ in range(100):
        connections.post(day, again)
    connections.post(day, other)
    for _ in range(10 * WAITING_MAX):
        connections.post(day, again)
    assert [waiting.message for waiting in connections._waiting] == [again, other]


def test_a_knock_that_opens_by_no_card_costs_its_checks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server can repeat any knock, at any rate."""
    w = World(407)
    ada, _ = w.meeting("Ada", "Bo")
    opened = 0
    real = lobby.open_knock

    def count(*args: object) -> lobby.OpenedKnock:
        nonlocal opened
        opened += 1
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(lobby, "open_knock", count)
    host, day = ada.session._host, day_of(w.now)
    assert host is not None
    knocks = [lobby.Knock(w.rng(32), w.rng(1900)) for _ in range(10)]
    for knock in knocks * 5:
        assert host._knocked(day, knock, bytes(8), ada.room, w.now) is None
    assert opened == 10 * len(host._cards.secrets) == 10
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: dana.session.inside, 5, why="nobody else is kept out")
