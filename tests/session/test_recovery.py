"""A crashed host comes back by the return key; a host lets it in, or any member without one (SNUG-9)."""

from __future__ import annotations

import pytest

from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.kernel.intents import HostReturnIntent, MembersRequest
from snugroom.crypto import mls
from snugroom.crypto.agreed.room_state import HostReturn, host_return_message
from snugroom.crypto.entry import recovery
from snugroom.crypto.entry.invite import HostKeys, HostSeed
from snugroom.crypto.entry.recovery import HostRecoveryData
from snugroom.crypto.errors import AuthenticationError, MalformedError, ValidationError
from snugroom.crypto.kdf import H, SigningKey
from snugroom.lab.simulation.world import Participant, World, seeded
from snugroom.wire import messages as wire
from snugroom.wire.limits import BUCKETS
from tests.session.test_failures import two_hosts


def come_back(w: World, kept: HostRecoveryData) -> Participant:
    session = Session.rejoin_as_host(kept, now=w.now, rng=seeded(w.random.getrandbits(32)))
    return w.add(f"{kept.name} again", session)


def crashed(w: World, *others: str) -> tuple[HostRecoveryData, list[Participant]]:
    """A meeting whose only host dies. Returns the host's recovery data and the others."""
    host, *people = w.meeting("Ada", *others)
    kept = host.session.kept()
    assert kept is not None
    w.kill(host)
    w.run(20)
    return HostRecoveryData.decode(kept.encode()), people


def test_a_host_comes_back_and_is_host_again() -> None:
    w = World(300)
    kept, people = crashed(w, "Bo", "Cem")
    ada = come_back(w, kept)
    w.until(lambda: w.agreed([ada, *people]), 30)
    assert ada.roster == people[0].roster
    assert sorted(ada.roster) == ["Ada", "Bo", "Cem"], "in place of the leaf that it had"
    assert ada.session._room is not None
    assert ada.session._room.membership.is_host(ada.session._room.membership.own_leaf)
    w.do(ada, ev.Say("here again"))
    w.until(lambda: all(("Ada", "here again") in p.said for p in people))
    # with all its powers: lets somebody in, and removes somebody
    dana = w.guest(w.link_of(ada), "Dana")
    w.until(lambda: w.agreed([ada, *people, dana]), 20)
    cem = next(leaf for leaf, name, _ in ada.room.membership.members() if name == "Cem")
    w.do(ada, ev.Remove(cem))
    w.until(lambda: w.agreed([ada, people[0], dana]), 10)
    # and the members have left the lobby
    w.until(lambda: people[0].session._readmission.members is None, 10)


def test_it_comes_back_to_a_server_that_has_restarted_meanwhile() -> None:
    w = World(301)
    kept, people = crashed(w, "Bo", "Cem")
    w.kill_server()
    w.run(2)
    w.start_server()
    w.run(5)
    ada = come_back(w, kept)
    w.until(lambda: w.agreed([ada, *people]), 40)


def test_it_comes_back_twice() -> None:
    w = World(302)
    kept, people = crashed(w, "Bo")
    again = come_back(w, kept)
    w.until(lambda: w.agreed([again, *people]), 30)
    w.kill(again)
    w.run(20)
    third = come_back(w, kept)
    w.until(lambda: w.agreed([third, *people]), 30)


def test_one_member_alone_lets_it_in_when_the_first_in_rank_is_gone() -> None:
    w = World(303)
    kept, people = crashed(w, "Bo", "Cem", "Dana")
    w.kill(people[0])
    ada = come_back(w, kept)
    left = [ada, *people[1:]]
    w.until(
        lambda: len({p.code for p in left}) == 1 and sorted(ada.roster) == ["Ada", "Bo", "Cem", "Dana"], 40
    )


def test_a_removed_host_does_not_come_back_by_the_seed() -> None:
    """Nobody can make a removed host forget the seed: the removal voids it, before the keys have changed."""
    w = World(304)
    ada, bo, cem = two_hosts(w, "Cem")
    kept = bo.session.kept()
    assert kept is not None
    w.do(ada, ev.Remove(bo.room.membership.own_leaf))
    w.until(lambda: cem.roster == ["Ada", "Cem"])
    w.kill(ada)
    assert cem.room.membership.ledger.rotation_due
    w.run(20)
    back = come_back(w, kept)
    w.run(30)
    assert back.roster == []
    assert cem.roster == ["Ada", "Cem"]


def test_a_member_cannot_make_a_return_up() -> None:
    w = World(305)
    kept, (bo, cem) = crashed(w, "Bo", "Cem")
    mallory = HostSeed.from_random(w.rng)
    forged = HostRecoveryData(
        HostKeys((mallory,)), kept.door_seed, kept.secret, kept.group_id, kept.origin, "Ada"
    )
    back = come_back(w, forged)
    w.run(30)
    assert back.roster == []
    # nor by committing one itself, over what it has signed
    package = mls.create_key_package  # a member's own program would refuse to stage it
    assert package is not None
    bundle = back.session._me.package(w.now, SigningKey.generate())
    slot = bo.room.membership.journal.slot
    signature = mallory.return_key.sign(host_return_message(kept.group_id, H(bundle.encoded), slot))
    verified = mls.KeyPackageIn.decode(bundle.encoded).verify(bo.room.membership.group.suite, now=int(w.now))
    with pytest.raises(ValidationError, match="current return key"):
        bo.room.membership.stage(
            HostReturnIntent(MembersRequest(1), verified, HostReturn(slot, signature), "Ada")
        )
    assert cem.roster == ["Ada", "Bo", "Cem"]


