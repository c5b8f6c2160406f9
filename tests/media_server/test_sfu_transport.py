"""Peers over real sockets through a real SFU: ICE and DTLS."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from snugroom.server.sfu.io.dtls import FLIGHTS_MAX
from snugroom.server.sfu.sfu import MediaLimits
from tests.media_server.conftest import ROOM, Clock, Rig, StartRig, until
from tests.media_server.peer import CERTIFICATE, OTHER_CERTIFICATE, Peer, rtp

# -- ICE ---------------------------------------------------------------------------------------


async def test_strangers_get_no_answer(rig: Rig) -> None:
    ada = await rig.join((1, "video"))
    eve = rig.peer()
    eve.transport = rig.sfu.join(ROOM, rig.handle(eve), eve.media)
    eve.send(eve.request(password="x" * 24))
    eve.send(eve.request(USERNAME="nobody:nobody"))
    eve.send(eve.request(USERNAME=f"{eve.transport.ufrag}:else"))
    eve.hello()
    eve.send(bytes(range(128, 228)))
    eve.send(b"\xff" * 40)
    eve.send(b"")
    await until(lambda: rig.totals("strangers") >= 5)
    assert rig.sfu.totals()["peers_ready"] == 1
    assert rig.sfu._links[ROOM, rig.handle(eve)].dtls is None
    assert eve.raw == []
    del ada


async def test_role_conflicts(rig: Rig) -> None:
    ada = rig.peer()
    transport = rig.sfu.join(ROOM, rig.handle(ada), ada.media)
    answer = await ada.check(transport, ICE_CONTROLLING=None, ICE_CONTROLLED=3)
    assert answer.error_code == 487
    ada.hello()
    await until(lambda: rig.totals("strangers") == 1)


async def test_a_peer_moves_to_another_address(rig: Rig) -> None:
    ada = await rig.join((1, "video"))
    bob = await rig.join((2, "video"))
    moved = Peer()
    rig.peers.append(moved)
    # bob's network gives him another port: same credentials, same DTLS
    moved.take_over(bob)
    assert bob.transport is not None
    await moved.check(bob.transport)
    ada.send_rtp(rtp(1, 1))
    await moved.until(lambda: bool(moved.rtp))
    moved.send_rtp(rtp(2, 1))
    await ada.until(lambda: bool(ada.rtp))
    assert bob.rtp == []
    assert rig.totals("moved") == 1


async def test_an_ice_restart_keeps_the_keys(rig: Rig) -> None:
    ada = await rig.join((1, "video"))
    bob = await rig.join()
    old = bob.transport
    assert old is not None
    bob.ufrag, bob.password = "restarted", "p" * 24
    bob.media = msgspec.structs.replace(bob.media, ufrag=bob.ufrag, password=bob.password)
    new = rig.sfu.join(ROOM, rig.handle(bob), bob.media)
    assert (new.ufrag, new.password) != (old.ufrag, old.password)
    ada.send_rtp(rtp(1, 1))  # meanwhile the old path goes on
    await bob.until(lambda: len(bob.rtp) == 1)
    bob.send(bob.request())  # under the old server's name: nobody's
    await until(lambda: rig.totals("strangers") == 1)
    await bob.check(new)
    ada.send_rtp(rtp(1, 2))
    await bob.until(lambda: len(bob.rtp) == 2)


async def test_another_fingerprint_means_another_handshake(rig: Rig) -> None:
    ada = await rig.join((1, "video"))
    bob = await rig.join()
    again = rig.peer(certificate=OTHER_CERTIFICATE)
    transport = rig.sfu.join(ROOM, rig.handle(bob), again.media)
    ada.send_rtp(rtp(1, 1))
    await until(lambda: rig.totals("received") == 1)
    assert rig.totals("forwarded") == 0
    await again.connect(transport)
    ada.send_rtp(rtp(1, 2))
    await again.until(lambda: bool(again.rtp))
    assert (bob.rtp, again.rtp) == ([], [rtp(1, 2)])


async def test_an_address_in_use_cant_be_taken(start_rig: StartRig) -> None:
    """A member who forges the source of a check doesn't get another's packets."""
    clock = Clock()
    rig = await start_rig(MediaLimits(address_hold=10.0, idle=1e9), clock=clock)
    ada = await rig.join((1, "video"))
    eve = rig.peer((2, "video"))
    eve.transport = rig.sfu.join(ROOM, rig.handle(eve), eve.media)
    ada.send(eve.request())  # from ada's address, as if it were eve's
    await until(lambda: rig.totals("contested") == 1)
    bob = await rig.join()
    ada.send_rtp(rtp(1, 1))
    await bob.until(lambda: bool(bob.rtp))
    # ada is long gone, and her address is another's now
    clock.now += 11.0
    ada.send(eve.request())
    await until(lambda: rig.totals("peers_ready") == 1)
    ada.send_rtp(rtp(1, 2))
    await until(lambda: rig.totals("strangers") == 1)


async def test_silent_peers_are_dropped_and_may_come_back(start_rig: StartRig) -> None:
    clock = Clock()
    rig = await start_rig(MediaLimits(idle=30.0, report_interval=1e9), clock=clock)
    ada = await rig.join((1, "video"))
    bob = await rig.join()
    assert ada.transport is not None
    assert bob.transport is not None
    clock.now += 20.0
    await ada.check(ada.transport)
    await ada.until(lambda: ada.asked == 2)  # the server asks for consent too
    clock.now += 11.0  # bob was heard 31 s ago
    await until(lambda: rig.totals("silent") == 1)
    before = len(bob.raw)
    ada.send_rtp(rtp(1, 1))
    await until(lambda: rig.totals("received") == 1)
    assert rig.totals("forwarded") == 0
    bob.send_session = bob.receive_session = None
    await bob.connect(bob.transport)
    ada.send_rtp(rtp(1, 2))
    await bob.until(lambda: bool(bob.rtp))
    assert len(bob.raw) > before


# -- DTLS --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"certificate": OTHER_CERTIFICATE, "claims": CERTIFICATE},
        {"shows_certificate": False},
        {"profiles": b"SRTP_AES128_CM_SHA1_32"},
    ],
)
async def test_a_peer_that_cannot_prove_itself_gets_no_keys(
    start_rig: StartRig, options: dict[str, Any]
) -> None:
    rig = await start_rig(MediaLimits(handshake_tries=2))
    eve = rig.peer(**options)
    transport = rig.sfu.join(ROOM, rig.handle(eve), eve.media)
    await eve.check(transport)
    for tries in (1, 2):
        eve.hello()
        await until(lambda tries=tries: rig.totals("handshakes_failed") == tries)
    link = rig.sfu._links[ROOM, rig.handle(eve)]
    assert (link.dtls, link.inbound, link.outbound) == (None, None, None)
    garbage = rig.totals("garbage")
    eve.hello()  # the tries are used up
    await until(lambda: rig.totals("garbage") > garbage)
    assert link.dtls is None


async def test_a_handshake_survives_loss(rig: Rig) -> None:
    """The server's flights are repeated by its timer, and by OpenSSL when the client repeats its last."""
    bob = rig.peer()
    transport = rig.sfu.join(ROOM, rig.handle(bob), bob.media)
    await bob.check(transport)
    dropped = 0

    def drop(datagram: bytes) -> bool:
        nonlocal dropped
        dropped += 19 < datagram[0] < 64 and dropped < 2
        return 19 < datagram[0] < 64 and dropped <= 1

    bob.drop = drop
    bob.hello()
    await bob.until(lambda: bob.send_session is not None)


