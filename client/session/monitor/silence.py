"""Members that have fallen silent, and members that do not hear us."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from snugroom.client.session.catalogue import sentences
from snugroom.client.session.features.states import States
from snugroom.client.session.kernel.ports import Room
from snugroom.client.session.monitor.freshness import FRESH
from snugroom.client.session.monitor.heartbeats import Heartbeats, interval
from snugroom.client.session.monitor.member_table import MemberTable

#: Seconds of silence (or beat intervals if longer) before hosts are offered a member's removal.
GONE: Final = (60.0, 12)
#: Beats of a member that acknowledge nothing newer of ours, and minimum age in seconds of the missed beat.
DEAF: Final = 3
DEAF_FOR: Final = 10.0
#: Seconds after which a beat of ours counts as missed in another member's beat.
UNDER_WAY: Final = 2.0
#: Seconds for which further silent members are collected for one alarm.
GATHER: Final = 3.0


class News(NamedTuple):
    """Leaves to report now, and leaves whose finding is over."""

    fresh: list[int]
    over: list[int]


class Reported:
    """Leaves with one kind of finding that was reported and is not over."""

    def __init__(self) -> None:
        self.leaves: set[int] = set()

    def update(self, now_so: Iterable[int]) -> News:
        """Return the leaves to report now, and the leaves whose finding is over."""
        so = set(now_so)
        news = News(sorted(so - self.leaves), sorted(self.leaves - so))
        self.leaves = so
        return news

    def forget(self, leaf: int) -> None:
        """Forget the member of a leaf that is empty now or has another member."""
        self.leaves.discard(leaf)


class Silence:
    """Judges the times and the acknowledgements of the members' beats."""

    def __init__(self, room: Room, members: MemberTable, heartbeats: Heartbeats) -> None:
        self._room = room
        self._members = members
        self._heartbeats = heartbeats
        self._deaf: dict[int, int] = {}  # each member's beats that did not acknowledge ours
        self._silent, self._gone, self._unheard = Reported(), Reported(), Reported()
        self._gathered = 0.0
        self._deaf_since: float | None = None

    def reset(self) -> None:
        """Start over on a new connection of ours."""
        self._deaf.clear()

    def reset_member(self, leaf: int) -> None:
        """Start over with a member that has a new connection."""
        self._deaf[leaf] = 0

    def forget(self, leaf: int) -> None:
        """Forget the member of a leaf that is empty now or has another member."""
        self._deaf.pop(leaf, None)
        for told in (self._silent, self._gone, self._unheard):
            told.forget(leaf)

    def heard(self, leaf: int, acknowledged: int, now: float) -> None:
        """Process the number of our beat that a member's beat acknowledges."""
        missed = self._heartbeats.first_sent_after(
            acknowledged, max(self._members.since.get(leaf, now), self._members.synced_at or now)
        )
        deaf = missed is not None and now - missed > UNDER_WAY
        self._deaf[leaf] = self._deaf.get(leaf, 0) + 1 if deaf else 0
        if deaf and missed is not None and now - missed < DEAF_FOR:
            self._deaf[leaf] = min(self._deaf[leaf], DEAF - 1)

    def judge(self, now: float) -> None:
        """Report who has fallen silent, who does not hear us, and who can be heard and hears again."""
        self._judge_silence(now)
        self._judge_unheard(now)

    def _judge_silence(self, now: float) -> None:
        room, members = self._room, self._members
        if members.synced_at is None or not room.is_synced(now):
            return
        away = room.feature(States).away  # they have said so
        others = [leaf for leaf in members.others if leaf not in away]
        quiet = {leaf: members.quiet(leaf, now) for leaf in others}
        most = members.span(FRESH)
        silent = {leaf for leaf, seconds in quiet.items() if seconds > most}
        if silent - self._silent.leaves and now < self._gathered:
            silent &= self._silent.leaves
        new, over = self._silent.update(silent)
        if new:
            self._gathered = now + GATHER
            seconds = round(members.span(FRESH))
            room.tell(sentences.alarm("silent", who=members.names(new), seconds=seconds))
        self._over(over, "heard")
        most = members.span(GONE)
        gone = {leaf for leaf, seconds in quiet.items() if seconds > most}
        new, _ = self._gone.update(gone)
        if members.host:
            for leaf in new:
                who, seconds = members.name(leaf), round(members.span(GONE))
                room.tell(sentences.alarm("gone", who=who, leaf=leaf, seconds=seconds))

    def _judge_unheard(self, now: float) -> None:
        members = self._members
        deaf = {leaf for leaf, beats in self._deaf.items() if beats >= DEAF and leaf in members.others}
        everybody = deaf >= members.others.keys()
        if not deaf - self._unheard.leaves:
            self._deaf_since = None
        elif self._deaf_since is None:
            self._deaf_since = now
        if self._deaf_since is not None and not everybody and now - self._deaf_since < interval(len(deaf)):
            deaf &= self._unheard.leaves  # other beats follow within an interval: one alarm
        new, over = self._unheard.update(deaf)
        if new:
            key = "unheard.everybody" if everybody and len(new) > 1 else "unheard"
            self._room.tell(sentences.alarm(key, who=members.names(new)))
        self._over(over, "reaches")

    def _over(self, leaves: Iterable[int], what: Literal["heard", "reaches"]) -> None:
        here = [leaf for leaf in leaves if leaf in self._members.others]
        if here:
            self._room.tell(sentences.status(f"cleared.{what}", who=self._members.names(here)))
