"""A token opens one room at a time, whatever its holder does with permits, keys, empty rooms and probes."""

from __future__ import annotations

import contextlib
import random

import pytest

from snugroom.server.config import Settings
from snugroom.wire import signed
from snugroom.wire.messages import Entered, Permit, Rekey
from tests.permission.doors import Room, Server
from tests.permission.test_permission import opened

STEPS = 150
TOKENS = 2


class Cheat:
    """Somebody with a few tokens who wants more rooms than tokens."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.server = Server(settings=Settings(room_linger=5.0))
        self.tokens = self.server.tokens()[:TOKENS]
        #: Connections inside, each with its room and its challenge's nonce.
        self.inside: list[tuple[bytes, Room, bytes]] = []
        self.permits: list[tuple[Room, bytes]] = []

    def enter(self) -> None:
        pick = self.random
        room = Room(pick.choice("abcd"), pick.choice(["first", "first'", "first''"]))
        proofs: dict[str, object] = {}
        if self.permits and pick.random() < 0.7:
            owner, proofs["permit"] = pick.choice(self.permits)
            room = owner if pick.random() < 0.8 else room
            if pick.random() < 0.1:
                proofs["probe"], room = owner.number, Room(f"probe {pick.random()}")
        if pick.random() < 0.3:
            proofs["token"] = pick.choice(self.tokens)
        handle, challenge = self.server.connect()
        told = self.server.say(handle, room.knock(challenge, **proofs))  # type: ignore[arg-type]
        if any(isinstance(m, Entered) for m in told):
            self.inside.append((handle, room, challenge.nonce))
            if not any(isinstance(m, Entered) and m.slot is not None for m in told):
                self.open(handle, room)
        self.permits += [(room, m.permit) for m in told if isinstance(m, Permit)]

    def open(self, handle: bytes, room: Room) -> None:
        with contextlib.suppress(AssertionError, IndexError):  # it was dropped, or another one was quicker
            opened(self.server, room, handle)

    def rekey(self) -> None:
        if self.inside:
            handle, room, nonce = self.random.choice(self.inside)
            after = Room(room.name, room.admin + "'")
            keys = bytes(room.door.verify_key), bytes(after.room_admin.verify_key)
            text = signed.Rekey(after.number, nonce).encode()
            told = self.server.say(handle, Rekey(*keys, room.room_admin.sign(text).signature))
            self.permits += [(after, m.permit) for m in told if isinstance(m, Permit)]

    def leave(self) -> None:
        if self.inside:
            handle, *_ = self.inside.pop(self.random.randrange(len(self.inside)))
            self.server.hub.leave(handle, self.server.now)

    def all_leave(self) -> None:
        while self.inside:
            self.leave()
        self.server.now += 6.0  # beyond the rooms' linger
        self.server.hub.tick(self.server.now)

    def wait(self) -> None:
        self.server.now += self.random.choice([0.1, 6.0, 70.0])
        self.server.hub.tick(self.server.now)

    def rooms(self) -> int:
        rooms = dict.fromkeys(self.server.hub._rooms.values())
        return sum(room.permission is not None and not room.permission.probe for room in rooms)


@pytest.mark.parametrize("seed", range(6))
def test_no_sequence_of_steps_gives_more_rooms_than_tokens(seed: int) -> None:
    cheat = Cheat(seed)
    steps = [cheat.enter] * 6 + [cheat.rekey] * 2 + [cheat.leave, cheat.wait, cheat.all_leave]
    most = 0
    for _ in range(STEPS):
        cheat.random.choice(steps)()
        most = max(most, cheat.rooms())
        assert cheat.rooms() <= TOKENS
    assert most == TOKENS, "the steps did open rooms"