async def test_a_handshake_has_little_time(start_rig: StartRig) -> None:
    clock = Clock()
    rig = await start_rig(MediaLimits(handshake_time=10.0, idle=1e9), clock=clock)
    eve = rig.peer()
    transport = rig.sfu.join(ROOM, rig.handle(eve), eve.media)
    await eve.check(transport)
    eve.drop = lambda d: d[0] > 19
    eve.hello()
    link = rig.sfu._links[ROOM, rig.handle(eve)]
    await until(lambda: link.dtls is not None)
    clock.now += 9.9
    rig.sfu._transports.tick(clock.now)
    assert link.dtls is not None
    clock.now += 0.2
    await until(lambda: link.dtls is None)
    assert rig.totals("handshakes_failed") == 1


async def test_a_handshake_has_few_bytes(start_rig: StartRig) -> None:
    rig = await start_rig(MediaLimits(handshake_bytes=400))
    eve = rig.peer()
    await eve.check(rig.sfu.join(ROOM, rig.handle(eve), eve.media))
    eve.hello()
    await until(lambda: rig.totals("handshakes_failed") == 1)


async def test_both_sides_may_say_goodbye(rig: Rig) -> None:
    ada = await rig.join((1, "video"))
    bob = await rig.join()
    assert bob.ssl is not None
    bob.ssl.shutdown()
    bob.flush()
    await until(lambda: rig.totals("peers_ready") == 1)
    before = len(ada.raw)
    rig.sfu.leave(ROOM, rig.handle(ada))
    await ada.until(lambda: any(19 < d[0] < 64 for d in ada.raw[before:]))


async def test_application_data_and_old_flights_are_ignored(rig: Rig) -> None:
    ada = await rig.join((1, "video"))
    bob = await rig.join()
    assert bob.ssl is not None
    for _ in range(5):
        bob.ssl.send(b"not for you")
        bob.flush()
    bob.send(b"\x16\xfe\xfd" + bytes(8) + b"\0\x0c\1" + bytes(11))
    ada.send_rtp(rtp(1, 1))
    await bob.until(lambda: bool(bob.rtp))


async def test_a_handshake_has_few_flights(rig: Rig) -> None:
    """Nobody gets more than a few flights for something that is sent again and again."""
    bob = await rig.join()
    association = rig.sfu._links[ROOM, rig.handle(bob)].dtls
    assert association is not None
    assert bob.ssl is not None
    before = sum(19 < datagram[0] < 64 for datagram in bob.raw)
    real = association._outgoing
    association._outgoing = lambda: real() or [bytes([22]) * 100]  # type: ignore[method-assign]
    for _ in range(30):
        bob.ssl.send(b"again")
        bob.flush()
    await until(lambda: rig.totals("withheld") >= 20)
    flights = sum(19 < datagram[0] < 64 for datagram in bob.raw) - before
    assert 1 <= flights <= FLIGHTS_MAX - 2
