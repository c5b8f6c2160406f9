"""The sentences of alarms: what happened, what it means, what to do. One place for all modules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from snugroom.client.session.events import Alarm, Status


def void_commit(why: str, who: str, slot: int) -> Alarm:
    """A slot is void; `who` is the author's name, or the words for an unknown author."""
    return Alarm(
        "void_commit",
        f"A change to the meeting was not valid and was ignored: {why}. It came from {who} (slot {slot}).",
    )


def stuck(who: str) -> Alarm:
    """This member alone cannot read a commit."""
    return Alarm("stuck", f"{who}'s last change can't be read here. Nothing is sent until that is settled.")


def receipt() -> Alarm:
    """The server's signature is missing or wrong."""
    return Alarm("receipt", "The server did not sign what it told us. Compare codes by phone.")


def two_stories(slot: int, who: str = "") -> Alarm:
    """The chain of the server, or the chain signed by the members in `who`, differs from ours."""
    if not who:
        return Alarm(
            "two_stories",
            f"The server told two stories of this meeting (at slot {slot}). What you say may not reach "
            "everybody. Compare codes by phone, or open a new room.",
        )
    return Alarm(
        "two_stories",
        f"By the word of {who} the meeting went on in another way than here (at slot {slot}): the server "
        "told two stories of it, or that word is false. What you say may not reach everybody. Compare codes "
        "by phone, or open a new room.",
    )


def maybe_lost(text: str) -> Alarm:
    """A message of ours may be lost by a restart of the server, and its epoch is over."""
    return Alarm(
        "maybe_lost",
        f"The server went away right after you said \u201c{text[:60]}\u201d. It may not have reached "
        "everybody; say it again if it matters.",
    )


def missed(count: int) -> Alarm:
    """Messages of others are no longer available or readable."""
    return Alarm(
        "missed",
        f"{count} messages of others went by and can't be read here any more; some may have been said in "
        "the chat. Ask what you missed.",
    )


def refused(why: str) -> Alarm:
    """The server refused a request."""
    return Alarm("refused", f"The server refused something: {why}.")


def not_done(why: str) -> Alarm:
    """A command could not be carried out."""
    return Alarm("not_done", f"That could not be done: {why}")


def invite_leaked(invite: str, earlier: str | None, name: str, came_in: bool) -> Alarm:
    """Two people used a single-use invite; `earlier` is the first one's name, if known."""
    if came_in:
        first = f"{earlier} came in by it" if earlier else "Somebody came in by it"
        what = f"{first}, and now somebody who says \u201c{name}\u201d knocks with it"
        todo = f"Ask {earlier or 'who came in'} something that only the right one can know, or remove them."
    else:
        what = (
            f"\u201c{earlier}\u201d and \u201c{name}\u201d knock with it, and it was for one of them at most"
        )
        todo = "Make another one, and hand it over by another way."
    return Alarm(
        "invite_leaked",
        f"{invite[:1].upper()}{invite[1:]} was used twice: it has leaked. {what}. "
        f"It opens nothing any more. {todo}",
    )


def removed_knocks(invite: str, removed: str, name: str) -> Alarm:
    """Somebody knocks with the invite of a removed member."""
    return Alarm(
        "removed_knocks",
        f"Somebody who says \u201c{name}\u201d knocks with {invite}, by which {removed} had come in, who was "
        "removed. It may be the same person, or somebody who was given the link. It opens nothing any more; "
        "whoever you still want here needs another invite.",
    )


def page_differs(names: str, several: bool, same: int, of: int, we: bool) -> Alarm:
    """Members run another page than `same` of the `of` members that reported one; `we`: than ours."""
    runs, serves = ("run", "them") if several else ("runs", "it")
    than = "you" if we else "the others"
    return Alarm(
        "page_differs",
        f"{names} {runs} another page than {than}: {same} of {of} here run the same one. Whoever "
        f"served {serves} could have changed it, and what it shows or sends. Ask which page that is; "
        "snug verify-page compares what a server serves with what was released.",
    )


