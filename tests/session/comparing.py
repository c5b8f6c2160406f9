"""Runs of the short code: what each member was shown, and programs that keep parts of a run back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from snugroom.client.session import events as ev
from snugroom.client.session.catalogue import content
from snugroom.client.session.features.comparing import Comparing, _Request
from snugroom.crypto.kdf import H
from snugroom.lab.simulation.world import Participant, World

NAMES = ("Ada", "Bo", "Cem", "Dana", "Eve", "Finn", "Gül", "Hana", "Ines", "Jon", "Kim", "Lea")
OURS = {"code_fork", "code_cheat", "code_aborted", "code_different"}


def part(who: Participant) -> Comparing:
    feature = who.room.feature(Comparing)
    assert isinstance(feature, Comparing)
    return feature


def codes(who: Participant) -> list[ev.ShortCode]:
    return [e for e in who.told if isinstance(e, ev.ShortCode)]


def comparisons(who: Participant) -> list[ev.Comparison]:
    return [e for e in who.told if isinstance(e, ev.Comparison)]


def texts(who: Participant, kind: str) -> list[str]:
    return [e.text for e in who.told if isinstance(e, ev.Alarm | ev.Status) and e.kind == kind]


def ours(who: Participant) -> list[str]:
    return [kind for kind in who.alarms if kind in OURS]


def have_code(w: World, people: Sequence[Participant], most: float = 20.0) -> None:
    """All are shown one code, of one epoch, for the same people."""
    w.until(lambda: all(codes(p) for p in people), most, "a code for everybody")
    assert len({codes(p)[-1] for p in people}) == 1


def same(w: World, *people: Participant) -> None:
    for p in people:
        w.do(p, ev.Compared(True))


def keeps_back(who: Participant, kind: type[content.Content]) -> list[content.Content]:
    """Withhold a member's messages of that kind from now on. Returns the withheld messages."""
    feature = part(who)
    kept: list[content.Content] = []
    real = feature._say

    def say(what: content.AnyContent) -> None:
        if isinstance(what, kind):
            kept.append(what)
        else:
            real(what)

    feature._say = say  # type: ignore[method-assign]
    return kept


def open_run(who: Participant, sid: bytes, now: float) -> None:
    """Make a member's program send OPEN, even if it would refuse that itself."""
    m, feature = who.room.membership, part(who)
    feature._request = _Request(now, sid=sid, sent_at=now)
    leaves = [leaf for leaf, _, _ in m.members()]
    what = content.CodeOpen(sid, m.group.epoch, m.journal.chain, leaves)
    feature._mine[H(who.room.relay(what))] = what


def new_since(who: Participant) -> list[str]:
    return [m.name for m in comparisons(who)[-1].members if m.new_since]


def compared(
    w: World, *names: str, how: Callable[[World, Participant], None] | None = None
) -> list[Participant]:
    people = w.meeting(*names)
    if how is None:
        w.do(people[0], ev.Compare())
        have_code(w, people)
        same(w, people[0])
    else:
        how(w, people[0])
    return people
