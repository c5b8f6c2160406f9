"""Sessions at a server where not anyone may open a room: proofs, permits, restarts, and keys that differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import msgspec
import pytest

from snugroom.client.session import events as ev
from snugroom.client.session.options import Options, PermissionMeans
from snugroom.crypto.entry.permission import Token
from snugroom.lab.simulation.world import ORIGIN, START, Link, Participant, World
from snugroom.server.config import Settings
from snugroom.server.rooms import permission as policy
from snugroom.server.rooms.permission import Permission, WeekKey
from snugroom.wire import limits, rights
from snugroom.wire.messages import Challenge, RoomDoor, decode_client, decode_server, encode
from snugroom.wire.permission import TokenKey
from tests.permission.doors import PASSWORD, SECRET

WEEK = rights.week_of(START)


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "PASSWORD_COST", limits.PASSWORD_COST_MIN)


class Guarded(World):
    """A world whose server has a password, or tokens."""

    def __init__(self, seed: int, *, password: str | None = None, secret: bytes | None = SECRET) -> None:
        self.password, self.secret = password, secret
        self.doors: list[RoomDoor] = []
        super().__init__(seed)

    def start_server(self) -> None:
        super().start_server()
        self.hub.permission = Permission(
            Settings(),
            origin=ORIGIN,
            password=self.password,
            secret=self.secret,
            rng=self.rng,
            wall=lambda: self.now,
        )

    def _ascend(self, link: Link, frame: bytes) -> None:
        message = decode_client(frame)
        if isinstance(message, RoomDoor):
            self.doors.append(message)
        super()._ascend(link, frame)

    def meeting_of(self, permission: PermissionMeans, *names: str) -> list[Participant]:
        host = self.host("Ada", options=Options(permission=permission))
        people = [host]
        for name in names:
            people.append(self.guest(self.link_of(host), name))
            self.until(lambda: self.agreed(people))
        self.run(self.greeting + 10 * self.latency)
        self.until(lambda: all(p.room.is_synced(self.now) for p in people))
        return people


def token(number: int = 0, week: int = WEEK, secret: bytes = SECRET) -> Token:
    key = WeekKey(secret, week)
    given = bytes([number]) * 32
    return Token(week, key.public, given, key.evaluator.evaluate_known_input(given))


def purse(*tokens: Token) -> PermissionMeans:
    """Tokens, as a file of them gives them out."""
    left = list(tokens)

    def take(keys: Mapping[int, bytes]) -> Token | None:
        found = next((each for each in left if keys.get(each.week) == each.key), None)
        if found is not None:
            left.remove(found)
        return found

    return PermissionMeans(take_token=take)


def founder(world: Guarded, permission: PermissionMeans | None) -> ev.Ended | None:
    who = world.host("Ada", options=Options(permission=permission))
    world.until(lambda: who.ended is not None or who.room.is_synced(world.now))
    return who.ended


def test_a_token_opens_the_room_and_guests_need_none() -> None:
    w = Guarded(1)
    w.meeting_of(purse(token()), "Bo", "Cem")
    assert [door.token is not None for door in w.doors if door.probe is None] == [True, False, False]


def test_a_password_opens_the_room() -> None:
    w = Guarded(2, password=PASSWORD)
    assert founder(w, PermissionMeans(PASSWORD)) is None


@pytest.mark.parametrize(
    ("password", "means", "text"),
    [
        (None, None, "only for somebody who has a token"),
        (None, PermissionMeans(PASSWORD), "only for somebody who has a token"),
        (None, purse(token(secret=b"another key file")), "only for somebody who has a token"),
        (PASSWORD, None, "only for somebody who knows its password"),
        (PASSWORD, purse(token()), "only for somebody who knows its password"),
        (PASSWORD, PermissionMeans("a wrong password"), "this is not its password"),
    ],
)
def test_what_a_founder_is_told(password: str | None, means: PermissionMeans | None, text: str) -> None:
    w = Guarded(3, password=password)
    ended = founder(w, means)
    assert ended is not None
    assert ended.reason == "unopened"
    assert text in ended.text
    assert w.hub.room_count == 0


def test_a_founder_whose_clock_is_wrong_is_told_so() -> None:
    w = Guarded(13)
    who = w.host("Ada", options=Options(permission=purse(token())), clock=9 * 86_400)
    w.until(lambda: who.ended is not None)
    assert who.ended is not None
    assert who.ended.text.startswith("By your clock, it is another week than by the server's")


def test_a_spent_token_gives_way_to_the_next_and_the_last_one_is_named() -> None:
    w = Guarded(4)
    assert founder(w, purse(token(1))) is None
    assert founder(w, purse(token(1), token(2))) is None
    ended = founder(w, purse(token(1), token(2)))
    assert ended is not None
    assert ended.text.startswith("The server says that this token was spent before")
    foreign = replace(token(3), output=bytes(64))
    ended = founder(w, purse(foreign))
    assert ended is not None
    assert "not one of its own" in ended.text


def test_guesses_of_others_are_named_as_such() -> None:
    w = Guarded(5, password=PASSWORD)
    assert w.hub.permission is not None
    assert w.hub.permission._guesses.take(w.now, 100)
    ended = founder(w, PermissionMeans(PASSWORD))
    assert ended is not None
    assert "by anybody" in ended.text


def test_a_meeting_goes_on_after_a_restart_without_another_token() -> None:
    w = Guarded(6)
    people = ada, bo, cem = w.meeting_of(purse(token()), "Bo", "Cem")
    w.kill_server()
    w.run(3)
    w.start_server()
    w.until(lambda: all(p.room.is_synced(w.now) for p in people), 30)
    w.do(bo, ev.Say("still here"))
    w.until(lambda: ("Bo", "still here") in cem.said)
    assert not any("unopened" in p.alarms or "dropped" in p.alarms for p in people)
    del ada


def test_a_guest_alone_reopens_the_room_after_a_restart() -> None:
    w = Guarded(7)
    ada, bo, cem = w.meeting_of(purse(token()), "Bo", "Cem")
    w.kill_server()
    ada.alive = False
    w.run(1)
    w.start_server()
    w.until(lambda: bo.room.is_synced(w.now) and cem.room.is_synced(w.now), 40)


def test_the_password_is_shown_again_where_no_permit_outlasts_a_restart() -> None:
    w = Guarded(8, password=PASSWORD, secret=None)
    people = w.meeting_of(PermissionMeans(PASSWORD), "Bo")
    w.kill_server()
    w.run(1)
    w.start_server()
    w.until(lambda: all(p.room.is_synced(w.now) for p in people), 30)


def test_who_can_not_reopen_the_room_is_told_so_and_nobody_is_accused() -> None:
    w = Guarded(9, password=PASSWORD, secret=None)
    ada, bo = w.meeting_of(PermissionMeans(PASSWORD), "Bo")
    w.kill_server()
    ada.alive = False
    w.start_server()
    w.until(lambda: "unopened" in bo.alarms, 20)
    w.run(10)
    assert "dropped" not in bo.alarms
    w.until(lambda: bo.ended is not None, 90)
    assert bo.ended is not None
    assert bo.ended.reason == "dropped"
    assert "nobody here could open it again" in bo.ended.text


def test_a_probe_needs_no_token() -> None:
    w = Guarded(10)
    _, bo = w.meeting_of(purse(token()), "Bo")
    w.run(12)
    door = bo.room.door_key.public

    def refuse(link: Link, frame: bytes, ascend=w._ascend) -> None:  # type: ignore[no-untyped-def]
        message = decode_client(frame)
        if link.who is bo and isinstance(message, RoomDoor) and message.door_key == door:
            w._after(w.latency, lambda: w.cut(link, by_server=True))
        else:
            ascend(link, frame)

    w._ascend = refuse  # type: ignore[method-assign]
    w.cut(bo.links[ev.ROOM])
    w.until(lambda: "dropped" in bo.alarms, 30)
    told = next(a.text for a in bo.of(ev.Alarm) if a.kind == "dropped")
    assert "It still serves others, and has signed that" in told


class Splitting(Guarded):
    """A server that shows one member a key of its own."""

    victim: Participant | None = None

    def _deliver(self, link: Link, frame: bytes) -> None:
        message = decode_server(frame)
        if link.who.label == "Bo" and isinstance(message, Challenge) and message.permission is not None:
            keys = [
                TokenKey(each.week, WeekKey(b"for Bo", each.week).public) for each in message.permission.keys
            ]
            message = msgspec.structs.replace(
                message, permission=msgspec.structs.replace(message.permission, keys=keys)
            )
            frame = encode(message)
        super()._deliver(link, frame)


def test_a_key_for_one_member_alone_is_an_alarm_for_all() -> None:
    w = Splitting(11)
    people = w.meeting_of(purse(token()), "Bo", "Cem")
    ada, bo, cem = people
    w.until(lambda: all("token_key" in p.alarms for p in people), 10)
    w.run(5)
    assert [p.alarms.count("token_key") for p in people] == [1, 2, 1]
    told = [a.text for a in ada.of(ev.Alarm) if a.kind == "token_key"]
    assert told[0].startswith("\u201cBo\u201d reports another key for tokens than the server shows you")
    del bo, cem


def test_members_whom_an_honest_server_showed_its_keys_hear_nothing() -> None:
    w = Guarded(12)
    people = w.meeting_of(purse(token()), "Bo")
    w.now += 0.0
    w.run(5)
    assert not any("token_key" in p.alarms for p in people)
