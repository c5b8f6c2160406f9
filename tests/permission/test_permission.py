"""The right to open a room: the core, in memory, with clocks that the tests move."""

from __future__ import annotations

import msgspec
import pytest

from snugroom.crypto.entry import permission, voucher
from snugroom.crypto.errors import MalformedError
from snugroom.server import tokens
from snugroom.server.config import Settings
from snugroom.server.rooms import permission as policy
from snugroom.server.rooms.clients import Client
from snugroom.wire import limits, rights, signed
from snugroom.wire.messages import (
    Closing,
    Exchange,
    Message,
    Open,
    Opened,
    Permit,
    Refused,
    Rekey,
    Rekeyed,
    Relay,
    RoomDoor,
)
from tests.permission.doors import NOON, ORIGIN, PASSWORD, Room, Server, exchange
from tests.server.people import CLIENT_NONCE, ZERO, blob, gate

DAY = 86_400


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "PASSWORD_COST", limits.PASSWORD_COST_MIN)


def codes(told: list[Message]) -> list[str]:
    return [m.code if isinstance(m, Refused | Closing) else type(m).__name__ for m in told]


def enter(server: Server, room: Room, **proofs: object) -> tuple[bytes, list[Message]]:
    handle, challenge = server.connect()
    return handle, server.say(handle, room.knock(challenge, **proofs))  # type: ignore[arg-type]


def permit_of(told: list[Message]) -> bytes:
    return next(m.permit for m in told if isinstance(m, Permit))


# -- tokens ------------------------------------------------------------------------------------


def test_a_token_opens_one_room_and_whoever_joins_needs_none() -> None:
    server = Server()
    token, *others = server.tokens()
    assert len(others) == limits.VOUCHER_TOKENS - 1
    assert codes(enter(server, Room("one"))[1]) == ["permission"]
    assert codes(enter(server, Room("one"), token=token)[1]) == ["Entered", "Permit"]
    assert codes(enter(server, Room("one"))[1]) == ["Entered", "Permit"], "it is open: nobody asks"
    assert codes(enter(server, Room("two"), token=token)[1]) == ["spent"]
    assert codes(enter(server, Room("two"), token=others[0])[1]) == ["Entered", "Permit"]


def test_a_token_at_the_door_of_a_room_that_is_open_is_not_spent() -> None:
    server = Server()
    token, other, *_ = server.tokens()
    enter(server, Room("one"), token=token)
    enter(server, Room("one"), token=other)
    assert codes(enter(server, Room("two"), token=other)[1]) == ["Entered", "Permit"]


def test_doors_without_a_proof_use_up_no_quota_and_guesses_do() -> None:
    """Guests who wait for somebody to reopen their room knock behind the same address as that person."""
    server = Server(settings=Settings(opening_burst=2, openings_per_second=0.001))
    network = Client(server.settings, 0.0)
    token = server.tokens()[0]

    def tries(room: str, **proofs: object) -> list[str]:
        handle, challenge = server.hub.connect(network)
        return codes(server.say(handle, Room(room).knock(challenge, **proofs)))  # type: ignore[arg-type]

    assert [tries("one") for _ in range(5)] == [["permission"]] * 5
    wrong = permission.Token(token.week, token.key, token.input, bytes(64))
    assert tries("one", token=wrong) == ["token"]
    assert tries("one", token=token) == ["Entered", "Permit"]
    assert tries("two", token=wrong) == ["full"]


def test_a_full_server_spends_no_token() -> None:
    server = Server(settings=Settings(max_rooms=1))
    token, other, *_ = server.tokens()
    held, _ = enter(server, Room("one"), token=token)
    assert codes(enter(server, Room("two"), token=other)[1]) == ["full"]
    server.hub.leave(held, server.now)
    server.now += 60
    server.hub.tick(server.now)
    assert codes(enter(server, Room("two"), token=other)[1]) == ["Entered", "Permit"]


def test_a_token_that_was_seen_on_the_way_opens_nothing_else() -> None:
    server = Server()
    token = server.tokens()[0]
    handle, challenge = server.connect()
    seen = Room("one").knock(challenge, token=token)
    assert seen.token is not None
    assert token.output not in msgspec.json.encode(seen)
    # another room, and another connection to the same room
    for room in (Room("two"), Room("one")):
        late, fresh = server.connect()
        signature = room.door.sign(signed.door(ORIGIN, room.number, fresh.nonce, CLIENT_NONCE)).signature
        keys = bytes(room.door.verify_key), bytes(room.room_admin.verify_key)
        assert codes(server.say(late, RoomDoor(*keys, CLIENT_NONCE, signature, token=seen.token))) == [
            "token"
        ]
    assert codes(server.say(handle, seen)) == ["Entered", "Permit"]


