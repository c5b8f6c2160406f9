"""Acts that succeed, and are documented as such: cryptography does not prevent them."""

from __future__ import annotations

import asyncio

from snugroom.lab.attacks.scenes.book import nobody_is_heard, scene
from snugroom.lab.attacks.stage import Stage
from snugroom.lab.attacks.verdict import Outcome, succeeds

_THEME = "plainly"


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