#: Reasons that a file does not arrive.
FILE_SENDER_GONE: Final = "Who sent it has gone before all of it was here."
FILE_TOO_MANY: Final = "Too many files come at a time: ask for it again."
FILE_WRONG: Final = "What came is not what was sent: pieces of it were false. Ask for it again."
FILE_STOPPED: Final = "It stopped coming. Ask for it again."


ENDED_UNHEARD = (
    "You ended the meeting and left it. The server did not pass it on in time: others may still be in it."
)


def false_end(name: str, why: str) -> Alarm:
    """A member that is not allowed to has tried to end the meeting."""
    return Alarm("false_end", f"{name} tried to end the meeting: {why}")


def forged_media(name: str) -> Alarm:
    """A frame was opened under a member's key id, but that member has not signed it."""
    return Alarm(
        "forged_media",
        f"Somebody sent sound or pictures in {name}'s name. Only a member can do that, with the server's "
        f"help. What you heard and saw of {name} just now may be false; from here on only what {name} has "
        "signed is played.",
    )


def unverified_media(names: str) -> Alarm:
    """Frames are played that their senders have not signed."""
    return Alarm(
        "unverified_media",
        f"Nothing says whether sound and pictures in the name of {names} are theirs: the signatures don't "
        "come. The server may hold them back, or somebody else speaks. From here on they are played only "
        "once signed; ask by another way.",
    )


#: Reasons that no audio and video are sent, where a missing beat or a beat's content is the cause.
PAUSED_STALE: Final = (
    "Sound and pictures are paused: too few of the others have lately confirmed who is in the room."
)
PAUSED_WITHHELD: Final = (
    "Sound and pictures are paused: the meeting has moved on, and the change has not come here."
)
FRESH_AGAIN: Final = "The others confirm again who is in the room. Sound and pictures may flow."
HANDED_OVER: Final = "The change that was missing here has come."
OVERRIDE: Final = "Sound and pictures go on by your word. Somebody who has been removed may be listening."

_STREAMS: Final = ("sound", "pictures", "screen's sound", "screen")


def listed(names: Iterable[str], most: int = 6) -> str:
    """Join names: "Ada", "Ada and Bo", "Ada, Bo and Cem"; beyond `most` the rest is counted."""
    known = list(names)
    if len(known) > most:
        known = [*known[: most - 1], f"{len(known) - most + 1} more"]
    return known[0] if len(known) == 1 else " and ".join((", ".join(known[:-1]), known[-1])) if known else ""


def stream_of(whose: str, number: int) -> str:
    """Name a stream for a person, for example "Ada's sound"."""
    return f"{whose} {_STREAMS[number] if number < len(_STREAMS) else 'pictures'}"


def withheld(slot: int, who: str) -> Alarm:
    """The members in `who`, or the server itself (""), report a slot that we have not been given."""
    return Alarm(
        "withheld",
        f"The meeting has moved on to change {slot}, by the word of {who or 'the server itself'}, and the "
        "server does not hand that change over. It may be a removal. Sound and pictures are paused until it "
        "comes; if it doesn't, leave and join again, or ask by another way.",
    )


def stale(who: str, no_host: bool) -> Alarm:
    """Too few members have confirmed our epoch lately; those in `who` have not."""
    missing = f"No host has been heard; {who} did not confirm" if no_host else f"{who} did not confirm"
    return Alarm(
        "stale",
        f"{missing} who is in the room lately. Somebody may have been removed without your being told, so "
        "sound and pictures are paused. /override sends them anyway.",
    )


def silent(who: str, seconds: float) -> Alarm:
    """Nothing has arrived from a member of the room."""
    return Alarm(
        "silent",
        f"Nothing has come from {who} for {seconds:.0f} s. The connection may be lost, or the server keeps "
        "it from you.",
    )


