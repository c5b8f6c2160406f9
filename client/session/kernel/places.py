"""Where the room of a membership is, and what a further server is told in place of the meeting's values.

Protocol section 12. The membership knows the meeting's number, passes and chain alone. At a place, this
module writes the place's into messages for its server, and reads the meeting's out of the server's answers: a
session goes on there as after a restart of its server.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

import msgspec

from snugroom.client.session.kernel.membership import Membership
from snugroom.client.session.kernel.place import Place
from snugroom.client.session.kernel.ports import Room
from snugroom.crypto.agreed import envelope
from snugroom.crypto.entry import invite
from snugroom.crypto.entry.places import (
    OPENED_MAX,
    opener_key,
    place_chain,
    place_door_key,
    place_pass,
)
from snugroom.crypto.kdf import H, SigningKey
from snugroom.wire import messages as wire
from snugroom.wire import signed

#: Passes in one `show`.
_PASSES_MAX: Final = 16
#: Members' places at a server that are tried for a commit whose gate is unknown: each costs a key.
_OPENED_TRIED: Final = 16


def further_place(m: Membership, server: int, move_key: bytes | None = None) -> Place | None:
    """Return the place at that server of the policy's list, from 1; None if the list has no such.

    `move_key`: that of before a departure, 32 bytes, if not the current one.
    """
    if not 0 < server <= len(m.policy.servers):
        return None
    found = m.policy.servers[server - 1]
    door = place_door_key(move_key or m.move_key, found.origin, 0)
    return Place(server, 0, found.origin, door, found.room_admin_public)


def note_place(room: Room, blob: bytes, opens: bytes) -> None:
    """Note where a commit was made, if that is a place of this meeting where we have not been.

    A blob names the gate of the place where it was made. To a host that comes back late, and is handed the
    others' commits, that gate would be a wrong one. `opens`: the pass of the epoch after it, 32 bytes.
    """
    m, named = room.membership, envelope.gate(blob)

    def fits(number: bytes) -> bool:
        return invite.gate(place_pass(opens, number)) == named

    if invite.gate(opens) != named and not any(map(fits, m.places)):
        number = next((each.number for each in _listed_places(room) if fits(each.number)), None)
        if number is not None:
            m.places.append(number)


def _listed_places(room: Room) -> Iterator[Place]:
    """Return the places at the policy's servers: the hosts', and those of members with the lowest leaves."""
    m = room.membership
    for server, found in enumerate(m.policy.servers, 1):
        members = ((leaf, room.announcements.opener(leaf, server)) for leaf, _, _ in m.members())
        opened = ((leaf + 1, admin) for leaf, admin in members if admin is not None)
        for attempt, admin in ((0, found.room_admin_public), *islice(opened, _OPENED_TRIED)):
            door = place_door_key(m.move_key, found.origin, attempt)
            yield Place(server, attempt, found.origin, door, admin)


def _listed(m: Membership, origin: str) -> int:
    """Return a server's index in the policy's list, from 1; 0 if it is not there."""
    listed = m.policy.origins
    return 1 + listed.index(origin) if origin in listed else 0


class PlaceRoom:
    """The meeting's room at one server: its keys there, and messages as that server has to see them."""

    def __init__(self, room: Room, place: Place | None) -> None:
        """`place`: None where the meeting began."""
        self._room = room
        self.current = place
        self._fed = -1  # the last slot in the current place's history

    # -- the place -----------------------------------------------------------------------------------

    @property
    def origin(self) -> str:
        """The origin of the server that has the room."""
        return self._room.origin if self.current is None else self.current.origin

    @property
    def elsewhere(self) -> str:
        """The same for `events.Connect`: empty for the server of the link."""
        return "" if self.current is None else self.current.origin

    @property
    def door_key(self) -> SigningKey:
        """The key of the room's door there."""
        return self._room.door_key if self.current is None else self.current.door_key

    @property
    def admin_key(self) -> SigningKey | None:
        """The key that opens the room there; None unless we are a host that has it."""
        keys, group_id = self._room.host_keys, self._room.membership.group.group_id
        if self.attempt:
            assert self.current is not None
            return self.current.opener
        if keys is None:
            return None
        if self.current is not None:
            return keys.room_admin_key(group_id, self.current.room_admin_public, self.current.origin)
        known = self._room.room_admin_keys
        return None if known.foreign else keys.room_admin_key(group_id, known.current)

    @property
    def is_home(self) -> bool:
        """Whether the room is where the meeting began."""
        return self.current is None

    @property
    def server(self) -> int:
        """Its index in the policy's list, from 1; 0 where the meeting began, or if it is not listed now."""
        return 0 if self.current is None else _listed(self._room.membership, self.current.origin)

    @property
    def attempt(self) -> int:
        """0 at the hosts' place; else the leaf of the member whose place it is, plus 1."""
        return 0 if self.current is None else self.current.attempt

    @property
    def room_admin_public(self) -> bytes:
        """The key under which that server holds the room, 32 bytes."""
        return self._room.room_admin_keys.current if self.current is None else self.current.room_admin_public

    def under(self, move_key: bytes) -> Place | None:
        """Return this place as it was under that move key (32 bytes); None where the meeting began."""
        current = self.current
        if current is None:
            return None
        if not current.attempt:
            return further_place(self._room.membership, self.server, move_key)
        door = place_door_key(move_key, current.origin, current.attempt)
        return replace(current, door_key=door, told={})

    @property
    def is_outdated(self) -> bool:
        """Whether the meeting has another place at this server by now: members departed, or keys changed."""
        return False

    @property
    def leads_elsewhere(self) -> bool:
        """Whether the policy's list has a server to which our program goes."""
        return bool(self._room.servers.led(self._room.membership.policy.origins))

    @property
    def openers(self) -> list[bytes]:
        """Our keys for places of our own (32 bytes each), in the order of the policy's servers."""
        return []

    def incarnation(self, process: bytes) -> bytes:
        """Return how heartbeats name the room there, 8 bytes; `process`: the incarnation of the server."""
        if self.current is None:
            return process
        return H(b"snug 1 place incarnation", self.current.number, process)[:8]

    def number_under(self, admin: bytes) -> bytes:
        """Return the room's number there under that room admin key (public, 32 bytes)."""
        return invite.room_number(self.door_key.public, admin)

    # -- messages ------------------------------------------------------------------------------------

    def outgoing(self, message: wire.ClientMessage) -> wire.ClientMessage | None:
        """Return what the server is sent in place of a message; None: nothing."""
        place, m = self.current, self._room.membership
        if place is None:
            return self._shown(message, []) if isinstance(message, wire.Show) and m.places else message
        match message:
            case wire.Show(passes):
                return self._shown(message, [place_pass(each, place.number) for each in passes])
            case wire.Open(slot):
                entry = m.journal.entry(slot)
                assert entry is not None, "nobody opens a room at a slot without its pass"
                gate = invite.gate(place_pass(entry.room_pass, place.number))
                chain = place_chain(entry.chain, place.number)
                return wire.Open(slot, gate, chain, self._signed(slot, gate, chain))
            case wire.Commit(slot, blob):
                before = place.told.get(slot - 1)
                gate = envelope.gate(blob)
                after = None if before is None else invite.chain_next(before, slot, blob)
                opening = None if after is None else self._signed(slot, gate, after)
                return wire.Commit(slot, blob, opening)
            case wire.Rekey():
                return None  # the room keeps its number for as long as it is there
        return message

    def _shown(self, message: wire.Show, here: list[bytes]) -> wire.Show:
        """Return the passes to show: a blob has the gate of the place where it was made.

        That is one of the places that we know, for the blob that let us in: we do not have it.
        """
        m, made = self._room.membership, []
        for each in m.journal.entries:
            if each.room_pass in message.room_passes:
                made.append(each.fitting or each.room_pass)
                if each.blob is None:
                    made += [place_pass(each.room_pass, number) for number in reversed(m.places)]
        opened = here or message.room_passes
        return wire.Show(list(dict.fromkeys([*opened, *made]))[:_PASSES_MAX])

    def _signed(self, slot: int, gate: bytes, chain: bytes) -> bytes | None:
        key = self.admin_key
        if key is None:
            return None
        return key.sign(signed.Opening(self.number_under(key.public), slot, gate, chain).encode())

    def incoming(self, message: wire.ServerMessage) -> wire.ServerMessage:
        """Return a server's message with the meeting's chain value, if the server's is one of our history."""
        place = self.current
        if place is None:
            return message
        match message:
            case wire.Entered(slot=int(slot), chain=bytes(chain)) | wire.Opened(slot, chain):
                ours = self._ours(place, slot, chain)
                return message if ours is None else msgspec.structs.replace(message, chain=ours)
            case wire.Committed(slot, blob, chain):
                ours = self._ours(place, slot, chain, blob)
                return message if ours is None else msgspec.structs.replace(message, chain=ours)
        return message

    def _ours(self, place: Place, slot: int, chain: bytes, blob: bytes | None = None) -> bytes | None:
        place.told[slot] = chain
        while len(place.told) > OPENED_MAX:
            del place.told[min(place.told)]
        journal = self._room.membership.journal
        for each in journal.chains:
            if each > self._fed:
                place.history.append(each, journal.chains[each], journal.digests[each])
                self._fed = each
        if chain == journal.value_at(place.number, slot) or place.history.has(slot, chain):
            journal.recognised(place.number, slot, chain)
            return journal.chains.get(slot)
        if blob is None or slot != journal.slot + 1:
            return None
        before = journal.value_at(place.number, slot - 1)
        rolled = before is not None and chain == invite.chain_next(before, slot, blob)
        if rolled or place.history.follows(slot, chain, H(blob)):
            return journal.chain_after(blob)
        return None

    def signed_by_server(self, slot: int, chain: bytes) -> tuple[Sequence[bytes], bytes]:
        """Return the numbers, and the chain value for that of ours, that a receipt may name."""
        if self.current is None:
            return self._room.room_admin_keys.numbers, chain
        return [self.current.number], self.current.told.get(slot, chain)


