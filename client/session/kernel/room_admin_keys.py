"""The keys under which the server has held the room (protocol section 3, G8).

Hosts change the room admin's key: the policy names the next one first, and the server learns it later. The
room's number at the server depends on the key.
"""

from __future__ import annotations

from snugroom.client.session.kernel.membership import Membership
from snugroom.crypto.entry import invite


class RoomAdminKeys:
    """The public halves, 32 bytes each, as one membership knows them."""

    def __init__(self, membership: Membership, door_public: bytes, current: bytes) -> None:
        """`current` is the key under which the server holds the room."""
        self._membership = membership
        self._door_public = door_public
        #: The key under which the server holds the room.
        self.current = current
        #: All keys that may have been it, the newest last; openings by each of them are hosts'.
        self.all = [current]
        self._told = b""  # the server's word, which counts when the policy names the key
        self.policy_changed()

    @property
    def numbers(self) -> list[bytes]:
        """The room's numbers at the server since we came in (16 bytes each), the current one last."""
        return [invite.room_number(self._door_public, key) for key in (*self.all, *self.foreign)]

    @property
    def number(self) -> bytes:
        """The number by which we enter the room at the server, 16 bytes."""
        return invite.room_number(self._door_public, self.current)

    def policy_changed(self) -> None:
        """Record the key that the policy names, perhaps another one than before."""
        named = self._membership.policy.room_admin_public
        if named not in self.all:
            self.all.append(named)
        self._follow()

    def rekeyed(self, key: bytes) -> None:
        """Record the server's word that it holds the room under that key."""
        self._told = key
        self._follow()

    @property
    def foreign(self) -> list[bytes]:
        """The key under which the server says that it holds the room, if no policy has named that key.

        A hostile host has handed the room to it, or the server lies: no host can sign there.
        """
        return [] if self._told in (b"", *self.all) else [self._told]

    def _follow(self) -> None:
        if self._told in self.all:
            self.current = self._told

    @property
    def is_latest(self) -> bool:
        """Whether the server holds the room under the key that the policy names."""
        return self.current == self._membership.policy.room_admin_public and not self.foreign

    def take_latest(self) -> None:
        """Go on under the key that the policy names: members meet there once the server has forgotten us."""
        self.current, self._told = self._membership.policy.room_admin_public, b""
