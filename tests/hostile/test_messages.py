"""Acts on messages, doors and slots: each changes the messages of a running server."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from hashlib import sha256

import aiohttp
import pytest
from nacl.signing import VerifyKey

from snugroom.client.reachable import answers
from snugroom.wire import signed
from snugroom.wire.messages import (
    Arrived,
    Broadcast,
    Broadcasted,
    Challenge,
    Closing,
    Committed,
    Entered,
    Left,
    Message,
    Opened,
    Post,
    Posted,
    Refused,
    RoomDoor,
    Streams,
    Transport,
    WireError,
)
from tests.hostile.stage import Stage, playing, say, words
from tests.patience import PATIENCE
from tests.server.people import DOOR, NUMBER, ROOM_ADMIN, blob, commit, media, room_door, show
from tests.server.wire_clients import Guest


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with playing() as stage:
        yield stage


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def chained(guest: Guest, committed: Message, before: bytes) -> bytes:
    """A taken slot's chain, if chain and receipt are right."""
    assert isinstance(committed, Committed)
    assert committed.chain == signed.chain_next(before, committed.slot, committed.blob)
    digest = sha256(committed.blob).digest()
    assert committed.before == before
    taken = signed.SlotTaken(NUMBER, committed.opening_id, committed.slot, before, digest).encode()
    VerifyKey(guest.challenge.server_key).verify(taken, committed.signature)
    return committed.chain


async def test_without_an_act_it_is_the_honest_server(stage: Stage) -> None:
    ada, bob = await stage.members(2)
    await say(ada, "one", "two")
    assert await words(bob, 2) == [(1, blob("one")), (2, blob("two"))]
    await ada.say(commit(1))
    await chained(bob, await bob.until(Committed), bytes(32))


async def test_dropped_for_one_and_not_for_another(stage: Stage) -> None:
    ada, bob, cem = await stage.members(3)
    stage.begin("drop", what="relays", sender=1, receiver=2, every=2)
    await say(ada, "one", "two", "three")
    assert await words(bob, 2) == [(1, blob("one")), (3, blob("three"))]
    assert len(await words(cem, 3)) == 3
    assert stage.did("drop") == ["dropped one of the relays"]
    assert stage.end("drop")["done"] == {"dropped one of the relays": 1}
    await say(ada, "four", "five", "six")
    assert len(await words(bob, 3)) == 3


async def test_somebody_elses_words_are_left_alone(stage: Stage) -> None:
    ada, bob = await stage.members(2)
    stage.begin("drop", what="relays", sender=2)
    await say(ada, "one")
    await say(bob, "two")
    await say(ada, "three")
    assert [got for _, got in await words(bob, 2)] == [blob("one"), blob("three")]


async def test_delayed(stage: Stage) -> None:
    ada, bob = await stage.members(2)
    stage.begin("delay", what="relays", receiver=2, seconds=0.3)
    await say(ada, "one")
    assert await words(ada, 1) == [(1, blob("one"))]
    assert stage.did("delay") == ["held back one of the relays"]
    assert await words(bob, 1) == [(1, blob("one"))]


async def test_reordered_with_numbers_that_look_right(stage: Stage) -> None:
    ada, bob = await stage.members(2)
    stage.begin("reorder", what="relays", receiver=2)
    await say(ada, "one", "two")
    assert await words(bob, 2) == [(1, blob("two")), (2, blob("one"))]
    assert await words(ada, 2) == [(1, blob("one")), (2, blob("two"))]


async def test_replayed(stage: Stage) -> None:
    ada, bob = await stage.members(2)
    stage.begin("replay", what="relays", receiver=2, back=1)
    await say(ada, "one", "two")
    assert [got for _, got in await words(bob, 3)] == [blob("one"), blob("two"), blob("one")]


async def test_altered(stage: Stage) -> None:
    ada, bob = await stage.members(2)
    stage.begin("flip", what="relays", receiver=2)
    await say(ada, "one")
    ((_, got),) = await words(bob, 1)
    assert sum((x ^ y).bit_count() for x, y in zip(got, blob("one"), strict=True)) == 1
    assert await words(ada, 1) == [(1, blob("one"))]


async def test_an_altered_commit_has_a_chain_and_a_receipt_that_fit_it(stage: Stage) -> None:
    ada, bob = await stage.members(2)
    stage.begin("flip", what="commits", receiver=2)
    await ada.say(commit(1))
    told, lied = await ada.until(Committed), await bob.until(Committed)
    assert told.blob != lied.blob
    assert await chained(ada, told, bytes(32)) != await chained(bob, lied, bytes(32))


