"""Separate rooms at one server: tests watch one while another is attacked."""

from __future__ import annotations

from hashlib import sha256

from nacl.signing import SigningKey

from snugroom.wire import signed
from snugroom.wire.messages import Entered, Relay, Relayed, Shown
from tests.server.people import blob, opening, room_door, show
from tests.server.wire_clients import Guest, Place


def keys(name: str) -> tuple[SigningKey, SigningKey]:
    """Door and room admin of the room `name`."""
    door, room_admin = (SigningKey(sha256(f"{name} {of}".encode()).digest()) for of in ("door", "room admin"))
    return door, room_admin


async def member(place: Place, name: str) -> Guest:
    """A new connection in the room `name`, which it opens if nobody has, with the current pass shown."""
    door, room_admin = keys(name)
    guest = await place.guest()
    await guest.say(room_door(guest.challenge.origin, guest.challenge.nonce, door, room_admin))
    entered = await guest.expect(Entered)
    guest.handle = entered.handle
    if entered.slot is None:
        number = signed.room_number(bytes(door.verify_key), bytes(room_admin.verify_key))
        await guest.say(opening(key=room_admin, number=number))
    await guest.say(show(0))
    await guest.until(Shown)
    return guest


class Innocent:
    """Two members of a room that is nobody's business: each word of one must come to the other."""

    def __init__(self, one: Guest, other: Guest) -> None:
        self._one, self._other = one, other
        self.said = 0

    @classmethod
    async def at(cls, place: Place) -> Innocent:
        return cls(await member(place, "innocent"), await member(place, "innocent"))

    async def talk(self) -> None:
        """A word, there and back; TimeoutError if it doesn't come."""
        self.said += 1
        word = blob(f"word {self.said}")
        await self._one.say(Relay(word))
        for who in (self._one, self._other):
            assert (await who.until(Relayed)).blob == word
