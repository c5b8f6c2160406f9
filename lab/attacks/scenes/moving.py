"""Moving: the operator ends, blocks or drops a meeting whose host has named further servers."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

from snugroom.client.session import events as ev
from snugroom.crypto.proof.evidence import decode_evidence, verify_evidence
from snugroom.lab.attacks.member import Member
from snugroom.lab.attacks.naming import PERHAPS_SERVER
from snugroom.lab.attacks.scenes.book import goes_on, scene
from snugroom.lab.attacks.scenes.ending import false_words, wanting
from snugroom.lab.attacks.stage import Stage, room_of
from snugroom.lab.attacks.verdict import Outcome, detected, impossible
from snugroom.lab.simulation.tale import SERVER

_THEME = "ending"
#: Seconds until everybody has read what was written after the act.
_ON = 40.0
#: Posts in the lobby from this size on are knocks and answers to them.
_KNOCK = 2048


async def _went_on(stage: Stage, text: str) -> tuple[float | None, list[str]]:
    """Return the seconds from the act until everybody has read the host's words, and the harms."""
    assert stage.act_at is not None
    if not await stage.talk(text, _ON):
        return None, []
    took = stage.now - stage.act_at
    return took, [*false_words(stage.honest), *await goes_on(stage)]


def _signed(host: Member) -> int:
    """Return the number of members that signed in the host's evidence that they lost the meeting."""
    host.do(ev.SaveEvidence("evidence.json"))
    found = verify_evidence(decode_evidence(host.saved[-1]))
    return max((len(loss.keys) for loss in found.losses), default=0)


def _outcome(took: float | None, harms: list[str], where: str) -> Outcome:
    what = (
        "The meeting was over." if took is None else f"The meeting continued at {where} after {took:.1f} s."
    )
    return Outcome(took is None, what, harms=tuple(harms))


@scene(
    _THEME,
    "case 1",
    impossible("dropped", within=40.0, severity="attack", names=(SERVER,)),
    "The operator ends the meeting and refuses its number from then on; the meeting continues at the next "
    "server of its host's list, and every member is told who dropped it, and can keep evidence of it.",
    names=("Ada Brandt", "Bo Ekman", "Cem Aydin"),
    servers=("honest",),
)
async def ended_by_operator(stage: Stage) -> Outcome:
    """A meeting ends only by a host's signed message, and belongs to no server."""
    await stage.act("end")
    took, harms = await _went_on(stage, "Where were we?")
    await stage.told(["dropped"], 40.0)
    signed = len(stage.names)
    if not await stage.until(lambda: _signed(stage.host) == signed, _ON):
        harms.append("the host's evidence lacks a member's signature")
    harms += wanting(stage.host.saved[-1], stage.names)
    return _outcome(took, harms, "the next server")


@scene(
    _THEME,
    "case 1",
    impossible("away", within=20.0, severity="attention", names=(PERHAPS_SERVER,)),
    "The server answers nothing any more, and closes nothing, as if a censor swallowed its packets; members "
    "notice that by their own clocks, and the meeting continues at the next server.",
    servers=("honest",),
)
async def blocked_server(stage: Stage) -> Outcome:
    """Nothing tells a black hole from a slow network but time."""
    stage.mark()
    stage.operator.is_hostile = True
    os.kill(stage.operator.pid, signal.SIGSTOP)
    took, harms = await _went_on(stage, "Has anybody dug a hole?")
    return replace(_outcome(took, harms, "the next server"), attempts=1)


@scene(
    _THEME,
    "case 1",
    impossible("dropped", within=60.0, severity="attack", names=(SERVER,)),
    "The second server's operator ends the meeting as well, as soon as it has come there; it continues at "
    "the third, and everybody is told of both.",
    servers=("hostile", "honest"),
)
async def hostile_second(stage: Stage) -> Outcome:
    """A further server has the powers of the first one, and no more."""
    second = stage.further[0]
    await stage.act("end")
    took, harms = await _went_on(stage, "Here, then.")
    if took is not None:
        await second.begin("end")
        on = await stage.talk("Or here.", _ON)
        took = stage.now - (stage.act_at or 0.0) if on else None
        harms += [*false_words(stage.honest), *await goes_on(stage, "And still here?")]
        await stage.told(["dropped"], 40.0)
    return _outcome(took, harms, "the third server")


@scene(
    _THEME,
    "case 1",
    impossible("dropped", within=40.0, severity="attack", names=(SERVER,)),
    "The operator drops everybody just after a host has removed a member; that member knows no key of the "
    "next server's room, and the others continue there without it, and are told who dropped them.",
    servers=("honest",),
    names=("Ada", "Bo", "Cem", "Mallory"),
)
async def moved_evicted(stage: Stage) -> Outcome:
    """Doors at further servers derive from a key that changes with every departure."""
    mallory = stage.member("Mallory")
    stage.honest.remove(mallory)
    stage.host.do(ev.Remove(mallory.session.own_leaf or 0))
    await stage.need(stage.together, "Mallory was not removed")
    await stage.act("end")
    took, harms = await _went_on(stage, "Are we among ourselves?")
    if mallory.ended is None or mallory.ended.reason != "removed":
        harms.append("the removed member is not out")
    if ("Ada", "Are we among ourselves?") in mallory.said:
        harms.append("the removed member read on")
    await stage.told(["dropped"], 40.0)
    return _outcome(took, harms, "the next server, without Mallory,")


