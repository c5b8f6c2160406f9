"""Hub, lobby, rate limits and signed texts: in memory, time as an argument."""

from __future__ import annotations

from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from snugroom.server.config import Settings
from snugroom.server.rate import TokenBucket
from snugroom.server.rooms.effects import Drop, Effect, Forget, Send
from snugroom.server.rooms.hub import Hub
from snugroom.server.rooms.lobby import Lobby
from snugroom.server.rooms.rate_limits import RateLimits
from snugroom.wire import limits, signed
from snugroom.wire.errors import MalformedError
from snugroom.wire.messages import (
    Arrived,
    Challenge,
    ClientMessage,
    Committed,
    Entered,
    Message,
    Opened,
    Post,
    Posted,
    Refused,
    Rekey,
    Rekeyed,
    Relay,
    Shown,
)
from tests.server.people import (
    DOOR,
    NUMBER,
    ROOM_ADMIN,
    SERVER,
    ZERO,
    blob,
    hosts_commit,
    lobby_door,
    opening,
    rekeying,
    room_door,
    seeded,
    show,
    sign,
)

A, B, C = b"aaaaaaaa", b"bbbbbbbb", b"cccccccc"
ORIGIN = "http://snug.test"


def refusals(effects: list[Effect]) -> list[tuple[bytes, str]]:
    found = []
    for effect in effects:
        message: Message = effect.message if isinstance(effect, Send) else Entered(b"", b"")
        if isinstance(effect, Drop):
            message = effect.last
        if isinstance(message, Refused):
            found.append((effect.handle if isinstance(effect, Send | Drop) else b"", message.code))
    return found


# -- lobby -------------------------------------------------------------------------------------------


def test_a_post_goes_to_everybody_else_and_nobody_is_listed() -> None:
    lobby = Lobby(Settings())
    for who in (A, B, C):
        assert lobby.arrive(who, b"incarnat", 0.0) == [Send(who, Entered(who, b"incarnat"))]
    posted = Posted(B, blob("call"))
    assert lobby.handle(B, Post(None, blob("call")), 0.0) == [Send(A, posted), Send(C, posted)]
    assert lobby.leave(C) == []
    assert lobby.handle(B, Post(None, blob("call")), 0.0) == [Send(A, posted)]


def test_a_post_to_one_connection_goes_to_no_other() -> None:
    lobby = Lobby(Settings())
    for who in (A, B, C):
        lobby.arrive(who, b"incarnat", 0.0)
    answer = blob("answer", limits.LOBBY_BLOB_MAX)
    assert lobby.handle(A, Post([C], answer), 0.0) == [Send(C, Posted(A, answer))]
    lobby.leave(C)
    assert lobby.handle(A, Post([C], answer), 0.0) == []
    assert lobby.handle(A, Post([b"no such "], answer), 0.0) == []


def test_a_post_to_several_counts_for_each_of_them() -> None:
    lobby = Lobby(Settings(lobby_post_burst=5, lobby_posts_per_second=1))
    for who in (A, B, C):
        lobby.arrive(who, b"incarnat", 0.0)
    sent = [Send(B, Posted(A, blob("piece"))), Send(C, Posted(A, blob("piece")))]
    assert lobby.handle(A, Post([B, C], blob("piece")), 0.0) == sent
    # nobody gets a blob twice
    assert lobby.handle(A, Post([B, C, B, b"no such "], blob("piece")), 0.0) == sent
    assert refusals(lobby.handle(A, Post([B], blob("piece")), 0.0)) == [(A, "rate")]
    # a refused post costs nothing
    assert refusals(lobby.handle(A, Post([B, C], blob("piece")), 1.0)) == [(A, "rate")]
    assert lobby.handle(A, Post([C], blob("piece")), 1.0) == sent[1:]


def test_a_lobby_keeps_no_history() -> None:
    lobby = Lobby(Settings())
    lobby.arrive(A, b"incarnat", 0.0)
    lobby.handle(A, Post(None, blob("knock")), 0.0)
    assert lobby.arrive(B, b"incarnat", 0.0) == [Send(B, Entered(B, b"incarnat"))]


def test_a_lobby_has_a_size() -> None:
    lobby = Lobby(Settings(lobby_members=2))
    lobby.arrive(A, b"incarnat", 0.0)
    lobby.arrive(B, b"incarnat", 0.0)
    assert refusals(lobby.arrive(C, b"incarnat", 0.0)) == [(C, "full")]
    assert len(lobby) == 2


