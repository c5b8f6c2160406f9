"""Membership over time: unsigned messages and silence, old keys, strangers' seats and wrong clocks."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace

import aiohttp

from snugroom.client.connection import Clock
from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.client.session.kernel.intents import HealIntent
from snugroom.crypto.entry import invite
from snugroom.lab.attacks import mallory
from snugroom.lab.attacks.member import Member
from snugroom.lab.attacks.scenes.book import goes_on, scene
from snugroom.lab.attacks.stage import Stage, room_of
from snugroom.lab.attacks.verdict import Outcome, detected, impossible
from snugroom.wire import messages
from snugroom.wire.outgoing import http_session

_THEME = "membership"
#: The subject of each member's alarm while Eve's removal waits.
_EVE_IS_STILL_HERE = dict.fromkeys(("Ada", "Bo", "Cem"), ("Eve",))
#: Posts in the lobby from this size on are knocks and answers.
_LARGE = 2048
#: More connections than a room has seats by default.
_CROWD = 110
_WAITING = 10
#: Changes that a member makes in a row.
_CHANGES = 3
#: Seconds by which a clock is slow.
_SLOW = 1200.0


@scene(
    _THEME,
    "case 1",
    impossible(severity="none"),
    "The server refuses what nobody has asked for: it tells every member, the host included, that what they "
    "have missed is gone. Nobody gives up their place for that.",
)
async def unasked_refusal(stage: Stage) -> Outcome:
    """Members act on signed statements and on their own clocks."""
    await stage.act("refuse")
    out = await stage.until(lambda: any(not _is_in_place(m.session) for m in stage.honest), 3.0)
    return Outcome(out, "Nobody left the room at the server's word.", harms=await goes_on(stage))


def _is_in_place(session: Session) -> bool:
    return session.inside and session._guest is None


@scene(
    _THEME,
    "case 1",
    impossible(severity="attention"),
    "A member has to come back in; the server holds its first knock, lets the second through, and delivers "
    "the first when the member is inside again. It stays, and is told of no removal.",
)
async def withheld_knock(stage: Stage) -> Outcome:
    """A ticket admits once, and not after its leaf has confirmed another entry."""
    bo = stage.member("Bo")
    await stage.act("alter_lobby", how="hold", smallest=_LARGE, most=1)
    room_of(bo.session).give_up()
    bo.do(ev.Tick())
    back = await stage.until(lambda: _is_in_place(bo.session) and not room_of(bo.session).needs_rejoin, 30.0)
    await stage.operator.end("alter_lobby")
    out = await stage.until(lambda: bo.ended is not None, 8.0)
    harms = () if back else ("Bo did not come back by its second knock",)
    return Outcome(out, "Bo came back once, and stayed.", harms=harms + await goes_on(stage))


@scene(
    _THEME,
    "case 7",
    detected("pending", within=10.0, severity="attention", names=_EVE_IS_STILL_HERE),
    "A host removes somebody, and the server swallows the change: the host is told that the member is still "
    "there, and sends nothing that it could read.",
    names=("Ada", "Bo", "Cem", "Eve"),
)
async def swallowed_commits(stage: Stage) -> Outcome:
    """A removal takes a slot, or its author knows that it has not."""
    eve = stage.member("Eve")
    await stage.act("swallow", sender=1)
    stage.host.do(ev.Remove(stage.host.leaf_of("Eve")))
    await asyncio.sleep(1.0)  # what was under way has arrived
    before = eve.frames_of("Ada")
    await stage.told(["pending"], 15.0, [stage.host])
    heard = eve.frames_of("Ada") - before
    stage.honest.remove(eve)
    stage.others.append(eve)
    held_up = "Eve" in stage.host.roster
    await stage.operator.end("swallow")
    harms = (f"Eve opened {heard} more frames of Ada's",) if heard else ()
    return Outcome(
        held_up, "The removal waited for the server, and Ada knew.", watchers=("Ada",),
        harms=harms + await goes_on(stage),
    )  # fmt: skip


@scene(
    _THEME,
    "case 2",
    impossible(severity="none"),
    "The server holds the answer to a newcomer until a member that the answer names has been removed: the "
    "newcomer says nothing to who is gone.",
    names=("Ada", "Bo", "Cem", "Eve"),
)
async def delayed_answer(stage: Stage) -> Outcome:
    """A newcomer seals nothing until the others have answered it."""
    eve = stage.member("Eve")
    await stage.act("alter_lobby", how="hold", smallest=_LARGE, sender=1)
    stage.host.welcome.add("Dana")
    dana = stage.knock("Dana")
    await stage.need(lambda: "Dana" in stage.host.roster, "Dana was not admitted")
    stage.host.do(ev.Remove(stage.host.leaf_of("Eve")))
    stage.honest.remove(eve)
    stage.others.append(eve)
    await asyncio.sleep(10.0)
    await stage.operator.end("alter_lobby")
    await stage.until(lambda: dana.session.inside, 15.0)
    harms = await goes_on(stage)
    return Outcome(eve.frames_of("Dana") > 0, "Eve heard nothing of Dana's.", harms=harms)


@scene(
    _THEME,
    "case 2",
    impossible(severity="attention"),
    "The server withholds the echo of a message until somebody else has come in, and breaks the author's "
    "connection: the message is not sealed for the newcomer.",
)
async def withheld_echo(stage: Stage) -> Outcome:
    """A message is sealed anew only for those who were there when it was written."""
    bo, text = stage.member("Bo"), "For those who are here now."
    await stage.act("drop", what="relays", sender=2, receiver=2)
    stage.say(bo, text)
    await asyncio.sleep(1.0)
    stage.host.welcome.add("Dana")
    dana = stage.knock("Dana")
    await stage.need(stage.together, "Dana did not get in")
    await stage.operator.end("drop")
    await stage.operator.begin("kick", victim=2, keep=False)
    await asyncio.sleep(1.0)
    harms = await goes_on(stage)
    return Outcome(("Bo", text) in dana.said, "Dana read nothing from before.", harms=harms)


@scene(
    _THEME,
    "field",
    impossible(severity="attention"),
    "Strangers fill the room with connections that show no pass, and a member's connection breaks: it gets "
    "back in, and nobody is accused.",
)
async def filled_seats(stage: Stage) -> Outcome:
    """A former member has the door's key. Seats belong to holders of a pass."""
    bo = stage.member("Bo")
    stage.mark()
    async with http_session(connector=aiohttp.TCPConnector(limit=0)) as http:
        sockets = []  # a connection that nobody holds is closed
        for _ in range(_CROWD):
            socket, hello = await _stranger(stage, http)
            await socket.send_str(hello.decode())
            sockets.append(socket)
        # some wait at the door until the member's seat is free
        waiting = [await _stranger(stage, http) for _ in range(_WAITING)]
        await stage.operator.begin("kick", victim=2, keep=False)
        for socket, hello in waiting:
            await socket.send_str(hello.decode())
        await asyncio.sleep(1.0)
        back = await stage.until(lambda: room_of(bo.session).is_synced(bo.connection.clock()), 12.0)
        accused = [note.text for note in bo.since(stage.act_at or 0.0) if note.kind == "dropped"]
    harms = tuple(f"the server was accused: {text}" for text in accused)
    return Outcome(
        not back, "Bo got back in among the strangers.", harms=harms + await goes_on(stage), attempts=_CROWD
    )


