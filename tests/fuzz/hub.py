"""The hub with its rooms and lobbies, and clients that send anything in any order, some of it nearly right.

One room is innocent: two members, who say a word now and then and hear each other's. Nothing of what is tried
is aimed at it by its keys, everything by what all rooms share.
"""

from __future__ import annotations

import random
from collections import defaultdict
from hashlib import sha256
from typing import Any, Final

from nacl.signing import SigningKey

from snugroom.server.config import Settings
from snugroom.server.rooms.effects import Drop, Effect, MediaJoin, MediaLeave, MediaSubscribe, Send
from snugroom.server.rooms.hub import Hub
from snugroom.wire import limits, signed
from snugroom.wire.messages import (
    Broadcast,
    CatchUp,
    Challenge,
    ClientMessage,
    Commit,
    LobbyDoor,
    Media,
    Message,
    Open,
    Post,
    Rekey,
    Relay,
    Relayed,
    RoomDoor,
    Show,
    Shown,
    Stream,
    Subscribe,
    decode_client,
    decode_server,
    encode,
)
from tests.fuzz.target import Target
from tests.server.people import CLIENT_NONCE, SERVER, blob, gate, room_pass, sign

ORIGIN: Final = "http://127.0.0.1:1"
#: Connections at a time, the innocent two not counted.
_PEOPLE: Final = 24
SETTINGS: Final = Settings(
    max_rooms=4, max_lobbies=3, max_members=5, lobby_members=3, ring_relays=16, ring_bytes=65_536,
    commit_bytes=65_536, room_linger=3.0, idle_time=20.0, media_changes_per_second=50.0,
    catch_ups_per_second=50.0,
)  # fmt: skip


