"""Messages and slots: split meetings, withheld commits, false reports, and floods."""

from __future__ import annotations

import asyncio

from snugroom.client.session import events as ev
from snugroom.client.session.kernel.intents import HealIntent
from snugroom.client.session.monitor.freshness import FRESH
from snugroom.client.session.monitor.heartbeats import INTERVAL_MIN
from snugroom.crypto import mls
from snugroom.crypto.errors import SnugError
from snugroom.crypto.proof.evidence import decode_evidence, merge, verify_evidence
from snugroom.lab.attacks import mallory
from snugroom.lab.attacks.intruder import Intruder
from snugroom.lab.attacks.member import Member
from snugroom.lab.attacks.naming import PERHAPS_SERVER, blamed
from snugroom.lab.attacks.scenes.book import counts, gained, goes_on, scene
from snugroom.lab.attacks.stage import Stage, room_of
from snugroom.lab.attacks.verdict import NOBODY, Outcome, detected, impossible
from snugroom.lab.simulation.tale import SERVER

_THEME = "slots"
#: Seconds: how long freshness lasts, how old a heartbeat may be, and a margin.
_FRESH = FRESH[0] + INTERVAL_MIN + 5.0
#: The members that each one no longer hears when the meeting is split.
_OTHER_HALF = {**dict.fromkeys(("Ada", "Bo"), ("Cem", "Dan")), **dict.fromkeys(("Cem", "Dan"), ("Ada", "Bo"))}
#: Two members have signed what they were given: that is a proof against the server, or against both.
_BOTH_SIGN = ("Ada", "Cem", PERHAPS_SERVER)
#: Seconds for a second member's heartbeat: one member's word is no proof against the server.
_SECOND = 2 * INTERVAL_MIN
#: Changes ahead that a member claims, and the seconds for which it does.
_FAR_AHEAD, _LONG = 5000, 25.0
#: Seconds between two looks at who sends, and the most that one claim may silence others, with a margin.
_LOOK, _CLAIM_HOLDS = 0.5, 3.0 + 2.0


@scene(
    _THEME,
    "case 7",
    detected("stale", within=_FRESH + 5, severity="attention", names=_OTHER_HALF),
    "The operator splits the meeting in two, each half with its own changes: both are told within seconds, "
    "and media stops where nobody vouches for the other half.",
    names=("Ada", "Bo", "Cem", "Dan"),
)
async def partition(stage: Stage) -> Outcome:
    """Heartbeats do not cross the split, and half of the room is too little to continue."""
    await stage.act("partition", apart=[3, 4])
    await asyncio.sleep(1.0)
    before = counts(stage)
    await stage.told(["stale"], _FRESH + 10)
    across = gained(stage, before, "Ada", "Cem") + gained(stage, before, "Cem", "Ada")
    return Outcome(across == 0, "The halves no longer heard each other, and all were told.")


@scene(
    _THEME,
    "case 7",
    detected("two_stories", within=15.0, severity="attention", names=(PERHAPS_SERVER,)),
    "One member is led into a world of its own, in which a slot holds another change, with the server's "
    "signature on both; beats cross, and everybody is told of two stories.",
)
async def two_stories(stage: Stage) -> Outcome:
    """One slot has two chains, both signed. A member who holds both has proof against the server."""
    await _part(stage)
    await stage.told(["two_stories"], 20.0)
    apart = _chain(stage.host) != _chain(stage.member("Cem"))
    harms = []
    kept = []
    for member in (stage.host, stage.member("Cem")):
        member.do(ev.SaveEvidence("evidence.json"))
        kept.append(decode_evidence(member.saved[-1]))
    found = verify_evidence(merge(kept))
    if not any(len(chains) > 1 for chains in found.receipts.values()):
        harms.append("the server's two signatures can't be shown together")
    return Outcome(
        apart,
        "Cem lived in another story; both of the server's signatures are in the evidence.",
        harms=tuple(harms),
    )


async def _part(stage: Stage) -> None:
    """Give Cem a separate world, and fill the same slot differently in the two worlds."""
    await stage.act("partition", apart=[3], beats=True, media=True)
    cem = stage.member("Cem")
    room = room_of(cem.session)
    before = room.membership.journal.slot
    stage.host.do(ev.Lock(True))
    room.queue(HealIntent(room.membership.group.epoch), cem.connection.clock())
    cem.do(ev.Tick())
    await stage.until(lambda: room.membership.journal.slot > before, 10.0)


def _chain(member: Member) -> bytes:
    return room_of(member.session).membership.journal.chain


