"""Audio and video: recorded, altered, replayed, or shown under another member's name."""

from __future__ import annotations

import asyncio

from snugroom.client.connection import SessionCrypto
from snugroom.client.media.receiving import FrameCrypto
from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.crypto.media.keys import Stream
from snugroom.crypto.media.signatures import EXCUSED
from snugroom.lab.attacks import mallory
from snugroom.lab.attacks.intruder import Intruder
from snugroom.lab.attacks.scenes.book import counts, gained, goes_on, scene
from snugroom.lab.attacks.stage import Stage
from snugroom.lab.attacks.verdict import NOBODY, Outcome, detected, impossible, succeeds

_THEME = "media"
_WHILE = 3.0
#: Seconds for which a busy machine may show nothing of an act.
_BUSY = 15.0
#: Frames ahead of the last one sent: new, but close enough to play before a list of signatures names it.
_AHEAD = 100


@scene(
    _THEME,
    "case 4",
    impossible(severity="none"),
    "The operator records everything, for whoever comes by a key one day: nothing that it has opens a frame, "
    "and nothing stands in the clear.",
)
async def recorded_for_later(stage: Stage) -> Outcome:
    """Blobs and packets of some seconds are searched for plaintext; a member's key opens the frames."""
    await stage.act("record")
    await stage.talk("This is for us alone, and for nobody later.")
    await asyncio.sleep(_WHILE)
    frames = await stage.recorded()
    opened = stage.intruder.attack(frames, stage.truth.plain)
    stage.intruder.take(bytes(16))
    words = any(b"for us alone" in blob for _, _, blob in stage.operator.blobs)
    control = Intruder()
    control.take_session(stage.host.session)
    sees = control.attack(frames)
    harms = () if sees else ("the recording could not be opened by a member either: it shows nothing",)
    return Outcome(
        bool(opened) or words, f"Of {len(frames)} recorded frames none opened (a member's keys open {sees}).",
        harms=harms + await goes_on(stage),
    )  # fmt: skip


@scene(
    _THEME,
    "case 4",
    impossible(severity="none"),
    "Who was removed has kept all keys up to then, and gets everything that is recorded afterwards: it opens "
    "nothing of that.",
    names=("Ada", "Bo", "Cem", "Eve"),
)
async def evicted_kept_keys(stage: Stage) -> Outcome:
    """Every removal changes all keys at once."""
    eve = stage.member("Eve")
    stage.intruder.take_session(eve.session)
    eve.on_event = lambda _: stage.intruder.take_session(eve.session)
    await stage.operator.begin("record")
    await asyncio.sleep(1.0)
    before = Intruder()
    before.take_session(eve.session)
    old = await stage.recorded()
    control = before.attack(old)
    stage.mark()
    stage.honest.remove(eve)
    stage.host.do(ev.Remove(stage.host.leaf_of("Eve")))
    await stage.need(stage.together, "Eve was not removed")
    await asyncio.sleep(0.5)
    await stage.operator.begin("record")
    await asyncio.sleep(_WHILE)
    opened = stage.intruder.attack(await stage.recorded(), stage.truth.plain)
    harms = () if control else ("the keys that Eve kept open nothing of before either: that shows nothing",)
    return Outcome(
        bool(opened), f"Eve's keys opened {control} frames of before, and none of after.",
        harms=harms + await goes_on(stage), attempts=1,
    )  # fmt: skip


@scene(
    _THEME,
    "case 4",
    impossible(severity="none"),
    "Somebody who is let in later has got a recording of what went before: its keys begin where it came in.",
)
async def newcomer_looks_back(stage: Stage) -> Outcome:
    """Every commit changes all keys."""
    await stage.act("record")
    await asyncio.sleep(_WHILE)
    old = await stage.recorded()
    stage.host.welcome.add("Dana")
    dana = stage.knock("Dana")
    await stage.need(stage.together, "Dana did not get in")
    stage.intruder.take_session(dana.session)
    opened = stage.intruder.attack(old, stage.truth.plain)
    return Outcome(bool(opened), f"None of {len(old)} frames of before opened.", harms=await goes_on(stage))


