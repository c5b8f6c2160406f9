"""A meeting of two real participants at a real server, and the media that arrived."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from snugroom.client.media import check
from tests.cli.processes import Event, Process, running
from tests.media_client import recordings


@dataclass(frozen=True)
class Heard:
    """The media that one participant got of the other, and its reports on its own video each second.

    `gap`: the longest time without a new frame in the recording, seconds. `late`: the longest time by which
    the machine woke a sleeping thread too late meanwhile, seconds.
    """

    audio: Event
    video: Event
    frames: int
    gap: float
    pitch: int | None
    sending: list[Event]
    late: float
    #: Video frames that the other one sent of one layer, at most.
    sent: int

    def standstill(self, most: float) -> float:
        """Seconds for which video may stand still, if on a machine with nothing else to do that is `most`.

        A frame that comes again has gone five times through programs that the machine has to wake, and so has
        the request for it.
        """
        return most + 10 * self.late

    @property
    def missing(self) -> float:
        """The share of the frames of sound that never came, or came too late."""
        return float(self.audio["concealed"] / (self.audio["opened"] + self.audio["concealed"]))


def settings(directory: Path, **media: object) -> tuple[str, ...]:
    """Arguments for `snug-server`: on loopback, with these settings at the top and ``[media]`` below."""
    table = media.pop("media", {})
    assert isinstance(table, dict)
    lines = [f"{name} = {value!r}" for name, value in media.items()]
    lines += ["[media]", *(f"{name} = {str(value).lower()}" for name, value in table.items())]
    file = directory / "snug.toml"
    file.write_text("\n".join(lines) + "\n")
    return "--listen", "127.0.0.1:0", "--config", str(file)


class _Lateness(threading.Thread):
    """Measures how late the machine wakes a thread that sleeps."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.longest = 0.0
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.is_set():
            began = time.monotonic()
            time.sleep(0.01)
            self.longest = max(self.longest, time.monotonic() - began - 0.01)

    def __enter__(self) -> _Lateness:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


def hold(
    server: tuple[str, ...], directory: Path, seconds: float, media: tuple[str, ...] = ()
) -> tuple[Heard, Heard]:
    """Ada hosts, Bo joins for `seconds`; what Ada got of Bo, and Bo of Ada. `media`: more arguments."""
    with running(*server, module="snugroom.server") as landlord:
        url = landlord.wait_line(lambda line: line.startswith("listening on ")).removeprefix("listening on ")
        with running(
            "host", "--server", url, "--name", "Ada", "--admit", "all", "--json",
            "--record", str(directory / "ada"), *media,
        ) as ada:  # fmt: skip
            link = ada.wait("invite")["link"]
            with running(
                "join", link, "--name", "Bo", "--json", "--for", f"{seconds}s",
                "--record", str(directory / "bo"), *media,
            ) as bo, _Lateness() as late:  # fmt: skip
                assert bo.status() == 0, bo.errors
                ada.send({"leave": True})
                assert ada.status() == 0, ada.errors
                return _heard(ada, bo, "Bo", late.longest), _heard(bo, ada, "Ada", late.longest)


def _heard(who: Process, other: Process, of: str, late: float) -> Heard:
    last = {e["stream"]: e for e in who.events("media") if e["from"] == of}
    recording = next(e["path"] for e in who.events("recording") if f"{of}-" in Path(e["path"]).name)
    times = [time for time, _ in recordings.read_video(recording)]
    end = recordings.streams_of(recording).audio_end
    assert times, "no picture came"
    assert end is not None, "no sound came"
    # up to the end of the sound: video that stands still at the end is a gap too
    gap = max(b - a for a, b in pairwise([*times, max(end, times[-1])]))
    tones = recordings.pitch_of(recording)
    pitch = check.identity_of_pitch(tones[0][0]) if tones else None
    sending, others = ([e for e in each.events("sending") if e["stream"] == "video"] for each in (who, other))
    return Heard(
        last["audio"], last["video"], len(times), gap, pitch, sending, late, max(e["sealed"] for e in others)
    )
