"""Members, room admins and outsiders as the server sees them: keys, passes and signatures, no meeting."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from hashlib import sha256

from nacl.signing import SigningKey

from snugroom.server.config import Settings
from snugroom.server.rooms.effects import Drop, Effect, Send
from snugroom.server.rooms.memory import Ledger
from snugroom.server.rooms.room import Room
from snugroom.wire import signed
from snugroom.wire.messages import (
    ClientMessage,
    Commit,
    LobbyDoor,
    Media,
    Message,
    Open,
    Rekey,
    RoomDoor,
    Show,
    Stream,
)

ZERO = bytes(32)
CLIENT_NONCE = b"c" * 32
DOOR = SigningKey(sha256(b"door").digest())
ROOM_ADMIN = SigningKey(sha256(b"room admin").digest())
SERVER = SigningKey(sha256(b"server").digest())
NUMBER = signed.room_number(bytes(DOOR.verify_key), bytes(ROOM_ADMIN.verify_key))


def sign(text: bytes) -> bytes:
    """The test server's signature."""
    return SERVER.sign(text).signature


def seeded(seed: int) -> Callable[[int], bytes]:
    """Randomness that repeats."""
    return random.Random(seed).randbytes


def room_pass(slot: int, twist: bytes = b"") -> bytes:
    """The pass of `slot`."""
    return sha256(b"pass" + slot.to_bytes(8, "big") + twist).digest()


def gate(slot: int, twist: bytes = b"") -> bytes:
    """The gate that this pass opens."""
    return signed.gate(room_pass(slot, twist))


def blob(name: str, size: int = 512) -> bytes:
    """A blob of its own for each name."""
    return name.encode().ljust(size, b".")


def show(slot: int, twist: bytes = b"") -> Show:
    """Show the pass of `slot`."""
    return Show([room_pass(slot, twist)])


def commit(slot: int, name: str = "", size: int = 512, twist: bytes = b"") -> Commit:
    """Take `slot`, with the gate of its pass."""
    return Commit(slot, bytes(8) + gate(slot, twist) + blob(name or f"commit {slot}", size - 40))


def hosts_commit(
    slot: int,
    chain: bytes,
    name: str = "",
    twist: bytes = b"",
    key: SigningKey = ROOM_ADMIN,
    number: bytes = NUMBER,
) -> Commit:
    """Take `slot` after `chain` as a host: the room admin signs, which closes the earlier gates."""
    made = commit(slot, name, twist=twist)
    text = signed.Opening(number, slot, gate(slot, twist), signed.chain_next(chain, slot, made.blob)).encode()
    return Commit(slot, made.blob, key.sign(text).signature)


def opening(
    slot: int = 0,
    chain: bytes = ZERO,
    *,
    key: SigningKey = ROOM_ADMIN,
    number: bytes = NUMBER,
    at: bytes | None = None,
) -> Open:
    """The room admin's signed open."""
    here = gate(slot) if at is None else at
    text = signed.Opening(number, slot, here, chain).encode()
    return Open(slot, here, chain, key.sign(text).signature)


def rekeying(nonce: bytes, new: SigningKey, key: SigningKey = ROOM_ADMIN) -> Rekey:
    """The room admin's signed rekey, to another key."""
    public = bytes(new.verify_key)
    text = signed.Rekey(signed.room_number(bytes(DOOR.verify_key), public), nonce).encode()
    return Rekey(bytes(DOOR.verify_key), public, key.sign(text).signature)


def media(*ssrcs: int, ufrag: str = "abcd") -> Media:
    """Transport parameters, and an audio stream for each SSRC."""
    return Media(ufrag, "p" * 24, bytes(32), [Stream(ssrc, "audio") for ssrc in ssrcs])


def room_door(
    origin: str, server_nonce: bytes, door: SigningKey = DOOR, room_admin: SigningKey = ROOM_ADMIN
) -> RoomDoor:
    """A room's door, opened."""
    door_key, room_admin_key = bytes(door.verify_key), bytes(room_admin.verify_key)
    text = signed.door(origin, signed.room_number(door_key, room_admin_key), server_nonce, CLIENT_NONCE)
    return RoomDoor(door_key, room_admin_key, CLIENT_NONCE, door.sign(text).signature)


def lobby_door(origin: str, server_nonce: bytes, key: SigningKey = DOOR) -> LobbyDoor:
    """A lobby's door, opened."""
    public = bytes(key.verify_key)
    text = signed.door(origin, public, server_nonce, CLIENT_NONCE)
    return LobbyDoor(public, CLIENT_NONCE, key.sign(text).signature)


class Table:
    """A room in memory, and what each of those around it has been sent."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.room = Room(
            NUMBER,
            bytes(ROOM_ADMIN.verify_key),
            settings or Settings(slot_burst=1000),
            sign,
            random.Random(1).randbytes,
            Ledger(),
        )
        self.now = 100.0
        self.inbox: dict[bytes, list[Message]] = defaultdict(list)
        self.effects: list[Effect] = []
        self.dropped: dict[bytes, Message] = {}

    @staticmethod
    def nonce(who: bytes) -> bytes:
        """The challenge of `who`."""
        return sha256(who).digest()

    def _note(self, effects: list[Effect]) -> list[Effect]:
        self.effects += effects
        for effect in effects:
            if isinstance(effect, Send):
                self.inbox[effect.handle].append(effect.message)
            elif isinstance(effect, Drop):
                self.dropped[effect.handle] = effect.last
        return effects

    def arrive(self, *who: bytes) -> list[Effect]:
        return [
            e
            for w in who
            for e in self._note(self.room.arrive(w, NUMBER, self.nonce(w), b"incarnat", self.now))
        ]

    def leave(self, who: bytes) -> list[Effect]:
        return self._note(self.room.leave(who, self.now))

    def says(self, who: bytes, message: ClientMessage) -> list[Message]:
        """The messages to `who` after it sends `message`."""
        before = len(self.inbox[who])
        self._note(self.room.handle(who, message, self.now))
        return self.inbox[who][before:]

    def host_takes(self, who: bytes, slot: int, name: str = "", twist: bytes = b"") -> list[Message]:
        """The messages to `who` after it takes `slot` as a host."""
        return self.says(who, hosts_commit(slot, self.room.chain, name, twist))

    def wait(self, seconds: float) -> list[Effect]:
        """Time passes, in one step."""
        self.now += seconds
        return self._note(self.room.tick(self.now))

    def heard(self, who: bytes) -> list[Message]:
        """The messages to `who` since the last call."""
        return self.inbox.pop(who, [])

    def opened(self, *who: bytes, slot: int = 0) -> Table:
        """All of them in the open room, the current pass shown, nothing unread."""
        self.arrive(*who)
        self.says(who[0], opening(slot))
        for w in who:
            self.says(w, show(slot))
        self.inbox.clear()
        self.effects.clear()
        return self
