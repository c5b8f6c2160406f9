"""Output of the result: a table and a page for people, and JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence

from snugroom.client.session.features.audible import SLOTS
from snugroom.lab.leakage.plan import SEGMENT
from snugroom.lab.leakage.questions import Answer, Result
from snugroom.lab.leakage.selection import SIZES, Leak, least_auc

#: For each question: the meaning if it can be guessed, the meaning if not, and what a member can do.
_WORDS: dict[str, tuple[str, str, str]] = {
    "who_speaks": (
        "More leaks than may: the server can guess who speaks.",
        "The server can't tell speech from a quiet room.",
        "Nothing is needed.",
    ),
    "muted": (
        "More leaks than may: the server can guess who is muted.",
        "A muted microphone looks like an open one: silence is sent in the same packets.",
        "Nothing is needed.",
    ),
    "camera": (
        "It leaks: a picture that moves takes more bytes than a black one, and no camera takes no packets.",
        "It was not found; do not rely on it.",
        "Send no picture, or leave the camera on for the whole meeting.",
    ),
    "host": (
        "It leaks: who opens the room, answers knocks and commits the others in has a host's key.",
        "It was not found; do not rely on it.",
        "Reach the server through Tor or a VPN, so that it knows a host by no address.",
    ),
    "host_later": (
        "It leaks a little: a host has been there longer (a counter is a byte longer), and has more to do.",
        "A host who does nothing as a host was not told from the others.",
        "Nothing is known to help.",
    ),
    "same_person": (
        "It leaks by habits: who had a camera mostly comes back with one, who had none without.",
        "Nothing but the address (and who comes back when) links two stays.",
        "Come back through another address, and with as many streams as others have.",
    ),
    "same_alike": (
        "Something besides address and camera links two stays of one person.",
        "Among people of the same habits nothing but the address was found to link two stays.",
        "Come back through another address: it is the address that gives people away.",
    ),
    "chat_long": (
        "It leaks roughly: a message fills a bucket (512 bytes, 1 kB, 2 kB...), and the bucket is seen.",
        "It was not found; do not rely on it.",
        "Keep messages below about 200 characters: they all look the same.",
    ),
    "chat_short": (
        "Lengths within one bucket can be told apart: this should not be.",
        "Within one bucket all lengths look the same.",
        "Nothing is needed.",
    ),
    "control": (
        "The method works: a client that saves bits in the pauses gives its speaker away.",
        "The control was not found: the numbers above prove nothing.",
        "This client has no such setting.",
    ),
}


def found(answer: Answer) -> bool:
    """Return whether the guess is better than chance: `low` above 0.5, and an AUC of at least 0.55."""
    return answer.guess is not None and answer.guess.low > 0.5 and answer.guess.auc >= 0.55


def words(answer: Answer) -> tuple[str, str]:
    """Return (meaning, what a member can do)."""
    if answer.guess is None:
        return "There were too few meetings to tell.", ""
    yes, no, do = _WORDS[answer.question.name]
    return (yes if found(answer) else no), do


def _number(answer: Answer) -> str:
    g = answer.guess
    return "-" if g is None else f"{g.auc:.2f} [{g.low:.2f}, {g.high:.2f}]"


def as_json(result: Result) -> str:
    """Return one JSON object; `low` and `high` are the ends of the 95% confidence interval of `auc`."""
    return json.dumps(
        {
            "meetings": result.meetings,
            "failed": result.failed,
            "seconds": result.seconds,
            "took": round(result.took, 1),
            "too_much": [answer.question.name for answer in result.too_much],
            "questions": [
                {
                    "name": a.question.name,
                    "text": a.question.text,
                    "limit": a.question.limit,
                    "auc": None if a.guess is None else round(a.guess.auc, 3),
                    "low": None if a.guess is None else round(a.guess.low, 3),
                    "high": None if a.guess is None else round(a.guess.high, 3),
                    "items": 0 if a.guess is None else a.guess.items,
                    "meetings": 0 if a.guess is None else a.guess.meetings,
                    "found": found(a),
                }
                for a in result.answers
            ],
            "selection": [
                {
                    "members": leak.members,
                    "rule": leak.rule,
                    "bound": round(leak.bound, 3),
                    "speaks": round(leak.speaks, 3),
                    "open": round(leak.open, 3),
                    "spoke": round(leak.spoke, 3),
                    "guessed": round(leak.guessed.auc, 3),
                    "among": round(leak.among.auc, 3),
                    "unheard": round(leak.unheard, 3),
                }
                for leak in result.leaks
            ],
        },
        indent=2,
    )


def as_table(result: Result) -> str:
    """Return a table for a terminal."""
    width = max(len(answer.question.text) for answer in result.answers)
    lines = [f"{'':{width}}  AUC   95% CI        of"]
    for a in result.answers:
        g = a.guess
        number = "too few to tell" if g is None else f"{g.auc:.2f}  [{g.low:.2f}, {g.high:.2f}]  {g.items}"
        mark = "  TOO MUCH" if a.too_much else "  leaks" if found(a) and not a.question.planted else ""
        lines.append(f"{a.question.text:{width}}  {number}{mark}")
    lines.append("0.50 is a coin, 1.00 is certainty; chance is allowed up to 0.55.")
    lines.append(f"{result.meetings} meetings of three, {result.took:.0f} seconds.")
    return "\n".join(lines)


def as_page(result: Result) -> str:
    """Return the text of docs/explanation/leakage.md."""
    rows = "\n".join(f"| {a.question.text} | {_number(a)} | {' | '.join(words(a))} |" for a in result.answers)
    return _PAGE.format(
        rows=rows, meetings=result.meetings, seconds=f"{result.seconds:g}", selection=as_section(result.leaks)
    )


_RULES = {"speakers": "those who speak are in it", "lottery": "by lot"}


def as_section(leaks: Sequence[Leak]) -> str:
    """Return the section of the page about a server that forwards some of the microphones."""
    rows = "\n".join(
        f"| {leak.members} | {_RULES[leak.rule]} | {leak.speaks:.2f} | {leak.open:.2f} "
        f"| {leak.guessed.auc:.2f} | {leak.among.auc:.2f} | {leak.spoke:.2f} | {leak.unheard:.0%} |"
        for leak in leaks
    )
    bounds = ", ".join(f"{least_auc(members):.2f} with {members}" for members in SIZES)
    return _SECTION.format(head=_HEAD, rows=rows, bounds=bounds, slots=SLOTS, others=SLOTS - 1)


_HEAD = (
    "| Members | The set | Who speaks, by the set alone | Whose microphone is open | "
    f"Who speaks, by all features | The same, among the {SLOTS} | Who has spoken, at the end | "
    "Speech that nobody hears |"
)

_SECTION = """\
## If the server forwards {slots} microphones only

