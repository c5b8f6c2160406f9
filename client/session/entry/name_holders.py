"""Members whose names knocks have: heard or silent, and whether a knock may take a silent one's place.

Two present members never have names that look alike (SNUG-11). So a person who knocks from a second device,
while the first one is still on the list, cannot come in beside it. A server can make any member silent.
Silence therefore proves nothing, and a knock takes a silent member's place only if it shows what that member
has shown: its identity, or the personal invite that admitted it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue.sentence import Sentence, sentence
from snugroom.client.session.features.identity import Vouching
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.monitor.monitor import Monitor
from snugroom.crypto.agreed.names import skeletons
from snugroom.crypto.agreed.room_state import SINGLE_USE
from snugroom.crypto.entry.lobby import OpenedKnock

#: Minimum seconds between two looks at who is silent now, and between two reports about one knock.
LOOK_EVERY: Final = 1.0
TELL_EVERY: Final = 10.0


@dataclass(frozen=True)
class NameHolder:
    """A member whose name a knock has, or a name that looks like it; `proof` is set for silent ones only."""

    leaf: int
    key: bytes
    name: str
    silent: bool
    proof: ev.Proof | None = None
    same_invite: bool = False  # the knock shows the personal invite that admitted it

    @property
    def warning(self) -> Sentence:
        """The warning for a host, before it decides."""
        if not self.silent:
            return sentence("warning.name_held", name=self.name)
        key = "warning.name_silent" if self.proof is None else f"warning.name_silent.{self.proof}"
        return sentence(key, name=self.name)


class NameHolders:
    """Finds the members whose names knocks have, at one moment."""

    def __init__(self, room: Room, now: float) -> None:
        self._room = room
        self._now = now
        self._by_look = {
            look: leaf for leaf, name, _ in room.membership.members() for look in enumerate(skeletons(name))
        }

    def of(self, knock: OpenedKnock) -> NameHolder | None:
        """Return the member whose name that knock has; None if nobody has it."""
        looks = enumerate(skeletons(knock.name))
        leaf = next((self._by_look[look] for look in looks if look in self._by_look), None)
        if leaf is None:
            return None
        m = self._room.membership
        found = NameHolder(
            leaf,
            m.signature_key(leaf) or b"",
            m.name(leaf),
            self._room.feature(Monitor).is_silent(leaf, self._now),
        )
        if not found.silent or m.is_host(leaf):
            return found  # a host comes back by the return key (SNUG-9)
        shown = self._room.feature(Vouching).identity_of(found.key)
        same_invite = bool(knock.index & SINGLE_USE) and knock.index == m.ledger.invite_of(leaf)
        proven = shown is not None and knock.identity == shown
        proof: ev.Proof | None = "identity" if proven else "invite" if same_invite else None
        return replace(found, proof=proof, same_invite=same_invite)


def with_holder(knocked: ev.Knocked, holder: NameHolder | None) -> ev.Knocked:
    """Return what a host is told of a knock whose name that member has; `knocked` is without it."""
    if holder is None:
        return knocked
    return replace(
        knocked,
        looks_like=holder.name,
        silent=holder.silent,
        proof=holder.proof,
        warnings=(holder.warning, *knocked.warnings),
    )