async def _refuses(stage: Stage, before: int) -> None:
    """Wait until members refuse more frames than `before`, and for a while."""
    await stage.until(lambda: sum(sum(m.refused.values()) for m in stage.honest) > before, _BUSY)
    await asyncio.sleep(_WHILE)


@scene(
    _THEME,
    "field",
    impossible(severity="none"),
    "One bit of every fourth frame is altered: none of these is ever shown, and the others are.",
)
async def altered_frames(stage: Stage) -> Outcome:
    """Frames carry full authentication tags of 16 bytes."""
    refused = sum(sum(m.refused.values()) for m in stage.honest)
    await stage.act("flip", what="audio", every=4)
    await _refuses(stage, refused)
    now = sum(sum(m.refused.values()) for m in stage.honest)
    shown = any(m.false_frames for m in stage.honest)
    await stage.operator.end("flip")
    return Outcome(
        shown or now == refused, f"{now - refused} altered frames were refused.", harms=await goes_on(stage)
    )


@scene(
    _THEME,
    "field",
    impossible(severity="none"),
    "Old frames are sent again under new numbers: each frame is shown once.",
)
async def replayed_frames(stage: Stage) -> Outcome:
    """The server can rewrite the sequence numbers of packets, but not the counters of frames."""
    refused = sum(m.refused["ReplayError"] for m in stage.honest)
    await stage.act("replay", what="audio", every=5, back=20)
    await stage.until(lambda: sum(m.refused["ReplayError"] for m in stage.honest) > refused, _BUSY)
    await asyncio.sleep(_WHILE)
    now = sum(m.refused["ReplayError"] for m in stage.honest)
    await stage.operator.end("replay")
    shown = any(m.false_frames for m in stage.honest)
    return Outcome(
        shown or now == refused, f"{now - refused} frames that had been shown were refused.",
        harms=await goes_on(stage),
    )  # fmt: skip


@scene(
    _THEME,
    "field",
    impossible(severity="none"),
    "Two members' streams change places on their way to a third: nothing is shown, for each frame names the "
    "leaf that sealed it.",
)
async def swapped_streams(stage: Stage) -> Outcome:
    """SNUG-20: a stream is announced by the leaf, and as the stream, that its key id names."""
    await stage.act("swap_streams", between=[1, 2])
    await asyncio.sleep(1.0)
    before = counts(stage)
    await asyncio.sleep(_WHILE)
    wrong = gained(stage, before, "Ada", "Cem") + gained(stage, before, "Bo", "Cem")
    await stage.operator.end("swap_streams")
    return Outcome(wrong > 0, "Cem was shown nothing of either.", harms=await goes_on(stage))


@scene(
    _THEME,
    "field",
    impossible(severity="none"),
    "The operator puts frames of its own into a member's stream: noise, which nobody opens.",
)
async def noise_in_a_name(stage: Stage) -> Outcome:
    """Without the epoch's keys, the operator can insert only noise."""
    refused = sum(sum(m.refused.values()) for m in stage.honest)
    await stage.act("inject", into="frame", name_of=1, size=160, count=40)
    await _refuses(stage, refused)
    now = sum(sum(m.refused.values()) for m in stage.honest)
    shown = any(m.false_frames for m in stage.honest)
    return Outcome(
        shown or now == refused, f"{now - refused} frames of noise were refused.", harms=await goes_on(stage)
    )


