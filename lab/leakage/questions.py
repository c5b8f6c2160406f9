"""The questions. Each makes (features, answer, meeting) from the server's notes and the members' records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from snugroom.lab.leakage import seen as s
from snugroom.lab.leakage.guess import Guess, Numbers, guess
from snugroom.lab.leakage.plan import Lived
from snugroom.lab.leakage.seen import Seen
from snugroom.lab.leakage.selection import Leak
from snugroom.lab.leakage.worker import Held

Item = tuple[list[float], bool, int]


@dataclass(frozen=True)
class Question:
    """A question. `limit`: the AUC from which too much leaks, where the design promises that nothing does."""

    name: str
    text: str
    items: Callable[[Seen, Sequence[Held]], Iterator[Item]]
    limit: float | None = None
    planted: bool = False


def _lives(held: Sequence[Held], life: int = 0) -> Iterator[tuple[Lived, list[Lived]]]:
    for meeting in held:
        room = [who for who in meeting.lives if who.life == life]
        yield from ((who, room) for who in room)


def _windows(who: Lived) -> Iterator[tuple[float, float, str, bool]]:
    for begin, end, state, camera in who.stretches:
        for offset in s.WINDOWS:
            if begin + offset + s.WINDOW <= end + 0.05:
                yield begin + offset, begin + offset + s.WINDOW, state, camera


def _speaks(seen: Seen, held: Sequence[Held]) -> Iterator[Item]:
    for who, room in _lives(held):
        for begin, end, state, _ in _windows(who):
            if state != "muted":
                yield s.audio_window(seen, who, room, begin, end), state == "speaking", who.meeting


def _muted(seen: Seen, held: Sequence[Held]) -> Iterator[Item]:
    for who, room in _lives(held):
        for begin, end, state, _ in _windows(who):
            yield s.audio_window(seen, who, room, begin, end), state == "muted", who.meeting


def _camera(seen: Seen, held: Sequence[Held]) -> Iterator[Item]:
    for who, _ in _lives(held):
        if who.has_camera:
            for begin, end, _, camera in _windows(who):
                stream = seen.streams.get(who.ssrcs["video"])
                yield s.stream_window(stream, begin, end), camera, who.meeting


def _host_by_all(seen: Seen, held: Sequence[Held]) -> Iterator[Item]:
    for who, room in _lives(held):
        came = sorted(seen.came[x.handles[0]][0] for x in room if x.handles and x.handles[0] in seen.came)
        if not who.handles or who.handles[0] not in seen.came:
            continue
        handle = who.handles[0]
        order = float(came.index(seen.came[handle][0]))
        yield [order, *s.frames_window(seen, handle, 0.0, np.inf)], who.host, who.meeting


def _host_later(seen: Seen, held: Sequence[Held]) -> Iterator[Item]:
    for who, room in _lives(held):
        for begin, end, *_ in who.stretches:
            yield s.audio_window(seen, who, room, begin, end), who.host, who.meeting


def _first_stay(seen: Seen, who: Lived) -> list[float]:
    """Return features that could match in a member's two stays: the knock's size, the clock, the pace."""
    handle = who.handles[0]
    posts = [f[2] for door in who.doors for f in seen.frames.get(door, ()) if f[1] and f[3] == "post"]
    stream = seen.streams.get(who.ssrcs.get("audio", 0))
    if stream is None:
        return []
    begin = stream.at[0]
    return [
        float(len(who.doors)),
        float(len(posts)),
        float(sum(posts)),
        float(stream.at[0] % 0.02),
        float(stream.sequence[0]),
        *s.stream_window(stream, begin, begin + 2.0),
        *s.frames_window(seen, handle, 0.0, np.inf),
    ]


def _same_person(alike: bool) -> Callable[[Seen, Sequence[Held]], Iterator[Item]]:
    """Ask whether a returning member is a given former one. `alike`: only if no former one has a camera."""

    def items(seen: Seen, held: Sequence[Held]) -> Iterator[Item]:
        for meeting in held:
            before = [w for w in meeting.lives if w.life == 0 and not w.host and w.handles]
            after = [w for w in meeting.lives if w.life == 1 and w.handles]
            if alike and any(who.has_camera for who in before):
                continue
            for old in before:
                for new in after:
                    was, is_now = _first_stay(seen, old), _first_stay(seen, new)
                    gone, came = seen.went.get(old.handles[0]), seen.came.get(new.handles[0])
                    if was and is_now and gone is not None and came is not None:
                        features = [came[0] - gone, *np.abs(np.array(was) - np.array(is_now))]
                        yield features, old.person == new.person, meeting.number

    return items


def _chat(over: int, at_most: int) -> Callable[[Seen, Sequence[Held]], Iterator[Item]]:
    def items(seen: Seen, held: Sequence[Held]) -> Iterator[Item]:
        for who, _ in _lives(held):
            for at, characters in who.chats:
                if characters <= at_most and who.handles:
                    frames = seen.frames.get(who.handles[0], ())
                    mine = [f for f in frames if f[1] and f[3] == "relay" and 0 <= f[0] - at + 0.01 < 0.6]
                    near = s.frames_window(seen, who.handles[0], at - 0.01, at + 0.6)
                    yield [float(mine[0][2] if mine else 0), *near], characters > over, who.meeting

    return items


QUESTIONS: tuple[Question, ...] = (
    Question("who_speaks", "Who speaks (microphone open)", _speaks, limit=0.55),
    Question("muted", "Muted or not", _muted, limit=0.55),
    Question("camera", "Camera on or off", _camera),
    Question("host", "Who is host, seen from the beginning", _host_by_all),
    Question("host_later", "Who is host, by a few seconds in the middle", _host_later),
    Question("same_person", "The same person, who left and came back (addresses aside)", _same_person(False)),
    Question("same_alike", "The same, where neither of two has a camera", _same_person(True)),
    Question("chat_long", "A chat message of more than 100 characters", _chat(100, 10_000)),
    Question("chat_short", "Of a short one: more than 40 characters, or not", _chat(40, 220)),
    Question("control", "Control: who speaks, if Opus had a variable bitrate", _speaks, planted=True),
)


@dataclass(frozen=True)
class Answer:
    """A question and the guess that answers it; `guess` is None if there was too little data."""

    question: Question
    guess: Guess | None

    @property
    def too_much(self) -> bool:
        """Whether more leaks than the design allows, or too little data exists to exclude it."""
        limit = self.question.limit
        return limit is not None and (self.guess is None or self.guess.auc >= limit)


@dataclass(frozen=True)
class Result:
    """Answers, meetings held and failed, seconds per meeting, and the seconds that the measurement took.

    `leaks`: what a server that forwards some of the microphones could tell, simulated.
    """

    answers: list[Answer]
    meetings: int
    failed: int
    seconds: float
    took: float
    leaks: list[Leak] = field(default_factory=list)

    @property
    def too_much(self) -> list[Answer]:
        """Answers that leak more than the design allows."""
        return [answer for answer in self.answers if answer.too_much]


def ask(question: Question, seen: Seen, held: Sequence[Held]) -> Answer:
    """Answer one question from all meetings that fit it."""
    fitting = [
        meeting
        for meeting in held
        if not meeting.failed and any(w.planted for w in meeting.lives) is question.planted
    ]
    items = list(question.items(seen, fitting))
    if not items:
        return Answer(question, None)
    features: Numbers = np.nan_to_num(np.array([item[0] for item in items], dtype=np.float64))
    truth = np.array([float(item[1]) for item in items])
    try:
        return Answer(question, guess(features, truth, np.array([item[2] for item in items])))
    except ValueError:
        return Answer(question, None)