def gone(who: str, leaf: int, seconds: float) -> Alarm:
    """For hosts: a member has been silent for long."""
    return Alarm(
        "gone",
        f"{who} has been silent for {seconds:.0f} s and still has the meeting's keys. /remove {leaf} takes "
        "them out; they can knock again.",
    )


def unheard(who: str, everybody: bool) -> Alarm:
    """The others' beats do not acknowledge ours."""
    verb = "do" if everybody or " and " in who else "does"
    return Alarm(
        "unheard",
        f"{who} {verb} not hear you: what this program signs does not arrive there. The server may keep it "
        "back. What you say may not be heard; ask by another way.",
    )


def not_reaching(streams: str, whom: str, blamed: bool) -> Alarm:
    """Media is sent but does not arrive; `blamed`: two members report it, or we see it ourselves."""
    if blamed:
        text = (
            f"Sent, but not reaching {whom}: {streams}. The server drops that, or the network to the server "
            "does."
        )
    else:
        text = f"By the word of {whom} this is sent and does not come there: {streams}."
    return Alarm("not_reaching", f"{text} Chat still works; if it lasts, use another network or server.")


def reordered(who: str) -> Alarm:
    """The windows over the relays differ."""
    return Alarm(
        "reordered",
        f"The server gave {who} other messages, or in another order, than you. Do not rely on having read "
        "all that was said, or on the order of it.",
    )


def renumbered() -> Alarm:
    """One number, two messages, on one connection."""
    return Alarm(
        "reordered",
        "The server gave you two different messages under one number. Do not rely on having read all that "
        "was said, or on the order of it.",
    )


def held_back(who: str) -> Alarm:
    """Others have received relays that have not arrived here."""
    return Alarm(
        "reordered",
        f"The server has given {who} messages that it has not given you. Do not rely on having read all that "
        "was said.",
    )


def double_beat(who: str, leaf: int, host: bool) -> Alarm:
    """A member has broken SNUG-19."""
    offer = f" /remove {leaf} takes them out." if host else ""
    return Alarm(
        "double_beat",
        f"{who} has signed two different accounts of the same moment: their program lies to some of you, or "
        f"two programs use one key.{offer}",
    )


def unreadable_commit(who: str, leaf: int) -> Alarm:
    """Two members could not read a commit that was valid for the others."""
    return Alarm(
        "unreadable_commit",
        f"Two members could not read {who}'s last change and had to come in anew. {who}'s program may do "
        f"that on purpose. /remove {leaf} takes them out.",
    )


def not_yet(why: str) -> str:
    """Return a sentence: a member out of step cannot be let back in yet."""
    return f"You can't come back in yet: {why.split(' Knock again')[0]} This program goes on trying."


def unreadable_again(victim: str, victim_leaf: int, who: str, leaf: int) -> Alarm:
    """One member could not read two commits of another, and everybody else could."""
    return Alarm(
        "unreadable_commit",
        f"{victim} could not read two of {who}'s changes, which all others could, and had to come in anew. "
        f"One of their two programs may do that on purpose: ask both. /remove {leaf} takes out {who}, "
        f"/remove {victim_leaf} takes out {victim}.",
    )


def removal_reach(names: Sequence[str], total: int, missing: str, count: int) -> str:
    """Return a sentence for hosts: how many members a removal has reached."""
    if not count:
        return f"The removal of {listed(names)} has reached everybody ({total} of {total})."
    return (
        f"The removal of {listed(names)} has reached {total - count} of {total}: not {missing}. Until it "
        f"does, {listed(names)} may still hear and see what comes from there."
    )


def code_fork(name: str) -> Alarm:
    """A member has other commitments than we do in a run for a short code."""
    return Alarm(
        "code_fork",
        f"{name} was told other things than you while the code was made, or says so: the server may be "
        f"telling two stories, or {name} lies. There is no code. Compare the long code (/code) by phone.",
    )