class Places(PlaceRoom):
    """One membership's way through the places of its meeting."""

    def __init__(self, room: Room) -> None:
        super().__init__(room, None)
        self._move_key = b""  # under which we came to the place
        self._seed = b""  # of the keys for our own places; drawn when it is needed

    def carry_over(self, old: Places) -> None:
        """Take over from the membership before a rejoin: the others know our keys."""
        self._seed = old._seed

    def begin(self, origin: str) -> None:
        """Begin at that server if the policy lists it."""
        self.go(_listed(self._room.membership, origin))

    # -- places of members ---------------------------------------------------------------------------

    @property
    def openers(self) -> list[bytes]:
        """Our keys for places of our own (32 bytes each), in the order of the policy's servers."""
        return [self._opener(origin).public for origin in self._room.membership.policy.origins]

    def _opener(self, origin: str) -> SigningKey:
        self._seed = self._seed or self._room.rng(32)
        return opener_key(self._seed, origin)

    def _of_member(self, server: int, leaf: int, move_key: bytes) -> Place | None:
        """Return that member's place at that server; None if it has announced no key for it."""
        m = self._room.membership
        if not 0 < server <= len(m.policy.servers):
            return None
        origin = m.policy.servers[server - 1].origin
        own = self._opener(origin) if leaf == m.own_leaf else None
        admin = own.public if own is not None else self._room.announcements.opener(leaf, server)
        if admin is None:
            return None
        return Place(server, leaf + 1, origin, place_door_key(move_key, origin, leaf + 1), admin, own)

    # -- the way -------------------------------------------------------------------------------------

    @property
    def is_outdated(self) -> bool:
        """Whether the meeting has another place at this server by now: members departed, or keys changed."""
        m, current = self._room.membership, self.current
        if current is None:
            return False
        keys = {each.origin: each.room_admin_public for each in m.policy.servers}
        if not current.attempt and current.origin not in keys:
            return False
        changed = not current.attempt and keys[current.origin] != current.room_admin_public
        return changed or self._move_key != m.move_key

    def next(self, leaves: Sequence[int] = ()) -> None:
        """Go on to the next place: that of the first of `leaves` (ascending) that has one, or another server.

        After the last server of the policy's list comes the first of all.
        """
        before = self.current
        if before is None:
            self.go(1)
            return
        for leaf in leaves:
            if leaf >= before.attempt and self.go(before.server, leaf + 1):
                return
        self.go(before.server + 1)

    def _skipped(self, server: int) -> int:
        """Return that server of the policy's list, or the next one to which our program goes; 0: none."""
        listed, leads = self._room.membership.policy.origins, self._room.servers.leads
        numbers = (n for n in range(max(server, 1), len(listed) + 1) if leads(listed[n - 1]))
        return next(numbers, 0) if server else 0

    def go(self, server: int, attempt: int = 0) -> bool:
        """Go on to that server of the policy's list, from 1; to the first of all if the list has no such.

        `attempt`: to that member's place, and not at all if it has none. A server to which our program does
        not go is passed over. Return whether we go.
        """
        m = self._room.membership
        if self._skipped(server) != server:
            server, attempt = self._skipped(server), 0
        if attempt:
            place = self._of_member(server, attempt - 1, m.move_key)
            if place is None:
                return False
        else:
            place = further_place(m, server)
        self.current, self._fed, self._move_key = place, -1, m.move_key
        m.place = None if place is None else place.number
        if m.place is not None and m.place not in m.places:
            m.places.append(m.place)
        return True