def test_a_lobby_has_space_for_all_knocks_that_a_host_keeps() -> None:
    settings = Settings()
    assert settings.lobby_members > 256
    assert settings.lobby_posts_per_second == 50


def test_posts_have_sizes_and_a_rate() -> None:
    lobby = Lobby(Settings(lobby_blob_bytes=4096, lobby_post_burst=3, lobby_posts_per_second=1))
    lobby.arrive(A, b"incarnat", 0.0)
    lobby.arrive(B, b"incarnat", 0.0)
    for size in (513, 8192, limits.ROOM_BLOB_MAX):
        assert refusals(lobby.handle(A, Post(None, bytes(size)), 0.0)) == [(A, "size")]
    for _ in range(3):
        assert lobby.handle(A, Post(None, bytes(4096)), 0.0) == [Send(B, Posted(A, bytes(4096)))]
    assert refusals(lobby.handle(A, Post([B], bytes(4096)), 0.5)) == [(A, "rate")]
    assert lobby.handle(B, Post(None, bytes(512)), 0.5) == [Send(A, Posted(B, bytes(512)))]
    assert refusals(lobby.handle(A, Post([B], bytes(4096)), 1.1)) == []


def test_posts_to_all_have_smaller_limits() -> None:
    lobby = Lobby(Settings(lobby_broadcast_burst=2, lobby_broadcasts_per_second=1))
    lobby.arrive(A, b"incarnat", 0.0)
    lobby.arrive(B, b"incarnat", 0.0)
    assert refusals(lobby.handle(A, Post(None, bytes(2 * limits.LOBBY_BROADCAST_MAX)), 0.0)) == [(A, "size")]
    for _ in range(2):
        assert refusals(lobby.handle(A, Post(None, bytes(limits.LOBBY_BROADCAST_MAX)), 0.0)) == []
    assert refusals(lobby.handle(A, Post(None, bytes(512)), 0.5)) == [(A, "rate")]
    assert refusals(lobby.handle(A, Post([B], bytes(512)), 0.5)) == []
    assert refusals(lobby.handle(A, Post(None, bytes(512)), 1.1)) == []


def test_a_room_message_has_no_place_in_a_lobby() -> None:
    lobby = Lobby(Settings())
    lobby.arrive(A, b"incarnat", 0.0)
    assert refusals(lobby.handle(A, Relay(blob("x")), 0.0)) == [(A, "state")]


# -- hub ---------------------------------------------------------------------------------------------