def code_cheat(name: str) -> Alarm:
    """A member has revealed another share than it had committed to."""
    return Alarm(
        "code_cheat",
        f"{name} did not keep to what {name}'s program had promised while the code was made. Only who wants "
        "to choose the code has a use for that. There is no code; speak with the others about removing "
        f"{name}.",
    )


def code_aborted(names: str, why: str) -> Alarm:
    """A run ended after somebody could have known the code; `names` are those whose share is missing."""
    return Alarm(
        "code_aborted",
        f"There is no code, for {names} did not show a part of it when others had: {why}. Once can be an "
        "accident; if it happens again, somebody is trying out codes, with or without the server. Type "
        "/compare to try again.",
    )


def code_different() -> Alarm:
    """A person has said that the codes are not the same."""
    return Alarm(
        "code_different",
        "The codes are not the same: you are not in one room with those you compared with, and somebody may "
        "stand between you. Leave, say nothing more here, and meet anew in another room, by another way.",
    )


Drop = Literal["serves", "restarted", "refuses", "forgotten"]
"""What a probe says of a server that has dropped us: it serves others (by which key), or nobody new."""

_DROPPED = {
    "serves": "The server dropped us; nobody in the room did. It still serves others, and has signed that.",
    "restarted": "The server dropped us; nobody in the room did. It was started anew, and does not let this "
    "meeting back in.",
    "refuses": "The server dropped us; nobody in the room did. It answers, but opens no new room either: it "
    "may be refusing everybody.",
    "forgotten": "The server knows nothing of this meeting any more. Either everybody has left while we were "
    "away, or the server ended it.",
}


def dropped(what: Drop, saved: str | None) -> Alarm:
    """The server keeps us out of the room; `saved` is the evidence file, if one was requested."""
    proof = (
        f"Evidence is in {saved}." if saved is not None else "/evidence FILE keeps what can be shown of it."
    )
    return Alarm(
        "dropped", f"{_DROPPED[what]} {proof} Trying to get back in; agree by phone where to go on otherwise."
    )


def dropped_often(count: int) -> Alarm:
    """The server lets us in and drops us again and again."""
    return Alarm(
        "dropped",
        f"The connection to this meeting was lost {count} times within a minute, and each time the server "
        "let us in again. Nobody in the room did that: it is the server, or the network to it.",
    )


def dropped_end(what: Drop) -> str:
    """Return a sentence: the server has dropped us from the meeting for good."""
    return f"{_DROPPED[what]} We gave up trying to get back in."


def unreachable() -> Status:
    """The server cannot be reached at all."""
    return Status(
        "away",
        "The server can't be reached at all: it may be down, or the way to it. Nothing that came here says "
        "that anybody ended the meeting. Trying again...",
    )


def restarted() -> Status:
    """The server is a new process, and nobody has opened the room there yet."""
    return Status(
        "away", "The server was started anew and knows nothing of this meeting until a host is back there."
    )


def reports() -> Status:
    """The cost of a meeting with reports, shown to every participant."""
    return Status(
        "reports",
        "What you write here can be proven to others afterwards: this meeting keeps signatures for reports.",
    )


def unreportable(name: str) -> Alarm:
    """A member writes in a meeting with reports without having shown the host's admission."""
    return Alarm(
        "unreportable",
        f"{name} has not shown the host's signature for coming in: what {name} writes can't be reported. "
        "Their program shows it at once, if it is honest and the host's has given it; ask, or have a host "
        "remove them.",
    )


def asks_again(name: str) -> Status:
    """Knocks need a host's yes again: a former host, no longer trusted, may still make invites."""
    return Status(
        "asks_again",
        f"{name} was a host, and may still be able to make links to this meeting. So nobody is waved in any "
        "more: you are asked about everybody.",
    )


def no_admission() -> Status:
    """Our own side of `unreportable`: nobody else can know whose fault it is."""
    return Status(
        "no_admission",
        "The host has not signed that it let you in. What you write here can't be reported, and others may "
        "be told that you hold the signature back. Ask the host, and come in again.",
    )
