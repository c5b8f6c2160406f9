"""The bus of the nodes: one NATS server with JetStream, whose memory holds the records.

The stream `SNUG` has one message for each key, under the subject ``snug.ERA.KEY``. The first node that finds
no stream makes it, and names the era by the number of its first message: microseconds since 1970. No other
subjects belong to the stream, so that the bus carries out no write of another era. Only this module imports
nats-py.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Coroutine
from typing import Final
from urllib.parse import urlsplit

from nats import errors
from nats.aio.client import Client
from nats.js import api
from nats.js.client import JetStreamContext
from nats.js.errors import APIError, BadRequestError, NotFoundError

from snugroom.server.nodes.records import (
    Answer,
    Conflict,
    Connected,
    Delete,
    Failed,
    Found,
    Read,
    Request,
    Write,
    Written,
    decode,
    encode,
)
from snugroom.server.nodes.settings import NodeSettings

log = logging.getLogger(__name__)

STREAM: Final = "SNUG"
#: JetStream's error for another last revision of the subject than the write expects.
_WRONG_LAST: Final = 10071
#: The bus refuses writes beyond this size of all records. It never discards one.
BYTES_MAX: Final = 256 * 2**20
#: Seconds until the bus must answer at the start, and for the last requests at the end.
CONNECT_TIME: Final = 5
CLOSE_TIME: Final = 1.0


class BusError(Exception):
    """The bus cannot be used. The text is one sentence with the reason."""


def _tls(settings: NodeSettings) -> ssl.SSLContext | None:
    if not settings.bus.startswith("tls:"):
        return None
    return ssl.create_default_context(cafile=settings.bus_ca_file)


class Bus:
    """This node's connection to the bus.

    `on_connected` and `on_answer` are called on the event loop. Each Read and Write gets one answer.
    """

    def __init__(
        self,
        settings: NodeSettings,
        on_connected: Callable[[Connected], None],
        on_answer: Callable[[Answer], None],
    ) -> None:
        self._settings = settings
        self._on_connected = on_connected
        self._on_answer = on_answer
        self._time = settings.lease / 5
        self._client: Client | None = None
        self._stream: JetStreamContext | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._looking = False
        self._error: Exception | None = None

    async def start(self) -> None:
        """Connect. Raises BusError if the bus does not answer, or refuses."""
        s = self._settings
        self._client = Client()
        try:
            async with asyncio.timeout(CONNECT_TIME):
                await self._client.connect(
                    s.bus,
                    user=s.bus_user,
                    password=s.bus_password(),
                    tls=_tls(s),
                    name="snug",
                    connect_timeout=CONNECT_TIME,
                    reconnect_time_wait=1,
                    max_reconnect_attempts=-1,
                    ping_interval=max(1, int(self._time)),
                    max_outstanding_pings=2,
                    error_cb=self._note,
                    reconnected_cb=self._look,
                )
        except (OSError, ValueError, errors.Error) as error:
            where = urlsplit(s.bus).netloc
            raise BusError(
                f"the bus of the nodes at {where} can't be used: {_why(self._error or error)}"
            ) from None
        self._stream = self._client.jetstream(timeout=self._time)
        try:
            await self._find_era()
        except (errors.Error, APIError, TimeoutError) as error:
            await self.close()
            raise BusError(f"the bus of the nodes has no JetStream for us: {_why(error)}") from None

    async def close(self) -> None:
        """Wait a moment for the last requests, and disconnect."""
        try:
            async with asyncio.timeout(CLOSE_TIME):
                while self._tasks:  # an answer may cause another request
                    await asyncio.wait(self._tasks)
        except TimeoutError:
            log.warning(
                "the bus of the nodes gives no answer: this node's rooms wait until its lease is over"
            )
        if self._client is not None:
            try:
                async with asyncio.timeout(CLOSE_TIME):
                    await self._client.close()
            except (TimeoutError, errors.Error, OSError):
                pass  # the process ends anyway

    def send(self, request: Request) -> None:
        """Send a request. The answer comes by `on_answer`."""
        self._spawn(self._send(request))

    # -- the stream --------------------------------------------------------------------------------

    async def _find_era(self) -> None:
        """Find out in which era the bus is, and begin one if it is new."""
        assert self._stream is not None
        try:
            info = await self._stream.stream_info(STREAM)
        except NotFoundError:
            era = int(time.time() * 1e6)
            config = api.StreamConfig(
                name=STREAM,
                subjects=[f"snug.{era}.>"],
                storage=api.StorageType.MEMORY,
                num_replicas=1,
                max_msgs_per_subject=1,
                max_bytes=BYTES_MAX,
                discard=api.DiscardPolicy.NEW,
                first_seq=era,
            )
            try:
                info = await self._stream.add_stream(config)
            except BadRequestError:
                info = await self._stream.stream_info(STREAM)  # another node was first
        found = info.config.first_seq
        if not found:
            raise BusError(f"the bus has a stream {STREAM} that is not ours")
        self._on_connected(Connected(found))

    async def _look(self) -> None:
        """Find the era after a reconnection or a failure, once at a time."""
        if self._looking:
            return
        self._looking = True
        try:
            await self._find_era()
        except (errors.Error, APIError, BusError, TimeoutError) as error:
            log.warning("the bus of the nodes gives no answer: %s", _why(error))
        finally:
            self._looking = False

    async def _note(self, error: Exception) -> None:
        """Keep an error of nats-py, which would print a traceback for each."""
        self._error = error

    async def _send(self, request: Request) -> None:
        answer: Answer | None = None
        try:
            async with asyncio.timeout(self._time):
                answer = await self._perform(request)
        except Exception as error:  # whatever it is: somebody waits for an answer at a door
            log.debug("a request to the bus failed: %s", type(error).__name__)
            if not isinstance(request, Delete):
                answer = Failed(request.ticket)
                # perhaps the stream is gone, and nothing but a look at it would tell
                self._spawn(self._look())
        if answer is not None:
            self._on_answer(answer)

    async def _perform(self, request: Request) -> Answer | None:
        stream = self._stream
        assert stream is not None
        subject = f"snug.{request.era}.{request.key}"
        match request:
            case Read(ticket, key=key):
                try:
                    message = await stream.get_last_msg(STREAM, subject)
                except NotFoundError:
                    return Found(ticket, None, 0)
                return Found(ticket, decode(key, message.data or b""), message.seq or 0)
            case Write(ticket, record=record, revision=revision):
                expected = {str(api.Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value): str(revision)}
                try:
                    done = await stream.publish(subject, encode(record), headers=expected)
                except APIError as error:
                    if error.err_code != _WRONG_LAST:
                        raise
                    return Conflict(ticket)
                return Written(ticket, done.seq)
            case Delete(revision=revision):
                await stream.delete_msg(STREAM, revision)
        return None

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _why(error: Exception) -> str:
    if "authorization" in str(error).lower():
        return "it refuses bus_user and bus_password_file"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    if isinstance(error, errors.NoServersError | TimeoutError | errors.TimeoutError | ConnectionError):
        return "nobody answers there"
    text = str(error) or type(error).__name__
    return text.splitlines()[0][:200]
