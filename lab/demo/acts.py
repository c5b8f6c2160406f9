"""The acts that a lecture's server plays against the running meeting, and the server that can play them.

Each act ends by itself, and the meeting goes on afterwards. Acts that end a meeting, or tear it apart, are
not in the table: the server is started without them, and refuses them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import aiohttp

from snugroom.client.session.incidents import Severity
from snugroom.lab.attacks.operator import Operator, OperatorError
from snugroom.lab.demo.pcap import Recorded
from snugroom.lab.process import ServerProcess
from snugroom.wire.limits import BUCKETS
from snugroom.wire.outgoing import http_session

#: Seconds after an act in which members may still be told of it: heartbeats carry the evidence.
LATER: Final = 20.0
#: Seconds for the server to say that an act is over.
_END_TIME: Final = 10.0
#: The act that records, and its maximum number of packets: four minutes of three robots.
_RECORD: Final = "record"
_RECORDED_MAX: Final = 50_000


@dataclass(frozen=True)
class Act:
    """One act against a running meeting.

    `orders` makes the order of the hostile server's act `name` from the number of the victim. It lasts
    `seconds`. With `talk`, the host writes messages meanwhile. `severity`: of the incident that members see;
    None: they see none, because the act has no effect. With `once`, members report what it leaves once in a
    meeting.
    """

    name: str
    seconds: float
    orders: Callable[[int], Mapping[str, object]]
    talk: bool = False
    severity: Severity | None = None
    once: bool = False


#: By the names that the projector has for them (`client/session/catalogue/sentences/projector.toml`).
ACTS: Final[Mapping[str, Act]] = {
    "alter": Act("flip", 10.0, lambda _: {"what": "audio", "every": 4}),
    "forge": Act("inject", 2.0, lambda _: {"into": "slot", "size": BUCKETS[2]}, severity="attack"),
    "replay": Act(
        "replay",
        10.0,
        lambda _: {"what": "relays", "back": 1},
        talk=True,
        severity="attack",
        once=True,
    ),
    "reorder": Act(
        "reorder",
        20.0,
        lambda victim: {"what": "relays", "receiver": victim},
        talk=True,
        severity="attack",
        once=True,
    ),
    "drop": Act(
        "drop",
        25.0,
        lambda victim: {"what": "relays", "receiver": victim},
        talk=True,
        severity="attack",
    ),
    "silence": Act("silence", 45.0, lambda victim: {"victim": victim}, severity="attention"),
}


class LectureServer(Operator):
    """The server of a lecture, with a window, and with these acts alone. `window`: its address and token.

    With `records`, it also records what comes to it, from the beginning, for `recorded`.
    """

    def __init__(self, *, records: bool = False) -> None:
        super().__init__()
        self.window = ""
        self._records = records
        names = {act.name for act in ACTS.values()} | ({_RECORD} if records else set())
        self.arguments = (",".join(sorted(names)), "--window")

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        try:
            self.window = await self._line("window ", self.start_time)
            if self._records:
                await self.begin(_RECORD, most=_RECORDED_MAX)
        except BaseException:
            await self._end()
            raise
        return self

    async def recorded(self, wall: float) -> list[Recorded]:
        """End the recording, and return it; empty without one. `wall`: Unix seconds now. OperatorError."""
        if not self._records or not self.running:
            return []
        await self.end(_RECORD)
        return [
            *(
                Recorded(wall - age, sender, True, packet)
                for age, (sender, packet) in zip(self.packet_ages, self.packets, strict=True)
            ),
            *(
                Recorded(wall - age, sender, False, blob)
                for age, (_, sender, blob) in zip(self.blob_ages, self.blobs, strict=True)
            ),
        ]

    async def begin_act(self, act: Act, victim: int) -> None:
        """Begin an act against the member with this number. OperatorError on failure."""
        while not self.over.empty():
            self.over.get_nowait()
        await self.begin_for(act.seconds, act.name, act.orders(victim))

    async def ended(self, act: Act) -> dict[str, Any]:
        """Wait until the server has ended the act; return its report. OperatorError if it does not."""
        try:
            async with asyncio.timeout(act.seconds + _END_TIME):
                return await self.over.get()
        except TimeoutError:
            raise OperatorError(f"{act.name}: the server did not say that it is over") from None

    async def number_of(self, handle: bytes) -> int:
        """Return the number of the member with that handle. OperatorError if the window has none."""
        url, _, token = self.window.partition("#")
        limit = aiohttp.ClientTimeout(total=_END_TIME)
        try:
            async with (
                http_session(timeout=limit) as http,
                http.get(url + "now", headers={"X-Snug-Token": token}) as answer,
            ):
                told = await answer.json()
            return int(told["hostile"]["numbers"][handle.hex()])
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError):
            raise OperatorError("The server does not know that member.") from None

    def _hear(self, line: str) -> None:
        if line.startswith(("window ", "disclosure ")):
            ServerProcess._hear(self, line)
        else:
            super()._hear(line)
