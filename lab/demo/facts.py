"""The facts of a demo and the verdict on them. Pure, so that tests can make each rule fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

#: Minimum share of the frames sent while everybody was present that must be decoded, unless the machine is
#: busy: then sender, server and receiver each lack CPU time.
SHARE_LEAST: Final = 0.8
#: Below this pace a machine is busy.
BUSY: Final = 0.9
#: Minimum number of decoded frames per second of meeting, however busy the machine.
SOUND_RATE_LEAST: Final = 5.0
PICTURE_RATE_LEAST: Final = 1.0
#: Frames a second that are due.
_SOUND_RATE: Final = 50.0
_PICTURE_RATE: Final = 15.0
#: Alarms that a busy machine alone can raise. They are harmless if all other checks hold.
PASSING: Final = frozenset({"media_lost", "media_unreachable"})


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream from one participant to another: frame counters, and the check of its recording.

    `sent` and `received` count only the meeting proper, while everybody was present: frames sealed by the
    sender, and frames decoded by this receiver. The other counters cover the whole stay. `measured`: the
    pitch in Hz for audio, the number of recorded images for video; None if there was nothing. `proved`: the
    pitch (or colour) is the sender's own.
    """

    opened: int = 0
    decoded: int = 0
    failed: int = 0
    lost: int = 0
    sent: int = 0
    received: int = 0
    measured: float | None = None
    proved: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """The streams that `listener` received from `speaker`."""

    speaker: str
    listener: str
    sound: Stream
    sight: Stream


@dataclass(frozen=True, slots=True)
class Search:
    """A search of the server's memory and log.

    `searched`: bytes. `sought`: number of values by kind. `found`: kinds of values that were found and must
    not be there. `known`: number of values that the server must hold (handles that it made itself), of which
    `known_found` were found: a search that finds none of them proves nothing. `sealed_found` of `sealed`
    frames were found as ciphertext.
    """

    searched: int
    sought: Mapping[str, int]
    found: tuple[str, ...]
    known: int
    known_found: int
    sealed: int = 0
    sealed_found: int = 0


@dataclass(frozen=True)
class Facts:
    """All observations of one meeting of `seconds`. Mappings are by participant's name."""

    seconds: float
    names: tuple[str, ...]
    #: Members that each participant saw in the room.
    rosters: Mapping[str, frozenset[str]]
    pairs: tuple[Pair, ...]
    said: Mapping[str, str]
    #: (speaker, text) of each message that the participant was shown.
    heard: Mapping[str, frozenset[tuple[str, str]]]
    #: (epoch, digits) of the code that each participant showed last.
    codes: Mapping[str, tuple[int, str]]
    #: Number of frames that did not authenticate, from any sender.
    refused: Mapping[str, int]
    #: How the meeting ended for each participant.
    endings: Mapping[str, str]
    disclosure: Mapping[str, Any] | None
    server_exit: int | None
    #: None if the memory cannot be read here; `search_refused` then says why.
    search: Search | None = None
    search_refused: str | None = None
    #: (participant, kind, text)
    alarms: tuple[tuple[str, str, str], ...] = ()
    #: Problems that kept the meeting from continuing.
    trouble: tuple[str, ...] = field(default=())
    #: People who also joined, by the page: they knocked, and the host admitted them.
    visitors: frozenset[str] = frozenset()
    #: Seconds from the death of the server until everybody had read what was written then; None if none died.
    moved_after: float | None = None

    @property
    def code(self) -> str | None:
        """The code that all participants share; None if they differ."""
        codes = {self.codes.get(name) for name in self.names}
        only = next(iter(codes)) if len(codes) == 1 else None
        return only[1] if only is not None else None

    @property
    def pace(self) -> float:
        """Share of the due frames that the slowest stream sent: below 1 on a busy machine."""
        sound = min((pair.sound.sent for pair in self.pairs), default=0) / _SOUND_RATE
        sight = min((pair.sight.sent for pair in self.pairs), default=0) / _PICTURE_RATE
        return min(1.0, sound / self.seconds, sight / self.seconds)


