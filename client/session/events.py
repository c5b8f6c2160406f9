"""Inputs, events and effects of a session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from snugroom.client.session.catalogue.content import ReactionKind
from snugroom.client.session.entry.contacts import Standing
from snugroom.server.wire import messages as wire
from snugroom.server.wire.messages import ClientMessage, HandleStream, ServerMessage, Transport

# -- inputs ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Endpoint:
    """The purpose of one connection: a room (`day` is None), the lobby of a UTC day, or a probe.

    A probe is a room that this participant opens alone, to test whether the server still serves others.
    """

    day: int | None = None
    probe: bool = False

    def __str__(self) -> str:
        if self.probe:
            return "probe"
        return "room" if self.day is None else f"lobby {self.day}"


ROOM = Endpoint()
PROBE = Endpoint(probe=True)


@dataclass(frozen=True)
class Received:
    """A message from the server on one connection. The first message on a connection is a Challenge."""

    endpoint: Endpoint
    message: ServerMessage


@dataclass(frozen=True)
class Lost:
    """A connection closed or could not be made; `why` is text for a person.

    `answered`: the server accepted the connection, or refused it with a message.
    """

    endpoint: Endpoint
    why: str
    answered: bool = False


@dataclass(frozen=True)
class Tick:
    """Time has passed. The shell feeds one about every 100 ms."""


@dataclass(frozen=True)
class Say:
    """Send a chat message to all members."""

    text: str


@dataclass(frozen=True)
class SendImage:
    """Send an image to all members. The shell reads the file at `path` into `data`."""

    path: str
    data: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class SendFile:
    """Send a file to all members. The shell reads the file at `path` and fills the other fields."""

    path: str
    name: str = ""
    mime: str = "application/octet-stream"
    data: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class SelectStreams:
    """Choose the streams that the server forwards to us, by SSRC; None: all. The server sees the choice.

    `max_layers`: the largest useful layer of a stream (0: the smallest, to 2), where it is not the largest.
    """

    ssrcs: tuple[int, ...] | None
    max_layers: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class SetState:
    """Set the state that this member shows from now on."""

    mic: bool
    camera: bool
    screen: bool = False
    hand: bool = False
    recording: bool = False


@dataclass(frozen=True)
class RaiseHand:
    """Raise our hand, or lower it; the rest of the shown state stays."""

    up: bool


@dataclass(frozen=True)
class React:
    """Show a reaction to all members for a moment."""

    reaction: ReactionKind


@dataclass(frozen=True)
class RunPage:
    """Report that this member runs the page with that hash (32 bytes), and compare with the others."""

    hash: bytes


@dataclass(frozen=True)
class SaveReport:
    """Write a report of these messages (their `id`s) to a file."""

    messages: tuple[str, ...]
    path: str


@dataclass(frozen=True)
class SaveEvidence:
    """Write evidence of the server's conduct to a file; `names` includes the names in the room."""

    path: str
    names: bool = False


@dataclass(frozen=True)
class Admit:
    """As a host, accept a knock."""

    knock: int


@dataclass(frozen=True)
class Refuse:
    """As a host, refuse a knock."""

    knock: int


@dataclass(frozen=True)
class Remove:
    """As a host, remove the member at a leaf."""

    leaf: int


@dataclass(frozen=True)
class Deputise:
    """As a host, make the member at a leaf a host as well."""

    leaf: int


@dataclass(frozen=True)
class Undeputise:
    """As a host, take the host role from the member at a leaf, or give up our own."""

    leaf: int


@dataclass(frozen=True)
class HandOver:
    """As a host, make the member at a leaf a host, and step down once it has shown that it can host."""

    leaf: int


@dataclass(frozen=True)
class Lock:
    """As a host, lock the room against newcomers, or unlock it."""

    on: bool


@dataclass(frozen=True)
class NewInvite:
    """As a host, make another invite; the label (at most 64 bytes) stays in this program."""

    label: str = ""
    once: bool = False


@dataclass(frozen=True)
class ListInvites:
    """As a host, list the invites."""