def _has_paused(stage: Stage, member: Member) -> bool:
    """Return whether it waits for a majority: it is told so and sends nothing, or looks for the others."""
    told = {note.kind for note in member.since(stage.act_at or 0.0)}
    return "looking" in told or ("stale" in told and stage.now - member.last_sealed > 0.5)


@scene(
    _THEME,
    "case 1",
    impossible("dropped", within=40.0, severity="attack", names=(SERVER,)),
    "The operator keeps two of four members out, who meet at the next server; with half of the members "
    "missing, nobody sends anything at either. The two are told who dropped them. The host has everybody go "
    "on at the next server, and all four meet there.",
    servers=("honest",),
    names=("Ada", "Bo", "Cem", "Dana"),
)
async def moved_half(stage: Stage) -> Outcome:
    """Half is no majority: sending waits on both sides until the sides have met."""
    await stage.act("kick", victim=3, others=[4])
    sending = {member.name for member in stage.honest}

    def nobody_sends() -> bool:
        # Each pauses once, not all at one time: the two may look for the others first, and find them.
        sending.difference_update(m.name for m in stage.honest if _has_paused(stage, m))
        return not sending

    await stage.until(nobody_sends, 40.0)
    stage.host.do(ev.Move())
    took, harms = await _went_on(stage, "There you are.")
    if sending:
        harms.append("members went on sending although half of them were missing")
    outcome = _outcome(took, harms, "the next server")
    return replace(outcome, watchers=("Cem", "Dana"))


@scene(
    _THEME,
    "case 1",
    impossible("dropped", within=40.0, severity="attack", names=(SERVER,)),
    "The operator ends the meeting, which continues at the next server, and repeats the host's old cards to "
    "a newcomer in its lobby, so that it waits there; it takes none of them, and finds the meeting.",
    servers=("honest",),
)
async def repeated_card(stage: Stage) -> Outcome:
    """A card answers the requests that it names, and no later one."""
    await stage.operator.begin("record")
    stage.host.welcome |= {"Dana", "Eda"}
    stage.knock("Dana")
    await stage.need(stage.together, "Dana did not get in")
    await stage.operator.end("record")
    cards = [
        blob for kind, by, blob in stage.operator.blobs if kind == "post" and by == 1 and len(blob) < _KNOCK
    ]
    await stage.operator.begin("alter_lobby", how="drop", sender=1)
    await stage.act("end")
    took, harms = await _went_on(stage, "Where were we?")
    if took is None or not cards:
        return _outcome(None, [*harms, *([] if cards else ["no card was recorded"])], "the next server")
    newcomer = stage.knock("Eda")
    end = stage.now + _ON
    while stage.now < end and not newcomer.session.inside:
        await stage.act("inject", into="lobby", blob=cards[-1])
        await stage.until(lambda: newcomer.session.inside, 1.0)
    inside = newcomer.session.inside
    if not inside:
        stage.honest.remove(newcomer)
    else:
        harms += await goes_on(stage)
    what = "Eda found the meeting at the next server."
    return Outcome(not inside, what, watchers=stage.names, harms=tuple(harms))


@scene(
    _THEME,
    "case 2",
    detected("withheld", within=8.0, severity="attack", names=("Ada", "Cem", PERHAPS_SERVER)),
    "A host removes somebody, and the operator keeps that from one member, with all heartbeats that speak of "
    "it. In a mirrored meeting they also come by the second server, and that member is told within seconds "
    "which server withholds a change.",
    names=("Ada", "Bo", "Cem", "Eve"),
    servers=("honest",),
    mirror=True,
)
async def mirror_tells(stage: Stage) -> Outcome:
    """Two members have signed what one server keeps back, and the other one has delivered it."""
    bo, eve = stage.member("Bo"), stage.member("Eve")
    await stage.need(
        lambda: all(room_of(m.session).next_is_ready for m in stage.honest), "not everybody is at the mirror"
    )
    stage.honest.remove(eve)
    stage.others.append(eve)
    await stage.act("withhold", victims=[2, 4])
    stage.host.do(ev.Remove(stage.host.leaf_of("Eve")))
    await stage.told(["withheld"], 20.0, [bo])
    heard = eve.last_opened.get("Bo", 0.0) > (stage.act_at or 0.0)
    notes = bo.since(stage.act_at or 0.0)
    named = any(each.kind == "withheld" and stage.operator.url in each.text for each in notes)
    harms = [] if named else ["Bo was not told which server withholds the change"]
    if not await stage.until(lambda: stage.now - bo.last_sealed > 2.0, 10.0):
        harms.append("Bo's media went on to somebody who had been removed")
    return Outcome(
        heard, "Bo was told within seconds that this server keeps a change back.", watchers=("Bo",),
        harms=tuple(harms),
    )  # fmt: skip
