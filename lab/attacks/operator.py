"""The hostile server in a separate process, and its operator, who sends orders and receives reports."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from snugroom.lab.process import ServerError, ServerProcess

_ANSWER_TIME: Final = 15.0
#: Maximum length of an output line in bytes: the largest blob in base64, and space for the other fields.
_LINE_MAX: Final = 1 << 20


class OperatorError(ServerError):
    """The server did not carry out an order. The message is a full sentence."""


class Operator(ServerProcess):
    """Runs the hostile server inside ``async with``. `deeds` counts the reports of each act."""

    module = "snugroom.lab.hostile"
    arguments: Sequence[str] = ("all",)
    start_time = 40.0
    takes_orders = True
    line_max = _LINE_MAX

    def __init__(self) -> None:
        super().__init__()
        self.deeds: Counter[str] = Counter()
        #: Whether the operator has done more than an honest one, who might record as well.
        self.is_hostile = False
        #: Output of `record`: (kind, sender, blob) in `blobs` and (sender, packet) in `packets`.
        self.blobs: list[tuple[str, int | None, bytes]] = []
        self.packets: list[tuple[int | None, bytes]] = []
        #: Seconds between each of these and the end of `record`.
        self.blob_ages: list[float] = []
        self.packet_ages: list[float] = []
        #: Reports that have fields besides the act's name, its deed and a count.
        self.told: list[dict[str, Any]] = []
        #: The reports of acts that the server has ended by itself, after their time.
        self.over: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def begin(self, act: str, **orders: object) -> None:
        """Begin an act; bytes in `orders` are sent as base64. OperatorError on failure."""
        plain = {k: base64.b64encode(v).decode() if isinstance(v, bytes) else v for k, v in orders.items()}
        self.is_hostile |= act != "record"
        self._accepted(act, await self._order({"act": act, "begin": plain}))

    async def begin_for(self, seconds: float, act: str, orders: Mapping[str, object]) -> None:
        """Begin an act that the server ends by itself after that time. OperatorError on failure."""
        self.is_hostile |= act != "record"
        self._accepted(act, await self._order({"act": act, "begin": orders, "for": seconds}))

    @staticmethod
    def _accepted(act: str, answer: Mapping[str, Any]) -> None:
        if "error" in answer:
            raise OperatorError(f"{act}: {answer['error']}")

    async def end(self, act: str) -> Counter[str]:
        """End an act; return what it did, with counts. OperatorError on failure."""
        answer = await self._order({"act": act, "end": True})
        if "error" in answer:
            raise OperatorError(f"{act}: {answer['error']}")
        return Counter(answer["done"])

    async def switch_off(self) -> None:
        """Kill the server without notifying anybody."""
        self.is_hostile = True
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    # -- inside ------------------------------------------------------------------------------

    async def _order(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        try:
            await self._process.stdin.drain()
            async with asyncio.timeout(_ANSWER_TIME):
                return await self._answers.get()
        except (TimeoutError, ConnectionError):
            raise OperatorError(f"The server does not answer: {' '.join(self.log)}") from None

    def _hear(self, line: str) -> None:
        if line.startswith("listening on "):
            super()._hear(line)
            return
        try:
            told: dict[str, Any] = json.loads(line)
        except ValueError:
            return
        if "did" in told:
            self.deeds[told["act"]] += 1
            if len(told) > 3:
                self.told.append(told)
        elif "blob" in told:
            self.blobs.append((told["kind"], told["sender"], base64.b64decode(told["blob"])))
            self.blob_ages.append(told["age"])
        elif "packet" in told:
            self.packets.append((told["sender"], base64.b64decode(told["packet"])))
            self.packet_ages.append(told["age"])
        elif told.get("by") == "time":
            self.over.put_nowait(told)
        else:
            self._answers.put_nowait(told)
