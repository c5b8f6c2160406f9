"""Ending: meetings ended on invented grounds, removed members, and silenced members."""

from __future__ import annotations

import asyncio

import msgspec

from snugroom.client.session import events as ev
from snugroom.crypto.errors import SnugError
from snugroom.crypto.proof.evidence import decode_evidence, verify_evidence
from snugroom.lab.attacks import mallory
from snugroom.lab.attacks.member import Member
from snugroom.lab.attacks.naming import PERHAPS_SERVER, YOURS
from snugroom.lab.attacks.scenes.book import counts, gained, goes_on, nobody_is_heard, scene
from snugroom.lab.attacks.stage import Stage
from snugroom.lab.attacks.verdict import Outcome, detected, impossible
from snugroom.lab.simulation.tale import SERVER

_THEME = "ending"
#: Seconds until members detect that media does not reach a member: three heartbeats, and a margin.
_REACH = 40.0
#: The subject of each member's alarm when Bo's sound and video do not arrive.
_BO_IS_UNHEARD = {"Ada": ("Bo",), "Bo": (YOURS,), "Cem": ("Bo",)}


def false_words(members: list[Member]) -> list[str]:
    """Return the endings that blame a member although no member acted."""
    return [
        f"{m.name} was told: {m.ended.text}"
        for m in members
        if m.ended is not None and m.ended.reason in ("removed", "ended")
    ]


def wanting(kept: bytes, names: tuple[str, ...]) -> list[str]:
    """Return the defects that a third party would find in evidence of a drop."""
    wanting = []
    try:
        read = decode_evidence(kept)
        found = verify_evidence(read)
    except SnugError as error:
        return [f"the evidence does not hold: {error}"]
    if len(found.members) < len(names):
        wanting.append("the evidence does not show when each member was heard last")
    probes = [e.probe.receipt for e in found.exhibits if e.probe is not None]
    if not any(probes):
        wanting.append("the server's own signature that it served others is not in the evidence")
    # the file has heartbeats in base64, so their bytes are searched too; two-letter names occur in noise
    read_whole = [kept, *(signed.beat for e in read.exhibits for signed in e.beats)]
    if any(name.encode() in data for name in names for data in read_whole) or any(
        e.leaves for e in read.exhibits
    ):
        wanting.append("the evidence shows names that nobody asked to be shown")
    first = read.exhibits[0]
    beat = first.beats[0]
    other = msgspec.structs.replace(beat, beat=beat.beat[:-1] + bytes([beat.beat[-1] ^ 1]))
    altered = msgspec.structs.replace(first, beats=[other, *first.beats[1:]])
    try:
        verify_evidence(msgspec.structs.replace(read, exhibits=[altered]))
    except SnugError:
        return wanting
    return [*wanting, "altered evidence holds as well"]


async def _bo_is_out(stage: Stage, act: str) -> Outcome:
    """Keep Bo out by that act, until Bo was told."""
    bo = stage.member("Bo")
    await stage.act(act, victim=2)
    await asyncio.sleep(0.5)
    before = counts(stage)
    await stage.told(["dropped"], 30.0, [bo])
    out = gained(stage, before, "Ada", "Bo") == 0 and gained(stage, before, "Bo", "Ada") == 0
    harms = tuple(false_words([bo]))
    await stage.operator.end(act)
    return Outcome(
        out, "Bo was kept out for as long as the operator liked, and knew by whom.", watchers=("Bo",),
        harms=harms + await goes_on(stage), loses=True,
    )  # fmt: skip


@scene(
    _THEME,
    "case 1",
    detected("dropped", within=25.0, severity="attack", names=(SERVER,)),
    "The operator throws one member out, and says that the host did; it is told that the server dropped it, "
    "and that nobody in the room did.",
)
async def kicked(stage: Stage) -> Outcome:
    """The server's text is shown as the server's. A removal is valid only with a host's signature."""
    return await _bo_is_out(stage, "kick")


@scene(
    _THEME,
    "case 1",
    detected("dropped", within=25.0, severity="attention", names=(PERHAPS_SERVER,)),
    "The operator cuts one member off and accepts no new connection, as if the server were down; it is told "
    "that the server answers, and keeps it out.",
)
async def shut_out(stage: Stage) -> Outcome:
    """A server that answers HTTP is not down. Behind `snug page`, the page's own machine asks it."""
    return await _bo_is_out(stage, "shut_out")


@scene(
    _THEME,
    "case 1",
    detected("dropped", within=30.0, severity="attack", names=(SERVER,)),
    "The operator ends a meeting that has no further server, and refuses its number from then on; every "
    "member is told that nobody in the room did, and can keep evidence of it.",
    names=("Ada Brandt", "Bo Ekman", "Cem Aydin"),
)
async def ended_for_good(stage: Stage) -> Outcome:
    """A meeting ends only by a host's signed message."""
    await stage.act("end")
    await stage.told(["dropped"], 35.0)
    over = await nobody_is_heard(stage)
    harms = list(false_words(stage.honest))
    stage.host.do(ev.SaveEvidence("evidence.json"))
    (kept,) = stage.host.saved
    harms += wanting(kept, stage.names)
    return Outcome(over, "The meeting was over, and everybody knew by whom.", harms=tuple(harms), loses=True)


async def _excused(stage: Stage, code: str, kinds: list[str]) -> Outcome:
    """End the meeting with this excuse, until everybody has been told."""
    await stage.act("excuse", code=code)
    await stage.told(kinds, 40.0)
    over = await nobody_is_heard(stage)
    return Outcome(over, "The meeting was over.", harms=tuple(false_words(stage.honest)), loses=True)


