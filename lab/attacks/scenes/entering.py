"""Getting in: ghosts planted in meetings, room numbers that were handed over, and leaked links."""

from __future__ import annotations

import asyncio
import contextlib
import os

from snugroom.client.session import events as ev
from snugroom.crypto.entry import lobby
from snugroom.crypto.entry.invite import HostKeys, HostSeed, Invite, day_of, lobby_envelope_key
from snugroom.lab.attacks import mallory
from snugroom.lab.attacks.intruder import Intruder
from snugroom.lab.attacks.scenes.book import goes_on, scene
from snugroom.lab.attacks.stage import Stage, room_of
from snugroom.lab.attacks.verdict import NOBODY, Outcome, impossible, succeeds
from snugroom.wire import limits, messages
from snugroom.wire.outgoing import http_session

_THEME = "entering"
#: Seconds of the meeting that are recorded after an act.
_WHILE = 2.5


async def _ghost(stage: Stage, forged: mallory.ForgedCommit, group_key: Intruder) -> Outcome:
    """Take a slot by force with a forged commit, and attack a recording with the ghost's keys.

    The keys are those of the ghost's own epoch.
    """
    await stage.operator.begin("record")
    await stage.act("inject", into="slot", blob=forged.blob)
    await stage.told(["void_commit"], 10.0)
    await asyncio.sleep(_WHILE)
    opened = group_key.attack(await stage.recorded(), stage.truth.plain)
    stage.intruder = group_key
    seen = any("Ghost" in m.roster for m in stage.honest)
    harms = await goes_on(stage)
    return Outcome(seen or opened > 0, "No member took the ghost in, and it opened nothing.", harms=harms)


@scene(
    _THEME,
    "case 2",
    impossible("void_commit", within=3.0, severity="attack", names=("Bo",)),
    "A member and the operator forge an Add of somebody whom no host let in; every member finds it void and "
    "is told by whom it was.",
    hostile=("Bo",),
)
async def ghost_by_forged_add(stage: Stage) -> Outcome:
    """Bo is not a host and signs the Add; the operator commits it without checking the pass."""
    bo = stage.member("Bo").session
    bundle = mallory.ghost("Ghost", _clock(stage))
    forged = mallory.forged_commit(bo, mallory.add_of(bo, bundle), invites=(0,))
    intruder = Intruder()
    intruder.take_group(mallory.join_by_welcome(bo, forged, bundle))
    intruder.take_link(stage.link)
    return await _ghost(stage, forged, intruder)


@scene(
    _THEME,
    "case 2",
    impossible("void_commit", within=3.0, severity="attack", names=("Bo",)),
    "Somebody adds itself by an external commit, with what a member gave away; nobody can tell members apart "
    "from outside, so it is void.",
    hostile=("Bo",),
)
async def ghost_by_external_commit(stage: Stage) -> Outcome:
    """RFC 9420 allows external commits; SNUG-2 does not."""
    bundle = mallory.ghost("Ghost", _clock(stage))
    forged, group = mallory.external_commit(stage.member("Bo").session, bundle)
    intruder = Intruder()
    intruder.take_group(group)
    return await _ghost(stage, forged, intruder)


@scene(
    _THEME,
    "case 2",
    impossible("void_commit", within=3.0, severity="attack", names=NOBODY),
    "The operator alone puts bytes of its own into a slot, with a right chain and receipt; nobody can read "
    "them, and everybody is told.",
)
async def ghost_by_noise(stage: Stage) -> Outcome:
    """An operator can do this without any member's help."""
    intruder = Intruder()
    intruder.take(os.urandom(16))
    return await _ghost(stage, mallory.ForgedCommit(os.urandom(4096), None), intruder)


@scene(
    _THEME,
    "case 2",
    impossible(severity="none"),
    "With a leaked link the operator answers a newcomer itself, with a card and a group of its own; the card "
    "is not signed by the link's host, and the newcomer knocks only at the real one.",
)
async def forged_welcome(stage: Stage) -> Outcome:
    """The false host has the link's secret, reads the newcomer's request and answers it, by another key."""
    link = Invite.parse(stage.link)
    now = _clock(stage)
    day = day_of(now)
    false = HostSeed.from_random()
    await stage.operator.begin("alter_lobby", how="drop", sender=1)
    newcomer = stage.knock("Dana", honest=False)
    await stage.need(lambda: mallory.asks_for_card(newcomer.session) is not None, "Dana asks for no card")
    nonce = mallory.asks_for_card(newcomer.session) or b""
    card = lobby.make_card(HostKeys((false,)), link.origin, lobby.make_card_secret(now), [nonce])
    blob = lobby.post(lobby_envelope_key(link.secret, link.origin, day), card)
    await stage.act("inject", into="lobby", blob=blob)
    misled = await stage.until(
        lambda: any(note.kind == "knocking" for note in newcomer.notes) or newcomer.session.inside, 4.0
    )
    stage.host.welcome.add("Dana")
    await stage.operator.end("alter_lobby")
    stage.others.remove(newcomer)
    stage.honest.append(newcomer)
    return Outcome(misled, "The newcomer did not knock at the false host.", harms=await goes_on(stage))


