"""Commands of a person or a script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from snugroom.client.session.catalogue.content import ReactionKind


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
class SendHeld:
    """Send the messages that wait (the event `Held`), whoever may read them."""


@dataclass(frozen=True)
class DiscardHeld:
    """Discard the messages that wait."""


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
    away: bool = False


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
class Replace:
    """Let the newcomer of that knock in, in place of the silent member whose name it has."""

    knock: int


@dataclass(frozen=True)
class Refuse:
    """As a host, refuse a knock."""

    knock: int


@dataclass(frozen=True)
class AdmitAll:
    """As a host, accept all knocks without a warning that wait now."""


@dataclass(frozen=True)
class RefuseAll:
    """As a host, refuse all knocks that wait now."""


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
class NameServers:
    """As a host, name the servers where the meeting goes on if its own ends it: origins, in order."""

    origins: tuple[str, ...]


@dataclass(frozen=True)
class ListServers:
    """Tell where the meeting is, and where it can go on."""


@dataclass(frozen=True)
class AllowServer:
    """Let our program connect to that server of the list, which was not in our link."""

    origin: str


@dataclass(frozen=True)
class Move:
    """As a host, have everybody go on at that server of the list; empty: at the next one."""

    origin: str = ""


@dataclass(frozen=True)
class RemoveAbsent:
    """As a host, remove all members that are not heard at this server: the others go on without them."""


@dataclass(frozen=True)
class Withdraw:
    """As a host, end the way back of the member with that name, who was removed for absence."""

    name: str


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


Command = (
    Say
    | SendImage
    | SendFile
    | SendHeld
    | DiscardHeld
    | SelectStreams
    | SetState
    | RaiseHand
    | React
    | RunPage
    | SaveReport
    | SaveEvidence
    | Admit
    | Refuse
    | Replace
    | AdmitAll
    | RefuseAll
    | Remove
    | Deputise
    | Undeputise
    | HandOver
    | Lock
    | NewInvite
    | ListInvites
    | NameServers
    | ListServers
    | AllowServer
    | Move
    | RemoveAbsent
    | Withdraw
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
)
