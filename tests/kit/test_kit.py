"""The kit for other projects' tests, used as they use it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable

import pytest

from snugroom import EndedError, Media, NotObservedError, Participant
from snugroom.testing import AttackError, Network, Server
from snugroom.testing.plugin import snug_network, snug_server, snug_server_process
from tests.patience import PATIENCE

__all__ = ["snug_network", "snug_server", "snug_server_process"]


async def test_they_hear_and_see_each_other(snug_server: Server) -> None:
    async with snug_server.meeting("Ada", "Bo") as (ada, bo):
        await ada.say("hello")
        event = await bo.hears("hello", sender="Ada")
        assert event["leaf"] == ada.leaf
        await asyncio.gather(
            bo.sees(ada, frames=10), bo.hears_tone_of(ada), ada.sees("Bo"), ada.hears_tone_of("Bo")
        )
        assert {row["from"] for row in bo.media()} == {"Ada"}
    assert (ada.ended, bo.ended) == ("left", "left")


async def test_a_hostile_operator_is_noticed(snug_server: Server) -> None:
    async with snug_server.meeting("Ada", "Bo") as (ada, bo):
        attack = snug_server.attack("commit_flood")
        await asyncio.gather(ada.alarmed("void_commit"), bo.alarmed("void_commit"))
        assert sum(attack.deeds.values()) > 0
        attack.stop()
        attack.stop()
        await ada.say("still here")
        await bo.hears("still here")


async def test_an_unknown_act_or_alarm_is_an_error_at_once(snug_server: Server) -> None:
    async with snug_server.meeting("Ada") as (ada,):
        with pytest.raises(AttackError, match=r"no act 'comit_flood'; there are: .*commit_flood"):
            snug_server.attack("comit_flood")
        with pytest.raises(AttackError, match="no member has the number 9"):
            snug_server.attack("kick", victim=9)
        with pytest.raises(ValueError, match=r"no alarm 'comit_flood'; there are: .*void_commit"):
            await ada.alarmed("comit_flood")
        with pytest.raises(ValueError, match="no_such"):
            ada.send({"no_such": True})


async def test_a_swapped_card_is_no_sight_of_somebody(snug_server: Server) -> None:
    """Frames of the right sender that show another card are not taken for it, and the error says so."""
    async with snug_server.meeting("Ada", "Bo") as (ada, bo):
        assert ada.leaf is not None
        await bo.sees(ada)
        members = bo._members
        bo._members = tuple(type(m)(m.leaf, {"Ada": "Bo", "Bo": "Ada"}[m.name], m.host) for m in members)
        # Bo now takes its own leaf for Ada's: nothing comes from there
        with pytest.raises(NotObservedError) as caught:
            await bo.sees(ada, within=0.3)
    text = str(caught.value)
    assert text.startswith("Bo expected 1 frames of Ada's test card (its frames since: 0, recognised: 0,")
    for part in ("not within 0.3 s", "members: ", "alarms: none", "decoded frames: ", '"event": "roster"'):
        assert part in text


async def test_an_error_does_not_show_the_link(snug_server: Server) -> None:
    """A link admits people: it stays out of logs."""
    async with snug_server.meeting("Ada") as (ada,):
        assert any(ada.link in str(event) for event in ada.events)
        with pytest.raises(NotObservedError) as caught:
            await ada.hears("never", within=0.01)
    text = str(caught.value)
    assert '"event": "roster"' in text
    assert ada.link not in text


async def test_a_wait_ends_with_the_meeting(snug_server: Server) -> None:
    async with snug_server.meeting("Ada", "Bo") as (ada, bo):
        waiting = asyncio.create_task(bo.hears("never", within=PATIENCE))
        ada.send({"end": True})
        with pytest.raises(EndedError, match=r"Bo expected an event chat .*: it ended \(ended\)"):
            await waiting


async def test_a_host_lets_in_all_who_wait(snug_server: Server) -> None:
    quiet = Media(play=None)
    async with contextlib.AsyncExitStack() as stack:
        ada = await stack.enter_async_context(Participant.host(snug_server.url, name="Ada", media=quiet))
        guests = [Participant.join(ada.link, name=name, media=quiet) for name in ("Bo", "Cem", "Dana")]
        for guest in guests:
            guest.start()
            stack.push_async_callback(guest.close)
        for name in ("Bo", "Cem", "Dana"):
            await ada.event("knock", name=name)
        ada.send({"admit": "all"})
        for guest in guests:
            await guest.entered()
        await ada.event("admission", inside=3, of=3)
        await ada.meets("Bo", "Cem", "Dana")


async def test_a_host_decides_about_a_knock(snug_server: Server) -> None:
    async with Participant.host(snug_server.url, name="Ada", media=Media(play=None)) as ada:
        bo = Participant.join(ada.link, name="Bo", media=Media(play=None))
        bo.start()
        try:
            await ada.admit("Bo")
            await bo.entered()
            await ada.meets("Bo")
            assert [member.host for member in bo.members] == [True, False]
        finally:
            await bo.close()
        await ada.meets()


async def test_a_participant_without_media_has_no_connection_for_it(snug_server: Server) -> None:
    async with (
        snug_server.meeting("Ada", media=Media(size=(128, 96))) as (ada,),
        Participant.join(ada.link, name="Bo", media=Media(play=None)) as bo,
    ):
        await bo.sees(ada)
        async with Participant.join(ada.link, name="Cem", media=None) as cem:
            await ada.event("state", name="Cem", mic=False, camera=False)
            await cem.say("hello")
            await bo.hears("hello", sender="Cem")
            await bo.sees(ada, frames=5)
            assert snug_server._server is not None
            assert snug_server._server.sfu.totals()["peers"] == 2, "those of Ada and Bo"
            assert cem.media() == []
            with pytest.raises(ValueError, match="Cem decodes nothing"):
                await cem.sees(ada)


async def test_a_participant_may_count_frames_without_decoding_them(snug_server: Server) -> None:
    listens = Media(play=None, decode=False)
    async with (
        snug_server.meeting("Ada") as (ada,),
        Participant.join(ada.link, name="Bo", media=listens) as bo,
    ):

        def opened() -> dict[str, int]:
            return {row["stream"]: row["opened"] for row in bo.media()}

        await bo.until(lambda: all(opened().get(kind, 0) > 10 for kind in ("audio", "video")), "Ada's frames")
        assert {row["decoded"] for row in bo.media()} == {0}
        with pytest.raises(ValueError, match="Bo decodes nothing"):
            await bo.hears_tone_of(ada)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Participant.host("meet.example", name="Ada"),
        lambda: Participant.host("https://meet.example", name=""),
        lambda: Participant.join("https://meet.example/nothing", name="Bo"),
        lambda: Participant.host("https://meet.example", name="Ada", media=Media("none.webm")),
    ],
    ids=["origin", "name", "link", "file"],
)
def test_wrong_arguments_are_an_error_with_a_sentence(make: Callable[[], Participant]) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        make()


async def test_a_participant_takes_nothing_of_the_process(
    snug_server: Server, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It handles no signal, reads no input and prints nothing: all that is the program's."""
    taken: list[int] = []
    monkeypatch.setattr(
        asyncio.get_running_loop(), "add_signal_handler", lambda number, *_: taken.append(number)
    )
    monkeypatch.setattr("sys.stdin", None)
    before = signal.getsignal(signal.SIGINT)
    async with snug_server.meeting("Ada", "Bo") as (ada, bo):
        await ada.say("hello")
        await bo.hears("hello")
        snug_server.attack("commit_flood")
        await ada.alarmed("void_commit")
    assert taken == []
    assert signal.getsignal(signal.SIGINT) is before
    assert capfd.readouterr() == ("", "")


async def test_a_server_can_have_a_process_of_its_own(snug_server_process: Server) -> None:
    async with snug_server_process.meeting("Ada", "Bo") as (ada, bo):
        await ada.say("hello")
        await bo.hears("hello")
    with pytest.raises(AttackError, match="in this process"):
        snug_server_process.attack("commit_flood")


async def test_a_bad_network_loses_packets_and_the_meeting_goes_on(
    snug_network: Network, snug_server: Server
) -> None:
    async with snug_server.meeting("Ada", "Bo") as (ada, bo):
        await bo.sees(ada)
        snug_network.loss, snug_network.delay = 0.1, 0.02
        await asyncio.gather(bo.sees(ada, frames=15), bo.hears_tone_of(ada))
        assert snug_network.lost > 0
        assert snug_network.carried > 0


async def test_a_dead_network_is_seen_as_such(snug_network: Network, snug_server: Server) -> None:
    async with snug_server.meeting("Ada", "Bo") as (ada, bo):
        await bo.sees(ada)
        snug_network.loss = 1.0
        with pytest.raises(NotObservedError, match="frames of Ada's test card"):
            await bo.sees(ada, frames=20, within=1.5)