async def test_a_silenced_member_is_answered_as_if_it_had_been_heard_by_the_others(stage: Stage) -> None:
    ada, bob = await stage.members(2)
    stage.begin("silence", victim=1, words=True)
    await say(ada, "one")
    await say(bob, "two")
    assert await words(bob, 1) == [(1, blob("two"))]


async def test_two_worlds_share_their_past_and_nothing_else(stage: Stage) -> None:
    ada, bob, cem = await stage.members(3)
    await ada.say(commit(1))
    past = [await chained(guest, await guest.until(Committed), bytes(32)) for guest in (ada, bob, cem)]
    for guest in (ada, bob, cem):
        await guest.say(show(1))
    stage.begin("partition", apart=[3])
    await ada.say(commit(2, "here"))
    await cem.say(commit(2, "there"))
    chains = [
        await chained(guest, await guest.until(Committed), past[0]) for guest in (ada, bob, cem)
    ]  # each with the server's signature
    assert chains[0] == chains[1] != chains[2]
    for guest in (ada, bob, cem):
        await guest.say(show(2))
    await say(ada, "for here")
    await say(cem, "for there")
    assert await words(bob, 1) == [(1, blob("for here"))]
    assert await words(cem, 1) == [(1, blob("for there"))]


async def test_a_reconnect_after_a_partition_leads_to_the_same_side(stage: Stage) -> None:
    ada, bob = await stage.members(2)
    stage.begin("partition", apart=[2])
    await ada.say(commit(1, "here"))
    await ada.until(Committed)
    await bob.ws.close()
    again = await stage.guest()
    assert (await again.enter_room()).slot == 0


async def test_beats_cross_a_partition_if_they_are_to(stage: Stage) -> None:
    ada, bob = await stage.members(2)
    stage.begin("partition", apart=[2], beats=True)
    await ada.say(Broadcast(blob("beat")))
    assert (await bob.until(Broadcasted)).blob == blob("beat")


async def test_a_withheld_commit_leaves_its_victims_where_they_were(stage: Stage) -> None:
    ada, bob, cem = await stage.members(3)
    stage.begin("withhold", victims=[2])
    await ada.say(commit(1))
    assert (await cem.until(Committed)).slot == 1
    await say(bob, "still here")
    assert await words(bob, 1) == [(1, blob("still here"))]
    again = await stage.guest()
    assert (await again.enter_room()).slot == 1  # somebody new
    await bob.ws.close()
    back = await stage.guest()
    assert (await back.enter_room()).slot == 0  # the victim, by the operator's guess


async def test_a_slot_is_taken_past_all_gates(stage: Stage) -> None:
    ada, bob = await stage.members(2)
    stage.begin("inject", into="slot", blob=b64(blob("forged")))
    for guest in (ada, bob):
        forged = await guest.until(Committed)
        assert forged.blob == blob("forged")
        await chained(guest, forged, bytes(32))


async def test_messages_that_nobody_sent(stage: Stage) -> None:
    (ada,) = await stage.members(1)
    host, guest = await stage.guest(), await stage.guest()
    await host.enter_lobby()
    await guest.enter_lobby()
    stage.begin("inject", into="relay", blob=b64(blob("forged")))
    assert await words(ada, 1) == [(1, blob("forged"))]
    stage.begin("inject", into="broadcast", blob=b64(blob("beat")))
    assert (await ada.until(Broadcasted)).blob == blob("beat")
    stage.begin("inject", into="lobby", size=512)
    assert (await host.until(Posted)).blob == (await guest.until(Posted)).blob


async def test_noise_takes_many_slots(stage: Stage) -> None:
    (ada,) = await stage.members(1)
    stage.begin("commit_flood", rate=200, most=4)
    chain, blobs = bytes(32), set()
    for slot in range(1, 5):
        taken = await ada.until(Committed)
        assert taken.slot == slot
        chain = await chained(ada, taken, chain)
        blobs.add(taken.blob)
        await ada.say(show(0))  # the grace lasts for one slot
    assert len(blobs) == 4