@scene(
    _THEME,
    "case 2",
    impossible(severity="none"),
    "The operator exchanges a newcomer's knock, KeyPackage and all, for bytes of its own; the host sees "
    "nothing that it could say yes to.",
)
async def swapped_key_package(stage: Stage) -> Outcome:
    """Without the link, an operator can only replace the knock with other bytes."""
    stage.host.welcome.add("Dana")
    await stage.act("alter_lobby", how="swap", smallest=2048, blob=os.urandom(4096))
    newcomer = stage.knock("Dana")
    entered = await stage.until(lambda: newcomer.session.inside, 5.0)
    asked = bool(stage.host.knocks[len(stage.names) - 1 :])
    await stage.operator.end("alter_lobby")
    return Outcome(
        entered or asked, "The host was never asked about a false knock.", harms=await goes_on(stage)
    )


@scene(
    _THEME,
    "case 2",
    impossible(severity="none"),
    "One bit of a knock is altered on its way; the host is not asked, and the newcomer knocks again.",
)
async def altered_knock(stage: Stage) -> Outcome:
    """HPKE and the invite's HMAC cover every byte."""
    stage.host.welcome.add("Dana")
    await stage.act("alter_lobby", how="flip", smallest=2048)
    newcomer = stage.knock("Dana")
    entered = await stage.until(lambda: newcomer.session.inside, 5.0)
    asked = bool(stage.host.knocks[len(stage.names) - 1 :])
    await stage.operator.end("alter_lobby")
    return Outcome(entered or asked, "No altered knock was shown to the host.", harms=await goes_on(stage))


@scene(
    _THEME,
    "case 2",
    impossible(severity="none"),
    "A knock is handed over again and again; the host is asked once, and one person comes in.",
)
async def replayed_knock(stage: Stage) -> Outcome:
    """The host refuses a KeyPackage that it has seen before."""
    stage.host.welcome.add("Dana")
    await stage.act("alter_lobby", how="repeat", smallest=2048)
    stage.knock("Dana")
    await stage.until(stage.together, 20.0)
    await stage.operator.end("alter_lobby")
    asked = [k for k in stage.host.knocks if k.name == "Dana"]
    return Outcome(len(asked) > 1, "The host was asked once.", harms=await goes_on(stage))


async def _outsider(stage: Stage) -> list[bytes]:
    """Let the operator admit a connection without keys; return the blobs that it receives within 6 s."""
    room = room_of(stage.host.session)
    door = messages.RoomDoor(
        room.door_key.public, room.room_admin_keys.current, os.urandom(32), os.urandom(64)
    )
    blobs: list[bytes] = []
    async with (
        http_session() as http,
        http.ws_connect(stage.operator.url + "/ws", max_msg_size=limits.FRAME_MAX) as ws,
    ):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(6.0):
                async for frame in ws:
                    with contextlib.suppress(messages.WireError):
                        message = messages.decode_server(frame.data)
                        if isinstance(message, messages.Challenge):
                            await ws.send_str(messages.encode(door).decode())
                        elif isinstance(message, messages.Entered):
                            stage.say(stage.host, "Is anybody listening?")
                        elif isinstance(message, messages.Relayed | messages.Committed):
                            blobs.append(message.blob)
    return blobs


@scene(
    _THEME,
    "case 3",
    impossible(severity="none"),
    "The operator hands a room's number to somebody and opens the door; what comes out is ciphertext, and "
    "the number opens nothing.",
)
async def leaked_room_number(stage: Stage) -> Outcome:
    """The outsider has the room's number and public keys, the operator's help, and everything it relays."""
    room = room_of(stage.host.session)
    for value in (room.number, room.door_key.public[:16], room.room_admin_keys.current[:16]):
        stage.intruder.take(value)
    await stage.operator.begin("record")
    await stage.act("open_doors")
    blobs = await _outsider(stage)
    opened = stage.intruder.attack(await stage.recorded(), stage.truth.plain)
    read = any(b"Is anybody listening?" in blob for blob in blobs)
    listed = any(len(m.roster) != len(stage.names) for m in stage.honest)
    return Outcome(
        bool(opened) or read or listed or not blobs,
        f"{len(blobs)} blobs were handed to the outsider, who could read none.",
        harms=await goes_on(stage),
    )


@scene(
    _THEME,
    "case 3",
    impossible("knock", within=5.0, severity="none", names=("Mx Spy",)),
    "Somebody comes with a leaked link; the host sees a name that it doesn't know, with the invite that was "
    "used, and doesn't say yes.",
)
async def leaked_invite(stage: Stage) -> Outcome:
    """An operator may have the whole link. With it, it can only knock, as anybody can."""
    stage.intruder.take_link(stage.link)
    await stage.operator.begin("record")
    stage.mark()
    spy = stage.knock("Mx Spy", honest=False)
    inside = await stage.until(lambda: spy.session.inside, 5.0)
    stage.intruder.attack(await stage.recorded(), stage.truth.plain)
    return Outcome(
        inside, "The host was asked, and it stayed at that.", watchers=(stage.host.name,), attempts=1,
        harms=await goes_on(stage),
    )  # fmt: skip