The server forwards the microphones of all members to all others. A host can choose that it forwards at
most {slots} in a large room (`snug host --sixteen`). All members go on sending as always, and subscribe
to the same streams. Those who speak are among them, and members who do not speak fill the rest, each for
half a minute. The server sees the set.

{head}
|---|---|---|---|---|---|---|---|
{rows}

The figures are AUCs over all members, in simulated meetings of ten minutes. The features are the set, the
times for which each member was and was not in it, how often it came, and its share of the meeting. "At
the end" is an intersection attack: who has spoken at all, by the time in the set.

Members whose turn in the set is longer than half a minute have an open microphone: with hindsight, the server
finds most speakers among the {slots}.

**No choice of the other members helps.** The speaker is in the set, and of the others only {others} can be.
So the AUC is at least 1 - {others} / (2 (members - 1)), whatever else the server sees:
{bounds} members. To keep it below 0.55, nine of ten members must
be in the set. If chance alone decides who is in it, the set tells nothing, and most speech is not heard. So
Snug forwards all microphones unless a host has chosen otherwise, and sends fewer packets in
[large rooms](../reference/protocol.md#large-rooms)
([decision 80](decisions/0080-sixteen-audible-streams.md)).
"""


_PAGE = """\
# Leakage through sizes and times

The server cannot read the data that it carries, but it sees when packets arrive, from where, and how large
they are. This page measures how much of a meeting can be guessed from that: `snug lab leakage` holds many
small meetings on a server that notes everything that it can see, trains classifiers to guess, and writes
this page.

| What is guessed | AUC [95% CI] | What it means | What you can do |
|---|---|---|---|
{rows}

An AUC of 0.5 is a coin, 1 is certainty. For audio the design promises chance: the AUC of who speaks and of
who is muted must stay below 0.55, otherwise the command fails.

**Without any guessing**, the server also knows the IP address of each connection, and when it began and
ended; how many participants are in a room; when somebody knocks; when the members change their keys, which
they do when somebody joins or leaves; which connections send video; and when a connection sends something to
the chat. A connection that is lost and restored keeps the numbers of its streams (SSRC), so the server can
recognise it. Only its address can show the server whose connection it is. A host who carries a server
(`snug host --landlord`) knows the names as a member, and can tell whose each connection and address is.

## How it is measured

- {meetings} meetings of three whole clients each, one of them the host, {seconds} seconds long, several at a
  time, in real time, over UDP and WebSockets. At the end of a meeting both guests leave at once and come back
  one by one.
- Each member goes through stretches of {segment} seconds in random order: speaking (made-up speech: a
  voice with formants, hisses, pauses; nobody's recording), listening (an open microphone in a quiet room),
  muted. One of three has a camera that goes on and off. All write chat messages, from a word to a page.
- The server is the honest one with notes (`lab/hostile/observer.py`). For each RTP and RTCP packet it
  notes the kernel's time of arrival, the size, and the header, which is in the clear. For each WebSocket
  frame it notes time, direction, size and kind. Heartbeats and media signatures are among these frames.
- The features are counted in windows of one second: packets, bytes, sizes, their spread and changes, packet
  rates, delays against the stream's clock, gaps, markers; frames by kind; and the difference between each of
  these and the values of the others in the room.
- Gradient boosting and logistic regression vote. They are always tested on meetings that they were not
  trained on. The confidence interval is a bootstrap over meetings.
- The control: in some more meetings the members' Opus has a variable bitrate. If the classifiers do not
  detect that, the method is blind, and the other numbers prove nothing.

{selection}
## Limits of the measurement

All meetings run on one machine, which is busy with all members at once. A real network adds jitter, and a
real client has a machine to itself: the jitter hides differences of microseconds better, and the idle machine
hides them worse. There are better observers than two classifiers, there are longer meetings to observe, and
there are questions that this page does not ask. A number near 0.5 shows that this observer failed, not that
every observer must fail.
"""


_PAGE = _PAGE.replace("{segment}", f"{SEGMENT:g}")