@scene(
    _THEME,
    "case 7",
    impossible("code_different", within=12.0, severity="attack", names=NOBODY),
    "Two worlds of one meeting are to show one code, so that comparing tells nothing: the codes differ, and "
    "who compares them is told what that means.",
)
async def one_code_for_two_worlds(stage: Stage) -> Outcome:
    """The code has 40 digits and covers the whole history of the room."""
    await _part(stage)
    await asyncio.sleep(1.0)
    codes = {m.name: room_of(m.session).membership.code for m in stage.honest}
    same = codes["Ada"] == codes["Cem"]
    for member in (stage.host, stage.member("Cem")):
        member.do(ev.Compared(same=same, digits=codes[member.name]))
    await stage.told(["code_different"], 8.0, [stage.host, stage.member("Cem")])
    return Outcome(same, "Ada and Cem read other digits to each other.", watchers=("Ada", "Cem"))


@scene(
    _THEME,
    "case 2",
    detected("stale", within=_FRESH + 5, severity="attention", names=("Ada",)),
    "A host removes somebody, and the operator keeps that from one member, who goes on talking to who is "
    "gone: within 15 s freshness is gone, and all that it sends waits. The meeting is strict; in others it "
    "takes up to 60 s.",
    names=("Ada", "Bo", "Cem", "Eve"),
    strict=True,
)
async def withheld_removal(stage: Stage) -> Outcome:
    """Bo is notified and stops. Until then Eve hears only media of an epoch that it was a member of."""
    bo, eve = stage.member("Bo"), stage.member("Eve")
    intruder = Intruder()
    intruder.take_session(eve.session)
    stage.honest.remove(eve)
    stage.others.append(eve)
    await stage.act("withhold", victims=[2, 4])
    stage.host.do(ev.Remove(stage.host.leaf_of("Eve")))
    await stage.told(["stale"], _FRESH + 10, [bo])
    heard = eve.last_opened.get("Bo", 0.0) > (stage.act_at or 0.0)
    # from here on, no member may send anything more to Eve
    paused = await stage.until(lambda: stage.now - bo.last_sealed > 2.0, 10.0)
    await stage.operator.begin("record")
    await asyncio.sleep(2.0)
    frames = [f for f in await stage.recorded() if f.sender in (1, 2, 3)]
    intruder.take_session(eve.session)
    stage.intruder = intruder
    intruder.attack(frames, stage.truth.plain)
    harms = () if paused else ("Bo's media went on to somebody who had been removed",)
    return Outcome(
        heard, "Bo went on talking to Eve until freshness was gone, and no longer.", watchers=("Bo",),
        harms=harms,
    )  # fmt: skip


@scene(
    _THEME,
    "field",
    impossible("two_stories", within=3.0, severity="attack", names=(SERVER,)),
    "The server tells one member another chain than the rest, signed: that member is told at once.",
)
async def lie_about_chain(stage: Stage) -> Outcome:
    """Every member computes the chain alone; a server can only disagree with it."""
    bo = stage.member("Bo")
    await stage.act("lie_about_slot", victim=2)
    stage.host.welcome.add("Dana")
    stage.knock("Dana")
    await stage.told(["two_stories"], 15.0, [bo])
    await stage.operator.end("lie_about_slot")
    harms = await goes_on(stage)
    return Outcome(bool(harms), "Bo kept to its own chain.", watchers=("Bo",), harms=harms)


@scene(
    _THEME,
    "case 7",
    impossible("receipt", within=10.0, severity="attack", names=(SERVER,)),
    "The server hands out receipts that hold it to nothing; everybody is told with the next change.",
)
async def forged_receipts(stage: Stage) -> Outcome:
    """The signature of an old slot is not a receipt for this one."""
    await stage.act("old_receipts")
    stage.host.welcome.add("Dana")
    stage.knock("Dana")
    await stage.told(["receipt"], 15.0, stage.honest[:3])
    await stage.operator.end("old_receipts")
    kept = 0
    for member in stage.honest[:3]:
        member.do(ev.SaveEvidence("evidence.json"))
        try:
            verify_evidence(decode_evidence(member.saved[-1]))
        except SnugError:
            kept += 1
    return Outcome(
        kept > 0,
        "No false receipt was taken for one.",
        watchers=stage.names,
        harms=await goes_on(stage),
    )


