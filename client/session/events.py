"""What goes into a session and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from client.contacts import Standing
from client.session.content import ReactionKind
from server.wire import messages as wire
from server.wire.messages import ClientMessage, HandleStream, ServerMessage, Transport

# -- in --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Door:
    """One connection's purpose: a room (`day` is None), the lobby of a UTC day, or a probe.

    A probe is a room of our own, opened to see whether the server still serves others.
    """

    day: int | None = None
    probe: bool = False

    def __str__(self) -> str:
        if self.probe:
            return "probe"
        return "room" if self.day is None else f"lobby {self.day}"


ROOM = Door()
PROBE = Door(probe=True)


@dataclass(frozen=True)
class Received:
    """The server said something at a door; its first word there is always a Challenge."""

    door: Door
    message: ServerMessage


@dataclass(frozen=True)
class Lost:
    """A door's connection is gone, or could not be made; `why` is for a person.

    `answered`: somebody was there, and took the connection or refused it in words.
    """

    door: Door
    why: str
    answered: bool = False


@dataclass(frozen=True)
class Tick:
    """Time has passed. Feed one about every 100 ms."""


@dataclass(frozen=True)
class Say:
    """A chat message for all members."""

    text: str


@dataclass(frozen=True)
class SendPicture:
    """A picture for all members. The shell reads the file at `path`; `data` is what stood in it."""

    path: str
    data: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class SendFile:
    """A file for all members. The shell reads the file at `path`; the rest is what it found."""

    path: str
    name: str = ""
    mime: str = "application/octet-stream"
    data: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class AskFor:
    """Which streams the server is to forward to us, by SSRC; None: all. The server sees what is asked for.

    `tops`: the largest layer (0: the smallest, to 2) that is of use of a stream, where it isn't the largest.
    """

    ssrcs: tuple[int, ...] | None
    tops: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class SetState:
    """What we show of ourselves from now on."""

    mic: bool
    camera: bool
    screen: bool = False
    hand: bool = False
    recording: bool = False


@dataclass(frozen=True)
class RaiseHand:
    """Raise our hand, or take it down; the rest of what we show stays."""

    up: bool


@dataclass(frozen=True)
class React:
    """A sign for all, for a moment."""

    reaction: ReactionKind


@dataclass(frozen=True)
class RunPage:
    """We run the page of that hash (32 bytes): tell all, and compare."""

    hash: bytes


@dataclass(frozen=True)
class SaveReport:
    """Write a report of these messages (their `id`s) to a file."""

    messages: tuple[str, ...]
    path: str


@dataclass(frozen=True)
class SaveEvidence:
    """Write what shows what the server did to a file; with `names`, the names in the room as well."""

    path: str
    names: bool = False


@dataclass(frozen=True)
class Admit:
    """The host's yes to a knock."""

    knock: int


@dataclass(frozen=True)
class Refuse:
    """The host's no."""

    knock: int


@dataclass(frozen=True)
class Remove:
    """A host removes the member at a leaf."""

    leaf: int


@dataclass(frozen=True)
class Deputise:
    """A host makes the member at a leaf a host as well."""

    leaf: int


@dataclass(frozen=True)
class Undeputise:
    """A host takes the host's powers from the member at a leaf, or lays down its own."""

    leaf: int


@dataclass(frozen=True)
class HandOver:
    """A host makes the member at a leaf a host, and steps down once that one shows that it can host."""

    leaf: int


@dataclass(frozen=True)
class Lock:
    """A host locks the room (nobody new), or unlocks it."""

    on: bool


@dataclass(frozen=True)
class NewInvite:
    """A host makes another invite; the label (at most 64 bytes) stays with its program."""

    label: str = ""
    once: bool = False


@dataclass(frozen=True)
class ListInvites:
    """A host asks which invites there are."""


@dataclass(frozen=True)
class Revoke:
    """A host takes an invite back."""

    index: int


@dataclass(frozen=True)
class Vouch:
    """Show our identity to the member at a leaf, and to nobody else."""

    leaf: int


@dataclass(frozen=True)
class Know:
    """Put who vouched at a leaf in the contact book, under that name (None: the one that it has here)."""

    leaf: int
    name: str | None = None


@dataclass(frozen=True)
class Verified:
    """Mark who vouched at a leaf as verified in the contact book: fingerprints have been compared."""

    leaf: int


@dataclass(frozen=True)
class Compare:
    """Have everybody shown a short code."""


