"""Alarms and statuses, from the catalogue of sentences (`sentences/alarms.toml`)."""

from __future__ import annotations

from typing import Final, Literal

from snugroom.client.session.catalogue.sentence import Arg, Sentence, sentence
from snugroom.client.session.events import Alarm, Status

Drop = Literal["serves", "restarted", "refuses", "unprobed", "contradicts", "forgotten", "unclear"]
"""What is known of a server without which we are: whether it serves others (by which key) or nobody new, that
it contradicts itself, that the room may have ended honestly, or that the network can be the cause as well."""

_STREAMS: Final = ("sound", "video", "screen_sound", "screen")


def alarm(key: str, /, **args: Arg) -> Alarm:
    """Return the alarm with the sentence "alarm." + key. Its kind is the first part of the key."""
    return Alarm(key.partition(".")[0], sentence(f"alarm.{key}", **args))


def status(key: str, /, **args: Arg) -> Status:
    """Return the status with the sentence "status." + key. Its kind is the first part of the key."""
    return Status(key.partition(".")[0], sentence(f"status.{key}", **args))


def strange_server(first: str, origin: str, why: str) -> Status:
    """Our program does not go to this server of the meeting; `why`: an `addresses.Objection`, or "name"."""
    return status("strange_server", first=first, origin=origin, why=sentence(f"room.strange_{why}"))


def two_stories(slot: int, who: Arg = None) -> Alarm:
    """The chain of the server, or the chain signed by the members in `who`, differs from ours."""
    return alarm("two_stories.by", slot=slot, who=who) if who else alarm("two_stories", slot=slot)


def maybe_lost(text: str) -> Alarm:
    """A message of ours may be lost by a restart of the server, and its epoch is over."""
    return alarm("maybe_lost", text=text if isinstance(text, Sentence) else text[:60])


def dropped(what: Drop, saved: str | None, **args: Arg) -> Alarm:
    """The server, or something on the way, keeps us out; `saved`: the evidence file, if one was requested."""
    return alarm("dropped", what=sentence(f"dropped.{what}", **args), proof=proof(saved))


def no_place(code: Literal["full", "permission"], why: str, proof: Sentence | None) -> Alarm:
    """The server refuses us with that code; `proof`: where the evidence is, if we were inside."""
    key, says = ("full", {"why": why}) if code == "full" else ("unopened", {})
    return alarm(key, **says) if proof is None else alarm(f"{key}.inside", **says, proof=proof)


def proof(saved: str | None) -> Sentence:
    """Where the evidence is: in the file `saved`, or to be saved."""
    return sentence("dropped.proof") if saved is None else sentence("dropped.saved", file=saved)


def collected(count: int, of: int, origin: str, seconds: int | None, proof: Sentence) -> Status:
    """`count` of so many signed that they lost the room; after `seconds`, that server's key another room."""
    facts: dict[str, Arg] = {"count": count, "of": of, "origin": origin, "proof": proof}
    if seconds is None:
        return status("evidence", **facts)
    return status("evidence.signed", seconds=seconds, **facts)


def stream_of(whose: str | None, number: int) -> Sentence:
    """Name a stream for a person: "Ada's sound"; `whose` is None for our own."""
    kind = _STREAMS[number] if number < len(_STREAMS) else "video"
    return sentence(f"stream.own.{kind}") if whose is None else sentence(f"stream.{kind}", whose=whose)