@dataclass(frozen=True)
class Revoke:
    """As a host, revoke an invite."""

    index: int


@dataclass(frozen=True)
class Vouch:
    """Show our identity to the member at a leaf, and to nobody else."""

    leaf: int


@dataclass(frozen=True)
class Know:
    """Add the identity vouched for at a leaf to the contact book; `name` None: the name used here."""

    leaf: int
    name: str | None = None


@dataclass(frozen=True)
class Verified:
    """Mark the identity at a leaf as verified in the contact book: the fingerprints were compared."""

    leaf: int


@dataclass(frozen=True)
class Compare:
    """Open a run for a short code, which all members see."""


@dataclass(frozen=True)
class Compared:
    """A person's statement: the codes are the same for everybody, or not.

    `digits` None: the short code. Otherwise the long code that begins with them; "": the current long code.
    """

    same: bool
    digits: str | None = None


@dataclass(frozen=True)
class ShowCode:
    """Show the codes again, and the changes since they were compared."""


@dataclass(frozen=True)
class Override:
    """Send audio and video although too few members have confirmed the membership of the room."""


@dataclass(frozen=True)
class EndMeeting:
    """As a host, end the meeting for all."""


@dataclass(frozen=True)
class Leave:
    """Leave the meeting, and inform the others."""


@dataclass(frozen=True)
class Publish:
    """The media engine's transport parameters and streams; sent on every new connection to the room.

    `layers` and `rtx` map a stream's own SSRC to its further SSRCs; `feedback` and `takes_rtx` are as in
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
        """Return the message that publishes these parameters to the server."""
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
    | SendImage
    | SendFile
    | SelectStreams
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

# -- events for a person or a script -----------------------------------------------------------


@dataclass(frozen=True)
class Member:
    """A member of the room."""

    leaf: int
    name: str
    host: bool


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
    """Somebody asks to be admitted; `looks_like` is a member's name that the knocker's name resembles."""

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
    #: Oddities of name and identity, a sentence each.
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Roster:
    """The current members, and what changed; `by` is the leaf that committed the change."""

    epoch: int
    members: tuple[Member, ...]
    added: tuple[Member, ...]
    removed: tuple[Member, ...]
    by: int | None
    rejoined: bool = False
    #: The invite that admitted the added member, and its label here: None if another host made it.
    invite: int | None = None
    label: str | None = None
    #: Removed leaves that left by themselves; `by` removed the others.
    left: tuple[int, ...] = ()


@dataclass(frozen=True)
class Code:
    """The long verification code of an epoch: 40 digits, the same for all members."""

    epoch: int
    digits: str


@dataclass(frozen=True)
class ShortCode:
    """Four emoji and the words to read them out; the same for all members of that epoch."""

    epoch: int
    emoji: tuple[str, ...]
    words: tuple[str, ...]
    members: tuple[Member, ...]


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
    """A problem that a person should know about; `kind` is stable, `text` a sentence."""

    kind: str
    text: str


@dataclass(frozen=True)
class Status:
    """The session's state: for example waiting for a host, knocking, in the room, server away."""

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
    | Image
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

# -- outputs -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Connect:
    """Open a connection to this endpoint of the server."""

    endpoint: Endpoint


@dataclass(frozen=True)
class Disconnect:
    """Close the connection to this endpoint."""

    endpoint: Endpoint


@dataclass(frozen=True)
class Transmit:
    """Send a message on the connection to this endpoint."""

    endpoint: Endpoint
    message: ClientMessage


@dataclass(frozen=True)
class Tell:
    """Show an event to the person or the script."""

    event: Event


@dataclass(frozen=True)
class Save:
    """Write a file for the person, readable by nobody else."""

    what: Literal["evidence", "report"]
    path: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class MediaTransport:
    """The server's media transport parameters, for the media engine to connect to."""

    transport: Transport


@dataclass(frozen=True)
class RemoteStreams:
    """The streams that others send now, as the server lists them."""

    streams: tuple[HandleStream, ...]


Effect = Connect | Disconnect | Transmit | Tell | Save | MediaTransport | RemoteStreams