@pytest.mark.parametrize("how", ["flip", "drop", "repeat", "swap"])
async def test_the_lobby(stage: Stage, how: str) -> None:
    host, guest = await stage.guest(), await stage.guest()
    await host.enter_lobby()
    await guest.enter_lobby()
    stage.begin("alter_lobby", how=how, sender=2, smallest=1024, blob=b64(blob("mine", 1024)))
    await guest.say(Post(None, blob("a call")))
    await guest.say(Post(None, blob("a knock", 1024)))
    await guest.say(Post(None, blob("the end")))
    got = [(await host.until(Posted)).blob]
    while got[-1] != blob("the end"):
        got.append((await host.until(Posted)).blob)
    middle = got[1:-1]
    assert got[0] == blob("a call")
    if how == "flip":
        assert sum((x ^ y).bit_count() for x, y in zip(middle[0], blob("a knock", 1024), strict=True)) == 1
    assert (
        middle
        == {
            "flip": middle,
            "drop": [],
            "repeat": [blob("a knock", 1024)] * 2,
            "swap": [blob("mine", 1024)],
        }[how]
    )


async def test_a_roster_of_ghosts(stage: Stage) -> None:
    ada, bob = await stage.members(2)
    await bob.say(media(7))
    await bob.until(Transport)
    await ada.say(media(8))
    honest = await ada.until(Streams)
    stage.begin("forged_roster", ghosts=2, gone=[2])
    ghosts = [(await ada.until(Arrived)).handle for _ in range(2)]
    assert (await ada.until(Left)).handle == bob.handle
    told = await ada.until(Streams)
    assert {s.handle for s in told.streams} == set(ghosts)
    assert {s.handle for s in honest.streams} == {bob.handle}
    assert set(ghosts) < set((await (await stage.guest()).enter_room()).handles)


async def test_an_older_version_is_offered(stage: Stage) -> None:
    (ada,) = await stage.members(1)
    stage.begin("downgrade", how="version")
    await ada.ended()
    guest = Guest(await stage.raw())
    assert (await guest.expect(Challenge)).version == 0


@pytest.mark.parametrize("act", ["downgrade", "vbr_and_levels"])
async def test_fields_that_the_protocol_does_not_have(stage: Stage, act: str) -> None:
    (ada,) = await stage.members(1)
    stage.begin(act, **({"how": "plain"} if act == "downgrade" else {"victim": 1}))
    await ada.ended()
    back = await stage.member()
    await back.say(media(7))
    with pytest.raises(WireError, match="unknown field"):
        await back.until(Transport)


async def test_another_fingerprint(stage: Stage) -> None:
    (ada,) = await stage.members(1)
    await ada.say(media(7))
    real = await ada.until(Transport)
    stage.begin("fingerprint", victim=1)
    await ada.ended()
    back = await stage.member()
    await back.say(media(8))
    assert (await back.until(Transport)).fingerprint != real.fingerprint


async def test_thrown_out_again_and_again(stage: Stage) -> None:
    ada, bob = await stage.members(2)
    stage.begin("kick", victim=2, text="a violation")
    last = (await bob.ended())[-1]
    assert last == Closing("removed", "a violation")
    await ada.until(Left)
    back = await stage.guest()
    await back.say(_door(back))
    assert (await back.ended())[-1] == Closing("removed", "a violation")
    stage.end("kick")
    assert (await (await stage.guest()).enter_room()).slot == 0


async def test_shut_out_by_a_server_that_is_up(stage: Stage) -> None:
    ada, bob = await stage.members(2)
    stage.begin("shut_out", victim=2)
    assert not [m for m in await bob.ended() if isinstance(m, Closing)], "without a word"
    await ada.until(Left)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await stage.guest()
    assert refused.value.status == 503
    assert await answers(stage.url), "and it answers HTTP"
    stage.end("shut_out")
    assert (await (await stage.guest()).enter_room()).slot == 0


def _door(guest: Guest) -> RoomDoor:
    return room_door(guest.challenge.origin, guest.challenge.nonce)


async def test_a_meeting_is_ended_and_its_number_refused(stage: Stage) -> None:
    ada, bob = await stage.members(2)
    stage.begin("end")
    for guest in (ada, bob):
        assert (await guest.ended())[-1] == Closing("ended", "The host has ended this meeting.")
    back = await stage.guest()
    await back.say(_door(back))
    heard = await back.ended()
    assert isinstance(heard[-1], Closing)
    assert heard[-1].code == "ended"
    assert not [m for m in heard if isinstance(m, Entered) and m.slot is not None]


@pytest.mark.parametrize("code", ["full", "permission"])
async def test_a_meeting_is_ended_with_an_excuse(stage: Stage, code: str) -> None:
    ada, bob = await stage.members(2)
    stage.begin("excuse", code=code)
    for guest in (ada, bob):
        assert not [m for m in await guest.ended() if isinstance(m, Closing)], "without a word"
    back = await stage.guest()
    await back.say(_door(back))
    last = (await back.ended())[-1]
    assert isinstance(last, Refused)
    assert (last.code, last.about) == (code, "room_door")
    stage.end("excuse")
    assert (await (await stage.guest()).enter_room()).slot is None, "the room is forgotten"


