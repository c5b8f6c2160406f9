"""The ordinary server: it decodes every stream, keeps the latest of it, and encodes it for everybody else.

Many services only forward packets. They hold the keys of DTLS-SRTP all the same, and decode as soon as they
record, mix, transcribe or show a preview. This server keeps what such a service needs: the last video frame
and the last ten seconds of audio of each member.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import Any, Final

import av
import msgspec
import numpy as np
from aiohttp import WSMsgType, web
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from snugroom.client.media.codec import SAMPLE_RATE, Sound
from snugroom.lab.ordinary.stock import connection
from snugroom.server import memory_search

#: Lines of a description for each member: its audio and its video.
LINES: Final = ("audio", "video")
#: Other members that one member can receive.
OTHERS_MAX: Final = 7
_MESSAGE_MAX: Final = 256 * 1024
_KEPT_SAMPLES: Final = 10 * SAMPLE_RATE
#: Frames that wait for a slow encoder, at most. The oldest go first.
_WAITING_MAX: Final = 25


class _Forwarded(MediaStreamTrack):
    """A stream of one member, on its way to another."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self._frames: asyncio.Queue[Any] = asyncio.Queue(_WAITING_MAX)

    def put(self, frame: Any) -> None:
        if self._frames.full():
            self._frames.get_nowait()
        self._frames.put_nowait(frame)

    async def recv(self) -> Any:
        """Return the next frame, decoded."""
        return await self._frames.get()


class Member:
    """A member, by its name in the clear, with what is kept of it."""

    def __init__(self, name: str, socket: web.WebSocketResponse, peer: RTCPeerConnection) -> None:
        self.name = name
        self.socket = socket
        self.peer = peer
        #: Outgoing copies of this member's streams, by kind.
        self.copies: dict[str, list[_Forwarded]] = {kind: [] for kind in LINES}
        self.frame: av.VideoFrame | None = None
        #: The latest sound goes over the oldest.
        self.sound: Sound = np.zeros(_KEPT_SAMPLES, np.int16)
        self._next = 0
        #: Names of the members that this one receives, by number of their pair of lines.
        self.shown: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []

    def keep(self, frame: Any) -> None:
        """Keep what a recording or a transcription would take."""
        if isinstance(frame, av.VideoFrame):
            self.frame = frame
            return
        # interleaved: each channel has the same sound
        mono = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0]
        if self._next + len(mono) > _KEPT_SAMPLES:
            self._next = 0
        self.sound[self._next : self._next + len(mono)] = mono
        self._next += len(mono)

    async def take(self, track: MediaStreamTrack) -> None:
        """Decode a stream until it ends."""
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                self.keep(frame)
                for copy in self.copies[track.kind]:
                    copy.put(frame)


class Server:
    """One meeting, whose members come and stay until `close`."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        #: All that was written, with the names of its authors.
        self.chat: list[tuple[str, str]] = []
        #: A random text that this server holds: a search that does not find it proves nothing.
        self.number = secrets.token_hex(16)
        self._runner: web.AppRunner | None = None
        self._searching = asyncio.Lock()

    async def start(self) -> str:
        """Listen on a free port of 127.0.0.1, and return the address."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/meeting", self._meeting),
                web.get("/number", self._tell_number),
                web.post("/find", self._find),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/"

    async def close(self) -> None:
        """End the meeting."""
        for member in self.members:
            for task in member.tasks:
                task.cancel()
            await asyncio.gather(*member.tasks, return_exceptions=True)
            await member.peer.close()
            await member.socket.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _tell_number(self, _: web.Request) -> web.Response:
        return web.json_response({"number": self.number})

    async def _find(self, request: web.Request) -> web.Response:
        """Search the memory of this process as a Snug server does (`server.memory_search`)."""
        wanted = msgspec.json.decode(await request.read(), type=memory_search.Wanted)
        async with self._searching:
            try:
                found = await asyncio.to_thread(memory_search.search, wanted)
            except memory_search.UnreadableError as error:
                return web.json_response({"failed": str(error)})
        return web.json_response({**msgspec.to_builtins(found), "processes": 1, "silent": 0})

    async def _meeting(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=_MESSAGE_MAX)
        await socket.prepare(request)
        member: Member | None = None
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            told = message.json()
            if told["type"] == "join" and member is None:
                member = await self._join(socket, told["name"], told["offer"])
            elif told["type"] == "chat" and member is not None:
                self.chat.append((member.name, told["text"]))
                await self._tell({"type": "chat", "name": member.name, "text": told["text"]})
        return socket

    async def _join(self, socket: web.WebSocketResponse, name: str, offer: str) -> Member:
        """Answer an offer: a pair of lines with the member's own streams, then a pair for each other one."""
        peer = connection()
        member = Member(name, socket, peer)
        await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        for transceiver in peer.getTransceivers()[len(LINES) :]:
            transceiver.direction = "sendonly"
        await peer.setLocalDescription(await peer.createAnswer())
        for transceiver in peer.getTransceivers()[: len(LINES)]:
            work = member.take(transceiver.receiver.track)
            member.tasks.append(asyncio.get_running_loop().create_task(work))
        await socket.send_json({"type": "answer", "answer": peer.localDescription.sdp})
        for other in self.members:
            await self._show(other, member)
            await self._show(member, other)
        self.members.append(member)
        return member

    async def _show(self, source: Member, to: Member) -> None:
        """Send a member's streams to another one, on its next free pair of lines."""
        first = len(LINES) * (1 + len(to.shown))
        pair = to.peer.getTransceivers()[first : first + len(LINES)]
        if len(pair) < len(LINES):
            return
        for kind, transceiver in zip(LINES, pair, strict=True):
            copy = _Forwarded(kind)
            source.copies[kind].append(copy)
            transceiver.sender.replaceTrack(copy)
        to.shown.append(source.name)
        await to.socket.send_json({"type": "members", "names": to.shown})

    async def _tell(self, message: dict[str, Any]) -> None:
        for member in self.members:
            await member.socket.send_json(message)
