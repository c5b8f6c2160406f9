"""The hostile server in a process of its own, and its operator: orders in, deeds out."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections import Counter
from typing import Any, Final

from client.demo.process import ServerError, ServerProcess

_ANSWER_TIME: Final = 15.0
#: Bytes of one line: the largest blob in base64, and room for the rest.
_LINE_MAX: Final = 1 << 20


class OperatorError(ServerError):
    """The server did not do what it was ordered to; the text is a sentence."""


class Operator(ServerProcess):
    """Started by ``async with``, and gone after it. `deeds` counts what acts say that they did."""

    arguments = ("--hostile", "all")
    start_time = 40.0
    takes_orders = True
    line_max = _LINE_MAX

    def __init__(self) -> None:
        super().__init__()
        self.deeds: Counter[str] = Counter()
        #: What `record` has printed: (kind, sender, blob), (sender, packet).
        self.blobs: list[tuple[str, int | None, bytes]] = []
        self.packets: list[tuple[int | None, bytes]] = []
        #: Deeds with more to them than their name, as they were printed.
        self.told: list[dict[str, Any]] = []
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def begin(self, act: str, **orders: object) -> None:
        """Have an act begin; bytes are handed in as base64. OperatorError if it can't."""
        plain = {k: base64.b64encode(v).decode() if isinstance(v, bytes) else v for k, v in orders.items()}
        answer = await self._order({"act": act, "begin": plain})
        if "error" in answer:
            raise OperatorError(f"{act}: {answer['error']}")

    async def end(self, act: str) -> Counter[str]:
        """Have it end; what it did, and how often."""
        answer = await self._order({"act": act, "end": True})
        if "error" in answer:
            raise OperatorError(f"{act}: {answer['error']}")
        return Counter(answer["done"])

    async def switch_off(self) -> None:
        """Without a word to anybody."""
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
        elif "packet" in told:
            self.packets.append((told["sender"], base64.b64decode(told["packet"])))
        else:
            self._answers.put_nowait(told)