@scene(
    _THEME,
    "field",
    detected("void_commit", within=3.0, severity="attack", names=NOBODY),
    "Slots are taken with noise, many a second, so that no change gets through while it lasts: each is void, "
    "people are told, and the room goes on afterwards.",
)
async def commit_flood(stage: Stage) -> Outcome:
    """No member is lost, and media never stops."""
    before = counts(stage)
    await stage.act("commit_flood", rate=5, most=15)
    await stage.told(["void_commit"], 8.0)
    await asyncio.sleep(3.5)
    silent = [
        f"{a} was not heard by {b} while it lasted"
        for a in stage.names
        for b in stage.names
        if a != b and gained(stage, before, a, b) < 20
    ]
    deeds = await stage.operator.end("commit_flood")
    return Outcome(
        deeds.total() > 5, f"{deeds.total()} slots were taken with noise.",
        harms=tuple(silent) + await goes_on(stage),
    )  # fmt: skip


@scene(
    _THEME,
    "case 2",
    impossible("void_commit", within=3.0, severity="attack", names=("Cem",)),
    "A member who is no host removes another: the change is void for everybody, and its author is named.",
    hostile=("Cem",),
)
async def bad_commit(stage: Stage) -> Outcome:
    """Cem signs the commit with its own key."""
    cem = stage.member("Cem")
    forged = mallory.forged_commit(cem.session, [mls.Remove(cem.leaf_of("Bo"))])
    await stage.act("inject", into="slot", blob=forged.blob)
    others = [stage.host, stage.member("Bo")]
    await stage.told(["void_commit"], 8.0, others)
    named = all(
        any("Cem" in note.text for note in m.since(0.0) if note.kind == "void_commit") for m in others
    )
    gone = any("Bo" not in m.roster for m in stage.honest)
    harms = () if named else ("the author was not named",)
    return Outcome(
        gone, "Bo stayed, and Cem was named.", watchers=tuple(m.name for m in others),
        harms=harms + await goes_on(stage),
    )  # fmt: skip


@scene(
    _THEME,
    "field",
    impossible("withheld", within=15.0, severity="attention", names=("Bo",)),
    "A member signs heartbeats that name changes which nobody has, to make the others stop: they wait for "
    "3 s at most, and are told who says so.",
    hostile=("Bo",),
)
async def one_member_claims(stage: Stage) -> Outcome:
    """One member's word stops nobody: a claim without a proof holds for a moment, once."""
    others = [m for m in stage.honest if m.name != "Bo"]
    stage.mark()
    silent, since = 0.0, stage.now
    with mallory.claims_ahead(stage.member("Bo").session, _FAR_AHEAD):
        while stage.now - since < _LONG:
            before = stage.now
            await asyncio.sleep(_LOOK)
            if any(stage.now - m.last_sealed > _LOOK for m in others):
                silent += stage.now - before
    harms = await goes_on(stage)
    return Outcome(
        silent > _CLAIM_HOLDS, f"The others were silent for {silent:.1f} s of {_LONG:.0f}.",
        watchers=tuple(m.name for m in others), harms=harms, attempts=1,
    )  # fmt: skip


@scene(
    _THEME,
    "field",
    impossible(severity="none"),
    "One bit of every message to a member is altered: none is shown otherwise than it was said.",
)
async def altered_words(stage: Stage) -> Outcome:
    """A message that cannot be opened costs one check and is not shown."""
    bo = stage.member("Bo")
    await stage.act("flip", what="relays", receiver=2)
    for number in range(3):
        stage.say(stage.host, f"This is word {number}.")
    await stage.until(lambda: len(stage.member("Cem").said) >= 3, 8.0)
    await asyncio.sleep(0.5)
    wrong = [said for said in bo.said if said not in stage.words]
    await stage.operator.end("flip")
    return Outcome(bool(wrong), "No altered word was shown.", harms=await goes_on(stage))


@scene(
    _THEME,
    "field",
    impossible("reordered", within=5.0, severity="attack", names=(SERVER,)),
    "Every message is handed over twice, as if it were new: each is shown once, and everybody is told.",
)
async def replayed_words(stage: Stage) -> Outcome:
    """A key opens one message, once."""
    await stage.act("replay", what="relays", back=1)
    for number in range(4):
        stage.say(stage.host, f"This is word {number}.")
    others = stage.honest[1:]
    await stage.until(lambda: all(len(m.said) >= 4 for m in others), 8.0)
    await stage.told(["reordered"], 8.0)
    await asyncio.sleep(0.5)
    twice = any(len(m.said) != len(set(m.said)) for m in others)
    await stage.operator.end("replay")
    return Outcome(twice, "Every word was shown once.", harms=await goes_on(stage))


async def _proven(stage: Stage, member: Member, seconds: float) -> None:
    """Wait until the member is told, and until a second one's heartbeat has said the same of the server."""
    if await stage.told(["reordered"], seconds, [member]):
        at = stage.act_at or 0.0
        await stage.until(lambda: any(line.severity == "attack" for line in member.lines_since(at)), _SECOND)