@scene(
    _THEME,
    "field",
    detected("forged_media", within=6.0, severity="attack", names=("Ada",)),
    "A member seals a frame with another's key, and the operator puts it into that one's stream: members "
    "share keys, so it plays; signatures say within seconds that it was not theirs.",
    hostile=("Bo",),
)
async def forged_media(stage: Stage) -> Outcome:
    """Encryption in a group cannot detect this forgery. Media signatures (SNUG-22) detect it."""
    bo, cem = stage.member("Bo"), stage.member("Cem")
    leaf = bo.leaf_of("Ada")
    await asyncio.sleep(2 * EXCUSED)  # until then, missed lists of signatures are excused
    ahead = bo.newest["Ada", "audio"] + _AHEAD
    forged = mallory.AllMediaKeys(bo.session).seal(leaf, Stream.AUDIO, "audio", b"\xf8" + bytes(119), ahead)
    await stage.act("inject", into="frame", name_of=1, blob=forged, count=1)
    await stage.told(["forged_media", "unverified_media"], 15.0, [cem])
    played = sum(cem.false_frames.values())
    cem.false_frames.clear()  # the act itself: the frame is shown, and the member is notified
    bo.false_frames.clear()
    await stage.operator.end("inject")
    return Outcome(
        played > 0, f"{played} forged frames were played before Cem was told.", watchers=("Cem",),
        harms=await goes_on(stage),
    )  # fmt: skip


@scene(
    _THEME,
    "field",
    detected("forged_media", within=12.0, severity="attack", names=("Ada",)),
    "The same, right after the operator has cut a listener's connection, when lists of signatures may "
    "honestly have gone by: a frame far ahead waits in vain for a list; one close by plays, and is told of.",
    hostile=("Bo",),
)
async def forged_media_after_a_cut(stage: Stage) -> Outcome:
    """A frame far ahead would move the replay window, so that real frames would be too old."""
    cem, ada = stage.member("Cem"), stage.host
    await stage.operator.begin("kick", victim=3, keep=False)
    await stage.need(lambda: any(n.kind == "back" for n in cem.notes), "Cem did not come back")
    await stage.heard([ada, cem], 20.0)
    keys = mallory.AllMediaKeys(stage.member("Bo").session)

    async def inject(ahead: int) -> None:
        counter = stage.member("Bo").newest["Ada", "audio"] + ahead
        leaf = cem.leaf_of("Ada")
        forged = keys.seal(leaf, Stream.AUDIO, "audio", b"\xf8" + bytes([ahead & 255]) * 119, counter)
        await stage.act("inject", into="frame", name_of=1, blob=forged, count=1)

    await inject(50_000)
    await asyncio.sleep(1.0)
    harms = ["a frame far ahead was played"] if cem.false_frames else []
    await inject(_AHEAD)
    await stage.told(["forged_media", "unverified_media"], 20.0, [cem])
    played = cem.false_frames.total()
    for member in stage.honest:
        member.false_frames.clear()
    harms += await goes_on(stage)
    return Outcome(played > 0, f"{played} forged frame was played.", watchers=("Cem",), harms=tuple(harms))


@scene(
    _THEME,
    "field",
    impossible(severity="none"),
    "The operator exchanges each two frames of sound that follow each other, under numbers in order: the "
    "elder, which comes too late, is not played.",
)
async def reordered_frames(stage: Stage) -> Outcome:
    """The server can rewrite sequence numbers of packets, but not the order in which frames were sealed."""
    await stage.act("reorder", what="audio", sender=2, receiver=3)
    cem = stage.member("Cem")

    def refused() -> int:
        return sum(stream.failed for stream in cem.connection.stats())

    before = cem.disorder - refused()
    swapped = -cem.disorder
    await asyncio.sleep(_WHILE)
    await stage.operator.end("reorder")
    played, swapped = cem.disorder - refused() - before, swapped + cem.disorder
    shown = "none" if played <= 0 else played
    return Outcome(
        played > 0 or not swapped,
        f"{swapped} frames came after younger ones, and {shown} of them was played.",
        harms=await goes_on(stage),
    )


