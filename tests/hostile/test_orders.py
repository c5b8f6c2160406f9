"""Orders to a hostile server: an act that ends by itself, and what its window says of it."""

from __future__ import annotations

import asyncio
import json

from snugroom.lab.hostile.acts.drop import Drop
from snugroom.lab.hostile.runner import Runner
from snugroom.lab.hostile.server import HostilePacketIo
from snugroom.server.disclosure.window import snapshot
from snugroom.server.sfu.io.packet_io import PacketIo
from tests.hostile.stage import Stage, playing, say, words
from tests.patience import PATIENCE


def _order(stage: Stage, act: str, orders: object, seconds: object) -> dict[str, object]:
    stage.runner.order(json.dumps({"act": act, "begin": orders, "for": seconds}))
    return stage.deeds[-1]


async def test_the_server_itself_ends_an_act_after_its_time() -> None:
    async with playing() as stage:
        ada, bo = await stage.members(2)
        assert _order(stage, "drop", {"what": "relays"}, 0.5) == {"act": "drop", "began": True}
        await say(ada, "lost")
        async with asyncio.timeout(PATIENCE):
            while stage.runner.active:  # noqa: ASYNC110 - the act ends in a tick of the server
                await asyncio.sleep(0.02)
        assert stage.deeds[-1]["by"] == "time"
        assert stage.deeds[-1]["ended"]
        await say(ada, "heard")
        assert len(await words(bo, 1)) == 1
        # nothing of it is left: another one has no end but an order
        stage.begin("drop", what="relays")
        assert stage.runner.facts()["playing"] == {"drop": None}
        assert "by" not in stage.end("drop")


async def test_a_time_is_a_number_of_seconds() -> None:
    async with playing() as stage:
        await stage.members(2)
        bad: list[object] = [0, -1, "5", True, 1e9, [], {}]
        for wrong in bad:
            told = _order(stage, "drop", {"what": "relays"}, wrong)
            assert "has to be a number of seconds" in str(told["error"]), wrong
            assert not stage.runner.active


async def test_a_hostile_server_says_so_in_its_window() -> None:
    async with playing() as stage:
        ada, bo = await stage.members(2)
        _order(stage, "drop", {"what": "relays"}, 60)
        hostile = (await snapshot(stage.hostile))["hostile"]
        assert {"drop", "silence", "end"} <= set(hostile["acts"])
        assert 0 < hostile["playing"]["drop"] <= 60
        assert hostile["numbers"] == {ada.handle.hex(): 1, bo.handle.hex(): 2}


async def test_only_acts_that_were_named_at_the_start_can_begin() -> None:
    told: list[dict[str, object]] = []
    runner = Runner({"drop": Drop}, lambda line: told.append(json.loads(line)))
    runner.order('{"act": "end", "begin": {}, "for": 5}')
    assert "there is no act 'end' here" in str(told[-1]["error"])


def test_the_hostile_packet_io_is_a_whole_one() -> None:
    """Each tick of the SFU calls it, and only logs what it raises."""
    missing = {name for name in vars(PacketIo) if not name.startswith("_")} - set(dir(HostilePacketIo))
    assert missing == set()
