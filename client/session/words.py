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


def invite_leaked(invite: str, earlier: str | None, name: str, came_in: bool) -> Alarm:
    """A single-use invite was used by two; `earlier` is the name of the first, if it is known."""
    if came_in:
        first = f"{earlier} came in by it" if earlier else "Somebody came in by it"
        what = f"{first}, and now somebody who says \u201c{name}\u201d knocks with it"
        todo = f"Ask {earlier or 'who came in'} something that only the right one can know, or remove them."
    else:
        what = f"\u201c{earlier}\u201d and \u201c{name}\u201d knock with it, and one of them is not whom it was for"
        todo = "Make another one, and hand it over by another way."
    return Alarm(
        "invite_leaked",
        f"{invite[:1].upper()}{invite[1:]} was used twice: it has leaked. {what}. "
        f"It opens nothing any more. {todo}",
    )


def removed_knocks(invite: str, removed: str, name: str) -> Alarm:
    """Somebody knocks with the invite of a member who has been removed."""
    return Alarm(
        "removed_knocks",
        f"Somebody who says \u201c{name}\u201d knocks with {invite}, by which {removed} had come in, who was "
        "removed. It may be the same person, or somebody who was given the link. It opens nothing any more; "
        "whoever you still want here needs another invite.",
    )


def false_end(name: str, why: str) -> Alarm:
    """A member who may not has tried to end the meeting."""
    return Alarm("false_end", f"{name} tried to end the meeting: {why}")


def forged_media(name: str) -> Alarm:
    """A frame was opened under a member's key id, and that member has not signed it."""
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
