"""What the server sees of any meeting, and acts that no cryptography prevents."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from functools import partial

from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.entry.contacts import Contacts
from snugroom.client.session.options import Options
from snugroom.lab.attacks.member import Member
from snugroom.lab.attacks.scenes.book import nobody_is_heard, scene
from snugroom.lab.attacks.stage import Stage
from snugroom.lab.attacks.verdict import Outcome, impossible, succeeds

_THEME = "plainly"
#: How often the operator cuts a connection, and the numbers of the two that it compares.
_CUTS = 5
_NUMBERS = {4: "Eda", 5: "Fay"}


@scene(
    _THEME,
    "case 5",
    succeeds(severity="none"),
    "The server sees which connections there are, from which addresses, and when how many bytes went by: not "
    "what was said, but that somebody was there.",
)
async def addresses_and_timing(stage: Stage) -> Outcome:
    """Relays, onion services and shaping hide a part. `snug lab leakage` measures the remainder."""
    await stage.act("record")
    await asyncio.sleep(2.0)
    frames = await stage.recorded()
    senders = {frame.sender for frame in frames}
    stage.intruder.attack(frames, stage.truth.plain)
    return Outcome(
        len(senders) == len(stage.names),
        f"The operator counted {len(senders)} senders and {len(frames)} frames in two seconds.",
    )


@scene(
    _THEME,
    "case 5",
    impossible(severity="attention"),
    "The operator cuts one member's connection a few times, and counts what the others send when it is back. "
    "All members send vouches or dummies on clocks of their own, as many as ever: the server does not learn "
    "which of them has shown it an identity.",
    names=("Ada", "Bo"),
)
async def vouch_traffic(stage: Stage) -> Outcome:
    """A vouch takes the place of a dummy. Each member sends these on a clock of its own."""
    stage.host.welcome |= {"Dana", "Eda", "Fay"}
    for name in ("Dana", "Eda", "Fay"):
        stage.knock(name, make_session=_with_identity(name), media=False)
        await stage.need(stage.together, f"{name} did not get in")
    dana, eda = stage.member("Dana"), stage.member("Eda")
    eda.do(ev.Vouch(eda.leaf_of("Dana")))
    shown = lambda: any(isinstance(event, ev.Vouched) for event in dana.events)  # noqa: E731
    await stage.need(shown, "Eda's identity was not shown")
    sizes: Counter[str] = Counter()
    sent: Counter[str] = Counter()
    for _ in range(_CUTS):
        back = _returns(dana)
        first = len(stage.operator.blobs)
        await stage.operator.begin("record")
        await stage.act("kick", victim=3, keep=False)
        await stage.until(partial(_is_back, dana, back), 10.0)
        await asyncio.sleep(2.0)
        await stage.operator.end("record")
        await stage.operator.end("kick")
        for kind, by, blob in stage.operator.blobs[first:]:
            if kind == "broadcast" and by in _NUMBERS:
                sent[_NUMBERS[by]] += 1
                sizes[_NUMBERS[by]] += len(blob)
    harms = () if await stage.talk("Is everybody here?") else ("words of the host no longer reach everybody",)
    return Outcome(
        sent["Eda"] >= sent["Fay"] + _CUTS - 1,
        f"Of two silent members, the one that had shown an identity sent {sent['Eda']} broadcasts around "
        f"{_CUTS} cuts ({sizes['Eda']} bytes), and the other {sent['Fay']} ({sizes['Fay']} bytes).",
        harms=harms,
    )


def _returns(member: Member) -> int:
    return sum(note.kind == "back" for note in member.notes)


def _is_back(member: Member, before: int) -> bool:
    return _returns(member) > before


def _with_identity(name: str) -> Callable[[str, float], Session]:
    return lambda link, now: Session.join(
        link, name=name, options=Options(contacts=Contacts.new(os.urandom)), now=now
    )


@scene(
    _THEME,
    "case 4",
    succeeds(severity="none"),
    "A member who is in the room can record it, photograph it, or say who was there: no encryption hinders "
    "who holds the keys.",
    hostile=("Bo",),
)
async def member_records(stage: Stage) -> Outcome:
    """Faces and voices identify people."""
    bo = stage.member("Bo")
    before = bo.opened.total()
    stage.mark()
    await asyncio.sleep(2.0)
    kept = bo.opened.total() - before
    return Outcome(kept > 50, f"Bo had {kept} frames to keep.", attempts=1)


@scene(
    _THEME,
    "case 1",
    succeeds(severity="attention"),
    "The operator refuses all service, and nothing hinders it. Members are told that the server is away: not "
    "silently, and not for a reason found in the content.",
)
async def denial_of_service(stage: Stage) -> Outcome:
    """Refusing service to one member alone is also noticed: see `kicked` and `selective_drop`."""
    stage.mark()
    await stage.operator.switch_off()
    told = await stage.told(["away"], 20.0)
    over = await nobody_is_heard(stage)
    harms = [
        f"{m.name} took it for a member's act"
        for m in stage.honest
        if m.ended is not None and m.ended.reason in ("removed", "ended")
    ]
    if not told:
        harms.append("not everybody was told that the server is away")
    what = "Nobody had a meeting there any more."
    return Outcome(over, what, harms=tuple(harms), loses=True, attempts=1)