async def test_a_restart_is_played_to_one_member(stage: Stage) -> None:
    ada, bob = await stage.members(2)
    stage.begin("restart_for_one", victim=2)
    assert not [m for m in await bob.ended() if isinstance(m, Closing)], "without a word"
    await ada.until(Left)
    back = await stage.guest()
    assert back.challenge.server_key != ada.challenge.server_key
    assert (await back.enter_room()).slot is None, "it has no room"
    stage.end("restart_for_one")
    again = await stage.guest()
    assert again.challenge.server_key == ada.challenge.server_key
    assert (await again.enter_room()).slot == 0, "the room was there all the time"


async def test_another_slot_than_the_rooms(stage: Stage) -> None:
    ada, bob = await stage.members(2)
    stage.begin("lie_about_slot", victim=2, ahead=5)
    lied = await bob.until(Opened)
    assert lied.slot == 5
    await ada.say(commit(1))
    told, false = await ada.until(Committed), await bob.until(Committed)
    assert told.blob == false.blob
    assert told.chain != false.chain


@pytest.mark.parametrize("how", ["old", "noise"])
async def test_receipts_that_hold_it_to_nothing(stage: Stage, how: str) -> None:
    (ada,) = await stage.members(1)
    stage.begin("old_receipts", how=how)
    await ada.say(commit(1))
    with pytest.raises(Exception, match="Signature"):
        await chained(ada, await ada.until(Committed), bytes(32))


async def test_a_door_opens_without_its_key(stage: Stage) -> None:
    ada = await stage.member()
    stranger = await stage.guest()
    wrong = RoomDoor(bytes(DOOR.verify_key), bytes(ROOM_ADMIN.verify_key), bytes(32), bytes(64))
    await stranger.say(wrong)
    await stranger.dropped("door")
    stage.begin("open_doors")
    stranger = await stage.guest()
    await stranger.say(wrong)
    assert (await stranger.expect(Entered)).slot == 0
    await say(ada, "one")
    assert await words(stranger, 1) == [(1, blob("one"))]


async def test_everything_is_kept_and_printed(stage: Stage) -> None:
    ada, bob = await stage.members(2)
    stage.begin("record")
    await say(ada, "one")
    await words(bob, 1)
    await bob.say(commit(1))
    await ada.until(Committed)
    stage.end("record")
    kept = [(d["kind"], d["sender"], d["blob"]) for d in stage.deeds if "blob" in d]
    assert kept == [("relay", 1, b64(blob("one"))), ("commit", 2, b64(commit(1).blob))]
    ages = [d["age"] for d in stage.deeds if "blob" in d]
    assert ages[0] >= ages[1] >= 0


async def test_orders_that_cannot_be_carried_out_are_told(stage: Stage) -> None:
    order = stage.runner.order
    for line in (
        b"nonsense",
        b"[]",
        b'{"act": "nothing", "begin": {}}',
        b'{"act": "silence", "begin": {}}',
        b'{"act": "silence", "begin": {"victim": 1}}',
        b'{"act": "silence", "end": true}',
        b'{"act": "silence"}',
    ):
        order(line)
        assert stage.deeds[-1]["error"], line
    await stage.member()
    for line in (
        b'{"act": "silence", "begin": {"victim": 7}}',
        b'{"act": "partition", "begin": {"apart": [1]}}',
    ):
        order(line)
        assert stage.deeds[-1]["error"], line
    assert not stage.runner.active


def test_the_honest_server_carries_nothing_of_it() -> None:
    code = (
        "import sys, snugroom.server.app, snugroom.server.__main__, snugroom.server.disclosure.view; "
        "print([m for m in sys.modules if m.startswith('snugroom.lab.hostile')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


async def test_orders_come_by_standard_input_and_deeds_go_to_standard_output() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "snugroom", "lab", "serve", "commit_flood,kick", "--listen", "127.0.0.1:0",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE * 3):
            assert (await process.stdout.readline()).startswith(b"listening on ")
            process.stdin.write(b'{"act": "commit_flood", "begin": {}}\n{"act": "record", "begin": {}}\n')
            assert json.loads(await process.stdout.readline()) == {"act": "commit_flood", "began": True}
            assert "no act 'record'" in json.loads(await process.stdout.readline())["error"]
            process.terminate()
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