@dataclass(frozen=True)
class Compared:
    """A person's word: the codes are the same with everybody, or not.

    `digits` None: the four words. Else the long code: the one that begins with these; "": the current one.
    """

    same: bool
    digits: str | None = None


@dataclass(frozen=True)
class ShowCode:
    """Tell the codes again, and what has changed since they were compared."""


@dataclass(frozen=True)
class Override:
    """Send sound and pictures although too few have confirmed who is in the room."""


@dataclass(frozen=True)
class EndMeeting:
    """A host ends the meeting for all."""


@dataclass(frozen=True)
class Leave:
    """Go, and tell the others."""


@dataclass(frozen=True)
class Publish:
    """The media engine's transport parameters and streams; sent whenever the room is entered.

    `layers` and `rtx` are further SSRCs of a stream, by its own; `feedback` and `takes_rtx` as in
    `server.wire.messages.Media`.
    """

    ufrag: str
    password: str
    fingerprint: bytes
    streams: tuple[tuple[int, Literal["audio", "video"], int], ...]  # (SSRC, kind, stream number)
    layers: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    rtx: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    feedback: bool = False
    takes_rtx: bool = False

    def message(self) -> wire.Media:
        """What the server is told of it."""
        streams = [
            wire.Stream(ssrc, kind, list(self.layers.get(ssrc, ())), list(self.rtx.get(ssrc, ())))
            for ssrc, kind, _ in self.streams
        ]
        return wire.Media(
            self.ufrag,
            self.password,
            self.fingerprint,
            streams,
            feedback=self.feedback,
            rtx=self.takes_rtx,
        )


Input = (
    Received
    | Lost
    | Tick
    | Say
    | SendPicture
    | SendFile
    | AskFor
    | SetState
    | RaiseHand
    | React
    | RunPage
    | SaveReport
    | SaveEvidence
    | Admit
    | Refuse
    | Remove
    | Deputise
    | Undeputise
    | HandOver
    | Lock
    | NewInvite
    | ListInvites
    | Revoke
    | Vouch
    | Know
    | Verified
    | Compare
    | Compared
    | ShowCode
    | Override
    | EndMeeting
    | Leave
    | Publish
)

# -- events that a person or a script sees -----------------------------------------------------


@dataclass(frozen=True)
class Member:
    """Who is in the room."""

    leaf: int
    name: str
    host: bool


@dataclass(frozen=True)
class InviteMade:
    """A link that leads to this meeting's lobby. `label` is the host's own word for it."""

    link: str
    index: int
    label: str = ""
    once: bool = False
    #: The invite of ours that this one stands for from now on, which opens nothing any more.
    replaces: int | None = None


@dataclass(frozen=True)
class InviteRow:
    """What a host knows of one invite."""

    index: int
    label: str | None  # None: another host has made it
    once: bool
    used_by: tuple[str, ...]
    revoked: bool


@dataclass(frozen=True)
class Invites:
    """The answer to `ListInvites`."""

    rows: tuple[InviteRow, ...]


@dataclass(frozen=True)
class PolicyChanged:
    """A host has changed how the room is kept: whose act (a leaf), what, and a sentence.

    `kind` is "host" or "no_host" (then `leaf` is the member's, None if it is not in the room), "mode" (then
    `mode` is "ask", "all" or "locked"), "title" or "servers".
    """

    by: int
    kind: Literal["host", "no_host", "mode", "title", "servers"]
    text: str
    leaf: int | None = None
    mode: Literal["ask", "all", "locked"] | None = None


@dataclass(frozen=True)
class Knocked:
    """Somebody asks to come in; `looks_like` names a member whose name theirs resembles."""

    knock: int
    name: str
    greeting: str
    invite: int
    looks_like: str | None = None
    label: str | None = None  # of the invite; None: another host has made it
    #: How well the identity that they show is known; `contact` is its name in the book, if it is there.
    standing: Standing = "none"
    contact: str | None = None
    fingerprint: str | None = None  # 40 digits; None: no identity is shown
    #: What is odd about name and identity, a sentence each.
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Roster:
    """Who is in the room now, and what changed; `by` is the leaf whose act it was."""

    epoch: int
    members: tuple[Member, ...]
    added: tuple[Member, ...]
    removed: tuple[Member, ...]
    by: int | None
    rejoined: bool = False
    #: The invite that the added one came in by, and what it is called here: None for one of another host's.
    invite: int | None = None
    label: str | None = None
    #: Leaves of the removed who went of themselves: the others were removed by `by`.
    left: tuple[int, ...] = ()


