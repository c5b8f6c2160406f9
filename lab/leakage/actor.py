"""A member that follows a plan: a whole client with a microphone that speaks on command."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from fractions import Fraction
from functools import partial

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext

from snugroom.client.connection import Clock, Connection, SessionCrypto
from snugroom.client.media.codec import FRAME_SAMPLES, SAMPLE_RATE, OpusEncoder, Sound, SoundEncoder
from snugroom.client.media.engine import MediaEngine
from snugroom.client.session import Session
from snugroom.client.session import events as ev
from snugroom.lab.leakage.plan import SEGMENT, Lived, Part, Plan
from snugroom.lab.leakage.speech import Microphone
from snugroom.wire.messages import Entered, ServerMessage

#: Width and height of the video in pixels: small, because many meetings are held at once.
SIZE = (128, 96)
_ENTER_TIME = 120.0
_WORDS = ("is", "that", "the", "one", "we", "had", "meant", "before", "all", "of", "them", "came", "back")


class VariableOpus:
    """The planted leak: Opus with a variable bitrate, as a careless client would configure it."""

    def __init__(self) -> None:
        context = av.CodecContext.create("libopus", "w")
        assert isinstance(context, AudioCodecContext)
        context.sample_rate = SAMPLE_RATE
        context.layout = "mono"
        context.format = "s16"
        context.bit_rate = 48_000
        context.time_base = Fraction(1, SAMPLE_RATE)
        context.options = {"vbr": "on", "frame_duration": "20", "application": "lowdelay"}
        self._context = context
        self._position = 0

    def encode(self, sound: Sound) -> bytes:
        """Encode one audio frame as a packet of variable size."""
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(sound, dtype=np.int16).reshape(1, -1), format="s16", layout="mono"
        )
        frame.sample_rate = SAMPLE_RATE
        frame.time_base = Fraction(1, SAMPLE_RATE)
        frame.pts = self._position
        self._position += FRAME_SAMPLES
        return b"".join(bytes(p) for p in self._context.encode(frame))


def _text(size: int, seed: int) -> str:
    source = random.Random(seed)  # noqa: S311  # words, not a secret
    text = ""
    while len(text) < size:
        text += source.choice(_WORDS) + " "
    return text[:size].rstrip() + "." if size > 1 else "k"


class Actor:
    """One member, for one stay in the meeting."""

    def __init__(self, plan: Plan, person: int, life: int, make_session: Callable[[float], Session]) -> None:
        clock = Clock()
        self.link: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.problems: list[str] = []
        self._plan = plan
        self._part: Part = plan.parts[person]
        self._person = person
        self._life = life
        self._host = person == 0
        self._microphone = Microphone(self._part.seed, width=SIZE[0], height=SIZE[1])
        self._handles: list[str] = []
        self._doors: list[str] = []
        self._stretches: list[tuple[float, float, str, bool]] = []
        self._chats: list[tuple[float, int]] = []
        self._ssrcs: dict[str, int] = {}
        self.connection = Connection(
            make_session(clock()),
            make_engine=self._engine,
            on_event=self._event,
            on_message=self._message,
            clock=clock,
        )
        self._running = asyncio.get_running_loop().create_task(self.connection.run())

    async def inside(self, members: int) -> None:
        """Wait until the room has `members` members and own audio flows. TimeoutError after 30 s."""
        async with asyncio.timeout(_ENTER_TIME):
            while not (self._count == members and self._flows()):  # noqa: ASYNC110  # counters, not events
                await asyncio.sleep(0.05)

    async def act(self) -> None:
        """Act out all stretches of the plan, one after the other."""
        for number, stretch in enumerate(self._part.stretches):
            began = time.time()
            self._microphone.speaking = stretch.state == "speaking"
            self._mute("audio", stretch.state == "muted")
            self._mute("video", not stretch.camera)
            await asyncio.sleep(stretch.chat_at)
            at = time.time()
            text = _text(stretch.chat, self._part.seed + number)
            self._feed(ev.Say(text))
            self._chats.append((at, len(text)))
            await asyncio.sleep(max(0.0, began + SEGMENT - time.time()))
            self._stretches.append((began, time.time(), stretch.state, stretch.camera))

    async def leave(self) -> None:
        """Leave; the host ends the meeting for all."""
        self._feed(ev.EndMeeting() if self._host else ev.Leave())
        try:
            async with asyncio.timeout(20.0):
                await self._running
        except TimeoutError:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    def lived(self) -> Lived:
        """Return the record of this stay."""
        return Lived(
            self._plan.number,
            self._person,
            self._life,
            self._host,
            self._part.has_camera,
            self._plan.planted,
            self._ssrcs,
            self._handles,
            self._doors,
            self._stretches,
            self._chats,
        )

    # -- inside ------------------------------------------------------------------------------

    _count = 0

    def _flows(self) -> bool:
        engine = self.connection.engine
        return engine is not None and any(s.kind == "audio" and s.sealed > 5 for s in engine.own_stats())

    def _mute(self, kind: str, muted: bool) -> None:
        if self.connection.engine is not None:
            self.connection.engine.mute("audio" if kind == "audio" else "video", muted)

    def _feed(self, what: ev.Input) -> None:
        try:
            self.connection.feed(what)
        except ValueError as error:
            self.problems.append(str(error))

    def _message(self, endpoint: ev.Endpoint, message: ServerMessage) -> None:
        if isinstance(message, Entered):
            (self._handles if endpoint == ev.ROOM else self._doors).append(message.handle.hex())

    def _event(self, event: ev.Event) -> None:
        match event:
            case ev.InviteMade() if not self.link.done():
                self.link.set_result(event.link)
            case ev.Knocked():
                # deferred, because the session is still delivering events
                asyncio.get_running_loop().call_soon(partial(self._feed, ev.Admit(event.knock)))
            case ev.Roster():
                self._count = len(event.members)
            case ev.Alarm():
                self.problems.append(f"{event.kind}: {event.text}")

    def _engine(self, session: Session, crypto: SessionCrypto) -> MediaEngine:
        make: Callable[[], SoundEncoder] = VariableOpus if self._plan.planted else OpusEncoder
        engine = MediaEngine(
            crypto=crypto,
            source=self._microphone,
            video=self._part.has_camera,
            size=SIZE,
            sound_encoder=make,
            on_lost=self.connection.media_lost,
            on_failed=self.problems.append,
        )
        self._ssrcs = {stream.kind: stream.ssrc for stream in engine.streams}
        return engine
