"""STUN: the cost of connectivity checks from one peer, or from strangers."""

from __future__ import annotations

from snugroom.server.sfu.io.ice import CHECK_BURST, CHECK_RATE, MOVE_BURST
from snugroom.wire import stun
from tests.media_server.conftest import Rig
from tests.media_server.peer import Peer, rtp
from tests.media_server.test_ice_lite import agent
from tests.wire.test_stun import ADA, nominating, request


def test_so_many_checks_are_answered_and_the_rest_counted() -> None:
    ice, check = agent(), stun.parse_request(nominating())
    answered = sum(ice.check(check, ADA, 100, 100.0 + i / 5000) is not None for i in range(5000))
    assert CHECK_BURST <= answered <= CHECK_BURST + CHECK_RATE
    assert ice.refused == 5000 - answered
    # and then, as if nothing had been
    assert ice.check(check, ADA, 100, 102.0) is not None
    assert ice.consent_at == 102.0


def test_only_the_peer_itself_can_use_up_its_checks() -> None:
    ice, forged = agent(), stun.parse_request(request(password="q" * 24))
    assert all(ice.check(forged, ADA, 100, 100.0) is None for _ in range(1000))
    assert ice.refused == 0
    assert ice.check(stun.parse_request(request()), ADA, 100, 100.0) is not None


def test_so_many_addresses_in_so_much_time() -> None:
    """Each new one has the server look through all that it knows by address."""
    ice, check = agent(), stun.parse_request(request())
    good = [ice.check(check, ("192.0.2.1", 4000 + i), 100, 100.0) for i in range(100)]
    assert sum(answer is not None for answer in good) == MOVE_BURST
    # the one in use is heard all the same, and a phone that moves a little later is found
    assert ice.check(check, ("192.0.2.1", 4000), 100, 100.0) is not None
    moved = ice.check(stun.parse_request(nominating()), ("192.0.2.9", 5), 100, 105.0)
    assert moved is not None
    assert moved.selected


def test_going_to_and_fro_is_moving() -> None:
    ice, check = agent(), stun.parse_request(nominating())
    places = (("192.0.2.1", 1), ("192.0.2.1", 2))
    answers = [ice.check(check, places[i % 2], 100, 100.0) for i in range(100)]
    assert sum(answer is not None and answer.selected for answer in answers) == MOVE_BURST


async def test_a_flood_of_right_checks_from_two_places(rig: Rig) -> None:
    ada = await rig.join((1, "video"))
    bob = await rig.join()
    eve = await rig.join()
    elsewhere = Peer()
    rig.peers.append(elsewhere)
    elsewhere.transport, elsewhere.ufrag, elsewhere.password = eve.transport, eve.ufrag, eve.password
    check = eve.request()
    for number in range(1, 41):
        for _ in range(25):
            eve.send(check)
            elsewhere.send(check)
        ada.send_rtp(rtp(1, number))
        await bob.until(lambda: len(bob.rtp) == number)
    # each move has the server plan anew whom it sends to
    assert rig.totals("moved") <= MOVE_BURST + 2
    assert rig.totals("refused_checks") > 1500
    # she is connected all the same
    assert rig.totals("peers_ready") == 3


async def test_checks_for_nobody_and_with_a_wrong_password(rig: Rig) -> None:
    ada = await rig.join((1, "video"))
    bob = await rig.join()
    stranger = rig.peer()
    stranger.transport, stranger.ufrag = bob.transport, bob.ufrag
    floods = [stranger.request(password="x" * 24), stranger.request(USERNAME="nobody:nobody")]
    for number in range(1, 21):
        for _ in range(20):
            for flood in floods:
                stranger.send(flood)
        ada.send_rtp(rtp(1, number))
        await bob.until(lambda: len(bob.rtp) == number)
    assert stranger.raw == []
    assert rig.totals("strangers") + rig.totals("unanswered") >= 400
    assert rig.totals("refused_checks") == 0
    await bob.check(bob.transport)  # type: ignore[arg-type]  # it has connected