def test_members_stay_out_of_the_lobby_while_a_host_is_heard() -> None:
    w = World(306)
    people = w.meeting("Ada", "Bo", "Cem")
    w.run(30)
    assert all(p.session._readmission.members is None for p in people)


def test_messages_about_a_return_are_readable_only_by_members() -> None:
    w = World(307)
    posted: list[bytes] = []

    def listen(who: Participant, message: object) -> bool:
        if isinstance(message, wire.Posted):
            posted.append(message.blob)
        return True

    w.down_filter = listen
    kept, people = crashed(w, "Bo")
    posted.clear()
    ada = come_back(w, kept)
    w.until(lambda: w.agreed([ada, *people]), 30)
    assert posted
    assert {len(blob) for blob in posted} <= set(BUCKETS)
    key = recovery.recovery_key(kept.door_seed)
    said = recovery.seal(key, recovery.HelperQuery(bytes(16)), rng=w.rng)
    assert recovery.open(key, said) == recovery.HelperQuery(bytes(16))
    with pytest.raises(AuthenticationError):
        recovery.open(recovery.recovery_key(bytes(32)), said)


def test_a_hosts_recovery_data_round_trips_and_nothing_else_decodes() -> None:
    seed = HostSeed(bytes(range(32)))
    keys = HostKeys((seed, HostSeed(bytes(32))))
    kept = HostRecoveryData(keys, bytes(32), bytes(16), bytes(16), "https://meet.example", "Ada")
    raw = kept.encode()
    assert HostRecoveryData.decode(raw) == kept
    for bad in (b"", raw[:-1], raw + b"\0", b"\2" + raw[1:]):
        with pytest.raises(MalformedError):
            HostRecoveryData.decode(bad)
    assert seed.seed.hex() not in repr(kept)


def test_a_member_out_of_step_is_let_in_where_no_host_is() -> None:
    w = World(308)
    _, people = crashed(w, "Bo", "Cem", "Dana")
    bo, cem, dana = people
    cem.room.needs_rejoin = True
    w.do(cem, ev.Tick())
    w.until(lambda: cem.session._guest is None and not cem.room.needs_rejoin, 30)
    w.until(lambda: len({p.code for p in people}) == 1)
    w.do(cem, ev.Say("here again"))
    w.run(3)
    w.until(lambda: "stale" in cem.alarms, 65)
    assert bo.said == dana.said == [], (
        "no host has answered: this could be a room of somebody who was evicted"
    )
    w.do(cem, ev.Override())
    w.until(lambda: ("Cem", "here again") in bo.said and ("Cem", "here again") in dana.said)


def test_a_rejoin_that_host_and_members_hear_of_takes_place_once() -> None:
    w = World(309)
    ada, bo, cem = people = w.meeting("Ada", "Bo", "Cem")
    w.run(20)
    # to Bo the host is silent, so Bo stands in the lobby; to Cem it answers
    w.down_filter = lambda who, message: not (who is bo and isinstance(message, wire.Broadcasted))
    w.until(lambda: bo.session._readmission.members is not None, 40)
    slot = ada.room.membership.journal.slot
    cem.room.needs_rejoin = True
    w.do(cem, ev.Tick())
    w.until(lambda: cem.session._guest is None and not cem.room.needs_rejoin, 30)
    w.run(10)
    w.until(lambda: w.agreed(people), 10)
    rejoins = [r for r in ada.room.membership.ledger.rejoins if r.slot > slot]
    assert len(rejoins) == 1
    assert cem.ended is None


def test_a_former_member_is_not_let_in_by_a_rejoin() -> None:
    w = World(310)
    ada, bo, cem = w.meeting("Ada", "Bo", "Cem")
    gone = cem.room
    w.do(ada, ev.Remove(gone.membership.own_leaf))
    w.until(lambda: w.agreed([ada, bo]))
    w.kill(ada)
    w.until(lambda: bo.session._readmission.members is not None, 40)
    gone.ended, cem.session._ended, gone.needs_rejoin = None, None, True
    again = w.add("Cem again", cem.session)
    w.run(30)
    assert again.session._guest is not None
    assert bo.roster == ["Ada", "Bo"]


def test_a_host_comes_back_while_another_is_there() -> None:
    w = World(311)
    ada, bo, cem = two_hosts(w, "Cem")
    kept = ada.session.kept()
    assert kept is not None
    w.kill(ada)
    w.run(5)
    again = come_back(w, kept)
    w.until(lambda: bool(bo.of(ev.Knocked)), 20)
    assert again.roster == []
    w.do(bo, ev.Admit(bo.of(ev.Knocked)[-1].knock))
    w.until(lambda: w.agreed([again, bo, cem]), 20)
    assert again.room.membership.is_host(again.room.membership.own_leaf)
    assert bo.room.membership.is_host(bo.room.membership.own_leaf)
    dana = w.guest(w.link_of(again), "Dana")
    w.until(lambda: w.agreed([again, bo, cem, dana]), 20)
