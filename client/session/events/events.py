"""What a session tells a person or a script."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from snugroom.client.session.catalogue.content import ReactionKind
from snugroom.client.session.entry.contacts import Standing

#: The identity that a member has shown to us in this meeting, or the invite for one person that admitted it.
Proof = Literal["identity", "invite"]


@dataclass(frozen=True)
class Member:
    """A member of the room."""

    leaf: int
    name: str
    host: bool


@dataclass(frozen=True)
class Newcomer(Member):
    """A member that a commit has added, or put back in place of its old leaf."""

    #: The invite that admitted it, and the invite's label here: None if another host made it.
    invite: int | None
    label: str | None


@dataclass(frozen=True)
class InviteMade:
    """A link to this meeting's lobby. `label` is the host's private name for it."""

    link: str
    index: int
    label: str = ""
    once: bool = False
    #: The own invite that this one replaces, which no longer admits anybody.
    replaces: int | None = None


@dataclass(frozen=True)
class InviteRow:
    """A host's knowledge of one invite."""

    index: int
    label: str | None  # None: another host made the invite
    once: bool
    used_by: tuple[str, ...]
    revoked: bool


@dataclass(frozen=True)
class Invites:
    """The answer to `ListInvites`."""

    rows: tuple[InviteRow, ...]


@dataclass(frozen=True)
class PolicyChanged:
    """A host changed the policy: `by` is the host's leaf, `text` a sentence.

    `kind` is "host" or "no_host" (`leaf` is then the member's, None if it is not in the room), "mode" (`mode`
    is then "ask", "all" or "locked"), "title" or "servers".
    """

    by: int
    kind: Literal["host", "no_host", "mode", "title", "servers"]
    text: str
    leaf: int | None = None
    mode: Literal["ask", "all", "locked"] | None = None


@dataclass(frozen=True)
class Knocked:
    """Somebody asks to be admitted; `looks_like` is a member's name that the knocker's name resembles.

    A host is told of a knock again, under the same number, if that member falls silent, is heard again or
    goes.
    """

    knock: int
    name: str
    greeting: str
    invite: int
    looks_like: str | None = None
    label: str | None = None  # of the invite; None: another host made it
    #: How well the shown identity is known; `contact` is its name in the contact book, if it has an entry.
    standing: Standing = "none"
    contact: str | None = None
    fingerprint: str | None = None  # 40 digits; None: no identity is shown
    #: Oddities of name, identity and link, a sentence each.
    warnings: tuple[str, ...] = ()
    #: The link was made before the hosts' keys changed: a former host may have made it.
    older: bool = False
    #: A host that has crashed asks to come back, by the hosts' return key and not by an invite.
    returning: bool = False
    #: The member `looks_like` has not been heard for a while.
    silent: bool = False
    #: The knock's proof that it is that silent member, so that `Replace` can put it in that member's place.
    proof: Proof | None = None


@dataclass(frozen=True)
class AdmissionProgress:
    """How many of the people whom a host has answered at once are in, or refused; `left` still wait.

    `AdmitAll` answers no knock with a warning or with a name that resembles a member's.
    """

    inside: int
    of: int
    refused: int = 0
    left: int = 0


@dataclass(frozen=True)
class Roster:
    """The current members, and what changed; `by` is the leaf that committed the change."""

    epoch: int
    members: tuple[Member, ...]
    added: tuple[Newcomer, ...]
    removed: tuple[Member, ...]
    by: int | None
    rejoined: bool = False
    #: Removed leaves that left by themselves; `by` removed the others.
    left: tuple[int, ...] = ()


@dataclass(frozen=True)
class Code:
    """The long verification code of an epoch: 40 digits, the same for all members."""

    epoch: int
    digits: str


@dataclass(frozen=True)
class ShortCode:
    """Four emoji and the words to read them out; the same for all members of that epoch.

    `by` is the leaf of the member that asked for the code; None if it is not here any more.
    """

    epoch: int
    emoji: tuple[str, ...]
    words: tuple[str, ...]
    members: tuple[Member, ...]
    by: int | None = None


@dataclass(frozen=True)
class Known:
    """A member, as a comparison of codes sees it; `new_since`: the comparison did not cover it."""

    leaf: int
    name: str
    host: bool
    new_since: bool