@scene(
    _THEME,
    "field",
    impossible("wrong_gate", within=3.0, severity="attack", names=("Cem",)),
    "A member makes changes with gates that only it can open: nobody is kept out, not even somebody whose "
    "connection breaks, and the member is named.",
    hostile=("Cem",),
)
async def private_gate(stage: Stage) -> Outcome:
    """Only a change that a host has signed closes the gates before it."""
    cem, bo = stage.member("Cem"), stage.member("Bo")
    mallory.name_private_gates(cem.session)
    stage.mark()
    for _ in range(_CHANGES):
        await _heal(stage, cem)
    others = [stage.host, bo]
    await stage.told(["wrong_gate"], 8.0, others)
    await stage.operator.begin("kick", victim=2, keep=False)
    await asyncio.sleep(1.0)
    back = await stage.until(lambda: room_of(bo.session).is_synced(bo.connection.clock()), 12.0)
    told = [[n.text for n in m.since(0.0) if n.kind == "wrong_gate"] for m in others]
    harms = () if all(any("Cem" in text for text in texts) for texts in told) else ("Cem was not named",)
    return Outcome(
        not back, "Bo got back in, and Cem was named.", watchers=tuple(m.name for m in others),
        harms=harms + await goes_on(stage), attempts=_CHANGES,
    )  # fmt: skip