@scene(
    _THEME,
    "case 3",
    impossible("invite_leaked", within=6.0, severity="attention", names=("Mx Spy",)),
    "A link that admits once is used by a second person; it opens nothing, and the host is told which one "
    "has leaked.",
)
async def leaked_once_invite(stage: Stage) -> Outcome:
    """The link is traceable, because the host made it for one guest."""
    stage.host.do(ev.NewInvite("Dana", once=True))
    await stage.need(lambda: any(made.once for made in stage.host.links), "no invite was made")
    once = next(made.link for made in stage.host.links if made.once)
    stage.host.welcome |= {"Dana", "Mx Spy"}
    stage.knock("Dana", once)
    await stage.need(stage.together, "Dana did not get in")
    stage.intruder.take_link(once)
    stage.mark()
    spy = stage.knock("Mx Spy", once, honest=False)
    await stage.told(["invite_leaked"], 10.0, [stage.host])
    inside = spy.session.inside
    return Outcome(
        inside, "The second to come with it stayed outside.", watchers=(stage.host.name,), attempts=1,
        harms=await goes_on(stage),
    )  # fmt: skip


@scene(
    _THEME,
    "case 2",
    impossible(severity="none"),  # the knock says it, before the host answers
    "Somebody knocks under a name that looks like a member's; the host is shown whom it looks like, and even "
    "a yes doesn't let it in.",
)
async def impersonated_name(stage: Stage) -> Outcome:
    """The name has Cyrillic letters, which look like the Latin ones."""
    name = "\u0410d\u0430"
    stage.host.welcome.add(name)
    stage.mark()
    spy = stage.knock(name, honest=False)
    await stage.until(lambda: any(k.name == name for k in stage.host.knocks), 8.0)
    await stage.until(lambda: spy.ended is not None or spy.session.inside, 6.0)
    warned = any(k.name == name and (k.looks_like or k.warnings) for k in stage.host.knocks)
    harms = await goes_on(stage)
    if not warned:
        harms += ("the host was not shown that the name looks like a member's",)
    return Outcome(
        spy.session.inside, "Nobody of that name came in.", watchers=(stage.host.name,), harms=harms,
        attempts=1,
    )  # fmt: skip


@scene(
    _THEME,
    "case 2",
    impossible("removed_knocks", within=6.0, severity="attention", names=("Mx Spy", "Eve")),
    "Who was removed knocks again with the link that it came by: it opens nothing any more, and the host is "
    "told.",
    names=("Ada", "Bo", "Cem", "Eve"),
)
async def evicted_knocks_again(stage: Stage) -> Outcome:
    """A removal revokes the invite that admitted the removed member."""
    eve = stage.honest.pop()
    link = stage.link
    stage.host.do(ev.Remove(stage.host.leaf_of("Eve")))
    await stage.need(stage.together, "Eve was not removed")
    del eve
    stage.host.welcome.add("Mx Spy")
    stage.mark()
    spy = stage.knock("Mx Spy", link, honest=False)
    await stage.told(["removed_knocks"], 10.0, [stage.host])
    return Outcome(
        spy.session.inside, "That link opened nothing.", watchers=(stage.host.name,), attempts=1,
        harms=await goes_on(stage),
    )  # fmt: skip


@scene(
    _THEME,
    "case 2",
    succeeds(severity="none"),
    "Whoever has a leaked link and comes under the name of somebody whom the host expects is let in, by the "
    "host's own yes: only a voice, a code read aloud or an identity tells them apart.",
)
async def impostor_with_link(stage: Stage) -> Outcome:
    """The host's yes is the only protection here. All members see the newcomer and who admitted it."""
    stage.host.welcome.add("Dana")
    await stage.operator.begin("record")
    stage.mark()
    impostor = stage.knock("Dana", honest=False)
    inside = await stage.until(lambda: impostor.session.inside, 15.0)
    await stage.until(lambda: impostor.frames_of("Ada") > 3, 10.0)
    stage.intruder.take_session(impostor.session)
    stage.intruder.attack(await stage.recorded())
    shown = await stage.until(lambda: all("Dana" in m.roster for m in stage.honest), 10.0)
    harms = () if shown else ("somebody is inside whom not everybody sees",)
    return Outcome(
        inside and stage.intruder.opened > 0, "The impostor was let in, and reads along.", harms=harms,
        reads=True, attempts=1,
    )  # fmt: skip


def _clock(stage: Stage) -> float:
    """Return the time of the host's clock in Unix seconds."""
    return stage.host.connection.clock()
