"""The data that a device keeps while a membership lasts, so that the member can come back.

docs/reference/protocol.md, section 6.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.kernel import entering
from snugroom.client.session.kernel.me import Me
from snugroom.client.session.kernel.rejoin_keys import RejoinKeys
from snugroom.client.session.kernel.room import RoomSession
from snugroom.crypto.entry.invite import HostKeys, Invite
from snugroom.crypto.entry.member_recovery import MemberRecoveryData
from snugroom.crypto.kdf import Rng

#: Ends after which nobody comes back.
_OVER: Final = {"left", "removed", "replaced", "refused", "ended"}


@dataclass(frozen=True)
class Comeback:
    """A member on its way back: what was kept, and the rejoin keys that its leaf may have."""

    kept: MemberRecoveryData
    keys: RejoinKeys

    @classmethod
    def begin(cls, kept: MemberRecoveryData, rng: Rng) -> Comeback:
        """Begin with what the device has kept: its tickets ask for a new rejoin key."""
        keys = RejoinKeys.restored(kept.rejoin_keys, kept.requests, rng)
        keys.begin_request()
        return cls(kept, keys)

    @property
    def host_keys(self) -> HostKeys | None:
        """The keys of all hosts, if we were one."""
        return self.kept.host_keys

    @property
    def data(self) -> MemberRecoveryData:
        """The data that the device keeps meanwhile."""
        return replace(self.kept, rejoin_keys=tuple(self.keys.all()), requests=self.keys.request_count)


class Keeping:
    """Tells the shell what to keep whenever that has changed: before anything that makes it necessary."""

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted
        self._state: object = None

    def due(
        self, me: Me, room: RoomSession | None, own: Invite, comeback: Comeback | None
    ) -> list[ev.Effect]:
        """Return the effect that keeps what has changed since the last call."""
        if not self._wanted or (room is None and comeback is None):
            return []
        keys = room.membership.rejoin_keys if room is not None else comeback.keys  # type: ignore[union-attr]
        known = [key.public for key in keys.all()]
        state = (known, room and (room.membership.journal.slot, room.here.origin, room.host_keys, own))
        if state == self._state:
            return []
        self._state = state
        if room is not None:
            return [ev.Keep(entering.member_recovery_data(me, room, own))]
        return [ev.Keep(comeback.data)]  # type: ignore[union-attr]  # one of the two is there

    def over(self, ended: ev.Ended) -> list[ev.Effect]:
        """Return the effect that forgets it, if nobody comes back after that end."""
        return [ev.Keep(None)] if self._wanted and ended.reason in _OVER else []