@dataclass(frozen=True)
class Code:
    """The verification code of an epoch: 40 digits, the same for everybody."""

    epoch: int
    digits: str


@dataclass(frozen=True)
class ShortCode:
    """Four emoji and the words that they are read out as; the same for everybody who was in that epoch."""

    epoch: int
    emoji: tuple[str, ...]
    words: tuple[str, ...]
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Known:
    """A member, as far as a comparison of codes goes: `new_since` if it did not cover them."""

    leaf: int
    name: str
    host: bool
    new_since: bool


@dataclass(frozen=True)
class Comparison:
    """What has become of the codes that were compared in epoch `compared`: what changed since, and by whom.

    `same` is what the person said then, `news` whether this epoch has added to `changes`.
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
class Said:
    """A chat message; `id` is what it is known by here, to report it."""

    leaf: int
    name: str
    text: str
    id: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture in the chat. `path` is where the shell has put it, if it was asked to."""

    leaf: int
    name: str
    id: str
    mime: str
    data: bytes = field(repr=False)
    path: str | None = None


@dataclass(frozen=True)
class FileOffered:
    """A file that comes, or goes out: the three events below name it by `id`."""

    leaf: int
    name: str
    id: str
    filename: str
    mime: str
    size: int


@dataclass(frozen=True)
class FileProgress:
    """`done` of `size` bytes have come, or have gone out."""

    id: str
    done: int
    size: int


@dataclass(frozen=True)
class FileDone:
    """It is here as its sender sent it, or has gone out. `path` is where the shell has put it."""

    id: str
    data: bytes = field(repr=False)
    path: str | None = None


@dataclass(frozen=True)
class FileFailed:
    """It will not come; `why` is a sentence."""

    id: str
    why: str


@dataclass(frozen=True)
class StateTold:
    """What a member shows of itself, by its own word."""

    leaf: int
    name: str
    mic: bool
    camera: bool
    screen: bool
    hand: bool
    recording: bool


@dataclass(frozen=True)
class Reacted:
    """A member's passing sign."""

    leaf: int
    name: str
    reaction: ReactionKind


@dataclass(frozen=True)
class RunsPage:
    """Which page a member runs, by its own word: the bundle's hash, 32 bytes."""

    leaf: int
    name: str
    hash: bytes


@dataclass(frozen=True)
class Pages:
    """Which pages members run, as far as they have said so."""

    pages: tuple[RunsPage, ...]


@dataclass(frozen=True)
class Vouched:
    """A member has proven its identity to us (to us alone); fields as of `Knocked`."""

    leaf: int
    name: str
    standing: Standing
    contact: str | None
    fingerprint: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class BookChanged:
    """A contact is new in the book, or is kept otherwise there: to be written. `at` is in Unix seconds."""

    name: str
    fingerprint: str
    verified: bool
    public: bytes
    at: float


@dataclass(frozen=True)
class Alarm:
    """Something that a person should know of; `kind` is stable, `text` a sentence."""

    kind: str
    text: str


@dataclass(frozen=True)
class Status:
    """Where things stand: waiting for a host, knocking, in the room, the server is away."""

    kind: str
    text: str


@dataclass(frozen=True)
class Ended:
    """The meeting is over for this participant."""

    reason: Literal["left", "removed", "refused", "ended", "dropped", "failed"]
    text: str


Event = (
    InviteMade
    | Invites
    | PolicyChanged
    | Knocked
    | Roster
    | Code
    | ShortCode
    | Comparison
    | Said
    | Picture
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

# -- out ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Connect:
    """Open a connection to the server for this door."""

    door: Door


@dataclass(frozen=True)
class Disconnect:
    """Close that door's connection."""

    door: Door


@dataclass(frozen=True)
class Transmit:
    """Send a message at a door."""

    door: Door
    message: ClientMessage


@dataclass(frozen=True)
class Tell:
    """Show an event."""

    event: Event


@dataclass(frozen=True)
class Save:
    """Write a file for the person, readable for nobody else."""

    what: Literal["evidence", "report"]
    path: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class MediaTransport:
    """The server's media transport parameters: connect there."""

    transport: Transport


@dataclass(frozen=True)
class RemoteStreams:
    """The streams that others send now, as the server lists them."""

    streams: tuple[HandleStream, ...]


Effect = Connect | Disconnect | Transmit | Tell | Save | MediaTransport | RemoteStreams
