"""What goes into a session and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from server.wire.messages import ClientMessage, HandleStream, ServerMessage, Transport

# -- in --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Door:
    """One connection's purpose: a room (`day` is None), or the lobby of a UTC day."""

    day: int | None = None

    def __str__(self) -> str:
        return "room" if self.day is None else f"lobby {self.day}"


ROOM = Door()


@dataclass(frozen=True)
class Received:
    """The server said something at a door; its first word there is always a Challenge."""

    door: Door
    message: ServerMessage


@dataclass(frozen=True)
class Lost:
    """A door's connection is gone, or could not be made; `why` is for a person."""

    door: Door
    why: str


@dataclass(frozen=True)
class Tick:
    """Time has passed. Feed one about every 100 ms."""


@dataclass(frozen=True)
class Say:
    """A chat message for all members."""

    text: str


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
class EndMeeting:
    """A host ends the meeting for all."""


@dataclass(frozen=True)
class Leave:
    """Go, and tell the others."""


@dataclass(frozen=True)
class Publish:
    """The media engine's transport parameters and streams; sent whenever the room is entered."""

    ufrag: str
    password: str
    fingerprint: bytes
    streams: tuple[tuple[int, Literal["audio", "video"], int], ...]  # (SSRC, kind, stream number)


Input = (
    Received
    | Lost
    | Tick
    | Say
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
class Said:
    """A chat message."""

    leaf: int
    name: str
    text: str


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

    reason: Literal["left", "removed", "refused", "ended", "failed"]
    text: str


Event = InviteMade | Invites | PolicyChanged | Knocked | Roster | Code | Said | Alarm | Status | Ended

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
class MediaTransport:
    """The server's media transport parameters: connect there."""

    transport: Transport


@dataclass(frozen=True)
class RemoteStreams:
    """The streams that others send now, as the server lists them."""

    streams: tuple[HandleStream, ...]


Effect = Connect | Disconnect | Transmit | Tell | MediaTransport | RemoteStreams
