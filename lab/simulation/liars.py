"""A member whose program signs what its person likes, and comes in again whenever it wants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from snugroom.client.session.monitor.monitor import Monitor
from snugroom.crypto.agreed.heartbeat import Heartbeat
from snugroom.lab.simulation.patches import Patch
from snugroom.lab.simulation.world import Participant, World, heal

Change = Callable[[Heartbeat], Heartbeat]


def ahead(slots: int = 5000) -> Change:
    """Name a slot so far ahead, with a chain that nobody has."""
    return lambda beat: replace(beat, slot=beat.slot + slots, chain=bytes(32))


def forked(beat: Heartbeat) -> Heartbeat:
    """Name our slot, with another history."""
    return replace(beat, chain=bytes(31) + b"x")


class Liar:
    """`lie` changes each heartbeat before it is signed; None: it is honest."""

    def __init__(self, patch: Patch, w: World, who: Participant) -> None:
        self.w, self.who = w, who
        self.lie: Change | None = None
        self.rejoins = 0
        real = Heartbeat.signed

        def signed(beat: Heartbeat, number: bytes, sign: Callable[[str, bytes], bytes]) -> Heartbeat:
            room = who.session._room
            ours = room is not None and getattr(sign, "__self__", None) is room.membership
            return real(self.lie(beat) if ours and self.lie is not None else beat, number, sign)

        patch.setattr(Heartbeat, "signed", signed)

    def beat(self) -> None:
        """Send a heartbeat at once."""
        self.who.room.feature(Monitor)._heartbeats._due = self.w.now

    def comes_in_again(self, most: float = 10.0) -> bool:
        """Rejoin, without anybody being asked. Four commits make room for it (SNUG-8)."""
        before = self.who.room
        for _ in range(4):
            heal(self.w, self.who)
            self.w.run(0.15)
        before.give_up()
        end = self.w.now + most
        while self.w.now < end and (self.who.room is before or not self.who.room.is_synced(self.w.now)):
            self.w.run(0.1)
        self.rejoins += self.who.room is not before
        return self.who.room is not before


def held_by(who: Participant, now: float) -> str:
    """Why this member may not seal; empty: it may."""
    if who.session._room is None:
        return "outside"
    return str(who.room.feature(Monitor).hold_reason(now) or who.room.pause_reason(now) or "")


def watch(w: World, honest: list[Participant], seconds: float, silent: dict[str, float]) -> None:
    """Let time pass, and add to `silent` the seconds for which each of these may not seal."""
    for _ in range(round(10 * seconds)):
        w.run(0.1)
        for who in honest:
            silent[who.label] = silent.get(who.label, 0.0) + 0.1 * bool(held_by(who, w.now))