@dataclass(frozen=True)
class Comparison:
    """The state of the comparison made in epoch `compared`: the changes since then, with their authors.

    `same` is the person's statement at that time; `news`: this epoch has added to `changes`.
    """

    epoch: int
    compared: int
    how: Literal["short", "digits"]
    same: bool
    news: bool
    members: tuple[Known, ...]
    changes: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Answered:
    """A member's answer to a short code: `same` is None before it. `both`: it and this person said "same"."""

    leaf: int
    name: str
    same: bool | None
    both: bool


@dataclass(frozen=True)
class CodeAnswers:
    """All answers to the last short code, of `epoch`, that have come; `by`: as in `ShortCode`."""

    epoch: int
    by: int | None
    members: tuple[Answered, ...]
    text: str


@dataclass(frozen=True)
class Said:
    """A chat message; `id` identifies it locally, for reports."""

    leaf: int
    name: str
    text: str
    id: str = ""


@dataclass(frozen=True)
class Image:
    """An image in the chat. `path` is where the shell saved it, if it was asked to."""

    leaf: int
    name: str
    id: str
    mime: str
    data: bytes = field(repr=False)
    path: str | None = None


@dataclass(frozen=True)
class HeldMessage:
    """A message of ours that waits; `why` is a sentence."""

    text: str
    why: str


@dataclass(frozen=True)
class Held:
    """All messages of ours that wait, whenever these change; none any more if `messages` is empty."""

    messages: tuple[HeldMessage, ...]


@dataclass(frozen=True)
class FileOffered:
    """A file transfer has begun, in or out. The three events below refer to it by `id`."""

    leaf: int
    name: str
    id: str
    filename: str
    mime: str
    size: int


@dataclass(frozen=True)
class FileProgress:
    """`done` of `size` bytes have been received, or sent."""

    id: str
    done: int
    size: int


@dataclass(frozen=True)
class FileDone:
    """The file has arrived as its sender sent it, or has been sent. `path` is where the shell saved it."""

    id: str
    data: bytes = field(repr=False)
    path: str | None = None


@dataclass(frozen=True)
class FileFailed:
    """The file will not arrive; `why` is a sentence."""

    id: str
    why: str


@dataclass(frozen=True)
class StateTold:
    """The state that a member shows, as the member itself reports it."""

    leaf: int
    name: str
    mic: bool
    camera: bool
    screen: bool
    hand: bool
    recording: bool
    #: The member's program has ended, and the member may come back.
    away: bool = False


@dataclass(frozen=True)
class Reacted:
    """A member's reaction."""

    leaf: int
    name: str
    reaction: ReactionKind


@dataclass(frozen=True)
class RunsPage:
    """The page that a member runs, as the member itself reports it: the bundle's hash, 32 bytes."""

    leaf: int
    name: str
    hash: bytes


@dataclass(frozen=True)
class Pages:
    """The pages that members run, as far as members have reported them."""

    pages: tuple[RunsPage, ...]


@dataclass(frozen=True)
class Vouched:
    """A member has proven its identity to us alone; the fields are as in `Knocked`."""

    leaf: int
    name: str
    standing: Standing
    contact: str | None
    fingerprint: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class BookChanged:
    """A contact is new or has changed, and the book must be saved. `at` is in Unix seconds."""

    name: str
    fingerprint: str
    verified: bool
    public: bytes
    at: float


@dataclass(frozen=True)
class Alarm:
    """A problem that a person should know about; `kind` is stable, `text` a sentence.

    `count` above 1: this alarm replaces the last one of that cause, which has recurred.
    """

    kind: str
    text: str
    count: int = 1


@dataclass(frozen=True)
class Status:
    """The session's state: for example waiting for a host, knocking, in the room, server away."""

    kind: str
    text: str


@dataclass(frozen=True)
class Ended:
    """The meeting is over for this participant."""

    reason: Literal[
        "left",
        "removed",
        "replaced",
        "refused",
        "ended",
        "dropped",
        "failed",
        "unopened",
        "untrusted",
        "unserved",
    ]
    text: str


Event = (
    InviteMade
    | Invites
    | PolicyChanged
    | Knocked
    | AdmissionProgress
    | Roster
    | Code
    | ShortCode
    | Comparison
    | CodeAnswers
    | Said
    | Image
    | Held
    | FileOffered
    | FileProgress
    | FileDone
    | FileFailed
    | StateTold
    | Reacted
    | Pages
    | Vouched
    | BookChanged
    | Alarm
    | Status
    | Ended
)