@scene(
    _THEME,
    "case 7",
    detected("reordered", within=20.0, severity="attack", names=_BOTH_SIGN),
    "The operator keeps one member's words from another; what each has been given is signed in beats, and "
    "they are told.",
)
async def dropped_words(stage: Stage) -> Outcome:
    """The operator cannot know whether a dropped relay was a chat message."""
    bo = stage.member("Bo")
    await stage.act("drop", what="relays", receiver=2, every=2)
    for number in range(6):
        stage.say(stage.host, f"This is word {number}.")
    await stage.until(lambda: len(stage.member("Cem").said) >= 6, 8.0)
    await _proven(stage, bo, 25.0)
    missing = len(bo.said) < 6
    await stage.operator.end("drop")
    return Outcome(missing, "Bo was not shown all, and was told.", watchers=("Bo",))


@scene(
    _THEME,
    "case 7",
    detected("reordered", within=25.0, severity="attack", names=_BOTH_SIGN),
    "The operator holds words back from one member, for later: beats tell that others have more.",
)
async def delayed_words(stage: Stage) -> Outcome:
    """A slow network looks the same, so members are notified that messages are missing, and not why."""
    bo = stage.member("Bo")
    await stage.act("delay", what="relays", receiver=2, seconds=60)
    for number in range(3):
        stage.say(stage.host, f"This is word {number}.")
    await stage.until(lambda: len(stage.member("Cem").said) >= 3, 8.0)
    await _proven(stage, bo, 30.0)
    missing = len(bo.said) < 3
    await stage.operator.end("delay")
    came = await stage.until(lambda: len(bo.said) >= 3, 8.0)
    harms = await goes_on(stage) if came else ("what was held back never came",)
    return Outcome(missing, "Bo had to wait for what was said, and knew.", watchers=("Bo",), harms=harms)


@scene(
    _THEME,
    "case 7",
    detected("reordered", within=20.0, severity="attack", names=_BOTH_SIGN),
    "The operator gives one member the same messages in another order: answers before questions; it is told.",
)
async def reordered_words(stage: Stage) -> Outcome:
    """The server's numbers look right. Heartbeats sign which message each member received under a number."""
    bo = stage.member("Bo")
    await stage.act("reorder", what="relays", receiver=2)
    for number in range(6):
        stage.say(stage.host, f"This is word {number}.")
    await stage.until(lambda: len(bo.said) >= 5, 8.0)
    texts = [text for name, text in bo.said if name == "Ada"]
    await _proven(stage, bo, 25.0)
    await stage.operator.end("reorder")
    return Outcome(texts != sorted(texts), "Bo read them in another order, and was told.", watchers=("Bo",))


@scene(
    _THEME,
    "case 2",
    impossible(severity="none"),
    "The server tells of connections and streams that don't exist, and that a member has left: members are "
    "who has signed, and nobody's list changes.",
)
async def forged_roster(stage: Stage) -> Outcome:
    """The server assigns handles; the group defines the members."""
    await stage.act("forged_roster", ghosts=5, gone=[2])
    await asyncio.sleep(2.0)
    changed = any(m.roster != set(stage.names) for m in stage.honest)
    await stage.operator.end("forged_roster")
    return Outcome(changed, "Nobody's list of members changed.", harms=await goes_on(stage))


@scene(
    _THEME,
    "field",
    impossible("version", within=5.0, severity="attention", names=(SERVER,)),
    "The server offers an older version of the protocol: nobody speaks it, and everybody is told.",
)
async def downgrade(stage: Stage) -> Outcome:
    """There is no older version to fall back to."""
    await stage.act("downgrade", how="version")
    await stage.told(["version"], 10.0)
    await stage.operator.end("downgrade")
    suites = {str(room_of(m.session).membership.group.suite) for m in stage.honest}
    return Outcome(len(suites) != 1, "Nothing was spoken but version 1.", harms=await goes_on(stage))


@scene(
    _THEME,
    "field",
    impossible("away", within=10.0, severity="attention", names=(SERVER,)),
    "The server asks for media without encryption: what the protocol doesn't have is refused, and nothing is "
    "sent in the clear.",
)
async def plain_media(stage: Stage) -> Outcome:
    """A message with unknown fields is refused."""
    await stage.operator.begin("record")
    await stage.act("downgrade", how="plain")
    await stage.until(lambda: all(any(SERVER in blamed(n.text) for n in m.notes) for m in stage.honest), 12.0)
    await stage.operator.end("downgrade")
    harms = await goes_on(stage)
    opened = stage.intruder.attack(await stage.recorded(), stage.truth.plain)
    return Outcome(bool(opened), "Nothing went out in the clear.", harms=harms)