async def _heal(stage: Stage, member: Member) -> None:
    """Let a member's program change its keys."""
    room = room_of(member.session)
    epoch = room.membership.group.epoch
    room.queue(HealIntent(epoch), member.connection.clock())
    member.do(ev.Tick())
    await stage.need(lambda: room.membership.group.epoch > epoch, f"{member.name}'s keys did not change")


async def _stranger(
    stage: Stage, http: aiohttp.ClientSession
) -> tuple[aiohttp.ClientWebSocketResponse, bytes]:
    """Connect to the server; return the connection, and the message that opens the room's door."""
    room = room_of(stage.host.session)
    door, admin = room.door_key, room.room_admin_keys.current
    socket = await http.ws_connect(f"{stage.operator.url}/ws")
    challenge = messages.decode_server((await socket.receive()).data)
    assert isinstance(challenge, messages.Challenge)
    number, nonce = invite.room_number(door.public, admin), os.urandom(32)
    signature = door.sign(invite.door_message(challenge.origin, number, challenge.nonce, nonce))
    return socket, messages.encode(messages.RoomDoor(door.public, admin, nonce, signature))


@scene(
    _THEME,
    "case 2",
    impossible(severity="none"),
    "Somebody has a host's recovery file, and returns with it under a name that nobody knows, while the host "
    "is there: no member lets it in.",
)
async def stolen_host_file(stage: Stage) -> Outcome:
    """A return replaces one absent host, under that host's name."""
    kept = stage.host.session.kept()
    assert kept is not None
    stolen = replace(kept, name="Zoe")
    stage.mark()
    stage.knock("Zoe", honest=False, make_session=lambda link, now: Session.rejoin_as_host(stolen, now=now))
    seen = await stage.until(lambda: any("Zoe" in m.roster for m in stage.honest), 10.0)
    return Outcome(seen, "Nobody of that name came in.", harms=await goes_on(stage), attempts=1)


@scene(
    _THEME,
    "case 2",
    impossible(severity="none"),
    "A thief has copied all that a member's program holds, and rejoins in its place after the member's keys "
    "have changed: nobody lets it in, and the member stays.",
)
async def stolen_leaf_key(stage: Stage) -> Outcome:
    """Rejoining proves the possession of a key that changes with every commit of the leaf."""
    bo = stage.member("Bo")
    thief = mallory.thief_of(bo.session, bo.connection.clock())
    await _heal(stage, bo)
    stage.mark()
    stage.knock("Bo", honest=False, make_session=lambda link, now: thief)
    entered = await stage.until(lambda: thief.inside or bo.ended is not None, 12.0)
    return Outcome(entered, "Bo kept the leaf.", harms=await goes_on(stage), attempts=1)


class _SlowClock(Clock):
    def __call__(self) -> float:
        return super().__call__() - _SLOW


@scene(
    _THEME,
    "field",
    impossible(severity="none"),
    "A newcomer's clock is twenty minutes slow: it comes in like anybody else, because no clock decides "
    "about a card.",
)
async def wrong_clocks(stage: Stage) -> Outcome:
    """A card is good for the newcomers whose requests it answers."""
    stage.mark()
    stage.host.welcome.add("Dana")
    dana = stage.knock(
        "Dana", make_session=lambda link, now: Session.join(link, name="Dana", now=now - _SLOW)
    )
    dana.connection.clock = _SlowClock()
    inside = await stage.until(lambda: dana.session.inside, 15.0)
    return Outcome(not inside, "Dana came in.", harms=await goes_on(stage), attempts=1)
