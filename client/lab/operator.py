"""The hostile server in a process of its own, and its operator: orders in, deeds out."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import sys
from collections import Counter, deque
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

_ROOT: Final = Path(__file__).resolve().parents[2]
_START_TIME: Final = 40.0
_ANSWER_TIME: Final = 15.0
#: Bytes of one line: the largest blob in base64, and room for the rest.
_LINE_MAX: Final = 1 << 20


class OperatorError(Exception):
    """The server did not do what it was ordered to; the text is a sentence."""


class Operator:
    """Started by ``async with``, and gone after it. `deeds` counts what acts say that they did."""

    def __init__(self) -> None:
        self.url = ""
        self.deeds: Counter[str] = Counter()
        #: What `record` has printed: (kind, sender, blob), (sender, packet).
        self.blobs: list[tuple[str, int | None, bytes]] = []
        self.packets: list[tuple[int | None, bytes]] = []
        #: Deeds with more to them than their name, as they were printed.
        self.told: list[dict[str, Any]] = []
        self.log: deque[str] = deque(maxlen=200)
        self._process: asyncio.subprocess.Process | None = None
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._readers: list[asyncio.Task[None]] = []
        self._listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> Self:
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "server",
            "--listen",
            "127.0.0.1:0",
            "--hostile",
            "all",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LINE_MAX,
            env={**os.environ, "PYTHONPATH": path},
        )
        self._readers = [asyncio.create_task(self._read_out()), asyncio.create_task(self._read_log())]
        try:
            async with asyncio.timeout(_START_TIME):
                self.url = await self._listening
        except TimeoutError:
            await self._end()
            raise OperatorError(f"The server did not start: {' '.join(self.log)}") from None
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

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

    async def stop(self) -> None:
        """Switch the server off, without a word to anybody."""
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

    def _hear(self, line: bytes) -> None:
        if line.startswith(b"listening on "):
            if not self._listening.done():
                self._listening.set_result(line.removeprefix(b"listening on ").decode().strip())
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

    async def _read_out(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            self._hear(line)
        if not self._listening.done():
            self._listening.set_exception(OperatorError(f"The server ended: {' '.join(self.log)}"))

    async def _read_log(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        while line := await self._process.stderr.readline():
            self.log.append(line.decode("utf-8", "replace").rstrip("\n"))

    async def _end(self) -> None:
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        # shielded: a second Ctrl-C does not leave a zombie
        await asyncio.shield(process.wait())
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