class HubHarness:
    """A hub, and who is connected to it."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.now = 0.0
        self.hub = Hub(
            settings or Settings(),
            origin=ORIGIN,
            server_key=bytes(SERVER.verify_key),
            incarnation=b"incarnat",
            sign=sign,
            rng=seeded(7),
        )

    def connect(self) -> tuple[bytes, bytes]:
        handle, challenge = self.hub.connect()
        assert challenge == Challenge(1, ORIGIN, challenge.nonce, bytes(SERVER.verify_key))
        return handle, challenge.nonce

    def say(self, handle: bytes, message: ClientMessage) -> list[Effect]:
        return self.hub.handle(handle, message, self.now)

    def in_room_effects(self) -> list[Effect]:
        handle, nonce = self.connect()
        return self.say(handle, room_door(ORIGIN, nonce))

    def in_room(self) -> tuple[bytes, bytes]:
        handle, nonce = self.connect()
        self.say(handle, room_door(ORIGIN, nonce))
        return handle, nonce


def test_a_right_door_leads_in() -> None:
    harness = HubHarness()
    handle, nonce = harness.connect()
    assert not harness.hub.inside(handle)
    assert harness.say(handle, room_door(ORIGIN, nonce)) == [Send(handle, Entered(handle, b"incarnat"))]
    assert harness.hub.inside(handle)
    other, nonce = harness.in_room()
    third, nonce = harness.connect()
    assert harness.say(third, lobby_door(ORIGIN, nonce)) == [Send(third, Entered(third, b"incarnat"))]
    assert Send(handle, Arrived(other)) not in harness.say(third, lobby_door(ORIGIN, nonce))
    assert harness.hub.lobby_sizes() == [1]


@pytest.mark.parametrize("door", [room_door, lobby_door])
@pytest.mark.parametrize("what", ["origin", "nonce", "key", "client nonce"])
def test_a_wrong_door_drops_the_connection(door: type, what: str) -> None:
    harness = HubHarness()
    handle, nonce = harness.connect()
    other, other_nonce = harness.connect()

    good = door(ORIGIN, nonce)
    forged = {
        "origin": door("http://else.test", nonce),
        "nonce": door(ORIGIN, other_nonce),
        "key": msgspec.structs.replace(good, signature=door(ORIGIN, nonce, SigningKey.generate()).signature),
        "client nonce": msgspec.structs.replace(good, nonce=bytes(32)),
    }[what]
    [drop] = harness.say(handle, forged)
    assert isinstance(drop, Drop)
    assert refusals([drop]) == [(handle, "door")]
    # one attempt a nonce
    assert harness.say(handle, good) == []
    assert not list(harness.hub.rooms())
    assert not harness.hub.lobby_sizes()
    assert not refusals(harness.say(other, door(ORIGIN, other_nonce)))


def test_another_room_admin_is_another_room() -> None:
    harness = HubHarness()
    first, nonce = harness.in_room()
    harness.say(first, opening())
    squatter = SigningKey(sha256(b"squatter").digest())
    second, nonce = harness.connect()
    [entered] = harness.say(second, room_door(ORIGIN, nonce, DOOR, squatter))
    assert isinstance(entered, Send)
    assert entered.message == Entered(second, b"incarnat", None, None, [])
    assert len(list(harness.hub.rooms())) == 2


def test_anything_but_a_door_drops_who_is_outside_and_a_second_door_is_refused() -> None:
    harness = HubHarness()
    handle, nonce = harness.connect()
    assert refusals(harness.say(handle, show(0))) == [(handle, "state")]
    handle, nonce = harness.in_room()
    assert refusals(harness.say(handle, room_door(ORIGIN, nonce))) == [(handle, "state")]
    assert harness.hub.inside(handle)


def test_rooms_and_lobbies_are_counted() -> None:
    harness = HubHarness(Settings(max_rooms=1, max_lobbies=1))
    harness.in_room()
    other_key = SigningKey(sha256(b"other").digest())
    for door in (room_door, lobby_door):
        if door is lobby_door:
            handle, nonce = harness.connect()
            harness.say(handle, lobby_door(ORIGIN, nonce))
        handle, nonce = harness.connect()
        assert refusals(harness.say(handle, door(ORIGIN, nonce, other_key))) == [(handle, "full")]
        handle, nonce = harness.connect()
        assert not refusals(harness.say(handle, door(ORIGIN, nonce)))


def test_an_empty_lobby_is_gone_at_once_and_an_empty_room_after_its_linger() -> None:
    harness = HubHarness(Settings(room_linger=30))
    handle, nonce = harness.connect()
    harness.say(handle, lobby_door(ORIGIN, nonce))
    harness.hub.leave(handle, 0.0)
    assert harness.hub.lobby_sizes() == []
    handle, nonce = harness.in_room()
    assert isinstance(harness.say(handle, opening())[0], Send)
    harness.hub.leave(harness.in_room()[0], 0.0)
    harness.hub.leave(handle, 0.0)
    assert harness.hub.leave(handle, 0.0) == []
    assert harness.hub.tick(29.0) == []
    assert len(list(harness.hub.rooms())) == 1
    [forget] = harness.hub.tick(31.0)
    assert isinstance(forget, Forget)
    assert list(harness.hub.rooms()) == []
    # what comes next is a new room
    harness.now = 32.0
    handle, nonce = harness.connect()
    [entered] = harness.say(handle, room_door(ORIGIN, nonce))
    assert isinstance(entered, Send)
    assert entered.message == Entered(handle, b"incarnat")


def test_the_hub_forgets_a_connection_that_a_room_dropped() -> None:
    harness = HubHarness(Settings(idle_time=60))
    handle, _ = harness.in_room()
    assert any(isinstance(e, Drop) for e in harness.hub.tick(61.0))
    assert not harness.hub.inside(handle)
    assert harness.say(handle, opening()) == []
    assert harness.hub.leave(handle, 62.0) == []
    assert not list(harness.hub.rooms())


def test_opening_reaches_who_waits() -> None:
    harness = HubHarness()
    first, _ = harness.in_room()
    second, _ = harness.in_room()
    effects = harness.say(second, opening())
    assert [(e.handle, type(e.message)) for e in effects if isinstance(e, Send)] == [
        (first, Opened),
        (second, Opened),
    ]


# -- rekey (G7) --------------------------------------------------------------------------------------

LATER = SigningKey(sha256(b"later room admin").digest())
LAST = SigningKey(sha256(b"last room admin").digest())


def number_of(room_admin: SigningKey) -> bytes:
    return signed.room_number(bytes(DOOR.verify_key), bytes(room_admin.verify_key))


def sent(effects: list[Effect], kind: type[Message]) -> list[bytes]:
    return [e.handle for e in effects if isinstance(e, Send) and isinstance(e.message, kind)]


def test_a_rekeyed_room_goes_on_under_another_number_and_obeys_the_new_key_alone() -> None:
    harness = HubHarness()
    first, nonce = harness.in_room()
    second, second_nonce = harness.in_room()
    harness.say(first, opening())
    harness.say(first, show(0))
    told = Rekeyed(bytes(LATER.verify_key))
    assert harness.say(first, rekeying(nonce, LATER)) == [Send(first, told), Send(second, told)]
    assert harness.hub.room_count == 1
    # the old key is refused, the new one obeyed, and what the server signs has the new number
    for old in (
        rekeying(nonce, LAST),
        opening(7),
        hosts_commit(1, ZERO),
        hosts_commit(1, ZERO, number=number_of(LATER)),
    ):
        assert refusals(harness.say(first, old)) == [(first, "signature")]
    taken = harness.say(first, hosts_commit(1, ZERO, key=LATER, number=number_of(LATER)))
    [committed] = [e for e in taken if isinstance(e, Send) and e.handle == first]
    assert isinstance(committed.message, Committed)
    assert committed.message.opening is not None
    assert harness.say(second, show(0)) == [Send(second, Shown(0))], "the slot closes the gate before it"
    message, digest = committed.message, sha256(committed.message.blob).digest()
    text = signed.SlotTaken(number_of(LATER), message.opening_id, 1, ZERO, digest).encode()
    SERVER.verify_key.verify(text, message.signature)
    assert harness.say(second, rekeying(second_nonce, LATER)) == [Send(second, told)], "said again"


def test_all_numbers_of_a_room_lead_to_it_while_it_lives() -> None:
    harness = HubHarness(Settings(room_linger=30))
    first, nonce = harness.in_room()
    harness.say(first, opening())
    harness.say(first, rekeying(nonce, LATER))
    harness.say(first, rekeying(nonce, LAST, LATER))
    last = Rekeyed(bytes(LAST.verify_key))
    for room_admin in (ROOM_ADMIN, LATER, LAST):
        handle, other = harness.connect()
        effects = harness.say(handle, room_door(ORIGIN, other, DOOR, room_admin))
        assert sent(effects, Entered) == [handle]
        assert (Send(handle, last) in effects) == (room_admin is not LAST), "it is told of the key"
    [facts] = harness.hub.rooms()
    assert len(facts.handles) == 4
    assert facts.numbers == (NUMBER, number_of(LATER), number_of(LAST))
    for handle in facts.handles:
        harness.hub.leave(handle, 0.0)
    assert [type(e) for e in harness.hub.tick(31.0)] == [Forget]
    assert harness.hub.room_count == 0
    handle, other = harness.connect()
    [entered] = harness.say(handle, room_door(ORIGIN, other, DOOR, LATER))
    assert isinstance(entered, Send)
    assert entered.message == Entered(handle, b"incarnat"), "a number of before is another room"


def test_a_room_is_rekeyed_for_its_own_door_alone() -> None:
    harness = HubHarness()
    first, nonce = harness.in_room()
    harness.say(first, opening())
    other = bytes(SigningKey(sha256(b"another door").digest()).verify_key)
    number = signed.room_number(other, bytes(LATER.verify_key))
    signature = ROOM_ADMIN.sign(signed.Rekey(number, nonce).encode()).signature
    effects = harness.say(first, Rekey(other, bytes(LATER.verify_key), signature))
    assert refusals(effects) == [(first, "signature")]


def test_who_was_early_at_the_new_number_connects_again() -> None:
    harness = HubHarness()
    first, nonce = harness.in_room()
    harness.say(first, opening())
    early, other = harness.connect()
    harness.say(early, room_door(ORIGIN, other, DOOR, LATER))
    effects = harness.say(first, rekeying(nonce, LATER))
    assert [e.handle for e in effects if isinstance(e, Drop)] == [early]
    assert harness.hub.room_count == 1
    again, other = harness.connect()
    assert sent(harness.say(again, room_door(ORIGIN, other, DOOR, LATER)), Arrived) == [first]


def test_a_room_does_not_take_the_number_of_another_that_is_open() -> None:
    harness = HubHarness()
    first, nonce = harness.in_room()
    harness.say(first, opening())
    there, other = harness.connect()
    harness.say(there, room_door(ORIGIN, other, DOOR, LATER))
    harness.say(there, opening(key=LATER, number=number_of(LATER)))
    assert refusals(harness.say(first, rekeying(nonce, LATER))) == [(first, "open")]
    assert harness.hub.room_count == 2


def test_a_room_takes_few_numbers_and_forgets_none() -> None:
    harness = HubHarness()
    first, nonce = harness.in_room()
    keys = [SigningKey(sha256(bytes([n])).digest()) for n in range(limits.ROOM_NUMBERS)]
    before = ROOM_ADMIN
    for key in keys[:-1]:
        assert sent(harness.say(first, rekeying(nonce, key, before)), Rekeyed) == [first]
        before = key
    assert refusals(harness.say(first, rekeying(nonce, keys[-1], before))) == [(first, "state")]
    assert harness.hub.room_count == 1
    for key in (ROOM_ADMIN, keys[0], keys[-2]):
        handle, other = harness.connect()
        assert first in sent(harness.say(handle, room_door(ORIGIN, other, DOOR, key)), Arrived)


# -- buckets -----------------------------------------------------------------------------------------


def test_a_bucket_gives_its_burst_then_its_rate() -> None:
    bucket = TokenBucket(rate=2.0, burst=3.0, now=10.0)
    assert [bucket.take(10.0) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(10.4)
    assert bucket.take(10.5)
    assert not bucket.take(10.5)
    assert [bucket.take(1000.0) for _ in range(4)] == [True, True, True, False]
    assert bucket.wait(1000.0) == 0.5
    assert bucket.wait(1000.25) == 0.25
    assert bucket.wait(1001.0) == 0


@given(st.lists(st.tuples(st.floats(-1, 5), st.floats(0, 4)), max_size=60))
def test_a_bucket_never_gives_more_than_burst_and_rate(asked: list[tuple[float, float]]) -> None:
    bucket = TokenBucket(rate=2.0, burst=3.0, now=0.0)
    now = latest = given_out = 0.0
    for step, tokens in asked:
        now += step  # at times backwards
        latest = max(latest, now)
        if bucket.take(now, tokens):
            given_out += tokens
    assert given_out <= 3.0 + 2.0 * latest + 1e-6


def test_a_guard_counts_messages_bytes_and_errors_apart() -> None:
    settings = Settings(
        messages_per_second=1, message_burst=2, bytes_per_second=100, byte_burst=1000, errors_max=3
    )
    rate_limits = RateLimits(settings, 0.0)
    assert rate_limits.allow_frame(10, 0.0)
    assert not rate_limits.allow_frame(1000, 0.0)
    assert not rate_limits.allow_frame(10, 0.0)
    assert rate_limits.allow_frame(10, 5.0)
    assert [rate_limits.allow_error(0.0) for _ in range(4)] == [True, True, True, False]
    assert [rate_limits.allow_error(60.0) for _ in range(4)] == [True, True, True, False]


# -- what is signed ----------------------------------------------------------------------------------


def test_signed_texts_are_fixed_to_the_byte() -> None:
    number, nonce = bytes(range(16)), bytes(range(32))
    assert signed.door("http://x", number, nonce, nonce).hex() == (
        b"snug 1 door\x00\x08http://x".hex() + number.hex() + nonce.hex() * 2
    )
    assert signed.Opening(number, 258, nonce, nonce[::-1]).encode() == (
        b"snug 1 open" + number + bytes.fromhex("0000000000000102") + nonce + nonce[::-1]
    )
    assert signed.gate_of(bytes(8) + nonce + bytes(99)) == nonce
    slot = bytes.fromhex("0000000000000001")
    assert signed.RoomOpened(number, nonce[:8], 1, nonce).encode() == (
        b"snug 1 opened" + number + nonce[:8] + slot + nonce
    )
    assert signed.SlotTaken(number, nonce[:8], 1, nonce, nonce[::-1]).encode() == (
        b"snug 1 taken" + number + nonce[:8] + slot + nonce + nonce[::-1]
    )
    assert signed.chain_next(nonce, 1, b"blob") == (
        sha256(nonce + bytes.fromhex("0000000000000001") + sha256(b"blob").digest()).digest()
    )
    door_key, room_admin_key = bytes(DOOR.verify_key), bytes(ROOM_ADMIN.verify_key)
    assert (
        signed.room_number(door_key, room_admin_key)
        == (sha256(b"snug 1 room" + door_key + room_admin_key).digest()[:16])
    )


def test_an_origin_beyond_its_length_field_is_an_error() -> None:
    with pytest.raises(MalformedError, match="origin"):
        signed.door("x" * 65536, bytes(16), bytes(32), bytes(32))