@scene(
    _THEME,
    "case 1",
    detected("full", within=30.0, severity="attention", names=(PERHAPS_SERVER,)),
    "The operator ends a meeting and refuses its members as if the server were full; strangers can fill a "
    "server, so nobody is accused, and everybody is told what the server says.",
)
async def ended_as_full(stage: Stage) -> Outcome:
    """A server's excuse is its word. Evidence says to whom it gave it."""
    return await _excused(stage, "full", ["full"])


@scene(
    _THEME,
    "case 1",
    detected("dropped", within=30.0, severity="attack", names=(SERVER,)),
    "The operator ends a meeting and refuses its members for want of a token, although its server asks "
    "nobody for one: every member is told that it contradicts itself.",
)
async def ended_as_permission(stage: Stage) -> Outcome:
    """The challenge to each connection says whether a token is wanted."""
    return await _excused(stage, "permission", ["dropped"])


@scene(
    _THEME,
    "case 1",
    impossible("following", within=40.0, severity="attention", names=("Ada",)),
    "The operator cuts off the host alone and keeps all others, who would fall silent without its word; they "
    "look for it at the next server, and the meeting continues there.",
    servers=("honest",),
)
async def shut_out_host(stage: Stage) -> Outcome:
    """A host that is missing is a reason to look elsewhere beside staying."""
    await stage.act("shut_out", victim=1)
    on = await stage.talk("Can you hear me again?", 60.0)
    heard = on and await stage.heard(seconds=30.0)
    others = tuple(m.name for m in stage.honest[1:])
    await stage.operator.end("shut_out")
    harms = false_words(stage.honest)
    return Outcome(not heard, "The others met the host elsewhere.", watchers=others, harms=tuple(harms))


@scene(
    _THEME,
    "case 1",
    detected("server_key", within=60.0, severity="attack", names=(SERVER,)),
    "The operator plays a restart to one member alone: its server has another key and no room any more. The "
    "member hears nobody, sends nothing after 15 s, and is told as soon as it hears the others again.",
)
async def restart_for_one(stage: Stage) -> Outcome:
    """To one member, a restarted server and one that plays a restart look alike at first."""
    bo = stage.member("Bo")
    await stage.act("restart_for_one", victim=2)
    await asyncio.sleep(1.0)
    before = counts(stage)
    await stage.told(["stale"], 35.0, [bo])
    out = gained(stage, before, "Ada", "Bo") == 0 and gained(stage, before, "Bo", "Ada") == 0
    harms = tuple(false_words([bo]))
    await stage.operator.end("restart_for_one")
    await stage.told(["server_key"], 25.0, [bo])
    return Outcome(
        out, "Bo was alone in a room.", watchers=("Bo",), harms=harms + await goes_on(stage), loses=True
    )


@scene(
    _THEME,
    "case 1",
    impossible("false_end", within=3.0, severity="attention", names=("Bo",)),
    "A member who is no host says that the meeting is over; it goes on, and everybody is told who tried.",
    hostile=("Bo",),
)
async def ended_by_a_member(stage: Stage) -> Outcome:
    """SNUG-18: END comes from a host, on the current chain."""
    stage.mark()
    mallory.false_end(stage.member("Bo").session)
    # a client sends a relayed message with its next input
    stage.member("Bo").do(ev.Tick())
    others = [m for m in stage.honest if m.name != "Bo"]
    await stage.told(["false_end"], 8.0, others)
    over = any(m.ended is not None for m in stage.honest)
    return Outcome(
        over, "The meeting went on.", watchers=tuple(m.name for m in others), harms=await goes_on(stage),
        attempts=1,
    )  # fmt: skip


@scene(
    _THEME,
    "case 6",
    detected("not_reaching", within=_REACH, severity="attention", names=_BO_IS_UNHEARD),
    "The operator lets nobody hear or see one member; its frames are signed for by nobody, and it is told "
    "that it isn't heard.",
)
async def silenced(stage: Stage) -> Outcome:
    """All other traffic continues, so that nothing seems wrong."""
    await stage.act("silence", victim=2)
    await asyncio.sleep(1.0)
    before = counts(stage)
    await stage.told(["not_reaching"], _REACH + 5, [stage.member("Bo")])
    heard = sum(gained(stage, before, "Bo", by) for by in ("Ada", "Cem"))
    await stage.operator.end("silence")
    return Outcome(
        heard < 5, "Nobody heard Bo, and Bo was told so.", watchers=("Bo",), harms=await goes_on(stage)
    )


@scene(
    _THEME,
    "case 7",
    detected("not_reaching", within=_REACH, severity="attention", names=_BO_IS_UNHEARD),
    "The operator keeps one member's media from another and from nobody else; both are told who doesn't "
    "reach whom.",
)
async def selective_drop(stage: Stage) -> Outcome:
    """Heartbeats carry each member's signed counts of sent and received frames."""
    await stage.act("silence", victim=2, listeners=[3])
    await asyncio.sleep(1.0)
    before = counts(stage)
    await stage.told(["not_reaching"], _REACH + 5, [stage.member("Bo"), stage.member("Cem")])
    heard, elsewhere = gained(stage, before, "Bo", "Cem"), gained(stage, before, "Bo", "Ada")
    await stage.operator.end("silence")
    return Outcome(
        heard < 5 and elsewhere > 20, "Bo did not reach Cem, and both were told.", watchers=("Bo", "Cem"),
        harms=await goes_on(stage),
    )  # fmt: skip