def verdict(facts: Facts) -> list[str]:
    """Return one sentence for each check that failed; empty if all hold."""
    return [
        *facts.trouble,
        *_room(facts),
        *_media(facts),
        *_talk(facts),
        *_code(facts),
        *_server(facts),
    ]


def _room(facts: Facts) -> list[str]:
    failures = []
    everybody = frozenset(facts.names)
    for name in facts.names:
        roster = facts.rosters.get(name, frozenset())
        if missing := sorted(everybody - roster):
            failures.append(f"{name} did not see {_list(missing)} in the room.")
        if strangers := sorted(roster - everybody - facts.visitors):
            failures.append(f"{name} saw {_list(strangers)} in the room, whom nobody sent.")
        ending = facts.endings.get(name, "nothing")
        if ending not in ("left", "ended"):
            failures.append(f"For {name} the meeting did not end well: {ending}.")
    failures += [f"{name} was alarmed: {text}" for name, kind, text in facts.alarms if kind not in PASSING]
    return failures


def _media(facts: Facts) -> list[str]:
    failures = []
    pairs = {(pair.speaker, pair.listener): pair for pair in facts.pairs}
    share = SHARE_LEAST if facts.pace >= BUSY else 0.0
    for speaker in facts.names:
        for listener in facts.names:
            if speaker == listener:
                continue
            pair = pairs.get((speaker, listener), Pair(speaker, listener, Stream(), Stream()))
            heard = max(SOUND_RATE_LEAST * facts.seconds, share * pair.sound.sent)
            seen = max(PICTURE_RATE_LEAST * facts.seconds, share * pair.sight.sent)
            failures += _stream(pair, pair.sound, heard, "hear", "pitch")
            failures += _stream(pair, pair.sight, seen, "see", "colour")
    for name in facts.names:
        if refused := facts.refused.get(name, 0):
            failures.append(f"{refused} frames that came to {name} did not authenticate.")
    return failures


def _stream(pair: Pair, stream: Stream, least: float, verb: str, mark: str) -> list[str]:
    who, whom = pair.listener, pair.speaker
    if not stream.decoded:
        return [f"{who} did not {verb} {whom}."]
    if stream.received < least:
        return [f"{who} could hardly {verb} {whom}: {stream.received} of {stream.sent} frames."]
    if not stream.proved:
        return [f"What {who} recorded of {whom} does not have the {mark} of {whom}'s test card."]
    return []


def _talk(facts: Facts) -> list[str]:
    failures = []
    for speaker in facts.names:
        text = facts.said.get(speaker)
        if text is None:
            failures.append(f"{speaker} said nothing.")
            continue
        failures += [
            f"{listener} did not get what {speaker} wrote."
            for listener in facts.names
            if listener != speaker and (speaker, text) not in facts.heard.get(listener, frozenset())
        ]
    return failures


def _code(facts: Facts) -> list[str]:
    if missing := [name for name in facts.names if name not in facts.codes]:
        return [f"{_list(missing)} showed no code."]
    if facts.code is None:
        return ["They do not see the same code: somebody may be in another meeting."]
    return []


def _server(facts: Facts) -> list[str]:
    failures = []
    if facts.disclosure is None:
        failures.append("The server did not tell what it holds.")
    elif (files := facts.disclosure.get("files_open_for_writing", 0)) > 0:
        failures.append(f"The server has {files} files open for writing.")
    if facts.server_exit != 0:
        failures.append(f"The server did not stop as asked: exit status {facts.server_exit}.")
    if facts.search is not None:
        failures += [
            f"The server's memory or log holds what it must not: {what}." for what in facts.search.found
        ]
        if not facts.search.known_found:
            failures.append("The search of the server's memory finds nothing at all, so it proves nothing.")
    return failures


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