def test_foreign_and_outdated_tokens_are_refused() -> None:
    server, elsewhere = Server(), Server(secret=b"another operator's key file.....")
    foreign = elsewhere.tokens()[0]
    assert codes(enter(server, Room("one"), token=foreign)[1]) == ["token"]
    token, other, *_ = server.tokens()
    monday = NOON - NOON % DAY + 5 * DAY  # the first moment of the next week
    server.wall = monday + DAY - 1
    assert codes(enter(server, Room("one"), token=token)[1]) == ["Entered", "Permit"]
    assert codes(enter(server, Room("two"), token=token)[1]) == ["spent"], "remembered beyond the week's end"
    server.wall = monday + DAY
    assert codes(enter(server, Room("two"), token=other)[1]) == ["token"]
    early = permission.Token(rights.week_of(server.wall) + 1, other.key, other.input, other.output)
    assert codes(enter(server, Room("two"), token=early)[1]) == ["token"]


def test_a_restart_forgets_what_was_spent_and_nothing_else() -> None:
    """Nothing is on disk: a token counts once for each start of the server (decision 53)."""
    server = Server()
    token = server.tokens()[0]
    enter(server, Room("one"), token=token)
    server.restart()
    assert codes(enter(server, Room("two"), token=token)[1]) == ["Entered", "Permit"]
    assert codes(enter(server, Room("three"), token=token)[1]) == ["spent"]


def test_what_was_spent_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "SPENT_MAX", 1)
    server = Server()
    one, two, *_ = server.tokens()
    assert codes(enter(server, Room("one"), token=one)[1]) == ["Entered", "Permit"]
    assert codes(enter(server, Room("two"), token=two)[1]) == ["full"]
    handle, challenge = server.connect()
    message, _ = exchange(tokens.vouchers(server.secret or b"", 1, rights.week_of(NOON))[0], challenge)
    assert codes(server.say(handle, message)) == ["full"]


# -- vouchers ----------------------------------------------------------------------------------


def offered(server: Server, text: str) -> tuple[bytes, Exchange]:
    handle, challenge = server.connect()
    return handle, exchange(text, challenge)[0]


def test_a_voucher_is_exchanged_once_and_again_for_the_same_blinded_elements() -> None:
    server = Server()
    text = tokens.vouchers(server.secret or b"", 1, rights.week_of(NOON))[0]
    handle, challenge = server.connect()
    message, asked = exchange(text, challenge)
    (first,) = server.say(handle, message)
    # the answer was lost with the connection: the client asks again
    (again,) = server.say(server.connect()[0], message)
    inputs = [token.input for token in asked.finish(first.evaluated)]  # type: ignore[attr-defined]
    assert [token.input for token in asked.finish(again.evaluated)] == inputs  # type: ignore[attr-defined]
    handle, copied = offered(server, text)
    assert codes(server.say(handle, copied)) == ["spent"]
    assert codes(enter(server, Room("one"), token=asked.finish(first.evaluated)[0])[1]) == [  # type: ignore[attr-defined]
        "Entered",
        "Permit",
    ]


def test_foreign_forged_and_untimely_vouchers_are_refused_and_cost_no_evaluation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Server()
    week = rights.week_of(NOON)
    good = tokens.vouchers(server.secret or b"", 1, week)[0]
    _, message = offered(server, good)
    evaluated: list[object] = []
    key = server.permission._keys()[0]

    class Counting:
        def evaluate(self, element: object) -> None:
            evaluated.append(element)

    monkeypatch.setattr(key, "evaluator", Counting())
    week_changed = (week + 1).to_bytes(4, "big") + message.voucher[4:]
    forged = message.voucher[:-1] + bytes([message.voucher[-1] ^ 1])
    for wrong in (forged, week_changed, bytes(36)):
        handle, _ = server.connect()
        assert codes(server.say(handle, Exchange(wrong, message.blinded))) == ["voucher"]
    for ahead in (1, -1):
        other = voucher.Voucher.parse(tokens.vouchers(server.secret or b"", 1, week + ahead)[0])
        assert codes(server.say(server.connect()[0], Exchange(other.sent, message.blinded))) == ["week"]
    assert codes(server.say(server.connect()[0], Exchange(message.voucher, [bytes(32)] * 8))) == ["voucher"]
    assert not evaluated
    assert not key.exchanged, "a refused exchange leaves the voucher unused"