class Tape:
    """Choices read off an input; an input that is over goes on with zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def pick(self, choices: Any) -> Any:
        return choices[self.byte() % len(choices)]


def _keys(name: str) -> tuple[SigningKey, SigningKey]:
    door, room_admin = (SigningKey(sha256(f"{name} {of}".encode()).digest()) for of in ("door", "room admin"))
    return door, room_admin


_ROOMS: Final = [_keys(f"room {i}") for i in range(6)]
_INNOCENT: Final = _keys("innocent")
_SIZES: Final = (512, 576, 512, 513, 1024, 4096, 262_144)
_BLOBS: Final = {size: bytes(size) for size in _SIZES}


class HubHarness:
    """The hub, and what each connection has been told."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.hub = Hub(
            SETTINGS,
            origin=ORIGIN,
            server_key=bytes(SERVER.verify_key),
            incarnation=b"incarnat",
            sign=sign,
            rng=random.Random(7).randbytes,
        )
        self._challenges: dict[bytes, Challenge] = {}
        self._people: list[bytes] = []
        self._media: dict[bytes, bytes] = {}
        self._inbox: dict[bytes, list[Message]] = defaultdict(list)
        self._words = 0
        self._encoded: dict[int, Message] = {}
        self.heard: set[str] = set()
        self._innocent = [self._enter_innocent(), self._enter_innocent()]

    # -- what the shell does ---------------------------------------------------------------------

    def _connect(self) -> bytes:
        handle, challenge = self.hub.connect()
        self._challenges[handle] = challenge
        return handle

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                if effect.handle in self._challenges:
                    self.heard.add(str(type(effect.message).__struct_config__.tag))
                    self._inbox[effect.handle].append(effect.message)
            elif isinstance(effect, Drop):
                self._gone(effect.handle)
            elif isinstance(effect, MediaJoin):
                self._media[effect.handle] = effect.room
            elif isinstance(effect, MediaSubscribe):
                assert effect.handle in self._media, "wants media that it was never given"
            elif isinstance(effect, MediaLeave):
                assert self._media.pop(effect.handle) == effect.room

    def _gone(self, handle: bytes) -> None:
        self._challenges.pop(handle, None)
        self._inbox.pop(handle, None)
        if handle in self._people:
            self._people.remove(handle)
        # the shell leaves for whoever is closed, also when the hub has forgotten it
        self._perform(self.hub.leave(handle, self.now))

    def _say(self, handle: bytes, message: ClientMessage) -> None:
        self._perform(self.hub.handle(handle, message, self.now))

    # -- the innocent ------------------------------------------------------------------------------

    def _enter_innocent(self) -> bytes:
        handle = self._connect()
        door, room_admin = _INNOCENT
        self._say(handle, self._room_door(handle, door, room_admin))
        number = signed.room_number(bytes(door.verify_key), bytes(room_admin.verify_key))
        text = signed.Opening(number, 0, gate(0), bytes(32)).encode()
        self._say(handle, Open(0, gate(0), bytes(32), room_admin.sign(text).signature))
        self._say(handle, Show([room_pass(0)]))
        assert any(isinstance(message, Shown) for message in self._inbox[handle])
        return handle

    def _room_door(self, handle: bytes, door: SigningKey, room_admin: SigningKey) -> RoomDoor:
        keys = bytes(door.verify_key), bytes(room_admin.verify_key)
        text = signed.door(ORIGIN, signed.room_number(*keys), self._challenges[handle].nonce, CLIENT_NONCE)
        return RoomDoor(*keys, CLIENT_NONCE, door.sign(text).signature)

    # -- everybody else ----------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        tape = Tape(data)
        act = tape.byte()
        if act < 40 or not self._people:
            if len(self._people) < _PEOPLE:
                self._people.append(self._connect())
            return
        who = tape.pick(self._people)
        if act < 44:
            self._gone(who)
        elif act < 56:
            self.now += tape.pick((0.0, 0.01, 0.2, 0.6, 3.0, 11.0))
            self._perform(self.hub.tick(self.now))
        elif act < 64:
            self._perform(self.hub.media_refused(who))
        else:
            message = self._message(who, tape)
            # as it comes over the wire: some of the messages that can be made are malformed
            try:
                said = decode_client(encode(message))
            except ValueError:
                return
            self._say(who, said)

    def _message(self, who: bytes, tape: Tape) -> ClientMessage:
        inside = self.hub.inside(who)
        choice = tape.byte() % (12 if inside else 4)
        door, room_admin = tape.pick(_ROOMS)
        if not inside and choice < 3:
            if choice == 2:
                key = bytes(door.verify_key)
                text = signed.door(ORIGIN, key, self._challenges[who].nonce, CLIENT_NONCE)
                return LobbyDoor(key, CLIENT_NONCE, self._signed(door, text, tape))
            opened = self._room_door(who, door, room_admin)
            return opened if tape.byte() > 20 else RoomDoor(*_ROOMS_SWAPPED, CLIENT_NONCE, opened.signature)
        slot = tape.pick((0, 1, 2, 3, 4, 63, 64, 65, limits.SLOT_MAX))
        room = self._room_of(who)
        if room is not None and room.slot is not None and tape.byte() > 60:
            slot = min(limits.SLOT_MAX, max(0, room.slot + tape.pick((0, 1, -1))))
        number = room.numbers[-1] if room is not None else bytes(16)
        room_admin = next(
            (s for d, s in _ROOMS if signed.room_number(bytes(d.verify_key), bytes(s.verify_key)) == number),
            room_admin,
        )
        body = _BLOBS[tape.pick(_SIZES)]
        if choice == 0:
            text = signed.Opening(number, slot, gate(slot), bytes(32)).encode()
            signature = self._signed(room_admin, text, tape) if tape.byte() > 60 else None
            return Open(slot, gate(slot), bytes(32), signature)
        if choice in (1, 2):
            return Show([room_pass(slot)])
        if choice == 3:
            known = tuple(self._challenges)
            return Post(None if tape.byte() > 120 else [tape.pick(known), tape.pick(known)], body)
        if choice == 4:
            return Commit(slot, body[:8] + gate(slot) + body[40:])
        if choice == 5:
            chain = signed.chain_next((room.chain if room else b"") or bytes(32), slot, body)
            text = signed.Opening(number, slot, signed.gate_of(body), chain).encode()
            return Commit(slot, body, self._signed(room_admin, text, tape))
        if choice == 6:
            return CatchUp(slot, tape.byte())
        if choice == 7:
            if len(body) == 576 or tape.byte() % 2:  # only a list has that size
                return Broadcast(body, tape.byte() % 64 or None)
            return Relay(body)
        if choice in (8, 9):
            return self._media_of(tape)
        if choice == 10:
            ssrcs = [tape.byte() for _ in range(tape.byte() % 9)]
            return Subscribe(tape.pick((None, ssrcs)), [tape.byte() % 4 for _ in range(tape.byte() % 9)])
        if inside and tape.byte() > 60:
            new = bytes(tape.pick(_ROOMS)[1].verify_key)
            named = signed.room_number(bytes(door.verify_key), new)
            return Rekey(
                bytes(door.verify_key),
                new,
                self._signed(room_admin, signed.Rekey(named, self._challenges[who].nonce).encode(), tape),
            )
        return LobbyDoor(bytes(32), bytes(32), bytes(64))

    @staticmethod
    def _signed(key: SigningKey, text: bytes, tape: Tape) -> bytes:
        signature = key.sign(text).signature
        return signature if tape.byte() > 20 else bytes([signature[0] ^ 1]) + signature[1:]

    @staticmethod
    def _media_of(tape: Tape) -> Media:
        def ssrcs(most: int) -> list[int]:
            return [tape.byte() % 64 for _ in range(tape.byte() % (most + 1))]

        streams = [
            Stream(tape.byte() % 64, tape.pick(("audio", "video")), ssrcs(3), ssrcs(4))
            for _ in range(tape.byte() % 10)
        ]
        return Media("abcd", "p" * 24, bytes(32), streams)

    def _room_of(self, who: bytes) -> Any:
        return self.hub._in_room.get(who)

    # -- looking -------------------------------------------------------------------------------------

    def look(self) -> None:
        """The innocent hear each other, nothing is kept of who has gone, every room is within its limits."""
        self._words += 1
        for who in self._innocent:
            before = len(self._inbox[who])
            word = blob(f"word {self._words} {who.hex()}")
            self._say(who, Relay(word))
            assert before <= len(self._inbox[who])
            for other in self._innocent:
                last = self._inbox[other][-1]
                assert isinstance(last, Relayed)
                assert last.blob == word
                assert last.relay == 2 * self._words - (who == self._innocent[0])
                # nothing else has ever come to them
                assert all(not isinstance(m, Relayed) or m.relay <= last.relay for m in self._inbox[other])
                del self._inbox[other][:-1]
        here = {*self._people, *self._innocent}
        hub = self.hub
        assert set(self._challenges) == set(hub._nonces) == here
        assert set(hub._in_room) | set(hub._in_lobby) <= here
        assert set(self._media) <= set(hub._in_room)
        assert hub.room_count <= SETTINGS.max_rooms
        assert len(hub._rooms) <= (limits.ROOM_NUMBERS + 1) * SETTINGS.max_rooms
        assert len(hub._lobbies) <= SETTINGS.max_lobbies
        assert all(hub._lobbies.values()), "a lobby without anybody"
        for facts in hub.rooms():
            assert len(facts.handles) <= SETTINGS.max_members
            assert len(facts.relays) <= SETTINGS.ring_relays
            assert sum(size for _, size in facts.relays) <= SETTINGS.ring_bytes
            assert len(facts.commits) <= limits.CATCH_UP_SLOTS
            assert facts.gates <= limits.CATCH_UP_SLOTS + len(facts.handles)
            assert facts.waiting <= len(facts.handles)
            assert len(facts.signature_lists) <= limits.LISTS_KEPT_MAX * len(facts.handles)
            assert sum(facts.signature_lists) <= limits.LISTS_KEPT_BYTES * len(facts.handles)
        assert hub.ledger.blobs == sum(holding.blobs for holding in hub.holdings(lambda handle: 0))
        # what is tried gets somewhere
        assert self._words < 3 or self.heard >= {
            "committed",
            "caught_up",
            "relayed",
            "broadcasted",
            "streams",
        }
        # all that anybody was told can be said, and read
        for inbox in self._inbox.values():
            for message in inbox[-8:]:
                assert decode_server(encode(message)) == message
            inbox.clear()

    def close(self) -> None:
        """Nothing is open."""


_ROOMS_SWAPPED: Final = (bytes(_ROOMS[0][1].verify_key), bytes(_ROOMS[1][0].verify_key))


def _acts() -> list[bytes]:
    rng = random.Random(1)
    return [bytes([act]) + rng.randbytes(40) for act in (0, 0, 24, 40, 56, *[64] * 12, *range(70, 255, 15))]


def anew(data: bytes, rng: random.Random) -> bytes:
    """Acts have no form that would have to be kept."""
    return rng.randbytes(1 + int(rng.random() * 40))


TARGETS: Final = [Target("hub", HubHarness, _acts, anew, share=0.5)]
