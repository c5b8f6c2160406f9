"""The sentences of alarms: what happened, what it means, what to do. In one place, for all who say them."""

from __future__ import annotations

from client.session.events import Alarm


def void_commit(why: str, who: str, slot: int) -> Alarm:
    """A slot holds nothing; `who` is a name, or that it can't be told."""
    return Alarm(
        "void_commit",
        f"A change to the meeting was not valid and was ignored: {why}. It came from {who} (slot {slot}).",
    )


def stuck(who: str) -> Alarm:
    """We alone can't read a commit."""
    return Alarm("stuck", f"{who}'s last change can't be read here. Nothing is sent until that is settled.")


def receipt() -> Alarm:
    """The server's signature is missing or wrong."""
    return Alarm("receipt", "The server did not sign what it told us. Compare codes by phone.")


def two_stories(slot: int) -> Alarm:
    """The server's chain is not ours."""
    return Alarm(
        "two_stories",
        f"The server told two stories of this meeting (at slot {slot}). What you say may not reach "
        "everybody. Compare codes by phone, or open a new room.",
    )


def maybe_lost(text: str) -> Alarm:
    """A word of ours fell between two lives of the server, and its epoch is over."""
    return Alarm(
        "maybe_lost",
        f"The server went away right after you said \u201c{text[:60]}\u201d. It may not have reached "
        "everybody; say it again if it matters.",
    )


def missed(count: int) -> Alarm:
    """Words of others that can't be had or read any more."""
    return Alarm(
        "missed",
        f"{count} messages of others went by and can't be read here any more; some may have been said in "
        "the chat. Ask what you missed.",
    )


def refused(why: str) -> Alarm:
    """The server would not do something."""
    return Alarm("refused", f"The server refused something: {why}.")


def not_done(why: str) -> Alarm:
    """A command could not be carried out."""
    return Alarm("not_done", f"That could not be done: {why}")


def false_end(name: str, why: str) -> Alarm:
    """A member who may not has tried to end the meeting."""
    return Alarm("false_end", f"{name} tried to end the meeting: {why}")