def test_an_exchange_is_no_message_for_a_room_or_for_a_server_that_anyone_may_use() -> None:
    server = Server()
    handle, _ = enter(server, Room("one"), token=server.tokens()[0])
    _, message = offered(server, tokens.vouchers(server.secret or b"", 1, rights.week_of(NOON))[0])
    assert codes(server.say(handle, message)) == ["state"]
    server.hub.permission = None
    assert codes(server.say(server.connect()[0], message)) == ["voucher"]
    with_password = Server(password=PASSWORD)
    assert codes(with_password.say(with_password.connect()[0], message)) == ["voucher"]


def test_the_text_of_a_voucher() -> None:
    text = tokens.vouchers(bytes(32), 1, 3000)[0]
    paper = voucher.Voucher.parse(f" {text}\n")
    assert paper.week == 3000
    assert paper.key_hash == permission.token_key(3000, policy.WeekKey(bytes(32), 3000).public)
    for wrong in (
        "https://meet.example/#2abc",
        text[:-1],
        text + "A",
        text.replace("-", "+"),
        tokens.PREFIX + "é",
    ):
        with pytest.raises(MalformedError):
            voucher.Voucher.parse(wrong)


# -- password ----------------------------------------------------------------------------------


def test_a_password_opens_rooms_and_a_wrong_one_does_not() -> None:
    server = Server(password=PASSWORD)
    assert codes(enter(server, Room("one"))[1]) == ["permission"]
    assert codes(enter(server, Room("one"), password="correct horse batterY")[1]) == ["password"]
    assert codes(enter(server, Room("one"), password=PASSWORD)[1]) == ["Entered", "Permit"]
    assert codes(enter(server, Room("one"))[1]) == ["Entered", "Permit"]


def test_a_proof_of_the_password_is_for_one_room_on_one_connection() -> None:
    server = Server(password=PASSWORD)
    _, challenge = server.connect()
    seen = Room("one").knock(challenge, password=PASSWORD)
    for room in (Room("one"), Room("two")):
        handle, fresh = server.connect()
        knock = msgspec.structs.replace(room.knock(fresh), password=seen.password)
        assert codes(server.say(handle, knock)) == ["password"]


def test_guesses_are_limited_for_all_together_and_right_ones_are_free() -> None:
    server = Server(password=PASSWORD, settings=Settings(open_guesses_per_second=1, open_guess_burst=3))
    for name in "abcde":
        assert codes(enter(server, Room(name), password=PASSWORD)[1]) == ["Entered", "Permit"]
    wrong = [codes(_guess(server))[0] for _ in range(5)]
    assert wrong == ["password"] * 3 + ["rate"] * 2
    assert codes(enter(server, Room("one"), password=PASSWORD)[1]) == ["rate"], "nobody learns what was right"
    server.now += 1
    assert codes(enter(server, Room("one"), password=PASSWORD)[1]) == ["Entered", "Permit"]


def _guess(server: Server) -> list[Message]:
    handle, challenge = server.connect()
    return server.say(handle, msgspec.structs.replace(Room("one").knock(challenge), password=bytes(32)))


# -- permits -----------------------------------------------------------------------------------


def opened(server: Server, room: Room, handle: bytes) -> None:
    text = signed.Opening(room.number, 0, gate(0), ZERO).encode()
    told = server.say(handle, Open(0, gate(0), ZERO, room.room_admin.sign(text).signature))
    assert isinstance(told[0], Opened)


@pytest.mark.parametrize("password", [None, PASSWORD])
def test_members_reopen_their_room_after_a_restart_by_the_permit(password: str | None) -> None:
    server = Server(password=password)
    proof = {"password": password} if password else {"token": server.tokens()[0]}
    room = Room("one")
    enter(server, room, **proof)
    _, told = enter(server, room)  # another member
    permit = permit_of(told)
    server.restart()
    server.wall += 6 * DAY
    assert codes(enter(server, Room("two"), permit=permit)[1]) == ["permission"], "for this room alone"
    _, told = enter(server, room, permit=permit)
    assert codes(told) == ["Entered", "Permit"]
    assert permit_of(told) != permit
    server.restart()
    server.wall += 6 * DAY
    assert codes(enter(server, room, permit=permit)[1]) == ["permission"], "a permit ends after a week"
    assert codes(enter(server, room, permit=permit_of(told))[1]) == ["Entered", "Permit"]