@scene(
    _THEME,
    "field",
    impossible(severity="none"),
    "A member names another as the sender of its own frames, by that one's key id: nobody shows them.",
    names=("Ada", "Bo"),
)
async def forged_key_id(stage: Stage) -> Outcome:
    """SNUG-20: a stream is announced by the leaf that its key id names."""
    made: list[mallory.ImpersonatingCrypto] = []

    def crypto(session: Session, inner: SessionCrypto) -> FrameCrypto:
        made.append(mallory.ImpersonatingCrypto(session, inner, stage.host.leaf_of("Ada")))
        return made[-1]

    stage.host.welcome.add("Mallory")
    mallory_member = stage.knock("Mallory", honest=False, make_crypto=crypto)
    everybody = [*stage.honest, mallory_member]
    await stage.need(lambda: stage.together(everybody) and bool(made), "Mallory did not get in")
    refused = stage.member("Bo").refused.copy()
    stage.mark()
    made[0].forging = True
    await asyncio.sleep(_WHILE)
    made[0].forging = False
    now = sum((stage.member("Bo").refused - refused).values())
    shown = sum(stage.member("Bo").false_frames.values())
    return Outcome(
        shown > 0 or not now, f"Bo refused {now} frames and showed none of them.", attempts=made[0].forged
    )


@scene(
    _THEME,
    "case 5",
    impossible(severity="attention"),
    "The server asks for variable bitrate, pauses, audio levels and another codec, by every way there is: "
    "packets of sound keep one size, and say nothing else.",
)
async def asked_for_levels(stage: Stage) -> Outcome:
    """There is no SDP in the protocol: a client writes its own descriptions."""
    await stage.act("vbr_and_levels", victim=2)
    await stage.need(lambda: stage.operator.deeds["vbr_and_levels"] >= 1, "nothing was asked")
    await asyncio.sleep(8.0)
    await stage.operator.end("vbr_and_levels")
    looked = next(t for t in stage.operator.told if t.get("did") == "looked")
    tells = len(looked["sizes"]) > 1 or looked["levels"] or looked["other_codecs"]
    return Outcome(
        bool(tells), f"Packets of sound had {len(looked['sizes'])} size.", harms=await goes_on(stage)
    )


@scene(
    _THEME,
    "field",
    impossible("media_unreachable", within=20.0, severity="attention", names=NOBODY),
    "The server gives another fingerprint than the one that answers: no media flows to it, and the member is "
    "told.",
)
async def swapped_fingerprint(stage: Stage) -> Outcome:
    """DTLS transports media and does not protect it. A client still refuses an unknown fingerprint."""
    bo = stage.member("Bo")
    await stage.act("fingerprint", victim=2)
    await stage.told(["media_unreachable"], 25.0, [bo])
    wrong = [n.text for n in bo.notes if n.kind == "media_unreachable" and "fingerprint" not in n.text]
    engine = bo.connection.engine
    before = bo.sealed.copy()
    await asyncio.sleep(1.5)
    sent = sum((bo.sealed - before).values())
    flows = engine is not None and engine.connected and sent > 0
    await stage.operator.end("fingerprint")
    harms = tuple(f"Bo was given another reason: {text}" for text in wrong) + await goes_on(stage)
    return Outcome(flows, "Nothing was sent there.", watchers=("Bo",), harms=harms)


@scene(
    _THEME,
    "field",
    succeeds(severity="none"),
    "The operator holds somebody's frames back for a while: timing is its own, and a slow network looks the "
    "same.",
)
async def delayed_frames(stage: Stage) -> Outcome:
    """Documented as a success. A frame that arrives too late for a listener counts as lost."""
    await stage.act("delay", what="audio", sender=2, receiver=3, seconds=0.8)
    await asyncio.sleep(_WHILE)
    deeds = await stage.operator.end("delay")
    return Outcome(deeds.total() > 0, f"{deeds.total()} packets came 0.8 s late.", harms=await goes_on(stage))
