"""A media file as a source: any format of FFmpeg, looped, with audio and video synchronised by timestamps."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.container.input import InputContainer
from av.stream import Disposition

from snugroom.client.media.codec import FRAME_SAMPLES, HEIGHT, SAMPLE_RATE, WIDTH, RawFrame, Sound
from snugroom.client.media.sources import blank, planes, silence

#: Seconds that one stream of a file may run ahead before the other one counts as silent.
_SKEW: Final = 3.0
#: Video frames closer together than this (seconds) are dropped: fewer are sent anyway.
_SPACING: Final = 1 / 31
_VIDEO_MAX: Final = 128
_SOUND_MAX: Final = 10 * SAMPLE_RATE


class SourceError(Exception):
    """The file can't be played; the text says why."""


class FileSource:
    """Plays `path` in an endless loop. Without audio: silence. Without video: `has_video` is false.

    Video is fitted into width by height with black bars; audio becomes mono at 48 kHz.
    """

    def __init__(self, path: Path | str, *, width: int = WIDTH, height: int = HEIGHT) -> None:
        self._path = Path(path)
        self._size = (width, height)
        self._container: InputContainer | None = None
        self._sound: deque[Sound] = deque()
        self._sound_start = 0  # position of the first sample in `_sound`, in samples since media time 0
        self._sound_end = 0
        self._video: deque[tuple[float, RawFrame]] = deque()
        self._shown = blank(width, height)
        self._base = 0.0  # media time at which the current pass through the file began
        self._reached = 0.0  # the latest media time seen in any stream
        self._ended = False
        self.has_audio, self.has_video = self._open()
        if not (self.has_audio or self.has_video):
            self.close()
            raise SourceError(f"{self._path.name}: neither sound nor pictures in it")
        self._frames = self._decode()

    def audio(self, index: int) -> Sound:
        """Return the 20 ms from ``index * 0.02`` s on."""
        start = index * FRAME_SAMPLES
        end = start + FRAME_SAMPLES
        if not self.has_audio:
            return silence()
        while self._sound_end < end and self._reached < end / SAMPLE_RATE + _SKEW and self._pump():
            pass
        out = silence()
        while self._sound:
            chunk = self._sound[0]
            skip = max(0, start - self._sound_start)
            if skip < len(chunk):
                at = self._sound_start + skip - start
                if at >= FRAME_SAMPLES:
                    break
                taken = chunk[skip : skip + FRAME_SAMPLES - at]
                out[at : at + len(taken)] = taken
                if skip + len(taken) < len(chunk):
                    break
            self._sound.popleft()
            self._sound_start += len(chunk)
        return out

    def video(self, at: float) -> RawFrame:
        """Return the last video frame that was due by `at`."""
        if not self.has_video:
            return self._shown
        while not (self._video and self._video[-1][0] > at) and self._reached < at + _SKEW and self._pump():
            pass
        while self._video and self._video[0][0] <= at:
            self._shown = self._video.popleft()[1]
        return self._shown

    def close(self) -> None:
        """Close the file."""
        self._ended = True
        if self._container is not None:
            self._container.close()
            self._container = None

    # -- inside ------------------------------------------------------------------------------

    def _open(self) -> tuple[bool, bool]:
        try:
            self._container = av.open(f"file:{self._path.absolute()}", mode="r")
        except (av.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "FFmpeg does not know this format"
            raise SourceError(f"{self._path.name} can't be played: {reason}") from None
        return bool(self._container.streams.audio), bool(self._video_streams())

    def _video_streams(self) -> list[av.VideoStream]:
        assert self._container is not None
        # the cover of an album is not video
        return [s for s in self._container.streams.video if not s.disposition & Disposition.attached_pic]

    def _pump(self) -> bool:
        """Decode a little more; return False at the end of all frames."""
        if self._ended:
            return False
        frame = next(self._frames, None)
        if frame is None:
            self._ended = True
            return False
        if isinstance(frame, av.VideoFrame):
            self._take_video(frame)
        else:
            self._take_sound(*frame)
        return True

    def _decode(self) -> Iterator[av.VideoFrame | tuple[float, Sound]]:
        """Yield all frames, pass after pass; stop after a pass without progress."""
        while True:
            assert self._container is not None
            moments = set()
            for frame in self._run(self._container):
                moments.add(frame.pts if isinstance(frame, av.VideoFrame) else frame[0])
                yield frame
            if len(moments) < 2 or self._reached <= self._base:
                return  # a still image, or nothing decodable: looping it would only waste time
            self._base = self._reached
            self._container.close()
            self._open()

    def _run(self, container: InputContainer) -> Iterator[av.VideoFrame | tuple[float, Sound]]:
        audio = container.streams.audio[:1]
        video = self._video_streams()[:1]
        origin = (container.start_time or 0) / 1_000_000
        resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
        for stream in video:
            stream.thread_type = "AUTO"
        sounded: float | None = None
        packets = container.demux([*audio, *video])
        while True:
            try:
                packet = next(packets)
                frames = packet.decode()
            except StopIteration:
                break
            except av.FFmpegError:
                continue  # a damaged packet: the next one may be intact
            for frame in frames:
                if isinstance(frame, av.VideoFrame):
                    if frame.pts is not None:
                        yield frame
                elif isinstance(frame, av.AudioFrame):
                    if sounded is None or frame.time is not None:
                        sounded = (frame.time or 0.0) - origin
                    for piece in resampler.resample(frame):
                        sound = piece.to_ndarray()[0]
                        yield sounded, sound
                        sounded += len(sound) / SAMPLE_RATE

    def _take_sound(self, at: float, sound: Sound) -> None:
        # the timestamp decides where audio goes; small rounding errors leave no gap
        start = round((self._base + at) * SAMPLE_RATE)
        if abs(start - self._sound_end) < FRAME_SAMPLES and self._sound_end:
            start = self._sound_end
        sound = sound[max(0, self._sound_end - start) :]
        start = max(start, self._sound_end)
        if not len(sound):
            return
        if not self._sound:
            self._sound_start = start
        elif start > self._sound_end:
            self._sound.append(np.zeros(min(start - self._sound_end, _SOUND_MAX), np.int16))
        self._sound.append(sound.astype(np.int16, copy=False))
        self._sound_end = start + len(sound)
        while len(self._sound) > 1 and self._sound_end - self._sound_start > _SOUND_MAX:
            self._sound_start += len(self._sound.popleft())
        self._reached = max(self._reached, self._sound_end / SAMPLE_RATE)

    def _take_video(self, frame: av.VideoFrame) -> None:
        assert self._container is not None
        at = self._base + max(0.0, frame.time - (self._container.start_time or 0) / 1_000_000)
        rate = self._video_streams()[0].average_rate
        self._reached = max(self._reached, at + (1 / float(rate) if rate else 0.04))
        if self._video and at - self._video[-1][0] < _SPACING:
            return
        self._video.append((at, self._fit(frame)))
        if len(self._video) > _VIDEO_MAX:
            self._video.popleft()

    def _fit(self, frame: av.VideoFrame) -> RawFrame:
        width, height = self._size
        aspect = self._video_streams()[0].sample_aspect_ratio
        shown_width = frame.width * (float(aspect) if aspect else 1.0)
        scale = min(width / shown_width, height / frame.height)
        inner_width = max(2, min(width, round(shown_width * scale / 2) * 2))
        inner_height = max(2, min(height, round(frame.height * scale / 2) * 2))
        inner = frame.reformat(
            inner_width, inner_height, "yuv420p", dst_color_range="MPEG", interpolation="FAST_BILINEAR"
        )
        inner_frame: RawFrame = inner.to_ndarray().astype(np.uint8, copy=False)
        if (inner_width, inner_height) == (width, height):
            return inner_frame
        raw_frame = blank(width, height)
        left, top = (width - inner_width) // 4 * 2, (height - inner_height) // 4 * 2
        for divisor, target, part in zip((1, 2, 2), planes(raw_frame), planes(inner_frame), strict=True):
            y, x = top // divisor, left // divisor
            target[y : y + part.shape[0], x : x + part.shape[1]] = part
        return raw_frame