def test_without_a_key_file_permits_of_a_password_end_with_the_server() -> None:
    """A permit under the password's own key would let every guest try passwords offline (decision 53)."""
    server = Server(password=PASSWORD, secret=None)
    handle, told = enter(server, Room("one"), password=PASSWORD)
    server.hub.leave(handle, server.now)
    assert codes(enter(server, Room("one"), permit=permit_of(told))[1]) == ["Entered", "Permit"]
    server.restart()
    assert codes(enter(server, Room("one"), permit=permit_of(told))[1]) == ["permission"]


def test_permits_tell_nobody_apart_and_can_not_be_forged() -> None:
    server = Server()
    room = Room("one")
    _, told = enter(server, room, token=server.tokens()[0])
    server.wall += 60
    assert permit_of(enter(server, room)[1]) == permit_of(told), "the same for all members"
    server.restart()
    good = permit_of(told)
    for at in range(limits.PERMIT_SIZE):
        forged = good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
        assert codes(enter(server, room, permit=forged)[1]) == ["permission"], at
    assert codes(enter(server, room, permit=good)[1]) == ["Entered", "Permit"]


def rekeyed(server: Server, room: Room, handle: bytes, nonce: bytes) -> tuple[Room, bytes]:
    """Hand the room to the next room admin key; return the room under it, and its permit."""
    after = Room(room.name, room.admin + "'")
    text = signed.Rekey(after.number, nonce).encode()
    keys = bytes(room.door.verify_key), bytes(after.room_admin.verify_key)
    told = server.say(handle, Rekey(*keys, room.room_admin.sign(text).signature))
    assert any(isinstance(m, Rekeyed) for m in told), told
    return after, permit_of(told)


def test_one_token_opens_one_room_at_a_time_however_its_keys_change() -> None:
    server = Server()
    room = Room("one")
    handle, challenge = server.connect()
    first = permit_of(server.say(handle, room.knock(challenge, token=server.tokens()[0])))
    opened(server, room, handle)
    second_room, second = rekeyed(server, room, handle, challenge.nonce)
    assert server.hub.room_count == 1
    server.restart()
    # a member that missed the change is quicker: the others' later permit takes its place
    early, told = enter(server, room, permit=first)
    assert codes(told) == ["Entered", "Permit"]
    late, challenge = server.connect()
    effects = server.hub.handle(late, second_room.knock(challenge, permit=second), server.now)
    closed = [e.last for e in effects if getattr(e, "handle", b"") == early and hasattr(e, "last")]
    assert codes(closed) == ["unopened"]
    assert server.hub.room_count == 1
    assert codes(enter(server, room, permit=first)[1]) == ["permission"], "the earlier number stays closed"
    assert server.hub.room_count == 1


def test_a_probe_has_one_place_and_brings_no_permit() -> None:
    server = Server()
    room, probe = Room("one"), Room("probe")
    _, told = enter(server, room, token=server.tokens()[0])
    permit = permit_of(told)
    assert codes(enter(server, probe, permit=permit)[1]) == ["permission"]
    handle, challenge = server.connect()
    told = server.say(handle, probe.knock(challenge, permit=permit, probe=room.number))
    assert codes(told) == ["Entered"]
    opened(server, probe, handle)
    assert server.hub.handle(handle, Relay(blob("x")), server.now), "it is refused or goes to nobody else"
    other, _ = enter(server, probe)
    assert len(next(f for f in server.hub.rooms() if f.number == probe.number).handles) == 1
    server.hub.leave(other, server.now)
    server.hub.leave(handle, server.now)
    server.hub.tick(server.now)
    assert [f.number for f in server.hub.rooms()] == [room.number], "it does not linger"


def test_anyone_may_open_rooms_without_a_policy() -> None:
    server = Server()
    server.hub.permission = None
    handle, challenge = server.connect()
    assert challenge.permission is None
    assert codes(server.say(handle, Room("one").knock(challenge))) == ["Entered"]
